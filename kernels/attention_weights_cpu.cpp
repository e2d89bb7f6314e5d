// Tiles of k_tile queries against tiles of k_tile keys, as [key, query]. A first pass over a query
// tile's keys finds the softmax's row maxima and sums; Σ φφ needs no pairs, only Σ φ(k) so far. A
// second pass finds the loss and what each pair adds to its features' gradients. What the
// denominator adds is the same for every key of a query, so it too goes through sums: Σ φ(k) of the
// keys gone by and, back in time, Σ c·φ(q) of the queries to come. φ(k) and dφ(k) of the whole head
// are kept, so that every key is mapped once.

#include <cmath>
#include <vector>

#include "kernels/attention_weights.h"
#include "kernels/hybrid_attention_items.h"
#include "kernels/parallel.h"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_weights_cpu.cpp"
#include <hwy/foreach_target.h>

#include <hwy/contrib/math/math-inl.h>
#include "kernels/hybrid_attention_steps-inl.h"
#include "kernels/map_gradients-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

constexpr float k_least_weight = 1e-12f;

/// Scratch memory and steps of the objective, for one thread.
class WeightsObjective {
 public:
  WeightsObjective(const AttentionWeights& call, const Plan& p, double scale, bool gradients)
      : call_(call),
        p_(p),
        scale_(static_cast<float>(scale)),
        gradients_(gradients),
        dim_(static_cast<int>(p.dim)),
        width_(static_cast<int>(padded(p.dim))),
        columns_(static_cast<int>(p.columns)),
        features_(static_cast<int>(p.features)),
        tiles_((p.length + k_tile - 1) / k_tile),
        feature_width_(padded(p.features)),
        query_(dim_ * k_tile),
        rows_(k_tile * width_),
        query_features_(features_ * k_tile),
        query_feature_rows_(k_tile * feature_width_),
        dphi_(features_ * k_tile),
        scores_(k_tile * k_tile),
        pairs_(k_tile * k_tile),
        totals_(features_),
        keys_(tiles_ * dim_ * k_tile),
        key_features_(tiles_ * features_ * k_tile),
        dkey_features_(gradients ? tiles_ * k_tile * feature_width_ : 0),
        late_(gradients ? tiles_ * features_ : 0) {}

  /// −Σ over valid queries of one head.
  double run(Index batch, Index head, HeadGradients& sums);

 private:
  void start(Index batch, Index head, HeadGradients& sums);
  void map_keys(Index tile);
  void query_tile(Index tile);
  void softmax_sums(Index tile);
  void tile_scores(Index tile, Index keys);
  void row_factors(Index batch, Index tile);
  double tile_loss(Index tile, Index keys);
  void tile_gradients(Index keys);
  void denominator_gradients(Index tile);
  void add_to_totals(Index tile);
  void keys_backward();

  const AttentionWeights& call_;
  const Plan& p_;
  float scale_;
  bool gradients_;
  int dim_, width_, columns_, features_;
  Index tiles_, feature_width_;
  Scratch query_;               ///< [D, k_tile]
  Scratch rows_;                ///< [k_tile, width] queries or keys
  Scratch query_features_;      ///< [P, k_tile]
  Scratch query_feature_rows_;  ///< [k_tile, feature width]
  Scratch dphi_;                ///< [P, k_tile]
  Scratch scores_, pairs_;  ///< [keys, queries] of a pair of tiles: scores; φφ, then its gradient
  Scratch totals_;          ///< [P] Σ φ(k) of the tiles gone by
  Scratch keys_;            ///< [tiles][D, k_tile]
  Scratch key_features_;    ///< [tiles][P, k_tile]
  Scratch dkey_features_;   ///< [tiles][k_tile, feature width]
  Scratch late_;            ///< [tiles][P] Σ c·φ(q), c what a denominator adds to every da
  HWY_ALIGN float most_[k_tile], e_sum_[k_tile], a_sum_[k_tile], moved_[k_tile];
  HWY_ALIGN float softmax_factor_[k_tile], linear_factor_[k_tile], row_scale_[k_tile];
  HWY_ALIGN float common_[k_tile];  ///< c
  Rows q_, k_;
  HeadMap query_map_, key_map_;
  HeadGradients* sums_ = nullptr;
};

