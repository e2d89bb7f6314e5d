#pragma once
/// Hybrid attention: softmax over a sliding window mixed with linear attention (arXiv 2510.05901).
///
/// For query t and keys i ≤ t of one head, with a_ti = q_t·k_i/√D and
/// φ(x) = σ(Wᵀx + b) ⊕ σ(−Wᵀx − b) (Eq. 4; the second half only where `negation`):
///   SWA_t = Σ e^{a_ti} v_i / Σ e^{a_ti}            over the window, 0 ≤ t − i < w
///   LA_t  = Σ φ(q_t)·φ(k_i) v_i / Σ φ(q_t)·φ(k_i)  over t − i ≥ w, or over t − i ≥ 0 with overlap
///   y_t   = g·SWA_t + (1 − g)·LA_t                 (mixing fixed, learned, gated)
///   y_t   = (s·Σ e^{a_ti−m_t} v_i + c·Σ φφ v_i) / (s·Σ e^{a_ti−m_t} + c·Σ φφ + ε), m_t = max a_ti in
///           the window, c = 1 or, affine, 1 − s      (mixing shared_denominator)
/// g = s = sigmoid(logit) per head where the mixing has logits, g_t from `gate` where it is gated. A
/// row whose LA has no key gives SWA weight 1 (empty_rows_keep_g: g). ε is 0 but for methods that
/// publish one; it is added to Σ φφ. A |Σ φφ + ε| below 1e-6 (σ none) or 1e-20 (else) is set to it,
/// its sign kept, and counted, except under the shared denominator. Without a normaliser LA is
/// Σ φφ v itself. Arguments of σ = exp are clamped to k_exp_clamp from above and counted.

#include <cstdint>

#include "kernels/status.h"
#include "kernels/view.h"

namespace kernels {

enum class Activation { softmax, exp, relu, elu1, none };
enum class Mixing { fixed, learned, gated, shared_denominator };
enum class Normaliser { sum, none };

/// What a row returns. softmax: over all past keys (the teacher). linear sees all past keys,
/// linear_outside those with t − i ≥ w (zeros where there is none). swa_sinks is one softmax over
/// the window and the first `sinks` positions, sinks over those alone; none is zeros.
enum class Component {
  softmax,
  hybrid,
  hybrid_overlap,
  swa,
  linear,
  linear_outside,
  swa_sinks,
  sinks,
  none
};

constexpr double k_exp_clamp = 40.0;

struct FeatureMap {
  Activation activation = Activation::softmax;
  bool negation = true;
  View weight;  ///< [H,E,F], contiguous in F; absent: φ(x) = σ(x) ⊕ σ(−x), F = E
  View bias;    ///< [H,F]; absent: none. Only with a weight
};

/// q, k, v, y and their gradients are all f32 or all bf16, the rest is f32; the references take
/// everything f32 or everything f64. bf16 is read and written only: what is computed, and every sum,
/// is f32. q, k, v and outputs may have any strides. Both maps have the same number of features P
/// (F, or 2F with negation).
struct HybridAttention {
  View q;                         ///< [B,H,T,D], positions encoded already
  View k, v;                      ///< [B,G,T,D], H a multiple of G: head h reads group h / (H/G)
  FeatureMap query_map, key_map;  ///< read by the components with a linear branch
  /// What the maps read in place of q and k, e.g. features that are ready: [B,H,T,E] and [B,N,T,E], N a multiple of G
  /// that divides H; of the rest's dtype. Both or neither; absent: q and k, E = D.
  View linear_q, linear_k;
  Component component = Component::hybrid;
  std::int64_t window = 64;  ///< w ≥ 1 keys, the query itself included
  bool overlap = false;      ///< component hybrid: LA sees all past keys
  Mixing mixing = Mixing::fixed;
  double weight = 0.5;  ///< g of Mixing::fixed
  View logit;           ///< [H], for learned and shared_denominator
  View gate;            ///< [B,H,T] g of each row, for gated; f32, or f64 as the rest
  bool affine = false;  ///< shared_denominator: linear terms weigh 1 − s
  bool empty_rows_keep_g = false;
  Normaliser normaliser = Normaliser::sum;
  double epsilon = 0;            ///< ε ≥ 0
  double least_denominator = 0;  ///< in place of σ's own where it is above 0
  std::int64_t sinks = 8;
  View counted;     ///< u8 [B,T], rows whose norms count; absent: all
  int threads = 1;  ///< at most this many, the calling one included
};

struct HybridAttentionOut {
  OutView y;                       ///< [B,H,T,D], all of it written
  double* window_norms = nullptr;  ///< [H] Σ‖g·SWA‖² over b, t, d, of hybrid components; optional
  double* linear_norms = nullptr;  ///< [H] Σ‖(1−g)·LA‖²; both or neither
  std::int64_t clamped_denominators = 0;
  std::int64_t clamped_exps = 0;  ///< over both maps, where a pair uses them
};

/// Cotangent in, gradients out. An absent gradient is not computed. Gradients are written, not
/// added to; those of inputs that a component does not read are zeros.
struct HybridAttentionGradients {
  View dy;                             ///< [B,H,T,D]
  OutView dq, dk, dv;                  ///< as q, k, v; dk and dv sum over the heads of a group
  OutView dlinear_q, dlinear_k;        ///< as linear_q and linear_k; dlinear_k sums like dk
  OutView dquery_weight, dkey_weight;  ///< [H,E,F]
  OutView dquery_bias, dkey_bias;      ///< [H,F]
  OutView dlogit;                      ///< [H]
  OutView dgate;                       ///< [B,H,T]
};

/// ok, or `invalid` with the argument, what was found and what was expected.
Status check(const HybridAttention& call, const HybridAttentionOut& out);
Status check(const HybridAttention& call, const HybridAttentionGradients& gradients);

/// The equations as loops over pairs (t, i), everything in double. Quadratic in T; one thread.
Status hybrid_attention_ref(const HybridAttention& call, HybridAttentionOut& out);
Status hybrid_attention_backward_ref(const HybridAttention& call,
                                     HybridAttentionGradients& gradients);

/// Vectorised for the machine it runs on, f32 or bf16. Linear in T in time; extra memory does not
/// grow with T, but for two numbers a row of a head in the backward pass and, there, dk and dv of a
/// group in f32 for bf16, each once a thread. `unsupported`: component softmax (its cost is
/// quadratic), f64, D, E or F above 256. Threads are started and joined within the call.
Status hybrid_attention_cpu(const HybridAttention& call, HybridAttentionOut& out);
Status hybrid_attention_backward_cpu(const HybridAttention& call,
                                     HybridAttentionGradients& gradients);

/// Is hybrid_attention_cuda in this program, and can the current GPU run it (compute capability 8.0 or above)?
bool cuda_form_runs();

/// The same for memory of the current GPU, all of it: q to y, maps, norms, gradients. Returns before
/// the work is done, which goes to `stream` (a cudaStream_t; null: the default one). Clamped values
/// are counted and read back, which waits, only where norms are asked for; else both counts are 0.
/// Deterministic. Extra memory: the states between pieces of time, some 4 a processor; backward also
/// six numbers a row of a head and, for bf16, dk and dv in f32. bf16 products are rounded to tf32.
/// `no_device`: no GPU, no driver, or built without CUDA; `unsupported`: as above, and
/// linear_q and linear_k.
Status hybrid_attention_cuda(const HybridAttention& call, HybridAttentionOut& out, void* stream);
Status hybrid_attention_backward_cuda(const HybridAttention& call,
                                      HybridAttentionGradients& gradients, void* stream);

}  // namespace kernels
