#pragma once
/// What a decoder block does between its matrix products, with gradients by hand: fewer passes over the activations than
/// automatic differentiation makes, and less kept for the backward pass. Any device, float64, float32 or bfloat16.

#include <utility>

#include "engine/torch_api.h"

namespace engine {

/// weight · x / √(mean x² + eps) over the last dimension M, computed in float32 (float64 for float64). x [...,M], weight
/// [M], both in the model's dtype. Keeps x.
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);

/// RoPE: x [B,T,heads,D] → [B,heads,T,D] contiguous, halves (a, b) turned to (a·cos − b·sin, b·cos + a·sin). cos and sin
/// [T,D] or [B,1,T,D], both halves alike. Keeps nothing but cos and sin.
Tensor rotated_heads(const Tensor& x, const std::pair<Tensor, Tensor>& turns);

/// silu(gate) · up. Keeps both.
Tensor silu_product(const Tensor& gate, const Tensor& up);

}  // namespace engine
