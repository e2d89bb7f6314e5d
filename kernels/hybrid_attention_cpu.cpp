// The sequence goes by in tiles of k_tile queries. The linear branch is causal attention over keys
// delayed by least_age: the tile's own delayed keys pair by pair, all earlier ones through the
// state S[P,D] = Σ φ(k)⊗v that is carried along. The window branch is softmax over the blocks of
// keys that a tile's queries can see.

#include <cmath>
#include <vector>

#include "kernels/hybrid_attention_plan.h"
#include "kernels/parallel.h"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hybrid_attention_cpu.cpp"
#include "hwy/foreach_target.h"

#include "kernels/hybrid_attention_tiles-inl.h"

#ifndef EQUIPOISE_KERNELS_FORWARD_SUMS
#define EQUIPOISE_KERNELS_FORWARD_SUMS
namespace kernels {

/// What one item of work adds to the call's totals.
struct ItemSums {
  double window_norm = 0, linear_norm = 0;
  std::int64_t clamped_denominators = 0, clamped_exps = 0;
};

/// Tiles [first_tile, last_tile) of one head.
struct Item {
  std::int64_t batch, head, first_tile, last_tile;
  const float* state_before;  ///< [P,width] and [P]; null: zeros
  float* state_only;          ///< where not null only the tiles' own state is computed, into this
};

}  // namespace kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

constexpr int k_group = 256;          ///< keys whose scores are held at once
constexpr float k_unseen = -1e30f;    ///< score of a pair outside the window
constexpr float k_no_score = -1e29f;  ///< maximum of no score: e^{k_unseen − k_no_score} = 0
constexpr Index k_slot_floats = 1 << 18;

int slot_count(const Plan& p) {
  const Index wanted = p.window / k_tile + 2;
  const Index affordable = k_slot_floats / ((p.dim + padded(p.dim)) * k_tile);
  return static_cast<int>(std::max<Index>(2, std::min(wanted, affordable)));
}

/// Ages t − i of the pairs that a softmax sees.
struct Ages {
  Index first, last;
};

int clipped(Index x) { return static_cast<int>(std::clamp<Index>(x, -(1 << 28), 1 << 28)); }

/// Scratch memory and steps of the forward pass, for one thread.
class Forward {
 public:
  Forward(const HybridAttention& call, const HybridAttentionOut& out, const Plan& p)
      : call_(call),
        out_(out),
        p_(p),
        dim_(static_cast<int>(p.dim)),
        width_(static_cast<int>(padded(p.dim))),
        features_(p.linear ? static_cast<int>(p.features) : 0),
        blocks_(p, slot_count(p)),
        query_(p.dim * k_tile),
        query_features_(features_ * k_tile),
        key_features_(features_ * k_tile),
        near_(k_tile * k_tile),
        state_(features_ * (width_ + 1)),
        scores_(k_group * k_panel),
        window_(k_tile * width_),
        linear_(k_tile * width_) {}

  void run(const Item& item, ItemSums& sums);

 private:
  void start(const Item& item, ItemSums& sums);
  void window_panel(Index tile, int lane);
  void softmax_keys(Index tile, int lane, Index begin, Index end, Ages ages, bool& fresh);
  void score_group(Index tile, int lane, Index begin, Index end, Ages ages, bool fresh);
  void delayed_keys(Index tile);
  void linear_tile(Index tile);
  void near_pairs(int lanes);
  void denominators(int lanes);
  void add_to_state();
  void mix(Index tile);
  void store(Index tile);

  const HybridAttention& call_;
  const HybridAttentionOut& out_;
  const Plan& p_;
  int dim_, width_, features_;
  KeyBlocks blocks_;
  Scratch query_;           ///< [D, k_tile]
  Scratch query_features_;  ///< [P, k_tile]
  Scratch key_features_;    ///< [P, k_tile], of the delayed keys
  Scratch near_;            ///< [keys, k_tile] φφ of pairs within the tile
  Scratch state_;           ///< [P, width] Σ φ(k)⊗v, then [P] Σ φ(k)
  Scratch scores_;          ///< [keys, k_panel]
  Scratch window_;          ///< [k_tile, width] Σ e v
  Scratch linear_;          ///< [k_tile, width] Σ φφ v
  HWY_ALIGN float most_[k_tile], e_sum_[k_tile], a_sum_[k_tile], rescale_[k_panel];
  HWY_ALIGN float window_factor_[k_tile], linear_factor_[k_tile];
  Rows q_;
  HeadMap query_map_, key_map_;
  KeyBlock delayed_;
  Item item_{};
  ItemSums* sums_ = nullptr;
  double g_ = 1;
  bool state_empty_ = true;
};

