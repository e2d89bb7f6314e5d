#include "engine/model/decoder.h"

#include <algorithm>

#include "engine/model/adapted.h"
#include "engine/model/block_ops.h"
#include "engine/model/config_rope.h"
#include "engine/model/recompute.h"
#include "engine/random.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

Tensor activate(MlpActivation kind, const Tensor& x) {
  switch (kind) {
    case MlpActivation::silu: return at::silu(x);
    case MlpActivation::gelu: return at::gelu(x);
    case MlpActivation::gelu_tanh: return at::gelu(x, "tanh");
    case MlpActivation::quick_gelu: return x * at::sigmoid(x * 1.702);
    case MlpActivation::relu: return at::relu(x);
    case MlpActivation::relu_squared: return at::relu(x).square();
  }
  return {};
}

constexpr std::uint64_t k_projections = 7;  // of a block

/// x with some of its values dropped and the rest scaled up. Drawn on the CPU, so that every device drops the same.
Tensor thinned(const Tensor& x, const AdapterUse& use) {
  const double keep = 1 - use.dropout->probability;
  auto generator = at::detail::createCPUGenerator(mix64(use.dropout->seed ^ mix64(use.place)));
  const Tensor kept = at::bernoulli(torch::full(x.sizes(), keep, torch::kFloat32), generator);
  return x * (kept / keep).to(x.device(), x.scalar_type());
}

/// Projections of one input, the targets `first`, first + 1, … of a block.
std::vector<Tensor> project(const Tensor& x, std::initializer_list<const Projection*> all, const AdapterUse& use,
                            std::uint64_t first) {
  std::vector<const Projection*> merged;
  std::vector<Tensor> y;
  for (const Projection* p : all) {
    const bool merge = use.on && use.learning && !use.drops() && merges(*p) && p->weight.dtype() == x.dtype();
    if (merge) merged.push_back(p);
    y.push_back(merge ? Tensor() : (*p)(x, use.at(first + y.size())));
  }
  if (merged.empty()) return y;
  std::size_t next = 0;
  const std::vector<Tensor> found = adapted(x, merged);
  for (Tensor& t : y)
    if (!t.defined()) t = found[next++];
  return y;
}

/// The tensors of a block, and of its conversion, that learn.
std::vector<Tensor> learning_tensors(const Block& b, const LayerConversion* c) {
  std::vector<Tensor> all{b.attention_norm, b.mlp_norm};
  for (const Projection* p : {&b.q, &b.k, &b.v, &b.o, &b.gate, &b.up, &b.down})
    all.insert(all.end(), {p->weight, p->bias, p->lora_a, p->lora_b});
  if (c) all.insert(all.end(), {c->query_map.weight, c->query_map.bias, c->key_map.weight, c->key_map.bias, c->mixing, c->gate});
  std::vector<Tensor> learning;
  for (const Tensor& t : all) {
    const bool seen = std::any_of(learning.begin(), learning.end(), [&](const Tensor& l) { return l.is_same(t); });
    if (t.defined() && t.requires_grad() && !seen) learning.push_back(t);  // tied maps are one tensor
  }
  return learning;
}

}  // namespace

AdapterUse AdapterUse::at(std::uint64_t target) const {
  AdapterUse use = *this;
  use.place = place * k_projections + target;
  return use;
}

Tensor Projection::operator()(const Tensor& x, const AdapterUse& use) const {
  Tensor y = at::linear(x, weight.to(x.dtype()), bias.defined() ? std::optional<Tensor>(bias.to(x.dtype())) : std::nullopt);
  if (!use.on || !lora_a.defined()) return y;
  Tensor in = x.to(lora_a.dtype());
  if (use.drops()) in = thinned(in, use);
  return y + (at::linear(at::linear(in, lora_a), lora_b) * lora_scale).to(y.dtype());
}

Tensor Model::normalise(const Tensor& x, const Tensor& weight) const { return rms_norm(x, weight, config.norm_eps); }

std::pair<Tensor, Tensor> Model::rotary(const Tensor& positions) const {
  const Tensor angles = positions.to(torch::kFloat32).unsqueeze(-1) * inverse_frequencies;  // [...,T,D/2]
  Tensor both = at::cat({angles, angles}, -1);
  if (positions.dim() == 2) both = both.unsqueeze(1);
  const double scale = config.rope.attention_factor;
  return {(both.cos() * scale).to(device()), (both.sin() * scale).to(device())};
}

Heads Model::heads(const Block& block, const Tensor& normed, const std::pair<Tensor, Tensor>& rotary_,
                          const AdapterUse& use) const {
  const std::int64_t b = normed.size(0), t = normed.size(1);
  const std::vector<Tensor> qkv = project(normed, {&block.q, &block.k, &block.v}, use, 0);
  auto split = [&](const Tensor& x, std::int64_t count) { return x.view({b, t, count, config.head_dim}); };  // [B,T,heads,D]
  const Tensor q = split(qkv[0], config.heads), k = split(qkv[1], config.kv_heads), v = split(qkv[2], config.kv_heads);
  return {rotated_heads(q, rotary_), rotated_heads(k, rotary_), v.transpose(1, 2), q.transpose(1, 2), k.transpose(1, 2)};
}

