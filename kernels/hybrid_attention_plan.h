#pragma once
/// What a checked call asks for, in the few numbers that all forms of the operator work from.

#include <cmath>
#include <cstdint>

#include "kernels/hybrid_attention.h"
#include "kernels/row_factors.h"

namespace kernels {

constexpr std::int64_t k_most_dim = 256;  ///< of D, E and F

struct Plan {
  std::int64_t batch, heads, groups, length, dim;
  std::int64_t map_dim = 0, map_groups = 0;  ///< E, and N (G where the maps read q and k)
  std::int64_t columns = 0, features = 0;    ///< F and P; 0 without a linear branch
  bool softmax = false, linear = false;    ///< branches that have keys
  bool norms = false;                      ///< a hybrid component: its branches are measured
  /// The softmax branch sees i ≤ t with t − i < window, and i < sinks.
  std::int64_t window = 0, sinks = 0;
  std::int64_t least_age = 0;  ///< the linear branch sees t − i ≥ least_age
  double least_denominator = 0;
  double scale;
  MixingForm form = {};

  bool mixed() const { return softmax && linear; }
  /// Does LA have a key at row t?
  bool has_linear(std::int64_t t) const { return linear && t >= least_age; }
};

/// The call must have passed check().
Plan plan(const HybridAttention& call);

/// The mixing weight of one head, where both branches have a key; not of a gated one.
double mixing_weight(const HybridAttention& call, std::int64_t head);

/// Does the weight g of row t enter y?
inline bool weighs(const Plan& p, std::int64_t t) {
  return p.norms && (p.form.keeps_g || p.has_linear(t));
}

/// At most `threads`, fewer where a thread would cost more to start than it would do.
int useful_threads(const Plan& p, int threads);

/// Of maps, logits and their gradients.
DType parameter_type(const HybridAttention& call);

/// ok, or `unsupported` with the reason, for a call that has passed check(): what the vectorised
/// and the device's forms do not take. `form` is the name that the text begins with.
Status taken_by(const char* form, const HybridAttention& call);

}  // namespace kernels
