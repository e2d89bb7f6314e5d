#pragma once
/// Hybrid attention for a GPU: the backward pass, in two sweeps as on the processor. Queries first,
/// forward in time: dq, the query map's gradients and a few numbers a row. Then keys, backward in
/// time with the state R = Σ c·φ(q)⊗dy of the queries to come: dk, dv and the key map's gradients;
/// every key belongs to one item, so nothing is added up in an order that may change.

#include "kernels/hybrid_attention_device_forward.h"

namespace kernels::device {

/// What the first sweep leaves for each row, [batch · heads][row_stride] of each.
struct RowNumbers {
  float *most = nullptr, *window_factor = nullptr, *window_lost = nullptr, *to_most = nullptr;
  float *linear_factor = nullptr, *linear_lost = nullptr;
  Index stride = 0;
};

struct BackwardPass {
  DeviceCall call;
  Places places;
  HeadView<const void*> dy;
  HeadView<void*> dq, dk, dv;  ///< null where not asked for; dk and dv f32
  Index tiles = 0, query_pieces = 1, key_pieces = 1;
  float *states = nullptr, *futures = nullptr;  ///< [items][sizes.state()]
  RowNumbers rows;
  float *query_maps = nullptr, *key_maps = nullptr;  ///< [items][weight() + ld_columns]: dW and db
  double* logits = nullptr;                          ///< [items]
  float* dgate = nullptr;                            ///< [batch, head, token]; null: not asked for
  Index dgate_batch = 0, dgate_head = 0, dgate_token = 0;
};

template <class Team>
class BackwardSteps {
 public:
  EQUIPOISE_DEVICE BackwardSteps(const Team& team, const BackwardPass& pass, const Piece& piece,
                                 const Tiles& tiles)
      : team_(team),
        c_(pass.call),
        p_(c_.plan),
        s_(c_.sizes),
        pass_(pass),
        piece_(piece),
        t_(tiles),
        state_(state_at(s_, tiles.at[tile_state])),
        group_(piece.head / (p_.heads / p_.groups)),
        rows_((piece.batch * p_.heads + piece.head) * pass.rows.stride) {}

  // ---- queries, forward in time ----

  EQUIPOISE_DEVICE void queries() {
    start(pass_.states, pass_.query_maps, pass_.query_pieces);
    const Index number = piece_.number;
    double* logits = pass_.logits;
    team_.each(1, [=](int) { logits[number] = 0; });
    for (Index n = piece_.first; n < piece_.last; ++n) {
      const Index tile = n * k_tile;
      const bool linear = p_.linear && tile + k_tile > p_.least_age;
      load_tile(team_, c_, c_.q, piece_.batch, piece_.head, tile, t_.at[tile_queries]);
      load_tile(team_, c_, pass_.dy, piece_.batch, piece_.head, tile, t_.at[tile_dy]);
      fill(team_, t_.at[tile_window], k_tile * s_.ld_dim, 0);
      if (linear) linear_sums(tile);
      if (p_.softmax) window_sums(tile);
      factors(tile, linear);
      if (p_.softmax && pass_.dq.data) window_to_queries(tile);
      if (linear) linear_to_queries(tile);
      store_dq(tile);
    }
  }

  // ---- keys, backward in time ----

  /// What the piece adds to R, into futures[item].
  EQUIPOISE_DEVICE void future() {
    start(nullptr, nullptr, pass_.key_pieces);
    for (Index n = piece_.last - 1; n >= piece_.first; --n) {
      const Index tile = n * k_tile + p_.least_age;
      if (tile >= p_.length) continue;
      load_queries(tile);
      query_features(tile);
      add_to_future();
    }
    float* out = pass_.futures + piece_.number * s_.state();
    const float* from = t_.at[tile_state];
    team_.each(s_.state(), [=](int i) { out[i] = from[i]; });
  }

