#include <algorithm>

#include "engine/diagnose/session.h"
#include "engine/inspect_tokens.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr double k_least = 1e-12;  ///< as the weights objective takes the logarithm

/// Sums of one map's cells and rows, filled tile by tile.
class MapSum {
 public:
  MapSum(std::int64_t tokens, const AttentionMaps& shown)
      : first_(shown.first), count_(shown.last - shown.first), cells_(torch::zeros({shown.rows, shown.rows}, torch::kFloat64)),
        entropy_(torch::zeros({tokens}, torch::kFloat64)), divergence_(torch::zeros({tokens}, torch::kFloat64)) {
    cell_ = (torch::arange(count_, torch::kInt64) * shown.rows).div(count_, "floor");
    rows_in_cell_ = torch::zeros({shown.rows}, torch::kFloat64).index_add_(0, cell_, torch::ones({count_}, torch::kFloat64));
  }

  /// w, teacher [T,keys] float64 of the keys from `key` on.
  void add(std::int64_t key, const Tensor& w, const Tensor& teacher) {
    entropy_ -= at::xlogy(w, w.clamp_min(k_least)).sum(1);
    divergence_ += (at::xlogy(teacher, teacher) - teacher * w.clamp_min(k_least).log()).sum(1);
    const std::int64_t from = std::max(key, first_), to = std::min(key + w.size(1), first_ + count_);
    if (from >= to) return;
    const Tensor seen = w.narrow(0, first_, count_).narrow(1, from - key, to - from);
    const Tensor by_row = torch::zeros({cells_.size(0), to - from}, torch::kFloat64).index_add_(0, cell_, seen);
    cells_.index_add_(1, cell_.narrow(0, from - first_, to - from), by_row);
  }

  MapView view(const std::string& name, bool against_teacher) const {
    MapView v;
    v.name = name;
    const Tensor mean = (cells_ / rows_in_cell_.unsqueeze(1)).to(torch::kFloat32).contiguous();
    v.cells.assign(mean.data_ptr<float>(), mean.data_ptr<float>() + mean.numel());
    const Tensor entropy = entropy_.contiguous(), divergence = divergence_.clamp_min(0).contiguous();
    v.entropy.assign(entropy.data_ptr<double>(), entropy.data_ptr<double>() + entropy.numel());
    v.mean_entropy = entropy.mean().item<double>();
    if (!against_teacher) return v;
    v.divergence.assign(divergence.data_ptr<double>(), divergence.data_ptr<double>() + divergence.numel());
    v.mean_divergence = divergence.mean().item<double>();
    return v;
  }

 private:
  std::int64_t first_, count_;
  Tensor cells_, entropy_, divergence_, cell_, rows_in_cell_;
};

/// Heads and call of one layer in a forward pass that ends there.
struct LayerCall {
  Heads heads;
  AttentionCall call;
};

LayerCall capture(const Model& model, const Patient& p, Component component, const Tensor& ids, std::int64_t layer) {
  LayerCall found;
  ForwardOptions o = p.options(component);
  o.attend = [&](std::size_t at, const Heads& h, const AttentionCall& call) {
    if (static_cast<std::int64_t>(at) == layer) found = {h, call};
    return hybrid_attention(h.q, h.k, h.v, call);
  };
  o.keep = torch::zeros({1}, ids.options());
  model.hidden(ids, &p.work.conversion, o);
  return found;
}

}  // namespace

AttentionMaps measure_maps(const Patient& p, const std::vector<std::int32_t>& ids, const MapQuery& query, const Watch& watch) {
  torch::InferenceMode inference;
  const ModelConfig& c = p.model().config;
  auto inside = [](std::int64_t v, std::int64_t n, const char* what) {
    if (v < 0 || v >= n) throw InputError("attention map: " + std::string(what) + " " + std::to_string(v) + "; the model has 0 to " + std::to_string(n - 1));
  };
  inside(query.layer, c.layers, "layer");
  inside(query.head, c.heads, "head");
  if (ids.empty()) throw InputError("attention map: the prompt has no token");
  AttentionMaps maps;
  maps.layer = query.layer, maps.head = query.head;
  maps.tokens = std::ssize(ids);
  maps.last = query.last > 0 ? std::min(query.last, maps.tokens) : maps.tokens;
  maps.first = std::clamp<std::int64_t>(query.first, 0, maps.last - 1);
  maps.rows = std::min(maps.last - maps.first, std::clamp<std::int64_t>(query.cells, 1, 1024));
  for (const auto& piece : token_pieces(p.work.tokenizer, ids)) maps.pieces.push_back(piece.bytes);

  const Tensor input = torch::tensor(std::vector<std::int64_t>(ids.begin(), ids.end())).unsqueeze(0).to(p.model().device());
  const LayerCall teacher = capture(p.teacher(), p, Component::teacher, input, query.layer);
  const LayerCall hybrid = capture(p.model(), p, Component::hybrid, input, query.layer);
  AttentionCall linear = hybrid.call;
  linear.component = Component::linear;
  MapSum teacher_sum(maps.tokens, maps), linear_sum(maps.tokens, maps), hybrid_sum(maps.tokens, maps);
  auto head = [&](const Tensor& tile) { return tile.select(0, query.head).to(torch::kCPU, torch::kFloat64); };
  const WeightTiles teacher_tiles(teacher.heads, teacher.call), linear_tiles(hybrid.heads, linear), hybrid_tiles(hybrid.heads, hybrid.call);
  for (std::int64_t key = 0; key < maps.tokens; key += teacher_tiles.width()) {
    report(watch, key, "keys of the map");
    const Tensor a = head(teacher_tiles.tile(key));
    teacher_sum.add(key, a, a);
    if (!p.has_mass()) continue;
    linear_sum.add(key, head(linear_tiles.tile(key)), a);
    hybrid_sum.add(key, head(hybrid_tiles.tile(key)), a);
  }
  maps.views = {teacher_sum.view("teacher", false)};
  if (p.has_mass()) maps.views.push_back(linear_sum.view("linear", true)), maps.views.push_back(hybrid_sum.view("hybrid", true));
  return maps;
}

}  // namespace engine
