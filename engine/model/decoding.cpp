#include "engine/model/decoding.h"

#include <algorithm>

#include "engine/attention/branches.h"
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

/// φ(k) and its decay cannot be had later from the remembered k alone: it is kept beside it.
bool keeps_features(const AttentionCall& call) {
  return has_state(call.component) && (call.linear_k.defined() || call.feature_turns.first.defined() || call.linear.decay != Decay::none);
}

/// The first keys of a row that are in the linear state when the query at `position` looks.
std::int64_t state_keys(const AttentionCall& call, std::int64_t position) {
  if (sees_window(call)) return position + 1;
  if (call.layout == WindowLayout::terraced) return std::max<std::int64_t>(0, (position / call.window - 1) * call.window);
  return std::max<std::int64_t>(0, position + 1 - call.window);
}

/// Adds one entry a token to a ring [B,·,R,E], from `first` on.
void write_ring(Tensor& ring, std::int64_t slots, const Tensor& entries, std::int64_t first) {
  if (!ring.defined()) ring = torch::zeros({entries.size(0), entries.size(1), slots, entries.size(3)}, entries.options());
  const std::int64_t n = std::min(slots, entries.size(2)), skipped = entries.size(2) - n;
  const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(entries.device());
  ring.index_copy_(2, torch::arange(first + skipped, first + skipped + n, integers).remainder(slots), entries.narrow(2, skipped, n));
}

Tensor log_decay_of(const Tensor& features, const AttentionCall& call) {
  const Tensor g = log_decay(call, features.size(1), features.size(3), features.options());
  return g.defined() ? g.expand({features.size(0), features.size(1), features.size(2), g.size(3)}) : g;
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
    default: return call.layout == WindowLayout::terraced ? 2 * call.window : call.window;
  }
}

void Decoding::remember(Memory& m, const Heads& h, const AttentionCall& call) {
  const std::int64_t t = h.k.size(2), heads = h.q.size(1);
  m.ring = ring_size(call);
  if (m.ring > 0) {
    write_ring(m.k, m.ring, h.k, 0);
    write_ring(m.v, m.ring, h.v, 0);
  }
  if (has_sinks(call.component)) {
    const std::int64_t n = std::min(call.sinks, t);
    m.sink_k = h.k.narrow(2, 0, n).clone();
    m.sink_v = h.v.narrow(2, 0, n).clone();
  }
  if (!has_state(call.component)) return;
  m.in_state = state_keys(call, t - 1);
  const std::int64_t n = m.in_state;
  if (!keeps_features(call)) {
    m.state = linear_state(key_features(h.k.narrow(2, 0, n), heads, call), h.v.narrow(2, 0, n), {});
    return;
  }
  const Tensor f = key_features(h.k, heads, call), g = log_decay_of(f, call);
  m.state = linear_state(f.narrow(2, 0, n), h.v.narrow(2, 0, n), g.defined() ? g.narrow(2, 0, n) : g);
  if (m.ring == 0) return;
  write_ring(m.features, m.ring, f, 0);
  if (g.defined()) write_ring(m.decay, m.ring, g, 0);
}

void Decoding::move_into_state(Memory& m, const Heads& h, const AttentionCall& call) {
  const std::int64_t heads = h.q.size(1), end = state_keys(call, length_);
  auto add = [&](const Tensor& features, const Tensor& v, const Tensor& g) {
    if (g.defined()) m.state = m.state * g.to(m.state.dtype()).exp().transpose(-1, -2);
    m.state = m.state + linear_state(features, v, {});
  };
  for (; m.in_state < end; ++m.in_state) {
    if (m.in_state == length_) {
      const Tensor f = key_features(h.k, heads, call);
      add(f, h.v, log_decay_of(f, call));
      continue;
    }
    const std::int64_t slot = m.in_state % m.ring;
    const Tensor f = m.features.defined() ? m.features.narrow(2, slot, 1) : key_features(m.k.narrow(2, slot, 1), heads, call);
    add(f, m.v.narrow(2, slot, 1), m.decay.defined() ? m.decay.narrow(2, slot, 1) : Tensor());
  }
}

Tensor Decoding::attend(Memory& m, const Heads& h, const AttentionCall& asked) {
  const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(h.k.device());
  const std::int64_t now = length_;
  AttentionCall call = asked;
  // A terrace is a window that grows within its block; as published, decoding slides.
  if (call.layout == WindowLayout::terraced) call.window = now % asked.window + asked.window + 1;
  call.layout = WindowLayout::sliding;
  if (m.state.defined()) move_into_state(m, h, asked);
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
  Tensor fade;
  if (m.ring > 0) {
    write_ring(m.k, m.ring, h.k, now);
    write_ring(m.v, m.ring, h.v, now);
    if (m.features.defined()) {
      const Tensor f = key_features(h.k, h.q.size(1), asked);
      write_ring(m.features, m.ring, f, now);
      if (m.decay.defined()) write_ring(m.decay, m.ring, log_decay_of(f, asked), now);
    }
    const std::int64_t filled = std::min(m.ring, now + 1);
    const Tensor age = (now - torch::arange(filled, integers)).remainder(m.ring);
    keys.push_back(m.k.narrow(2, 0, filled)), values.push_back(m.v.narrow(2, 0, filled)), ages.push_back(age);
    // What the state holds has faded through every token that is only in the ring.
    if (m.decay.defined() && !sees_window(asked)) fade = m.decay.narrow(2, 0, filled).sum(2, true).exp();
  }
  if (keys.empty()) keys.push_back(h.k), values.push_back(h.v), ages.push_back(torch::zeros({1}, integers));
  const Tensor age = at::cat(ages, 0).view({1, 1, -1});
  const SeenKeys seen{age, now - age.view({1, -1}), m.state, m.in_state > 0, fade, {}};
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
    for (const Tensor* t : {&m.k, &m.v, &m.sink_k, &m.sink_v, &m.state, &m.features, &m.decay})
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
