#include "kernels/hybrid_attention_plan.h"

#include <algorithm>
#include <string>

#include "kernels/checker.h"

namespace kernels {
namespace {

bool has_linear(Component c) {
  return c == Component::hybrid || c == Component::hybrid_overlap || c == Component::linear ||
         c == Component::linear_outside;
}

bool has_softmax(Component c) {
  return c != Component::linear && c != Component::linear_outside && c != Component::none;
}

std::int64_t map_dim(const HybridAttention& call) {
  return (call.linear_q ? call.linear_q : call.q).sizes[3];
}
std::int64_t map_columns(const HybridAttention& call) {
  return call.query_map.weight ? call.query_map.weight.sizes[2] : map_dim(call);
}

void check_map(Checker& checker, const char* name, const FeatureMap& map,
               const HybridAttention& call) {
  const std::int64_t heads = call.q.sizes[1], columns = map_columns(call);
  const std::string prefix = name;
  if (map.weight) {
    checker.expect((prefix + ".weight").c_str(), map.weight, parameter_type(call),
                   {heads, map_dim(call), columns});
    checker.require(map.weight.strides[2] == 1 || columns == 1,
                    "a map's weight must be contiguous in its last dimension");
  } else {
    checker.require(columns == map_dim(call), "only one map has a weight, and F is not E");
  }
  if (!map.bias) return;
  checker.require(static_cast<bool>(map.weight), "a map has a bias but no weight");
  checker.expect((prefix + ".bias").c_str(), map.bias, parameter_type(call), {heads, columns});
}

void check_call(Checker& checker, const HybridAttention& call) {
  const auto& q = call.q.sizes;
  checker.expect("q", call.q, call.q.dtype, {q[0], q[1], q[2], q[3]});
  checker.require(call.q.dtype != DType::u8, "q must be f32, f64 or bf16");
  checker.require(q[0] > 0 && q[1] > 0 && q[2] > 0 && q[3] > 0, "q has no elements");
  const std::int64_t groups = call.k.dims == 4 ? call.k.sizes[1] : 0;
  checker.require(groups > 0 && q[1] % groups == 0, "q's heads must be a multiple of k's");
  checker.expect("k", call.k, call.q.dtype, {q[0], groups, q[2], q[3]});
  checker.expect("v", call.v, call.q.dtype, {q[0], groups, q[2], q[3]});
  checker.require(call.window >= 1, "window must be 1 or more");
  checker.require(call.sinks >= 1, "sinks must be 1 or more");
  checker.require(call.threads >= 1, "threads must be 1 or more");
  if (call.counted) checker.expect("counted", call.counted, DType::u8, {q[0], q[2]});
  if (!has_linear(call.component)) return;
  checker.require(!call.linear_q == !call.linear_k, "linear_q and linear_k come together");
  if (call.linear_q && call.linear_k) {
    const std::int64_t dim = map_dim(call), own = call.linear_k.sizes[1];
    checker.expect("linear_q", call.linear_q, parameter_type(call), {q[0], q[1], q[2], dim});
    checker.expect("linear_k", call.linear_k, parameter_type(call), {q[0], own, q[2], dim});
    checker.require(own > 0 && own % groups == 0 && q[1] % own == 0,
                    "linear_k's heads must be a multiple of k's and divide q's");
  }
  check_map(checker, "query_map", call.query_map, call);
  check_map(checker, "key_map", call.key_map, call);
  checker.require(call.query_map.negation == call.key_map.negation,
                  "the maps must agree on negation");
  checker.require(call.epsilon >= 0, "epsilon must be 0 or more");
  if (!has_softmax(call.component) || call.mixing == Mixing::fixed) return;
  if (call.mixing == Mixing::gated)
    checker.expect("gate", call.gate, parameter_type(call), {q[0], q[1], q[2]});
  else
    checker.expect("logit", call.logit, parameter_type(call), {q[1]});
}

}  // namespace

Status check(const HybridAttention& call, const HybridAttentionOut& out) {
  Checker checker("hybrid_attention");
  check_call(checker, call);
  const auto& q = call.q.sizes;
  checker.expect("y", out.y, call.q.dtype, {q[0], q[1], q[2], q[3]});
  checker.require(!out.window_norms == !out.linear_norms, "both norms are asked for or neither");
  return checker.status();
}

Status check(const HybridAttention& call, const HybridAttentionGradients& gradients) {
  Checker checker("hybrid_attention");
  check_call(checker, call);
  const auto& q = call.q.sizes;
  const auto& k = call.k.sizes;
  const std::int64_t columns = map_columns(call);
  checker.expect("dy", gradients.dy, call.q.dtype, {q[0], q[1], q[2], q[3]});
  auto optional = [&](const char* name, const OutView& view, DType dtype, auto... sizes) {
    if (view) checker.expect(name, view, dtype, {sizes...});
  };
  const DType rows = call.q.dtype, parameters = parameter_type(call);
  optional("dq", gradients.dq, rows, q[0], q[1], q[2], q[3]);
  optional("dk", gradients.dk, rows, k[0], k[1], k[2], k[3]);
  optional("dv", gradients.dv, rows, k[0], k[1], k[2], k[3]);
  const std::int64_t dim = map_dim(call);
  optional("dquery_weight", gradients.dquery_weight, parameters, q[1], dim, columns);
  optional("dkey_weight", gradients.dkey_weight, parameters, q[1], dim, columns);
  optional("dlinear_q", gradients.dlinear_q, parameters, q[0], q[1], q[2], dim);
  optional("dlinear_k", gradients.dlinear_k, parameters, q[0], call.linear_k.sizes[1], q[2], dim);
  optional("dquery_bias", gradients.dquery_bias, parameters, q[1], columns);
  optional("dkey_bias", gradients.dkey_bias, parameters, q[1], columns);
  optional("dlogit", gradients.dlogit, parameters, q[1]);
  optional("dgate", gradients.dgate, parameters, q[0], q[1], q[2]);
  return checker.status();
}

DType parameter_type(const HybridAttention& call) {
  return call.q.dtype == DType::f64 ? DType::f64 : DType::f32;
}

namespace {

MixingForm form_of(const HybridAttention& call, const Plan& p) {
  MixingForm f;
  f.softmax = p.softmax;
  f.shared = p.mixed() && call.mixing == Mixing::shared_denominator;
  f.affine = call.affine;
  f.keeps_g =
      p.norms && call.mixing != Mixing::shared_denominator && call.empty_rows_keep_g;
  f.normalised = call.normaliser == Normaliser::sum;
  f.epsilon = static_cast<float>(call.epsilon);
  f.least = static_cast<float>(p.least_denominator);
  return f;
}

Plan sizes_and_reach(const HybridAttention& call) {
  const auto& q = call.q.sizes;
  Plan p{.batch = q[0],
         .heads = q[1],
         .groups = call.k.sizes[1],
         .length = q[2],
         .dim = q[3],
         .scale = 1.0 / std::sqrt(static_cast<double>(q[3]))};
  p.map_dim = map_dim(call);
  p.map_groups = call.linear_k ? call.linear_k.sizes[1] : p.groups;
  const Component c = call.component;
  p.softmax = has_softmax(c);
  p.linear = has_linear(c);
  p.norms = p.softmax && p.linear;
  if (p.softmax && c != Component::sinks)
    p.window = c == Component::softmax ? p.length : std::min(call.window, p.length);
  if (c == Component::sinks || c == Component::swa_sinks) p.sinks = std::min(call.sinks, p.length);
  if (!p.linear) return p;
  const bool all = c == Component::linear || c == Component::hybrid_overlap ||
                   (c == Component::hybrid && call.overlap);
  p.least_age = all ? 0 : call.window;
  // No row has a linear key.
  if (p.least_age >= p.length) p.linear = false;
  p.columns = map_columns(call);
  p.features = p.columns * (call.query_map.negation ? 2 : 1);
  p.least_denominator = call.query_map.activation == Activation::none ? 1e-6 : 1e-20;
  if (call.least_denominator > 0) p.least_denominator = call.least_denominator;
  return p;
}

}  // namespace

Plan plan(const HybridAttention& call) {
  Plan p = sizes_and_reach(call);
  p.form = form_of(call, p);
  return p;
}

double mixing_weight(const HybridAttention& call, std::int64_t head) {
  if (call.mixing == Mixing::fixed) return call.weight;
  const std::int64_t at = head * call.logit.strides[0];
  const double logit = call.logit.dtype == DType::f64
                           ? static_cast<const double*>(call.logit.data)[at]
                           : static_cast<const float*>(call.logit.data)[at];
  return 1.0 / (1.0 + std::exp(-logit));
}

int useful_threads(const Plan& p, int threads) {
  constexpr std::int64_t k_rows = 512;  // of a head: about a tenth of a millisecond
  return static_cast<int>(
      std::min<std::int64_t>(threads, 1 + p.batch * p.heads * p.length / k_rows));
}

Status taken_by(const char* form, const HybridAttention& call) {
  const char* text = nullptr;
  if (call.component == Component::softmax) text = "component softmax is not taken";
  if (call.q.dtype == DType::f64) text = "only f32 and bf16 are taken";
  if (std::max({call.q.sizes[3], map_dim(call), map_columns(call)}) > k_most_dim)
    text = "D, E and F must be 256 or less";
  if (!text) return {};
  return {StatusCode::unsupported, std::string(form) + ": " + text};
}

}  // namespace kernels