void Forward::start(const Item& item, ItemSums& sums) {
  item_ = item;
  sums_ = &sums;
  const Index group = item.head / (p_.heads / p_.groups);
  q_ = rows_of(call_.q, item.batch, item.head);
  blocks_.set_head(rows_of(call_.k, item.batch, group), rows_of(call_.v, item.batch, group),
                   p_.linear ? -p_.least_age % k_tile : 0);
  if (p_.mixed()) g_ = mixing_weight(call_, item.head);
  if (!p_.linear) return;
  query_map_ = head_map(call_.query_map, p_, item.head);
  key_map_ = head_map(call_.key_map, p_, item.head);
  const Index count = features_ * (width_ + 1);
  state_empty_ = !item.state_before;
  if (item.state_before)
    std::copy_n(item.state_before, count, state_.at());
  else
    std::fill_n(state_.at(), count, 0.0f);
}

void Forward::run(const Item& item, ItemSums& sums) {
  start(item, sums);
  for (Index n = item.first_tile; n < item.last_tile; ++n) {
    const Index tile = n * k_tile;
    const bool linear = p_.linear && tile + k_tile > p_.least_age;
    if (linear) delayed_keys(tile);
    if (item.state_only) {
      if (linear) add_to_state();
      continue;
    }
    load_transposed(q_, tile, query_.at());
    if (p_.softmax)
      for (int lane = 0; lane < k_tile && tile + lane < p_.length; lane += k_panel)
        window_panel(tile, lane);
    if (linear) linear_tile(tile);
    mix(tile);
    store(tile);
    if (linear && n + 1 < item.last_tile) add_to_state();
  }
  if (item.state_only) std::copy_n(state_.at(), features_ * (width_ + 1), item.state_only);
}

/// Softmax sums of the queries tile + lane … + k_panel.
void Forward::window_panel(Index tile, int lane) {
  const Index first = tile + lane, last = std::min<Index>(first + k_panel, p_.length) - 1;
  for (int t = lane; t < lane + k_panel; ++t) {
    most_[t] = k_no_score;
    e_sum_[t] = 0;
  }
  bool fresh = true;
  if (p_.window > 0)
    softmax_keys(tile, lane, std::max<Index>(0, first - p_.window + 1), last + 1,
                 {0, p_.window - 1}, fresh);
  if (p_.sinks > 0)
    softmax_keys(tile, lane, 0, std::min(p_.sinks, last - p_.window + 1), {p_.window, p_.length},
                 fresh);
}

/// Adds keys [begin, end) to a panel's sums, group by group, under a running maximum.
void Forward::softmax_keys(Index tile, int lane, Index begin, Index end, Ages ages, bool& fresh) {
  const Index query = tile + lane;
  for (Index from = begin; from < end; from += k_group) {
    const Index to = std::min<Index>(from + k_group, end);
    score_group(tile, lane, from, to, ages, fresh);
    for (Index i = from; i < to;) {
      const Index start = blocks_.start_of(i), stop = std::min(to, start + k_tile);
      const KeyBlock block = blocks_.at(start);
      product<true>(k_panel, width_, static_cast<int>(stop - i),
                    {scores_.at() + (i - from) * k_panel, k_panel},
                    {block.values + (i - start) * width_, width_},
                    {window_.at() + lane * width_, width_, !fresh},
                    {clipped(query - ages.last - i), clipped(query - ages.first - i)});
      fresh = false;
      i = stop;
    }
  }
}

