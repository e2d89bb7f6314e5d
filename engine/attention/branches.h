#pragma once
/// The two branches of hybrid attention and how they are joined: what every form of it (chunks, masks, decoding) shares.

#include "engine/attention/hybrid_attention.h"
#include "engine/torch_api.h"

namespace engine {

struct Branch {
  Tensor sum;    ///< [B,H,T,D] Σ weight·v
  Tensor total;  ///< [B,H,T,1] Σ weight
};

/// sum / total where `has`, 0 elsewhere. `has` (bool, broadcast to [B,H,T,1]) marks rows with a linear key. A vanishing
/// denominator is clamped, its sign kept, and counted in call.norms.
Tensor normalised(const Branch& linear, const Tensor& has, const AttentionCall& call);

/// g·SWA + (1−g)·LA for fixed and learned mixing; rows without a linear key give `window` [B,H,T,D] weight 1.
Tensor mixed(const Tensor& window, const Branch& linear, const Tensor& has, const AttentionCall& call);

/// (s·Σ e^{a−m} v + Σ φφ v) / (s·Σ e^{a−m} + Σ φφ) for the shared denominator; m is the window's row maximum.
Tensor mixed_in_one(const Branch& window, const Branch& linear, const AttentionCall& call);

/// Adds ‖window‖² and ‖linear‖² per head to call.norms, over the rows that call.counted marks.
void note_norms(const AttentionCall& call, const Tensor& window, const Tensor& linear);

/// Heads repeated to H and, except for the teacher's softmax, cast to the precision of the sums.
struct Inputs {
  Tensor q, k, v;  ///< [B,H,T,D]
  std::int64_t length() const { return q.size(2); }
  double scale() const { return 1.0 / std::sqrt(static_cast<double>(q.size(3))); }
};
Inputs attention_inputs(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call);

}  // namespace engine
