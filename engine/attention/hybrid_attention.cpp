#include "engine/attention/hybrid_attention.h"

#include <cmath>
#include <limits>

#include "engine/attention/branches.h"
#include "engine/error.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr double k_infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t k_least_chunk = 32, k_linear_chunk = 64;

/// Time cut into N chunks of C; a query sees its own chunk and, where `previous`, the one before.
struct Chunks {
  std::int64_t length, chunk, count;
  bool previous;
  Tensor age;     ///< [C, C or 2C] t − i of each pair, int64
  Tensor exists;  ///< [N,1,C or 2C] false for the keys before time 0

  Chunks(std::int64_t length_, std::int64_t chunk_, bool previous_, const at::Device& device)
      : length(length_), chunk(std::min(chunk_, length_)), count((length_ + chunk - 1) / chunk), previous(previous_ && count > 1) {
    const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(device);
    const std::int64_t keys = previous ? 2 * chunk : chunk;
    const Tensor t = torch::arange(chunk, integers), i = torch::arange(keys, integers) - (keys - chunk);
    age = t.unsqueeze(1) - i.unsqueeze(0);
    exists = (i.unsqueeze(0) + chunk * torch::arange(count, integers).unsqueeze(1) >= 0).unsqueeze(1);
  }
  Tensor cut(const Tensor& x) const {  // [B,H,T,E] → [B,H,N,C,E], zeros behind the end
    const Tensor padded = count * chunk == length ? x : at::constant_pad_nd(x, {0, 0, 0, count * chunk - length});
    return padded.reshape({x.size(0), x.size(1), count, chunk, x.size(3)});
  }
  Tensor keys(const Tensor& x) const {  // [B,H,T,E] → [B,H,N,2C,E]: the chunk before and the chunk itself
    const Tensor own = cut(x);
    if (!previous) return own;
    const Tensor before = at::constant_pad_nd(own.narrow(2, 0, count - 1), {0, 0, 0, 0, 1, 0});
    return at::cat({before, own}, 3);
  }
  Tensor join(const Tensor& y) const {  // [B,H,N,C,E] → [B,H,T,E]
    return y.reshape({y.size(0), y.size(1), count * chunk, y.size(4)}).narrow(2, 0, length);
  }
};

Tensor sink_scores(const Inputs& in, std::int64_t sinks, std::int64_t window) {
  const std::int64_t n = std::min(sinks, in.length());
  const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(in.q.device());
  const Tensor age = torch::arange(in.length(), integers).unsqueeze(1) - torch::arange(n, integers).unsqueeze(0);
  // Positions inside the window are in the window's own scores already.
  return (in.q.matmul(in.k.narrow(2, 0, n).transpose(-1, -2)) * in.scale()).masked_fill(age < window, -k_infinity);
}

/// Softmax over the first positions, t − i ≥ 0.
Tensor sinks_only(const Inputs& in, std::int64_t sinks) {
  const Tensor p = sink_scores(in, sinks, 0).softmax(-1);
  return p.matmul(in.v.narrow(2, 0, p.size(-1)));
}

/// Window scores [B,H,N,C,2C], −∞ outside 0 ≤ t − i < w.
Tensor window_scores(const Inputs& in, const Chunks& c, std::int64_t window) {
  const Tensor seen = (c.age >= 0).logical_and(c.age < window).logical_and(c.exists);
  return (c.cut(in.q).matmul(c.keys(in.k).transpose(-1, -2)) * in.scale()).masked_fill(seen.logical_not(), -k_infinity);
}

Chunks window_chunks(const Inputs& in, std::int64_t window) {
  return {in.length(), std::max(std::min(window, in.length()), k_least_chunk), true, in.q.device()};
}

Tensor swa(const Inputs& in, std::int64_t window) {
  const Chunks c = window_chunks(in, window);
  return c.join(window_scores(in, c, window).softmax(-1).matmul(c.keys(in.v)));
}

Tensor swa_with_sinks(const Inputs& in, std::int64_t window, std::int64_t sinks) {
  const Chunks c = window_chunks(in, window);
  const Tensor near = window_scores(in, c, window);
  const Tensor first = c.cut(sink_scores(in, sinks, window));  // rows behind the end see zeros and are cut off again
  const Tensor p = at::cat({near, first}, -1).softmax(-1);
  const std::int64_t n = first.size(-1), pairs = near.size(-1);
  const Tensor sink_values = in.v.narrow(2, 0, n).unsqueeze(2);  // [B,H,1,n,D]
  return c.join(p.narrow(-1, 0, pairs).matmul(c.keys(in.v)) + p.narrow(-1, pairs, n).matmul(sink_values));
}

/// Σ e^{a−m} v and Σ e^{a−m} with m the row's maximum, for the shared denominator.
Branch window_sums(const Inputs& in, std::int64_t window) {
  const Chunks c = window_chunks(in, window);
  const Tensor scores = window_scores(in, c, window);
  const Tensor e = (scores - scores.amax(-1, true)).exp();
  return {c.join(e.matmul(c.keys(in.v))), c.join(e.sum(-1, true))};
}

