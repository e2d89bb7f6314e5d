#pragma once
/// What only nvcc compiles: tensor cores, a kernel's frame, launch checks.

#include <cuda_runtime.h>
#include <mma.h>

#include "kernels/device_team.h"

namespace kernels::device {

constexpr int k_block_threads = 256;

template <bool transposed>
struct Layout {
  using type = nvcuda::wmma::row_major;
};
template <>
struct Layout<true> {
  using type = nvcuda::wmma::col_major;
};

template <bool a_transposed, bool b_transposed>
__device__ void tensor_product(int rows, int columns, int depth, const float* a, int lda,
                               const float* b, int ldb, float* c, int ldc, bool add) {
  namespace wmma = nvcuda::wmma;
  constexpr int k_side = 16, k_step = 8;
  wmma::fragment<wmma::matrix_a, k_side, k_side, k_step, wmma::precision::tf32,
                 typename Layout<a_transposed>::type>
      left;
  wmma::fragment<wmma::matrix_b, k_side, k_side, k_step, wmma::precision::tf32,
                 typename Layout<b_transposed>::type>
      right;
  wmma::fragment<wmma::accumulator, k_side, k_side, k_step, float> sum;
  const int across = columns / k_side, warps = static_cast<int>(blockDim.x) / warpSize;
  for (int i = static_cast<int>(threadIdx.x) / warpSize; i < rows / k_side * across; i += warps) {
    const int m = i / across * k_side, n = i % across * k_side;
    float* to = c + m * ldc + n;
    if (add)
      wmma::load_matrix_sync(sum, to, ldc, wmma::mem_row_major);
    else
      wmma::fill_fragment(sum, 0.0f);
    for (int k = 0; k < depth; k += k_step) {
      wmma::load_matrix_sync(left, a_transposed ? a + k * lda + m : a + m * lda + k, lda);
      wmma::load_matrix_sync(right, b_transposed ? b + n * ldb + k : b + k * ldb + n, ldb);
      for (int x = 0; x < left.num_elements; ++x) left.x[x] = wmma::__float_to_tf32(left.x[x]);
      for (int x = 0; x < right.num_elements; ++x) right.x[x] = wmma::__float_to_tf32(right.x[x]);
      wmma::mma_sync(sum, left, right, sum);
    }
    wmma::store_matrix_sync(to, sum, ldc, wmma::mem_row_major);
  }
  __syncthreads();
}

/// Blocks take items in turn; each has scratch memory of its own.
template <class Team, class Kernel>
__global__ void __launch_bounds__(k_block_threads)
    run_items(Kernel kernel, std::int64_t items, float* scratch, std::int64_t scratch_floats) {
  extern __shared__ __align__(128) float shared[];
  for (std::int64_t item = blockIdx.x; item < items; item += gridDim.x)
    kernel(Team(), item, shared, scratch + blockIdx.x * scratch_floats);
}

}  // namespace kernels::device