  /// The gradients of the piece's keys and values; `first`: of the first head of a group, whose
  /// sums the other heads add to.
  EQUIPOISE_DEVICE void keys(bool first) {
    start(pass_.futures, pass_.key_maps, pass_.key_pieces);
    for (Index n = piece_.last - 1; n >= piece_.first; --n) {
      const Index key = n * k_tile;
      load_tile(team_, c_, c_.k, piece_.batch, group_, key, t_.at[tile_keys]);
      load_tile(team_, c_, c_.v, piece_.batch, group_, key, t_.at[tile_values]);
      fill(team_, t_.at[tile_window], k_tile * s_.ld_dim, 0);
      fill(team_, t_.at[tile_linear], k_tile * s_.ld_dim, 0);
      if (p_.linear && key + p_.least_age < p_.length) linear_to_keys(key);
      if (p_.softmax) window_to_keys(key);
      store_keys(pass_.dv, key, t_.at[tile_window], first);
      store_keys(pass_.dk, key, t_.at[tile_linear], first);
    }
  }

 private:
  EQUIPOISE_STEP void start(const float* states, float* maps, Index pieces) {
    if (!p_.linear) return;
    load_weight(team_, c_, c_.query_map, piece_.head, t_.at[tile_query_weight]);
    load_weight(team_, c_, c_.key_map, piece_.head, t_.at[tile_key_weight]);
    const float* before = states && pieces > 1 ? states + piece_.number * s_.state() : nullptr;
    float* to = t_.at[tile_state];
    team_.each(s_.state(), [=](int i) { to[i] = before ? before[i] : 0; });
    const int size = s_.weight() + s_.ld_columns;
    if (maps) fill(team_, maps + piece_.number * size, size, 0);
  }

  EQUIPOISE_DEVICE void map_features(const MapView& map, Tile weight, Tile rows, Index tile,
                                     Tile out) {
    features(team_, c_, map, piece_.head, t_.at[weight], t_.at[rows], linear_lanes(p_, tile), t_,
             t_.at[tile_z], t_.at[out], &ignored_);
  }
  EQUIPOISE_DEVICE void query_features(Index tile) {
    map_features(c_.query_map, tile_query_weight, tile_queries, tile, tile_query_features);
  }

  /// near[t, j] = value for j ≤ t, else 0, from what it holds.
  template <class Value>
  EQUIPOISE_DEVICE void mask_near(float* near, Value value) {
    const int ld = s_.ld_pairs;
    team_.each(k_tile * k_tile, [=](int i) {
      const int r = i / k_tile, j = i % k_tile;
      float& x = near[r * ld + j];
      x = j <= r ? value(r, x) : 0;
    });
  }

  /// out = dy·vᵀ of the loaded tiles.
  EQUIPOISE_DEVICE void pairs_dy() {
    product<false, true>(team_, k_tile, k_tile, s_.dim, t_.at[tile_dy], s_.ld_dim,
                         t_.at[tile_values], s_.ld_dim, t_.at[tile_pair_dy], s_.ld_pairs, false);
  }

  /// Σ φφ and Σ φφ dy·v of the tile's rows; leaves S·dyᵀ in tile_dphi.
  EQUIPOISE_STEP void linear_sums(Index tile) {
    load_tile(team_, c_, c_.k, piece_.batch, group_, tile - p_.least_age, t_.at[tile_keys]);
    load_tile(team_, c_, c_.v, piece_.batch, group_, tile - p_.least_age, t_.at[tile_values]);
    map_features(c_.key_map, tile_key_weight, tile_keys, tile, tile_key_features);
    query_features(tile);
    const float* phi = t_.at[tile_query_features];
    float *near = t_.at[tile_pairs], *near_dy = t_.at[tile_pair_dy], *dphi = t_.at[tile_dphi];
    const int ldp = s_.ld_features, ld = s_.ld_pairs, features = s_.features;
    product<false, true>(team_, k_tile, k_tile, features, phi, ldp, t_.at[tile_key_features], ldp,
                         near, ld, false);
    mask_near(near, [](int, float x) { return x; });
    pairs_dy();
    product<false, true>(team_, k_tile, features, s_.dim, t_.at[tile_dy], s_.ld_dim, state_.sums,
                         s_.ld_dim, dphi, ldp, false);
    const float* totals = state_.totals;
    row_sums(team_, features + k_tile, t_.parts, t_.row(row_a_sum), [=](int r, int x) {
      return x < features ? phi[r * ldp + x] * totals[x] : near[r * ld + x - features];
    });
    row_sums(team_, features + k_tile, t_.parts, t_.row(row_a_dy), [=](int r, int x) {
      return x < features ? phi[r * ldp + x] * dphi[r * ldp + x]
                          : near[r * ld + x - features] * near_dy[r * ld + x - features];
    });
  }

