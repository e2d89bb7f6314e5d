#include "engine/attention/kernel_attention.h"
#include "engine/attention/kernel_views.h"
#include "engine/torch_api.h"
#include "kernels/fading_attention.h"

namespace engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

kernels::FadingAttention fading_call(const tensor_list& t) { return {in(t[0]), in(t[1]), in(t[2]), in(t[3]), at::get_num_threads()}; }

struct KernelFading : torch::autograd::Function<KernelFading> {
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& decay) {
    const tensor_list tensors{q, k, v, decay};
    context->save_for_backward(tensors);
    const Tensor y = torch::empty(v.sizes(), v.options());
    RECORD_FUNCTION("equipoise::fading_attention", std::vector<c10::IValue>());
    require(fading_attention_cpu(fading_call(tensors), out(y)));
    return y;
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list t = context->get_saved_variables();
    const Tensor dy = gradients[0].contiguous();
    const bool fades = context->needs_input_grad(3), rows = fades || context->needs_input_grad(0) || context->needs_input_grad(1);
    tensor_list d(4);
    if (rows) d[0] = torch::empty(t[0].sizes(), t[0].options()), d[1] = torch::empty(t[1].sizes(), t[1].options());
    if (context->needs_input_grad(2)) d[2] = torch::empty(t[2].sizes(), t[2].options());
    if (fades) d[3] = torch::empty(t[0].sizes(), t[0].options());
    kernels::FadingAttentionGradients g{in(dy), out(d[0]), out(d[1]), out(d[2]), out(d[3])};
    RECORD_FUNCTION("equipoise::fading_attention_backward", std::vector<c10::IValue>());
    require(fading_attention_backward_cpu(fading_call(t), g));
    if (fades && t[3].size(3) == 1) d[3] = d[3].sum(3, true);
    return d;
  }
};

}  // namespace

bool kernel_takes_fading(const Tensor& q, const Tensor& v) {
  return q.device().is_cpu() && q.dtype() == torch::kFloat32 && q.size(3) <= 256 && v.size(3) <= 256;
}

Tensor kernel_fading(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& decay) { return KernelFading::apply(q, k, v, decay); }

}  // namespace engine
