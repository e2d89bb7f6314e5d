#pragma once
/// What the references share: reading views, feature maps and their way back, in double.

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/hybrid_attention_plan.h"

namespace kernels::reference {

using Doubles = std::vector<double>;
using Index = std::int64_t;

inline Index offset(const std::array<Index, k_max_dims>& strides,
                    std::initializer_list<Index> index) {
  Index at = 0;
  int d = 0;
  for (const Index i : index) at += strides[d++] * i;
  return at;
}

/// bf16 is left to the forms that are fast: a reference's sums have no place in it.
inline Status taken(DType dtype) {
  if (dtype != DType::bf16) return {};
  return {StatusCode::unsupported, "the reference takes f32 and f64"};
}

inline double read(const View& view, std::initializer_list<Index> index) {
  const Index at = offset(view.strides, index);
  return view.dtype == DType::f64 ? static_cast<const double*>(view.data)[at]
                                  : static_cast<const float*>(view.data)[at];
}

inline void write(const OutView& view, std::initializer_list<Index> index, double value) {
  const Index at = offset(view.strides, index);
  if (view.dtype == DType::f64)
    static_cast<double*>(view.data)[at] = value;
  else
    static_cast<float*>(view.data)[at] = static_cast<float>(value);
}

inline void add(const OutView& view, std::initializer_list<Index> index, double value) {
  const View sum{view.data, view.dtype, view.dims, view.sizes, view.strides};
  write(view, index, read(sum, index) + value);
}

/// Zeros everywhere. Every gradient here is zeroed once and then added to.
inline void clear(const OutView& view) {
  if (!view) return;
  auto size = view.sizes;
  std::fill(size.begin() + view.dims, size.end(), 1);
  for (Index a = 0; a < size[0]; ++a)
    for (Index b = 0; b < size[1]; ++b)
      for (Index c = 0; c < size[2]; ++c)
        for (Index d = 0; d < size[3]; ++d) write(view, {a, b, c, d}, 0);
}

inline double dot(const double* a, const double* b, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

/// [T,D] or [T,E] of one head.
inline Doubles rows(const View& x, Index b, Index h) {
  Doubles out;
  out.reserve(x.sizes[2] * x.sizes[3]);
  for (Index t = 0; t < x.sizes[2]; ++t)
    for (Index d = 0; d < x.sizes[3]; ++d) out.push_back(read(x, {b, h, t, d}));
  return out;
}

/// σ(z) over F columns.
inline void activate(Activation activation, const Doubles& z, double* out, Index& clamped) {
  const double most = *std::max_element(z.begin(), z.end());
  double sum = 0;
  for (std::size_t f = 0; f < z.size(); ++f) {
    switch (activation) {
      case Activation::softmax:
        sum += out[f] = std::exp(z[f] - most);
        break;
      case Activation::exp:
        clamped += z[f] > k_exp_clamp;
        out[f] = std::exp(std::min(z[f], k_exp_clamp));
        break;
      case Activation::relu:
        out[f] = std::max(z[f], 0.0);
        break;
      case Activation::elu1:
        out[f] = z[f] > 0 ? z[f] + 1 : std::exp(z[f]);
        break;
      case Activation::none:
        out[f] = z[f];
        break;
    }
  }
  if (activation == Activation::softmax)
    for (std::size_t f = 0; f < z.size(); ++f) out[f] /= sum;
}

/// z = Wᵀx + b, or x itself.
inline Doubles columns_of(const FeatureMap& map, Index h, const double* x, const Plan& p) {
  if (!map.weight) return Doubles(x, x + p.map_dim);
  Doubles z(p.columns);
  for (Index f = 0; f < p.columns; ++f) {
    z[f] = map.bias ? read(map.bias, {h, f}) : 0;
    for (Index d = 0; d < p.map_dim; ++d) z[f] += x[d] * read(map.weight, {h, d, f});
  }
  return z;
}

/// φ of the rows [begin, end), zeros elsewhere: [T,P].
inline Doubles features(const FeatureMap& map, Index h, const Doubles& x, const Plan& p,
                        Index begin, Index end, Index& clamped) {
  if (!p.linear) return {};
  Doubles phi(p.length * p.features);
  for (Index t = begin; t < end; ++t) {
    Doubles z = columns_of(map, h, &x[t * p.map_dim], p);
    activate(map.activation, z, &phi[t * p.features], clamped);
    if (!map.negation) continue;
    for (double& value : z) value = -value;
    activate(map.activation, z, &phi[t * p.features + p.columns], clamped);
  }
  return phi;
}

/// dz += what σ passes on, for one half of φ; `sign` −1 for the negated half.
inline void activation_backward(Activation activation, const Doubles& z, double sign,
                                const double* phi, const double* dphi, Doubles& dz) {
  const Index n = static_cast<Index>(z.size());
  const double mean = activation == Activation::softmax ? dot(phi, dphi, n) : 0;
  for (Index f = 0; f < n; ++f) {
    const double y = sign * z[f];
    double slope = 1;
    switch (activation) {
      case Activation::softmax:
        slope = phi[f];
        break;
      case Activation::exp:
        slope = y <= k_exp_clamp ? phi[f] : 0;
        break;
      case Activation::relu:
        slope = y > 0;
        break;
      case Activation::elu1:
        slope = y > 0 ? 1 : phi[f];
        break;
      case Activation::none:
        break;
    }
    dz[f] += sign * slope * (dphi[f] - mean);
  }
}

/// From dφ to the rows' own gradients (added to dx), the weight's and the bias's.
inline void map_backward(const FeatureMap& map, const Plan& p, Index h, const Doubles& x,
                         const Doubles& phi, const Doubles& dphi, Doubles& dx,
                         const OutView& dweight, const OutView& dbias) {
  for (Index t = 0; t < p.length; ++t) {
    const Doubles z = columns_of(map, h, &x[t * p.map_dim], p);
    Doubles dz(p.columns);
    const Index at = t * p.features, half = at + p.columns;
    activation_backward(map.activation, z, 1, &phi[at], &dphi[at], dz);
    if (map.negation) activation_backward(map.activation, z, -1, &phi[half], &dphi[half], dz);
    for (Index f = 0; f < p.columns; ++f) {
      if (dbias) add(dbias, {h, f}, dz[f]);
      for (Index d = 0; d < p.map_dim; ++d) {
        if (map.weight)
          dx[t * p.map_dim + d] += dz[f] * read(map.weight, {h, d, f});
        else if (d == f)
          dx[t * p.map_dim + d] += dz[f];
        if (dweight) add(dweight, {h, d, f}, dz[f] * x[t * p.map_dim + d]);
      }
    }
  }
}

}  // namespace kernels::reference