  EQUIPOISE_DEVICE void load_keys(Index key) {
    load_tile(team_, c_, c_.k, piece_.batch, group_, key, t_.at[tile_keys]);
    load_tile(team_, c_, c_.v, piece_.batch, group_, key, t_.at[tile_values]);
  }

  /// Row maxima, how many keys share them, Σ e and Σ e dy·v.
  EQUIPOISE_STEP void window_sums(Index tile) {
    float *greatest = t_.row(row_most), *sum = t_.row(row_e_sum), *dy = t_.row(row_e_dy);
    float *ties = t_.row(row_ties), *rescale = t_.row(row_rescale), *found = t_.row(row_spare);
    float *pairs = t_.at[tile_pairs], *pair_dy = t_.at[tile_pair_dy];
    const int ld = s_.ld_pairs;
    team_.each(k_tile, [=](int r) {
      greatest[r] = k_no_score;
      sum[r] = dy[r] = ties[r] = 0;
    });
    each_key_tile(p_, tile, [&](Seen seen) {
      load_keys(seen.key);
      scores(team_, c_, t_.at[tile_queries], t_.at[tile_keys], seen, pairs);
      pairs_dy();
      row_maxima(team_, k_tile, k_no_score, t_.parts, found,
                 [=](int r, int j) { return pairs[r * ld + j]; });
      team_.each(k_tile, [=](int r) {
        const float now = fmaxf(greatest[r], found[r]);
        rescale[r] = expf(greatest[r] - now);
        if (now > greatest[r]) ties[r] = 0;
        greatest[r] = now;
      });
      row_sums(team_, k_tile, t_.parts, found,
               [=](int r, int j) { return pairs[r * ld + j] == greatest[r] ? 1.0f : 0.0f; });
      team_.each(k_tile, [=](int r) { ties[r] += found[r]; });
      team_.each(k_tile * k_tile, [=](int i) {
        float& x = pairs[i / k_tile * ld + i % k_tile];
        x = expf(x - greatest[i / k_tile]);
      });
      row_sums(team_, k_tile, t_.parts, found, [=](int r, int j) { return pairs[r * ld + j]; });
      team_.each(k_tile, [=](int r) { sum[r] = sum[r] * rescale[r] + found[r]; });
      row_sums(team_, k_tile, t_.parts, found,
               [=](int r, int j) { return pairs[r * ld + j] * pair_dy[r * ld + j]; });
      team_.each(k_tile, [=](int r) { dy[r] = dy[r] * rescale[r] + found[r]; });
    });
  }

