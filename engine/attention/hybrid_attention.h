#pragma once
/// One attention call in any component, forward and (through autograd) backward, in composed tensor operations: linear
/// in T in time and memory, except `teacher`, which is softmax over the whole past. The arguments are the contract of
/// the fused kernel that takes its place.

#include "engine/attention/components.h"
#include "engine/attention/feature_map.h"
#include "engine/torch_api.h"

namespace engine {

enum class Mixing { fixed, learned, shared_denominator };
Mixing mixing_from(const std::string& name);  ///< throws InputError

/// Sums over a forward pass, kept only where asked for.
struct BranchNorms {
  Tensor window;  ///< [H] Σ‖g·SWA‖² over batch, time and dimension
  Tensor linear;  ///< [H] Σ‖(1−g)·LA‖²
  Tensor denominators_clamped;  ///< scalar count of |Σφφ| below the clamp
};

struct AttentionCall {
  Component component = Component::teacher;
  std::int64_t window = 64;      ///< w keys, the query itself included
  bool overlap = false;          ///< linear attention sees all past keys, not only t − i ≥ w
  Mixing mixing = Mixing::fixed;
  double weight = 0.5;           ///< g of Mixing::fixed
  Tensor logit;                  ///< [H], g = sigmoid(logit), for learned and shared_denominator
  std::int64_t sinks = 8;
  const FeatureMap* query_map = nullptr;
  const FeatureMap* key_map = nullptr;
  /// SSD: [B,H] bool on the CPU, true where the window branch is dropped and the output is linear attention alone, over
  /// all past keys or (linear_outside_when_dropped) only those outside the window. Undefined: nothing is dropped.
  Tensor dropped;
  bool linear_outside_when_dropped = false;
  /// 0: the teacher sees the whole past; else its own sliding window (Mistral, Qwen2).
  std::int64_t teacher_window = 0;
  BranchNorms* norms = nullptr;  ///< filled by hybrid components where not null
  Tensor counted;                ///< [B,T] bool, the rows that norms count; undefined: all (padding must not count)
};

/// q [B,H,T,D], k and v [B,G,T,D] with RoPE applied, H a multiple of G; float64, float32 or bfloat16. Returns [B,H,T,D]
/// in q's dtype. Scores, features, states and normalisers are float64 for float64 and float32 otherwise.
/// hybrid: y = g·SWA + (1−g)·LA; rows where LA has no key give SWA weight 1.
Tensor hybrid_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call);

}  // namespace engine
