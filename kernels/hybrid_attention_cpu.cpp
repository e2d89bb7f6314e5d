// The sequence goes by in tiles of k_tile queries. The linear branch is causal attention over keys
// delayed by least_age: the tile's own delayed keys pair by pair, all earlier ones through the
// state S[P,D] = Σ φ(k)⊗v that is carried along. The window branch is softmax over the blocks of
// keys that a tile's queries can see.

#include <cmath>
#include <vector>

#include "kernels/hybrid_attention_items.h"
#include "kernels/hybrid_attention_plan.h"
#include "kernels/parallel.h"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hybrid_attention_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/hybrid_attention_steps-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

/// Scratch memory and steps of the forward pass, for one thread.
class Forward {
 public:
  Forward(const HybridAttention& call, const HybridAttentionOut& out, const Plan& p)
      : call_(call),
        out_(out),
        p_(p),
        width_(static_cast<int>(padded(p.dim))),
        features_(p.linear ? static_cast<int>(p.features) : 0),
        blocks_(p, false),
        query_(p.dim * k_tile),
        map_rows_(call.linear_q ? p.map_dim * k_tile : 0),
        query_features_(features_ * k_tile),
        key_features_(features_ * k_tile),
        near_(k_tile * k_tile),
        state_(features_, width_),
        scores_(k_group * k_panel),
        window_(k_tile * width_),
        linear_(k_tile * width_) {}

  void run(const Item& item, ItemSums& sums);

 private:
  void start(const Item& item, ItemSums& sums);
  void window_panel(Index tile, int lane);
  void exponentials(int lane, int keys, bool fresh);
  void delayed_keys(Index tile);
  void linear_tile(Index tile);
  void mix(Index tile);
  void store(Index tile);

  const HybridAttention& call_;
  const HybridAttentionOut& out_;
  const Plan& p_;
  int width_, features_;
  KeyBlocks blocks_;
  Scratch query_;           ///< [D, k_tile]
  Scratch map_rows_;        ///< [E, k_tile] linear_q or linear_k
  Scratch query_features_;  ///< [P, k_tile]
  Scratch key_features_;    ///< [P, k_tile], of the delayed keys
  Scratch near_;            ///< [keys, k_tile] φφ of pairs within the tile
  State state_;
  Scratch scores_;  ///< [keys, k_panel]
  Scratch window_;  ///< [k_tile, width] Σ e v
  Scratch linear_;  ///< [k_tile, width] Σ φφ v
  HWY_ALIGN float most_[k_tile], e_sum_[k_tile], a_sum_[k_tile], rescale_[k_panel];
  HWY_ALIGN float window_factor_[k_tile], linear_factor_[k_tile];
  Rows q_, linear_q_, linear_k_;
  HeadMap query_map_, key_map_;
  KeyBlock delayed_;
  Item item_{};
  ItemSums* sums_ = nullptr;
  RowWeights g_;
};

void Forward::start(const Item& item, ItemSums& sums) {
  item_ = item;
  sums_ = &sums;
  const Index group = item.head / (p_.heads / p_.groups);
  q_ = rows_of(call_.q, item.batch, item.head);
  blocks_.set_head(rows_of(call_.k, item.batch, group), rows_of(call_.v, item.batch, group),
                   p_.linear ? -p_.least_age % k_tile : 0);
  g_ = row_weights(call_, p_, item.batch, item.head);
  if (!p_.linear) return;
  linear_q_ = rows_of(call_.linear_q, item.batch, item.head);
  linear_k_ = rows_of(call_.linear_k, item.batch, item.head / (p_.heads / p_.map_groups));
  query_map_ = head_map(call_.query_map, p_, item.head);
  key_map_ = head_map(call_.key_map, p_, item.head);
  if (item.state_before)
    state_.set(item.state_before);
  else
    state_.clear();
}

void Forward::run(const Item& item, ItemSums& sums) {
  start(item, sums);
  for (Index n = item.first_tile; n < item.last_tile; ++n) {
    const Index tile = n * k_tile;
    const bool linear = p_.linear && tile + k_tile > p_.least_age;
    if (linear) delayed_keys(tile);
    if (item.state_only) {
      if (linear) state_.add(key_features_.at(), delayed_.values, nullptr);
      continue;
    }
    load_transposed(q_, tile, query_.at());
    if (p_.softmax)
      for (int lane = 0; lane < k_tile && tile + lane < p_.length; lane += k_panel)
        window_panel(tile, lane);
    if (linear) linear_tile(tile);
    mix(tile);
    store(tile);
    if (linear && n + 1 < item.last_tile) state_.add(key_features_.at(), delayed_.values, nullptr);
  }
  if (item.state_only) std::copy_n(state_.sums(), state_.floats(), item.state_only);
}

