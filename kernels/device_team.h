#pragma once
/// The threads that work on one item of a device kernel together, and what they do as one. The same
/// templates compile as plain C++: there a team is a loop, which is how they are tested without a
/// GPU.

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define EQUIPOISE_DEVICE __device__ __forceinline__
#define EQUIPOISE_BOTH __host__ __device__ __forceinline__
#define EQUIPOISE_STEP __device__ __noinline__  // compiled once, where it is long
#else
#define EQUIPOISE_DEVICE inline
#define EQUIPOISE_BOTH inline
#define EQUIPOISE_STEP inline
#endif

namespace kernels::device {

/// One processor standing for a team. Items of a step must not depend on each other, so both
/// orders give the same bits.
struct SerialTeam {
  static constexpr bool tensor_cores = false;
  bool backwards = false;

  template <class Step>
  void each(int count, Step step) const {
    for (int i = 0; i < count; ++i) step(backwards ? count - 1 - i : i);
  }
};

#ifdef __CUDACC__
/// A block of threads; each() ends with a barrier. `tensor` products round their factors to tf32.
template <bool tensor>
struct BlockTeam {
  static constexpr bool tensor_cores = tensor;

  template <class Step>
  __device__ __forceinline__ void each(int count, Step step) const {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
      step(i);
    __syncthreads();
  }
};

/// product() on tensor cores: a warp takes 16 × 16 results at a time. Defined in device.cuh.
template <bool a_transposed, bool b_transposed>
__device__ void tensor_product(int rows, int columns, int depth, const float* a, int lda,
                               const float* b, int ldb, float* c, int ldc, bool add);
#endif

/// C[rows × columns] = or += A·B, row-major, or A or B transposed in memory. Rows, columns and
/// depth are multiples of 16, the strides of 4.
template <bool a_transposed, bool b_transposed, class Team>
EQUIPOISE_STEP void product(const Team& team, int rows, int columns, int depth, const float* a,
                            int lda, const float* b, int ldb, float* c, int ldc, bool add) {
#ifdef __CUDACC__
  if constexpr (Team::tensor_cores) {
    tensor_product<a_transposed, b_transposed>(rows, columns, depth, a, lda, b, ldb, c, ldc, add);
    return;
  }
#endif
  constexpr int k_side = 4;
  const int across = columns / k_side;
  team.each(rows / k_side * across, [=](int i) {
    const int m = i / across * k_side, n = i % across * k_side;
    float sum[k_side][k_side] = {};
    for (int k = 0; k < depth; ++k) {
      float left[k_side], right[k_side];
      for (int x = 0; x < k_side; ++x) {
        left[x] = a_transposed ? a[k * lda + m + x] : a[(m + x) * lda + k];
        right[x] = b_transposed ? b[(n + x) * ldb + k] : b[k * ldb + n + x];
      }
      for (int x = 0; x < k_side; ++x)
        for (int y = 0; y < k_side; ++y) sum[x][y] += left[x] * right[y];
    }
    for (int x = 0; x < k_side; ++x)
      for (int y = 0; y < k_side; ++y) {
        float& to = c[(m + x) * ldc + n + y];
        to = add ? to + sum[x][y] : sum[x][y];
      }
  });
}

constexpr int k_tile = 64;  ///< tokens of a tile
constexpr int k_parts = 4;  ///< items that share a row

/// out[row] = the sum over a row's columns of value(row, column), for k_tile rows. `parts`
/// [k_tile · k_parts].
template <class Team, class Value>
EQUIPOISE_DEVICE void row_sums(const Team& team, int columns, float* parts, float* out,
                               Value value) {
  team.each(k_tile * k_parts, [=](int i) {
    float sum = 0;
    for (int c = i % k_parts; c < columns; c += k_parts) sum += value(i / k_parts, c);
    parts[i] = sum;
  });
  team.each(k_tile, [=](int row) {
    float sum = 0;
    for (int p = 0; p < k_parts; ++p) sum += parts[row * k_parts + p];
    out[row] = sum;
  });
}

/// The same for the maximum, beginning with `least`.
template <class Team, class Value>
EQUIPOISE_DEVICE void row_maxima(const Team& team, int columns, float least, float* parts,
                                 float* out, Value value) {
  team.each(k_tile * k_parts, [=](int i) {
    float most = least;
    for (int c = i % k_parts; c < columns; c += k_parts) most = fmaxf(most, value(i / k_parts, c));
    parts[i] = most;
  });
  team.each(k_tile, [=](int row) {
    float most = least;
    for (int p = 0; p < k_parts; ++p) most = fmaxf(most, parts[row * k_parts + p]);
    out[row] = most;
  });
}

}  // namespace kernels::device