/// e^{score − m} of the keys [begin, end), m the maximum so far; rescales what was summed before.
void Forward::score_group(Index tile, int lane, Index begin, Index end, Ages ages, bool fresh) {
  for (Index i = begin; i < end;) {
    const Index start = blocks_.start_of(i), stop = std::min(end, start + k_tile);
    const KeyBlock block = blocks_.at(start);
    product<true>(static_cast<int>(stop - i), k_panel, dim_, {block.keys + (i - start), k_tile},
                  {query_.at() + lane, k_tile},
                  {scores_.at() + (i - begin) * k_panel, k_panel, false});
    i = stop;
  }
  const Index query = tile + lane;
  const int keys = static_cast<int>(end - begin);
  const Vector scale = hn::Set(k_floats, static_cast<float>(p_.scale));
  for (int n = 0; n < k_panel; n += k_lanes) {
    Vector most = hn::Load(k_floats, most_ + lane + n);
    const Vector before = most;
    float* at = scores_.at() + n;
    for (int j = 0; j < keys; ++j) {
      Vector s = hn::Mul(hn::Load(k_floats, at + j * k_panel), scale);
      const Index age = query + n - (begin + j);  // of the first lane
      if (age < ages.first || age + k_lanes - 1 > ages.last) {
        const Vector ages_of = hn::Iota(k_floats, static_cast<float>(clipped(age)));
        const auto seen =
            hn::And(hn::Ge(ages_of, hn::Set(k_floats, static_cast<float>(ages.first))),
                    hn::Le(ages_of, hn::Set(k_floats, static_cast<float>(ages.last))));
        s = hn::IfThenElse(seen, s, hn::Set(k_floats, k_unseen));
      }
      hn::Store(s, k_floats, at + j * k_panel);
      most = hn::Max(most, s);
    }
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
  const Index start = tile - p_.least_age;
  delayed_ = blocks_.at(start);
  const Lanes lanes{static_cast<int>(std::max<Index>(0, -start)),
                    static_cast<int>(std::min<Index>(k_tile, p_.length - p_.least_age - start))};
  feature_tile(key_map_, delayed_.keys, lanes, key_features_.at(), sums_->clamped_exps);
}

void Forward::linear_tile(Index tile) {
  const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile));
  const int first = static_cast<int>(std::max<Index>(0, p_.least_age - tile));
  feature_tile(query_map_, query_.at(), {first, lanes}, query_features_.at(), sums_->clamped_exps);
  near_pairs(lanes);
  denominators(lanes);
  const int rows = (lanes + 7) / 8 * 8;
  if (!state_empty_)
    product<true>(rows, width_, features_, {query_features_.at(), k_tile}, {state_.at(), width_},
                  {linear_.at(), width_, false});
  product<true>(rows, width_, rows, {near_.at(), k_tile}, {delayed_.values, width_},
                {linear_.at(), width_, !state_empty_}, {-k_tile, 0});
}

/// near[j, t] = φ(q_t)·φ(k_j) for j ≤ t, 0 above the diagonal (to the next multiple of 8).
void Forward::near_pairs(int lanes) {
  for (int lane = 0; lane < lanes; lane += k_panel) {
    const int keys = std::min((lane + k_panel + 7) / 8 * 8, k_tile);
    product<true>(keys, k_panel, features_, {key_features_.at(), k_tile},
                  {query_features_.at() + lane, k_tile}, {near_.at() + lane, k_tile, false});
    for (int j = lane; j < keys; ++j) {
      for (int n = lane; n < lane + k_panel; n += k_lanes) {
        float* at = near_.at() + j * k_tile + n;
        const auto past = hn::Ge(hn::Iota(k_floats, static_cast<float>(n - j)), hn::Zero(k_floats));
        hn::Store(hn::IfThenElseZero(past, hn::Load(k_floats, at)), k_floats, at);
      }
    }
  }
}

void Forward::denominators(int lanes) {
  const float* totals = state_.at() + features_ * width_;
  for (int t = 0; t < lanes; t += k_lanes) {
    Vector sum = hn::Zero(k_floats);
    for (int j = 0; j < std::min(t + k_lanes, k_tile); ++j)
      sum = hn::Add(sum, hn::Load(k_floats, near_.at() + j * k_tile + t));
    if (!state_empty_) {
      for (int f = 0; f < features_; ++f)
        sum = hn::MulAdd(hn::Load(k_floats, query_features_.at() + f * k_tile + t),
                         hn::Set(k_floats, totals[f]), sum);
    }
    hn::Store(sum, k_floats, a_sum_ + t);
  }
}

