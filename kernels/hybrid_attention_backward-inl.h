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
  void query_features_backward(Index tile);
  void key_side(Index tile);
  void late_pairs(Index tile);
  void scale_query_features(Index tile);
  template <bool rows_contiguous>
  void add_rows(const OutRows& out, Index first, Lanes rows, int depth, Left<rows_contiguous> a,
                Right b, Band band = {});
  void store_dq(Index tile);

  const HybridAttention& call_;
  const HybridAttentionGradients& gradients_;
  const Plan& p_;
  int dim_, width_, columns_, features_;
  bool shared_, window_needed_, window_gradients_needed_, key_side_needed_;
  KeyBlocks blocks_;
  KeyBlock delayed_;
  Scratch query_, query_rows_, dy_, dy_rows_;     ///< [D, k_tile] and [k_tile, width]
  Scratch query_features_, key_features_, dphi_;  ///< [P, k_tile]
  Scratch near_, near_dy_;                        ///< [k_tile, k_tile] pairs: φφ and dy·v
  Scratch query_weight_rows_, key_weight_rows_;   ///< [F, width] Wᵀ
  State state_, future_;
  Scratch scores_, pair_dy_;              ///< [keys, k_panel]
  Scratch dq_, spare_;                    ///< [k_tile, width]
  Scratch linear_factors_, linear_lost_;  ///< [T], of the whole head
  HWY_ALIGN float most_[k_tile], e_sum_[k_tile], e_dy_[k_tile], ties_[k_tile];
  HWY_ALIGN float a_sum_[k_tile], a_dy_[k_tile];
  HWY_ALIGN float window_factor_[k_tile], window_lost_[k_tile], to_most_[k_tile];
  Rows q_, out_dy_;
  OutRows dq_rows_;
  GroupRows dk_, dv_;
  HeadMap query_map_, key_map_;
  HeadGradients* sums_ = nullptr;
  double g_ = 1;
};

inline Index round_up(Index n, Index step) { return (n + step - 1) / step * step; }

inline Backward::Backward(const HybridAttention& call, const HybridAttentionGradients& gradients,
                          const Plan& p)
    : call_(call),
      gradients_(gradients),
      p_(p),
      dim_(static_cast<int>(p.dim)),
      width_(static_cast<int>(padded(p.dim))),
      columns_(p.linear ? static_cast<int>(p.columns) : 0),
      features_(p.linear ? static_cast<int>(p.features) : 0),
      shared_(p.mixed() && call.mixing == Mixing::shared_denominator),
      window_needed_(p.softmax),
      window_gradients_needed_(p.softmax && (gradients.dq || gradients.dk || gradients.dv)),
      key_side_needed_(p.linear && (gradients.dk || gradients.dv || gradients.dkey_weight ||
                                    gradients.dkey_bias)),
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
      query_weight_rows_(columns_ * width_),
      key_weight_rows_(columns_ * width_),
      state_(features_, width_),
      future_(features_, width_),
      scores_(k_group * k_panel),
      pair_dy_(k_group * k_panel),
      dq_(k_tile * width_),
      spare_(k_tile * width_),
      linear_factors_(p.linear ? round_up(p.length, k_tile) : 0),
      linear_lost_(p.linear ? round_up(p.length, k_tile) : 0),
      dk_(gradients.dk, p),
      dv_(gradients.dv, p) {
  // A fixed weight leaves the linear branch's own gradients untouched by the window.
  if (!window_gradients_needed_ && !shared_ && !(p.mixed() && gradients.dlogit))
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
  if (p_.mixed()) g_ = mixing_weight(call_, head);
  if (!p_.linear) return;
  state_.clear();
  future_.clear();
  query_map_ = head_map(call_.query_map, p_, head);
  key_map_ = head_map(call_.key_map, p_, head);
  weight_rows(query_map_, width_, query_weight_rows_.at());
  weight_rows(key_map_, width_, key_weight_rows_.at());
  for (auto* weight : {&sums.query_weight, &sums.key_weight}) weight->assign(columns_ * width_, 0);
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
  const auto g = static_cast<float>(g_), least = static_cast<float>(p_.least_denominator);
  const auto scale = static_cast<float>(p_.scale);
  for (int t = begin; t < end; ++t) {
    const bool row = tile + t < p_.length, linear = row && p_.has_linear(tile + t);
    const bool window = row && window_needed_;
    float linear_factor = 0, linear_lost = 0;
    window_factor_[t] = window_lost_[t] = to_most_[t] = 0;
    if (shared_ && row) {
      const float a_sum = linear ? a_sum_[t] : 0, a_dy = linear ? a_dy_[t] : 0;
      linear_factor = 1 / (g * e_sum_[t] + a_sum);
      window_factor_[t] = g * linear_factor;
      window_lost_[t] = linear_lost = window_factor_[t] * e_dy_[t] + linear_factor * a_dy;
      // e_dy − e_sum·dy·y, written so that it vanishes exactly without linear keys.
      const float beyond = linear_factor * (a_sum * e_dy_[t] - e_sum_[t] * a_dy);
      to_most_[t] = window_factor_[t] * scale * beyond / ties_[t];
      sums_->logit += g_ * (1 - g_) * linear_factor * beyond;
      if (!linear) linear_factor = linear_lost = 0;
    } else {
      const float weight = !p_.softmax ? 0 : linear ? g : 1;
      if (window) {
        window_factor_[t] = weight / e_sum_[t];
        window_lost_[t] = e_dy_[t] / e_sum_[t];
      }
      if (linear) {
        const bool clamped = std::abs(a_sum_[t]) < least;
        const float denominator = !clamped ? a_sum_[t] : a_sum_[t] < 0 ? -least : least;
        linear_factor = (1 - weight) / denominator;
        linear_lost = clamped ? 0 : a_dy_[t] / denominator;
        if (window) sums_->logit += g_ * (1 - g_) * (window_lost_[t] - a_dy_[t] / denominator);
      }
    }
    if (!p_.linear) continue;
    linear_factors_.at()[tile + t] = linear_factor;
    linear_lost_.at()[tile + t] = linear_lost;
  }
}

/// Rows [rows.begin, rows.end) of A·B are added to out's f32 rows first + m.
template <bool rows_contiguous>
void Backward::add_rows(const OutRows& out, Index first, Lanes rows, int depth,
                        Left<rows_contiguous> a, Right b, Band band) {
  if (!out || rows.begin >= rows.end) return;
  const int count = rows.end - rows.begin;
  band = {std::max(band.first, -(1 << 28)) + rows.begin, std::min(band.last, 1 << 28) + rows.begin};
  float* to = static_cast<float*>(out.data) + out.place(first + rows.begin);
  if (out.dim_stride == 1 && width_ == dim_) {
    product<rows_contiguous>(count, width_, depth, a.from(rows.begin, 0), b,
                             {to, out.token_stride, true}, band);
    return;
  }
  product<rows_contiguous>(count, width_, depth, a.from(rows.begin, 0), b,
                           {spare_.at(), width_, false}, band);
  for (int m = 0; m < count; ++m)
    for (int d = 0; d < dim_; ++d)
      to[m * out.token_stride + d * out.dim_stride] += spare_.at()[m * width_ + d];
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
