#include <algorithm>
#include <cmath>

#include "engine/attention/branches.h"
#include "engine/diagnose/session.h"
#include "engine/inspect_tokens.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr double k_epsilon = 1e-6, k_saturated = 0.99, k_dead = 1e-3;
constexpr std::int64_t k_bins = 24;

/// exp of the entropy of the normalised singular values.
double effective_rank(const Tensor& matrix) {
  const Tensor s = std::get<1>(at::linalg_svd(matrix.to(torch::kFloat64), false));
  const double total = s.sum().item<double>();
  if (total <= 0) return 0;
  const Tensor p = s / total;
  return std::exp(-at::xlogy(p, p).sum().item<double>());
}

/// Share of tokens on which one feature of a softmax half takes nearly all, or exp has reached its clamp. features [N,P].
double saturated_share(const FeatureMap& map, const Tensor& features) {
  if (map.activation == Activation::softmax) return (features.amax(1) > k_saturated).to(torch::kFloat64).mean().item<double>();
  if (map.activation == Activation::exp) return (features.amax(1) >= std::exp(k_exp_clamp) * 0.999).to(torch::kFloat64).mean().item<double>();
  return 0;
}

FeatureReport report_of(const FeatureMap& map, const Tensor& start, const Tensor& features, std::int64_t head) {
  FeatureReport r;
  r.head = head;
  if (map.weight.defined()) {
    const std::int64_t own = std::min(head, map.weight.size(0) - 1);
    const Tensor w = map.weight.select(0, own).to(torch::kCPU, torch::kFloat64), w0 = start.select(0, own).to(torch::kCPU, torch::kFloat64);
    r.distance = ((w - w0).norm() / w0.norm()).item<double>();
    const Tensor s = std::get<1>(at::linalg_svd(w, false));
    const double least = s.min().item<double>();
    r.condition = least > 0 ? s.max().item<double>() / least : 1e300;
  }
  r.features = features.size(1);
  r.effective_rank = effective_rank(features);
  const double mean = features.abs().mean().item<double>();
  r.dead = (features.abs().amax(0) < k_dead * mean).to(torch::kFloat64).mean().item<double>();
  r.saturated = saturated_share(map, features);
  return r;
}

/// log₁₀ of the magnitudes in equal bins between the smallest and the largest.
DenominatorReport denominators_of(std::int64_t layer, const std::vector<Tensor>& parts) {
  DenominatorReport r;
  r.layer = layer;
  const Tensor all = parts.empty() ? torch::zeros({0}, torch::kFloat64) : at::cat(parts).abs();
  r.rows = all.numel();
  if (r.rows == 0) return r;
  r.least = all.min().item<double>();
  r.below_epsilon = (all < k_epsilon).to(torch::kFloat64).mean().item<double>();
  const Tensor logs = all.clamp_min(1e-30).log10();
  r.log_low = logs.min().item<double>(), r.log_high = std::max(logs.max().item<double>(), r.log_low + 1e-6);
  const Tensor counts = at::histc(logs, k_bins, r.log_low, r.log_high).to(torch::kInt64).contiguous();
  r.histogram.assign(counts.data_ptr<std::int64_t>(), counts.data_ptr<std::int64_t>() + counts.numel());
  return r;
}

struct LayerFeatures {
  std::vector<Tensor> q, k, denominators;  ///< [H,T,P] a text; [rows]
};

}  // namespace

FeatureHealth measure_features(const Patient& p, const std::vector<std::vector<std::int32_t>>& texts, const Watch& watch) {
  torch::InferenceMode inference;
  const auto& layers = p.work.conversion.layers;
  std::vector<LayerFeatures> found(layers.size());
  for (std::size_t n = 0; n < texts.size(); ++n) {
    report(watch, static_cast<std::int64_t>(n), "texts mapped");
    ForwardOptions o = p.options(Component::hybrid);
    o.attend = [&](std::size_t layer, const Heads& h, const AttentionCall& call) {
      if (call.component != Component::hybrid) return hybrid_attention(h.q, h.k, h.v, call);  // a layer that was not converted
      const Tensor q = query_features(h.q, call).squeeze(0).to(torch::kCPU, torch::kFloat64);  // [H,T,P]
      const Tensor k = key_features(h.k, h.q.size(1), call).squeeze(0).to(torch::kCPU, torch::kFloat64);
      const std::int64_t t = q.size(1), hidden = p.overlap() ? 0 : call.window;
      if (hidden < t) {  // row t sees the keys up to t − hidden
        const Tensor seen = k.narrow(1, 0, t - hidden).cumsum(1);
        found[layer].denominators.push_back((q.narrow(1, hidden, t - hidden) * seen).sum(-1).flatten());
      }
      found[layer].q.push_back(q), found[layer].k.push_back(k);
      return hybrid_attention(h.q, h.k, h.v, call);
    };
    const Tensor ids = torch::tensor(std::vector<std::int64_t>(texts[n].begin(), texts[n].end())).unsqueeze(0).to(p.model().device());
    p.model().hidden(ids, &p.work.conversion, o);
  }
  FeatureHealth health;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (found[i].q.empty()) continue;
    const Tensor q = at::cat(found[i].q, 1), k = at::cat(found[i].k, 1);  // [H,N,P]
    for (std::int64_t h = 0; h < q.size(0); ++h) {
      report(watch, std::ssize(health.maps), "maps");
      auto add = [&](const char* side, const FeatureMap& map, const Tensor& start, const Tensor& features) {
        FeatureReport r = report_of(map, start, features, h);
        r.layer = static_cast<std::int64_t>(i), r.side = side;
        health.maps.push_back(std::move(r));
      };
      add("q", layers[i].query_map, p.start_q[i], q[h]);
      add("k", layers[i].key_map, p.start_k[i], k[h]);
    }
    if (p.has_mass()) health.denominators.push_back(denominators_of(static_cast<std::int64_t>(i), found[i].denominators));
  }
  return health;
}

}  // namespace engine