/// Softmax sums of the queries tile + lane … + k_panel, group by group under a running maximum.
void Forward::window_panel(Index tile, int lane) {
  for (int t = lane; t < lane + k_panel; ++t) {
    most_[t] = k_no_score;
    e_sum_[t] = 0;
  }
  const Index first = tile + lane, last = std::min<Index>(first + k_panel, p_.length) - 1;
  bool fresh = true;
  each_group(p_, first, last, [&](const Group& g) HWY_ATTR {
    masked_scores(blocks_, g, p_, query_.at() + lane, scores_.at());
    exponentials(lane, static_cast<int>(g.end - g.begin), fresh);
    each_block(blocks_, g, [&](const KeyBlock& block, Index key, Index place, int keys) HWY_ATTR {
      product<true>(k_panel, width_, keys, {scores_.at() + (key - g.begin) * k_panel, k_panel},
                    {block.values + place * width_, width_},
                    {window_.at() + lane * width_, width_, !fresh}, keys_of_queries(g, key));
      fresh = false;
    });
  });
}

/// e^{score − m} in place, m the maximum so far; rescales what was summed before.
void Forward::exponentials(int lane, int keys, bool fresh) {
  for (int n = 0; n < k_panel; n += k_lanes) {
    const Vector before = hn::Load(k_floats, most_ + lane + n);
    Vector most = before;
    float* at = scores_.at() + n;
    for (int j = 0; j < keys; ++j) most = hn::Max(most, hn::Load(k_floats, at + j * k_panel));
    const Vector rescale = exp_of(hn::Sub(before, most));
    Vector sum = hn::Mul(hn::Load(k_floats, e_sum_ + lane + n), rescale);
    for (int j = 0; j < keys; ++j) {
      const Vector e = exp_of(hn::Sub(hn::Load(k_floats, at + j * k_panel), most));
      hn::Store(e, k_floats, at + j * k_panel);
      sum = hn::Add(sum, e);
    }
    hn::Store(most, k_floats, most_ + lane + n);
    hn::Store(sum, k_floats, e_sum_ + lane + n);
    hn::Store(rescale, k_floats, rescale_ + n);
  }
  if (fresh) return;
  for (int t = 0; t < k_panel; ++t) {
    const Vector factor = hn::Set(k_floats, rescale_[t]);
    float* row = window_.at() + (lane + t) * width_;
    for (int d = 0; d < width_; d += k_lanes)
      hn::Store(hn::Mul(hn::Load(k_floats, row + d), factor), k_floats, row + d);
  }
}

/// Features and values of the keys that the tile's linear branch sees pair by pair.
void Forward::delayed_keys(Index tile) {
  delayed_ = blocks_.at(tile - p_.least_age);
  const float* keys = linear_k_ ? map_rows_.at() : delayed_.keys;
  if (linear_k_) load_transposed(linear_k_, tile - p_.least_age, map_rows_.at());
  feature_tile(key_map_, keys, delayed_lanes(p_, tile), key_features_.at(), sums_->clamped_exps);
}

void Forward::linear_tile(Index tile) {
  const Lanes lanes = linear_lanes(p_, tile);
  delayed_ = blocks_.at(tile - p_.least_age);  // the window's blocks may have taken its place
  const float* queries = linear_q_ ? map_rows_.at() : query_.at();
  if (linear_q_) load_transposed(linear_q_, tile, map_rows_.at());
  feature_tile(query_map_, queries, lanes, query_features_.at(), sums_->clamped_exps);
  near_pairs(key_features_.at(), query_features_.at(), features_, lanes.end, near_.at());
  denominators(state_, query_features_.at(), features_, near_.at(), lanes.end, a_sum_);
  const int rows = (lanes.end + 7) / 8 * 8;
  if (!state_.empty())
    product<true>(rows, width_, features_, {query_features_.at(), k_tile}, {state_.sums(), width_},
                  {linear_.at(), width_, false});
  product<true>(rows, width_, rows, {near_.at(), k_tile}, {delayed_.values, width_},
                {linear_.at(), width_, !state_.empty()}, {-k_tile, 0});
}

/// The factors of Σ e v and Σ φφ v in y.
void Forward::mix(Index tile) {
  const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile));
  for (int t = 0; t < lanes; ++t) {
    const bool linear = p_.has_linear(tile + t);
    const RowFactors f = row_factors(p_.form, g_.at(tile + t), linear,
                                     {p_.softmax ? e_sum_[t] : 1, linear ? a_sum_[t] : 0, 0, 0});
    window_factor_[t] = f.window;
    linear_factor_[t] = f.linear;
    sums_->clamped_denominators += f.clamped;
  }
}

