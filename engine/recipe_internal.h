#pragma once
/// Shared by the recipe's own .cpp files only.

#include <optional>
#include <string>
#include <vector>

#include "engine/recipe.h"

namespace engine {

std::optional<FeatureMapSpec> feature_map_preset(const std::string& name);
const std::vector<std::string>& feature_map_preset_names();
StageSpec stage_defaults(const std::string& kind);
/// "window" for "widnow": the known word at the least edit distance; empty where none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace engine
