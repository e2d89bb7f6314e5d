#include "engine/model/adapted.h"

#include "engine/torch_api.h"

namespace engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// What is kept of each projection.
constexpr std::size_t k_weight = 0, k_a = 1, k_b = 2, k_each = 3;

struct Scales : torch::CustomClassHolder {
  std::vector<double> values;
};

struct Adapted : torch::autograd::Function<Adapted> {
  /// `frozen`: W and b, `adapters`: A and B, of each projection in turn.
  static tensor_list forward(AutogradContext* context, const Tensor& x, at::TensorList adapters, const tensor_list* frozen,
                             const std::vector<double>* scales) {
    tensor_list kept{x}, out;
    for (std::size_t i = 0; i < scales->size(); ++i) {
      const Tensor &weight = (*frozen)[2 * i], &bias = (*frozen)[2 * i + 1], &a = adapters[2 * i], &b = adapters[2 * i + 1];
      kept.insert(kept.end(), {weight, a, b});
      const Tensor merged = at::addmm(weight, b, a, 1, (*scales)[i]);  // [out,in]
      out.push_back(at::linear(x, merged, bias.defined() ? std::optional<Tensor>(bias) : std::nullopt));
    }
    context->save_for_backward(kept);
    auto held = c10::make_intrusive<Scales>();
    held->values = *scales;
    context->saved_data["scales"] = c10::IValue::make_capsule(held);
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list t = context->get_saved_variables();
    const auto scales = c10::static_intrusive_pointer_cast<Scales>(context->saved_data["scales"].toCapsule());
    const std::size_t count = scales->values.size();
    auto part = [&](std::size_t i, std::size_t which) -> const Tensor& { return t[1 + i * k_each + which]; };
    const Tensor rows = t[0].reshape({-1, t[0].size(-1)});  // [N,in]
    std::int64_t ranks = 0;
    tensor_list scaled_a;
    for (std::size_t i = 0; i < count; ++i) {
      ranks += part(i, k_a).size(0);
      scaled_a.push_back(part(i, k_a) * scales->values[i]);
    }
    const Tensor a = at::cat(scaled_a);                             // [Σr,in], s·A
    const Tensor u = rows.mm(a.t());                                // [N,Σr], s·x Aᵀ
    const Tensor du = torch::empty({rows.size(0), ranks}, u.options());  // dy B
    const bool wants_x = context->needs_input_grad(0);
    Tensor dx;
    tensor_list result(1 + 2 * count + 2);  // x, A and B of each, and two arguments without gradient
    std::int64_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t rank = part(i, k_a).size(0);
      Tensor own = du.narrow(1, at, rank);
      const Tensor& weight = part(i, k_weight);
      if (gradients[i].defined()) {
        const Tensor dy = gradients[i].reshape({-1, weight.size(0)});
        const Tensor b = part(i, k_b).t().contiguous();  // rows of B lie r apart: slow to multiply by
        at::mm_out(own, dy, b.t());
        result[2 + 2 * i] = u.narrow(1, at, rank).t().mm(dy).t();  // [out,r]
        if (wants_x && !dx.defined()) dx = dy.mm(weight);
        else if (wants_x) dx.addmm_(dy, weight);
      } else {
        own.zero_();
      }
      at += rank;
    }
    if (dx.defined()) result[0] = dx.addmm_(du, a).view(t[0].sizes());
    const Tensor da = du.t().mm(rows);  // [Σr,in]
    at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t rank = part(i, k_a).size(0);
      result[1 + 2 * i] = da.narrow(0, at, rank) * scales->values[i];
      at += rank;
    }
    return result;
  }
};

}  // namespace

bool merges(const Projection& p) {
  return p.lora_a.defined() && p.lora_a.requires_grad() && p.lora_b.requires_grad() && p.lora_a.dtype() == p.weight.dtype() &&
         !p.weight.requires_grad() && !(p.bias.defined() && p.bias.requires_grad());
}

std::vector<Tensor> adapted(const Tensor& x, const std::vector<const Projection*>& projections) {
  tensor_list frozen, adapters;
  std::vector<double> scales;
  for (const Projection* p : projections) {
    frozen.insert(frozen.end(), {p->weight, p->bias});
    adapters.insert(adapters.end(), {p->lora_a, p->lora_b});
    scales.push_back(p->lora_scale);
  }
  return Adapted::apply(x, at::TensorList(adapters), &frozen, &scales);
}

}  // namespace engine
