#include "engine/attention/branches.h"

#include <cmath>

#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr double k_group_norm_epsilon = 1e-5;

void add(Tensor& total, const Tensor& part) {
  if (part.defined()) total = total.defined() ? total + part : part;
}

Tensor repeated(const Tensor& x, std::int64_t heads) {
  return x.size(1) == heads ? x : x.repeat_interleave(heads / x.size(1), 1);
}

/// sum / total, clamped.
Tensor by_sum(const Branch& linear, const Tensor& has, const AttentionCall& call) {
  const double least = least_denominator(*call.query_map);
  const Tensor total = call.linear.epsilon > 0 ? linear.total + call.linear.epsilon : linear.total;
  const Tensor small = (total.abs() < least).logical_and(has);
  const Tensor clamped = at::where(small, at::where(total < 0, -least, least).to(total.dtype()), total);
  if (call.norms) add(call.norms->denominators_clamped, small.sum().detach());
  return linear.sum / at::where(has, clamped, torch::ones_like(clamped));
}

Tensor by_group_norm(const Tensor& sum) {
  const Tensor x = sum / std::sqrt(static_cast<double>(sum.size(-1)));
  const Tensor centred = x - x.mean(-1, true);
  return centred * at::rsqrt(centred.square().mean(-1, true) + k_group_norm_epsilon);
}

}  // namespace

void BranchNorms::add(const BranchNorms& part) {
  engine::add(window, part.window);
  engine::add(linear, part.linear);
  engine::add(denominators_clamped, part.denominators_clamped);
}

Tensor normalised(const Branch& linear, const Tensor& has, const AttentionCall& call) {
  const Normaliser n = call.linear.normaliser;
  const Tensor y = n == Normaliser::sum ? by_sum(linear, has, call) : n == Normaliser::group_norm ? by_group_norm(linear.sum) : linear.sum;
  return at::where(has, y, torch::zeros_like(y));
}

void note_norms(const AttentionCall& call, const Tensor& window, const Tensor& linear) {
  if (!call.norms) return;
  auto squares = [&](const Tensor& x) {
    Tensor y = x.detach().square();
    if (call.counted.defined()) y = y * call.counted.to(y.dtype()).unsqueeze(1).unsqueeze(-1);
    return y.sum({0, 2, 3});
  };
  call.norms->add({squares(window), squares(linear), {}});
}

Tensor mixing_weight(const AttentionCall& call, const Tensor& like) {
  if (call.mixing == Mixing::gated) return call.gate.to(like.dtype()).unsqueeze(-1);
  if (call.mixing == Mixing::fixed) return torch::full({1, 1, 1, 1}, call.weight, like.options().requires_grad(false));
  return call.logit.to(like.dtype()).sigmoid().view({1, -1, 1, 1});
}

Tensor mixed(const Tensor& window, const Tensor& linear, const Tensor& has, const AttentionCall& call) {
  Tensor g = mixing_weight(call, window);
  if (!call.linear.empty_rows_keep_g) g = at::where(has, g, torch::ones_like(g));
  const Tensor a = g * window, b = (1 - g) * linear;
  note_norms(call, a, b);
  return a + b;
}

Tensor mixed_in_one(const Branch& window, const Branch& linear, const AttentionCall& call) {
  const Tensor s = call.logit.to(window.sum.dtype()).sigmoid().view({1, -1, 1, 1});
  const Tensor far_sum = call.affine ? (1 - s) * linear.sum : linear.sum;
  const Tensor total = s * window.total + (call.affine ? (1 - s) * linear.total : linear.total) + call.linear.epsilon;
  note_norms(call, s * window.sum / total, far_sum / total);
  return (s * window.sum + far_sum) / total;
}

torch::Dtype sums_dtype(const AttentionCall& call, const Tensor& q) {
  if (q.dtype() == torch::kFloat64 || call.sums == torch::kFloat64) return torch::kFloat64;
  return call.sums == torch::kFloat32 ? torch::kFloat32 : q.scalar_type();
}

Inputs attention_inputs(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call) {
  TORCH_CHECK(q.dim() == 4 && k.sizes() == v.sizes() && q.size(1) % k.size(1) == 0 && q.size(3) == k.size(3),
              "attention takes q [B,H,T,D], k and v [B,G,T,D] with H a multiple of G; found ", q.sizes(), " and ", k.sizes());
  const bool own_precision = call.component == Component::teacher && call.teacher_window == 0;
  const auto sums = own_precision ? q.scalar_type() : sums_dtype(call, q);
  return {q.to(sums), repeated(k.to(sums), q.size(1)), repeated(v.to(sums), q.size(1))};
}

Tensor turned(const Tensor& x, const std::pair<Tensor, Tensor>& turns) {
  const std::int64_t half = x.size(-1) / 2;
  const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  // Both halves turn by the same angles.
  const Tensor cos = turns.first.narrow(-1, 0, half).to(x.dtype()), sin = turns.second.narrow(-1, 0, half).to(x.dtype());
  return at::cat({a * cos - b * sin, b * cos + a * sin}, -1);
}

Tensor query_features(const Tensor& q, const AttentionCall& call) {
  const Tensor x = call.linear_q.defined() ? call.linear_q : q;
  const Tensor f = (*call.query_map)(x.to(sums_dtype(call, q)), q.size(1));
  return call.feature_turns.first.defined() ? turned(f, call.feature_turns) : f;
}

Tensor key_features(const Tensor& k, std::int64_t heads, const AttentionCall& call) {
  const Tensor x = call.linear_k.defined() ? call.linear_k : k;
  const Tensor f = (*call.key_map)(x.to(sums_dtype(call, k)), heads);
  return call.feature_turns.first.defined() ? turned(f, call.feature_turns) : f;
}

Tensor log_decay(const AttentionCall& call, std::int64_t heads, std::int64_t features, const torch::TensorOptions& options) {
  if (call.linear.decay == Decay::none) return {};
  if (call.linear.decay == Decay::slopes) {
    const Tensor h = torch::arange(1, heads + 1, options);
    return -at::exp2(h * (-8.0 / static_cast<double>(heads))).view({1, heads, 1, 1});
  }
  const Tensor gate = repeated(call.log_gate.to(options.dtype()), heads);
  const std::int64_t times = features / gate.size(-1);
  return times == 1 ? gate : gate.repeat({1, 1, 1, times});
}

Tensor window_at_positions(const Tensor& positions, std::int64_t length, const AttentionCall& call) {
  const std::int64_t w = call.window;
  if (call.layout == WindowLayout::sliding) return torch::full_like(positions, w);
  // The first block may be the short one; within a block the window grows from w + 1 to 2 w keys.
  const std::int64_t shift = call.layout == WindowLayout::terraced ? 0 : (w - length % w) % w;
  return (positions + shift).remainder(w) + (w + 1);
}

}  // namespace engine
