#pragma once
/// Hybrid attention for a GPU: the forward pass. Each item is a head's piece of time. A first
/// kernel computes what each piece adds to the state Σ φ(k)⊗(v,1), a second sums that up over the
/// pieces before, a third goes through each piece's tiles with the state carried along.

#include "kernels/hybrid_attention_device.h"

namespace kernels::device {

/// Tiles [first, last) of one head; pieces of a head are neighbours.
struct Piece {
  Index batch, head, first, last, number;
};
EQUIPOISE_DEVICE Piece piece_of(Index item, Index pieces, Index tiles, Index heads) {
  const Index n = item % pieces, head = item / pieces;
  return {head / heads, head % heads, tiles * n / pieces, tiles * (n + 1) / pieces, item};
}

/// Sums of one item, in double: [item].
struct ForwardSums {
  double *window_norm = nullptr, *linear_norm = nullptr;
  double *clamped_denominators = nullptr, *clamped_exps = nullptr;
};

struct ForwardPass {
  DeviceCall call;
  Places places;
  HeadView<void*> y;
  Index tiles = 0, pieces = 1;
  float* states = nullptr;  ///< [items][sizes.state()]; null where every head is one piece
  ForwardSums sums;
  bool norms = false;
};

template <class Team>
class ForwardSteps {
 public:
  EQUIPOISE_DEVICE ForwardSteps(const Team& team, const ForwardPass& pass, const Piece& piece,
                                const Tiles& tiles)
      : team_(team),
        c_(pass.call),
        p_(c_.plan),
        s_(c_.sizes),
        pass_(pass),
        piece_(piece),
        t_(tiles),
        state_(state_at(s_, tiles.at[tile_state])),
        group_(piece.head / (p_.heads / p_.groups)) {}

  /// `state_only`: what the piece adds to the state, into states[item]; the clamped arguments of
  /// its queries and keys are counted in the other pass.
  EQUIPOISE_STEP void run(bool state_only) {
    start(state_only);
    for (Index n = piece_.first; n < piece_.last; ++n) {
      const Index tile = n * k_tile;
      const bool linear = p_.linear && tile + k_tile > p_.least_age;
      if (linear) delayed_keys(tile);
      if (!state_only) {
        load_tile(team_, c_, c_.q, piece_.batch, piece_.head, tile, t_.at[tile_queries]);
        if (linear) linear_branch(tile);
        if (linear) add_delayed();
        if (p_.softmax) window_branch(tile);
        mix(tile, linear);
        store(tile);
      } else if (linear) {
        add_delayed();
      }
    }
    if (!state_only) return;
    float* out = pass_.states + piece_.number * s_.state();
    const float* from = t_.at[tile_state];
    team_.each(s_.state(), [=](int i) { out[i] = from[i]; });
  }

 private:
  EQUIPOISE_DEVICE void start(bool state_only) {
    double* const sums[] = {pass_.sums.window_norm, pass_.sums.linear_norm,
                            pass_.sums.clamped_denominators, pass_.sums.clamped_exps};
    const Index number = piece_.number;
    for (double* sum : sums) team_.each(1, [=](int) { sum[number] = 0; });
    if (!p_.linear) return;
    load_weight(team_, c_, c_.query_map, piece_.head, t_.at[tile_query_weight]);
    load_weight(team_, c_, c_.key_map, piece_.head, t_.at[tile_key_weight]);
    const float* before =
        state_only || !pass_.states ? nullptr : pass_.states + number * s_.state();
    float* to = t_.at[tile_state];
    team_.each(s_.state(), [=](int i) { to[i] = before ? before[i] : 0; });
  }

  EQUIPOISE_DEVICE double* clamped_exps() { return pass_.sums.clamped_exps + piece_.number; }

  EQUIPOISE_STEP void delayed_keys(Index tile) {
    const Index start = tile - p_.least_age;
    load_tile(team_, c_, c_.k, piece_.batch, group_, start, t_.at[tile_keys]);
    load_tile(team_, c_, c_.v, piece_.batch, group_, start, t_.at[tile_values]);
    features(team_, c_, c_.key_map, piece_.head, t_.at[tile_key_weight], t_.at[tile_keys],
             linear_lanes(p_, tile), t_, t_.at[tile_z], t_.at[tile_key_features], clamped_exps());
  }

