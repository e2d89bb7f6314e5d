#include "engine/model/recompute.h"

#include "engine/torch_api.h"

namespace engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

struct Held : torch::CustomClassHolder {
  Computation f;
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static Tensor forward(AutogradContext* context, const Tensor& x, at::TensorList learning, const Computation* f) {
    tensor_list kept{x};
    kept.insert(kept.end(), learning.begin(), learning.end());
    context->save_for_backward(kept);
    auto held = c10::make_intrusive<Held>();
    held->f = *f;
    context->saved_data["f"] = c10::IValue::make_capsule(held);
    return (*f)(x);  // without graph: autograd calls forward so
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list kept = context->get_saved_variables();
    const auto held = c10::static_intrusive_pointer_cast<Held>(context->saved_data["f"].toCapsule());
    torch::AutoGradMode on(true);
    const bool wants_x = context->needs_input_grad(0);
    const Tensor x = kept[0].detach().requires_grad_(wants_x);
    tensor_list inputs(kept.begin() + (wants_x ? 0 : 1), kept.end());
    if (wants_x) inputs[0] = x;
    const tensor_list found = torch::autograd::grad({held->f(x)}, inputs, gradients, /*retain_graph=*/false,
                                                    /*create_graph=*/false, /*allow_unused=*/true);
    tensor_list result(kept.size() + 1);  // x, the leaves, and f without gradient
    std::copy(found.begin(), found.end(), result.begin() + (wants_x ? 0 : 1));
    return result;
  }
};

}  // namespace

Tensor recomputed(Computation f, const Tensor& x, const std::vector<Tensor>& learning) {
  return Recomputed::apply(x, at::TensorList(learning), &f);
}

}  // namespace engine
