#include "engine/model/decoding.h"

#include <algorithm>

#include "engine/attention/masked_attention.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

bool has_state(Component c) {
  return c == Component::linear || c == Component::linear_outside || c == Component::hybrid ||
         c == Component::hybrid_overlap;
}

bool has_sinks(Component c) { return c == Component::sinks || c == Component::swa_sinks; }

/// Whether the linear branch sees keys from age 0 on, not only those behind the window.
bool sees_window(const AttentionCall& call) {
  return call.component == Component::linear || call.component == Component::hybrid_overlap ||
         (call.component == Component::hybrid && call.overlap);
}

}  // namespace

Decoding::Decoding(const Model& model, const Conversion* conversion, const ForwardOptions& options, std::int64_t capacity)
    : model_(model), conversion_(conversion), options_(options), capacity_(capacity), layers_(model.blocks.size()) {}

std::int64_t Decoding::ring_size(const AttentionCall& call) const {
  switch (call.component) {
    case Component::teacher: return call.teacher_window > 0 ? std::min(call.teacher_window, capacity_) : capacity_;
    case Component::linear:
    case Component::sinks:
    case Component::none: return 0;
    default: return call.window;
  }
}

void Decoding::remember(Memory& m, const Heads& h, const AttentionCall& call) {
  const std::int64_t b = h.k.size(0), groups = h.k.size(1), t = h.k.size(2), d = h.k.size(3);
  m.ring = ring_size(call);
  if (m.ring > 0) {
    const std::int64_t n = std::min(m.ring, t);
    const Tensor slots = torch::arange(t - n, t, torch::TensorOptions().dtype(torch::kInt64).device(h.k.device())).remainder(m.ring);
    m.k = torch::zeros({b, groups, m.ring, d}, h.k.options());
    m.v = torch::zeros_like(m.k);
    m.k.index_copy_(2, slots, h.k.narrow(2, t - n, n));
    m.v.index_copy_(2, slots, h.v.narrow(2, t - n, n));
  }
  if (has_sinks(call.component)) {
    const std::int64_t n = std::min(call.sinks, t);
    m.sink_k = h.k.narrow(2, 0, n).clone();
    m.sink_v = h.v.narrow(2, 0, n).clone();
  }
  if (has_state(call.component)) {
    const std::int64_t n = sees_window(call) ? t : std::max<std::int64_t>(0, t - call.window);
    m.state = linear_state(h.k.narrow(2, 0, n), h.v.narrow(2, 0, n), h.q.size(1), call);
    m.state_has_keys = n > 0;
  }
}

Tensor Decoding::attend(Memory& m, const Heads& h, const AttentionCall& call) {
  const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(h.k.device());
  const std::int64_t now = length_, slot = m.ring > 0 ? now % m.ring : 0;
  const std::int64_t heads = h.q.size(1);
  if (m.state.defined() && sees_window(call)) {
    m.state += linear_state(h.k, h.v, heads, call);
    m.state_has_keys = true;
  } else if (m.state.defined() && now >= m.ring) {  // the key that the new one replaces has left the window
    m.state += linear_state(m.k.narrow(2, slot, 1), m.v.narrow(2, slot, 1), heads, call);
    m.state_has_keys = true;
  }
  std::vector<Tensor> keys, values, ages;
  if (m.sink_k.defined()) {
    if (now < call.sinks) {
      m.sink_k = at::cat({m.sink_k, h.k}, 2);
      m.sink_v = at::cat({m.sink_v, h.v}, 2);
    }
    Tensor age = now - torch::arange(m.sink_k.size(2), integers);
    if (m.ring > 0) age = age.masked_fill(age < call.window, -1);  // those in the window are in the ring
    keys.push_back(m.sink_k), values.push_back(m.sink_v), ages.push_back(age);
  }
  if (m.ring > 0) {
    m.k.narrow(2, slot, 1).copy_(h.k);
    m.v.narrow(2, slot, 1).copy_(h.v);
    const std::int64_t filled = std::min(m.ring, now + 1);
    const Tensor age = (now - torch::arange(filled, integers)).remainder(m.ring);
    keys.push_back(m.k.narrow(2, 0, filled)), values.push_back(m.v.narrow(2, 0, filled)), ages.push_back(age);
  }
  if (keys.empty()) keys.push_back(h.k), values.push_back(h.v), ages.push_back(torch::zeros({1}, integers));
  const Tensor age = at::cat(ages, 0).view({1, 1, -1});
  const SeenKeys seen{age, (now - age).view({1, -1}), m.state, m.state_has_keys, {}};
  return masked_attention(h.q, at::cat(keys, 2), at::cat(values, 2), seen, call);
}

Tensor Decoding::prefill(const Tensor& ids) {
  ForwardOptions o = options_;
  o.attend = [this](std::size_t layer, const Heads& h, const AttentionCall& call) {
    remember(layers_[layer], h, call);
    return hybrid_attention(h.q, h.k, h.v, call);
  };
  length_ = ids.size(1);
  o.keep = torch::arange(ids.size(0), ids.options()) * length_ + (length_ - 1);
  return model_.hidden(ids, conversion_, o);
}

Tensor Decoding::step(const Tensor& ids) {
  ForwardOptions o = options_;
  o.positions = torch::full({1}, length_, torch::kInt64);
  o.attend = [this](std::size_t layer, const Heads& h, const AttentionCall& call) { return attend(layers_[layer], h, call); };
  const Tensor hidden = model_.hidden(ids.unsqueeze(1), conversion_, o);
  ++length_;
  return hidden.select(1, 0);
}

std::int64_t Decoding::bytes() const {
  std::size_t sum = 0;
  for (const auto& m : layers_)
    for (const Tensor* t : {&m.k, &m.v, &m.sink_k, &m.sink_v, &m.state})
      if (t->defined()) sum += t->nbytes();
  return static_cast<std::int64_t>(sum);
}

std::vector<std::int32_t> decode_greedily(const Model& model, const Conversion* conversion, const ForwardOptions& options,
                                          const std::vector<std::int32_t>& prompt, std::int32_t end_token,
                                          std::int64_t capacity,
                                          const std::function<bool(const std::vector<std::int32_t>&)>& more) {
  torch::InferenceMode inference;
  const auto device = model.device();
  Decoding decoding(model, conversion, options, capacity);
  Tensor hidden = decoding.prefill(torch::tensor(std::vector<std::int64_t>(prompt.begin(), prompt.end())).unsqueeze(0).to(device));
  std::vector<std::int32_t> out;
  while (static_cast<std::int64_t>(prompt.size() + out.size()) < capacity) {
    const Tensor next = model.logits(hidden).argmax(-1);  // [1]
    const auto token = static_cast<std::int32_t>(next.item<std::int64_t>());
    if (token == end_token) break;
    out.push_back(token);
    if (!more(out)) break;
    hidden = decoding.step(next);
  }
  return out;
}

}  // namespace engine
