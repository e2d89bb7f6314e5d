#include "kernels/tree_attention.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tree_attention_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/aligned_allocator.h>
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F = hn::ScalableTag<float>;
using I = hn::RebindToSigned<F>;
using V = hn::Vec<F>;

constexpr float k_unseen = -1e30F;  // its exponential is 0

/// One head of one row. A vector holds one value of N neighbouring queries.
class Head {
 public:
  Head(const TreeAttention& call, std::int64_t b, std::int64_t h)
      : c_(call), group_(h / (call.heads / call.groups)),
        q_(call.q + b * call.q_strides.batch + h * call.q_strides.head),
        k_(call.k + b * call.k_strides.batch + group_ * call.k_strides.head),
        v_(call.v + b * call.v_strides.batch + group_ * call.v_strides.head),
        y_(call.y + b * call.y_strides.batch + h * call.y_strides.head),
        end_(call.end + b * call.length), position_(call.position + b * call.length),
        lanes_(static_cast<std::int64_t>(hn::Lanes(F()))),
        queries_(hwy::AllocateAligned<float>(static_cast<std::size_t>(lanes_ * call.dim))),
        weights_(hwy::AllocateAligned<float>(static_cast<std::size_t>(lanes_ * (call.length + lanes_)))) {
    keys_.reserve(static_cast<std::size_t>(call.length));
  }

  void run() {
    for (first_ = 0; first_ < c_.length; first_ += lanes_) {
      count_ = std::min(lanes_, c_.length - first_);
      load_queries();
      find_keys();
      const V total = exponentiate(score());
      write(hn::Div(hn::Set(F(), 1.0F), total));
    }
  }

 private:
  void load_queries() {
    const float scale = 1.0F / std::sqrt(static_cast<float>(c_.dim));
    for (std::int64_t l = 0; l < lanes_; ++l) {
      const float* q = q_ + std::min(first_ + l, c_.length - 1) * c_.q_strides.time;
      for (std::int64_t d = 0; d < c_.dim; ++d) queries_[static_cast<std::size_t>(d * lanes_ + l)] = q[d] * scale;
    }
    const auto [least, most] = std::minmax_element(position_ + first_, position_ + first_ + count_);
    least_position_ = *least;
    most_position_ = *most;
  }

  /// Keys that at least one of the queries may see; branches that ended before them are skipped whole.
  void find_keys() {
    keys_.clear();
    for (std::int64_t j = 0; j < first_ + count_;) {
      if (end_[j] <= first_) {
        j = end_[j];
        continue;
      }
      if (c_.window <= 0 || least_position_ - position_[j] < c_.window) keys_.push_back(static_cast<std::int32_t>(j));
      ++j;
    }
  }

  bool all_see(std::int64_t j) const {
    return j <= first_ && end_[j] >= first_ + count_ && (c_.window <= 0 || most_position_ - position_[j] < c_.window);
  }

  V hidden(V scores, std::int64_t j) const {
    const I i32;
    const auto index = hn::Iota(i32, static_cast<std::int32_t>(first_));
    auto seen = hn::And(hn::Gt(index, hn::Set(i32, static_cast<std::int32_t>(j - 1))), hn::Lt(index, hn::Set(i32, end_[j])));
    if (c_.window > 0) {
      HWY_ALIGN std::int32_t at[HWY_MAX_BYTES / 4] = {};
      for (std::int64_t l = 0; l < lanes_; ++l) at[l] = position_[std::min(first_ + l, c_.length - 1)];
      seen = hn::And(seen, hn::Lt(hn::Load(i32, at), hn::Set(i32, static_cast<std::int32_t>(position_[j] + c_.window))));
    }
    return hn::IfThenElse(hn::RebindMask(F(), seen), scores, hn::Set(F(), k_unseen));
  }

  const float* key(std::size_t n) const { return k_ + keys_[std::min(n, keys_.size() - 1)] * c_.k_strides.time; }
  const float* value(std::size_t n) const { return v_ + keys_[n] * c_.v_strides.time; }

  /// Scores into weights_; returns each query's maximum.
  V score() {
    const F f;
    V most = hn::Set(f, k_unseen);
    for (std::size_t n = 0; n < keys_.size(); n += 4) {  // four keys share the loads of the queries
      const float *k0 = key(n), *k1 = key(n + 1), *k2 = key(n + 2), *k3 = key(n + 3);
      V s0 = hn::Zero(f), s1 = s0, s2 = s0, s3 = s0;
      for (std::int64_t d = 0; d < c_.dim; ++d) {
        const V q = hn::Load(f, queries_.get() + d * lanes_);
        s0 = hn::MulAdd(q, hn::Set(f, k0[d]), s0);
        s1 = hn::MulAdd(q, hn::Set(f, k1[d]), s1);
        s2 = hn::MulAdd(q, hn::Set(f, k2[d]), s2);
        s3 = hn::MulAdd(q, hn::Set(f, k3[d]), s3);
      }
      const std::size_t here = std::min<std::size_t>(4, keys_.size() - n);
      auto keep = [&](std::size_t at, V s) {
        if (at >= here) return;
        const std::int64_t j = keys_[n + at];
        if (!all_see(j)) s = hidden(s, j);
        most = hn::Max(most, s);
        hn::Store(s, f, weights_.get() + static_cast<std::int64_t>(n + at) * lanes_);
      };
      keep(0, s0), keep(1, s1), keep(2, s2), keep(3, s3);
    }
    return most;
  }

