#pragma once
/// What a recipe will cost, before it starts: parameters that train, tokens, steps, memory, time.

#include <QString>
#include <optional>
#include <vector>

#include "engine/inspect.h"
#include "engine/recipe.h"
#include "ui/models/run_data.h"

namespace ui {

struct StageCost {
  std::int64_t trainable = 0;  ///< parameters
  std::int64_t steps = 0;      ///< optimizer steps
  double tokens = 0;
};

struct RecipeCost {
  std::vector<StageCost> stages;
  std::int64_t steps = 0, evaluations = 0;
  double tokens = 0;
};
/// Without a model, `trainable` stays 0.
RecipeCost costOf(const engine::Recipe& recipe, const engine::ModelInfo* model);

/// Parameters of one stage: maps, mixing, adapters or everything, as METHODS.md and the recipe say.
std::int64_t trainableParameters(const engine::Recipe& recipe, const engine::StageSpec& stage,
                                 const engine::ModelInfo& model);

/// Bytes at the peak of training, roughly: weights, gradients and AdamW's moments, activations of
/// one micro-batch with what backward keeps, logits.
double peakBytes(const engine::Recipe& recipe, const engine::ModelInfo& model);

/// How fast a finished run of the same model, device and kind of training was, evaluations
/// included.
struct MeasuredSpeed {
  double seconds_per_token = 0;
  engine::RunId run = 0;
  QString name;
};
/// Nothing where the run did not end, or is of another model or device.
std::optional<MeasuredSpeed> speedOf(const RunData& run, const engine::Recipe& recipe);

}  // namespace ui