  /// The factors of both sums in y, and what a unit of weight loses to its normaliser:
  /// de = window_factor·(dy·v − window_lost), da = linear_factor·(dy·v − linear_lost). Into the
  /// tile's rows and, for the second sweep, into RowNumbers.
  EQUIPOISE_STEP void factors(Index tile, bool linear_tile) {
    const RowWeights g = row_weights(c_, piece_.batch, piece_.head);
    const auto scale = static_cast<float>(p_.scale);
    const Index length = p_.length, least_age = p_.least_age, at = rows_ + tile;
    const MixingForm form = p_.form;
    const Tiles t = t_;
    const RowNumbers kept = pass_.rows;
    float *to_logit = t_.row(row_spare), *dgate = pass_.dgate;
    const Index gate = piece_.batch * pass_.dgate_batch + piece_.head * pass_.dgate_head,
                gate_step = pass_.dgate_token;
    team_.each(k_tile, [=](int r) {
      const bool row = tile + r < length, has = row && linear_tile && tile + r >= least_age;
      RowFactors f;
      float to_most = 0;
      to_logit[r] = 0;
      if (row) {
        RowSums sums;
        if (form.softmax) sums.e = t.row(row_e_sum)[r], sums.e_dy = t.row(row_e_dy)[r];
        if (has) sums.a = t.row(row_a_sum)[r], sums.a_dy = t.row(row_a_dy)[r];
        const float weight = g.at(tile + r);
        f = row_factors(form, weight, has, sums);
        if (f.to_maximum != 0) to_most = f.window * scale * f.to_maximum / t.row(row_ties)[r];
        to_logit[r] = weight * (1 - weight) * f.to_weight;
        if (dgate) dgate[gate + (tile + r) * gate_step] = g.gate ? f.to_weight : 0;
      }
      t.row(row_window_factor)[r] = kept.window_factor[at + r] = f.window;
      t.row(row_window_lost)[r] = kept.window_lost[at + r] = f.window_lost;
      t.row(row_to_most)[r] = kept.to_most[at + r] = to_most;
      t.row(row_linear_factor)[r] = kept.linear_factor[at + r] = f.linear;
      t.row(row_linear_lost)[r] = kept.linear_lost[at + r] = f.linear_lost;
      kept.most[at + r] = form.softmax ? t.row(row_most)[r] : 0;
    });
    double* logits = pass_.logits;
    const Index number = piece_.number;
    team_.each(1, [=](int) {
      for (int r = 0; r < k_tile; ++r) logits[number] += static_cast<double>(to_logit[r]);
    });
  }

  /// From scores and dy·v of a pair of tiles to the scores' gradients (tile_pairs) and the weights
  /// that values enter y with (tile_pair_dy).
  EQUIPOISE_STEP void pair_gradients(Seen seen) {
    scores(team_, c_, t_.at[tile_queries], t_.at[tile_keys], seen, t_.at[tile_pairs]);
    pairs_dy();
    float *pairs = t_.at[tile_pairs], *pair_dy = t_.at[tile_pair_dy];
    const float *greatest = t_.row(row_most), *factor = t_.row(row_window_factor);
    const float *lost = t_.row(row_window_lost), *to_most = t_.row(row_to_most);
    const int ld = s_.ld_pairs;
    const auto scale = static_cast<float>(p_.scale);
    const bool shared = p_.form.shared;
    team_.each(k_tile * k_tile, [=](int i) {
      const int r = i / k_tile, at = r * ld + i % k_tile;
      const float score = pairs[at], weight = expf(score - greatest[r]) * factor[r];
      float gradient = weight * scale * (pair_dy[at] - lost[r]);
      if (shared && score == greatest[r]) gradient -= to_most[r];
      pairs[at] = gradient;
      pair_dy[at] = weight;
    });
  }

  EQUIPOISE_STEP void window_to_queries(Index tile) {
    each_key_tile(p_, tile, [&](Seen seen) {
      load_keys(seen.key);
      pair_gradients(seen);
      product<false, false>(team_, k_tile, s_.dim, k_tile, t_.at[tile_pairs], s_.ld_pairs,
                            t_.at[tile_keys], s_.ld_dim, t_.at[tile_window], s_.ld_dim, true);
    });
  }

