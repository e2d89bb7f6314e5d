// φ of a tile and its way back (Highway; included once per target). A tile of features is
// [feature, token]: softmax over features runs down a column of vectors.

#if defined(EQUIPOISE_KERNELS_FEATURE_MAP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EQUIPOISE_KERNELS_FEATURE_MAP_INL_H_
#undef EQUIPOISE_KERNELS_FEATURE_MAP_INL_H_
#else
#define EQUIPOISE_KERNELS_FEATURE_MAP_INL_H_
#endif

#include "kernels/hybrid_attention_plan.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

using Index = std::int64_t;

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
  m.dim = static_cast<int>(p.map_dim);
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

HWY_INLINE void clear_other_lanes(float* tile, int rows, Lanes lanes) {
  if (lanes.begin == 0 && lanes.end == k_tile) return;
  for (int f = 0; f < rows; ++f) {
    std::fill(tile + f * k_tile, tile + f * k_tile + lanes.begin, 0.0f);
    std::fill(tile + f * k_tile + lanes.end, tile + (f + 1) * k_tile, 0.0f);
  }
}

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
inline HWY_NOINLINE void activate(const HeadMap& map, float* z) {
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
  clear_other_lanes(out, map.features(), lanes);
}

/// dz of softmax and of its negated half down one column, into the first rows of dphi.
HWY_INLINE void softmax_column_backward(const float* phi, float* dphi, int columns, bool negation) {
  const int half = columns * k_tile;
  Vector mean = hn::Zero(k_floats), negated_mean = mean;
  for (int i = 0; i < half; i += k_tile) {
    mean = hn::MulAdd(hn::Load(k_floats, phi + i), hn::Load(k_floats, dphi + i), mean);
    if (negation)
      negated_mean = hn::MulAdd(hn::Load(k_floats, phi + half + i),
                                hn::Load(k_floats, dphi + half + i), negated_mean);
  }
  for (int i = 0; i < half; i += k_tile) {
    Vector dz = hn::Mul(hn::Load(k_floats, phi + i), hn::Sub(hn::Load(k_floats, dphi + i), mean));
    if (negation)
      dz = hn::NegMulAdd(hn::Load(k_floats, phi + half + i),
                         hn::Sub(hn::Load(k_floats, dphi + half + i), negated_mean), dz);
    hn::Store(dz, k_floats, dphi + i);
  }
}

template <class Slope>
HWY_INLINE void pointwise_backward(const float* phi, float* dphi, int columns, bool negation,
                                   Slope slope) {
  const int half = columns * k_tile;
  for (int i = 0; i < half; i += k_lanes) {
    Vector dz = hn::Mul(slope(hn::Load(k_floats, phi + i)), hn::Load(k_floats, dphi + i));
    if (negation)
      dz = hn::NegMulAdd(slope(hn::Load(k_floats, phi + half + i)),
                         hn::Load(k_floats, dphi + half + i), dz);
    hn::Store(dz, k_floats, dphi + i);
  }
}

/// From φ and dφ [P, k_tile] to dz [F, k_tile], in place of dφ; zeros for tokens that do not count.
/// Every σ's slope follows from its value.
inline HWY_NOINLINE void activation_backward(const HeadMap& map, const float* phi, Lanes lanes,
                                             float* dphi) {
  const int n = map.columns;
  const Vector zero = hn::Zero(k_floats), one = hn::Set(k_floats, 1.0f);
  switch (map.activation) {
    case Activation::softmax:
      for (int t = 0; t < k_tile; t += k_lanes)
        softmax_column_backward(phi + t, dphi + t, n, map.negation);
      break;
    case Activation::exp: {
      const Vector most = exp_of(hn::Set(k_floats, static_cast<float>(k_exp_clamp)));
      pointwise_backward(phi, dphi, n, map.negation,
                         [&](Vector y) HWY_ATTR { return hn::IfThenElseZero(hn::Lt(y, most), y); });
      break;
    }
    case Activation::relu:
      pointwise_backward(phi, dphi, n, map.negation, [&](Vector y) HWY_ATTR {
        return hn::IfThenElseZero(hn::Gt(y, zero), one);
      });
      break;
    case Activation::elu1:
      pointwise_backward(phi, dphi, n, map.negation,
                         [&](Vector y) HWY_ATTR { return hn::Min(y, one); });
      break;
    case Activation::none:
      pointwise_backward(phi, dphi, n, map.negation, [&](Vector) HWY_ATTR { return one; });
  }
  clear_other_lanes(dphi, n, lanes);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#endif  // EQUIPOISE_KERNELS_FEATURE_MAP_INL_H_
