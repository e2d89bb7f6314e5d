#pragma once
/// Softmax attention along a prefix tree: requests that begin alike share one row, and a token sees its ancestors only.
///
/// y_t = Σ_i softmax_i(q_t·k_i/√D) v_i over i ≤ t < end[i], and position[t] − position[i] < window where window > 0.
/// Tokens stand parents before children, each branch whole before the next one; so end[i] ≥ i + 1, and every token sees
/// itself.

#include <cstdint>

namespace kernels {

/// Elements between neighbours; the last dimension is contiguous.
struct HeadStrides {
  std::int64_t batch = 0, head = 0, time = 0;
};

/// float32. Nothing is owned; q, k, v and y may not overlap.
struct TreeAttention {
  std::int64_t batch = 0, heads = 0, groups = 0, length = 0, dim = 0;  ///< head h reads group h / (heads / groups)
  const float* q = nullptr;  ///< [B,H,T,D], positions encoded already
  const float* k = nullptr;  ///< [B,G,T,D]
  const float* v = nullptr;  ///< [B,G,T,D]
  float* y = nullptr;        ///< [B,H,T,D], all of it written
  HeadStrides q_strides, k_strides, v_strides, y_strides;
  const std::int32_t* end = nullptr;       ///< [B,T]
  const std::int32_t* position = nullptr;  ///< [B,T]
  std::int64_t window = 0;
  int threads = 1;  ///< at most this many, the calling one included
};

/// Vectorised for the machine it runs on. Cost: the pairs that see each other, D each; memory: T floats a vector lane.
void tree_attention_cpu(const TreeAttention& call);

}  // namespace kernels
