#pragma once
/// Hybrid attention for a GPU: what its kernels share. Tiles are row-major, [token, dimension] or
/// [token, feature], filled up with zeros to multiples of 16 columns. A tile lies in shared memory
/// where that is large enough and in the block's scratch memory elsewhere
/// (hybrid_attention_place.h).

#include "kernels/device_team.h"
#include "kernels/hybrid_attention_place.h"
#include "kernels/hybrid_attention_plan.h"

namespace kernels::device {

constexpr float k_unseen = -1e30f;    ///< score of a pair outside the window
constexpr float k_no_score = -1e29f;  ///< maximum of no score: e^{k_unseen − k_no_score} = 0
constexpr float k_clamp = static_cast<float>(k_exp_clamp);

/// q, k, v or dy: strides in elements.
template <class Pointer>
struct HeadView {
  Pointer data = nullptr;
  bool half = false;  ///< bf16
  Index batch = 0, head = 0, token = 0, dim = 0;
};
struct MapView {
  Activation activation = Activation::softmax;
  const float *weight = nullptr, *bias = nullptr;
  Index weight_head = 0, weight_row = 0, bias_head = 0, bias_column = 0;
};

/// A checked call as a kernel gets it, by value.
struct DeviceCall {
  Plan plan;
  Sizes sizes;
  HeadView<const void*> q, k, v;
  MapView query_map, key_map;
  bool negation = true;
  float weight = 0.5f;  ///< g where there is neither logit nor gate
  const float* logit = nullptr;
  Index logit_stride = 0;
  const float* gate = nullptr;  ///< g of each row
  Index gate_batch = 0, gate_head = 0, gate_token = 0;
  const std::uint8_t* counted = nullptr;
  Index counted_batch = 0, counted_token = 0;
};

EQUIPOISE_DEVICE Index least(Index a, Index b) { return a < b ? a : b; }
EQUIPOISE_DEVICE Index most(Index a, Index b) { return a > b ? a : b; }

EQUIPOISE_DEVICE float half_to_float(std::uint16_t half) {
#ifdef __CUDACC__
  return __uint_as_float(static_cast<unsigned>(half) << 16);
#else
  return bf16_to_float(half);
#endif
}
EQUIPOISE_DEVICE std::uint16_t float_to_half(float value) {
#ifdef __CUDACC__
  const unsigned bits = __float_as_uint(value), rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return static_cast<std::uint16_t>((value == value ? rounded : bits | 0x400000) >> 16);
#else
  return float_to_bf16(value);
#endif
}

template <class Pointer>
EQUIPOISE_DEVICE float read(const HeadView<Pointer>& x, Index at) {
  return x.half ? half_to_float(static_cast<const std::uint16_t*>(x.data)[at])
                : static_cast<const float*>(x.data)[at];
}
EQUIPOISE_DEVICE void write(const HeadView<void*>& x, Index at, float value) {
  if (x.half)
    static_cast<std::uint16_t*>(x.data)[at] = float_to_half(value);
  else
    static_cast<float*>(x.data)[at] = value;
}

/// g of the rows of one head.
struct RowWeights {
  float all;
  const float* gate;
  Index stride;

