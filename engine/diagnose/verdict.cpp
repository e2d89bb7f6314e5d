#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/diagnose/tables.h"
#include "engine/verdict.h"

namespace engine {
namespace {

constexpr double k_same_nats = 1e-4;        ///< log-likelihoods nearer than this are the same up to float32

std::string fixed(double v, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

std::string counted(std::int64_t n) { return std::to_string(n) + (n == 1 ? " example" : " examples"); }

std::string with_interval(const Estimate& e) {
  return points_text(e.value) + " points [" + points_text(e.low) + ", " + points_text(e.high) + "]";
}

/// Largest difference between what two components say of the chosen cases, nats.
double furthest(const Outcomes& outcomes, const char* a, const char* b, const Chosen& chosen) {
  double most = 0;
  const auto &x = outcomes.at(a), &y = outcomes.at(b);
  for (auto i : chosen)
    for (std::size_t c = 0; c < x[i].choices.size(); ++c)
      most = std::max(most, std::abs(x[i].choices[c].log_likelihood - y[i].choices[c].log_likelihood));
  return most;
}

std::string place_of(const KnockOut& k) {
  return "layer " + std::to_string(k.layer) + (k.head >= 0 ? ", head " + std::to_string(k.head) : "");
}

/// Sentences on where it happens: share, the most damaging layer and head, the distance with the largest difference.
std::string whereabouts(const VerdictBasis& basis) {
  std::string text;
  if (basis.inside && !basis.inside->empty()) {
    double sum = 0, n = 0;
    for (const auto& h : *basis.inside)
      if (h.head < 0) sum += h.exposed_share, n += 1;
    text += " Of the attention output behind the window, " + fixed(100 * sum / std::max(1.0, n), 0) + " % by norm is linear.";
  }
  if (basis.knockouts) {
    const auto worst = [&](bool layer) {
      return std::ranges::find_if(*basis.knockouts, [&](const KnockOut& k) { return k.branch == "linear" && (k.head < 0) == layer && k.damage.low > 0; });
    };
    const auto layer = worst(true), head = worst(false);
    if (layer != basis.knockouts->end())
      text += " Taking it out of " + place_of(*layer) + " alone raises the loss by " + fixed(layer->damage.value, 3) + " nats [" +
              fixed(layer->damage.low, 3) + ", " + fixed(layer->damage.high, 3) + "], more than in any other layer" +
              (head != basis.knockouts->end() ? "; the head that counts most is " + place_of(*head) + " (" + fixed(head->damage.value, 3) + ")." : ".");
    else if (!basis.knockouts->empty())
      text += " Taking it out of a single layer or head does no measurable damage.";
  }
  if (basis.distance) {
    const Bin* best = nullptr;
    std::string name;
    for (const auto& p : *basis.distance)
      for (const auto& b : p.bins)
        if (b.delta_h_swa.difference.low > 0 && b.delta_h_swa.p_holm < 0.05 && (!best || b.delta_h_swa.difference.value > best->delta_h_swa.difference.value)) best = &b, name = p.name;
    if (best)
      text += " It counts most for " + name + " at " + fixed(best->low, 0) + "–" + fixed(best->high - 1, 0) + " tokens: " +
              with_interval(best->delta_h_swa.difference) + ".";
  }
  return text;
}

std::string alone(const Paired& l) {
  if (l.difference.n == 0) return {};
  const std::string numbers = with_interval(l.difference) + " over no attention";
  if (l.difference.low > 0) return " Alone it carries something: " + numbers + ".";
  return " Alone it does no better than no attention: " + numbers + ".";
}

}  // namespace

DiagnosisVerdict verdict_of(const std::vector<Case>& cases, const Outcomes& outcomes, const VerdictBasis& basis) {
  DiagnosisVerdict v;
  v.use = "cannot tell";
  v.headline = "Cannot tell";
  v.examples = std::ssize(cases);
  const Chosen exposed = choose(cases, [&](const Case& c) { return c.exposed() || basis.overlap; });
  v.exposed = std::ssize(exposed);
  const std::string window = "a window of " + std::to_string(basis.window) + " tokens";
  if (outcomes.count("hybrid") == 0 || outcomes.count("swa") == 0 || cases.empty()) {
    v.paragraph = "Nothing was scored in both hybrid and swa.";
    return v;
  }
  if (exposed.empty()) {
    v.headline = "Cannot tell: not exposed";
    v.paragraph = "None of " + counted(v.examples) + " ever leaves " + window +
                  ", so hybrid and swa compute the same there and no number of such examples would tell. Choose a task with longer prompts, or a smaller window.";
    return v;
  }
  v.delta_h_swa = compare(cases, outcomes, "hybrid", "swa", exposed);
  v.delta_la_na = compare(cases, outcomes, "linear", "none", exposed);
  const Estimate& d = v.delta_h_swa.difference;
  const double margin = k_verdict_margin_points / 100;
  const double apart = furthest(outcomes, "hybrid", "swa", exposed);
  const std::string of = " on the " + counted(v.exposed) + " (of " + std::to_string(v.examples) + ") that leave " + window;
  const std::string numbers = with_interval(d) + of + " (McNemar p = " + fixed(v.delta_h_swa.p, 4) + ": " +
                              std::to_string(v.delta_h_swa.only_a) + " right with it only, " + std::to_string(v.delta_h_swa.only_b) + " without it only)";
  v.needed = examples_needed(d, margin);
  if (apart < k_same_nats) {
    v.use = "ignored", v.headline = "Linear attention is ignored", v.needed = 0;
    v.paragraph = "Hybrid and window alone give the same answers with the same probabilities" + of + ": the largest difference is " + fixed(apart, 6) + " nats.";
  } else if (v.exposed < k_fewest_examples) {
    v.headline = "Cannot tell: too few examples";
    v.needed = std::max(v.needed, k_fewest_examples);
    v.paragraph = "Only " + counted(v.exposed) + " of " + std::to_string(v.examples) + (v.exposed == 1 ? " leaves " : " leave ") + window +
                  "; about " + std::to_string(v.needed) + " would be needed to tell.";
  } else if (d.low > 0) {
    v.use = "used", v.headline = "Linear attention is used";
    v.paragraph = "Taking it away changes accuracy by " + points_text(-d.value) + " points: the hybrid is ahead by " + numbers + ".";
  } else if (d.high < 0) {
    v.use = "harmful", v.headline = "Linear attention is harmful";
    v.paragraph = "The window alone does better: the hybrid differs by " + numbers + ".";
  } else if (d.low > -margin && d.high < margin) {
    v.use = "ignored", v.headline = "Linear attention is ignored";
    v.paragraph = "Taking it away changes less than " + fixed(k_verdict_margin_points, 0) + " points: " + numbers + ".";
  } else {
    v.headline = "Cannot tell: too few examples";
    v.paragraph = "The interval is too wide: " + numbers + ". About " + std::to_string(v.needed) +
                  " exposed examples would settle it if the spread stays as it is.";
  }
  v.paragraph += alone(v.delta_la_na) + whereabouts(basis);
  return v;
}

}  // namespace engine
