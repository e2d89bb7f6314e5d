#pragma once
/// What the threads of one call work on, and what they hand back.

#include <cstdint>
#include <vector>

namespace kernels {

/// Tiles [first_tile, last_tile) of one head, forward.
struct Item {
  std::int64_t batch, head, first_tile, last_tile;
  const float* state_before;  ///< [P,width] and [P]; null: zeros
  float* state_only;          ///< where not null only the tiles' own state is computed, into this
};

/// What one item adds to the call's totals.
struct ItemSums {
  double window_norm = 0, linear_norm = 0;
  std::int64_t clamped_denominators = 0, clamped_exps = 0;
};

/// What one head of one batch row adds to the gradients that are summed over the batch.
struct HeadGradients {
  std::vector<float> query_weight, key_weight;  ///< [F, width]
  std::vector<float> query_bias, key_bias;      ///< [F]
  double logit = 0;
};

}  // namespace kernels
