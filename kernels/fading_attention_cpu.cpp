// The sequence goes by in tiles of k_tile tokens with the state S[P,E] = Σ φ(k)e^{…}⊗v. Pairs within a tile are products
// of two factors taken from one reference token r, φ(q_t)e^{G_t − G_r} and φ(k_i)e^{G_r − G_i}: the first is at most φ(q),
// the second overflows where much fades between r and i. So a range of tokens is taken whole only while little fades in
// it (k_mild); else it is halved: keys of the first half meet queries of the second with r between them, where neither
// factor grows, and each half is a range again, down to pairs taken one by one.

#include "kernels/fading_attention.h"
#include "kernels/parallel.h"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/fading_attention_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/hybrid_attention_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

constexpr float k_mild = -16.0f;  ///< a logarithm: factors up to e^16 keep the rounding of their exponents below 1e-6
constexpr int k_leaf = 16;        ///< tokens of a range that is not halved; a multiple of every vector's lanes

/// Tokens [begin, end) of a tile.
struct Range {
  int begin, end;
  int size() const { return end - begin; }
};

/// Scratch memory and steps of one head, for one thread.
class Fading {
 public:
  Fading(const FadingAttention& call, bool backward)
      : call_(call),
        features_(static_cast<int>(call.q.sizes[3])),
        dim_(static_cast<int>(call.v.sizes[3])),
        width_(static_cast<int>(padded(dim_))),
        length_(call.q.sizes[2]),
        query_(features_ * k_tile),
        key_(features_ * k_tile),
        decay_(features_ * k_tile),
        exponent_(features_ * k_tile),
        query_factor_(features_ * k_tile),
        key_factor_(features_ * k_tile),
        near_(k_tile * k_tile),
        values_(k_tile * width_),
        rows_(k_tile * width_),
        state_(features_ * width_),
        dy_rows_(backward ? k_tile * width_ : 0),
        lanes_(backward ? dim_ * k_tile : 0),
        pairs_(backward ? k_tile * k_tile : 0),
        part_(backward ? features_ * k_tile : 0),
        gradient_(backward ? features_ * k_tile : 0),
        later_(backward ? features_ : 0) {}

  void forward(const OutView& y, Index batch, Index head);
  void backward(const FadingAttentionGradients& out, Index batch, Index head);

 private:
  void start(Index batch, Index head);
  void load(Index tile);
  void exponents(Range range, int reference);
  void factor(const float* from, Range range, float sign, float* out);
  float fading(Range range) const;
  template <class Visit>
  void each_block(Range range, Visit visit);
  void weights();
  void direct_weights(Range range);
  void carry(const Scratch& features, int reference, float sign, const Scratch& rows);
  void query_gradients(const FadingAttentionGradients& out, Index batch, Index head, Index tile);
  void key_gradients(const FadingAttentionGradients& out, Index batch, Index head, Index tile);
  void direct_gradients(Range range, bool of_keys);
  void add_part(Range range, float sign);
  void decay_gradients(const FadingAttentionGradients& out, Index batch, Index head, Index tile);
  void store(const OutView& out, Index batch, Index head, Index tile, const float* tile_of_features);

  const FadingAttention& call_;
  int features_, dim_, width_;
  Index length_;
  Rows q_, k_, v_, g_, out_dy_;
  Scratch query_, key_, decay_;                       ///< [P, k_tile]
  Scratch exponent_, query_factor_, key_factor_;      ///< [P, k_tile]
  Scratch near_;                                      ///< [key, query] a_ti
  Scratch values_, rows_, state_;                     ///< [k_tile, width], [k_tile, width], [P, width]
  Scratch dy_rows_, lanes_;                           ///< [k_tile, width], [E, k_tile] of dy or v
  Scratch pairs_;                                     ///< dy·v: [key, query] of the queries' sweep, [query, key] of the keys'
  Scratch part_, gradient_, later_;                   ///< [P, k_tile], [P, k_tile], [P] Σ of dG of the tiles behind
  HWY_ALIGN float fades_[k_tile];
};

