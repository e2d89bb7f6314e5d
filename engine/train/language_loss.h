#pragma once
/// Next-token cross-entropy with the attention replaced (METHODS.md, "Fine-tuning").

#include "engine/attention/conversion.h"
#include "engine/model/decoder.h"
#include "engine/torch_api.h"

namespace engine {

/// Σ_n weight_n · −log softmax(rows_n Wᵀ)[targets_n] for rows [n,M], W [V,M] and targets [n] int64; weights [n] float32,
/// undefined: 1. Logits are made by tiles of rows, in float32 (float64 for float64), and leave their gradient behind, so
/// that neither they nor anything else of n × V is kept. A scalar with graph; gradients reach rows and W.
Tensor vocabulary_loss_sum(const Tensor& rows, const Tensor& head, const Tensor& targets, const Tensor& weights = {});

/// Σ over `predicting` of −log p(next token). predicting [n] int64: the places b·T + t of ids [B,T] whose next token is
/// real. weights [n] multiplies each. A scalar with graph.
Tensor language_loss_sum(const Model& model, const Conversion* conversion, const Tensor& ids, const Tensor& predicting,
                         const ForwardOptions& options, const Tensor& weights = {});

}  // namespace engine
