#include "engine/verdict.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace engine {
namespace {

constexpr double k_normal_95 = 1.959963984540054;

std::string plain(double accuracy_difference) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", 100 * accuracy_difference);
  return text;
}

}  // namespace

std::string points_text(double accuracy_difference, int decimals) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", decimals, std::abs(100 * accuracy_difference));
  if (std::atof(text) == 0) return text;
  return (accuracy_difference < 0 ? "−" : "+") + std::string(text);
}

Verdict judge(const std::optional<MeasuredDifference>& h, const std::optional<MeasuredDifference>& l,
              const std::optional<double>& exposure, bool finished) {
  Verdict v;
  const double margin = k_verdict_margin_points / 100;
  const auto few = [](const MeasuredDifference& d) { return d.n > 0 && d.n < k_fewest_examples; };
  v.alarm = l && !few(*l) && l->trained && l->value + k_normal_95 * l->stderr_ < margin;
  if (!h || !std::isfinite(h->value)) {
    v.headline = "Cannot tell yet";
    v.sentence = finished ? "The run has no evaluation with both hybrid and swa, so there is nothing to compare."
                          : "The first evaluation with hybrid and swa has not been made.";
    return v;
  }
  if (exposure && *exposure == 0) {
    v.alarm = false;
    v.headline = "Cannot tell: not exposed";
    v.sentence = "No scored token has a key outside the window, so hybrid and swa compute the same. Choose a smaller window, or tasks with "
                 "longer prompts.";
    return v;
  }
  if (few(*h)) {
    v.headline = "Cannot tell: too few examples";
    v.sentence = "There are " + std::to_string(h->n) + "; at least " + std::to_string(k_fewest_examples) + " are needed to say anything.";
    return v;
  }
  const double low = h->value - k_normal_95 * h->stderr_, high = h->value + k_normal_95 * h->stderr_;
  const std::string interval = points_text(h->value) + " points [" + points_text(low) + ", " + points_text(high) + "]";
  if (low > 0) {
    v.use = Use::used;
    v.headline = "Linear attention is used";
    v.sentence = "Taking it away costs " + plain(h->value) + " points [" + plain(low) + ", " + plain(high) + "].";
  } else if (high < 0) {
    v.use = Use::harmful;
    v.headline = "Linear attention is harmful";
    v.sentence = "The window alone does better: the hybrid differs by " + interval + ".";
  } else if (low > -margin && high < margin) {
    v.use = Use::ignored;
    v.headline = "Linear attention is ignored";
    v.sentence = "Taking it away changes less than 2 points: " + interval + ".";
  } else {
    v.headline = finished ? "Cannot tell" : "Cannot tell yet";
    v.sentence = "The interval is too wide: " + interval + ". More examples would narrow it.";
  }
  if (v.use != Use::used && l && l->value - k_normal_95 * l->stderr_ > margin)
    v.sentence += " Alone it does carry something: " + points_text(l->value) + " points over no attention.";
  if (v.alarm) v.sentence += " Alone it does no better than no attention.";
  return v;
}

double gate_tolerance(const std::string& dtype) {
  if (dtype == "float64") return 1e-9;
  return dtype == "float32" ? 1e-4 : 5e-2;
}

}  // namespace engine
