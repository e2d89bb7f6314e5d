#pragma once
/// The feature map φ of linear attention (METHODS.md, "Feature map"; paper Eq. 4).

#include "engine/recipe.h"
#include "engine/torch_api.h"

namespace engine {

enum class Activation { softmax, exp, relu, elu1, none };
Activation activation_from(const std::string& name);  ///< throws InputError

/// φ(x) = σ(Wᵀx + b) ⊕ σ(−Wᵀx − b), one W a query head.
struct FeatureMap {
  Activation activation = Activation::softmax;
  bool negation = true;
  Tensor weight;  ///< [H,D,F]; undefined: φ(x) = σ(x)
  Tensor bias;    ///< [H,F]; undefined: none

  /// x [B,H,T,D] → [B,H,T,P] in x's dtype.
  Tensor operator()(const Tensor& x) const;
};

/// Columns of W for a head dimension: square D, half D/2, or the number itself.
std::int64_t map_columns(const FeatureMapSpec& spec, std::int64_t head_dim);

/// Identity (columns beyond D repeat it) plus N(0, init_noise) drawn from `seed`: [H,D,F] float32.
Tensor map_start(const FeatureMapSpec& spec, std::int64_t heads, std::int64_t head_dim, std::int64_t seed,
                 std::uint64_t salt);

/// Sums of φ(q)φ(k) whose magnitude is below this are clamped to it, their sign kept.
double least_denominator(const FeatureMap& map);

/// Arguments of exp are clamped to this, so that the product of two features stays finite in float32.
constexpr double k_exp_clamp = 40.0;

}  // namespace engine
