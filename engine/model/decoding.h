#pragma once
/// One token after another with a memory of the past: for linear attention a state and the last w keys, constant in
/// size; for the teacher's softmax a cache that grows.

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/model/decoder.h"
#include "engine/torch_api.h"

namespace engine {

/// Gives the same hidden states as Model::hidden on the whole sequence. Refers to model and conversion, which must
/// outlive it. One thread.
class Decoding {
 public:
  /// `capacity`: most tokens, prompt included; what a cache that grows is made for.
  Decoding(const Model& model, const Conversion* conversion, const ForwardOptions& options, std::int64_t capacity);

  /// The prompt [B,T] int64, once and first. Returns the last token's hidden state [B,M].
  Tensor prefill(const Tensor& ids);
  /// The next token of each row, [B] int64. Returns its hidden state [B,M].
  Tensor step(const Tensor& ids);

  std::int64_t length() const { return length_; }  ///< tokens seen
  std::int64_t bytes() const;                      ///< of keys, values and states, all layers

 private:
  /// What one layer remembers; undefined tensors where its component needs none.
  struct Memory {
    Tensor k, v;              ///< [B,G,R,D], position p in slot p mod R
    Tensor sink_k, sink_v;    ///< [B,G,≤sinks,D] the first keys
    Tensor state;             ///< [B,H,P,D+1] Σ φ(k)⊗(v,1) of the keys that linear attention sees
    Tensor features, decay;   ///< [B,H,R,P] and [B,H,R,P or 1]: φ(k) and its log decay, where k alone does not give them
    std::int64_t ring = 0;    ///< R
    std::int64_t in_state = 0;  ///< the row's first keys that are in the state
  };
  void remember(Memory& m, const Heads& h, const AttentionCall& call);
  void move_into_state(Memory& m, const Heads& h, const AttentionCall& call);
  Tensor attend(Memory& m, const Heads& h, const AttentionCall& call);
  std::int64_t ring_size(const AttentionCall& call) const;

  const Model& model_;
  const Conversion* conversion_;
  ForwardOptions options_;
  std::int64_t capacity_, length_ = 0;
  std::vector<Memory> layers_;
};

/// Appends arg-max tokens to `prompt` until `more(new tokens)` says no, the tokenizer's end token comes, or `capacity`
/// tokens are reached. Returns the new tokens, without the end token.
std::vector<std::int32_t> decode_greedily(const Model& model, const Conversion* conversion, const ForwardOptions& options,
                                          const std::vector<std::int32_t>& prompt, std::int32_t end_token,
                                          std::int64_t capacity,
                                          const std::function<bool(const std::vector<std::int32_t>&)>& more);

}  // namespace engine
