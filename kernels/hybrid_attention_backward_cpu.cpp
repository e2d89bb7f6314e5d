// Two sweeps over a head's tiles. The first runs forward in time with the state S = Σ φ(k)⊗v of the
// keys gone by: it gives dq, the query map's gradients and what the window does to dk and dv. The
// second runs backward with the state R = Σ c·φ(q)⊗dy of the queries to come (c the factor of
// Σ φφ v in y): it gives dk, dv and the key map's gradients of the linear branch. Scores, features
// and normalisers are computed anew; only two numbers a row are kept between the sweeps.

#include <vector>

#include "kernels/hybrid_attention_items.h"
#include "kernels/hybrid_attention_plan.h"
#include "kernels/parallel.h"

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/hybrid_attention_backward_cpu.cpp"
#include <hwy/foreach_target.h>

#include "kernels/hybrid_attention_backward-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

/// Σ φφ and Σ φφ dy·v of the tile's rows; leaves the near pairs and S·dyᵀ behind.
void Backward::linear_sums(Index tile) {
  const Lanes lanes = linear_lanes(p_, tile);
  delayed_ = blocks_.at(tile - p_.least_age);
  key_phi(tile);
  query_phi(tile);
  near_pairs(key_features_.at(), query_features_.at(), features_, lanes.end, near_.at());
  denominators(state_, query_features_.at(), features_, near_.at(), lanes.end, a_sum_);
  for (int lane = 0; lane < lanes.end; lane += k_panel)
    product<false>(std::min<int>(round_up(lane + k_panel, 8), k_tile), k_panel, dim_,
                   {delayed_.values, width_}, {dy_.at() + lane, k_tile},
                   {near_dy_.at() + lane, k_tile, false});
  if (!state_.empty())
    product<false>(features_, k_tile, dim_, {state_.sums(), width_}, {dy_.at(), k_tile},
                   {dphi_.at(), k_tile, false});
  for (int t = 0; t < lanes.end; t += k_lanes) {
    Vector sum = hn::Zero(k_floats);
    for (int j = 0; j < t + k_lanes; ++j)
      sum = hn::MulAdd(hn::Load(k_floats, near_.at() + j * k_tile + t),
                       hn::Load(k_floats, near_dy_.at() + j * k_tile + t), sum);
    for (int f = 0; f < features_ && !state_.empty(); ++f)
      sum = hn::MulAdd(hn::Load(k_floats, query_features_.at() + f * k_tile + t),
                       hn::Load(k_floats, dphi_.at() + f * k_tile + t), sum);
    hn::Store(sum, k_floats, a_dy_ + t);
  }
}

/// Scores and dy·v of a group's pairs.
void Backward::pairs(const Group& g, int lane) {
  masked_scores(blocks_, g, p_, query_.at() + lane, scores_.at());
  each_block(blocks_, g, [&](const KeyBlock& block, Index key, Index place, int keys) HWY_ATTR {
    product<false>(keys, k_panel, dim_, {block.values + place * width_, width_},
                   {dy_.at() + lane, k_tile},
                   {pair_dy_.at() + (key - g.begin) * k_panel, k_panel, false});
  });
}

/// Row maxima, Σ e and Σ e dy·v of a panel's rows.
void Backward::window_sums(Index tile, int lane) {
  for (int t = lane; t < lane + k_panel; ++t) {
    most_[t] = k_no_score;
    e_sum_[t] = e_dy_[t] = ties_[t] = 0;
  }
  const Index first = tile + lane, last = std::min<Index>(first + k_panel, p_.length) - 1;
  each_group(p_, first, last, [&](const Group& g) HWY_ATTR {
    pairs(g, lane);
    add_to_window_sums(lane, static_cast<int>(g.end - g.begin));
  });
}

