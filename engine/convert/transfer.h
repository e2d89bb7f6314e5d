#pragma once
/// Attention transfer (METHODS.md, "Attention transfer"): the frozen teacher's own q, k, v feed both attentions in each
/// layer, the teacher's output goes on to the next, and each layer's loss is local: its graph is freed before the next
/// layer runs.

#include <string>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/data/rows.h"
#include "engine/model/decoder.h"
#include "engine/torch_api.h"

namespace engine {

enum class TransferObjective { attention_weights, attention_outputs, hybrid_outputs };
TransferObjective objective_from(const std::string& name);  ///< throws InputError

struct TransferLoss {
  TransferObjective objective = TransferObjective::attention_weights;
  double scale = 1000;       ///< of the mean-squared error
  double weights_scale = 0;  ///< outputs: of the weights' cross-entropy beside it
};

/// One layer's loss for q [B,H,T,D], k, v [B,G,T,D] (RoPE applied), mean over the valid queries (valid [B,T] float) and
/// the heads. attention_weights: −Σ_i A_ti log max(Â_ti, 1e-12), A the teacher's weights, Â the linear ones over all
/// past keys; outputs: `scale` times the mean-squared error per head before the output projection, plus `weights_scale`
/// times the former.
/// With `share` > 0 the loss times share is propagated into the call's maps and mixing at once, by tiles of queries for
/// the weights objective. Returns the loss (a scalar without graph).
Tensor transfer_layer_loss(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& valid,
                           const AttentionCall& call, const TransferLoss& loss, double share);

/// All layers for one micro-batch: losses [L] on the model's device, 0 for layers that are not converted. Gradients of
/// (mean over converted layers) · share are accumulated; share 0 only evaluates.
Tensor transfer_losses(const Model& model, const Conversion& conversion, const Tensor& ids, const Tensor& valid,
                       const TransferLoss& loss, double share);
/// Their mean over the converted layers.
Tensor mean_loss(const Tensor& layers, const Conversion& conversion);

}  // namespace engine
