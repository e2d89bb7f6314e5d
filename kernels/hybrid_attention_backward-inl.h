// The backward pass of one head: its scratch memory, its order and what both sweeps use (Highway;
// included once per target). The steps themselves are in hybrid_attention_backward_cpu.cpp.

#if defined(EQUIPOISE_KERNELS_HYBRID_ATTENTION_BACKWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EQUIPOISE_KERNELS_HYBRID_ATTENTION_BACKWARD_INL_H_
#undef EQUIPOISE_KERNELS_HYBRID_ATTENTION_BACKWARD_INL_H_
#else
#define EQUIPOISE_KERNELS_HYBRID_ATTENTION_BACKWARD_INL_H_
#endif

#include <cmath>

#include "kernels/hybrid_attention_items.h"
#include "kernels/hybrid_attention_steps-inl.h"
#include "kernels/map_gradients-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

inline void clear(const OutRows& rows) {
  if (!rows) return;
  const float zeros[k_most_dim] = {};
  for (Index t = 0; t < rows.length; ++t) write_row(rows, t, zeros);
}

/// dk or dv of one group: sums that several heads add to, in f32. They lie in the gradient itself
/// where it is f32, in scratch memory until `store` where it is bf16.
class GroupRows {
 public:
  GroupRows(const OutView& out, const Plan& p)
      : sums_(out && out.dtype == DType::bf16 ? p.length * p.dim : 0) {}

  void start(const OutView& out, Index batch, Index group) {
    out_ = at_ = rows_of(out, batch, group);
    if (out_.dtype == DType::bf16)
      at_ = {sums_.at(), DType::f32, 0, out_.dim, 1, out_.length, out_.dim};
    clear(at_);
  }
  /// f32 rows to add to; absent where the gradient is not asked for.
  const OutRows& at() const { return at_; }
  void store() const {
    if (!out_ || out_.dtype != DType::bf16) return;
    for (Index t = 0; t < out_.length; ++t) write_row(out_, t, sums_.at() + t * out_.dim);
  }

 private:
  Scratch sums_;
  OutRows out_, at_;
};

/// Scratch memory and steps of the backward pass, for one thread.
class Backward {
 public:
  Backward(const HybridAttention& call, const HybridAttentionGradients& gradients, const Plan& p);

  void start_group(Index batch, Index group);
  void finish_group();
  void run(Index batch, Index head, HeadGradients& sums);

 private:
  void start(Index batch, Index head, HeadGradients& sums);
  void query_side(Index tile);
  void linear_sums(Index tile);
  void pairs(const Group& g, int lane);
  void window_sums(Index tile, int lane);
  void add_to_window_sums(int lane, int keys);
  void window_gradients(Index tile, int lane);
  void pair_gradients(int lane, int keys);
  void factors(Index tile, int begin, int end);
  void write_gate(Index t, float value);
  void query_features_backward(Index tile);
  void key_side(Index tile);
  void late_pairs(Index tile);
  void scale_query_features(Index tile);
  void query_phi(Index tile);
  void key_phi(Index tile);
  void through_query_map(Index tile);
  void through_key_map(Index tile);
  template <bool rows_contiguous>
  void add_rows(const OutRows& out, Index first, Lanes rows, int depth, Left<rows_contiguous> a,
                Right b, Band band = {});
  void store_dq(Index tile);

  const HybridAttention& call_;
  const HybridAttentionGradients& gradients_;
  const Plan& p_;
  int dim_, width_, map_width_, columns_, features_;
  bool shared_, window_needed_, window_gradients_needed_, key_side_needed_;
  KeyBlocks blocks_;
  KeyBlock delayed_;
  Scratch query_, query_rows_, dy_, dy_rows_;     ///< [D, k_tile] and [k_tile, width]
  Scratch query_features_, key_features_, dphi_;  ///< [P, k_tile]
  Scratch near_, near_dy_;                        ///< [k_tile, k_tile] pairs: φφ and dy·v
  Scratch query_weight_rows_, key_weight_rows_;   ///< [F, map_width] Wᵀ
  Scratch map_lanes_, map_rows_, dmap_rows_;      ///< [E, k_tile], [k_tile, map_width]: linear_q or linear_k
  State state_, future_;
  Scratch scores_, pair_dy_;              ///< [keys, k_panel]
  Scratch dq_, spare_;                    ///< [k_tile, width]
  Scratch linear_factors_, linear_lost_;  ///< [T], of the whole head
  HWY_ALIGN float most_[k_tile], e_sum_[k_tile], e_dy_[k_tile], ties_[k_tile];
  HWY_ALIGN float a_sum_[k_tile], a_dy_[k_tile];
  HWY_ALIGN float window_factor_[k_tile], window_lost_[k_tile], to_most_[k_tile];
  Rows q_, out_dy_, linear_q_, linear_k_;
  OutRows dq_rows_, dlinear_q_, dlinear_k_;
  GroupRows dk_, dv_;
  HeadMap query_map_, key_map_;
  HeadGradients* sums_ = nullptr;
  RowWeights g_;
  Index batch_ = 0, head_ = 0;
};