Tensor Model::finish_block(const Block& block, const Tensor& x, const Tensor& attention_output, const AdapterUse& use) const {
  const Tensor h = x + attention_output;
  const std::vector<Tensor> inner = project(normalise(h, block.mlp_norm), {&block.gate, &block.up}, use, 4);
  const Tensor product = config.activation == MlpActivation::silu ? silu_product(inner[0], inner[1])
                                                                  : activate(config.activation, inner[0]) * inner[1];
  return h + project(product, {&block.down}, use, 6)[0];
}

Tensor Model::block(std::size_t index, const Tensor& x, const Conversion* conversion, const ForwardOptions& options,
                    const std::pair<Tensor, Tensor>& turns, AdapterUse adapters) const {
  const Block& b = blocks[index];
  adapters.place = index;
  const Tensor normed = normalise(x, b.attention_norm);
  const Heads h = heads(b, normed, turns, adapters);
  AttentionCall call;
  if (conversion) call = conversion->call(index, options.component, options.window, {normed, h.raw_q, h.raw_k, h.q, h.k, turns});
  else call.component = options.component, call.window = options.window > 0 ? options.window : call.window, call.sinks = options.sinks;
  call.teacher_window = config.teacher_windows.empty() ? 0 : config.teacher_windows[index];
  if (options.drop && options.drop->mask.defined()) {
    call.dropped = options.drop->mask.select(0, static_cast<std::int64_t>(index));
    call.linear_outside_when_dropped = options.drop->linear_outside;
    call.dropped_keeps_g = options.drop->keeps_g;
  }
  if (options.norms) call.norms = &(*options.norms)[index];
  call.counted = options.counted;
  const Tensor y = options.attend ? options.attend(index, h, call) : hybrid_attention(h.q, h.k, h.v, call);  // [B,H,T,D]
  Tensor rows = y.transpose(1, 2).reshape({x.size(0), x.size(1), -1}), through = x;
  if (options.keep.defined() && index + 1 == blocks.size()) {
    rows = rows.flatten(0, 1).index_select(0, options.keep);
    through = x.flatten(0, 1).index_select(0, options.keep);
  }
  const Tensor out = project(rows, {&b.o}, adapters, 3)[0];
  if (options.on_attention) options.on_attention(static_cast<std::int64_t>(index), out);
  return finish_block(b, through, out, adapters);
}

Tensor Model::hidden(const Tensor& ids, const Conversion* conversion, const ForwardOptions& options) const {
  AdapterUse adapters = options.component != Component::teacher || options.adapters_on_teacher;
  adapters.dropout = options.adapter_dropout;
  adapters.learning = at::GradMode::is_enabled();
  const auto turns = rotary(options.positions.defined() ? options.positions : torch::arange(ids.size(1)));
  if (options.norms) options.norms->resize(blocks.size());
  Tensor x = embed(ids);  // [B,T,M]
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (!options.recompute || !adapters.learning) {
      x = block(i, x, conversion, options, turns, adapters);
      continue;
    }
    x = recomputed([=, this](const Tensor& in) { return block(i, in, conversion, options, turns, adapters); }, x,
                   learning_tensors(blocks[i], conversion ? &conversion->layers[i] : nullptr));
  }
  return normalise(x, final_norm);
}

Tensor Model::logits(const Tensor& hidden_states) const { return head(hidden_states, false); }

std::map<std::string, Tensor*> Model::weights() {
  std::map<std::string, Tensor*> named;
  auto projection = [&](const std::string& name, Projection& p, bool bias) {
    named[name + ".weight"] = &p.weight;
    if (bias) named[name + ".bias"] = &p.bias;
  };
  named["model.embed_tokens.weight"] = &embedding;
  named["model.norm.weight"] = &final_norm;
  if (!config.tied_embeddings) named["lm_head.weight"] = &head.weight;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    Block& b = blocks[i];
    named[prefix + "input_layernorm.weight"] = &b.attention_norm;
    named[prefix + "post_attention_layernorm.weight"] = &b.mlp_norm;
    projection(prefix + "self_attn.q_proj", b.q, config.qkv_bias);
    projection(prefix + "self_attn.k_proj", b.k, config.qkv_bias);
    projection(prefix + "self_attn.v_proj", b.v, config.qkv_bias);
    projection(prefix + "self_attn.o_proj", b.o, config.output_bias);
    projection(prefix + "mlp.gate_proj", b.gate, config.mlp_bias);
    projection(prefix + "mlp.up_proj", b.up, config.mlp_bias);
    projection(prefix + "mlp.down_proj", b.down, config.mlp_bias);
  }
  return named;
}

void Model::cast(torch::Dtype dtype, const torch::Device& to) {
  for (auto& [name, tensor] : weights()) *tensor = tensor->to(to, dtype);
  compute = dtype;
  if (config.tied_embeddings) head.weight = embedding;
}

Model make_model(const ModelConfig& config) {
  Model m;
  m.config = config;
  m.blocks.resize(static_cast<std::size_t>(config.layers));
  m.inverse_frequencies = torch::tensor(rope_frequencies(config.rope, config.head_dim));
  return m;
}

}  // namespace engine