void Backward::add_to_window_sums(int lane, int keys) {
  const Vector zero = hn::Zero(k_floats), one = hn::Set(k_floats, 1.0f);
  for (int n = 0; n < k_panel; n += k_lanes) {
    const int t = lane + n;
    const Vector before = hn::Load(k_floats, most_ + t);
    Vector most = before;
    for (int j = 0; j < keys; ++j)
      most = hn::Max(most, hn::Load(k_floats, scores_.at() + j * k_panel + n));
    const Vector rescale = exp_of(hn::Sub(before, most));
    Vector sum = hn::Mul(hn::Load(k_floats, e_sum_ + t), rescale);
    Vector dy = hn::Mul(hn::Load(k_floats, e_dy_ + t), rescale);
    Vector ties = hn::IfThenElse(hn::Eq(before, most), hn::Load(k_floats, ties_ + t), zero);
    for (int j = 0; j < keys; ++j) {
      const Vector score = hn::Load(k_floats, scores_.at() + j * k_panel + n);
      const Vector e = exp_of(hn::Sub(score, most));
      sum = hn::Add(sum, e);
      dy = hn::MulAdd(e, hn::Load(k_floats, pair_dy_.at() + j * k_panel + n), dy);
      ties = hn::Add(ties, hn::IfThenElseZero(hn::Eq(score, most), one));
    }
    hn::Store(most, k_floats, most_ + t);
    hn::Store(sum, k_floats, e_sum_ + t);
    hn::Store(dy, k_floats, e_dy_ + t);
    hn::Store(ties, k_floats, ties_ + t);
  }
}

/// dq, dk and dv of a panel's window pairs.
void Backward::window_gradients(Index tile, int lane) {
  const Index first = tile + lane, last = std::min<Index>(first + k_panel, p_.length) - 1;
  int groups = 0;
  each_group(p_, first, last, [&](const Group&) HWY_ATTR { ++groups; });
  each_group(p_, first, last, [&](const Group& g) HWY_ATTR {
    if (groups > 1) pairs(g, lane);  // a lone group's are still there
    pair_gradients(lane, static_cast<int>(g.end - g.begin));
    each_block(blocks_, g, [&](const KeyBlock& block, Index key, Index place, int keys) HWY_ATTR {
      const float* dscores = scores_.at() + (key - g.begin) * k_panel;
      const float* weights = pair_dy_.at() + (key - g.begin) * k_panel;
      const Band band = queries_of_keys(g, key);
      product<true>(k_panel, width_, keys, {dscores, k_panel},
                    {block.key_rows + place * width_, width_},
                    {dq_.at() + lane * width_, width_, true}, keys_of_queries(g, key));
      add_rows<false>(dk_.at(), key, {0, keys}, k_panel, {dscores, k_panel},
                      {query_rows_.at() + lane * width_, width_}, band);
      add_rows<false>(dv_.at(), key, {0, keys}, k_panel, {weights, k_panel},
                      {dy_rows_.at() + lane * width_, width_}, band);
    });
  });
}

/// From scores and dy·v to the scores' gradients and the weights that values enter y with.
void Backward::pair_gradients(int lane, int keys) {
  const Vector scale = hn::Set(k_floats, static_cast<float>(p_.scale));
  for (int n = 0; n < k_panel; n += k_lanes) {
    const Vector most = hn::Load(k_floats, most_ + lane + n);
    const Vector factor = hn::Load(k_floats, window_factor_ + lane + n);
    const Vector lost = hn::Load(k_floats, window_lost_ + lane + n);
    const Vector to_most = hn::Load(k_floats, to_most_ + lane + n);
    for (int j = 0; j < keys; ++j) {
      float *score_at = scores_.at() + j * k_panel + n, *dy_at = pair_dy_.at() + j * k_panel + n;
      const Vector score = hn::Load(k_floats, score_at);
      const Vector weight = hn::Mul(exp_of(hn::Sub(score, most)), factor);
      Vector dscore = hn::Mul(hn::Mul(weight, scale), hn::Sub(hn::Load(k_floats, dy_at), lost));
      if (shared_) dscore = hn::Sub(dscore, hn::IfThenElseZero(hn::Eq(score, most), to_most));
      hn::Store(dscore, k_floats, score_at);
      hn::Store(weight, k_floats, dy_at);
    }
  }
}

