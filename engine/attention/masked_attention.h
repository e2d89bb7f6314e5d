#pragma once
/// Hybrid attention over keys given one by one with their ages, and a state that stands for further ones: what scoring
/// of several continuations in one row and decoding token by token need. Quadratic in queries × given keys.

#include "engine/attention/hybrid_attention.h"
#include "engine/torch_api.h"

namespace engine {

/// What the queries may see.
struct SeenKeys {
  Tensor age;       ///< [B or 1,Tq,Tk] integers, t − i of each pair; negative: the query does not see the key. May be
                    ///< undefined where fast_in_tree() says that `end` is enough
  Tensor position;  ///< [B or 1,Tk] integers, i; sinks are the first positions
  /// [B,H,P,D+1] Σ φ(k)⊗(v,1) over every key that the linear branch may see. Undefined: it sees those given, by age.
  Tensor state;
  bool state_has_keys = false;  ///< a state of no key gives the window branch weight 1
  Tensor state_fade;            ///< [B,H,1,P or 1] what the state has faded by since its last key; undefined: not at all
  /// [B,T] int32 on the CPU where the keys are a prefix tree (kernels/tree_attention.h) and the queries the same tokens;
  /// undefined otherwise. Softmax over the past or the window then costs only the pairs that see each other.
  Tensor end;
};

/// As hybrid_attention, for q [B,H,Tq,D] and k, v [B,G,Tk,D], for calls that tell keys by age; the queries are the given
/// keys' own tokens or the newest of them. SSD's dropout is not done here.
Tensor masked_attention(const Tensor& q, const Tensor& k, const Tensor& v, const SeenKeys& keys, const AttentionCall& call);

/// Whether a component of float32 on the CPU, without gradients, needs no ages in a prefix tree.
bool fast_in_tree(Component component, WindowLayout layout, const Tensor& hidden_states);

/// Σ φ(k)⊗(v,1) [B,H,P,D+1] for SeenKeys::state, of features [B,H,T,P] and v [B,G,T,D]. `log_decay` [B,H,T,P or 1] lets
/// each key fade behind itself up to the last one; undefined: none fades.
Tensor linear_state(const Tensor& features, const Tensor& v, const Tensor& log_decay);

}  // namespace engine
