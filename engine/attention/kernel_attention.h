#pragma once
/// The door from tensors to the vectorised kernel (kernels/hybrid_attention.h), with gradients.

#include "engine/attention/hybrid_attention.h"
#include "engine/torch_api.h"

namespace engine {

/// float32 or bfloat16 on the processor, any component but the teacher's softmax over the past, no branch dropped, at most 256
/// dimensions and columns. Everything else goes through composed tensor operations.
bool kernel_takes(const Tensor& q, const AttentionCall& call);

/// hybrid_attention for calls that kernel_takes(). q [B,H,T,D], k and v [B,G,T,D]; returns [B,H,T,D]. Gradients reach q,
/// k, v, both feature maps and the mixing logits.
Tensor kernel_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call);

/// The attention-weights objective (kernels/attention_weights.h): mean over valid queries and heads of the cross-entropy of
/// linear against softmax weights. Where share > 0, share times its gradient is added to the maps' grad(). `valid` [B,T].
double kernel_weights_loss(const Tensor& q, const Tensor& k, const Tensor& valid, const AttentionCall& call, double share);

}  // namespace engine