inline Index round_up(Index n, Index step) { return (n + step - 1) / step * step; }

inline Backward::Backward(const HybridAttention& call, const HybridAttentionGradients& gradients,
                          const Plan& p)
    : call_(call),
      gradients_(gradients),
      p_(p),
      dim_(static_cast<int>(p.dim)),
      width_(static_cast<int>(padded(p.dim))),
      map_width_(static_cast<int>(padded(p.map_dim))),
      columns_(p.linear ? static_cast<int>(p.columns) : 0),
      features_(p.linear ? static_cast<int>(p.features) : 0),
      shared_(p.form.shared),
      window_needed_(p.softmax),
      window_gradients_needed_(p.softmax && (gradients.dq || gradients.dk || gradients.dv)),
      key_side_needed_(p.linear && (gradients.dk || gradients.dv || gradients.dlinear_k ||
                                    gradients.dkey_weight || gradients.dkey_bias)),
      blocks_(p, true),
      query_(dim_ * k_tile),
      query_rows_(k_tile * width_),
      dy_(dim_ * k_tile),
      dy_rows_(k_tile * width_),
      query_features_(features_ * k_tile),
      key_features_(features_ * k_tile),
      dphi_(features_ * k_tile),
      near_(k_tile * k_tile),
      near_dy_(k_tile * k_tile),
      query_weight_rows_(columns_ * map_width_),
      key_weight_rows_(columns_ * map_width_),
      map_lanes_(call.linear_q ? p.map_dim * k_tile : 0),
      map_rows_(call.linear_q ? k_tile * map_width_ : 0),
      dmap_rows_(call.linear_q ? k_tile * map_width_ : 0),
      state_(features_, width_),
      future_(features_, width_),
      scores_(k_group * k_panel),
      pair_dy_(k_group * k_panel),
      dq_(k_tile * width_),
      spare_(k_tile * std::max(width_, map_width_)),
      linear_factors_(p.linear ? round_up(p.length, k_tile) : 0),
      linear_lost_(p.linear ? round_up(p.length, k_tile) : 0),
      dk_(gradients.dk, p),
      dv_(gradients.dv, p) {
  // A weight without gradient leaves the linear branch's own gradients untouched by the window.
  if (!window_gradients_needed_ && !shared_ && !(p.norms && (gradients.dlogit || gradients.dgate)))
    window_needed_ = false;
}

/// [F, width] Wᵀ of a map, the identity where it has none.
inline void weight_rows(const HeadMap& map, int width, float* out) {
  std::fill_n(out, map.columns * width, 0.0f);
  for (int f = 0; f < map.columns; ++f) {
    if (!map.weight)
      out[f * width + f] = 1;
    else
      for (int d = 0; d < map.dim; ++d) out[f * width + d] = map.weight[d * map.weight_stride + f];
  }
}

inline void Backward::start_group(Index batch, Index group) {
  dk_.start(gradients_.dk, batch, group);
  dv_.start(gradients_.dv, batch, group);
}

inline void Backward::finish_group() {
  dk_.store();
  dv_.store();
}

