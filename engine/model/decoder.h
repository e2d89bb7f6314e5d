#pragma once
/// The decoder: Llama's block (RMSNorm, rotary grouped-query attention, SwiGLU), read like the paper's picture. Plain
/// structs; whoever holds the Model owns its tensors. One thread.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/attention/hybrid_attention.h"
#include "engine/model/config.h"
#include "engine/torch_api.h"

namespace engine {

/// LoRA's dropout on the inputs of adapters: draws are a function of the seed and of the adapter's place alone.
struct AdapterDropout {
  double probability = 0;
  std::uint64_t seed = 0;
};

/// Whether adapters are on, and for which one dropout draws.
struct AdapterUse {
  AdapterUse(bool on_) : on(on_) {}  // NOLINT: a plain switch for most callers
  bool on;
  bool learning = false;  ///< part of a pass whose gradients are wanted: merged with their weights where they can be (adapted.h)
  const AdapterDropout* dropout = nullptr;
  std::uint64_t place = 0;

  AdapterUse at(std::uint64_t target) const;  ///< of one of a block's seven projections
  bool drops() const { return dropout && dropout->probability > 0; }
};

/// y = x Wᵀ + b, plus (α/r)·x Aᵀ Bᵀ where an adapter is set and switched on.
struct Projection {
  Tensor weight;  ///< [out, in]
  Tensor bias;    ///< [out] or undefined
  Tensor lora_a;  ///< [r, in] or undefined
  Tensor lora_b;  ///< [out, r]
  double lora_scale = 0;

  Tensor operator()(const Tensor& x, const AdapterUse& use) const;
};

struct Block {
  Tensor attention_norm, mlp_norm;  ///< [M]
  Projection q, k, v, o, gate, up, down;
};

/// SSD's draws for one micro-batch: [L,B,H] bool on the CPU; undefined: nothing dropped.
struct DropPlan {
  Tensor mask;
  bool linear_outside = false;
  bool keeps_g = false;  ///< linear attention alone then keeps its weight 1 − g
};

/// One block's q [B,H,T,D], k and v [B,G,T,D], RoPE applied.
struct Heads {
  Tensor q, k, v;
  Tensor raw_q{}, raw_k{};  ///< before RoPE
};

/// How a forward pass computes its attention.
struct ForwardOptions {
  Component component = Component::teacher;
  std::int64_t window = 0;  ///< 0: the conversion's
  std::int64_t sinks = 8;
  const DropPlan* drop = nullptr;
  const AdapterDropout* adapter_dropout = nullptr;
  bool adapters_on_teacher = false;  ///< component teacher with the adapters on: softmax with the trained weights
  std::vector<BranchNorms>* norms = nullptr;  ///< resized to L and filled
  /// Each block keeps its input alone for the backward pass, which computes the block again: the same draws, the same bits.
  /// What these options point to, and the conversion, must then outlive the backward pass.
  bool recompute = false;
  Tensor counted;    ///< [B,T] bool, the tokens that norms count; undefined: all
  Tensor positions;  ///< [T] or [B,T] int64 on the CPU, each token's position; undefined: 0…T−1
  /// [P] int64 on the model's device, rows · T + token: only these leave the last block, hidden() returns [P,M].
  /// Undefined: all of them.
  Tensor keep;
  /// Computes a layer's attention [B,H,T,D] in place of hybrid_attention (a prefix tree, decoding); empty: not replaced.
  std::function<Tensor(std::size_t layer, const Heads&, const AttentionCall&)> attend;
  /// Called with (layer, attention block's output after the output projection [B,T,M]).
  std::function<void(std::int64_t, const Tensor&)> on_attention;
};

struct Model {
  ModelConfig config;
  Tensor embedding;  ///< [V,M]
  std::vector<Block> blocks;
  Tensor final_norm;      ///< [M]
  Projection head;        ///< weight is `embedding` where tied
  Tensor inverse_frequencies;  ///< [D/2] float32 on the CPU

  /// Of activations; Undefined: the weights'. Weights that train in bfloat16 are float32 masters, cast where they are used.
  torch::Dtype compute = torch::ScalarType::Undefined;

  torch::Device device() const { return embedding.device(); }
  torch::Dtype activation_dtype() const { return compute == torch::ScalarType::Undefined ? embedding.scalar_type() : compute; }
  Tensor embed(const Tensor& ids) const { return at::embedding(embedding, ids).to(activation_dtype()); }  ///< [B,T] → [B,T,M]
  /// ids [B,T] int64 on the model's device → final hidden states [B,T,M] (ForwardOptions::keep: [P,M]) after the last norm. `conversion` may be null
  /// for components that need no feature map. Adapters are on for every component but teacher.
  Tensor hidden(const Tensor& ids, const Conversion* conversion, const ForwardOptions& options) const;
  /// The block at `index`: x [B,T,M] → [B,T,M] (the last one: ForwardOptions::keep).
  Tensor block(std::size_t index, const Tensor& x, const Conversion* conversion, const ForwardOptions& options,
               const std::pair<Tensor, Tensor>& rotary, AdapterUse adapters) const;
  Tensor logits(const Tensor& hidden_states) const;  ///< [...,M] → [...,V] in the model's dtype

  /// cos and sin (times YaRN's factor) [T,D] (for positions [B,T]: [B,1,T,D]) float32 on the model's device. `positions` int64 on the CPU.
  std::pair<Tensor, Tensor> rotary(const Tensor& positions) const;
  Heads heads(const Block& block, const Tensor& normed, const std::pair<Tensor, Tensor>& rotary, const AdapterUse& use) const;
  Tensor finish_block(const Block& block, const Tensor& x, const Tensor& attention_output, const AdapterUse& use) const;
  Tensor normalise(const Tensor& x, const Tensor& weight) const;  ///< RMSNorm, computed in float32 (float64 for float64)

  /// Every weight by its Hugging Face name ("model.layers.0.self_attn.q_proj.weight"); the head left out where tied.
  std::map<std::string, Tensor*> weights();
  void cast(torch::Dtype dtype, const torch::Device& device);
};

/// A model with blocks and empty tensors, ready to be filled.
Model make_model(const ModelConfig& config);

}  // namespace engine
