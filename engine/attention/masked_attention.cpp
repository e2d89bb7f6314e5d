#include "engine/attention/masked_attention.h"

#include <limits>

#include "engine/attention/branches.h"
#include "engine/torch_api.h"
#include "kernels/tree_attention.h"

namespace engine {
namespace {

constexpr double k_infinity = std::numeric_limits<double>::infinity();

Tensor with_ones(const Tensor& v) { return at::cat({v, torch::ones_like(v.narrow(-1, 0, 1))}, -1); }

Tensor per_head(const Tensor& mask) { return mask.unsqueeze(1); }  // [B,Tq,Tk] → [B,1,Tq,Tk]

Tensor softmax_over(const Inputs& in, const Tensor& seen) {
  const Tensor hidden = per_head(seen).logical_not();
  const Tensor scores = (in.q.matmul(in.k.transpose(-1, -2)) * in.scale()).masked_fill(hidden, -k_infinity);
  return scores.softmax(-1).masked_fill(hidden, 0.0).matmul(in.v);  // a row that sees nothing gives 0
}

Branch window_sums(const Inputs& in, const Tensor& seen) {
  const Tensor scores =
      (in.q.matmul(in.k.transpose(-1, -2)) * in.scale()).masked_fill(per_head(seen).logical_not(), -k_infinity);
  const Tensor e = (scores - scores.amax(-1, true)).exp();
  return {e.matmul(in.v), e.sum(-1, true)};
}

/// Softmax over a prefix tree's ancestors, or those in the window; no gradient.
Tensor softmax_in_tree(const Tensor& q, const Tensor& k, const Tensor& v, const SeenKeys& keys, std::int64_t window) {
  kernels::TreeAttention call;
  call.batch = q.size(0), call.heads = q.size(1), call.groups = k.size(1), call.length = q.size(2), call.dim = q.size(3);
  auto dense = [](const Tensor& x) { return x.stride(3) == 1 ? x : x.contiguous(); };
  const Tensor qd = dense(q), kd = dense(k), vd = dense(v);
  const Tensor end = keys.end.contiguous(), position = keys.position.contiguous();
  // [B,T,H,D] in memory, as the output projection reads it.
  const Tensor y = torch::empty({call.batch, call.length, call.heads, call.dim}, q.options()).transpose(1, 2);
  auto strides = [](const Tensor& x) { return kernels::HeadStrides{x.stride(0), x.stride(1), x.stride(2)}; };
  call.q = qd.data_ptr<float>(), call.k = kd.data_ptr<float>(), call.v = vd.data_ptr<float>(), call.y = y.data_ptr<float>();
  call.q_strides = strides(qd), call.k_strides = strides(kd), call.v_strides = strides(vd), call.y_strides = strides(y);
  call.end = end.data_ptr<std::int32_t>(), call.position = position.data_ptr<std::int32_t>();
  call.window = window;
  call.threads = at::get_num_threads();
  kernels::tree_attention_cpu(call);
  return y;
}

struct Linear {
  Branch branch;
  Tensor has;  ///< bool, broadcasts to [B,H,Tq,1]
};

Linear linear_sums(const Inputs& in, const SeenKeys& keys, const AttentionCall& call, const Tensor& seen) {
  Tensor fq = query_features(in.q, call), sums, has;
  if (keys.state.defined()) {
    if (keys.state_fade.defined()) fq = fq * keys.state_fade;
    sums = fq.matmul(keys.state);
    has = torch::full({1, 1, 1, 1}, keys.state_has_keys, in.q.options().dtype(torch::kBool));
  } else {
    const Tensor fk = key_features(in.k, in.q.size(1), call);
    Tensor weights = fq.matmul(fk.transpose(-1, -2));
    if (call.linear.decay == Decay::slopes)
      weights = weights * (log_decay(call, in.q.size(1), 1, weights.options()) * per_head(keys.age).clamp_min(0)).exp();
    sums = weights.masked_fill(per_head(seen).logical_not(), 0.0).matmul(with_ones(in.v));
    has = per_head(seen.any(-1, true));
  }
  const std::int64_t d = in.v.size(-1);
  return {{sums.narrow(-1, 0, d), sums.narrow(-1, d, 1)}, has};
}

/// Positions of the queries [B or 1,Tq]: the keys' own, or the newest.
Tensor query_positions(const SeenKeys& keys, std::int64_t queries) {
  return keys.position.size(1) == queries ? keys.position : keys.position.amax(-1, true);
}

/// A branch alone at the weight that it has in the mixture.
Tensor at_its_weight(const Tensor& y, const SeenKeys& keys, const AttentionCall& call) {
  const Tensor g = mixing_weight(call, y);
  if (call.component != Component::swa) return (1 - g) * y;
  if (call.linear.empty_rows_keep_g || call.overlap) return g * y;
  const std::int64_t first = call.layout == WindowLayout::sliding ? call.window : 2 * call.window;
  const Tensor has = (query_positions(keys, y.size(2)) >= first).unsqueeze(1).unsqueeze(-1);
  return at::where(has, g, torch::ones_like(g)) * y;
}

}  // namespace

Tensor linear_state(const Tensor& features, const Tensor& v, const Tensor& log_decay) {
  const std::int64_t heads = features.size(1);
  const Tensor values = (v.size(1) == heads ? v : v.repeat_interleave(heads / v.size(1), 1)).to(features.dtype());
  if (!log_decay.defined() || features.size(2) == 0) return features.transpose(-1, -2).matmul(with_ones(values));
  const Tensor sum = log_decay.expand({features.size(0), heads, features.size(2), log_decay.size(3)}).to(torch::kFloat64).cumsum(2);
  const Tensor faded = features * (sum.narrow(2, sum.size(2) - 1, 1) - sum).exp().to(features.dtype());
  return faded.transpose(-1, -2).matmul(with_ones(values));
}

bool fast_in_tree(Component component, WindowLayout layout, const Tensor& hidden_states) {
  return hidden_states.device().is_cpu() && hidden_states.dtype() == torch::kFloat32 && !at::GradMode::is_enabled() &&
         (component == Component::teacher || (component == Component::swa && layout == WindowLayout::sliding));
}

Tensor masked_attention(const Tensor& q, const Tensor& k, const Tensor& v, const SeenKeys& keys, const AttentionCall& call) {
  if (call.component == Component::none) return torch::zeros_like(q);
  const bool alone = call.alone_keeps_g && (call.component == Component::swa || call.component == Component::linear ||
                                            call.component == Component::linear_outside);
  if (keys.end.defined() && !alone && fast_in_tree(call.component, call.layout, q))
    return softmax_in_tree(q, k, v, keys, call.component == Component::teacher ? call.teacher_window : call.window);
  const Inputs in = attention_inputs(q, k, v, call);
  const Tensor& age = keys.age;
  const Tensor past = age >= 0;
  Tensor near = past.logical_and(age < call.window);
  if (call.layout == WindowLayout::terraced)
    near = past.logical_and(age < window_at_positions(query_positions(keys, q.size(2)), 0, call).unsqueeze(-1));
  const Tensor far = past.logical_and(near.logical_not());
  const Tensor sinks = past.logical_and((keys.position < call.sinks).unsqueeze(1));
  auto linear = [&](const Tensor& seen) {
    const Linear l = linear_sums(in, keys, call, seen);
    return normalised(l.branch, l.has, call);
  };
  auto output = [&]() -> Tensor {
    switch (call.component) {
      case Component::teacher:
        if (call.teacher_window > 0) return softmax_over(in, past.logical_and(age < call.teacher_window));
        return at::scaled_dot_product_attention(in.q, in.k, in.v, per_head(past));
      case Component::swa: return softmax_over(in, near);
      case Component::swa_sinks: return softmax_over(in, near.logical_or(sinks));
      case Component::sinks: return softmax_over(in, sinks);
      case Component::none: break;
      case Component::linear: return linear(past);
      case Component::linear_outside: return linear(far);
      case Component::hybrid:
      case Component::hybrid_overlap: {
        const bool overlap = call.overlap || call.component == Component::hybrid_overlap;
        const Linear l = linear_sums(in, keys, call, overlap ? past : far);
        if (call.mixing == Mixing::shared_denominator) return mixed_in_one(window_sums(in, near), l.branch, call);
        const bool fast = keys.end.defined() && fast_in_tree(Component::swa, call.layout, in.q);
        const Tensor window = fast ? softmax_in_tree(in.q, in.k, in.v, keys, call.window) : softmax_over(in, near);
        return mixed(window, normalised(l.branch, l.has, call), l.has, call);
      }
    }
    return {};
  };
  const Tensor y = output();
  return (alone ? at_its_weight(y, keys, call) : y).to(q.dtype());
}

}  // namespace engine
