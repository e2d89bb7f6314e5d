// Tiles of one head: packed queries and keys, φ of a tile (Highway; included once per target).
// Everything is held transposed, [dimension or feature, token], so that softmax over features or
// keys runs down a column of vectors.

#if defined(EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_
#undef EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_
#else
#define EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_
#endif

#include <cstring>
#include <new>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "kernels/hybrid_attention_plan.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

using Index = std::int64_t;

/// Aligned scratch memory, uninitialised.
class Scratch {
 public:
  explicit Scratch(Index count) : memory_(hwy::AllocateAligned<float>(std::max<Index>(count, 1))) {
    if (!memory_) throw std::bad_alloc();
  }
  float* at() const { return memory_.get(); }

 private:
  hwy::AlignedFreeUniquePtr<float[]> memory_;
};

/// Rows [T,D] of one head.
struct Rows {
  const float* at = nullptr;
  Index token_stride = 0, dim_stride = 0, length = 0, dim = 0;
};

HWY_INLINE Rows rows_of(const View& x, Index b, Index h) {
  return {static_cast<const float*>(x.data) + b * x.strides[0] + h * x.strides[1], x.strides[2],
          x.strides[3], x.sizes[2], x.sizes[3]};
}

HWY_INLINE Index padded(Index dim) { return (dim + k_lanes - 1) / k_lanes * k_lanes; }

/// out[d·k_tile + i] = row first + i, zeros where there is no such row.
HWY_INLINE void load_transposed(const Rows& x, Index first, float* HWY_RESTRICT out) {
  if (first >= 0 && first + k_tile <= x.length && x.dim_stride == 1)
    return transpose(x.at + first * x.token_stride, x.token_stride, static_cast<int>(x.dim), out);
  std::fill_n(out, x.dim * k_tile, 0.0f);
  const Index begin = std::max<Index>(first, 0), end = std::min<Index>(first + k_tile, x.length);
  for (Index t = begin; t < end; ++t)
    for (Index d = 0; d < x.dim; ++d)
      out[d * k_tile + t - first] = x.at[t * x.token_stride + d * x.dim_stride];
}

/// out[i·padded(dim) + d] = row first + i, zeros where there is none.
HWY_INLINE void load_rows(const Rows& x, Index first, float* HWY_RESTRICT out) {
  const Index width = padded(x.dim);
  for (Index i = 0; i < k_tile; ++i) {
    float* to = out + i * width;
    const Index t = first + i;
    std::fill_n(to, width, 0.0f);
    if (t < 0 || t >= x.length) continue;
    const float* from = x.at + t * x.token_stride;
    if (x.dim_stride == 1)
      std::copy_n(from, x.dim, to);
    else
      for (Index d = 0; d < x.dim; ++d) to[d] = from[d * x.dim_stride];
  }
}

/// The feature map of one head.
struct HeadMap {
  Activation activation = Activation::softmax;
  bool negation = true;
  const float* weight = nullptr;  ///< [D,F]
  Index weight_stride = 0;
  const float* bias = nullptr;
  Index bias_stride = 0;
  int dim = 0, columns = 0;

  int features() const { return negation ? 2 * columns : columns; }
};

HWY_INLINE HeadMap head_map(const FeatureMap& map, const Plan& p, Index h) {
  HeadMap m{.activation = map.activation, .negation = map.negation};
  m.dim = static_cast<int>(p.dim);
  m.columns = static_cast<int>(p.columns);
  if (map.weight) {
    m.weight = static_cast<const float*>(map.weight.data) + h * map.weight.strides[0];
    m.weight_stride = map.weight.strides[1];
  }
  if (map.bias) {
    m.bias = static_cast<const float*>(map.bias.data) + h * map.bias.strides[0];
    m.bias_stride = map.bias.strides[1];
  }
  return m;
}

/// z[F, k_tile] = Wᵀx + b.
HWY_INLINE void map_columns(const HeadMap& map, const float* x, float* z) {
  if (!map.weight) {
    std::copy_n(x, map.columns * k_tile, z);
    return;
  }
  product<true>(map.columns, k_tile, map.dim, {map.weight, map.weight_stride}, {x, k_tile},
                {z, k_tile, false});
  if (!map.bias) return;
  for (int f = 0; f < map.columns; ++f) {
    const Vector b = hn::Set(k_floats, map.bias[f * map.bias_stride]);
    for (int t = 0; t < k_tile; t += k_lanes) {
      float* at = z + f * k_tile + t;
      hn::Store(hn::Add(hn::Load(k_floats, at), b), k_floats, at);
    }
  }
}

/// Softmax of z and of −z down one column of vectors, in place.
HWY_INLINE void softmax_column(float* z, int columns, bool negation) {
  Vector most = hn::Load(k_floats, z), least = most;
  for (int f = 1; f < columns; ++f) {
    const Vector x = hn::Load(k_floats, z + f * k_tile);
    most = hn::Max(most, x);
    least = hn::Min(least, x);
  }
  Vector sum = hn::Zero(k_floats), negated_sum = sum;
  float* negated = z + columns * k_tile;
  for (int f = 0; f < columns; ++f) {
    const Vector x = hn::Load(k_floats, z + f * k_tile);
    const Vector e = exp_of(hn::Sub(x, most));
    sum = hn::Add(sum, e);
    hn::Store(e, k_floats, z + f * k_tile);
    if (!negation) continue;
    const Vector n = exp_of(hn::Sub(least, x));
    negated_sum = hn::Add(negated_sum, n);
    hn::Store(n, k_floats, negated + f * k_tile);
  }
  const Vector one = hn::Set(k_floats, 1.0f);
  const Vector part = hn::Div(one, sum);
  const Vector negated_part = negation ? hn::Div(one, negated_sum) : part;
  for (int f = 0; f < columns; ++f) {
    float* at = z + f * k_tile;
    hn::Store(hn::Mul(hn::Load(k_floats, at), part), k_floats, at);
    if (!negation) continue;
    at = negated + f * k_tile;
    hn::Store(hn::Mul(hn::Load(k_floats, at), negated_part), k_floats, at);
  }
}

