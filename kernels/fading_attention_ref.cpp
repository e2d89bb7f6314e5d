#include "kernels/checker.h"
#include "kernels/fading_attention.h"
#include "kernels/reference.h"

namespace kernels {
namespace {

using namespace reference;

void check_call(Checker& checker, const FadingAttention& c) {
  const auto &q = c.q.sizes, &v = c.v.sizes;
  checker.expect("q", c.q, c.q.dtype, {q[0], q[1], q[2], q[3]});
  checker.expect("k", c.k, c.q.dtype, {q[0], q[1], q[2], q[3]});
  checker.expect("v", c.v, c.q.dtype, {q[0], q[1], q[2], v[3]});
  checker.expect("decay", c.decay, c.q.dtype, {q[0], q[1], q[2], c.decay.sizes[3] == 1 ? 1 : q[3]});
  checker.require(std::min({q[0], q[1], q[2], q[3], v[3]}) > 0, "a dimension is 0");
  checker.require(c.threads >= 1, "threads must be 1 or more");
}

/// One head in double.
struct Head {
  Index length, features, width;
  Doubles q, k, v, g;  ///< [T,P], [T,P], [T,E], and G [T,P]

  Head(const FadingAttention& c, Index b, Index h)
      : length(c.q.sizes[2]), features(c.q.sizes[3]), width(c.v.sizes[3]) {
    const bool one = c.decay.sizes[3] == 1;
    for (Index t = 0; t < length; ++t) {
      for (Index p = 0; p < features; ++p) {
        q.push_back(read(c.q, {b, h, t, p}));
        k.push_back(read(c.k, {b, h, t, p}));
        const double before = t > 0 ? g[(t - 1) * features + p] : 0;
        g.push_back(before + read(c.decay, {b, h, t, one ? 0 : p}));
      }
      for (Index e = 0; e < width; ++e) v.push_back(read(c.v, {b, h, t, e}));
    }
  }
  double fade(Index t, Index i, Index p) const {
    return std::exp(g[t * features + p] - g[i * features + p]);
  }
  double weight(Index t, Index i) const {
    double sum = 0;
    for (Index p = 0; p < features; ++p)
      sum += q[t * features + p] * k[i * features + p] * fade(t, i, p);
    return sum;
  }
};

struct HeadGradients {
  Doubles q, k, v, g;
  explicit HeadGradients(const Head& x) : q(x.q.size()), k(x.q.size()), v(x.v.size()), g(x.q.size()) {}
};

void add_pair(const Head& x, Index t, Index i, const double* dy, HeadGradients& out) {
  const double da = dot(dy, &x.v[i * x.width], x.width), a = x.weight(t, i);
  for (Index e = 0; e < x.width; ++e) out.v[i * x.width + e] += a * dy[e];
  for (Index p = 0; p < x.features; ++p) {
    const Index at = t * x.features + p, from = i * x.features + p;
    const double faded = da * x.fade(t, i, p);
    out.q[at] += faded * x.k[from];
    out.k[from] += faded * x.q[at];
    for (Index j = i + 1; j <= t; ++j) out.g[j * x.features + p] += faded * x.q[at] * x.k[from];
  }
}

void store(const OutView& to, Index b, Index h, const Doubles& values) {
  if (!to) return;
  for (Index t = 0; t < to.sizes[2]; ++t)
    for (Index d = 0; d < to.sizes[3]; ++d) write(to, {b, h, t, d}, values[t * to.sizes[3] + d]);
}

}  // namespace

Status check(const FadingAttention& call, const OutView& y) {
  Checker checker("fading_attention");
  check_call(checker, call);
  const auto& v = call.v.sizes;
  checker.expect("y", y, call.q.dtype, {v[0], v[1], v[2], v[3]});
  return checker.status();
}

Status check(const FadingAttention& call, const FadingAttentionGradients& out) {
  Checker checker("fading_attention");
  check_call(checker, call);
  const auto& v = call.v.sizes;
  auto as = [&](const char* name, const auto& view, const auto& sizes) {
    checker.expect(name, view, call.q.dtype, {sizes[0], sizes[1], sizes[2], sizes[3]});
  };
  as("dy", out.dy, v);
  if (out.dv) as("dv", out.dv, v);
  if (out.dq) as("dq", out.dq, call.q.sizes);
  if (out.dk) as("dk", out.dk, call.q.sizes);
  if (out.ddecay) as("ddecay", out.ddecay, call.q.sizes);
  checker.require(!out.ddecay || (out.dq && out.dk), "ddecay is asked for without dq and dk");
  return checker.status();
}

Status fading_attention_ref(const FadingAttention& call, const OutView& y) {
  if (Status status = check(call, y); !status.ok()) return status;
  if (Status status = taken(call.q.dtype); !status.ok()) return status;
  for (Index b = 0; b < y.sizes[0]; ++b)
    for (Index h = 0; h < y.sizes[1]; ++h) {
      const Head x(call, b, h);
      Doubles out(x.v.size());
      for (Index t = 0; t < x.length; ++t)
        for (Index i = 0; i <= t; ++i) {
          const double a = x.weight(t, i);
          for (Index e = 0; e < x.width; ++e) out[t * x.width + e] += a * x.v[i * x.width + e];
        }
      store(y, b, h, out);
    }
  return {};
}

Status fading_attention_backward_ref(const FadingAttention& call, FadingAttentionGradients& out) {
  if (Status status = check(call, out); !status.ok()) return status;
  if (Status status = taken(call.q.dtype); !status.ok()) return status;
  for (Index b = 0; b < call.q.sizes[0]; ++b)
    for (Index h = 0; h < call.q.sizes[1]; ++h) {
      const Head x(call, b, h);
      HeadGradients sums(x);
      Doubles dy(x.width);
      for (Index t = 0; t < x.length; ++t) {
        for (Index e = 0; e < x.width; ++e) dy[e] = read(out.dy, {b, h, t, e});
        for (Index i = 0; i <= t; ++i) add_pair(x, t, i, dy.data(), sums);
      }
      store(out.dq, b, h, sums.q);
      store(out.dk, b, h, sums.k);
      store(out.dv, b, h, sums.v);
      store(out.ddecay, b, h, sums.g);
    }
  return {};
}

}  // namespace kernels
