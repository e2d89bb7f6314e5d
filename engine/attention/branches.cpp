#include "engine/attention/branches.h"

#include "engine/torch_api.h"

namespace engine {
namespace {

void add(Tensor& total, const Tensor& part) { total = total.defined() ? total + part : part; }

}  // namespace

Tensor normalised(const Branch& linear, const Tensor& has, const AttentionCall& call) {
  const double least = least_denominator(*call.query_map);
  const Tensor small = (linear.total.abs() < least).logical_and(has);
  const Tensor clamped =
      at::where(small, at::where(linear.total < 0, -least, least).to(linear.total.dtype()), linear.total);
  if (call.norms) add(call.norms->denominators_clamped, small.sum().detach());
  const Tensor safe = at::where(has, clamped, torch::ones_like(clamped));
  return at::where(has, linear.sum / safe, torch::zeros_like(linear.sum));
}

void note_norms(const AttentionCall& call, const Tensor& window, const Tensor& linear) {
  if (!call.norms) return;
  auto squares = [&](const Tensor& x) {
    Tensor y = x.detach().square();
    if (call.counted.defined()) y = y * call.counted.to(y.dtype()).unsqueeze(1).unsqueeze(-1);
    return y.sum({0, 2, 3});
  };
  add(call.norms->window, squares(window));
  add(call.norms->linear, squares(linear));
}

Tensor mixed(const Tensor& window, const Branch& linear, const Tensor& has, const AttentionCall& call) {
  const Tensor far = normalised(linear, has, call);
  Tensor g = call.mixing == Mixing::fixed ? torch::full({1, 1, 1, 1}, call.weight, window.options())
                                          : call.logit.to(window.dtype()).sigmoid().view({1, -1, 1, 1});
  g = at::where(has, g, torch::ones_like(g));
  const Tensor a = g * window, b = (1 - g) * far;
  note_norms(call, a, b);
  return a + b;
}

Tensor mixed_in_one(const Branch& window, const Branch& linear, const AttentionCall& call) {
  const Tensor s = call.logit.to(window.sum.dtype()).sigmoid().view({1, -1, 1, 1});
  const Tensor total = s * window.total + linear.total;
  note_norms(call, s * window.sum / total, linear.sum / total);
  return (s * window.sum + linear.sum) / total;
}

Inputs attention_inputs(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call) {
  TORCH_CHECK(q.dim() == 4 && k.sizes() == v.sizes() && q.size(1) % k.size(1) == 0 && q.size(3) == k.size(3),
              "attention takes q [B,H,T,D], k and v [B,G,T,D] with H a multiple of G; found ", q.sizes(), " and ", k.sizes());
  const auto sums = q.dtype() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
  const std::int64_t groups = q.size(1) / k.size(1);
  const bool own_precision = call.component == Component::teacher && call.teacher_window == 0;
  auto repeated = [&](const Tensor& x) {
    const Tensor y = own_precision ? x : x.to(sums);
    return groups == 1 ? y : y.repeat_interleave(groups, 1);
  };
  return {own_precision ? q : q.to(sums), repeated(k), repeated(v)};
}

}  // namespace engine
