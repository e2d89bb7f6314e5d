#include <algorithm>

#include "engine/diagnose/session.h"
#include "engine/inspect_tokens.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr double k_fewest_rows = 8, k_least_share = 0.1;  ///< of tokens that must have a key at a distance before its mean weight counts

/// Σ over tokens of weights at each distance, and how many tokens have such a key.
struct DistanceProfile {
  Tensor weight, count;  ///< [H,Tmax], [Tmax] float64
  Tensor outside;        ///< [H] Σ over exposed tokens of mass outside the window

  DistanceProfile(std::int64_t heads, std::int64_t longest)
      : weight(torch::zeros({heads, longest}, torch::kFloat64)), count(torch::zeros({longest}, torch::kFloat64)),
        outside(torch::zeros({heads}, torch::kFloat64)) {}

  void read(const Heads& h, const AttentionCall& call, std::int64_t window) {
    const std::int64_t t = h.q.size(2);
    count.narrow(0, 0, t) += torch::arange(t, 0, -1, torch::kFloat64);
    const WeightTiles tiles(h, call);
    for (std::int64_t first = 0; first < t; first += tiles.width()) {
      const Tensor w = tiles.tile(first).to(torch::kCPU, torch::kFloat64);  // [H,T,keys]
      for (std::int64_t i = 0; i < w.size(2); ++i) {
        const std::int64_t key = first + i, rows = t - key;
        const Tensor column = w.select(2, i).narrow(1, key, rows);  // [H,rows], distance 0, 1, …
        weight.narrow(1, 0, rows) += column;
        if (rows > window) outside += column.narrow(1, window, rows - window).sum(1);
      }
    }
  }
  /// Where outside the window a key gets the most weight on average.
  std::pair<std::int64_t, double> peak(std::int64_t head, std::int64_t window) const {
    std::pair<std::int64_t, double> best{0, 0};
    for (std::int64_t d = window; d < count.size(0); ++d) {
      const double n = count[d].item<double>();
      if (n < std::max(k_fewest_rows, k_least_share * count[0].item<double>())) continue;
      const double mean = weight[head][d].item<double>() / n;
      if (mean > best.second) best = {d, mean};
    }
    return best;
  }
};

/// Sums over texts of what one layer's heads do.
struct LayerSums {
  LayerSums(std::int64_t heads, std::int64_t longest)
      : cosine_swa(torch::zeros({heads}, torch::kFloat64)), cosine_linear(cosine_swa.clone()), cosine_hybrid(cosine_swa.clone()),
        hybrid(heads, longest), teacher(heads, longest) {}

  BranchNorms all, exposed;
  Tensor cosine_swa, cosine_linear, cosine_hybrid;  ///< [H]
  double tokens = 0, linear_tokens = 0, exposed_tokens = 0;
  DistanceProfile hybrid, teacher;
};

/// Σ over tokens [from, T) of the cosine of two outputs [1,H,T,D]; [H].
Tensor cosines(const Tensor& a, const Tensor& b, std::int64_t from) {
  const Tensor x = a.to(torch::kFloat64).narrow(2, from, a.size(2) - from), y = b.to(torch::kFloat64).narrow(2, from, b.size(2) - from);
  const Tensor norms = x.norm(2, -1) * y.norm(2, -1);
  return ((x * y).sum(-1) / norms.clamp_min(1e-30)).sum(2).squeeze(0).to(torch::kCPU);
}

void look(const Patient& p, LayerSums& s, const Heads& h, AttentionCall call, const Tensor& teacher) {
  const std::int64_t t = h.q.size(2), window = call.window;
  call.norms = nullptr;
  auto output = [&](Component c, BranchNorms* norms = nullptr, const Tensor& counted = {}) {
    AttentionCall own = call;
    own.component = c, own.norms = norms, own.counted = counted;
    return hybrid_attention(h.q, h.k, h.v, own);
  };
  const bool overlap = p.overlap();
  const std::int64_t first_linear = overlap ? 0 : std::min(window, t);
  s.tokens += static_cast<double>(t);
  s.linear_tokens += static_cast<double>(t - first_linear);
  s.exposed_tokens += static_cast<double>(std::max<std::int64_t>(0, t - window));
  if (p.has_mass()) s.hybrid.read(h, call, window);
  s.cosine_hybrid += cosines(output(call.component, &s.all), teacher, 0);
  if (call.component != Component::hybrid) return;  // a layer that was not converted has no branches
  const Tensor behind = (torch::arange(t, h.q.options().dtype(torch::kInt64)) >= window).unsqueeze(0);  // [1,T]
  output(Component::hybrid, &s.exposed, behind);
  s.cosine_swa += cosines(output(Component::swa), teacher, 0);
  s.cosine_linear += cosines(output(overlap ? Component::linear : Component::linear_outside), teacher, first_linear);
}

