#pragma once
/// Activation checkpointing: a function whose backward pass computes it again instead of keeping what it made.

#include <functional>
#include <vector>

#include "engine/torch_api.h"

namespace engine {

using Computation = std::function<Tensor(const Tensor&)>;

/// f(x) with graph. Only x is kept. `learning` names the leaves besides x that f's gradient reaches; f must give the same
/// bits each time and is kept, with all that it captured, until the graph is freed.
Tensor recomputed(Computation f, const Tensor& x, const std::vector<Tensor>& learning);

}  // namespace engine
