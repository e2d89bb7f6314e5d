#pragma once
/// Linear attention whose state fades (gated linear attention, arXiv 2312.06635; slopes per head are the same with one
/// number for all features):
///   y_t = Σ_{i ≤ t} a_ti v_i,  a_ti = Σ_p φ(q_t)_p φ(k_i)_p e^{G_tp − G_ip},  G_tp = Σ_{j ≤ t} g_jp,  g ≤ 0.
/// Not normalised: a column of ones in v gives Σ a_ti. Features come ready; maps, windows and mixing are the caller's.

#include "kernels/status.h"
#include "kernels/view.h"

namespace kernels {

/// All f32; the references take everything f32 or everything f64. Any strides.
struct FadingAttention {
  View q, k;   ///< [B,H,T,P] φ of queries and keys
  View v;      ///< [B,H,T,E]
  View decay;  ///< [B,H,T,P] or [B,H,T,1]: g, logarithms
  int threads = 1;
};

/// Cotangent in, gradients out. An absent gradient is not computed. Gradients are written, not added to.
struct FadingAttentionGradients {
  View dy;              ///< [B,H,T,E]
  OutView dq, dk, dv;   ///< as q, k, v
  OutView ddecay;       ///< [B,H,T,P], also where decay has one column; only together with dq and dk
};

/// `y` [B,H,T,E], all of it written. `invalid` names the argument, what was found and what was expected.
Status fading_attention_ref(const FadingAttention& call, const OutView& y);
Status fading_attention_backward_ref(const FadingAttention& call, FadingAttentionGradients& gradients);

/// Vectorised for the machine it runs on; linear in T, extra memory does not grow with T. Exact for any decay: pairs
/// within a tile are told apart further where it is strong. `unsupported`: f64, P or E above 256.
Status fading_attention_cpu(const FadingAttention& call, const OutView& y);
Status fading_attention_backward_cpu(const FadingAttention& call, FadingAttentionGradients& gradients);

/// ok, or what contradicts.
Status check(const FadingAttention& call, const OutView& y);
Status check(const FadingAttention& call, const FadingAttentionGradients& gradients);

}  // namespace kernels
