// Products of small dense tiles, exp and transposition for one instruction set (Highway; included
// once per target).

#if defined(EQUIPOISE_KERNELS_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EQUIPOISE_KERNELS_TILE_INL_H_
#undef EQUIPOISE_KERNELS_TILE_INL_H_
#else
#define EQUIPOISE_KERNELS_TILE_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
constexpr int k_lanes = hn::MaxLanes(Floats());
constexpr Floats k_floats;

/// Tokens of one tile; a multiple of every vector's lanes.
constexpr int k_tile = 64;

// Rows and vectors of one register block: as many accumulators as hide the latency of a
// multiply-add and leave registers for the operands.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON
constexpr int k_block_rows = 8;
#else
constexpr int k_block_rows = 4;
#endif
constexpr int k_block_vectors = 2;
constexpr int k_panel = k_block_vectors * k_lanes;  ///< columns of one register block

/// A(m, k) of a product: `rows_contiguous` means at[k·ld + m], else at[m·ld + k].
template <bool rows_contiguous>
struct Left {
  const float* at;
  std::ptrdiff_t ld;
  HWY_INLINE Left from(int m, int k) const {
    return {at + (rows_contiguous ? k * ld + m : m * ld + k), ld};
  }
};

/// Row m meets k in [m + first, m + last] only, within [0, K).
struct Band {
  int first = -(1 << 28), last = 1 << 28;
};

/// C[rows × vectors] = or += A·B, accumulators in registers.
template <int rows, int vectors, bool rows_contiguous>
HWY_INLINE void block_product(int depth, Left<rows_contiguous> a, const float* HWY_RESTRICT b,
                              std::ptrdiff_t ldb, float* HWY_RESTRICT c, std::ptrdiff_t ldc,
                              bool add) {
  Vector sum[rows][vectors];
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m) {
#pragma GCC unroll 16
    for (int n = 0; n < vectors; ++n)
      sum[m][n] = add ? hn::LoadU(k_floats, c + m * ldc + n * k_lanes) : hn::Zero(k_floats);
  }
  for (int k = 0; k < depth; ++k) {
    Vector right[vectors];
#pragma GCC unroll 16
    for (int n = 0; n < vectors; ++n) right[n] = hn::LoadU(k_floats, b + k * ldb + n * k_lanes);
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) {
      const Vector left = hn::Set(k_floats, *a.from(m, k).at);
#pragma GCC unroll 16
      for (int n = 0; n < vectors; ++n) sum[m][n] = hn::MulAdd(left, right[n], sum[m][n]);
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < rows; ++m) {
#pragma GCC unroll 16
    for (int n = 0; n < vectors; ++n) hn::StoreU(sum[m][n], k_floats, c + m * ldc + n * k_lanes);
  }
}

struct Right {
  const float* at;
  std::ptrdiff_t ld;
};
struct Target {
  float* at;
  std::ptrdiff_t ld;
  bool add;  ///< += instead of =
};

template <int rows, int vectors, bool rows_contiguous>
HWY_INLINE void banded_block(int m, int depth, Left<rows_contiguous> a, Right b, Target c,
                             Band band) {
  const int first = std::max(0, m + band.first);
  const int count = std::min(depth, m + rows + band.last) - first;
  if (count <= 0 && c.add) return;
  block_product<rows, vectors>(std::max(count, 0), a.from(m, first), b.at + first * b.ld, b.ld,
                               c.at + m * c.ld, c.ld, c.add);
}

template <int vectors, bool rows_contiguous>
HWY_INLINE void panel_product(int m_count, int depth, Left<rows_contiguous> a, Right b, Target c,
                              Band band) {
  int m = 0;
  for (; m + k_block_rows <= m_count; m += k_block_rows)
    banded_block<k_block_rows, vectors>(m, depth, a, b, c, band);
  if constexpr (k_block_rows > 4)
    for (; m + 4 <= m_count; m += 4) banded_block<4, vectors>(m, depth, a, b, c, band);
  for (; m < m_count; ++m) banded_block<1, vectors>(m, depth, a, b, c, band);
}

/// C[m_count × columns] = or += A[m_count × depth]·B[depth × columns]; `columns` is a multiple of
/// k_lanes. Outside the band (widened to register blocks) A must hold zeros or is left out.
template <bool rows_contiguous>
inline HWY_NOINLINE void product(int m_count, int columns, int depth, Left<rows_contiguous> a,
                                 Right b, Target c, Band band = {}) {
  int n = 0;
  for (; n + k_panel <= columns; n += k_panel)
    panel_product<k_block_vectors>(m_count, depth, a, {b.at + n, b.ld}, {c.at + n, c.ld, c.add},
                                   band);
  for (; n < columns; n += k_lanes)
    panel_product<1>(m_count, depth, a, {b.at + n, b.ld}, {c.at + n, c.ld, c.add}, band);
}