/// y = window_factor·Σ e v + linear_factor·Σ φφ v, and the norms of both terms.
void Forward::store(Index tile) {
  const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile));
  const OutRows y = rows_of(out_.y, item_.batch, item_.head);
  for (int t = 0; t < lanes; ++t) {
    const bool linear = p_.has_linear(tile + t);
    const Vector a = hn::Set(k_floats, window_factor_[t]), b = hn::Set(k_floats, linear_factor_[t]);
    float *window = window_.at() + t * width_, *far = linear_.at() + t * width_;
    Vector window_norm = hn::Zero(k_floats), linear_norm = window_norm;
    for (int d = 0; d < width_; d += k_lanes) {
      const Vector x = p_.softmax ? hn::Mul(a, hn::Load(k_floats, window + d)) : hn::Zero(k_floats);
      const Vector z = linear ? hn::Mul(b, hn::Load(k_floats, far + d)) : hn::Zero(k_floats);
      window_norm = hn::MulAdd(x, x, window_norm);
      linear_norm = hn::MulAdd(z, z, linear_norm);
      hn::Store(hn::Add(x, z), k_floats, window + d);
    }
    write_row(y, tile + t, window);
    if (!out_.window_norms || !p_.norms) continue;
    const View& counted = call_.counted;
    if (counted &&
        !static_cast<const std::uint8_t*>(
            counted.data)[item_.batch * counted.strides[0] + (tile + t) * counted.strides[1]])
      continue;
    sums_->window_norm += hn::GetLane(hn::SumOfLanes(k_floats, window_norm));
    sums_->linear_norm += hn::GetLane(hn::SumOfLanes(k_floats, linear_norm));
  }
}

bool run_items(const HybridAttention& call, const HybridAttentionOut& out, const Plan& p,
               const std::vector<Item>& items, std::vector<ItemSums>& sums) {
  sums.assign(items.size(), {});
  return parallel(useful_threads(p, call.threads), static_cast<Index>(items.size()),
                  [&](const NextItem& next) {
                    Forward forward(call, out, p);
                    for (Index i = next(); i >= 0; i = next()) forward.run(items[i], sums[i]);
                  });
}

/// Into how many pieces of time each head is cut, so that few heads keep many threads busy. A cut
/// linear branch computes the states between the pieces first, at about a third of the whole.
Index piece_count(const Plan& p, int threads, Index tiles) {
  Index best = 1;
  double least = INFINITY;
  for (Index n = 1; n <= std::max<Index>(1, std::min<Index>(tiles / 8, 2 * threads)); ++n) {
    const Index rounds = (p.batch * p.heads * n + threads - 1) / threads;
    const double time =
        (n > 1 && p.linear ? 1.35 : 1.0) * static_cast<double>(rounds) / static_cast<double>(n);
    if (time < least) {
      least = time;
      best = n;
    }
  }
  return best;
}

/// Every head's tiles in `pieces`, and the sums of what they add.
bool run_forward(const HybridAttention& call, const HybridAttentionOut& out, const Plan& p,
                 std::vector<Item>& items, std::vector<ItemSums>& sums) {
  const Index tiles = (p.length + k_tile - 1) / k_tile,
              pieces = piece_count(p, useful_threads(p, call.threads), tiles);
  for (Index b = 0; b < p.batch; ++b)
    for (Index h = 0; h < p.heads; ++h)
      for (Index n = 0; n < pieces; ++n)
        items.push_back({b, h, tiles * n / pieces, tiles * (n + 1) / pieces, nullptr, nullptr});
  if (pieces == 1 || !p.linear) return run_items(call, out, p, items, sums);
  const Index size = p.features * (padded(p.dim) + 1), count = static_cast<Index>(items.size());
  const Scratch states(count * size);
  std::vector<Item> ahead;
  for (Index i = 0; i < count; ++i) {
    if ((i + 1) % pieces == 0) continue;
    ahead.push_back(items[i]);
    ahead.back().state_only = states.at() + i * size;
  }
  if (!run_items(call, out, p, ahead, sums)) return false;
  for (Index i = 0; i < count; ++i) {
    if (i % pieces == 0) continue;
    const float* before = states.at() + (i - 1) * size;
    items[i].state_before = before;
    if ((i + 1) % pieces == 0) continue;
    for (Index x = 0; x < size; ++x) states.at()[i * size + x] += before[x];
  }
  return run_items(call, out, p, items, sums);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kernels {
namespace {

HWY_EXPORT(run_forward);

}  // namespace

Status hybrid_attention_cpu(const HybridAttention& call, HybridAttentionOut& out) {
  if (Status status = check(call, out); !status.ok()) return status;
  if (Status status = taken_by("hybrid_attention_cpu", call); !status.ok()) return status;
  const Plan p = plan(call);
  try {
    std::vector<Item> items;
    std::vector<ItemSums> sums;
    if (!HWY_DYNAMIC_DISPATCH(run_forward)(call, out, p, items, sums)) throw std::bad_alloc();
    out.clamped_denominators = out.clamped_exps = 0;
    if (out.window_norms) {
      std::fill_n(out.window_norms, p.heads, 0.0);
      std::fill_n(out.linear_norms, p.heads, 0.0);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      out.clamped_denominators += sums[i].clamped_denominators;
      out.clamped_exps += sums[i].clamped_exps;
      if (!out.window_norms) continue;
      out.window_norms[items[i].head] += sums[i].window_norm;
      out.linear_norms[items[i].head] += sums[i].linear_norm;
    }
  } catch (const std::bad_alloc&) {
    return {StatusCode::out_of_memory, "hybrid_attention_cpu: no memory for scratch tiles"};
  }
  return {};
}

}  // namespace kernels
#endif