inline void Backward::start(Index batch, Index head, HeadGradients& sums) {
  sums_ = &sums;
  const Index group = head / (p_.heads / p_.groups);
  q_ = rows_of(call_.q, batch, head);
  out_dy_ = rows_of(gradients_.dy, batch, head);
  dq_rows_ = rows_of(gradients_.dq, batch, head);
  blocks_.set_head(rows_of(call_.k, batch, group), rows_of(call_.v, batch, group),
                   p_.linear ? -p_.least_age % k_tile : 0);
  g_ = row_weights(call_, p_, batch, head);
  batch_ = batch, head_ = head;
  linear_q_ = rows_of(call_.linear_q, batch, head);
  linear_k_ = rows_of(call_.linear_k, batch, head / (p_.heads / p_.map_groups));
  dlinear_q_ = rows_of(gradients_.dlinear_q, batch, head);
  dlinear_k_ = rows_of(gradients_.dlinear_k, batch, head / (p_.heads / p_.map_groups));
  clear(dlinear_q_);
  if (head % (p_.heads / p_.map_groups) == 0) clear(dlinear_k_);  // the heads that share it add up
  if (!p_.linear) return;
  state_.clear();
  future_.clear();
  query_map_ = head_map(call_.query_map, p_, head);
  key_map_ = head_map(call_.key_map, p_, head);
  weight_rows(query_map_, map_width_, query_weight_rows_.at());
  weight_rows(key_map_, map_width_, key_weight_rows_.at());
  for (auto* weight : {&sums.query_weight, &sums.key_weight})
    weight->assign(columns_ * map_width_, 0);
  for (auto* bias : {&sums.query_bias, &sums.key_bias}) bias->assign(columns_, 0);
}

inline void Backward::run(Index batch, Index head, HeadGradients& sums) {
  start(batch, head, sums);
  const Index tiles = (p_.length + k_tile - 1) / k_tile;
  for (Index n = 0; n < tiles; ++n) query_side(n * k_tile);
  if (!key_side_needed_) return;
  for (Index n = tiles - 1; n >= 0 && (n + 1) * k_tile > p_.least_age; --n) key_side(n * k_tile);
}

inline void Backward::query_side(Index tile) {
  const bool linear = p_.linear && tile + k_tile > p_.least_age;
  const int lanes = static_cast<int>(std::min<Index>(k_tile, p_.length - tile));
  load_transposed(q_, tile, query_.at());
  load_rows(q_, tile, query_rows_.at());
  load_transposed(out_dy_, tile, dy_.at());
  load_rows(out_dy_, tile, dy_rows_.at());
  std::fill_n(dq_.at(), k_tile * width_, 0.0f);
  std::fill_n(a_sum_, k_tile, 0.0f);
  std::fill_n(a_dy_, k_tile, 0.0f);
  if (linear) linear_sums(tile);
  for (int lane = 0; lane < lanes; lane += k_panel) {
    if (window_needed_) window_sums(tile, lane);
    factors(tile, lane, std::min(lane + k_panel, k_tile));
    if (window_gradients_needed_) window_gradients(tile, lane);
  }
  for (int t = round_up(lanes, k_panel); p_.linear && t < k_tile; ++t)
    linear_factors_.at()[tile + t] = linear_lost_.at()[tile + t] = 0;
  if (linear) query_features_backward(tile);
  store_dq(tile);
}

/// The factors of both sums in y, and what a unit of weight loses to its normaliser:
/// de = window_factor·(dy·v − window_lost), da = linear_factor·(dy·v − linear_lost).
inline void Backward::factors(Index tile, int begin, int end) {
  const auto scale = static_cast<float>(p_.scale);
  for (int t = begin; t < end; ++t) {
    RowFactors f;
    if (tile + t < p_.length) {
      const bool linear = p_.has_linear(tile + t);
      const float g = g_.at(tile + t);
      RowSums sums;
      if (window_needed_) sums.e = e_sum_[t], sums.e_dy = e_dy_[t];
      if (linear) sums.a = a_sum_[t], sums.a_dy = a_dy_[t];
      f = row_factors(p_.form, g, linear, sums);
      if (gradients_.dgate) write_gate(tile + t, g_.gate ? f.to_weight : 0);
      sums_->logit += static_cast<double>(g) * (1 - g) * f.to_weight;
    }
    window_factor_[t] = f.window;
    window_lost_[t] = f.window_lost;
    to_most_[t] = f.to_maximum != 0 ? f.window * scale * f.to_maximum / ties_[t] : 0;
    if (!p_.linear) continue;
    linear_factors_.at()[tile + t] = f.linear;
    linear_lost_.at()[tile + t] = f.linear_lost;
  }
}

