#include "kernels/attention_weights.h"

#include "kernels/reference.h"

namespace kernels {
namespace {

using namespace reference;

struct Head {
  Doubles q, k, query_features, key_features, dquery_features, dkey_features;
};

bool counts(const AttentionWeights& call, Index b, Index t) {
  if (!call.valid) return true;
  return static_cast<const std::uint8_t*>(call.valid.data)[offset(call.valid.strides, {b, t})];
}

/// A of one query, over the keys 0 … t.
Doubles softmax_weights(const AttentionWeights& call, const Plan& p, const Head& x, Index t) {
  Doubles weights(t + 1, 0.0);
  const Index first = call.teacher_window > 0 ? std::max<Index>(0, t - call.teacher_window + 1) : 0;
  double greatest = -INFINITY, sum = 0;
  for (Index i = first; i <= t; ++i) {
    weights[i] = dot(&x.q[t * p.dim], &x.k[i * p.dim], p.dim) * p.scale;
    greatest = std::max(greatest, weights[i]);
  }
  for (Index i = first; i <= t; ++i) sum += weights[i] = std::exp(weights[i] - greatest);
  for (double& weight : weights) weight /= sum;
  return weights;
}

/// One query's loss; adds scale times its gradients to the features'.
double row_loss(const AttentionWeights& call, const Plan& p, Head& x, Index t, double scale) {
  constexpr double k_least = 1e-12;
  const Doubles target = softmax_weights(call, p, x, t);
  Doubles a(t + 1);
  double sum = 0, loss = 0, moved = 0;
  for (Index i = 0; i <= t; ++i)
    sum += a[i] =
        dot(&x.query_features[t * p.features], &x.key_features[i * p.features], p.features);
  const bool clamped = std::abs(sum) < p.least_denominator;
  if (clamped) sum = std::copysign(p.least_denominator, sum < 0 ? -1.0 : 1.0);
  for (Index i = 0; i <= t; ++i) {
    loss -= target[i] * std::log(std::max(a[i] / sum, k_least));
    if (a[i] / sum >= k_least) moved += target[i];
  }
  for (Index i = 0; i <= t; ++i) {
    const double own = a[i] / sum >= k_least ? target[i] / a[i] : 0;
    const double da = scale * ((clamped ? 0 : moved / sum) - own);
    for (Index f = 0; f < p.features; ++f) {
      x.dquery_features[t * p.features + f] += da * x.key_features[i * p.features + f];
      x.dkey_features[i * p.features + f] += da * x.query_features[t * p.features + f];
    }
  }
  return loss;
}

double head_loss(const AttentionWeights& call, const Plan& p, Index b, Index h, double scale,
                 const AttentionWeightsOut& out) {
  Head x;
  Index clamped = 0;
  x.q = rows(call.q, b, h);
  x.k = rows(call.k, b, h / (p.heads / p.groups));
  x.query_features = features(call.query_map, h, x.q, p, 0, p.length, clamped);
  x.key_features = features(call.key_map, h, x.k, p, 0, p.length, clamped);
  x.dquery_features.resize(x.query_features.size());
  x.dkey_features.resize(x.key_features.size());
  double loss = 0;
  for (Index t = 0; t < p.length; ++t)
    if (counts(call, b, t)) loss += row_loss(call, p, x, t, scale);
  Doubles ignored(p.length * p.dim);
  map_backward(call.query_map, p, h, x.q, x.query_features, x.dquery_features, ignored,
               out.dquery_weight, out.dquery_bias);
  map_backward(call.key_map, p, h, x.k, x.key_features, x.dkey_features, ignored, out.dkey_weight,
               out.dkey_bias);
  return loss;
}

}  // namespace

HybridAttention as_linear_attention(const AttentionWeights& call) {
  HybridAttention linear;
  linear.q = call.q;
  linear.k = linear.v = call.k;
  linear.query_map = call.query_map;
  linear.key_map = call.key_map;
  linear.component = Component::linear;
  linear.counted = call.valid;
  linear.threads = call.threads;
  return linear;
}

Status check(const AttentionWeights& call, const AttentionWeightsOut& out) {
  HybridAttentionGradients gradients;
  gradients.dy = call.q;
  gradients.dquery_weight = out.dquery_weight;
  gradients.dkey_weight = out.dkey_weight;
  gradients.dquery_bias = out.dquery_bias;
  gradients.dkey_bias = out.dkey_bias;
  return check(as_linear_attention(call), gradients);
}

std::int64_t valid_queries(const AttentionWeights& call) {
  Index count = 0;
  for (Index b = 0; b < call.q.sizes[0]; ++b)
    for (Index t = 0; t < call.q.sizes[2]; ++t) count += counts(call, b, t);
  return count;
}

Status attention_weights_ref(const AttentionWeights& call, AttentionWeightsOut& out) {
  if (Status status = check(call, out); !status.ok()) return status;
  if (Status status = taken(call.q.dtype); !status.ok()) return status;
  const Plan p = plan(as_linear_attention(call));
  for (const OutView& view : {out.dquery_weight, out.dkey_weight, out.dquery_bias, out.dkey_bias})
    clear(view);
  const double count = static_cast<double>(valid_queries(call) * p.heads);
  out.loss = 0;
  if (count == 0) return {};
  for (Index b = 0; b < p.batch; ++b)
    for (Index h = 0; h < p.heads; ++h)
      out.loss += head_loss(call, p, b, h, out.gradient_scale / count, out) / count;
  return {};
}

}  // namespace kernels
