#include "engine/attention/feature_map.h"

#include <cmath>

#include "engine/error.h"
#include "engine/random.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

Tensor activate(Activation activation, const Tensor& y) {
  switch (activation) {
    case Activation::softmax: return y.softmax(-1);
    case Activation::exp: return y.clamp_max(k_exp_clamp).exp();
    case Activation::relu: return y.relu();
    case Activation::elu1: return at::elu(y) + 1;
    case Activation::none: return y;
  }
  return y;
}

Tensor repeated(const Tensor& x, std::int64_t heads) {
  return x.size(1) == heads ? x : x.repeat_interleave(heads / x.size(1), 1);
}

FeatureMap::Sharing sharing_from(const std::string& name) {
  if (name == "layer") return FeatureMap::Sharing::layer;
  return name == "model" ? FeatureMap::Sharing::model : FeatureMap::Sharing::head;
}

/// RoPE rotates dimension i with i + D/2: interleaved takes both of a pair before the next pair.
std::int64_t kept_dimension(const FeatureMapSpec& spec, std::int64_t column, std::int64_t columns, std::int64_t head_dim) {
  if (spec.columns != "interleaved" || columns >= head_dim) return column % head_dim;
  return column % 2 == 0 ? column / 2 : head_dim / 2 + column / 2;
}

/// One W [1 or H,D,F], or over N joined heads [1,N·D,N·F] with the identity in its diagonal blocks.
Tensor weight_start(const FeatureMapSpec& spec, std::int64_t heads, std::int64_t head_dim, const CounterRng& rng) {
  const bool joined = spec.sharing == "model";
  const std::int64_t copies = spec.sharing == "head" ? heads : 1, blocks = joined ? heads : 1;
  const std::int64_t columns = map_columns(spec, head_dim), rows = blocks * head_dim, width = blocks * columns;
  Tensor w = torch::zeros({copies, rows, width}, torch::kFloat32);
  auto a = w.accessor<float, 3>();
  const double bound = 1.0 / std::sqrt(static_cast<double>(rows));  // Kaiming uniform with a = √5
  std::uint64_t draw = 0;
  for (std::int64_t h = 0; h < copies; ++h) {
    for (std::int64_t f = 0; f < width; ++f) {
      const std::int64_t kept = f / columns * head_dim + kept_dimension(spec, f % columns, columns, head_dim);
      for (std::int64_t d = 0; d < rows; ++d, ++draw) {
        const double value = spec.start == "kaiming" ? bound * (2 * rng.uniform(draw) - 1)
                                                     : (d == kept ? 1.0 : 0.0) + spec.init_noise * rng.normal(draw);
        a[h][d][f] = static_cast<float>(value);
      }
    }
  }
  return w;
}

}  // namespace

Activation activation_from(const std::string& name) {
  if (name == "softmax") return Activation::softmax;
  if (name == "exp") return Activation::exp;
  if (name == "relu") return Activation::relu;
  if (name == "elu1") return Activation::elu1;
  if (name == "none") return Activation::none;
  throw InputError("unknown activation \"" + name + "\"; expected softmax, exp, relu, elu1 or none");
}

Tensor FeatureMap::operator()(const Tensor& x, std::int64_t heads) const {
  Tensor y = x;
  if (weight.defined() && sharing == Sharing::model) {
    y = x.transpose(1, 2).reshape({x.size(0), x.size(2), -1}).matmul(weight.select(0, 0).to(x.dtype()));  // [B,T,N·F]
    if (bias.defined()) y = y + bias.to(x.dtype());
    y = y.view({x.size(0), x.size(2), x.size(1), -1}).transpose(1, 2);
  } else if (weight.defined()) {
    y = repeated(x, heads).matmul(weight.to(x.dtype()).unsqueeze(0));  // [B,H,T,F]
    if (bias.defined()) y = y + bias.to(x.dtype()).unsqueeze(1);
  }
  y = repeated(y, heads);
  if (temperature != 1) y = y / temperature;
  if (softmax_over_both && negation && activation == Activation::softmax) return at::cat({y, -y}, -1).softmax(-1);
  const bool shifted = exp_minus_row && activation == Activation::exp;
  const Tensor high = shifted ? activate(activation, y - y.amax(-1, true)) : activate(activation, y);
  if (!negation) return high;
  return at::cat({high, shifted ? activate(activation, y.amin(-1, true) - y) : activate(activation, -y)}, -1);
}

FeatureMap FeatureMap::per_head(std::int64_t heads) const {
  FeatureMap m;
  m.activation = activation;
  m.negation = negation;
  if (weight.defined()) m.weight = (weight / temperature).expand({heads, weight.size(1), weight.size(2)}).contiguous();
  if (bias.defined()) m.bias = (bias / temperature).expand({heads, weight.size(2)}).contiguous();
  return m;
}

double least_denominator(const FeatureMap& map) { return map.activation == Activation::none ? 1e-6 : 1e-20; }

std::int64_t map_columns(const FeatureMapSpec& spec, std::int64_t head_dim) {
  if (!spec.learned || spec.size == "square") return head_dim;
  if (spec.size == "half") return head_dim / 2;
  const auto columns = from_text(spec.size, Value(std::int64_t{0}));
  if (!columns || std::get<std::int64_t>(*columns) < 1)
    throw InputError("attention.feature_map.size: expected square, half or a number, found \"" + spec.size + "\"");
  return std::get<std::int64_t>(*columns);
}

std::int64_t map_features(const FeatureMapSpec& spec, std::int64_t head_dim) {
  return map_columns(spec, head_dim) * (spec.negation ? 2 : 1);
}

FeatureMap map_start(const FeatureMapSpec& spec, std::int64_t heads, std::int64_t head_dim, std::int64_t seed,
                     std::uint64_t salt) {
  FeatureMap map;
  map.activation = activation_from(spec.activation);
  map.negation = spec.negation;
  map.sharing = sharing_from(spec.sharing);
  map.temperature = spec.temperature;
  map.softmax_over_both = spec.softmax_over == "both";
  map.exp_minus_row = spec.exp_shift == "row";
  if (!spec.learned) return map;
  map.weight = weight_start(spec, heads, head_dim, CounterRng(static_cast<std::uint64_t>(seed), Stream::map_noise, salt));
  const std::int64_t width = spec.bias_size == "head" ? (spec.sharing == "model" ? map.weight.size(2) : 1) : map.weight.size(2);
  if (spec.bias) map.bias = torch::zeros({map.weight.size(0), width});
  return map;
}

}  // namespace engine
