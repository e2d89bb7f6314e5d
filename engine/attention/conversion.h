#pragma once
/// What a conversion adds to a model: a feature map for queries and one for keys in every layer, and mixing parameters.

#include <map>
#include <string>
#include <vector>

#include "engine/attention/hybrid_attention.h"
#include "engine/recipe.h"
#include "engine/torch_api.h"

namespace engine {

struct LayerConversion {
  FeatureMap query_map, key_map;  ///< share their tensors where tied
  Tensor mixing;                  ///< [H] logits, undefined for fixed mixing
};

struct Conversion {
  std::int64_t window = 64;
  bool overlap = false;
  bool composed = false;  ///< composed tensor operations in place of the kernels, to compare with
  Mixing mixing = Mixing::fixed;
  double weight = 0.5;
  std::int64_t sinks = 8;
  std::vector<LayerConversion> layers;

  /// The call of one layer, without component-specific settings.
  AttentionCall call(std::size_t layer) const;
  /// Trainable tensors by name: "maps.<l>.q.weight", "maps.<l>.k.bias", "mixing.<l>". The Tensor handles are shared.
  std::map<std::string, Tensor> tensors() const;
};

/// Maps at their start (identity plus seeded noise), float32 on `device`; mixing logits so that sigmoid gives the
/// recipe's weight.
Conversion make_conversion(const AttentionSpec& spec, std::int64_t layers, std::int64_t heads, std::int64_t head_dim,
                           std::int64_t seed, const torch::Device& device);

}  // namespace engine