  /// Σ φφ v of the tile's queries: its own delayed keys pair by pair, the earlier ones by state.
  EQUIPOISE_STEP void linear_branch(Index tile) {
    features(team_, c_, c_.query_map, piece_.head, t_.at[tile_query_weight], t_.at[tile_queries],
             linear_lanes(p_, tile), t_, t_.at[tile_z], t_.at[tile_query_features], clamped_exps());
    const float* phi = t_.at[tile_query_features];
    float* near = t_.at[tile_pairs];
    const int ldp = s_.ld_features, ld = s_.ld_pairs;
    product<false, true>(team_, k_tile, k_tile, s_.features, phi, ldp, t_.at[tile_key_features],
                         ldp, near, ld, false);
    team_.each(k_tile * k_tile, [=](int i) {
      if (i % k_tile > i / k_tile) near[i / k_tile * ld + i % k_tile] = 0;
    });
    product<false, false>(team_, k_tile, s_.dim, k_tile, near, ld, t_.at[tile_values], s_.ld_dim,
                          t_.at[tile_linear], s_.ld_dim, false);
    product<false, false>(team_, k_tile, s_.dim, s_.features, phi, ldp, state_.sums, s_.ld_dim,
                          t_.at[tile_linear], s_.ld_dim, true);
    const float* totals = state_.totals;
    const int features = s_.features;
    row_sums(team_, features + k_tile, t_.parts, t_.row(row_a_sum), [=](int r, int x) {
      return x < features ? phi[r * ldp + x] * totals[x] : near[r * ld + x - features];
    });
  }

  EQUIPOISE_DEVICE void add_delayed() {
    add_to_state(team_, c_, t_.at[tile_key_features], t_.at[tile_values], nullptr, state_);
  }

  /// Σ e v and Σ e under a running maximum.
  EQUIPOISE_STEP void window_branch(Index tile) {
    float *greatest = t_.row(row_most), *sum = t_.row(row_e_sum), *rescale = t_.row(row_rescale);
    float *found = t_.row(row_spare), *pairs = t_.at[tile_pairs], *window = t_.at[tile_window];
    const int ld = s_.ld_pairs, ldd = s_.ld_dim, dim = s_.dim;
    team_.each(k_tile, [=](int r) {
      greatest[r] = k_no_score;
      sum[r] = 0;
    });
    fill(team_, window, k_tile * ldd, 0);
    each_key_tile(p_, tile, [&](Seen seen) {
      load_tile(team_, c_, c_.k, piece_.batch, group_, seen.key, t_.at[tile_keys]);
      load_tile(team_, c_, c_.v, piece_.batch, group_, seen.key, t_.at[tile_values]);
      scores(team_, c_, t_.at[tile_queries], t_.at[tile_keys], seen, pairs);
      row_maxima(team_, k_tile, k_no_score, t_.parts, found,
                 [=](int r, int j) { return pairs[r * ld + j]; });
      team_.each(k_tile, [=](int r) {
        const float now = fmaxf(greatest[r], found[r]);
        rescale[r] = expf(greatest[r] - now);
        greatest[r] = now;
      });
      team_.each(k_tile * k_tile, [=](int i) {
        float& x = pairs[i / k_tile * ld + i % k_tile];
        x = expf(x - greatest[i / k_tile]);
      });
      row_sums(team_, k_tile, t_.parts, found, [=](int r, int j) { return pairs[r * ld + j]; });
      team_.each(k_tile, [=](int r) { sum[r] = sum[r] * rescale[r] + found[r]; });
      team_.each(k_tile * dim, [=](int i) { window[i / dim * ldd + i % dim] *= rescale[i / dim]; });
      product<false, false>(team_, k_tile, dim, k_tile, pairs, ld, t_.at[tile_values], ldd, window,
                            ldd, true);
    });
  }

  /// The factors of Σ e v and Σ φφ v in y.
  EQUIPOISE_STEP void mix(Index tile, bool linear_tile) {
    const RowWeights g = row_weights(c_, piece_.batch, piece_.head);
    float *window = t_.row(row_window_factor), *linear = t_.row(row_linear_factor);
    float* clamped = t_.row(row_spare);
    const float *e_sum = t_.row(row_e_sum), *a_sum = t_.row(row_a_sum);
    const Index length = p_.length, least_age = p_.least_age;
    const MixingForm form = p_.form;
    team_.each(k_tile, [=](int r) {
      const bool row = tile + r < length, has = row && linear_tile && tile + r >= least_age;
      window[r] = linear[r] = clamped[r] = 0;
      if (!row) return;
      const RowFactors f = row_factors(form, g.at(tile + r), has,
                                       {form.softmax ? e_sum[r] : 1, has ? a_sum[r] : 0, 0, 0});
      window[r] = f.window;
      linear[r] = f.linear;
      clamped[r] = f.clamped;
    });
    if (linear_tile) add_row_sums(clamped, pass_.sums.clamped_denominators);
  }

