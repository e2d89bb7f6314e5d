#pragma once
/// A recipe's model, conversion and tokenizer in memory: what training, evaluation and generation start from.

#include <filesystem>
#include <map>
#include <string>

#include "engine/attention/conversion.h"
#include "engine/data/tokenizer.h"
#include "engine/model/decoder.h"
#include "engine/recipe.h"
#include "engine/torch_api.h"

namespace engine {

struct Workspace {
  torch::Device device = torch::kCPU;
  torch::Dtype dtype = torch::kFloat32;
  Model model;
  Conversion conversion;
  Tokenizer tokenizer;

  /// Every tensor that any stage of the recipe trains: feature maps, mixing, adapters, or all weights.
  std::map<std::string, Tensor> trained(const Recipe& recipe);
  /// Copies values into the tensors of the same names. Throws InputError where one is missing or mis-shaped.
  void restore(const Recipe& recipe, const std::map<std::string, Tensor>& values);
  /// Begins with another run's tensors: each must have its place here; what `values` lacks stays at its start. `source`
  /// goes into messages. Throws InputError and changes nothing where one does not fit.
  void start_from(const Recipe& recipe, const std::map<std::string, Tensor>& values, const std::string& source);
};

/// Loads the model, makes the conversion's start and adds the adapters that some stage asks for (they begin at zero
/// effect). Sets the number of CPU threads. Throws InputError.
Workspace open_workspace(const Recipe& recipe);

bool trains_all_weights(const Recipe& recipe);

}  // namespace engine
