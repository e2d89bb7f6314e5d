#pragma once
/// What a conversion adds to a model: a feature map for queries and one for keys in every layer, and mixing parameters.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/attention/hybrid_attention.h"
#include "engine/recipe.h"
#include "engine/torch_api.h"

namespace engine {

/// What becomes of a layer: converted; the teacher's softmax in every component; or its attention left out.
enum class LayerKind { converted, softmax, skipped };
/// Whether φ's input or output carries positions.
enum class MapRotary { before, after, none };

struct LayerConversion {
  LayerKind kind = LayerKind::converted;
  std::int64_t window = 64;       ///< keys, the query itself included
  FeatureMap query_map, key_map;  ///< share their tensors where tied
  Tensor mixing;                  ///< [H] logits; undefined for fixed mixing
  Tensor gate;                    ///< [H,M], Mixing::gated: g_t = sigmoid(gate·x_t + mixing), x the attention's input
};

/// The tensors of one layer that an attention call may need beside q, k and v.
struct LayerInputs {
  const Tensor& x;            ///< [B,T,M] the attention's input, after its norm
  const Tensor &raw_q, &raw_k;  ///< [B,H,T,D] and [B,G,T,D] before RoPE
  const Tensor &q, &k;        ///< with RoPE
  const std::pair<Tensor, Tensor>& turns;  ///< cos and sin
};

struct Conversion {
  bool overlap = false;
  WindowLayout layout = WindowLayout::sliding;
  bool composed = false;  ///< composed tensor operations in place of the kernels, to compare with
  Mixing mixing = Mixing::fixed;
  bool mixing_trainable = true, affine = false;
  double weight = 0.5;
  LinearForm linear;
  double gate_divisor = 16;       ///< Decay::gate
  MapRotary map_rotary = MapRotary::before;
  bool window_counts_query = true;
  bool alone_keeps_g = false;     ///< EvaluationSpec::ablation_weights, set by who evaluates
  std::int64_t sinks = 8;
  torch::Dtype sums = torch::kFloat32;
  std::vector<LayerConversion> layers;

  /// The call of one layer without component and without what depends on the layer's input.
  AttentionCall call(std::size_t layer) const;
  /// The call of one layer in a component, with what depends on the layer's input. `window` 0: the layer's own. A layer
  /// that is not converted answers with softmax or nothing, whatever the component.
  AttentionCall call(std::size_t layer, Component component, std::int64_t window, const LayerInputs& inputs) const;
  /// Tensors that any stage may train, by name: "maps.<l>.q.weight", "maps.<l>.k.bias", "mixing.<l>", "mixing.<l>.gate".
  /// The Tensor handles are shared.
  std::map<std::string, Tensor> tensors() const;
  /// Every component's calls tell keys by age (AttentionCall::by_age).
  bool by_age() const;
  std::int64_t converted_layers() const;  ///< at least 1, so that it can be divided by
};

Mixing mixing_from(const std::string& name);  ///< throws InputError; gla mixes as fixed does

struct ConversionShape {
  std::int64_t layers, heads, kv_heads, head_dim;
  std::int64_t width = 0;  ///< M, of the layer's input; read by gated mixing
};
/// Maps at their start, float32 on `device`; mixing logits so that sigmoid gives the spec's weight, gates at 0.
/// Throws InputError where the spec's layers or features do not fit the model.
Conversion make_conversion(const AttentionSpec& spec, const ConversionShape& shape, std::int64_t seed, const torch::Device& device);

}  // namespace engine
