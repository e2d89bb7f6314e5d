#pragma once
/// Next-token cross-entropy with the attention replaced (METHODS.md, "Fine-tuning").

#include "engine/attention/conversion.h"
#include "engine/model/decoder.h"
#include "engine/torch_api.h"

namespace engine {

/// Σ over valid targets of −log p(ids[t+1] | ids[..t]), optionally weighted per target (weights [B,T−1] float). valid
/// [B,T] float marks real tokens. Logits and the sum are float32 (float64 for float64). A scalar with graph.
Tensor language_loss_sum(const Model& model, const Conversion* conversion, const Tensor& ids, const Tensor& valid,
                         const ForwardOptions& options, const Tensor& weights = {});

}  // namespace engine
