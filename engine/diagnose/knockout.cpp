#include <algorithm>

#include "engine/diagnose/session.h"
#include "engine/inspect_tokens.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr std::int64_t k_most_heads = 64, k_worst_layers = 4;

/// The branch `branch` taken out of one call: the window at weight 1, or linear attention at weight 1 where it has a key.
/// A layer that was not converted stays as it is.
void knock_out(AttentionCall& call, const std::string& branch) {
  if (call.component != Component::hybrid) return;
  if (branch == "linear") {
    call.component = Component::swa;
  } else {
    call.mixing = Mixing::fixed;
    call.weight = 0;
  }
}

KnockOut compared(const std::vector<Case>& cases, const Chosen& chosen, const std::vector<Outcome>& whole, const std::vector<Outcome>& cut) {
  std::vector<double> a, b, right, wrong;
  std::vector<std::int64_t> clusters;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    a.push_back(cut[i].loss), b.push_back(whole[i].loss);
    right.push_back(whole[i].right), wrong.push_back(cut[i].right);
    clusters.push_back(cases[chosen[i]].cluster);
  }
  KnockOut k;
  k.damage = paired_comparison(a, b, clusters, false).difference;
  k.accuracy = paired_comparison(right, wrong, clusters, true);
  return k;
}

}  // namespace

std::vector<KnockOut> measure_knockouts(const Patient& p, const std::vector<Case>& cases, const Chosen& chosen,
                                        std::vector<std::string>& notes, const Watch& watch) {
  const ChainScorer scorer(cases, chosen, p.model().device());
  const ModelConfig& c = p.model().config;
  const auto whole = scorer.score(p.model(), &p.work.conversion, p.options(Component::hybrid), watch);
  std::vector<KnockOut> found;
  auto note = [&](std::int64_t layer, std::int64_t head, const std::string& branch, const ForwardOptions& options) {
    report(watch, std::ssize(found), "knock-outs");
    KnockOut k = compared(cases, chosen, whole, scorer.score(p.model(), &p.work.conversion, options, watch));
    k.layer = layer, k.head = head, k.branch = branch;
    found.push_back(std::move(k));
  };
  for (std::int64_t layer = 0; layer < c.layers; ++layer)
    for (const char* branch : {"linear", "window"}) {
      ForwardOptions o = p.options(Component::hybrid);
      o.attend = [&](std::size_t at, const Heads& h, const AttentionCall& call) {
        AttentionCall own = call;
        if (static_cast<std::int64_t>(at) == layer) knock_out(own, branch);
        return hybrid_attention(h.q, h.k, h.v, own);
      };
      note(layer, -1, branch, o);
    }
  auto by_damage = [](const KnockOut& k) { return k.damage.value; };
  std::vector<std::int64_t> layers;
  if (c.layers * c.heads > k_most_heads) {
    std::vector<KnockOut> order = found;
    std::ranges::stable_sort(order, std::greater<>{}, by_damage);
    for (const auto& k : order)
      if (k.branch == "linear" && std::ssize(layers) < k_worst_layers) layers.push_back(k.layer);
    notes.push_back("Heads were knocked out in the " + std::to_string(layers.size()) + " layers whose linear branch counts most; the model has " +
                    std::to_string(c.layers * c.heads) + " heads");
  } else {
    for (std::int64_t layer = 0; layer < c.layers; ++layer) layers.push_back(layer);
  }
  for (const auto layer : layers)
    for (std::int64_t head = 0; head < c.heads; ++head)
      for (const char* branch : {"linear", "window"}) {
        ForwardOptions o = p.options(Component::hybrid);
        o.attend = [&](std::size_t at, const Heads& h, const AttentionCall& call) {
          Tensor y = hybrid_attention(h.q, h.k, h.v, call);
          if (static_cast<std::int64_t>(at) != layer) return y;
          AttentionCall cut = call;
          knock_out(cut, branch);
          y.select(1, head).copy_(hybrid_attention(h.q, h.k, h.v, cut).select(1, head));
          return y;
        };
        note(layer, head, branch, o);
      }
  std::vector<double> values;
  for (const auto& k : found) values.push_back(k.accuracy.p);
  const auto corrected = holm(values);
  for (std::size_t i = 0; i < found.size(); ++i) found[i].accuracy.p_holm = corrected[i];
  std::ranges::stable_sort(found, std::greater<>{}, by_damage);
  return found;
}

}  // namespace engine