/// dφ(q) = c·(S·dy − lost·Σ φ(k)) + Σ da φ(k), then through σ and W.
void Backward::query_features_backward(Index tile) {
  const Lanes lanes = linear_lanes(p_, tile);
  delayed_ = blocks_.at(tile - p_.least_age);  // the window's blocks may have taken its place
  const float *factor = linear_factors_.at() + tile, *lost = linear_lost_.at() + tile;
  for (int t = 0; t < k_tile; t += k_lanes) {
    const Vector c = hn::Load(k_floats, factor + t), l = hn::Load(k_floats, lost + t);
    for (int f = 0; f < features_; ++f) {
      float* at = dphi_.at() + f * k_tile + t;
      if (state_.empty())
        hn::Store(hn::Zero(k_floats), k_floats, at);
      else {
        const Vector total = hn::Set(k_floats, state_.totals()[f]);
        hn::Store(hn::Mul(c, hn::NegMulAdd(l, total, hn::Load(k_floats, at))), k_floats, at);
      }
    }
  }
  for (int lane = 0; lane < lanes.end; lane += k_panel) {
    const int keys = static_cast<int>(std::min<Index>(round_up(lane + k_panel, 8), k_tile));
    for (int n = lane; n < lane + k_panel; n += k_lanes) {
      const Vector c = hn::Load(k_floats, factor + n), l = hn::Load(k_floats, lost + n);
      for (int j = 0; j < keys; ++j) {
        float* at = near_dy_.at() + j * k_tile + n;
        const auto past = hn::Ge(hn::Iota(k_floats, static_cast<float>(n - j)), hn::Zero(k_floats));
        const Vector da = hn::Mul(c, hn::Sub(hn::Load(k_floats, at), l));
        hn::Store(hn::IfThenElseZero(past, da), k_floats, at);
      }
    }
    product<false>(features_, k_panel, keys, {key_features_.at(), k_tile},
                   {near_dy_.at() + lane, k_tile}, {dphi_.at() + lane, k_tile, true});
  }
  activation_backward(query_map_, query_features_.at(), lanes, dphi_.at());
  through_query_map(tile);
  state_.add(key_features_.at(), delayed_.values, nullptr);
}

/// The gradients of the tile's delayed keys, from its own queries and, through R, all later ones.
void Backward::key_side(Index tile) {
  const Lanes keys = delayed_lanes(p_, tile);
  const Index start = tile - p_.least_age;
  delayed_ = blocks_.at(start);
  load_transposed(q_, tile, query_.at());
  load_transposed(out_dy_, tile, dy_.at());
  load_rows(out_dy_, tile, dy_rows_.at());
  key_phi(tile);
  query_phi(tile);
  if (!future_.empty()) {
    product<false>(features_, k_tile, dim_, {future_.sums(), width_},
                   {delayed_.value_lanes, k_tile}, {dphi_.at(), k_tile, false});
    for (int i = 0; i < features_ * k_tile; i += k_lanes) {
      const Vector lost = hn::Set(k_floats, future_.totals()[i / k_tile]);
      hn::Store(hn::Sub(hn::Load(k_floats, dphi_.at() + i), lost), k_floats, dphi_.at() + i);
    }
    add_rows<true>(dv_.at(), start, keys, features_, {key_features_.at(), k_tile},
                   {future_.sums(), width_});
  } else {
    std::fill_n(dphi_.at(), features_ * k_tile, 0.0f);
  }
  late_pairs(tile);
  add_rows<true>(dv_.at(), start, keys, k_tile, {near_.at(), k_tile}, {dy_rows_.at(), width_},
                 {0, k_tile});
  activation_backward(key_map_, key_features_.at(), keys, dphi_.at());
  through_key_map(tile);
  scale_query_features(tile);
  future_.add(query_features_.at(), dy_rows_.at(), linear_lost_.at() + tile);
}