inline void Fading::start(Index batch, Index head) {
  q_ = rows_of(call_.q, batch, head);
  k_ = rows_of(call_.k, batch, head);
  v_ = rows_of(call_.v, batch, head);
  g_ = rows_of(call_.decay, batch, head);
  std::fill_n(state_.at(), features_ * width_, 0.0f);
}

inline void Fading::load(Index tile) {
  load_transposed(q_, tile, query_.at());
  load_transposed(k_, tile, key_.at());
  load_transposed(g_, tile, decay_.at());
  for (int p = 1; p < features_ && g_.dim == 1; ++p)
    std::copy_n(decay_.at(), k_tile, decay_.at() + p * k_tile);
  load_rows(v_, tile, values_.at());
}

/// exponent[p, x] = G_x − G_r for the tokens of the range, summed up from r so that nothing cancels. r = −1: before the
/// tile.
inline HWY_NOINLINE void Fading::exponents(Range range, int reference) {
  for (int p = 0; p < features_; ++p) {
    const float* g = decay_.at() + p * k_tile;
    float *e = exponent_.at() + p * k_tile, sum = 0;
    if (reference >= range.begin) e[reference] = 0;
    for (int x = reference + 1; x < range.end; ++x) e[x] = sum += g[x];
    sum = 0;
    for (int x = reference - 1; x >= range.begin; --x) e[x] = sum -= g[x + 1];
  }
}

/// out[p, x] = from[p, x]·e^{sign·exponent[p, x]} for the range, whose bounds are multiples of k_leaf.
inline HWY_NOINLINE void Fading::factor(const float* from, Range range, float sign, float* out) {
  const Vector s = hn::Set(k_floats, sign);
  for (int p = 0; p < features_; ++p)
    for (int x = range.begin; x < range.end; x += k_lanes) {
      const int at = p * k_tile + x;
      const Vector e = exp_of(hn::Mul(s, hn::Load(k_floats, exponent_.at() + at)));
      hn::Store(hn::Mul(hn::Load(k_floats, from + at), e), k_floats, out + at);
    }
}

/// The least Σ g of a feature behind the range's first token.
inline float Fading::fading(Range range) const {
  float least = 0;
  for (int p = 0; p < features_; ++p) {
    const float* g = decay_.at() + p * k_tile;
    float sum = 0;
    for (int x = range.begin + 1; x < range.end; ++x) sum += g[x];
    least = std::min(least, sum);
  }
  return least;
}

/// Calls visit(keys, queries, r) for blocks that together hold every pair of the range once; r is −1 where the pairs are to
/// be taken one by one. Keys and queries are the same range or keys come first.
template <class Visit>
void Fading::each_block(Range range, Visit visit) {
  if (fading(range) >= k_mild) return visit(range, range, range.begin);
  if (range.size() <= k_leaf) return visit(range, range, -1);
  const int middle = range.begin + range.size() / 2;
  const Range first{range.begin, middle}, second{middle, range.end};
  each_block(first, visit);
  visit(first, second, middle - 1);
  each_block(second, visit);
}

/// near[i, t] = a_ti of the tile, 0 where t < i.
inline void Fading::weights() {
  std::fill_n(near_.at(), k_tile * k_tile, 0.0f);
  each_block({0, k_tile}, [&](Range keys, Range queries, int reference) HWY_ATTR {
    if (reference < 0) return direct_weights(keys);
    exponents({keys.begin, queries.end}, reference);
    factor(query_.at(), queries, 1, query_factor_.at());
    factor(key_.at(), keys, -1, key_factor_.at());
    product<true>(keys.size(), queries.size(), features_, {key_factor_.at() + keys.begin, k_tile},
                  {query_factor_.at() + queries.begin, k_tile},
                  {near_.at() + keys.begin * k_tile + queries.begin, k_tile, false});
    for (int i = keys.begin; i < keys.end && keys.begin == queries.begin; ++i)
      std::fill(near_.at() + i * k_tile + queries.begin, near_.at() + i * k_tile + i, 0.0f);
  });
}