  /// Weights e^{s − most}; returns their sums.
  V exponentiate(V most) {
    const F f;
    V total = hn::Zero(f);
    for (std::size_t n = 0; n < keys_.size(); ++n) {
      float* at = weights_.get() + static_cast<std::int64_t>(n) * lanes_;
      const V e = hn::Exp(f, hn::Sub(hn::Load(f, at), most));
      total = hn::Add(total, e);
      hn::Store(e, f, at);
    }
    return total;
  }

  void write(V factor) {
    const F f;
    for (std::int64_t d = 0; d < c_.dim; d += 8) {
      const std::int64_t width = std::min<std::int64_t>(8, c_.dim - d);
      if (width == 8) {
        V a0 = hn::Zero(f), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
        for (std::size_t n = 0; n < keys_.size(); ++n) {
          const V p = hn::Load(f, weights_.get() + static_cast<std::int64_t>(n) * lanes_);
          const float* v = value(n) + d;
          a0 = hn::MulAdd(p, hn::Set(f, v[0]), a0), a1 = hn::MulAdd(p, hn::Set(f, v[1]), a1);
          a2 = hn::MulAdd(p, hn::Set(f, v[2]), a2), a3 = hn::MulAdd(p, hn::Set(f, v[3]), a3);
          a4 = hn::MulAdd(p, hn::Set(f, v[4]), a4), a5 = hn::MulAdd(p, hn::Set(f, v[5]), a5);
          a6 = hn::MulAdd(p, hn::Set(f, v[6]), a6), a7 = hn::MulAdd(p, hn::Set(f, v[7]), a7);
        }
        put(d, hn::Mul(a0, factor)), put(d + 1, hn::Mul(a1, factor)), put(d + 2, hn::Mul(a2, factor));
        put(d + 3, hn::Mul(a3, factor)), put(d + 4, hn::Mul(a4, factor)), put(d + 5, hn::Mul(a5, factor));
        put(d + 6, hn::Mul(a6, factor)), put(d + 7, hn::Mul(a7, factor));
      } else {
        for (std::int64_t e = d; e < d + width; ++e) {
          V a = hn::Zero(f);
          for (std::size_t n = 0; n < keys_.size(); ++n)
            a = hn::MulAdd(hn::Load(f, weights_.get() + static_cast<std::int64_t>(n) * lanes_), hn::Set(f, value(n)[e]), a);
          put(e, hn::Mul(a, factor));
        }
      }
    }
  }

  void put(std::int64_t d, V values) {
    HWY_ALIGN float out[HWY_MAX_BYTES / 4] = {};
    hn::Store(values, F(), out);
    for (std::int64_t l = 0; l < count_; ++l) y_[(first_ + l) * c_.y_strides.time + d] = out[l];
  }

  const TreeAttention& c_;
  std::int64_t group_;
  const float *q_, *k_, *v_;
  float* y_;
  const std::int32_t *end_, *position_;
  std::int64_t lanes_, first_ = 0, count_ = 0;
  std::int32_t least_position_ = 0, most_position_ = 0;
  hwy::AlignedFreeUniquePtr<float[]> queries_;  ///< [D][N], scaled
  hwy::AlignedFreeUniquePtr<float[]> weights_;  ///< [keys][N]
  std::vector<std::int32_t> keys_;
};

void run_head(const TreeAttention& call, std::int64_t b, std::int64_t h) { Head(call, b, h).run(); }

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kernels {

HWY_EXPORT(run_head);

void tree_attention_cpu(const TreeAttention& call) {
  const std::int64_t count = call.batch * call.heads;
  std::atomic<std::int64_t> next{0};
  auto work = [&] {
    for (std::int64_t i = next++; i < count; i = next++) HWY_DYNAMIC_DISPATCH(run_head)(call, i / call.heads, i % call.heads);
  };
  std::vector<std::jthread> others;
  for (int t = 1; t < std::min<std::int64_t>(call.threads, count); ++t) others.emplace_back(work);
  work();
}

}  // namespace kernels
#endif
