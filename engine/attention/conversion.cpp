#include "engine/attention/conversion.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

LinearForm linear_from(const AttentionSpec& spec) {
  LinearForm f;
  f.normaliser = spec.linear.normaliser == "none"         ? Normaliser::none
                 : spec.linear.normaliser == "group-norm" ? Normaliser::group_norm
                                                          : Normaliser::sum;
  f.decay = spec.mixing.kind == "gla" ? Decay::gate : spec.linear.decay == "slopes" ? Decay::slopes : Decay::none;
  f.epsilon = spec.linear.epsilon;
  f.empty_rows_keep_g = spec.linear.empty_rows == "mixing";
  return f;
}

WindowLayout layout_from(const std::string& name) {
  if (name == "terraced") return WindowLayout::terraced;
  return name == "terraced-as-published" ? WindowLayout::terraced_as_published : WindowLayout::sliding;
}

/// The settings that are the same for every layer.
Conversion common(const AttentionSpec& spec) {
  Conversion c;
  c.overlap = spec.linear_context == "overlap";
  c.layout = layout_from(spec.window_layout);
  c.mixing = mixing_from(spec.mixing.kind);
  c.mixing_trainable = spec.mixing.trainable;
  c.affine = spec.mixing.affine;
  c.weight = spec.mixing.weight;
  c.linear = linear_from(spec);
  c.gate_divisor = spec.linear.gate_divisor;
  const std::string& rope = spec.feature_map.rope;
  c.map_rotary = rope == "after" ? MapRotary::after : rope == "none" ? MapRotary::none : MapRotary::before;
  c.window_counts_query = spec.window_counts_query;
  c.sinks = spec.sinks;
  c.sums = spec.precision == "float64" ? torch::kFloat64 : spec.precision == "model" ? torch::ScalarType::Undefined : torch::kFloat32;
  return c;
}

void check_layers(const AttentionSpec& spec, const ConversionShape& s) {
  auto inside = [&](const char* key, const std::vector<std::int64_t>& list) {
    for (auto layer : list)
      if (layer >= s.layers)
        throw InputError(std::string("attention.") + key + ": layer " + std::to_string(layer) + " is not there; the model has layers 0 to " +
                         std::to_string(s.layers - 1));
  };
  inside("softmax_layers", spec.softmax_layers);
  inside("skipped_layers", spec.skipped_layers);
  if (!spec.layer_windows.empty() && std::ssize(spec.layer_windows) != s.layers)
    throw InputError("attention.layer_windows: " + std::to_string(spec.layer_windows.size()) + " windows for " + std::to_string(s.layers) +
                     " layers; give one each, or none");
}

void check_features(const AttentionSpec& spec, const ConversionShape& s) {
  const std::int64_t features = map_features(spec.feature_map, s.head_dim);
  if (spec.feature_map.rope == "after" && features != s.head_dim)
    throw InputError("attention.feature_map.rope: after needs as many features as a head has dimensions (" + std::to_string(s.head_dim) +
                     "), this map has " + std::to_string(features) + "; use size square without negation");
  if (spec.mixing.kind == "gla" && features % s.head_dim != 0)
    throw InputError("attention.mixing.kind: gla gates each of a key's " + std::to_string(s.head_dim) + " dimensions, this map has " +
                     std::to_string(features) + " features; use the liger map, or size square");
  if (spec.feature_map.tied && spec.feature_map.sharing == "model" && s.heads != s.kv_heads)
    throw InputError("attention.feature_map.tied: with grouped queries the joined map of " + std::to_string(s.kv_heads) +
                     " key heads is smaller than that of " + std::to_string(s.heads) + " query heads; set tied: false");
}

}  // namespace

Mixing mixing_from(const std::string& name) {
  if (name == "fixed" || name == "gla") return Mixing::fixed;
  if (name == "learned") return Mixing::learned;
  if (name == "gated") return Mixing::gated;
  if (name == "shared-denominator") return Mixing::shared_denominator;
  throw InputError("unknown mixing \"" + name + "\"; expected fixed, learned, gated, shared-denominator or gla");
}

AttentionCall Conversion::call(std::size_t layer) const {
  const LayerConversion& l = layers.at(layer);
  AttentionCall c;
  c.window = l.window + (window_counts_query ? 0 : 1);
  c.layout = layout;
  c.overlap = overlap;
  c.mixing = mixing;
  c.weight = weight;
  c.logit = l.mixing;
  c.affine = affine;
  c.alone_keeps_g = alone_keeps_g;
  c.sinks = sinks;
  c.composed = composed;
  c.query_map = &l.query_map;
  c.key_map = &l.key_map;
  c.linear = linear;
  c.sums = sums;
  return c;
}