void WeightsObjective::start(Index batch, Index head, HeadGradients& sums) {
  sums_ = &sums;
  q_ = rows_of(call_.q, batch, head);
  k_ = rows_of(call_.k, batch, head / (p_.heads / p_.groups));
  query_map_ = head_map(call_.query_map, p_, head);
  key_map_ = head_map(call_.key_map, p_, head);
  for (auto* weight : {&sums.query_weight, &sums.key_weight}) weight->assign(columns_ * width_, 0);
  for (auto* bias : {&sums.query_bias, &sums.key_bias}) bias->assign(columns_, 0);
  std::fill_n(totals_.at(), features_, 0.0f);
  if (gradients_) std::fill_n(dkey_features_.at(), tiles_ * k_tile * feature_width_, 0.0f);
}

double WeightsObjective::run(Index batch, Index head, HeadGradients& sums) {
  start(batch, head, sums);
  double loss = 0;
  for (Index tile = 0; tile < tiles_; ++tile) {
    map_keys(tile);
    query_tile(tile);
    softmax_sums(tile);
    row_factors(batch, tile);
    for (Index keys = 0; keys <= tile; ++keys) {
      loss += tile_loss(tile, keys);
      if (gradients_) tile_gradients(keys);
    }
    if (gradients_) denominator_gradients(tile);
    add_to_totals(tile);
    if (!gradients_) continue;
    const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile * k_tile));
    activation_backward(query_map_, query_features_.at(), {0, lanes}, dphi_.at());
    load_rows(q_, tile * k_tile, rows_.at());
    map_gradients(columns_, width_, dphi_.at(), rows_.at(), sums_->query_weight.data(),
                  sums_->query_bias.data());
  }
  if (gradients_) keys_backward();
  return loss;
}

void WeightsObjective::map_keys(Index tile) {
  Index clamped = 0;
  float *keys = keys_.at() + tile * dim_ * k_tile,
        *phi = key_features_.at() + tile * features_ * k_tile;
  const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile * k_tile));
  load_transposed(k_, tile * k_tile, keys);
  feature_tile(key_map_, keys, {0, lanes}, phi, clamped);
}

/// φ of the queries, both ways round.
void WeightsObjective::query_tile(Index tile) {
  Index clamped = 0;
  const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile * k_tile));
  load_transposed(q_, tile * k_tile, query_.at());
  feature_tile(query_map_, query_.at(), {0, lanes}, query_features_.at(), clamped);
  if (!gradients_) return;
  std::fill_n(dphi_.at(), features_ * k_tile, 0.0f);
  for (int t = 0; t < k_tile; ++t) {
    float* row = query_feature_rows_.at() + t * feature_width_;
    for (int f = 0; f < features_; ++f) row[f] = query_features_.at()[f * k_tile + t];
    std::fill(row + features_, row + feature_width_, 0.0f);
  }
}

/// Scaled scores of a pair of tiles, k_unseen where the teacher does not see.
void WeightsObjective::tile_scores(Index tile, Index keys) {
  product<true>(k_tile, k_tile, dim_, {keys_.at() + keys * dim_ * k_tile, k_tile},
                {query_.at(), k_tile}, {scores_.at(), k_tile, false});
  const Vector scale = hn::Set(k_floats, static_cast<float>(p_.scale)), zero = hn::Zero(k_floats);
  const Index window = call_.teacher_window > 0 ? call_.teacher_window : p_.length;
  const Vector last = hn::Set(k_floats, static_cast<float>(window - 1));
  for (int j = 0; j < k_tile; ++j) {
    for (int t = 0; t < k_tile; t += k_lanes) {
      float* at = scores_.at() + j * k_tile + t;
      const Index age = (tile - keys) * k_tile + t - j;
      Vector s = hn::Mul(hn::Load(k_floats, at), scale);
      if (age < 0 || age + k_lanes > window) {
        const Vector ages = hn::Iota(k_floats, static_cast<float>(age));
        const auto seen = hn::And(hn::Ge(ages, zero), hn::Le(ages, last));
        s = hn::IfThenElse(seen, s, hn::Set(k_floats, k_unseen));
      }
      hn::Store(s, k_floats, at);
    }
  }
}

