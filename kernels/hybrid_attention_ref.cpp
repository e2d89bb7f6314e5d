#include "kernels/reference.h"

namespace kernels {
namespace {

using namespace reference;

struct Head {
  Doubles q, k, v, linear_q, linear_k, query_features, key_features;
  Index clamped = 0;

  Head(const HybridAttention& call, const Plan& p, Index b, Index h) {
    const Index g = h / (p.heads / p.groups);
    q = rows(call.q, b, h);
    k = rows(call.k, b, g);
    v = rows(call.v, b, g);
    if (call.linear_q) {
      linear_q = rows(call.linear_q, b, h);
      linear_k = rows(call.linear_k, b, h / (p.heads / p.map_groups));
    }
    // The first least_age queries see no key of the linear branch, the last as many keys no query.
    query_features = features(call.query_map, h, call.linear_q ? linear_q : q, p, p.least_age, p.length, clamped);
    key_features = features(call.key_map, h, call.linear_q ? linear_k : k, p, 0, p.length - p.least_age, clamped);
  }
};

/// Weights of one row's keys and what they sum to.
struct Row {
  Doubles e, a;  ///< [t+1] e^{score − m} and φφ; 0 where not seen
  double e_sum = 0, a_sum = 0;
  double denominator = 1;  ///< a_sum, clamped
  bool clamped = false;
  Index most = 0;              ///< the key with the greatest score
  Doubles e_values, a_values;  ///< [D] Σ e v, Σ a v
};

Row row_of(const HybridAttention& call, const Head& x, const Plan& p, Index t) {
  Row r{Doubles(t + 1, 0.0), Doubles(t + 1, 0.0), 0, 0, 1, false, 0,
        Doubles(p.dim),      Doubles(p.dim)};
  double greatest = -INFINITY;
  for (Index i = 0; i <= t; ++i) {
    if (p.softmax && (t - i < p.window || i < p.sinks)) {
      r.e[i] = dot(&x.q[t * p.dim], &x.k[i * p.dim], p.dim) * p.scale;
      if (r.e[i] > greatest) greatest = r.e[r.most = i];
    }
    if (p.linear && t - i >= p.least_age)
      r.a[i] = dot(&x.query_features[t * p.features], &x.key_features[i * p.features], p.features);
  }
  for (Index i = 0; i <= t; ++i) {
    if (p.softmax && (t - i < p.window || i < p.sinks)) r.e[i] = std::exp(r.e[i] - greatest);
    r.e_sum += r.e[i];
    r.a_sum += r.a[i];
    for (Index d = 0; d < p.dim; ++d) {
      r.e_values[d] += r.e[i] * x.v[i * p.dim + d];
      r.a_values[d] += r.a[i] * x.v[i * p.dim + d];
    }
  }
  if (!p.has_linear(t) || call.normaliser == Normaliser::none) return r;
  r.denominator = r.a_sum + call.epsilon;
  r.clamped = std::abs(r.denominator) < p.least_denominator;
  if (r.clamped)
    r.denominator = std::copysign(p.least_denominator, r.denominator < 0 ? -1.0 : 1.0);
  return r;
}

/// y = window·Σ e v + linear·Σ a v.
struct Factors {
  double window = 0, linear = 0, g = 1;
  bool shared = false;
  double total = 1;  ///< shared
};

Factors factors_of(const HybridAttention& call, const Plan& p, Index b, Index h, Index t,
                   const Row& r) {
  Factors f;
  if (p.mixed() && call.mixing == Mixing::shared_denominator) {
    f.shared = true;
    f.g = mixing_weight(call, h);
    const double c = call.affine ? 1 - f.g : 1;
    f.total = f.g * r.e_sum + c * r.a_sum + call.epsilon;
    f.linear = c / f.total;
    f.window = f.g / f.total;
    return f;
  }
  const bool gated = call.mixing == Mixing::gated;
  if (p.softmax)
    f.g = !weighs(p, t) ? 1 : gated ? read(call.gate, {b, h, t}) : mixing_weight(call, h);
  else
    f.g = 0;
  if (p.softmax) f.window = f.g / r.e_sum;
  if (p.has_linear(t)) f.linear = (1 - f.g) / r.denominator;
  return f;
}

bool counts(const HybridAttention& call, Index b, Index t) {
  if (!call.counted) return true;
  return static_cast<const std::uint8_t*>(call.counted.data)[offset(call.counted.strides, {b, t})];
}

void forward_row(const HybridAttention& call, const Plan& p, const Head& x, Index b, Index h,
                 Index t, HybridAttentionOut& out) {
  const Row r = row_of(call, x, p, t);
  const Factors f = factors_of(call, p, b, h, t, r);
  if (!f.shared) out.clamped_denominators += r.clamped;
  for (Index d = 0; d < p.dim; ++d) {
    const double window = f.window * r.e_values[d], linear = f.linear * r.a_values[d];
    write(out.y, {b, h, t, d}, window + linear);
    if (!out.window_norms || !p.norms || !counts(call, b, t)) continue;
    out.window_norms[h] += window * window;
    out.linear_norms[h] += linear * linear;
  }
}

/// Gradients of one head, before they are added to those of its group and of other batches.
struct HeadGradients {
  Doubles q, k, v, linear_q, linear_k, query_features, key_features;
  double logit = 0;
  Doubles gate;  ///< [T]
  explicit HeadGradients(const Plan& p)
      : q(p.length * p.dim),
        k(q),
        v(q),
        linear_q(p.length * p.map_dim),
        linear_k(linear_q),
        query_features(p.length * p.features),
        key_features(query_features),
        gate(p.length) {}
};

/// dL/dg of a row, or dL/ds under the shared denominator.
double to_weight(const HybridAttention& call, const Plan& p, Index t, const Row& r,
                 const Factors& f, double e_dy, double a_dy) {
  if (f.shared) {
    const double dy_y = f.window * e_dy + f.linear * a_dy;
    const double near = (e_dy - r.e_sum * dy_y) / f.total;
    return call.affine ? near - (a_dy - r.a_sum * dy_y) / f.total : near;
  }
  if (!weighs(p, t)) return 0;
  return e_dy / r.e_sum - (p.has_linear(t) ? a_dy / r.denominator : 0);
}

void backward_row(const HybridAttention& call, const Plan& p, const Head& x, Index b, Index h,
                  Index t, const double* dy, HeadGradients& g) {
  const Row r = row_of(call, x, p, t);
  const Factors f = factors_of(call, p, b, h, t, r);
  const double e_dy = dot(dy, r.e_values.data(), p.dim), a_dy = dot(dy, r.a_values.data(), p.dim);
  // What a unit of weight loses to its normaliser: de = f.window·(dy·v − e_lost), da likewise.
  const double dy_y = f.window * e_dy + f.linear * a_dy;
  const double e_lost = f.shared ? dy_y : p.softmax ? e_dy / r.e_sum : 0;
  const bool constant = r.clamped || call.normaliser == Normaliser::none;
  const double a_lost = f.shared ? dy_y : constant ? 0 : a_dy / r.denominator;
  g.gate[t] = to_weight(call, p, t, r, f, e_dy, a_dy);
  g.logit += f.g * (1 - f.g) * g.gate[t];
  double to_maximum = 0;
  for (Index i = 0; i <= t; ++i) {
    const double dy_v = dot(dy, &x.v[i * p.dim], p.dim);
    double score = r.e[i] * f.window * (dy_v - e_lost) * p.scale;
    const double a = f.linear * (dy_v - a_lost);
    // Only the shared denominator depends on the row's maximum m; then its gradient comes last.
    to_maximum += score;
    if (!f.shared) to_maximum = 0;
    for (Index d = 0; d < p.dim; ++d) {
      g.v[i * p.dim + d] += (f.window * r.e[i] + f.linear * r.a[i]) * dy[d];
      g.q[t * p.dim + d] += score * x.k[i * p.dim + d];
      g.k[i * p.dim + d] += score * x.q[t * p.dim + d];
    }
    if (!p.linear || t - i < p.least_age) continue;
    for (Index c = 0; c < p.features; ++c) {
      g.query_features[t * p.features + c] += a * x.key_features[i * p.features + c];
      g.key_features[i * p.features + c] += a * x.query_features[t * p.features + c];
    }
  }
  for (Index d = 0; d < p.dim; ++d) {
    g.q[t * p.dim + d] -= to_maximum * x.k[r.most * p.dim + d];
    g.k[r.most * p.dim + d] -= to_maximum * x.q[t * p.dim + d];
  }
}

void add_rows(const OutView& out, Index b, Index h, const Doubles& values) {
  if (!out) return;
  const Index dim = out.sizes[3];
  for (Index t = 0; t < out.sizes[2]; ++t)
    for (Index d = 0; d < dim; ++d) add(out, {b, h, t, d}, values[t * dim + d]);
}

void backward_head(const HybridAttention& call, const Plan& p, Index b, Index h,
                   const HybridAttentionGradients& out) {
  const Head x(call, p, b, h);
  const Doubles dy = rows(out.dy, b, h);
  HeadGradients g(p);
  for (Index t = 0; t < p.length; ++t) backward_row(call, p, x, b, h, t, &dy[t * p.dim], g);
  if (p.linear) {
    const bool own = static_cast<bool>(call.linear_q);
    map_backward(call.query_map, p, h, own ? x.linear_q : x.q, x.query_features, g.query_features,
                 own ? g.linear_q : g.q, out.dquery_weight, out.dquery_bias);
    map_backward(call.key_map, p, h, own ? x.linear_k : x.k, x.key_features, g.key_features,
                 own ? g.linear_k : g.k, out.dkey_weight, out.dkey_bias);
  }
  const Index group = h / (p.heads / p.groups);
  add_rows(out.dq, b, h, g.q);
  add_rows(out.dk, b, group, g.k);
  add_rows(out.dv, b, group, g.v);
  add_rows(out.dlinear_q, b, h, g.linear_q);
  add_rows(out.dlinear_k, b, h / (p.heads / p.map_groups), g.linear_k);
  if (out.dlogit && (call.mixing == Mixing::learned || call.mixing == Mixing::shared_denominator))
    add(out.dlogit, {h}, g.logit);
  for (Index t = 0; t < p.length && out.dgate && call.mixing == Mixing::gated; ++t)
    write(out.dgate, {b, h, t}, g.gate[t]);
}

}  // namespace

Status hybrid_attention_ref(const HybridAttention& call, HybridAttentionOut& out) {
  if (Status status = check(call, out); !status.ok()) return status;
  if (Status status = taken(call.q.dtype); !status.ok()) return status;
  const Plan p = plan(call);
  out.clamped_denominators = out.clamped_exps = 0;
  if (out.window_norms) {
    std::fill_n(out.window_norms, p.heads, 0.0);
    std::fill_n(out.linear_norms, p.heads, 0.0);
  }
  for (Index b = 0; b < p.batch; ++b) {
    for (Index h = 0; h < p.heads; ++h) {
      const Head x(call, p, b, h);
      out.clamped_exps += x.clamped;
      for (Index t = 0; t < p.length; ++t) forward_row(call, p, x, b, h, t, out);
    }
  }
  return {};
}

Status hybrid_attention_backward_ref(const HybridAttention& call,
                                     HybridAttentionGradients& gradients) {
  if (Status status = check(call, gradients); !status.ok()) return status;
  if (Status status = taken(call.q.dtype); !status.ok()) return status;
  const Plan p = plan(call);
  for (const OutView& view :
       {gradients.dq, gradients.dk, gradients.dv, gradients.dlinear_q, gradients.dlinear_k, gradients.dquery_weight, gradients.dkey_weight,
        gradients.dquery_bias, gradients.dkey_bias, gradients.dlogit, gradients.dgate})
    clear(view);
  for (Index b = 0; b < p.batch; ++b)
    for (Index h = 0; h < p.heads; ++h) backward_head(call, p, b, h, gradients);
  return {};
}

}  // namespace kernels
