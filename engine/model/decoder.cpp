#include "engine/model/decoder.h"

#include "engine/model/config_rope.h"
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

Tensor rotate(const Tensor& x, const std::pair<Tensor, Tensor>& rotary) {
  const std::int64_t half = x.size(-1) / 2;
  const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  // Both halves turn by the same angles.
  const Tensor cos = rotary.first.narrow(-1, 0, half).to(x.dtype()), sin = rotary.second.narrow(-1, 0, half).to(x.dtype());
  return at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
}

}  // namespace

Tensor Projection::operator()(const Tensor& x, bool with_lora) const {
  Tensor y = at::linear(x, weight, bias.defined() ? std::optional<Tensor>(bias) : std::nullopt);
  if (with_lora && lora_a.defined())
    y = y + (at::linear(at::linear(x.to(lora_a.dtype()), lora_a), lora_b) * lora_scale).to(y.dtype());
  return y;
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
                          bool with_lora) const {
  const std::int64_t b = normed.size(0), t = normed.size(1);
  auto split = [&](const Tensor& x, std::int64_t count) {
    return x.view({b, t, count, config.head_dim}).transpose(1, 2);  // [B,heads,T,D]
  };
  return {rotate(split(block.q(normed, with_lora), config.heads), rotary_),
          rotate(split(block.k(normed, with_lora), config.kv_heads), rotary_),
          split(block.v(normed, with_lora), config.kv_heads)};
}

Tensor Model::finish_block(const Block& block, const Tensor& x, const Tensor& attention_output, bool with_lora) const {
  const Tensor h = x + attention_output;
  const Tensor n = normalise(h, block.mlp_norm);
  return h + block.down(activate(config.activation, block.gate(n, with_lora)) * block.up(n, with_lora), with_lora);
}

Tensor Model::hidden(const Tensor& ids, const Conversion* conversion, const ForwardOptions& options) const {
  const bool with_lora = options.component != Component::teacher;
  const auto turns = rotary(options.positions.defined() ? options.positions : torch::arange(ids.size(1)));
  if (options.norms) options.norms->resize(blocks.size());
  Tensor x = at::embedding(embedding, ids);  // [B,T,M]
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const Block& block = blocks[i];
    const Heads h = heads(block, normalise(x, block.attention_norm), turns, with_lora);
    AttentionCall call = conversion ? conversion->call(i) : AttentionCall{};
    call.component = options.component;
    call.teacher_window = config.teacher_windows.empty() ? 0 : config.teacher_windows[i];
    if (options.window > 0) call.window = options.window;
    if (!conversion) call.sinks = options.sinks;
    if (options.drop && options.drop->mask.defined()) {
      call.dropped = options.drop->mask.select(0, static_cast<std::int64_t>(i));
      call.linear_outside_when_dropped = options.drop->linear_outside;
    }
    if (options.norms) call.norms = &(*options.norms)[i];
    call.counted = options.counted;
    const Tensor y = options.attend ? options.attend(i, h, call) : hybrid_attention(h.q, h.k, h.v, call);  // [B,H,T,D]
    Tensor rows = y.transpose(1, 2).reshape({ids.size(0), ids.size(1), -1});
    if (options.keep.defined() && i + 1 == blocks.size()) {
      rows = rows.flatten(0, 1).index_select(0, options.keep);
      x = x.flatten(0, 1).index_select(0, options.keep);
    }
    const Tensor out = block.o(rows, with_lora);
    if (options.on_attention) options.on_attention(static_cast<std::int64_t>(i), out);
    x = finish_block(block, x, out, with_lora);
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
