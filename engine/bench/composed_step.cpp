#include "engine/bench/composed_step.h"

#include "engine/attention/branches.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

Tensor norm(const Tensor& x, const Tensor& weight, double eps) {
  return weight * (x * at::rsqrt(x.square().mean(-1, true) + eps));
}

Tensor project(const Projection& p, const Tensor& x, bool adapters) {
  const Tensor y = at::linear(x, p.weight, p.bias.defined() ? std::optional<Tensor>(p.bias) : std::nullopt);
  if (!adapters || !p.lora_a.defined()) return y;
  return y + at::linear(at::linear(x, p.lora_a), p.lora_b) * p.lora_scale;
}

Heads heads(const Model& m, const Block& b, const Tensor& x, const std::pair<Tensor, Tensor>& turns, bool adapters) {
  auto split = [&](const Tensor& y, std::int64_t count) {
    return y.view({y.size(0), y.size(1), count, m.config.head_dim}).transpose(1, 2);
  };
  const Tensor q = split(project(b.q, x, adapters), m.config.heads), k = split(project(b.k, x, adapters), m.config.kv_heads);
  return {turned(q, turns), turned(k, turns), split(project(b.v, x, adapters), m.config.kv_heads), q, k};
}

Tensor finish(const Model& m, const Block& b, const Tensor& x, const Tensor& y, bool adapters) {
  const Tensor h = x + project(b.o, y.transpose(1, 2).reshape(x.sizes()), adapters);
  const Tensor n = norm(h, b.mlp_norm, m.config.norm_eps);
  return h + project(b.down, at::silu(project(b.gate, n, adapters)) * project(b.up, n, adapters), adapters);
}

AttentionCall call_of(const Workspace& work, std::size_t layer, Component component) {
  AttentionCall call = work.conversion.call(layer);
  call.component = component;
  call.composed = true;
  return call;
}

}  // namespace

void composed_transfer(const Workspace& work, const TransferLoss& loss, const MicroBatch& batch) {
  torch::NoGradGuard off;
  const Model& m = work.model;
  const auto turns = m.rotary(torch::arange(batch.ids.size(1)));
  Tensor x = at::embedding(m.embedding, batch.ids);
  const double share = 1 / static_cast<double>(m.blocks.size());
  for (std::size_t i = 0; i < m.blocks.size(); ++i) {
    const Block& b = m.blocks[i];
    const Heads h = heads(m, b, norm(x, b.attention_norm, m.config.norm_eps), turns, false);
    transfer_layer_loss(h.q, h.k, h.v, batch.valid, call_of(work, i, Component::hybrid), loss, share);
    if (i + 1 < m.blocks.size())
      x = finish(m, b, x, hybrid_attention(h.q, h.k, h.v, call_of(work, i, Component::teacher)), false);
  }
}

void composed_finetune(const Workspace& work, const MicroBatch& batch) {
  const Model& m = work.model;
  const auto turns = m.rotary(torch::arange(batch.ids.size(1)));
  Tensor x = at::embedding(m.embedding, batch.ids);
  for (std::size_t i = 0; i < m.blocks.size(); ++i) {
    const Block& b = m.blocks[i];
    const Heads h = heads(m, b, norm(x, b.attention_norm, m.config.norm_eps), turns, true);
    x = finish(m, b, x, hybrid_attention(h.q, h.k, h.v, call_of(work, i, Component::hybrid)), true);
  }
  const Tensor rows = norm(x, m.final_norm, m.config.norm_eps).flatten(0, 1).index_select(0, batch.predicting);
  const Tensor targets = batch.ids.flatten().index_select(0, batch.predicting + 1);
  at::cross_entropy_loss(at::linear(rows, m.head.weight), targets).backward();
}

}  // namespace engine
