#pragma once
/// The door from tensors to the vectorised kernel (kernels/hybrid_attention.h), with gradients.

#include "engine/attention/hybrid_attention.h"
#include "engine/torch_api.h"

namespace engine {

/// float32 or bfloat16 on the processor or a GPU that the kernel's CUDA form runs on, any component but the teacher's softmax
/// over the past, no branch dropped, at most 256 dimensions and columns. call.linear_q and linear_k,
/// which the maps read in place of q and k, on the processor alone. Everything else goes through composed tensor operations.
bool kernel_takes(const Tensor& q, const AttentionCall& call);

/// hybrid_attention for calls that kernel_takes(). q [B,H,T,D], k and v [B,G,T,D]; returns [B,H,T,D]. Gradients reach q,
/// k, v, both feature maps, the mixing logits and the gate.
Tensor kernel_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call);

/// Σ_{i ≤ t} φ(q_t)·(φ(k_i)·Π decay) v_i (kernels/fading_attention.h), with gradients: q and k [B,H,T,P], v [B,H,T,E],
/// decay [B,H,T,P or 1] logarithms ≤ 0; returns [B,H,T,E]. For float32 on the processor, at most 256 features and columns.
bool kernel_takes_fading(const Tensor& q, const Tensor& v);
Tensor kernel_fading(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& decay);

/// The attention-weights objective (kernels/attention_weights.h): mean over valid queries and heads of the cross-entropy of
/// linear against softmax weights, on the processor. Where share > 0, share times its gradient is added to the maps' grad(). `valid` [B,T].
double kernel_weights_loss(const Tensor& q, const Tensor& k, const Tensor& valid, const AttentionCall& call, double share);

}  // namespace engine
