#pragma once
/// What evaluation, generation and diagnosis look at: a recipe's model with one of its checkpoints. No torch.

#include <filesystem>
#include <optional>

#include "engine/recipe.h"

namespace engine {

/// A recipe's model, and the checkpoint whose trained tensors go on top (nothing: the conversion's start).
struct Subject {
  Recipe recipe;
  std::optional<std::filesystem::path> checkpoint;
  std::filesystem::path cache{};  ///< Paths::cache; needed where perplexity is measured on files
};

}  // namespace engine
