#pragma once
/// Shared by the recipe's own .cpp files only.

#include <filesystem>
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
/// Keys that decide which other keys exist or what their defaults are have the lower rank and are set first.
int key_rank(const std::string& path);
/// Why a text is not given to the YAML library (too long, nested too deeply); nothing where it may read it.
std::optional<std::string> unreadable_yaml(const std::string& text);
/// The bytes of a file, of which no more are read than make it too long; nothing where it cannot be read.
std::optional<std::string> recipe_file_text(const std::filesystem::path& file);

}  // namespace engine
