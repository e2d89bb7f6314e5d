#pragma once
/// Recipes of other programs read as recipes of this one: LoLCATs' model and experiment files
/// (HazyResearch/lolcats, configs/), Liger's configs/liger_gla.yaml and its re-implementation of
/// LoLCATs (OpenSparseLLMs/Linearization). No torch.

#include <filesystem>
#include <string>
#include <vector>

#include "engine/recipe.h"

namespace engine {

enum class Reading {
  understood,  ///< it became the key beside it, or means what is the case here anyway
  ignored,     ///< it changes nothing here; `why` says why not
  ambiguous,   ///< it can mean several things or has no equal here; `why` says what was chosen
};
const char* to_string(Reading reading);

struct ForeignField {
  /// As written. Path "(code)": what the other program's code fixes, not its file.
  std::string file, path, value;
  Reading reading = Reading::ignored;
  std::string became;  ///< "attention.window = 64", several joined by ", "; empty: no key
  std::string why;
};

struct ForeignRecipe {
  Recipe recipe;
  std::vector<ForeignField> fields;  ///< every field of every file, in their order
  std::vector<Problem> problems;     ///< what could not be read; then `recipe` is not to be used
  std::vector<Problem> unsettled;    ///< what check() says it still needs before it can run
};

struct ForeignFile {
  std::string name, text;
};

/// Model file and experiment files together: a model file gives the attention, each experiment file
/// a stage (transfers before fine-tuning), a Liger file both. Never throws.
ForeignRecipe read_foreign_recipe(const std::vector<ForeignFile>& files);

}  // namespace engine