  /// dφ(q) = c·(S·dy − lost·Σ φ(k)) + Σ da φ(k), then through σ and W; S takes in the tile's keys.
  EQUIPOISE_STEP void linear_to_queries(Index tile) {
    load_tile(team_, c_, c_.v, piece_.batch, group_, tile - p_.least_age, t_.at[tile_values]);
    pairs_dy();
    const float *factor = t_.row(row_linear_factor), *lost = t_.row(row_linear_lost);
    mask_near(t_.at[tile_pair_dy], [=](int r, float x) { return factor[r] * (x - lost[r]); });
    float* dphi = t_.at[tile_dphi];
    const float* totals = state_.totals;
    const int ldp = s_.ld_features, features = s_.features;
    team_.each(k_tile * features, [=](int i) {
      const int r = i / features, p = i % features;
      float& x = dphi[r * ldp + p];
      x = factor[r] * (x - lost[r] * totals[p]);
    });
    product<false, false>(team_, k_tile, features, k_tile, t_.at[tile_pair_dy], s_.ld_pairs,
                          t_.at[tile_key_features], ldp, dphi, ldp, true);
    features_backward(team_, c_, c_.query_map, t_.at[tile_query_features], dphi,
                      linear_lanes(p_, tile), t_, t_.at[tile_z]);
    through_map(t_.at[tile_query_weight], t_.at[tile_queries], t_.at[tile_window],
                pass_.query_maps);
    add_to_state(team_, c_, t_.at[tile_key_features], t_.at[tile_values], nullptr, state_);
  }

  /// dx += dz·Wᵀ, dW += xᵀ·dz and db += Σ dz for the dz in tile_z.
  EQUIPOISE_STEP void through_map(const float* weight, const float* rows, float* gradient,
                                  float* maps) {
    const int ldz = s_.ld_columns;
    const float* dz = t_.at[tile_z];
    product<false, true>(team_, k_tile, s_.dim, s_.columns, dz, ldz, weight, ldz, gradient,
                         s_.ld_dim, true);
    float* sums = maps + piece_.number * (s_.weight() + ldz);
    product<true, false>(team_, s_.dim, s_.columns, k_tile, rows, s_.ld_dim, dz, ldz, sums, ldz,
                         true);
    float* bias = sums + s_.weight();
    team_.each(s_.columns, [=](int f) {
      float sum = 0;
      for (int r = 0; r < k_tile; ++r) sum += dz[r * ldz + f];
      bias[f] += sum;
    });
  }

  EQUIPOISE_DEVICE void store_dq(Index tile) {
    const HeadView<void*> out = pass_.dq;
    if (!out.data) return;
    const float* from = t_.at[tile_window];
    const int ld = s_.ld_dim, dim = static_cast<int>(p_.dim);
    const Index base = piece_.batch * out.batch + piece_.head * out.head, length = p_.length;
    team_.each(k_tile * dim, [=](int i) {
      const int r = i / dim, d = i % dim;
      if (tile + r < length)
        write(out, base + (tile + r) * out.token + d * out.dim, from[r * ld + d]);
    });
  }

  EQUIPOISE_STEP void load_queries(Index tile) {
    load_tile(team_, c_, c_.q, piece_.batch, piece_.head, tile, t_.at[tile_queries]);
    load_tile(team_, c_, pass_.dy, piece_.batch, piece_.head, tile, t_.at[tile_dy]);
    const RowNumbers kept = pass_.rows;
    const Index at = rows_ + tile, length = p_.length;
    const Tiles t = t_;
    team_.each(k_tile, [=](int r) {
      const bool row = tile + r < length;
      t.row(row_most)[r] = row ? kept.most[at + r] : 0;
      t.row(row_window_factor)[r] = row ? kept.window_factor[at + r] : 0;
      t.row(row_window_lost)[r] = row ? kept.window_lost[at + r] : 0;
      t.row(row_to_most)[r] = row ? kept.to_most[at + r] : 0;
      t.row(row_linear_factor)[r] = row ? kept.linear_factor[at + r] : 0;
      t.row(row_linear_lost)[r] = row ? kept.linear_lost[at + r] : 0;
    });
  }

  /// R += (c φ(q))ᵀ·dy, its totals Σ c·lost·φ(q), of the loaded queries.
  EQUIPOISE_DEVICE void add_to_future() {
    float* phi = t_.at[tile_query_features];
    const float* factor = t_.row(row_linear_factor);
    const int ld = s_.ld_features;
    team_.each(k_tile * ld, [=](int i) { phi[i] *= factor[i / ld]; });
    add_to_state(team_, c_, phi, t_.at[tile_dy], t_.row(row_linear_lost), state_);
  }

