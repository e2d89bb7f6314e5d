#pragma once
/// The two branches of hybrid attention and how they are joined: what every form of it (chunks, masks, decoding) shares.

#include "engine/attention/hybrid_attention.h"
#include "engine/torch_api.h"

namespace engine {

struct Branch {
  Tensor sum;    ///< [B,H,T,D] Σ weight·v
  Tensor total;  ///< [B,H,T,1] Σ weight
};

/// LA where `has` (bool, broadcast to [B,H,T,1]: rows with a linear key), 0 elsewhere. Normaliser::sum: sum / total, a
/// vanishing denominator clamped, its sign kept, and counted in call.norms; group_norm: the sum over √D, normalised over
/// D; none: the sum itself.
Tensor normalised(const Branch& linear, const Tensor& has, const AttentionCall& call);

/// g·SWA + (1−g)·LA of window and linear [B,H,T,D], for all mixings but the shared denominator; rows without a linear key
/// give `window` weight 1 (LinearForm::empty_rows_keep_g: g).
Tensor mixed(const Tensor& window, const Tensor& linear, const Tensor& has, const AttentionCall& call);

/// (s·Σ e^{a−m} v + Σ φφ v) / (s·Σ e^{a−m} + Σ φφ) for the shared denominator; m is the window's row maximum. affine: the
/// linear terms times 1 − s.
Tensor mixed_in_one(const Branch& window, const Branch& linear, const AttentionCall& call);

/// g of each row [1 or B, 1 or H, 1 or T, 1] in `like`'s dtype, before rows without a linear key are looked at.
Tensor mixing_weight(const AttentionCall& call, const Tensor& like);

/// Adds ‖window‖² and ‖linear‖² per head to call.norms, over the rows that call.counted marks.
void note_norms(const AttentionCall& call, const Tensor& window, const Tensor& linear);

/// Keys and values repeated to H and, except for the teacher's softmax, cast to the precision of the sums.
struct Inputs {
  Tensor q, k, v;  ///< [B,H,T,D]
  std::int64_t length() const { return q.size(2); }
  double scale() const { return 1.0 / std::sqrt(static_cast<double>(q.size(3))); }
};
Inputs attention_inputs(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call);
torch::Dtype sums_dtype(const AttentionCall& call, const Tensor& q);

/// φ(q) and φ(k) [B,H,T,P] in the precision of the sums, turned where the call says so.
Tensor query_features(const Tensor& q, const AttentionCall& call);
Tensor key_features(const Tensor& k, std::int64_t heads, const AttentionCall& call);

/// Log of the state's decay at each token, ≤ 0: [B,H,T,P] for a gate, [1,H,1,1] for slopes; undefined without decay.
/// `length` T, `features` P.
Tensor log_decay(const AttentionCall& call, std::int64_t heads, std::int64_t features, const torch::TensorOptions& options);

/// The window of each query at positions [...] of a row of `length`: w, or what a terrace leaves it.
Tensor window_at_positions(const Tensor& positions, std::int64_t length, const AttentionCall& call);

/// [T,D] halves turned by cos and sin, as RoPE pairs dimension i with i + D/2.
Tensor turned(const Tensor& x, const std::pair<Tensor, Tensor>& turns);

}  // namespace engine
