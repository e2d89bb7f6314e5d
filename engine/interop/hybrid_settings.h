#pragma once
/// hybrid.json of an exported folder: how the attention was converted. No torch.

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/recipe.h"

namespace engine {

struct HybridSettings {
  Recipe recipe;                     ///< its attention and adapters are what counts
  std::string run;                   ///< the run's name
  std::int64_t step = 0, stage = 0;  ///< of the checkpoint
  std::string adapters;              ///< none, merged, or the folder that holds them ("adapter")
  bool trained_weights = false;
};

/// The file's text: "attention" has the recipe's attention block key by key, "tensors" explains
/// hybrid.safetensors.
std::string hybrid_json(const HybridSettings& settings);

/// A recipe to go on from an exported folder: its model, its attention, its adapters (where they
/// are not merged) in one fine-tuning stage, and start_from. Throws InputError with file and place.
Recipe recipe_of_export(const std::filesystem::path& folder);

}  // namespace engine