double share_of(const BranchNorms& n, std::int64_t head) {
  if (!n.window.defined()) return 0;
  const double w = std::sqrt(n.window[head].item<double>()), l = std::sqrt(n.linear[head].item<double>());
  return w + l > 0 ? l / (w + l) : 0;
}

HeadReport head_report(const LayerSums& s, std::int64_t layer, std::int64_t head, std::int64_t window) {
  HeadReport r;
  r.layer = layer, r.head = head;
  r.share = share_of(s.all, head);
  r.exposed_share = share_of(s.exposed, head);
  auto mean = [&](const Tensor& sum, double n) { return n > 0 ? sum[head].item<double>() / n : 0.0; };
  r.cosine_swa = mean(s.cosine_swa, s.tokens);
  r.cosine_hybrid = mean(s.cosine_hybrid, s.tokens);
  r.cosine_linear = mean(s.cosine_linear, s.linear_tokens);
  r.linear_mass = mean(s.hybrid.outside, s.exposed_tokens);
  r.teacher_mass = mean(s.teacher.outside, s.exposed_tokens);
  std::tie(r.peak_distance, r.peak_weight) = s.hybrid.peak(head, window);
  std::tie(r.teacher_peak_distance, r.teacher_peak_weight) = s.teacher.peak(head, window);
  return r;
}

/// Means over heads; the peak of the head with the highest one.
HeadReport layer_report(const std::vector<HeadReport>& heads) {
  HeadReport r;
  r.layer = heads.front().layer;
  const auto n = static_cast<double>(heads.size());
  for (const auto& h : heads) {
    for (auto member : {&HeadReport::share, &HeadReport::exposed_share, &HeadReport::linear_mass, &HeadReport::teacher_mass,
                        &HeadReport::cosine_swa, &HeadReport::cosine_linear, &HeadReport::cosine_hybrid})
      r.*member += h.*member / n;
    if (h.peak_weight > r.peak_weight) r.peak_distance = h.peak_distance, r.peak_weight = h.peak_weight;
    if (h.teacher_peak_weight > r.teacher_peak_weight) r.teacher_peak_distance = h.teacher_peak_distance, r.teacher_peak_weight = h.teacher_peak_weight;
  }
  return r;
}

}  // namespace

std::vector<HeadReport> measure_inside(const Patient& p, const std::vector<std::vector<std::int32_t>>& texts, const Watch& watch) {
  torch::InferenceMode inference;
  const ModelConfig& c = p.model().config;
  std::int64_t longest = 1;
  for (const auto& t : texts) longest = std::max(longest, std::ssize(t));
  std::vector<LayerSums> sums;
  for (std::int64_t i = 0; i < c.layers; ++i) sums.emplace_back(c.heads, longest);
  for (std::size_t n = 0; n < texts.size(); ++n) {
    report(watch, static_cast<std::int64_t>(n), "texts looked into");
    const Tensor ids = torch::tensor(std::vector<std::int64_t>(texts[n].begin(), texts[n].end())).unsqueeze(0).to(p.model().device());
    std::vector<Tensor> teacher(sums.size());
    ForwardOptions before = p.options(Component::teacher);
    before.attend = [&](std::size_t layer, const Heads& h, const AttentionCall& call) {
      sums[layer].teacher.read(h, call, p.window);
      return teacher[layer] = hybrid_attention(h.q, h.k, h.v, call);
    };
    p.teacher().hidden(ids, &p.work.conversion, before);
    ForwardOptions after = p.options(Component::hybrid);
    after.attend = [&](std::size_t layer, const Heads& h, const AttentionCall& call) {
      report(watch, static_cast<std::int64_t>(n), "texts looked into");
      look(p, sums[layer], h, call, teacher[layer]);
      return hybrid_attention(h.q, h.k, h.v, call);
    };
    p.model().hidden(ids, &p.work.conversion, after);
  }
  std::vector<HeadReport> layers, heads;
  for (std::int64_t i = 0; i < c.layers; ++i) {
    std::vector<HeadReport> own;
    for (std::int64_t h = 0; h < c.heads; ++h) own.push_back(head_report(sums[static_cast<std::size_t>(i)], i, h, p.window));
    layers.push_back(layer_report(own));
    heads.insert(heads.end(), own.begin(), own.end());
  }
  layers.insert(layers.end(), heads.begin(), heads.end());
  return layers;
}

}  // namespace engine
