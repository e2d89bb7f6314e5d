#include "engine/eval/map_health.h"

#include <algorithm>
#include <cmath>

#include "engine/attention/branches.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr std::size_t k_rows = 2;
constexpr std::int64_t k_rank_heads = 8, k_rank_tokens = 512;  // of a layer; the ranks of all of them say no more
using Series = std::vector<std::pair<std::string, double>>;

double item(const Tensor& x) { return x.item<double>(); }

/// exp(H(σ/Σσ)) of each head's φ(k) [H,T,P], mean over a few heads.
double effective_rank(const Tensor& features) {
  const std::int64_t heads = std::min(k_rank_heads, features.size(0)), tokens = std::min(k_rank_tokens, features.size(1));
  const Tensor f = features.narrow(0, 0, heads).narrow(1, 0, tokens).to(torch::kCPU, torch::kFloat64);
  const Tensor sigma = at::linalg_svdvals(f);  // [heads, min(T,P)]
  const Tensor p = sigma / sigma.sum(-1, true).clamp_min(1e-300);
  return item((-(p * p.clamp_min(1e-300).log()).sum(-1)).exp().mean());
}

/// What one layer's features say; fq, fk [H,T,P] of one row.
void add_features(Series& out, const std::string& layer, const Tensor& fq, const Tensor& fk) {
  const Tensor denominators = (fq * fk.cumsum(1)).sum(-1).abs();  // [H,T]
  out.emplace_back("denominator/" + layer + ".min", item(denominators.min()));
  out.emplace_back("denominator/" + layer + ".small_share", item((denominators < k_small_denominator).to(torch::kFloat64).mean()));
  const Tensor size = fk.abs(), largest = size.amax(1);  // [H,P]
  const Tensor dead = largest < 0.01 * std::get<0>(largest.median(-1, true));
  out.emplace_back("map/" + layer + ".dead", item(dead.to(torch::kFloat64).mean()));
  const Tensor held = size.amax(-1) / size.sum(-1).clamp_min(1e-300);  // [H,T]
  out.emplace_back("map/" + layer + ".saturated", item((held > 0.99).to(torch::kFloat64).mean()));
  out.emplace_back("map/" + layer + ".rank", effective_rank(fk));
}

void add_mixing(Series& out, const Conversion& conversion, std::size_t layer, const AttentionCall& call) {
  if (conversion.mixing == Mixing::fixed) return;
  const Tensor g = (conversion.mixing == Mixing::gated ? call.gate.mean(at::IntArrayRef{0, 2}) : call.logit.sigmoid()).to(torch::kCPU, torch::kFloat64);
  for (std::int64_t h = 0; h < g.size(0); ++h)
    out.emplace_back("mixing/layer." + std::to_string(layer) + ".head." + std::to_string(h), item(g[h]));
}

}  // namespace

double map_distance(const Conversion& conversion, std::size_t layer, const std::map<std::string, Tensor>& start) {
  const std::string prefix = "maps." + std::to_string(layer) + ".";
  double moved = 0, size = 0;
  for (const auto& [name, tensor] : conversion.tensors()) {
    if (!name.starts_with(prefix) || !name.ends_with("weight")) continue;
    const Tensor w0 = start.at(name).to(tensor.device(), torch::kFloat64);
    moved += item((tensor.detach().to(torch::kFloat64) - w0).square().sum());
    size += item(w0.square().sum());
  }
  return size > 0 ? std::sqrt(moved / size) : 0;
}

Series map_health(const Model& model, const Conversion& conversion, const std::map<std::string, Tensor>& start,
                  const std::vector<std::vector<std::int64_t>>& rows) {
  torch::NoGradGuard off;
  Series sums;
  const std::size_t count = std::min(k_rows, rows.size());
  for (std::size_t r = 0; r < count; ++r) {
    Series one;
    ForwardOptions options;
    options.component = Component::hybrid;
    options.attend = [&](std::size_t layer, const Heads& h, const AttentionCall& call) {
      if (conversion.layers[layer].kind == LayerKind::converted) {
        const std::string name = "layer." + std::to_string(layer);
        add_features(one, name, query_features(h.q, call).select(0, 0), key_features(h.k, h.q.size(1), call).select(0, 0));
        add_mixing(one, conversion, layer, call);
        one.emplace_back("map/" + name + ".distance", map_distance(conversion, layer, start));
      }
      return hybrid_attention(h.q, h.k, h.v, call);
    };
    model.hidden(torch::tensor(rows[r]).unsqueeze(0).to(model.device()), &conversion, options);
    if (r == 0) sums = one;
    for (std::size_t i = 0; r > 0 && i < one.size(); ++i)
      sums[i].second = sums[i].first.ends_with(".min") ? std::min(sums[i].second, one[i].second) : sums[i].second + one[i].second;
  }
  for (auto& [name, value] : sums)
    if (!name.ends_with(".min")) value /= static_cast<double>(count);
  return sums;
}

}  // namespace engine