  /// From the keys' own queries, least_age later, and through R from all later ones.
  EQUIPOISE_STEP void linear_to_keys(Index key) {
    const Index tile = key + p_.least_age;
    const int ldp = s_.ld_features, ldd = s_.ld_dim, ld = s_.ld_pairs, features = s_.features;
    load_queries(tile);
    map_features(c_.key_map, tile_key_weight, tile_keys, tile, tile_key_features);
    query_features(tile);
    float *dphi = t_.at[tile_dphi], *near = t_.at[tile_pairs], *dv = t_.at[tile_window];
    product<false, true>(team_, k_tile, features, s_.dim, t_.at[tile_values], ldd, state_.sums, ldd,
                         dphi, ldp, false);
    const float* totals = state_.totals;
    team_.each(k_tile * features,
               [=](int i) { dphi[i / features * ldp + i % features] -= totals[i % features]; });
    product<false, false>(team_, k_tile, s_.dim, features, t_.at[tile_key_features], ldp,
                          state_.sums, ldd, dv, ldd, true);
    const float *factor = t_.row(row_linear_factor), *lost = t_.row(row_linear_lost);
    product<false, true>(team_, k_tile, k_tile, features, t_.at[tile_query_features], ldp,
                         t_.at[tile_key_features], ldp, near, ld, false);
    mask_near(near, [=](int r, float x) { return factor[r] * x; });
    product<true, false>(team_, k_tile, s_.dim, k_tile, near, ld, t_.at[tile_dy], ldd, dv, ldd,
                         true);
    pairs_dy();
    mask_near(t_.at[tile_pair_dy], [=](int r, float x) { return factor[r] * (x - lost[r]); });
    product<true, false>(team_, k_tile, features, k_tile, t_.at[tile_pair_dy], ld,
                         t_.at[tile_query_features], ldp, dphi, ldp, true);
    features_backward(team_, c_, c_.key_map, t_.at[tile_key_features], dphi, linear_lanes(p_, tile),
                      t_, t_.at[tile_z]);
    through_map(t_.at[tile_key_weight], t_.at[tile_keys], t_.at[tile_linear], pass_.key_maps);
    add_to_future();
  }

  EQUIPOISE_STEP void window_to_keys(Index key) {
    each_query_tile(p_, key, [&](Seen seen) {
      load_queries(seen.query);
      pair_gradients(seen);
      product<true, false>(team_, k_tile, s_.dim, k_tile, t_.at[tile_pairs], s_.ld_pairs,
                           t_.at[tile_queries], s_.ld_dim, t_.at[tile_linear], s_.ld_dim, true);
      product<true, false>(team_, k_tile, s_.dim, k_tile, t_.at[tile_pair_dy], s_.ld_pairs,
                           t_.at[tile_dy], s_.ld_dim, t_.at[tile_window], s_.ld_dim, true);
    });
  }

  EQUIPOISE_DEVICE void store_keys(const HeadView<void*>& out, Index key, const float* from,
                                   bool first) {
    if (!out.data) return;
    const int ld = s_.ld_dim, dim = static_cast<int>(p_.dim);
    const HeadView<void*> to = out;
    const Index base = piece_.batch * to.batch + group_ * to.head, length = p_.length;
    team_.each(k_tile * dim, [=](int i) {
      const int r = i / dim, d = i % dim;
      if (key + r >= length) return;
      float& sum = static_cast<float*>(to.data)[base + (key + r) * to.token + d * to.dim];
      sum = first ? from[r * ld + d] : sum + from[r * ld + d];
    });
  }