/// Row maxima and sums of the softmax over all tiles of keys, and Σ φφ.
void WeightsObjective::softmax_sums(Index tile) {
  std::fill_n(most_, k_tile, k_no_score);
  std::fill_n(e_sum_, k_tile, 0.0f);
  for (Index keys = 0; keys <= tile; ++keys) {
    tile_scores(tile, keys);
    for (int t = 0; t < k_tile; t += k_lanes) {
      const Vector before = hn::Load(k_floats, most_ + t);
      Vector most = before;
      for (int j = 0; j < k_tile; ++j)
        most = hn::Max(most, hn::Load(k_floats, scores_.at() + j * k_tile + t));
      Vector sum = hn::Mul(hn::Load(k_floats, e_sum_ + t), exp_of(hn::Sub(before, most)));
      for (int j = 0; j < k_tile; ++j)
        sum =
            hn::Add(sum, exp_of(hn::Sub(hn::Load(k_floats, scores_.at() + j * k_tile + t), most)));
      hn::Store(most, k_floats, most_ + t);
      hn::Store(sum, k_floats, e_sum_ + t);
    }
  }
  const float* phi = key_features_.at() + tile * features_ * k_tile;
  near_pairs(phi, query_features_.at(), features_, k_tile, pairs_.at());
  for (int t = 0; t < k_tile; t += k_lanes) {
    Vector sum = hn::Zero(k_floats);
    for (int j = 0; j < t + k_lanes; ++j)
      sum = hn::Add(sum, hn::Load(k_floats, pairs_.at() + j * k_tile + t));
    for (int f = 0; f < features_; ++f)
      sum = hn::MulAdd(hn::Load(k_floats, query_features_.at() + f * k_tile + t),
                       hn::Set(k_floats, totals_.at()[f]), sum);
    hn::Store(sum, k_floats, a_sum_ + t);
  }
}

void WeightsObjective::add_to_totals(Index tile) {
  const float* phi = key_features_.at() + tile * features_ * k_tile;
  for (int f = 0; f < features_; ++f) {
    Vector sum = hn::Zero(k_floats);
    for (int t = 0; t < k_tile; t += k_lanes)
      sum = hn::Add(sum, hn::Load(k_floats, phi + f * k_tile + t));
    totals_.at()[f] += hn::GetLane(hn::SumOfLanes(k_floats, sum));
  }
}

void WeightsObjective::row_factors(Index batch, Index tile) {
  const auto least = static_cast<float>(p_.least_denominator);
  const View& valid = call_.valid;
  for (int i = 0; i < k_tile; ++i) {
    const Index t = tile * k_tile + i;
    const bool counts =
        t < p_.length &&
        (!valid || static_cast<const std::uint8_t*>(
                       valid.data)[batch * valid.strides[0] + t * valid.strides[1]]);
    const bool clamped = std::abs(a_sum_[i]) < least;
    const float sum = !clamped ? a_sum_[i] : a_sum_[i] < 0 ? -least : least;
    row_scale_[i] = counts ? scale_ : 0;
    softmax_factor_[i] = counts ? 1 / e_sum_[i] : 0;
    linear_factor_[i] = 1 / sum;
    common_[i] = clamped || !counts ? 0 : scale_ / sum;
    moved_[i] = 0;
  }
}

/// The loss of a pair of tiles and the part of Σ A that the clamp lets through; leaves the pairs'
/// own part of da behind, 0 where the teacher does not see.
double WeightsObjective::tile_loss(Index tile, Index keys) {
  tile_scores(tile, keys);
  product<true>(k_tile, k_tile, features_, {key_features_.at() + keys * features_ * k_tile, k_tile},
                {query_features_.at(), k_tile}, {pairs_.at(), k_tile, false});
  const Vector least = hn::Set(k_floats, k_least_weight), zero = hn::Zero(k_floats);
  double loss = 0;
  for (int t = 0; t < k_tile; t += k_lanes) {
    const Vector most = hn::Load(k_floats, most_ + t);
    const Vector softmax_factor = hn::Load(k_floats, softmax_factor_ + t);
    const Vector linear_factor = hn::Load(k_floats, linear_factor_ + t);
    const Vector scale = hn::Load(k_floats, row_scale_ + t);
    Vector moved = hn::Load(k_floats, moved_ + t), sum = zero;
    for (int j = 0; j < k_tile; ++j) {
      const Vector score = hn::Load(k_floats, scores_.at() + j * k_tile + t);
      const Vector target = hn::Mul(exp_of(hn::Sub(score, most)), softmax_factor);
      float* at = pairs_.at() + j * k_tile + t;
      const Vector a = hn::Load(k_floats, at);
      const Vector weight = hn::Mul(a, linear_factor);
      const auto above = hn::Ge(weight, least);
      sum = hn::NegMulAdd(target, hn::Log(k_floats, hn::Max(weight, least)), sum);
      moved = hn::Add(moved, hn::IfThenElseZero(above, target));
      if (gradients_)
        hn::Store(hn::IfThenElseZero(above, hn::Neg(hn::Div(hn::Mul(target, scale), a))), k_floats,
                  at);
    }
    hn::Store(moved, k_floats, moved_ + t);
    loss += hn::GetLane(hn::SumOfLanes(k_floats, sum));
  }
  return loss;
}