/// out[t] = e^{G_t − G_i} for t ≥ i of the range, 0 before.
inline void fades_of(const float* g, Range range, int i, float* out) {
  float sum = 0;
  for (int t = range.begin; t < range.end; ++t) {
    if (t > i) sum += g[t];
    out[t] = t < i ? -1e30f : sum;
  }
  for (int t = range.begin; t < range.end; t += k_lanes)
    hn::Store(exp_of(hn::Load(k_floats, out + t)), k_floats, out + t);
}

inline HWY_NOINLINE void Fading::direct_weights(Range range) {
  for (int p = 0; p < features_; ++p) {
    const float *g = decay_.at() + p * k_tile, *q = query_.at() + p * k_tile, *k = key_.at() + p * k_tile;
    for (int i = range.begin; i < range.end; ++i) {
      fades_of(g, range, i, fades_);
      for (int t = i; t < range.end; ++t) near_.at()[i * k_tile + t] += fades_[t] * q[t] * k[i];
    }
  }
}

/// S ← e^{Σ g of the tile}·S + Σ features·e^{sign·(G − G_reference)}⊗rows over the tile's tokens.
inline void Fading::carry(const Scratch& features, int reference, float sign, const Scratch& rows) {
  for (int p = 0; p < features_; ++p) {
    float sum = 0;
    for (int x = 0; x < k_tile; ++x) sum += decay_.at()[p * k_tile + x];
    const Vector fade = exp_of(hn::Set(k_floats, sum));
    float* row = state_.at() + p * width_;
    for (int d = 0; d < width_; d += k_lanes)
      hn::Store(hn::Mul(hn::Load(k_floats, row + d), fade), k_floats, row + d);
  }
  exponents({0, k_tile}, reference);
  factor(features.at(), {0, k_tile}, sign, key_factor_.at());
  product<false>(features_, width_, k_tile, {key_factor_.at(), k_tile}, {rows.at(), width_},
                 {state_.at(), width_, true});
}

void Fading::forward(const OutView& y, Index batch, Index head) {
  start(batch, head);
  const OutRows to = rows_of(y, batch, head);
  for (Index tile = 0; tile < length_; tile += k_tile) {
    load(tile);
    exponents({0, k_tile}, -1);
    factor(query_.at(), {0, k_tile}, 1, query_factor_.at());
    product<true>(k_tile, width_, features_, {query_factor_.at(), k_tile}, {state_.at(), width_},
                  {rows_.at(), width_, false});
    weights();
    product<true>(k_tile, width_, k_tile, {near_.at(), k_tile}, {values_.at(), width_},
                  {rows_.at(), width_, true}, {-k_tile, 0});
    for (Index t = tile; t < std::min<Index>(tile + k_tile, length_); ++t)
      write_row(to, t, rows_.at() + (t - tile) * width_);
    if (tile + k_tile < length_) carry(key_, k_tile - 1, -1, values_);
  }
}

/// gradient += part·e^{sign·exponent} over the range.
inline void Fading::add_part(Range range, float sign) {
  const Vector s = hn::Set(k_floats, sign);
  for (int p = 0; p < features_; ++p)
    for (int x = range.begin; x < range.end; x += k_lanes) {
      const int at = p * k_tile + x;
      const Vector e = exp_of(hn::Mul(s, hn::Load(k_floats, exponent_.at() + at)));
      hn::Store(hn::MulAdd(hn::Load(k_floats, part_.at() + at), e, hn::Load(k_floats, gradient_.at() + at)), k_floats,
                gradient_.at() + at);
    }
}

/// dφ(q) or dφ(k) of a range's pairs one by one.
inline HWY_NOINLINE void Fading::direct_gradients(Range range, bool of_keys) {
  for (int p = 0; p < features_; ++p) {
    const int row = p * k_tile;
    const float *q = query_.at() + row, *k = key_.at() + row;
    float* out = gradient_.at() + row;
    for (int i = range.begin; i < range.end; ++i) {
      fades_of(decay_.at() + row, range, i, fades_);
      for (int t = i; t < range.end; ++t) {
        if (of_keys)
          out[i] += fades_[t] * q[t] * pairs_.at()[t * k_tile + i];
        else
          out[t] += fades_[t] * k[i] * pairs_.at()[i * k_tile + t];
      }
    }
  }
}

