// Steps that the forward and the backward pass share (Highway; included once per target).

#if defined(EQUIPOISE_KERNELS_HYBRID_ATTENTION_STEPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EQUIPOISE_KERNELS_HYBRID_ATTENTION_STEPS_INL_H_
#undef EQUIPOISE_KERNELS_HYBRID_ATTENTION_STEPS_INL_H_
#else
#define EQUIPOISE_KERNELS_HYBRID_ATTENTION_STEPS_INL_H_
#endif

#include "kernels/feature_map-inl.h"
#include "kernels/hybrid_attention_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

constexpr int k_group = 256;          ///< keys whose scores are held at once
constexpr float k_unseen = -1e30f;    ///< score of a pair outside the window
constexpr float k_no_score = -1e29f;  ///< maximum of no score: e^{k_unseen − k_no_score} = 0

/// Ages t − i of the pairs that a softmax sees.
struct Ages {
  Index first, last;
};

/// Keys [begin, end), at most k_group of them, for the k_panel queries from `query` on.
struct Group {
  Index query, begin, end;
  Ages ages;
};

HWY_INLINE int clipped(Index x) {
  return static_cast<int>(std::clamp<Index>(x, -(1 << 28), 1 << 28));
}

/// Calls add({query, begin, end, ages}) for every group of keys that the queries [query, last] see.
template <class Add>
HWY_INLINE void each_group(const Plan& p, Index query, Index last, Add add) {
  auto groups = [&](Index begin, Index end, Ages ages) HWY_ATTR {
    for (; begin < end; begin += k_group)
      add(Group{query, begin, std::min<Index>(begin + k_group, end), ages});
  };
  if (p.window > 0) groups(std::max<Index>(0, query - p.window + 1), last + 1, {0, p.window - 1});
  if (p.sinks > 0) groups(0, std::min(p.sinks, last - p.window + 1), {p.window, p.length});
}

/// Calls visit(block, first key of the group in it, its place in the block, their number).
template <class Visit>
HWY_INLINE void each_block(KeyBlocks& blocks, Group g, Visit visit) {
  for (Index i = g.begin; i < g.end;) {
    const Index start = blocks.start_of(i), stop = std::min(g.end, start + k_tile);
    visit(blocks.at(start), i, i - start, static_cast<int>(stop - i));
    i = stop;
  }
}

/// Which keys of a block, given its first key of the group, the panel's row m sees.
HWY_INLINE Band keys_of_queries(Group g, Index key) {
  return {clipped(g.query - g.ages.last - key), clipped(g.query - g.ages.first - key)};
}
/// The same pairs from the other side: which queries of the panel see key m.
HWY_INLINE Band queries_of_keys(Group g, Index key) {
  return {clipped(key + g.ages.first - g.query), clipped(key + g.ages.last - g.query)};
}

/// scores[keys, k_panel] of a group in base e, k_unseen where not seen. `query` is [D, k_tile] from
/// the panel's first lane on.
inline HWY_NOINLINE void masked_scores(KeyBlocks& blocks, Group g, const Plan& p,
                                       const float* query, float* scores) {
  each_block(blocks, g, [&](const KeyBlock& block, Index key, Index place, int keys) HWY_ATTR {
    product<true>(keys, k_panel, static_cast<int>(p.dim), {block.keys + place, k_tile},
                  {query, k_tile}, {scores + (key - g.begin) * k_panel, k_panel, false});
  });
  const Vector scale = hn::Set(k_floats, static_cast<float>(p.scale));
  const Vector first = hn::Set(k_floats, static_cast<float>(g.ages.first));
  const Vector last = hn::Set(k_floats, static_cast<float>(g.ages.last));
  const int keys = static_cast<int>(g.end - g.begin);
  for (int j = 0; j < keys; ++j) {
    for (int n = 0; n < k_panel; n += k_lanes) {
      float* at = scores + j * k_panel + n;
      Vector s = hn::Mul(hn::Load(k_floats, at), scale);
      const Index age = g.query + n - (g.begin + j);  // of the first lane
      if (age < g.ages.first || age + k_lanes - 1 > g.ages.last) {
        const Vector ages = hn::Iota(k_floats, static_cast<float>(clipped(age)));
        const auto seen = hn::And(hn::Ge(ages, first), hn::Le(ages, last));
        s = hn::IfThenElse(seen, s, hn::Set(k_floats, k_unseen));
      }
      hn::Store(s, k_floats, at);
    }
  }
}