void Forward::add_to_state() {
  product<false>(features_, width_, k_tile, {key_features_.at(), k_tile}, {delayed_.values, width_},
                 {state_.at(), width_, !state_empty_});
  float* totals = state_.at() + features_ * width_;
  for (int f = 0; f < features_; ++f) {
    Vector sum = hn::Load(k_floats, key_features_.at() + f * k_tile);
    for (int t = k_lanes; t < k_tile; t += k_lanes)
      sum = hn::Add(sum, hn::Load(k_floats, key_features_.at() + f * k_tile + t));
    totals[f] += hn::GetLane(hn::SumOfLanes(k_floats, sum));
  }
  state_empty_ = false;
}

/// The factors of Σ e v and Σ φφ v in y.
void Forward::mix(Index tile) {
  const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile));
  const auto g = static_cast<float>(g_), least = static_cast<float>(p_.least_denominator);
  for (int t = 0; t < lanes; ++t) {
    const bool linear = p_.has_linear(tile + t);
    if (p_.mixed() && call_.mixing == Mixing::shared_denominator) {
      const float total = g * e_sum_[t] + (linear ? a_sum_[t] : 0);
      window_factor_[t] = g / total;
      linear_factor_[t] = linear ? 1 / total : 0;
      continue;
    }
    const float weight = !p_.softmax ? 0 : linear ? g : 1;
    window_factor_[t] = p_.softmax ? weight / e_sum_[t] : 0;
    linear_factor_[t] = 0;
    if (!linear) continue;
    float denominator = a_sum_[t];
    if (std::abs(denominator) < least) {
      denominator = denominator < 0 ? -least : least;
      ++sums_->clamped_denominators;
    }
    linear_factor_[t] = (1 - weight) / denominator;
  }
}

/// y = window_factor·Σ e v + linear_factor·Σ φφ v, and the norms of both terms.
void Forward::store(Index tile) {
  const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile));
  auto* y = static_cast<float*>(out_.y.data) + item_.batch * out_.y.strides[0] +
            item_.head * out_.y.strides[1];
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
    float* to = y + (tile + t) * out_.y.strides[2];
    if (out_.y.strides[3] == 1)
      std::copy_n(window, dim_, to);
    else
      for (int d = 0; d < dim_; ++d) to[d * out_.y.strides[3]] = window[d];
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

Index state_floats(const Plan& p) { return p.features * (padded(p.dim) + 1); }

bool run_items(const HybridAttention& call, const HybridAttentionOut& out, const Plan& p,
               const std::vector<Item>& items, std::vector<ItemSums>& sums) {
  return parallel(call.threads, static_cast<Index>(items.size()), [&](const NextItem& next) {
    Forward forward(call, out, p);
    for (Index i = next(); i >= 0; i = next()) forward.run(items[i], sums[i]);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kernels {
namespace {

HWY_EXPORT(run_items);
HWY_EXPORT(state_floats);

}  // namespace

Status hybrid_attention_cpu(const HybridAttention& call, HybridAttentionOut& out) {
  if (Status status = check(call, out); !status.ok()) return status;
  if (call.component == Component::softmax || call.q.dtype != DType::f32)
    return {StatusCode::unsupported,
            "hybrid_attention_cpu: component softmax and f64 are not taken"};
  const Plan p = plan(call);
  if (p.dim > 256 || p.columns > 256)
    return {StatusCode::unsupported, "hybrid_attention_cpu: D and F must be 256 or less"};
  const std::int64_t tiles = (p.length + 63) / 64;
  try {
    std::vector<Item> items;
    for (std::int64_t b = 0; b < p.batch; ++b)
      for (std::int64_t h = 0; h < p.heads; ++h)
        items.push_back({b, h, 0, tiles, nullptr, nullptr});
    std::vector<ItemSums> sums(items.size());
    if (!HWY_DYNAMIC_DISPATCH(run_items)(call, out, p, items, sums)) throw std::bad_alloc();
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
