#include "engine/model/block_ops.h"

#include <ATen/TensorIterator.h>

#include "engine/torch_api.h"

namespace engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

Tensor wide(const Tensor& x) { return x.dtype() == torch::kFloat64 ? x : x.to(torch::kFloat32); }

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, double eps) {
    const Tensor w = wide(x);
    const double width = static_cast<double>(x.size(-1));
    const Tensor scale = at::linalg_vector_norm(w, 2, at::IntArrayRef{-1}, true).square_().div_(width).add_(eps).rsqrt_();
    context->save_for_backward({x, weight, scale});
    return (w * scale).to(x.dtype()).mul_(weight);
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list t = context->get_saved_variables();
    const Tensor &x = t[0], &weight = t[1], &scale = t[2];
    const Tensor dy = wide(gradients[0]);
    Tensor unit = wide(x) * scale, dx, dweight;  // unit: x / rms
    if (context->needs_input_grad(1)) dweight = (dy * unit).flatten(0, -2).sum(0).to(weight.dtype());
    if (context->needs_input_grad(0)) {
      dx = dy * weight;
      const Tensor along = (dx * unit).mean(-1, true);
      dx = dx.sub_(unit.mul_(along)).mul_(scale).to(x.dtype());
    }
    return {dx, dweight, Tensor()};
  }
};

/// The two halves of `from` [..., D] turned into `to` in one pass; sign −1 turns back.
template <class Real>
void turn_rows(const Tensor& from, Tensor& to, const std::pair<Tensor, Tensor>& turns, Real sign) {
  const std::int64_t half = from.size(-1) / 2;
  const Tensor cos = turns.first.narrow(-1, 0, half).to(from.dtype()), sin = turns.second.narrow(-1, 0, half).to(from.dtype());
  auto pass = at::TensorIteratorConfig()
                  .resize_outputs(false)
                  .add_owned_output(to.narrow(-1, 0, half))
                  .add_owned_output(to.narrow(-1, half, half))
                  .add_owned_const_input(from.narrow(-1, 0, half))
                  .add_owned_const_input(from.narrow(-1, half, half))
                  .add_const_input(cos)
                  .add_const_input(sin)
                  .build();
  constexpr int k_tensors = 6;
  // LibTorch divides the rows among its threads; strides are bytes, those of the inner dimension first.
  pass.for_each([sign](char** data, const std::int64_t* strides, std::int64_t count, std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r) {
      auto at = [&](int i, std::int64_t n) -> Real& {
        return *reinterpret_cast<Real*>(data[i] + r * strides[k_tensors + i] + n * strides[i]);
      };
      for (std::int64_t n = 0; n < count; ++n) {
        const Real a = at(2, n), b = at(3, n), c = at(4, n), s = sign * at(5, n);
        at(0, n) = a * c - b * s;
        at(1, n) = b * c + a * s;
      }
    }
  });
}

/// x and the result [B,heads,T,D]; the result's memory is `out`.
Tensor turned_into(Tensor out, const Tensor& x, const std::pair<Tensor, Tensor>& turns, double sign) {
  if (x.is_cpu() && x.dtype() == torch::kFloat32) {
    turn_rows<float>(x, out, turns, static_cast<float>(sign));
  } else if (x.is_cpu() && x.dtype() == torch::kFloat64) {
    turn_rows<double>(x, out, turns, sign);
  } else {
    const std::int64_t half = x.size(-1) / 2;
    const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
    const Tensor cos = turns.first.narrow(-1, 0, half).to(x.dtype()), sin = turns.second.narrow(-1, 0, half).to(x.dtype()) * sign;
    out.narrow(-1, 0, half).copy_(a * cos - b * sin);
    out.narrow(-1, half, half).copy_(b * cos + a * sin);
  }
  return out;
}

struct RotatedHeads : torch::autograd::Function<RotatedHeads> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    context->save_for_backward({cos, sin});
    const Tensor heads = x.transpose(1, 2);
    return turned_into(torch::empty(heads.sizes(), x.options().requires_grad(false)), heads, {cos, sin}, 1);
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list t = context->get_saved_variables();
    const Tensor& dy = gradients[0];  // [B,heads,T,D]
    // In memory as the projection behind it reads its gradient.
    const Tensor dx = torch::empty({dy.size(0), dy.size(2), dy.size(1), dy.size(3)}, dy.options());
    turned_into(dx.transpose(1, 2), dy, {t[0], t[1]}, -1);
    return {dx, Tensor(), Tensor()};
  }
};

struct SiluProduct : torch::autograd::Function<SiluProduct> {
  static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
    context->save_for_backward({gate, up});
    return at::silu(gate).mul_(up);
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list t = context->get_saved_variables();
    const Tensor& dy = gradients[0];
    tensor_list result(2);
    if (context->needs_input_grad(0)) result[0] = at::silu_backward(dy * t[1], t[0]);
    if (context->needs_input_grad(1)) result[1] = at::silu(t[0]).mul_(dy);
    return result;
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) { return RmsNorm::apply(x, weight, eps); }

Tensor rotated_heads(const Tensor& x, const std::pair<Tensor, Tensor>& turns) {
  return RotatedHeads::apply(x, turns.first, turns.second);
}

Tensor silu_product(const Tensor& gate, const Tensor& up) { return SiluProduct::apply(gate, up); }

}  // namespace engine
