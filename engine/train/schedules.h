#pragma once
/// Learning-rate and dropout schedules: values from (settings, step) and, for the plateau, from past evaluations.

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>

#include "engine/recipe.h"
#include "engine/torch_api.h"

namespace engine {

/// Where a run stands; saved with every checkpoint, so that a resumed run goes on bit for bit.
struct StageState {
  std::int64_t stage = 0;
  std::int64_t step = 0;        ///< optimizer steps done in this stage
  std::int64_t first_step = 0;  ///< global step at which the stage began
  std::int64_t evaluated = -1;  ///< stage step of the last evaluation
  bool finished = false;
  double rate_factor = 1;       ///< plateau
  double plateau_best = std::numeric_limits<double>::infinity();
  std::int64_t plateau_bad = 0;
  double stop_best = -std::numeric_limits<double>::infinity();
  std::int64_t stop_bad = 0;
  std::int64_t best_step = -1;  ///< global step of the best evaluation, -1: none yet

  std::int64_t global_step() const { return first_step + step; }
};

/// The rate of the step that comes after `step` done ones.
double learning_rate_at(const StageSpec& stage, const StageState& state, std::int64_t stage_steps);
/// Reduce-on-plateau: counts an evaluation; relative improvements below 1e-4 do not count.
/// Where the unit is epochs, only evaluations at an epoch's end count.
void note_validation(const StageSpec& stage, StageState& state, double loss, bool epoch_end);
/// Losses and perplexities.
bool lower_is_better(const std::string& metric);
/// "accuracy/hybrid + delta_la_na" → the sum of the named values; nothing where one is not measured.
std::optional<double> sum_of_metrics(const std::string& names, const std::map<std::string, double>& metrics);
/// Early stopping: true where the metric is the best so far. state.stop_bad counts the others.
bool note_metric(const StageSpec& stage, StageState& state, double metric);

/// SSD's draws of one micro-batch: [L,B,H] bool on the CPU; undefined for probability 0. sequence: one draw a sequence,
/// step: one an optimizer step, layer: one a layer and step, head: one a head, layer and step.
Tensor dropout_mask(const ScheduleSpec& schedule, double probability, std::int64_t seed, std::int64_t global_step,
                    std::int64_t micro, std::int64_t layers, std::int64_t batch, std::int64_t heads);

}  // namespace engine