/// e^x for x ≤ 88, within 1.5 units in the last place; below −87 it is 0.
HWY_INLINE Vector exp_of(Vector x) {
  // 2^n with n = round(x / ln 2), in the low bits of a float of this magnitude.
  const Vector shift = hn::Set(k_floats, 12582912.0f);
  const Vector shifted = hn::MulAdd(x, hn::Set(k_floats, 1.44269504f), shift);
  const Vector n = hn::Sub(shifted, shift);
  const Vector upper = hn::NegMulAdd(n, hn::Set(k_floats, 0.693145751953125f), x);
  const Vector r = hn::NegMulAdd(n, hn::Set(k_floats, 1.428606765330187045e-6f), upper);
  // e^r on |r| ≤ ln 2 / 2: interpolated at Chebyshev nodes, relative error 1.1e-8.
  Vector p = hn::MulAdd(hn::Set(k_floats, 0.0013926250394433737f), r,
                        hn::Set(k_floats, 0.00836323294788599f));
  p = hn::MulAdd(p, r, hn::Set(k_floats, 0.04166655242443085f));
  p = hn::MulAdd(p, r, hn::Set(k_floats, 0.16666576266288757f));
  p = hn::MulAdd(p, r, hn::Set(k_floats, 0.5f));
  p = hn::MulAdd(hn::Mul(r, r), p, r);
  p = hn::Add(p, hn::Set(k_floats, 1.0f));
  const hn::RebindToSigned<Floats> integers;
  const auto power = hn::ShiftLeft<23>(hn::BitCast(integers, shifted));
  const Vector scaled = hn::BitCast(k_floats, hn::Add(hn::BitCast(integers, p), power));
  return hn::IfThenElseZero(hn::Gt(x, hn::Set(k_floats, -87.0f)), scaled);
}

#if HWY_TARGET != HWY_SCALAR
/// Four floats of each of lanes/4 rows as 128-bit blocks side by side: rows 0, 1, … from `at`.
template <class D>
HWY_INLINE hn::Vec<D> fours_of_rows(D d, const float* at, std::ptrdiff_t stride) {
  if constexpr (hn::MaxLanes(D()) == 4) {
    return hn::LoadU(d, at);
  } else {
    const hn::Half<D> half;
    const auto low = fours_of_rows(half, at, stride);
    const auto high = fours_of_rows(half, at + hn::MaxLanes(D()) / 8 * stride, stride);
    return hn::Combine(d, high, low);
  }
}

#endif

/// out[d·k_tile + t] = x[t·stride + d] for all k_tile rows and `dim` columns contiguous in memory.
inline HWY_NOINLINE void transpose(const float* HWY_RESTRICT x, std::ptrdiff_t stride, int dim,
                                   float* HWY_RESTRICT out) {
  for (int t = 0; t < k_tile; t += k_lanes) {
    int d = 0;
#if HWY_TARGET != HWY_SCALAR
    const hn::Repartition<double, Floats> pairs;
    for (; d + 4 <= dim; d += 4) {
      const float* at = x + t * stride + d;
      const Vector a = fours_of_rows(k_floats, at, 4 * stride);
      const Vector b = fours_of_rows(k_floats, at + stride, 4 * stride);
      const Vector c = fours_of_rows(k_floats, at + 2 * stride, 4 * stride);
      const Vector e = fours_of_rows(k_floats, at + 3 * stride, 4 * stride);
      const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(k_floats, a, b));
      const auto ab_high = hn::BitCast(pairs, hn::InterleaveUpper(k_floats, a, b));
      const auto ce_low = hn::BitCast(pairs, hn::InterleaveLower(k_floats, c, e));
      const auto ce_high = hn::BitCast(pairs, hn::InterleaveUpper(k_floats, c, e));
      float* to = out + d * k_tile + t;
      hn::Store(hn::BitCast(k_floats, hn::InterleaveLower(pairs, ab_low, ce_low)), k_floats, to);
      hn::Store(hn::BitCast(k_floats, hn::InterleaveUpper(pairs, ab_low, ce_low)), k_floats,
                to + k_tile);
      hn::Store(hn::BitCast(k_floats, hn::InterleaveLower(pairs, ab_high, ce_high)), k_floats,
                to + 2 * k_tile);
      hn::Store(hn::BitCast(k_floats, hn::InterleaveUpper(pairs, ab_high, ce_high)), k_floats,
                to + 3 * k_tile);
    }
#endif
    for (; d < dim; ++d)
      for (int i = t; i < t + k_lanes; ++i) out[d * k_tile + i] = x[i * stride + d];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#endif  // EQUIPOISE_KERNELS_TILE_INL_H_
