#pragma once
/// A run without a model: emits what a real one would, in plausible shapes, as fast as asked.
/// Deterministic.

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/recipe.h"
#include "engine/session.h"

namespace support {

/// Moments of a scripted run: "start" (before RunStarted), "stage" (after StageStarted), "step"
/// (middle of a stage), "evaluation", "checkpoint" (before it is written), "end" (all work done).
struct Script {
  std::int64_t steps = 24;  ///< optimizer steps of each stage of the recipe
  std::int64_t every = 8;   ///< steps between evaluations, each followed by a checkpoint
  int delay_ms = 0;         ///< per step
  int layers = 4;
  int examples = 50;  ///< per task
  enum class Failure { input, other, memory, unknown } failure = Failure::other;
  std::string fail_at = {};  ///< the moment at which it throws; empty: never
  std::string wait_at =
      {};  ///< the moment at which it waits until it is asked to stop; empty: never
};

engine::Execute scripted(Script script = {});

/// A valid recipe of one transfer and one finetune stage.
engine::Recipe small_recipe(const std::string& name = "scripted");

/// Paths of a store in `folder`.
engine::Paths paths_in(const std::filesystem::path& folder);

}  // namespace support
