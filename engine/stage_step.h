#pragma once
/// What one micro-batch of a stage does: which tensors learn, their loss and its gradient.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/recipe.h"
#include "engine/torch_api.h"
#include "engine/train/trainer.h"
#include "engine/workspace.h"

namespace engine {

/// The tensors that a stage trains, by name (METHODS.md, "Training"): transfer: feature maps, and mixing where the hybrid's
/// outputs are matched; finetune: adapters or every weight, and maps and mixing where it asks for them. Throws InputError
/// where there is none.
std::map<std::string, Tensor> stage_parameters(Workspace& work, const StageSpec& stage);

/// Adds the gradients of loss · share to those tensors (they must require them). Every draw is a function of the
/// recipe's seed and of the micro-batch's place.
MicroLoss learn(const Workspace& work, const Recipe& recipe, const StageSpec& stage, const MicroBatch& batch, double share);

/// The loss that the stage lowers, mean over `rows`, without dropout, at the evaluation's window; not finished where
/// `stop` says so. NaN without rows.
double validation_loss(const Workspace& work, const Recipe& recipe, const StageSpec& stage,
                       const std::vector<std::vector<std::int64_t>>& rows, const std::function<bool()>& stop);

}  // namespace engine