/// The tile's own pairs as [query, key]: c·φφ in near_, da in near_dy_; dφ(k) += Σ da φ(q).
void Backward::late_pairs(Index tile) {
  const float *factor = linear_factors_.at() + tile, *lost = linear_lost_.at() + tile;
  for (int lane = 0; lane < k_tile; lane += k_panel) {
    const int from = lane / 8 * 8;
    for (int t = 0; t < from; ++t) std::fill_n(near_.at() + t * k_tile + lane, k_panel, 0.0f);
    product<true>(k_tile - from, k_panel, features_, {query_features_.at() + from, k_tile},
                  {key_features_.at() + lane, k_tile},
                  {near_.at() + from * k_tile + lane, k_tile, false});
    product<true>(k_tile - from, k_panel, dim_, {dy_.at() + from, k_tile},
                  {delayed_.value_lanes + lane, k_tile},
                  {near_dy_.at() + from * k_tile + lane, k_tile, false});
    for (int t = from; t < k_tile; ++t) {
      const Vector c = hn::Set(k_floats, factor[t]), l = hn::Set(k_floats, lost[t]);
      for (int n = lane; n < lane + k_panel; n += k_lanes) {
        float *near = near_.at() + t * k_tile + n, *dy = near_dy_.at() + t * k_tile + n;
        const auto past = hn::Le(hn::Iota(k_floats, static_cast<float>(n - t)), hn::Zero(k_floats));
        const Vector weight = hn::Mul(c, hn::Load(k_floats, near));
        const Vector da = hn::Mul(c, hn::Sub(hn::Load(k_floats, dy), l));
        hn::Store(hn::IfThenElseZero(past, weight), k_floats, near);
        hn::Store(hn::IfThenElseZero(past, da), k_floats, dy);
      }
    }
    product<false>(features_, k_panel, k_tile - from, {query_features_.at() + from, k_tile},
                   {near_dy_.at() + from * k_tile + lane, k_tile},
                   {dphi_.at() + lane, k_tile, true});
  }
}

void Backward::scale_query_features(Index tile) {
  for (int t = 0; t < k_tile; t += k_lanes) {
    const Vector c = hn::Load(k_floats, linear_factors_.at() + tile + t);
    for (int f = 0; f < features_; ++f) {
      float* at = query_features_.at() + f * k_tile + t;
      hn::Store(hn::Mul(hn::Load(k_floats, at), c), k_floats, at);
    }
  }
}

bool run_backward(const HybridAttention& call, const HybridAttentionGradients& gradients,
                  const Plan& p) {
  std::vector<HeadGradients> sums(p.batch * p.heads);
  const Index shared = p.heads / p.groups;
  // One item per group: its heads add to the same keys and values.
  const bool complete =
      parallel(useful_threads(p, call.threads), p.batch * p.groups, [&](const NextItem& next) {
        Backward backward(call, gradients, p);
        for (Index i = next(); i >= 0; i = next()) {
          const Index batch = i / p.groups, group = i % p.groups;
          backward.start_group(batch, group);
          for (Index h = group * shared; h < (group + 1) * shared; ++h)
            backward.run(batch, h, sums[batch * p.heads + h]);
          backward.finish_group();
        }
      });
  if (!complete) return false;
  sum_maps_over_batch(gradients, p, sums);
  if (!gradients.dlogit) return true;
  for (Index h = 0; h < p.heads; ++h) {
    double sum = 0;
    const bool logits =
        call.mixing == Mixing::learned || call.mixing == Mixing::shared_denominator;
    for (Index b = 0; b < p.batch && logits; ++b)
      sum += sums[b * p.heads + h].logit;
    static_cast<float*>(gradients.dlogit.data)[h * gradients.dlogit.strides[0]] =
        static_cast<float>(sum);
  }
  return true;
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kernels {
namespace {

HWY_EXPORT(run_backward);

}  // namespace

Status hybrid_attention_backward_cpu(const HybridAttention& call,
                                     HybridAttentionGradients& gradients) {
  if (Status status = check(call, gradients); !status.ok()) return status;
  if (Status status = taken_by("hybrid_attention_cpu", call); !status.ok()) return status;
  try {
    if (HWY_DYNAMIC_DISPATCH(run_backward)(call, gradients, plan(call))) return {};
  } catch (const std::bad_alloc&) {
  }
  return {StatusCode::out_of_memory, "hybrid_attention_cpu: no memory for scratch tiles"};
}

}  // namespace kernels
#endif
