#pragma once
/// The loop of one stage: micro-batches, optimizer steps, evaluations, checkpoints, early stopping. What a stage learns
/// is handed in as a function, so transfer and fine-tuning share it.

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "engine/data/rows.h"
#include "engine/recipe.h"
#include "engine/session.h"
#include "engine/torch_api.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedules.h"

namespace engine {

struct MicroBatch {
  Tensor ids;    ///< [B,T] int64
  Tensor valid;  ///< [B,T] float32, 1 for real tokens
  Tensor predicting;             ///< [n] int64, places b·T + t whose next token is real, ascending; n is known without a read
  std::int64_t index = 0;        ///< within the optimizer step
  std::int64_t epoch = 0;        ///< 0-based, within the stage
  std::int64_t global_step = 0;  ///< steps done before this one
};
MicroBatch to_device(const RowBatch& rows, const torch::Device& device);

/// Both scaled by the micro-batch's share, so that a step's sum is its mean.
struct MicroLoss {
  Tensor total;   ///< scalar without graph
  Tensor layers;  ///< [L], or undefined
};

struct StageJob {
  const Recipe& recipe;
  const StageSpec& stage;
  std::int64_t steps_before = 0, steps_after = 0;  ///< planned steps of the other stages, for ETA
  std::uint64_t first_row = 0;                     ///< position of the stage's first training row
  torch::Device device;
  const TextRows& rows;
  AdamW& optimizer;
  /// Adds gradients of loss · share.
  std::function<MicroLoss(const MicroBatch&, double share)> learn;
  /// Scores everything and emits it; metrics by name ("validation/loss", "delta_h_swa", "accuracy/hybrid"). Nothing
  /// where it was stopped half-way.
  std::function<std::optional<std::map<std::string, double>>()> evaluate;
  std::function<bool()> asked;                  ///< whether somebody wants a checkpoint now; asked once a step
  std::function<void(const char* kind)> save;   ///< writes a checkpoint of the state as it is
  std::function<void()> restore_best;           ///< trained tensors of the "best" checkpoint
  const Emit& emit;
  std::stop_token stop;
};

/// Runs from `state.step` to the stage's end and leaves state.finished set. Throws Cancelled after keeping a checkpoint,
/// InputError where the loss or the gradient is not finite (before the step is applied).
void run_stage(const StageJob& job, StageState& state);

}  // namespace engine