/// Σ φ(q)φ(k) v and Σ φ(q)φ(k) over keys with t − i ≥ `least_age`, by chunks with carried states.
Branch linear_sums(const Inputs& in, const AttentionCall& call, std::int64_t least_age) {
  const bool whole_past = least_age <= 0;
  const std::int64_t chunk = whole_past ? k_linear_chunk : std::max(least_age, k_least_chunk);
  const Chunks c(in.length(), chunk, !whole_past, in.q.device());
  const Tensor fq = (*call.query_map)(in.q), fk = (*call.key_map)(in.k);
  const Tensor ones = torch::ones_like(in.v.narrow(-1, 0, 1));
  const Tensor v1 = at::cat({in.v, ones}, -1);  // the column of ones sums the weights
  const Tensor q = c.cut(fq);
  const Tensor seen = (c.age >= least_age).logical_and(c.exists);
  const Tensor near = q.matmul(c.keys(fk).transpose(-1, -2)).masked_fill(seen.logical_not(), 0.0);
  Tensor sums = near.matmul(c.keys(v1));  // [B,H,N,C,D+1]
  const std::int64_t behind = c.previous ? 2 : 1;  // the state holds the chunks before those in `near`
  if (c.count > behind) {
    const Tensor states = c.cut(fk).transpose(-1, -2).matmul(c.cut(v1)).cumsum(2);  // [B,H,N,P,D+1]
    const Tensor far = q.narrow(2, behind, c.count - behind).matmul(states.narrow(2, 0, c.count - behind));
    sums = sums + at::constant_pad_nd(far, {0, 0, 0, 0, behind, 0});
  }
  const Tensor joined = c.join(sums);
  const std::int64_t d = in.v.size(-1);
  return {joined.narrow(-1, 0, d), joined.narrow(-1, d, 1)};
}

Tensor rows_with_keys(const Inputs& in, std::int64_t least_age) {
  const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(in.q.device());
  return (torch::arange(in.length(), integers) >= least_age).unsqueeze(-1);  // [T,1]
}

Tensor linear_attention(const Inputs& in, const AttentionCall& call, std::int64_t least_age) {
  if (least_age >= in.length()) return torch::zeros_like(in.q);
  return normalised(linear_sums(in, call, least_age), rows_with_keys(in, least_age), call);
}

Tensor hybrid(const Inputs& in, const AttentionCall& call, bool overlap) {
  const std::int64_t least_age = overlap ? 0 : call.window;
  if (least_age >= in.length()) {  // no row has a linear key
    const Tensor window = swa(in, call.window);
    note_norms(call, window, torch::zeros_like(window));
    return window;
  }
  const Branch linear = linear_sums(in, call, least_age);
  if (call.mixing == Mixing::shared_denominator) return mixed_in_one(window_sums(in, call.window), linear, call);
  return mixed(swa(in, call.window), linear, rows_with_keys(in, least_age), call);
}

Tensor run(const Inputs& in, const AttentionCall& call, Component component);

Tensor hybrid_with_dropout(const Inputs& in, const AttentionCall& call, Component component) {
  const Component alone = call.linear_outside_when_dropped ? Component::linear_outside : Component::linear;
  AttentionCall kept_call = call;
  kept_call.dropped = Tensor();
  const Tensor& dropped = call.dropped;  // [B,H]
  if (dropped.all().item<bool>()) return run(in, kept_call, alone);
  if (!dropped.any().item<bool>()) return run(in, kept_call, component);
  const Tensor per_row = dropped.select(1, 0);
  if (dropped.eq(per_row.unsqueeze(1)).all().item<bool>()) {
    // Whole sequences: each is computed once, in the one form it needs.
    const auto device = in.q.device();
    const Tensor gone = per_row.nonzero().flatten().to(device), kept = per_row.logical_not().nonzero().flatten().to(device);
    auto rows = [&](const Tensor& index) {
      return Inputs{in.q.index_select(0, index), in.k.index_select(0, index), in.v.index_select(0, index)};
    };
    const Tensor y = at::cat({run(rows(gone), kept_call, alone), run(rows(kept), kept_call, component)}, 0);
    const Tensor order = at::argsort(at::cat({gone, kept}, 0));
    return y.index_select(0, order);
  }
  const Tensor mask = dropped.to(in.q.device()).unsqueeze(-1).unsqueeze(-1);
  return at::where(mask, run(in, kept_call, alone), run(in, kept_call, component));
}

Tensor run(const Inputs& in, const AttentionCall& call, Component component) {
  switch (component) {
    case Component::teacher:
      if (call.teacher_window > 0 && call.teacher_window < in.length()) return swa(in, call.teacher_window);
      return at::scaled_dot_product_attention(in.q, in.k, in.v, {}, 0.0, true);
    case Component::swa: return swa(in, call.window);
    case Component::swa_sinks: return swa_with_sinks(in, call.window, call.sinks);
    case Component::sinks: return sinks_only(in, call.sinks);
    case Component::none: return torch::zeros_like(in.q);
    case Component::linear: return linear_attention(in, call, 0);
    case Component::linear_outside: return linear_attention(in, call, call.window);
    case Component::hybrid:
    case Component::hybrid_overlap:
      if (call.dropped.defined()) return hybrid_with_dropout(in, call, component);
      return hybrid(in, call, call.overlap || component == Component::hybrid_overlap);
  }
  return {};
}

}  // namespace

Mixing mixing_from(const std::string& name) {
  if (name == "fixed") return Mixing::fixed;
  if (name == "learned") return Mixing::learned;
  if (name == "shared-denominator") return Mixing::shared_denominator;
  throw InputError("unknown mixing \"" + name + "\"; expected fixed, learned or shared-denominator");
}

Tensor hybrid_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call) {
  const Inputs in = attention_inputs(q, k, v, call);
  return run(in, call, call.component).to(q.dtype());
}

}  // namespace engine