  EQUIPOISE_DEVICE float at(Index t) const { return gate ? gate[t * stride] : all; }
};
EQUIPOISE_DEVICE RowWeights row_weights(const DeviceCall& c, Index batch, Index head) {
  const float all = c.logit ? 1 / (1 + expf(-c.logit[head * c.logit_stride])) : c.weight;
  return {all, c.gate ? c.gate + batch * c.gate_batch + head * c.gate_head : nullptr, c.gate_token};
}

/// Tokens [begin, end) of a tile.
struct Lanes {
  int begin, end;
};
/// Both the tile's queries that exist and see a key of the linear branch, and the keys least_age
/// before them.
EQUIPOISE_DEVICE Lanes linear_lanes(const Plan& p, Index tile) {
  return {static_cast<int>(least(k_tile, most(0, p.least_age - tile))),
          static_cast<int>(most(0, least(k_tile, p.length - tile)))};
}

/// out[k_tile × ld] = rows first, first + 1, …; zeros where there is none and beyond D.
template <class Team>
EQUIPOISE_STEP void load_tile(const Team& team, const DeviceCall& c, const HeadView<const void*>& x,
                              Index batch, Index head, Index first, float* out) {
  const int ld = c.sizes.ld_dim, dim = static_cast<int>(c.plan.dim);
  const Index length = c.plan.length, base = batch * x.batch + head * x.head;
  team.each(k_tile * ld, [=](int i) {
    const int d = i % ld;
    const Index t = first + i / ld;
    out[i] = d < dim && t >= 0 && t < length ? read(x, base + t * x.token + d * x.dim) : 0;
  });
}

/// out[dim × ld_columns] = W of one head, zeros beyond.
template <class Team>
EQUIPOISE_STEP void load_weight(const Team& team, const DeviceCall& c, const MapView& map,
                                Index head, float* out) {
  const int ld = c.sizes.ld_columns, dim = static_cast<int>(c.plan.dim),
            columns = static_cast<int>(c.plan.columns);
  const float* weight = map.weight ? map.weight + head * map.weight_head : nullptr;
  const Index row = map.weight_row;
  team.each(c.sizes.dim * ld, [=](int i) {
    const int d = i / ld, f = i % ld;
    const bool inside = d < dim && f < columns;
    out[i] = !inside ? 0 : weight ? weight[d * row + f] : d == f ? 1.0f : 0.0f;
  });
}

template <class Team>
EQUIPOISE_STEP void fill(const Team& team, float* out, int count, float value) {
  team.each(count, [=](int i) { out[i] = value; });
}

/// φ of a tile of rows [k_tile × ld_dim] into `out` [k_tile × ld_features], zeros outside the
/// lanes; z [k_tile × ld_columns] is left behind it. Returns nothing; arguments beyond the clamp
/// are added to *clamped.
template <class Team>
EQUIPOISE_STEP void features(const Team& team, const DeviceCall& c, const MapView& map, Index head,
                             const float* weight, const float* rows, Lanes lanes, const Tiles& t,
                             float* z, float* out, double* clamped) {
  const int ldz = c.sizes.ld_columns, ldp = c.sizes.ld_features;
  const int columns = static_cast<int>(c.plan.columns), count = static_cast<int>(c.plan.features);
  const bool negation = c.negation;
  product<false, false>(team, k_tile, c.sizes.columns, c.sizes.dim, rows, c.sizes.ld_dim, weight,
                        ldz, z, ldz, false);
  const float* bias = map.bias ? map.bias + head * map.bias_head : nullptr;
  const Index bias_column = map.bias_column;
  if (bias)
    team.each(k_tile * columns, [=](int i) {
      z[i / columns * ldz + i % columns] += bias[i % columns * bias_column];
    });
  const Activation activation = map.activation;
  float *greatest = t.row(row_spare), *smallest = t.row(row_spare + 1);
  const bool softmax = activation == Activation::softmax;
  if (softmax) {
    row_maxima(team, columns, -INFINITY, t.parts, greatest,
               [=](int r, int f) { return z[r * ldz + f]; });
    row_maxima(team, columns, -INFINITY, t.parts, smallest,
               [=](int r, int f) { return -z[r * ldz + f]; });
  }
  if (activation == Activation::exp) {
    row_sums(team, columns, t.parts, greatest, [=](int r, int f) {
      const float x = z[r * ldz + f];
      return r < lanes.begin || r >= lanes.end ? 0.0f : (x > k_clamp) + (negation && -x > k_clamp);
    });
    team.each(1, [=](int) {
      for (int r = 0; r < k_tile; ++r) *clamped += greatest[r];
    });
  }
  team.each(k_tile * ldp, [=](int i) {
    const int r = i / ldp, p = i % ldp;
    if (p >= count || r < lanes.begin || r >= lanes.end) {
      out[i] = 0;
      return;
    }
    const bool negated = p >= columns;
    const float x = negated ? -z[r * ldz + p - columns] : z[r * ldz + p];
    switch (activation) {
      case Activation::softmax:
        out[i] = expf(x - (negated ? smallest : greatest)[r]);
        break;
      case Activation::exp:
        out[i] = expf(fminf(x, k_clamp));
        break;
      case Activation::relu:
        out[i] = fmaxf(x, 0);
        break;
      case Activation::elu1:
        out[i] = x > 0 ? x + 1 : expf(x);
        break;
      case Activation::none:
        out[i] = x;
    }
  });
  if (!softmax) return;
  row_sums(team, columns, t.parts, greatest, [=](int r, int f) { return out[r * ldp + f]; });
  if (negation)
    row_sums(team, columns, t.parts, smallest,
             [=](int r, int f) { return out[r * ldp + columns + f]; });
  team.each(k_tile * count, [=](int i) {
    const int r = i / count, p = i % count;
    if (r >= lanes.begin && r < lanes.end)
      out[r * ldp + p] /= (p >= columns ? smallest : greatest)[r];
  });
}

/// From φ and dφ [k_tile × ld_features] to dz [k_tile × ld_columns]; zeros outside the lanes and
/// beyond F. Every σ's slope follows from its value.
template <class Team>
EQUIPOISE_STEP void features_backward(const Team& team, const DeviceCall& c, const MapView& map,
                                      const float* phi, const float* dphi, Lanes lanes,
                                      const Tiles& t, float* dz) {
  const int ldz = c.sizes.ld_columns, ldp = c.sizes.ld_features;
  const int columns = static_cast<int>(c.plan.columns);
  const bool negation = c.negation, softmax = map.activation == Activation::softmax;
  const Activation activation = map.activation;
  float *mean = t.row(row_spare), *negated_mean = t.row(row_spare + 1);
  if (softmax) {
    row_sums(team, columns, t.parts, mean,
             [=](int r, int f) { return phi[r * ldp + f] * dphi[r * ldp + f]; });
    if (negation)
      row_sums(team, columns, t.parts, negated_mean, [=](int r, int f) {
        return phi[r * ldp + columns + f] * dphi[r * ldp + columns + f];
      });
  }
  const float clamped_exp = expf(k_clamp);
  team.each(k_tile * ldz, [=](int i) {
    const int r = i / ldz, f = i % ldz;
    float sum = 0;
    for (int half = 0; half < (negation ? 2 : 1); ++half) {
      if (f >= columns || r < lanes.begin || r >= lanes.end) break;
      const float y = phi[r * ldp + half * columns + f];
      float d = dphi[r * ldp + half * columns + f], slope = 1;
      switch (activation) {
        case Activation::softmax:
          slope = y;
          d -= (half ? negated_mean : mean)[r];
          break;
        case Activation::exp:
          slope = y < clamped_exp ? y : 0;
          break;
        case Activation::relu:
          slope = y > 0;
          break;
        case Activation::elu1:
          slope = fminf(y, 1);
          break;
        case Activation::none:
          break;
      }
      sum += half ? -slope * d : slope * d;
    }
    dz[i] = sum;
  });
}

/// S [features × ld_dim] and totals [features] of keys gone by (or, in the backward pass, queries
/// to come), as one array.
struct State {
  float* sums;
  float* totals;
};
EQUIPOISE_DEVICE State state_at(const Sizes& s, float* at) {
  return {at, at + s.features * s.ld_dim};
}

/// S += featuresᵀ·rows, totals += Σ weight·features over a tile's tokens (weight null: ones).
template <class Team>
EQUIPOISE_STEP void add_to_state(const Team& team, const DeviceCall& c, const float* phi,
                                 const float* rows, const float* weight, State state) {
  const int ldp = c.sizes.ld_features;
  product<true, false>(team, c.sizes.features, c.sizes.dim, k_tile, phi, ldp, rows, c.sizes.ld_dim,
                       state.sums, c.sizes.ld_dim, true);
  float* totals = state.totals;
  team.each(c.sizes.features, [=](int p) {
    float sum = 0;
    for (int r = 0; r < k_tile; ++r) sum += phi[r * ldp + p] * (weight ? weight[r] : 1);
    totals[p] += sum;
  });
}

/// The scores of 64 queries against 64 keys, scaled, k_unseen where the softmax does not see: ages
/// t − i outside [first, last], keys at or behind `limit` or the end. Queries behind the end see
/// none.
struct Seen {
  Index query, key, first, last, limit;
  EQUIPOISE_DEVICE bool operator()(int r, int j, Index length) const {
    const Index age = query + r - key - j;
    return query + r < length && key + j < limit && age >= first && age <= last;
  }
};
template <class Team>
EQUIPOISE_STEP void scores(const Team& team, const DeviceCall& c, const float* queries,
                           const float* keys, Seen seen, float* out) {
  const int ld = c.sizes.ld_pairs;
  product<false, true>(team, k_tile, k_tile, c.sizes.dim, queries, c.sizes.ld_dim, keys,
                       c.sizes.ld_dim, out, ld, false);
  const auto scale = static_cast<float>(c.plan.scale);
  const Index length = c.plan.length;
  team.each(k_tile * k_tile, [=](int i) {
    float& s = out[i / k_tile * ld + i % k_tile];
    s = seen(i / k_tile, i % k_tile, length) ? s * scale : k_unseen;
  });
}

/// Calls visit(Seen) for each tile of keys that the queries of the tile see in a softmax. Key tiles
/// begin at multiples of k_tile.
template <class Visit>
EQUIPOISE_DEVICE void each_key_tile(const Plan& p, Index tile, Visit visit) {
  const Index last = least(tile + k_tile, p.length) - 1;
  if (p.window > 0)
    for (Index key = most(0, tile - p.window + 1) / k_tile * k_tile; key <= last; key += k_tile)
      visit(Seen{tile, key, 0, p.window - 1, p.length});
  if (p.sinks > 0)
    for (Index key = 0; key < least(p.sinks, last - p.window + 1); key += k_tile)
      visit(Seen{tile, key, p.window, p.length, p.sinks});
}

/// The same pairs from the keys' side: each tile of queries.
template <class Visit>
EQUIPOISE_DEVICE void each_query_tile(const Plan& p, Index key, Visit visit) {
  const Index last = least(key + k_tile, p.length) - 1;
  if (p.window > 0)
    for (Index tile = key; tile < p.length && tile <= last + p.window - 1; tile += k_tile)
      visit(Seen{tile, key, 0, p.window - 1, p.length});
  if (p.sinks > key)
    for (Index tile = (key + p.window) / k_tile * k_tile; tile < p.length; tile += k_tile)
      visit(Seen{tile, key, p.window, p.length, p.sinks});
}

}  // namespace kernels::device
