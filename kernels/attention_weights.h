#pragma once
/// The attention-weights objective of attention transfer (HedgeHog; arXiv 2510.05901): soft-label
/// cross-entropy of the linear weights Â against the softmax weights A,
///   L = mean over valid queries t and heads of −Σ_{i ≤ t} A_ti log max(Â_ti, 1e-12)
///   A_ti ∝ e^{q_t·k_i/√D} over 0 ≤ t − i < teacher_window (0: all past keys)
///   Â_ti = φ(q_t)·φ(k_i) / Σ_{i ≤ t} φ(q_t)·φ(k_i)
/// with φ and the denominator's clamp as in hybrid_attention.h. A and q, k are constants: only the
/// maps have gradients.

#include "kernels/hybrid_attention.h"

namespace kernels {

struct AttentionWeights {
  View q;                         ///< [B,H,T,D], positions encoded already
  View k;                         ///< [B,G,T,D]
  FeatureMap query_map, key_map;  ///< as in HybridAttention
  View valid;                     ///< u8 [B,T], queries that count; absent: all
  std::int64_t teacher_window = 0;
  int threads = 1;
};

/// Gradients are those of gradient_scale·L; an absent one is not computed. They are written, not
/// added to.
struct AttentionWeightsOut {
  double loss = 0;  ///< L; 0 where no query is valid
  double gradient_scale = 1;
  OutView dquery_weight, dkey_weight;  ///< [H,D,F]
  OutView dquery_bias, dkey_bias;      ///< [H,F]

  bool gradients() const { return dquery_weight || dkey_weight || dquery_bias || dkey_bias; }
};

/// Everything in double (f32 or f64 tensors), pair by pair; one thread.
Status attention_weights_ref(const AttentionWeights& call, AttentionWeightsOut& out);

/// f32 or bf16 (then q and k only), vectorised, by tiles: neither A nor Â is kept. Quadratic in T in time; extra memory is two
/// [T,P] arrays a thread. `unsupported`: f64, D or F above 256.
Status attention_weights_cpu(const AttentionWeights& call, AttentionWeightsOut& out);

/// The same tensors as a call of linear attention, for check() and plan().
HybridAttention as_linear_attention(const AttentionWeights& call);
Status check(const AttentionWeights& call, const AttentionWeightsOut& out);
/// Queries that count, over the batch.
std::int64_t valid_queries(const AttentionWeights& call);

}  // namespace kernels
