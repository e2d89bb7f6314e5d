#pragma once
/// Projections of one input while their adapters train: W and b stand still.

#include <vector>

#include "engine/model/decoder.h"
#include "engine/torch_api.h"

namespace engine {

/// Whether adapted() takes this projection: an adapter that learns, in the weight's own precision, beside a weight and
/// bias that do not.
bool merges(const Projection& p);

/// y_i = x (W_i + s_i B_i A_i)ᵀ + b_i for x [...,in]. The product is formed on the weights' side (out · in · r operations,
/// whatever the number of tokens), so the forward pass is one matrix product each; the backward pass makes x A of all
/// adapters in one product and keeps nothing but x. Gradients reach x, A and B.
std::vector<Tensor> adapted(const Tensor& x, const std::vector<const Projection*>& projections);

}  // namespace engine
