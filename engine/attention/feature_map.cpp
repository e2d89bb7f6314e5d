#include "engine/attention/feature_map.h"

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

}  // namespace

Activation activation_from(const std::string& name) {
  if (name == "softmax") return Activation::softmax;
  if (name == "exp") return Activation::exp;
  if (name == "relu") return Activation::relu;
  if (name == "elu1") return Activation::elu1;
  if (name == "none") return Activation::none;
  throw InputError("unknown activation \"" + name + "\"; expected softmax, exp, relu, elu1 or none");
}

Tensor FeatureMap::operator()(const Tensor& x) const {
  Tensor y = x;
  if (weight.defined()) {
    y = x.matmul(weight.to(x.dtype()).unsqueeze(0));  // [B,H,T,F]
    if (bias.defined()) y = y + bias.to(x.dtype()).unsqueeze(1);
  }
  if (!negation) return activate(activation, y);
  return at::cat({activate(activation, y), activate(activation, -y)}, -1);
}

double least_denominator(const FeatureMap& map) { return map.activation == Activation::none ? 1e-6 : 1e-20; }

std::int64_t map_columns(const FeatureMapSpec& spec, std::int64_t head_dim) {
  if (spec.size == "square") return head_dim;
  if (spec.size == "half") return head_dim / 2;
  const auto columns = from_text(spec.size, Value(std::int64_t{0}));
  if (!columns || std::get<std::int64_t>(*columns) < 1)
    throw InputError("attention.feature_map.size: expected square, half or a number, found \"" + spec.size + "\"");
  return std::get<std::int64_t>(*columns);
}

Tensor map_start(const FeatureMapSpec& spec, std::int64_t heads, std::int64_t head_dim, std::int64_t seed,
                 std::uint64_t salt) {
  const std::int64_t columns = map_columns(spec, head_dim);
  Tensor w = torch::zeros({heads, head_dim, columns}, torch::kFloat32);
  auto a = w.accessor<float, 3>();
  const CounterRng rng(static_cast<std::uint64_t>(seed), Stream::map_noise, salt);
  std::uint64_t draw = 0;
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t f = 0; f < columns; ++f) {
      // RoPE rotates dimension i with i + D/2: interleaved takes both of a pair before the next pair.
      const std::int64_t kept = spec.columns == "interleaved" && columns < head_dim
                                    ? (f % 2 == 0 ? f / 2 : head_dim / 2 + f / 2)
                                    : f % head_dim;
      for (std::int64_t d = 0; d < head_dim; ++d) {
        const double identity = d == kept ? 1.0 : 0.0;
        a[h][d][f] = static_cast<float>(identity + spec.init_noise * rng.normal(draw++));
      }
    }
  }
  return w;
}

}  // namespace engine