/// dφ(q) += da φ(k) and dφ(k) += da φ(q) of a pair of tiles.
void WeightsObjective::tile_gradients(Index keys) {
  product<false>(features_, k_tile, k_tile,
                 {key_features_.at() + keys * features_ * k_tile, k_tile}, {pairs_.at(), k_tile},
                 {dphi_.at(), k_tile, true});
  product<false>(k_tile, static_cast<int>(feature_width_), k_tile, {pairs_.at(), k_tile},
                 {query_feature_rows_.at(), feature_width_},
                 {dkey_features_.at() + keys * k_tile * feature_width_, feature_width_, true});
}

/// c for every key that a query of the tile sees: its own tile's through the pairs, the others'
/// through the sums.
void WeightsObjective::denominator_gradients(Index tile) {
  for (int t = 0; t < k_tile; t += k_lanes) {
    const Vector c = hn::Mul(hn::Load(k_floats, common_ + t), hn::Load(k_floats, moved_ + t));
    hn::Store(c, k_floats, common_ + t);
    for (int j = 0; j < k_tile; ++j) {
      const auto past = hn::Ge(hn::Iota(k_floats, static_cast<float>(t - j)), hn::Zero(k_floats));
      hn::Store(hn::IfThenElseZero(past, c), k_floats, pairs_.at() + j * k_tile + t);
    }
  }
  tile_gradients(tile);
  for (int f = 0; f < features_; ++f) {
    const Vector total = hn::Set(k_floats, totals_.at()[f]);
    Vector sum = hn::Zero(k_floats);
    for (int t = 0; t < k_tile; t += k_lanes) {
      const Vector c = hn::Load(k_floats, common_ + t);
      float* at = dphi_.at() + f * k_tile + t;
      hn::Store(hn::MulAdd(c, total, hn::Load(k_floats, at)), k_floats, at);
      sum = hn::MulAdd(c, hn::Load(k_floats, query_features_.at() + f * k_tile + t), sum);
    }
    late_.at()[tile * features_ + f] = hn::GetLane(hn::SumOfLanes(k_floats, sum));
  }
}

void WeightsObjective::keys_backward() {
  std::fill_n(totals_.at(), features_, 0.0f);
  for (Index tile = tiles_ - 1; tile >= 0; --tile) {
    const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile * k_tile));
    transpose(dkey_features_.at() + tile * k_tile * feature_width_, feature_width_, features_,
              dphi_.at());
    for (int i = 0; i < features_ * k_tile; i += k_lanes) {
      const Vector later = hn::Set(k_floats, totals_.at()[i / k_tile]);
      hn::Store(hn::Add(hn::Load(k_floats, dphi_.at() + i), later), k_floats, dphi_.at() + i);
    }
    for (int f = 0; f < features_; ++f) totals_.at()[f] += late_.at()[tile * features_ + f];
    activation_backward(key_map_, key_features_.at() + tile * features_ * k_tile, {0, lanes},
                        dphi_.at());
    load_rows(k_, tile * k_tile, rows_.at());
    map_gradients(columns_, width_, dphi_.at(), rows_.at(), sums_->key_weight.data(),
                  sums_->key_bias.data());
  }
}

/// False where memory ran out.
bool run_weights(const AttentionWeights& call, const Plan& p, double count,
                 AttentionWeightsOut& out) {
  std::vector<HeadGradients> sums(p.batch * p.heads);
  std::vector<double> losses(sums.size());
  const double scale = out.gradient_scale / count;
  const bool complete = parallel(call.threads, p.batch * p.heads, [&](const NextItem& next) {
    WeightsObjective objective(call, p, scale, out.gradients());
    for (Index i = next(); i >= 0; i = next())
      losses[i] = objective.run(i / p.heads, i % p.heads, sums[i]);
  });
  if (!complete) return false;
  out.loss = 0;
  for (const double loss : losses) out.loss += loss / count;
  sum_maps_over_batch(out, p, sums);
  return true;
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kernels {
namespace {

HWY_EXPORT(run_weights);

}  // namespace

Status attention_weights_cpu(const AttentionWeights& call, AttentionWeightsOut& out) {
  if (Status status = check(call, out); !status.ok()) return status;
  const HybridAttention linear = as_linear_attention(call);
  if (Status status = taken_by("attention_weights_cpu", linear); !status.ok()) return status;
  const Plan p = plan(linear);
  const double count =
      static_cast<double>(std::max<std::int64_t>(1, valid_queries(call)) * p.heads);
  try {
    if (HWY_DYNAMIC_DISPATCH(run_weights)(call, p, count, out)) return {};
  } catch (const std::bad_alloc&) {
  }
  return {StatusCode::out_of_memory, "attention_weights_cpu: no memory for scratch tiles"};
}

}  // namespace kernels
#endif