/// dφ(q_t) = e^{G_t}·S·dy_t + Σ_{i ≤ t} (dy_t·v_i) φ(k_i)e^{G_t − G_i}.
inline void Fading::query_gradients(const FadingAttentionGradients& out, Index batch, Index head, Index tile) {
  load_transposed(out_dy_, tile, lanes_.at());
  product<false>(k_tile, k_tile, dim_, {values_.at(), width_}, {lanes_.at(), k_tile}, {pairs_.at(), k_tile, false});
  for (int i = 0; i < k_tile; ++i) std::fill_n(pairs_.at() + i * k_tile, i, 0.0f);
  std::fill_n(gradient_.at(), features_ * k_tile, 0.0f);
  product<false>(features_, k_tile, dim_, {state_.at(), width_}, {lanes_.at(), k_tile}, {part_.at(), k_tile, false});
  exponents({0, k_tile}, -1);
  add_part({0, k_tile}, 1);
  each_block({0, k_tile}, [&](Range keys, Range queries, int reference) HWY_ATTR {
    if (reference < 0) return direct_gradients(keys, false);
    exponents({keys.begin, queries.end}, reference);
    factor(key_.at(), keys, -1, key_factor_.at());
    product<false>(features_, queries.size(), keys.size(), {key_factor_.at() + keys.begin, k_tile},
                   {pairs_.at() + keys.begin * k_tile + queries.begin, k_tile},
                   {part_.at() + queries.begin, k_tile, false});
    add_part(queries, 1);
  });
  store(out.dq, batch, head, tile, gradient_.at());
}

/// With R = Σ φ(q_t)e^{G_t − G_end}⊗dy_t of the tiles behind:
/// dφ(k_i) = e^{G_end − G_i}·R·v_i + Σ_{t ≥ i} (dy_t·v_i) φ(q_t)e^{G_t − G_i}, dv_i = Rᵀφ(k_i)e^{G_end − G_i} + Σ a_ti dy_t.
inline void Fading::key_gradients(const FadingAttentionGradients& out, Index batch, Index head, Index tile) {
  load_rows(out_dy_, tile, dy_rows_.at());
  exponents({0, k_tile}, k_tile - 1);
  factor(key_.at(), {0, k_tile}, -1, key_factor_.at());
  product<true>(k_tile, width_, features_, {key_factor_.at(), k_tile}, {state_.at(), width_}, {rows_.at(), width_, false});
  load_transposed(v_, tile, lanes_.at());
  product<false>(features_, k_tile, dim_, {state_.at(), width_}, {lanes_.at(), k_tile}, {part_.at(), k_tile, false});
  std::fill_n(gradient_.at(), features_ * k_tile, 0.0f);
  add_part({0, k_tile}, -1);
  weights();
  product<false>(k_tile, width_, k_tile, {near_.at(), k_tile}, {dy_rows_.at(), width_}, {rows_.at(), width_, true});
  const OutRows dv = rows_of(out.dv, batch, head);
  for (Index t = tile; t < std::min<Index>(tile + k_tile, length_) && dv; ++t)
    write_row(dv, t, rows_.at() + (t - tile) * width_);
  product<false>(k_tile, k_tile, dim_, {dy_rows_.at(), width_}, {lanes_.at(), k_tile}, {pairs_.at(), k_tile, false});
  for (int t = 0; t < k_tile; ++t) std::fill(pairs_.at() + t * k_tile + t + 1, pairs_.at() + (t + 1) * k_tile, 0.0f);
  each_block({0, k_tile}, [&](Range keys, Range queries, int reference) HWY_ATTR {
    if (reference < 0) return direct_gradients(keys, true);
    exponents({keys.begin, queries.end}, reference);
    factor(query_.at(), queries, 1, query_factor_.at());
    product<false>(features_, keys.size(), queries.size(), {query_factor_.at() + queries.begin, k_tile},
                   {pairs_.at() + queries.begin * k_tile + keys.begin, k_tile}, {part_.at() + keys.begin, k_tile, false});
    add_part(keys, -1);
  });
  store(out.dk, batch, head, tile, gradient_.at());
}

