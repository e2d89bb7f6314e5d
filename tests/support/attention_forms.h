#pragma once
/// One attention setting for every way in which a method may differ from the plain hybrid.

#include <string>
#include <utility>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/model/config.h"
#include "engine/recipe.h"
#include "engine/recipe_internal.h"
#include "engine/torch_api.h"

namespace support {

using Forms = std::vector<std::pair<std::string, engine::AttentionSpec>>;

/// All with the same window; for models of two layers.
inline Forms attention_forms(std::int64_t window) {
  Forms forms;
  auto add = [&](const char* name, auto change) {
    engine::AttentionSpec spec;
    spec.window = window;
    change(spec);
    forms.emplace_back(name, spec);
  };
  auto liger = [](engine::AttentionSpec& s) {
    s.feature_map = *engine::feature_map_preset("liger");
    s.mixing.kind = "gla";
    s.linear.normaliser = "none";
  };
  add("gated", [](auto& s) { s.mixing.kind = "gated"; });
  add("affine", [](auto& s) { s.mixing = {"shared-denominator", 0.3, true, true}; });
  add("liger", [&](auto& s) { liger(s), s.linear_context = "overlap"; });
  add("liger-outside", [&](auto& s) { liger(s), s.linear.gate_divisor = 1; });
  add("slopes", [](auto& s) { s.linear.decay = "slopes"; });
  add("supra", [](auto& s) {
    s.feature_map = *engine::feature_map_preset("supra");
    s.feature_map.tied = false;
    s.linear.normaliser = "group-norm", s.linear.decay = "slopes";
  });
  add("fla", [](auto& s) { s.feature_map = *engine::feature_map_preset("hedgehog-fla"); });
  add("terraced", [](auto& s) { s.window_layout = "terraced"; });
  add("terraced-shared", [](auto& s) { s.window_layout = "terraced", s.mixing = {"shared-denominator", 0.1}; });
  add("empty-rows", [](auto& s) { s.linear.empty_rows = "mixing", s.mixing.weight = 0.3; });
  add("epsilon", [](auto& s) { s.linear.epsilon = 1e-3; });
  add("layers", [](auto& s) { s.softmax_layers = {0}, s.layer_windows = {40, 5}; });
  add("skipped", [](auto& s) { s.skipped_layers = {1}; });
  add("window-beside-query", [](auto& s) { s.window_counts_query = false; });
  return forms;
}

/// The spec's conversion with gates that do something.
inline engine::Conversion conversion_for(const engine::AttentionSpec& spec, const engine::ModelConfig& c) {
  engine::Conversion conversion = engine::make_conversion(spec, {c.layers, c.heads, c.kv_heads, c.head_dim, c.width}, 3, torch::kCPU);
  torch::manual_seed(11);
  for (auto& layer : conversion.layers)
    if (layer.gate.defined()) layer.gate = torch::randn_like(layer.gate) * 0.5;
  return conversion;
}

}  // namespace support