inline void Backward::write_gate(Index t, float value) {
  const auto& stride = gradients_.dgate.strides;
  static_cast<float*>(gradients_.dgate.data)[batch_ * stride[0] + head_ * stride[1] + t * stride[2]] = value;
}

/// Rows [rows.begin, rows.end) of A·B are added to out's f32 rows first + m.
template <bool rows_contiguous>
void Backward::add_rows(const OutRows& out, Index first, Lanes rows, int depth,
                        Left<rows_contiguous> a, Right b, Band band) {
  if (!out || rows.begin >= rows.end) return;
  const int count = rows.end - rows.begin;
  band = {std::max(band.first, -(1 << 28)) + rows.begin, std::min(band.last, 1 << 28) + rows.begin};
  float* to = static_cast<float*>(out.data) + out.place(first + rows.begin);
  const int width = static_cast<int>(padded(out.dim));
  if (out.dim_stride == 1 && width == out.dim) {
    product<rows_contiguous>(count, width, depth, a.from(rows.begin, 0), b,
                             {to, out.token_stride, true}, band);
    return;
  }
  product<rows_contiguous>(count, width, depth, a.from(rows.begin, 0), b,
                           {spare_.at(), width, false}, band);
  for (int m = 0; m < count; ++m)
    for (int d = 0; d < out.dim; ++d)
      to[m * out.token_stride + d * out.dim_stride] += spare_.at()[m * width + d];
}

/// φ of the tile's queries, or of its delayed keys.
inline void Backward::query_phi(Index tile) {
  Index clamped = 0;
  if (linear_q_) load_transposed(linear_q_, tile, map_lanes_.at());
  feature_tile(query_map_, linear_q_ ? map_lanes_.at() : query_.at(), linear_lanes(p_, tile),
               query_features_.at(), clamped);
}
inline void Backward::key_phi(Index tile) {
  Index clamped = 0;
  if (linear_k_) load_transposed(linear_k_, tile - p_.least_age, map_lanes_.at());
  feature_tile(key_map_, linear_k_ ? map_lanes_.at() : delayed_.keys, delayed_lanes(p_, tile),
               key_features_.at(), clamped);
}

/// From dz (in dphi_) to the rows that the query map read, and to its parameters.
inline void Backward::through_query_map(Index tile) {
  const float* rows = query_rows_.at();
  if (linear_q_) {
    rows = map_rows_.at();
    load_rows(linear_q_, tile, map_rows_.at());
    product<true>(k_tile, map_width_, columns_, {dphi_.at(), k_tile},
                  {query_weight_rows_.at(), map_width_}, {dmap_rows_.at(), map_width_, false});
    for (Index t = tile; t < std::min<Index>(tile + k_tile, p_.length) && dlinear_q_; ++t)
      write_row(dlinear_q_, t, dmap_rows_.at() + (t - tile) * map_width_);
  } else if (dq_rows_) {
    product<true>(k_tile, width_, columns_, {dphi_.at(), k_tile}, {query_weight_rows_.at(), width_},
                  {dq_.at(), width_, true});
  }
  if (gradients_.dquery_weight || gradients_.dquery_bias)
    map_gradients(columns_, map_width_, dphi_.at(), rows, sums_->query_weight.data(),
                  sums_->query_bias.data());
}

/// The same for the key map and the tile's delayed keys.
inline void Backward::through_key_map(Index tile) {
  const Index start = tile - p_.least_age;
  const float* rows = delayed_.key_rows;
  if (linear_k_) {
    rows = map_rows_.at();
    load_rows(linear_k_, start, map_rows_.at());
  }
  add_rows<true>(linear_k_ ? dlinear_k_ : dk_.at(), start, delayed_lanes(p_, tile), columns_,
                 {dphi_.at(), k_tile}, {key_weight_rows_.at(), map_width_});
  if (gradients_.dkey_weight || gradients_.dkey_bias)
    map_gradients(columns_, map_width_, dphi_.at(), rows, sums_->key_weight.data(),
                  sums_->key_bias.data());
}

inline void Backward::store_dq(Index tile) {
  if (!dq_rows_) return;
  for (Index t = tile; t < std::min<Index>(tile + k_tile, p_.length); ++t)
    write_row(dq_rows_, t, dq_.at() + (t - tile) * width_);
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#endif  // EQUIPOISE_KERNELS_HYBRID_ATTENTION_BACKWARD_INL_H_
