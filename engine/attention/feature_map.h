#pragma once
/// The feature map φ of linear attention (METHODS.md, "Feature map"; paper Eq. 4).

#include "engine/recipe.h"
#include "engine/torch_api.h"

namespace engine {

enum class Activation { softmax, exp, relu, elu1, none };
Activation activation_from(const std::string& name);  ///< throws InputError

/// φ(x) = σ(y) ⊕ σ(−y), y = (Wᵀx + b) / temperature. Usually one W a query head.
struct FeatureMap {
  enum class Sharing { head, layer, model };
  Activation activation = Activation::softmax;
  bool negation = true;
  Sharing sharing = Sharing::head;
  double temperature = 1;
  bool softmax_over_both = false;  ///< one softmax over both halves
  bool exp_minus_row = false;      ///< exp(y − max y) ⊕ exp(−y + min y): another kernel, LoLCATs' exp_dim
  Tensor weight;  ///< head [H,D,F], layer [1,D,F], model [1,N·D,N·F] with N the heads of x; undefined: y = x / temperature
  Tensor bias;    ///< [H or 1,F or 1], model [1,N·F]; undefined: none

  /// x [B,N,T,D] → [B,heads,T,P] in x's dtype. N is `heads`, or the groups that share keys: each then stands for
  /// heads / N query heads.
  Tensor operator()(const Tensor& x, std::int64_t heads) const;
  /// The same function as one W [heads,D,F] and b [heads,F] at temperature 1, which is what the kernel reads; with
  /// gradients. Only where is_per_head().
  FeatureMap per_head(std::int64_t heads) const;
  bool is_per_head() const { return sharing != Sharing::model && !softmax_over_both && !exp_minus_row; }
  bool is_plain() const {
    return is_per_head() && sharing == Sharing::head && temperature == 1 && (!bias.defined() || bias.size(1) == weight.size(2));
  }
};

/// Columns of W for a head dimension: square D, half D/2, or the number itself.
std::int64_t map_columns(const FeatureMapSpec& spec, std::int64_t head_dim);
/// P of φ: columns, twice with negation.
std::int64_t map_features(const FeatureMapSpec& spec, std::int64_t head_dim);

/// A map at its start, float32 on the CPU: identity (columns beyond D repeat it) plus N(0, init_noise), or Kaiming
/// uniform, drawn from `seed` and `salt`; b = 0. `heads`: of the tensor it will read (sharing model) or query heads.
FeatureMap map_start(const FeatureMapSpec& spec, std::int64_t heads, std::int64_t head_dim, std::int64_t seed,
                     std::uint64_t salt);

/// Sums of φ(q)φ(k) whose magnitude is below this are clamped to it, their sign kept.
double least_denominator(const FeatureMap& map);

/// Arguments of exp are clamped to this, so that the product of two features stays finite in float32.
constexpr double k_exp_clamp = 40.0;

}  // namespace engine
