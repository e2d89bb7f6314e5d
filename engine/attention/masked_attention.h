#pragma once
/// Hybrid attention over keys given one by one with their ages, and a state that stands for further ones: what scoring
/// of several continuations in one row and decoding token by token need. Quadratic in queries × given keys.

#include "engine/attention/hybrid_attention.h"
#include "engine/torch_api.h"

namespace engine {

/// What the queries may see.
struct SeenKeys {
  Tensor age;       ///< [B or 1,Tq,Tk] integers, t − i of each pair; negative: the query does not see the key
  Tensor position;  ///< [B or 1,Tk] integers, i; sinks are the first positions
  /// [B,H,P,D+1] Σ φ(k)⊗(v,1) over every key that the linear branch may see. Undefined: it sees those given, by age.
  Tensor state;
  bool state_has_keys = false;  ///< a state of no key gives the window branch weight 1
};

/// As hybrid_attention, for q [B,H,Tq,D] and k, v [B,G,Tk,D]; SSD's dropout is not done here.
Tensor masked_attention(const Tensor& q, const Tensor& k, const Tensor& v, const SeenKeys& keys, const AttentionCall& call);

/// Σ φ(k)⊗(v,1) [B,H,P,D+1] over the keys k, v [B,G,T,D], for SeenKeys::state.
Tensor linear_state(const Tensor& k, const Tensor& v, std::int64_t heads, const AttentionCall& call);

}  // namespace engine