  const Team& team_;
  const DeviceCall& c_;
  const Plan& p_;
  const Sizes& s_;
  const BackwardPass& pass_;
  Piece piece_;
  Tiles t_;
  State state_;
  Index group_, rows_;
  double ignored_ = 0;  ///< the forward pass has counted the clamped arguments
};

// The kernels: one call for each item.

/// Queries of a piece of time of a head.
struct QueriesKernel {
  BackwardPass pass;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index item, float* shared,
                                   float* scratch) const {
    const Piece piece = piece_of(item, pass.query_pieces, pass.tiles, pass.call.plan.heads);
    BackwardSteps<Team>(team, pass, piece, pass.places.tiles(shared, scratch)).queries();
  }
};

struct FutureKernel {
  BackwardPass pass;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index item, float* shared,
                                   float* scratch) const {
    const Piece piece = piece_of(item, pass.key_pieces, pass.tiles, pass.call.plan.heads);
    BackwardSteps<Team>(team, pass, piece, pass.places.tiles(shared, scratch)).future();
  }
};

/// Keys of a piece of time of a group, its heads one after the other.
struct KeysKernel {
  BackwardPass pass;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index item, float* shared,
                                   float* scratch) const {
    const Plan& p = pass.call.plan;
    const Piece piece = piece_of(item, pass.key_pieces, pass.tiles, p.groups);
    const Index heads = p.heads / p.groups, n = item % pass.key_pieces;
    for (Index i = 0; i < heads; ++i) {
      const Index head = piece.head * heads + i;
      const Piece own{piece.batch, head, piece.first, piece.last,
                      (piece.batch * p.heads + head) * pass.key_pieces + n};
      BackwardSteps<Team>(team, pass, own, pass.places.tiles(shared, scratch)).keys(i == 0);
    }
  }
};

/// dW [H,D,F] and db [H,F] of one map: the sums over batch and pieces. Null: not asked for.
struct SumMapsKernel {
  const float* maps;  ///< [batch · heads][pieces][weight() + ld_columns]
  Sizes sizes;
  Index batch, heads, pieces, dim, columns;
  float *weight, *bias;
  Index weight_head, weight_row, weight_column, bias_head, bias_column;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index head, float*, float*) const {
    const auto self = *this;
    const int size = self.sizes.weight() + self.sizes.ld_columns, ld = self.sizes.ld_columns;
    team.each(size, [=](int i) {
      const Index d = i / ld, f = i % ld;
      const bool of_bias = i >= self.sizes.weight();
      if (f >= self.columns || (!of_bias && d >= self.dim)) return;
      float sum = 0;
      for (Index b = 0; b < self.batch && self.maps; ++b)
        for (Index n = 0; n < self.pieces; ++n)
          sum += self.maps[((b * self.heads + head) * self.pieces + n) * size + i];
      if (of_bias && self.bias)
        self.bias[head * self.bias_head + f * self.bias_column] = sum;
      else if (!of_bias && self.weight)
        self.weight[head * self.weight_head + d * self.weight_row + f * self.weight_column] = sum;
    });
  }
};

/// Rows [T,D] of one head from f32 to another type.
struct ConvertKernel {
  HeadView<const void*> from;
  HeadView<void*> to;
  Index heads, length, dim;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index item, float*, float*) const {
    const auto self = *this;
    const Index tiles = (length + k_tile - 1) / k_tile, first = item % tiles * k_tile;
    const Index head = item / tiles % heads, batch = item / tiles / heads;
    team.each(static_cast<int>(k_tile * dim), [=](int i) {
      const Index t = first + i / self.dim, d = i % self.dim;
      if (t >= self.length) return;
      const float x = read(self.from, batch * self.from.batch + head * self.from.head +
                                          t * self.from.token + d * self.from.dim);
      write(self.to,
            batch * self.to.batch + head * self.to.head + t * self.to.token + d * self.to.dim, x);
    });
  }
};

struct LogitKernel {
  const double* sums;  ///< [heads]; null: zeros
  float* out;
  Index stride;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index head, float*, float*) const {
    const auto self = *this;
    team.each(1, [=](int) {
      self.out[head * self.stride] = self.sums ? static_cast<float>(self.sums[head]) : 0;
    });
  }
};

}  // namespace kernels::device