template <class Function>
HWY_INLINE void pointwise(float* z, int columns, bool negation, Function function) {
  for (int i = 0; i < columns * k_tile; i += k_lanes) {
    const Vector x = hn::Load(k_floats, z + i);
    hn::Store(function(x), k_floats, z + i);
    if (negation) hn::Store(function(hn::Neg(x)), k_floats, z + columns * k_tile + i);
  }
}

HWY_INLINE Vector elu_plus_one(Vector x) {
  const Vector zero = hn::Zero(k_floats);
  const Vector below = exp_of(hn::Min(x, zero));
  return hn::IfThenElse(hn::Gt(x, zero), hn::Add(x, hn::Set(k_floats, 1.0f)), below);
}

/// Tokens of a tile that count: [begin, end).
struct Lanes {
  int begin = 0, end = k_tile;
};

HWY_INLINE Index count_beyond_clamp(const float* z, int columns, bool negation, Lanes lanes) {
  Index count = 0;
  const float clamp = static_cast<float>(k_exp_clamp);
  for (int f = 0; f < columns; ++f)
    for (int t = lanes.begin; t < lanes.end; ++t) {
      const float x = z[f * k_tile + t];
      count += (x > clamp) + (negation && -x > clamp);
    }
  return count;
}

/// σ(z) ⊕ σ(−z) from z in the first `columns` rows, in place.
HWY_NOINLINE void activate(const HeadMap& map, float* z) {
  const int n = map.columns;
  switch (map.activation) {
    case Activation::softmax:
      for (int t = 0; t < k_tile; t += k_lanes) softmax_column(z + t, n, map.negation);
      break;
    case Activation::exp: {
      const Vector clamp = hn::Set(k_floats, static_cast<float>(k_exp_clamp));
      pointwise(z, n, map.negation, [&](Vector x) HWY_ATTR { return exp_of(hn::Min(x, clamp)); });
      break;
    }
    case Activation::relu: {
      const Vector zero = hn::Zero(k_floats);
      pointwise(z, n, map.negation, [&](Vector x) HWY_ATTR { return hn::Max(x, zero); });
      break;
    }
    case Activation::elu1:
      pointwise(z, n, map.negation, [](Vector x) HWY_ATTR { return elu_plus_one(x); });
      break;
    case Activation::none:
      pointwise(z, n, map.negation, [](Vector x) HWY_ATTR { return x; });
  }
}

/// out[P, k_tile] = φ of the tile x[D, k_tile]; zeros for tokens that do not count.
HWY_INLINE void feature_tile(const HeadMap& map, const float* x, Lanes lanes, float* out,
                             Index& clamped) {
  map_columns(map, x, out);
  if (map.activation == Activation::exp)
    clamped += count_beyond_clamp(out, map.columns, map.negation, lanes);
  activate(map, out);
  if (lanes.begin == 0 && lanes.end == k_tile) return;
  for (int f = 0; f < map.features(); ++f) {
    std::fill(out + f * k_tile, out + f * k_tile + lanes.begin, 0.0f);
    std::fill(out + f * k_tile + lanes.end, out + (f + 1) * k_tile, 0.0f);
  }
}

/// Packed keys and values of k_tile tokens.
struct KeyBlock {
  const float* keys = nullptr;    ///< [D, k_tile]
  const float* values = nullptr;  ///< [k_tile, padded(D)]
};

/// Blocks of one head, packed once each while the window passes over them. Blocks begin at
/// `origin` + n·k_tile.
class KeyBlocks {
 public:
  KeyBlocks(const Plan& p, int slots)
      : size_(p.dim * k_tile + padded(p.dim) * k_tile),
        dim_(p.dim),
        memory_(size_ * slots),
        starts_(slots) {}

  void set_head(const Rows& keys, const Rows& values, Index origin) {
    keys_ = keys;
    values_ = values;
    origin_ = origin;
    std::fill(starts_.begin(), starts_.end(), k_none);
  }
  Index origin() const { return origin_; }
  /// The start of the block that holds key i.
  Index start_of(Index i) const {
    const Index from = i - origin_;
    return origin_ + (from >= 0 ? from / k_tile : -((-from + k_tile - 1) / k_tile)) * k_tile;
  }
  KeyBlock at(Index start) {
    const auto slots = static_cast<Index>(starts_.size());
    const Index slot = (((start - origin_) / k_tile) % slots + slots) % slots;
    float* keys = memory_.at() + slot * size_;
    float* values = keys + dim_ * k_tile;
    if (starts_[slot] != start) {
      load_transposed(keys_, start, keys);
      load_rows(values_, start, values);
      starts_[slot] = start;
    }
    return {keys, values};
  }

 private:
  static constexpr Index k_none = INT64_MIN;
  Index size_, dim_, origin_ = 0;
  Scratch memory_;
  std::vector<Index> starts_;
  Rows keys_, values_;
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#endif  // EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_