/// near[j, t] = φ(q_t)·φ(k_j) for j ≤ t, 0 above the diagonal (to the next multiple of 8).
inline HWY_NOINLINE void near_pairs(const float* key_features, const float* query_features,
                                    int features, int lanes, float* near) {
  for (int lane = 0; lane < lanes; lane += k_panel) {
    const int keys = std::min((lane + k_panel + 7) / 8 * 8, k_tile);
    product<true>(keys, k_panel, features, {key_features, k_tile}, {query_features + lane, k_tile},
                  {near + lane, k_tile, false});
    for (int j = lane; j < keys; ++j) {
      for (int n = lane; n < lane + k_panel; n += k_lanes) {
        float* at = near + j * k_tile + n;
        const auto past = hn::Ge(hn::Iota(k_floats, static_cast<float>(n - j)), hn::Zero(k_floats));
        hn::Store(hn::IfThenElseZero(past, hn::Load(k_floats, at)), k_floats, at);
      }
    }
  }
}

/// The sums over keys that have gone by: S[P, width] = Σ φ(k)⊗v, then [P] Σ φ(k).
class State {
 public:
  State(int features, int width)
      : features_(features), width_(width), memory_(features * (width + 1)) {}

  int floats() const { return features_ * (width_ + 1); }
  bool empty() const { return empty_; }
  float* sums() const { return memory_.at(); }
  float* totals() const { return memory_.at() + features_ * width_; }
  void clear() {
    std::fill_n(memory_.at(), floats(), 0.0f);
    empty_ = true;
  }
  void set(const float* from) {
    std::copy_n(from, floats(), memory_.at());
    empty_ = false;
  }
  /// S += features·rows and totals += Σ weight·features over a tile's tokens; features [P, k_tile],
  /// rows [k_tile, width], weights [k_tile] or null for ones.
  HWY_NOINLINE void add(const float* features, const float* rows, const float* weights) {
    product<false>(features_, width_, k_tile, {features, k_tile}, {rows, width_},
                   {sums(), width_, !empty_});
    for (int f = 0; f < features_; ++f) {
      Vector sum = hn::Zero(k_floats);
      for (int t = 0; t < k_tile; t += k_lanes) {
        const Vector x = hn::Load(k_floats, features + f * k_tile + t);
        sum = weights ? hn::MulAdd(x, hn::Load(k_floats, weights + t), sum) : hn::Add(sum, x);
      }
      totals()[f] += hn::GetLane(hn::SumOfLanes(k_floats, sum));
    }
    empty_ = false;
  }

 private:
  int features_, width_;
  Scratch memory_;
  bool empty_ = true;
};

/// out[t] = Σ φ(q_t)·φ(k) over the state's keys and the tile's own.
inline HWY_NOINLINE void denominators(const State& state, const float* query_features, int features,
                                      const float* near, int lanes, float* out) {
  for (int t = 0; t < lanes; t += k_lanes) {
    Vector sum = hn::Zero(k_floats);
    for (int j = 0; j < t + k_lanes; ++j)
      sum = hn::Add(sum, hn::Load(k_floats, near + j * k_tile + t));
    if (!state.empty()) {
      for (int f = 0; f < features; ++f)
        sum = hn::MulAdd(hn::Load(k_floats, query_features + f * k_tile + t),
                         hn::Set(k_floats, state.totals()[f]), sum);
    }
    hn::Store(sum, k_floats, out + t);
  }
}

/// g of each row of one head.
struct RowWeights {
  float all = 1;  ///< where there is no gate
  const float* gate = nullptr;
  Index stride = 0;

  float at(Index t) const { return gate ? gate[t * stride] : all; }
};

HWY_INLINE RowWeights row_weights(const HybridAttention& call, const Plan& p, Index batch,
                                  Index head) {
  if (!p.norms) return {};
  if (call.mixing != Mixing::gated) return {static_cast<float>(mixing_weight(call, head))};
  const auto& stride = call.gate.strides;
  return {1, static_cast<const float*>(call.gate.data) + batch * stride[0] + head * stride[1],
          stride[2]};
}

/// Keys of the tile's delayed block that exist and that a query of the sequence sees.
HWY_INLINE Lanes delayed_lanes(const Plan& p, Index tile) {
  const Index start = tile - p.least_age;
  return {static_cast<int>(std::max<Index>(0, -start)),
          static_cast<int>(std::min<Index>(k_tile, p.length - tile))};
}
/// Queries of the tile that exist and see a key of the linear branch.
HWY_INLINE Lanes linear_lanes(const Plan& p, Index tile) {
  return {static_cast<int>(std::max<Index>(0, p.least_age - tile)),
          static_cast<int>(std::min<Index>(k_tile, p.length - tile))};
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#endif  // EQUIPOISE_KERNELS_HYBRID_ATTENTION_STEPS_INL_H_
