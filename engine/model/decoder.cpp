#include "engine/model/decoder.h"

#include "engine/attention/branches.h"
#include "engine/model/config_rope.h"
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

}  // namespace

AdapterUse AdapterUse::at(std::uint64_t target) const {
  AdapterUse use = *this;
  use.place = place * k_projections + target;
  return use;
}

Tensor Projection::operator()(const Tensor& x, const AdapterUse& use) const {
  Tensor y = at::linear(x, weight, bias.defined() ? std::optional<Tensor>(bias) : std::nullopt);
  if (!use.on || !lora_a.defined()) return y;
  Tensor in = x.to(lora_a.dtype());
  if (use.dropout && use.dropout->probability > 0) in = thinned(in, use);
  return y + (at::linear(at::linear(in, lora_a), lora_b) * lora_scale).to(y.dtype());
}

Tensor Model::normalise(const Tensor& x, const Tensor& weight) const {
  const Tensor wide = x.dtype() == torch::kFloat64 ? x : x.to(torch::kFloat32);
  const Tensor scale = at::rsqrt(wide.square().mean(-1, true) + config.norm_eps);
  return weight * (wide * scale).to(x.dtype());
}

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
  auto split = [&](const Tensor& x, std::int64_t count) {
    return x.view({b, t, count, config.head_dim}).transpose(1, 2);  // [B,heads,T,D]
  };
  const Tensor q = split(block.q(normed, use.at(0)), config.heads), k = split(block.k(normed, use.at(1)), config.kv_heads);
  return {turned(q, rotary_), turned(k, rotary_), split(block.v(normed, use.at(2)), config.kv_heads), q, k};
}

Tensor Model::finish_block(const Block& block, const Tensor& x, const Tensor& attention_output, const AdapterUse& use) const {
  const Tensor h = x + attention_output;
  const Tensor n = normalise(h, block.mlp_norm);
  return h + block.down(activate(config.activation, block.gate(n, use.at(4))) * block.up(n, use.at(5)), use.at(6));
}

Tensor Model::hidden(const Tensor& ids, const Conversion* conversion, const ForwardOptions& options) const {
  AdapterUse adapters = options.component != Component::teacher || options.adapters_on_teacher;
  adapters.dropout = options.adapter_dropout;
  const auto turns = rotary(options.positions.defined() ? options.positions : torch::arange(ids.size(1)));
  if (options.norms) options.norms->resize(blocks.size());
  Tensor x = at::embedding(embedding, ids);  // [B,T,M]
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Block& block = blocks[i];
    adapters.place = i;
    const Tensor normed = normalise(x, block.attention_norm);
    const Heads h = heads(block, normed, turns, adapters);
    AttentionCall call;
    if (conversion) call = conversion->call(i, options.component, options.window, {normed, h.raw_q, h.raw_k, h.q, h.k, turns});
    else call.component = options.component, call.window = options.window > 0 ? options.window : call.window, call.sinks = options.sinks;
    call.teacher_window = config.teacher_windows.empty() ? 0 : config.teacher_windows[i];
    if (options.drop && options.drop->mask.defined()) {
      call.dropped = options.drop->mask.select(0, static_cast<std::int64_t>(i));
      call.linear_outside_when_dropped = options.drop->linear_outside;
      call.dropped_keeps_g = options.drop->keeps_g;
    }
    if (options.norms) call.norms = &(*options.norms)[i];
    call.counted = options.counted;
    const Tensor y = options.attend ? options.attend(i, h, call) : hybrid_attention(h.q, h.k, h.v, call);  // [B,H,T,D]
    Tensor rows = y.transpose(1, 2).reshape({ids.size(0), ids.size(1), -1});
    if (options.keep.defined() && i + 1 == blocks.size()) {
      rows = rows.flatten(0, 1).index_select(0, options.keep);
      x = x.flatten(0, 1).index_select(0, options.keep);
    }
    const Tensor out = block.o(rows, adapters.at(3));
    if (options.on_attention) options.on_attention(static_cast<std::int64_t>(i), out);
    x = finish_block(block, x, out, adapters);
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