  EQUIPOISE_DEVICE void add_row_sums(const float* rows, double* to) {
    const Index number = piece_.number;
    team_.each(1, [=](int) {
      for (int r = 0; r < k_tile; ++r) to[number] += static_cast<double>(rows[r]);
    });
  }

  EQUIPOISE_STEP void store(Index tile) {
    const float *window = t_.at[tile_window], *linear = t_.at[tile_linear];
    const float *a = t_.row(row_window_factor), *b = t_.row(row_linear_factor);
    const int ld = s_.ld_dim, dim = static_cast<int>(p_.dim);
    const Index length = p_.length;
    const HeadView<void*> y = pass_.y;
    const Index base = piece_.batch * y.batch + piece_.head * y.head;
    const bool softmax = p_.softmax;
    // A tile that no branch wrote holds nothing: its factors are 0.
    team_.each(k_tile * dim, [=](int i) {
      const int r = i / dim, d = i % dim;
      const float x = softmax ? a[r] * window[r * ld + d] : 0;
      const float z = b[r] != 0 ? b[r] * linear[r * ld + d] : 0;
      if (tile + r < length) write(y, base + (tile + r) * y.token + d * y.dim, x + z);
    });
    if (!pass_.norms) return;
    const std::uint8_t* counted = c_.counted;
    const Index counted_base = piece_.batch * c_.counted_batch, step = c_.counted_token;
    auto counts = [=](int r) {
      return tile + r < length && (!counted || counted[counted_base + (tile + r) * step]);
    };
    float* sum = t_.row(row_spare);
    row_sums(team_, dim, t_.parts, sum, [=](int r, int d) {
      const float x = a[r] * window[r * ld + d];
      return counts(r) ? x * x : 0;
    });
    add_row_sums(sum, pass_.sums.window_norm);
    row_sums(team_, dim, t_.parts, sum, [=](int r, int d) {
      const float x = b[r] != 0 ? b[r] * linear[r * ld + d] : 0;
      return counts(r) ? x * x : 0;
    });
    add_row_sums(sum, pass_.sums.linear_norm);
  }

  const Team& team_;
  const DeviceCall& c_;
  const Plan& p_;
  const Sizes& s_;
  const ForwardPass& pass_;
  Piece piece_;
  Tiles t_;
  State state_;
  Index group_;
};

// The kernels: one call for each item.

struct ForwardKernel {
  ForwardPass pass;
  bool state_only = false;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index item, float* shared,
                                   float* scratch) const {
    const Piece piece = piece_of(item, pass.pieces, pass.tiles, pass.call.plan.heads);
    ForwardSteps<Team>(team, pass, piece, pass.places.tiles(shared, scratch)).run(state_only);
  }
};

/// Each head's states [pieces][floats] become the sums over the pieces before (or behind) each.
struct SumStatesKernel {
  float* states;
  Index pieces;
  int floats;
  bool behind = false;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index head, float*, float*) const {
    float* at = states + head * pieces * floats;
    const Index count = pieces, size = floats;
    const bool back = behind;
    team.each(floats, [=](int i) {
      float sum = 0;
      for (Index n = 0; n < count; ++n) {
        float& own = at[(back ? count - 1 - n : n) * size + i];
        const float next = sum + own;
        own = sum;
        sum = next;
      }
    });
  }
};

/// out[h] = Σ over a head's items and the batch, as double.
struct SumItemsKernel {
  const double* items;  ///< [batch · heads][pieces]
  Index batch, heads, pieces;
  double* out;

  template <class Team>
  EQUIPOISE_DEVICE void operator()(const Team& team, Index head, float*, float*) const {
    const auto self = *this;
    team.each(1, [=](int) {
      double sum = 0;
      for (Index b = 0; b < self.batch; ++b)
        for (Index n = 0; n < self.pieces; ++n)
          sum += self.items[(b * self.heads + head) * self.pieces + n];
      self.out[head] = sum;
    });
  }
};

}  // namespace kernels::device