AttentionCall Conversion::call(std::size_t layer, Component component, std::int64_t window, const LayerInputs& in) const {
  const LayerConversion& l = layers.at(layer);
  AttentionCall c = call(layer);
  c.component = component;
  if (component != Component::teacher && l.kind != LayerKind::converted)
    c.component = l.kind == LayerKind::softmax ? Component::teacher : Component::none;
  if (window > 0) c.window = window + (window_counts_query ? 0 : 1);
  if (c.component == Component::teacher || c.component == Component::none) return c;
  if (map_rotary != MapRotary::before) c.linear_q = in.raw_q, c.linear_k = in.raw_k;
  else if (l.key_map.sharing == FeatureMap::Sharing::model) c.linear_q = in.q, c.linear_k = in.k;  // joined heads are read before they are repeated
  if (map_rotary == MapRotary::after) c.feature_turns = in.turns;
  if (mixing == Mixing::gated)
    c.gate = at::linear(in.x.to(l.gate.dtype()), l.gate, l.mixing).sigmoid().transpose(1, 2);  // [B,H,T]
  if (linear.decay == Decay::gate) c.log_gate = at::log_sigmoid(in.raw_k.to(torch::kFloat32)) / gate_divisor;
  return c;
}

std::map<std::string, Tensor> Conversion::tensors() const {
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string prefix = "maps." + std::to_string(i) + ".";
    const LayerConversion& l = layers[i];
    if (l.kind != LayerKind::converted) continue;
    const bool tied = l.query_map.weight.defined() && l.query_map.weight.is_same(l.key_map.weight);
    auto add = [&](const std::string& name, const Tensor& t) {
      if (t.defined()) named[name] = t;
    };
    add(prefix + (tied ? "weight" : "q.weight"), l.query_map.weight);
    add(prefix + (tied ? "bias" : "q.bias"), l.query_map.bias);
    if (!tied) add(prefix + "k.weight", l.key_map.weight);
    if (!tied) add(prefix + "k.bias", l.key_map.bias);
    add("mixing." + std::to_string(i), l.mixing);
    add("mixing." + std::to_string(i) + ".gate", l.gate);
  }
  return named;
}

bool Conversion::by_age() const { return linear.decay != Decay::gate && layout != WindowLayout::terraced_as_published; }

std::int64_t Conversion::converted_layers() const {
  return std::max<std::int64_t>(1, std::ranges::count(layers, LayerKind::converted, &LayerConversion::kind));
}

Conversion make_conversion(const AttentionSpec& spec, const ConversionShape& shape, std::int64_t seed, const torch::Device& device) {
  check_layers(spec, shape);
  check_features(spec, shape);
  Conversion c = common(spec);
  auto make_map = [&](std::int64_t heads, std::int64_t salt) {
    FeatureMap map = map_start(spec.feature_map, heads, shape.head_dim, seed, static_cast<std::uint64_t>(salt));
    if (map.weight.defined()) map.weight = map.weight.to(device);
    if (map.bias.defined()) map.bias = map.bias.to(device);
    return map;
  };
  const bool joined = spec.feature_map.sharing == "model";
  const double g = std::clamp(spec.mixing.weight, 1e-4, 1 - 1e-4);
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(device);
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    LayerConversion layer;
    if (std::ranges::count(spec.softmax_layers, i) > 0) layer.kind = LayerKind::softmax;
    if (std::ranges::count(spec.skipped_layers, i) > 0) layer.kind = LayerKind::skipped;
    layer.window = spec.layer_windows.empty() ? spec.window : spec.layer_windows[static_cast<std::size_t>(i)];
    layer.query_map = make_map(shape.heads, 2 * i);
    layer.key_map = spec.feature_map.tied ? layer.query_map : make_map(joined ? shape.kv_heads : shape.heads, 2 * i + 1);
    if (c.mixing != Mixing::fixed) layer.mixing = torch::full({shape.heads}, std::log(g / (1 - g)), options);
    if (c.mixing == Mixing::gated) layer.gate = torch::zeros({shape.heads, shape.width}, options);
    c.layers.push_back(layer);
  }
  return c;
}

}  // namespace engine
