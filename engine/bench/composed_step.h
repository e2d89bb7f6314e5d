#pragma once
/// The training step of a converted model written as one writes it with LibTorch's operations and automatic
/// differentiation alone: what `bench train` compares with. The same losses and gradients as the engine's.

#include "engine/convert/transfer.h"
#include "engine/torch_api.h"
#include "engine/train/trainer.h"
#include "engine/workspace.h"

namespace engine {

/// Attention transfer: gradients of the mean over layers are added to the maps. The teacher's projections and
/// scaled_dot_product_attention without graph, then per layer φ(q), φ(k), both T × T weight matrices and the loss.
void composed_transfer(const Workspace& work, const TransferLoss& loss, const MicroBatch& batch);

/// Fine-tuning with adapters: gradients of the mean next-token loss of the hybrid are added to A and B. RMSNorm from pow,
/// mean and rsqrt, RoPE by halves and cat, x Wᵀ + s·(x Aᵀ) Bᵀ, the hybrid by chunks (batched products, masked softmax,
/// cumulated states), silu(gate)·up, cross_entropy_loss over the rows that have a target.
void composed_finetune(const Workspace& work, const MicroBatch& batch);

}  // namespace engine
