#pragma once
/// One attention call in any component, forward and (through autograd) backward: linear in T in time and memory, except
/// `teacher`, which is softmax over the whole past. What the kernels take goes through them (kernel_attention.h), the rest through composed tensor operations.

#include <utility>

#include "engine/attention/components.h"
#include "engine/attention/feature_map.h"
#include "engine/torch_api.h"

namespace engine {

enum class Mixing { fixed, learned, gated, shared_denominator };
/// Where the window lies. sliding: 0 ≤ t − i < w. terraced: a query sees its own block of w up to itself and the whole
/// block before. terraced_as_published: the blocks are cut from the row's end, and a row of at most w tokens has linear
/// attention over all past keys (LoLCATs' prefill; its decoding slides).
enum class WindowLayout { sliding, terraced, terraced_as_published };
enum class Normaliser { sum, group_norm, none };
enum class Decay { none, slopes, gate };

/// What the linear branch is beside φ; plain for every method but SUPRA and Liger.
struct LinearForm {
  Normaliser normaliser = Normaliser::sum;
  Decay decay = Decay::none;
  double epsilon = 0;             ///< added to denominators
  bool empty_rows_keep_g = false; ///< a row without a linear key gives g·SWA instead of SWA
  bool plain() const { return normaliser == Normaliser::sum && decay == Decay::none && epsilon == 0; }
  /// Sums over keys, as they are or over their total.
  bool sums() const { return normaliser != Normaliser::group_norm && decay == Decay::none; }
};

/// Sums over a forward pass, kept only where asked for.
struct BranchNorms {
  Tensor window;  ///< [H] Σ‖g·SWA‖² over batch, time and dimension
  Tensor linear;  ///< [H] Σ‖(1−g)·LA‖²
  Tensor denominators_clamped;  ///< scalar count of |Σφφ| below the clamp

  void add(const BranchNorms& part);  ///< tensors that are undefined here become the part's
};

struct AttentionCall {
  Component component = Component::teacher;
  std::int64_t window = 64;      ///< w keys, the query itself included
  WindowLayout layout = WindowLayout::sliding;
  bool overlap = false;          ///< linear attention sees all past keys, not only t − i ≥ w
  Mixing mixing = Mixing::fixed;
  double weight = 0.5;           ///< g of Mixing::fixed
  Tensor logit;                  ///< [H], g = sigmoid(logit), for learned and shared_denominator
  Tensor gate;                   ///< [B,H,T], g of each row, for gated
  bool affine = false;           ///< shared_denominator: linear terms are weighted 1 − s instead of 1
  bool alone_keeps_g = false;    ///< components swa and linear give g·SWA and (1−g)·LA
  std::int64_t sinks = 8;
  const FeatureMap* query_map = nullptr;
  const FeatureMap* key_map = nullptr;
  LinearForm linear;
  double least_denominator = 0;  ///< 0: the query map's own
  /// What φ reads where it is not the rotated q and k: [B,H,T,D] and [B,G,T,D].
  Tensor linear_q, linear_k;
  /// cos and sin [T,P] (or [B,1,T,P]) that turn φ's outputs; undefined: they are not turned.
  std::pair<Tensor, Tensor> feature_turns;
  /// Decay::gate: log of the state's decay at each token, [B,G,T,D] ≤ 0, one value for each key dimension.
  Tensor log_gate;
  /// SSD: [B,H] bool on the CPU, true where the window branch is dropped and the output is linear attention alone, over
  /// all past keys or (linear_outside_when_dropped) only those outside the window. Undefined: nothing is dropped.
  Tensor dropped;
  bool linear_outside_when_dropped = false;
  bool dropped_keeps_g = false;  ///< it is then (1−g)·LA
  /// 0: the teacher sees the whole past; else its own sliding window (Mistral, Qwen2).
  std::int64_t teacher_window = 0;
  /// Of scores, features, states and normalisers: kFloat32 (float64 inputs stay float64), kFloat64; Undefined: the inputs'.
  torch::Dtype sums = torch::kFloat32;
  bool composed = false;         ///< composed tensor operations even where the kernel takes the call
  BranchNorms* norms = nullptr;  ///< filled by hybrid components where not null
  Tensor counted;                ///< [B,T] bool, the rows that norms count; undefined: all (padding must not count)

  /// Keys of a row are told by their age alone, so that rows may share prefixes and be padded on the right.
  bool by_age() const { return linear.decay != Decay::gate && layout != WindowLayout::terraced_as_published; }
};

/// q [B,H,T,D], k and v [B,G,T,D] with RoPE applied, H a multiple of G; float64, float32 or bfloat16. Returns [B,H,T,D]
/// in q's dtype. hybrid: y = g·SWA + (1−g)·LA; rows where LA has no key give SWA weight 1.
Tensor hybrid_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call);

}  // namespace engine
