#include "engine/attention/conversion.h"

#include <algorithm>
#include <cmath>

#include "engine/torch_api.h"

namespace engine {

AttentionCall Conversion::call(std::size_t layer) const {
  AttentionCall c;
  const LayerConversion& l = layers.at(layer);
  c.window = window;
  c.overlap = overlap;
  c.mixing = mixing;
  c.weight = weight;
  c.logit = l.mixing;
  c.sinks = sinks;
  c.composed = composed;
  c.query_map = &l.query_map;
  c.key_map = &l.key_map;
  return c;
}

std::map<std::string, Tensor> Conversion::tensors() const {
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string prefix = "maps." + std::to_string(i) + ".";
    const LayerConversion& l = layers[i];
    const bool tied = l.query_map.weight.defined() && l.query_map.weight.is_same(l.key_map.weight);
    auto add = [&](const std::string& name, const Tensor& t) {
      if (t.defined()) named[name] = t;
    };
    add(prefix + (tied ? "weight" : "q.weight"), l.query_map.weight);
    add(prefix + (tied ? "bias" : "q.bias"), l.query_map.bias);
    if (!tied) add(prefix + "k.weight", l.key_map.weight);
    if (!tied) add(prefix + "k.bias", l.key_map.bias);
    add("mixing." + std::to_string(i), l.mixing);
  }
  return named;
}

Conversion make_conversion(const AttentionSpec& spec, std::int64_t layers, std::int64_t heads, std::int64_t head_dim,
                           std::int64_t seed, const torch::Device& device) {
  Conversion c;
  c.window = spec.window;
  c.overlap = spec.linear_context == "overlap";
  c.mixing = mixing_from(spec.mixing.kind);
  c.weight = spec.mixing.weight;
  c.sinks = spec.sinks;
  const FeatureMapSpec& m = spec.feature_map;
  auto make_map = [&](std::uint64_t salt) {
    FeatureMap map;
    map.activation = activation_from(m.activation);
    map.negation = m.negation;
    if (m.learned) map.weight = map_start(m, heads, head_dim, seed, salt).to(device);
    if (m.learned && m.bias) map.bias = torch::zeros({heads, map.weight.size(2)}, map.weight.options());
    return map;
  };
  const double g = std::clamp(spec.mixing.weight, 1e-4, 1 - 1e-4);
  for (std::int64_t i = 0; i < layers; ++i) {
    LayerConversion layer;
    layer.query_map = make_map(static_cast<std::uint64_t>(2 * i));
    layer.key_map = m.tied ? layer.query_map : make_map(static_cast<std::uint64_t>(2 * i + 1));
    if (c.mixing != Mixing::fixed)
      layer.mixing = torch::full({heads}, std::log(g / (1 - g)), torch::TensorOptions().device(device));
    c.layers.push_back(layer);
  }
  return c;
}

}  // namespace engine