/// dg_t = Σ_{s ≥ t} φ(q_s)·dφ(q_s) − φ(k_s)·dφ(k_s): a weight depends on G_t − G_i alone.
inline void Fading::decay_gradients(const FadingAttentionGradients& out, Index batch, Index head, Index tile) {
  const OutRows written = rows_of(out.dq, batch, head);
  const Rows dq{written.data, written.dtype, written.begin, written.token_stride, written.dim_stride, written.length, written.dim};
  load_transposed(dq, tile, part_.at());
  for (int p = 0; p < features_; ++p) {
    double sum = later_.at()[p];
    for (int t = k_tile - 1; t >= 0; --t) {
      const int at = p * k_tile + t;
      sum += static_cast<double>(query_.at()[at]) * part_.at()[at] - static_cast<double>(key_.at()[at]) * gradient_.at()[at];
      part_.at()[at] = static_cast<float>(sum);
    }
    later_.at()[p] = static_cast<float>(sum);
  }
  store(out.ddecay, batch, head, tile, part_.at());
}

/// Rows of a gradient [T,P] from its tile [P, k_tile].
inline void Fading::store(const OutView& out, Index batch, Index head, Index tile, const float* tile_of_features) {
  if (!out) return;
  const OutRows to = rows_of(out, batch, head);
  float row[k_most_dim];
  for (Index t = tile; t < std::min<Index>(tile + k_tile, length_); ++t) {
    for (int p = 0; p < features_; ++p) row[p] = tile_of_features[p * k_tile + (t - tile)];
    write_row(to, t, row);
  }
}

void Fading::backward(const FadingAttentionGradients& out, Index batch, Index head) {
  start(batch, head);
  out_dy_ = rows_of(out.dy, batch, head);
  for (Index tile = 0; tile < length_ && out.dq; tile += k_tile) {
    load(tile);
    query_gradients(out, batch, head, tile);
    carry(key_, k_tile - 1, -1, values_);
  }
  if (!out.dk && !out.dv) return;
  std::fill_n(state_.at(), features_ * width_, 0.0f);
  std::fill_n(later_.at(), features_, 0.0f);
  for (Index tile = (length_ - 1) / k_tile * k_tile; tile >= 0; tile -= k_tile) {
    load(tile);
    key_gradients(out, batch, head, tile);
    if (out.ddecay) decay_gradients(out, batch, head, tile);
    carry(query_, -1, 1, dy_rows_);
  }
}

bool run_fading(const FadingAttention& call, const OutView* y, const FadingAttentionGradients* gradients) {
  const Index heads = call.q.sizes[1];
  return parallel(call.threads, call.q.sizes[0] * heads, [&](const NextItem& next) {
    Fading fading(call, gradients != nullptr);
    for (Index i = next(); i >= 0; i = next())
      gradients ? fading.backward(*gradients, i / heads, i % heads) : fading.forward(*y, i / heads, i % heads);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kernels {
namespace {

HWY_EXPORT(run_fading);

Status run(const FadingAttention& call, const OutView* y, const FadingAttentionGradients* gradients) {
  if (call.q.dtype != DType::f32) return {StatusCode::unsupported, "fading_attention_cpu: only f32 is taken"};
  if (std::max(call.q.sizes[3], call.v.sizes[3]) > k_most_dim)
    return {StatusCode::unsupported, "fading_attention_cpu: P and E must be 256 or less"};
  try {
    if (HWY_DYNAMIC_DISPATCH(run_fading)(call, y, gradients)) return {};
  } catch (const std::bad_alloc&) {
  }
  return {StatusCode::out_of_memory, "fading_attention_cpu: no memory for scratch tiles"};
}

}  // namespace

Status fading_attention_cpu(const FadingAttention& call, const OutView& y) {
  if (Status status = check(call, y); !status.ok()) return status;
  return run(call, &y, nullptr);
}

Status fading_attention_backward_cpu(const FadingAttention& call, FadingAttentionGradients& gradients) {
  if (Status status = check(call, gradients); !status.ok()) return status;
  return run(call, nullptr, &gradients);
}

}  // namespace kernels
#endif
