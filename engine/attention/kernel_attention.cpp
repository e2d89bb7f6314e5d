#include "engine/attention/kernel_attention.h"

#include "engine/attention/kernel_views.h"
#include "engine/torch_api.h"
#include "kernels/attention_weights.h"
#include "kernels/hybrid_attention.h"

namespace engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

kernels::Activation activation_of(Activation a) {
  switch (a) {
    case Activation::softmax: return kernels::Activation::softmax;
    case Activation::exp: return kernels::Activation::exp;
    case Activation::relu: return kernels::Activation::relu;
    case Activation::elu1: return kernels::Activation::elu1;
    case Activation::none: return kernels::Activation::none;
  }
  return {};
}

kernels::Component component_of(Component c) {
  switch (c) {
    case Component::teacher: return kernels::Component::softmax;
    case Component::hybrid: return kernels::Component::hybrid;
    case Component::hybrid_overlap: return kernels::Component::hybrid_overlap;
    case Component::swa: return kernels::Component::swa;
    case Component::linear: return kernels::Component::linear;
    case Component::linear_outside: return kernels::Component::linear_outside;
    case Component::swa_sinks: return kernels::Component::swa_sinks;
    case Component::sinks: return kernels::Component::sinks;
    case Component::none: return kernels::Component::none;
  }
  return {};
}

kernels::Mixing mixing_of(Mixing m) {
  return m == Mixing::fixed     ? kernels::Mixing::fixed
         : m == Mixing::learned ? kernels::Mixing::learned
         : m == Mixing::gated   ? kernels::Mixing::gated
                                : kernels::Mixing::shared_denominator;
}

/// What the backward pass needs beside tensors.
struct Settings : torch::CustomClassHolder {
  kernels::HybridAttention call;  ///< its views are filled anew for each pass
};

kernels::HybridAttention settings_of(const AttentionCall& call) {
  kernels::HybridAttention k;
  k.component = component_of(call.component);
  k.window = call.window;
  k.overlap = call.overlap;
  k.mixing = mixing_of(call.mixing);
  k.weight = call.weight;
  k.sinks = call.sinks;
  k.affine = call.affine;
  k.empty_rows_keep_g = call.linear.empty_rows_keep_g;
  k.normaliser = call.linear.normaliser == Normaliser::sum ? kernels::Normaliser::sum : kernels::Normaliser::none;
  k.epsilon = call.linear.epsilon;
  k.least_denominator = call.least_denominator;
  if (call.query_map) k.query_map = {activation_of(call.query_map->activation), call.query_map->negation, {}, {}};
  if (call.key_map) k.key_map = {activation_of(call.key_map->activation), call.key_map->negation, {}, {}};
  return k;
}

/// The tensors of a call in the order in which autograd sees them.
enum { q_, k_, v_, query_weight_, query_bias_, key_weight_, key_bias_, logit_, gate_, linear_q_, linear_k_, tensors_ };

void set_tensors(kernels::HybridAttention& call, const tensor_list& t) {
  call.q = in(t[q_]), call.k = in(t[k_]), call.v = in(t[v_]);
  call.query_map.weight = in(t[query_weight_]), call.query_map.bias = in(t[query_bias_]);
  call.key_map.weight = in(t[key_weight_]), call.key_map.bias = in(t[key_bias_]);
  call.logit = in(t[logit_]), call.gate = in(t[gate_]);
  call.linear_q = in(t[linear_q_]), call.linear_k = in(t[linear_k_]);
  call.threads = at::get_num_threads();
}

/// The CUDA form on the GPU's current stream, or the processor's form.
template <class OnGpu, class OnProcessor>
kernels::Status on_its_device(const Tensor& q, OnGpu on_gpu, OnProcessor on_processor) {
  if (!q.is_cuda()) return on_processor();
  const c10::DeviceGuard guard(q.device());
  const c10::impl::VirtualGuardImpl streams(q.device().type());
  return on_gpu(streams.getStream(q.device()).native_handle());
}

bool has_form(const torch::Device& device) {
  if (!device.is_cuda()) return device.is_cpu();
  const c10::DeviceGuard guard(device);
  return kernels::cuda_form_runs();
}

struct KernelAttention : torch::autograd::Function<KernelAttention> {
  using Maybe = std::optional<Tensor>;  // autograd takes no undefined tensors
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v, const Maybe& query_weight,
                        const Maybe& query_bias, const Maybe& key_weight, const Maybe& key_bias, const Maybe& logit,
                        const Maybe& gate, const Maybe& linear_q, const Maybe& linear_k, const AttentionCall* call) {
    auto settings = c10::make_intrusive<Settings>();
    settings->call = settings_of(*call);
    tensor_list tensors{q, k, v};
    for (const Maybe* t : {&query_weight, &query_bias, &key_weight, &key_bias, &logit, &gate, &linear_q, &linear_k}) tensors.push_back(t->value_or(Tensor()));
    context->save_for_backward(tensors);
    context->saved_data["settings"] = c10::IValue::make_capsule(settings);
    // [B,T,H,D] in memory, as the output projection reads it.
    const Tensor y = torch::empty({q.size(0), q.size(2), q.size(1), q.size(3)}, q.options()).transpose(1, 2);
    kernels::HybridAttention kernel = settings->call;
    set_tensors(kernel, tensors);
    kernels::HybridAttentionOut result;
    result.y = out(y);
    const bool hybrid = call->component == Component::hybrid || call->component == Component::hybrid_overlap;
    Tensor counted, window_norms, linear_norms;
    if (call->norms && hybrid) {
      window_norms = torch::zeros({q.size(1)}, q.options().dtype(torch::kFloat64));
      linear_norms = torch::zeros_like(window_norms);
      result.window_norms = window_norms.data_ptr<double>();
      result.linear_norms = linear_norms.data_ptr<double>();
      if (call->counted.defined()) counted = call->counted.to(torch::kUInt8);
      kernel.counted = in(counted);
    }
    {
      RECORD_FUNCTION("equipoise::hybrid_attention", std::vector<c10::IValue>());
      require(on_its_device(q, [&](void* stream) { return hybrid_attention_cuda(kernel, result, stream); },
                            [&] { return hybrid_attention_cpu(kernel, result); }));
    }
    if (call->norms) {
      auto add = [](Tensor& sum, const Tensor& part) {
        if (part.defined()) sum = sum.defined() ? sum + part : part;
      };
      add(call->norms->window, window_norms);
      add(call->norms->linear, linear_norms);
      add(call->norms->denominators_clamped, torch::tensor(result.clamped_denominators));
    }
    return y;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list t = context->get_saved_variables();
    const auto settings = c10::static_intrusive_pointer_cast<Settings>(context->saved_data["settings"].toCapsule());
    kernels::HybridAttention call = settings->call;
    set_tensors(call, t);
    tensor_list result(tensors_ + 1);
    std::size_t edge = 0;  // autograd counts the tensors that are there
    for (std::size_t i = 0; i < tensors_; ++i)
      if (t[i].defined() && context->needs_input_grad(edge++)) result[i] = torch::empty(t[i].sizes(), t[i].options());
    const Tensor dy = gradients[0].to(t[q_].dtype());
    kernels::HybridAttentionGradients g;
    g.dy = in(dy);
    g.dq = out(result[q_]), g.dk = out(result[k_]), g.dv = out(result[v_]);
    g.dquery_weight = out(result[query_weight_]), g.dquery_bias = out(result[query_bias_]);
    g.dkey_weight = out(result[key_weight_]), g.dkey_bias = out(result[key_bias_]);
    g.dlogit = out(result[logit_]), g.dgate = out(result[gate_]);
    g.dlinear_q = out(result[linear_q_]), g.dlinear_k = out(result[linear_k_]);
    RECORD_FUNCTION("equipoise::hybrid_attention_backward", std::vector<c10::IValue>());
    require(on_its_device(t[q_], [&](void* stream) { return hybrid_attention_backward_cuda(call, g, stream); },
                          [&] { return hybrid_attention_backward_cpu(call, g); }));
    return result;
  }
};

bool fits(const FeatureMap* map) {
  return !map || !map->weight.defined() || (map->weight.dtype() == torch::kFloat32 && map->weight.size(2) <= 256);
}

}  // namespace

bool kernel_takes(const Tensor& q, const AttentionCall& call) {
  return !call.composed && has_form(q.device()) && (q.dtype() == torch::kFloat32 || q.dtype() == torch::kBFloat16) && call.component != Component::teacher &&
         !call.dropped.defined() && (!call.linear_q.defined() || (q.device().is_cpu() && call.linear_q.size(3) <= 256)) && q.size(3) <= 256 && fits(call.query_map) && fits(call.key_map);
}

Tensor kernel_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call) {
  auto maybe = [](const Tensor& t) { return t.defined() ? std::optional<Tensor>(t) : std::nullopt; };
  auto weight = [&](const FeatureMap* map) { return map ? maybe(map->weight) : std::nullopt; };
  auto bias = [&](const FeatureMap* map) { return map ? maybe(map->bias) : std::nullopt; };
  auto rows = [&](const Tensor& t) { return t.defined() ? maybe(t.to(torch::kFloat32)) : std::nullopt; };
  return KernelAttention::apply(q, k, v, weight(call.query_map), bias(call.query_map), weight(call.key_map), bias(call.key_map),
                                call.mixing == Mixing::learned || call.mixing == Mixing::shared_denominator ? maybe(call.logit) : std::nullopt,
                                call.mixing == Mixing::gated ? rows(call.gate) : std::nullopt, rows(call.linear_q), rows(call.linear_k), &call);
}

double kernel_weights_loss(const Tensor& q, const Tensor& k, const Tensor& valid, const AttentionCall& call, double share) {
  const Tensor counted = valid.to(torch::kUInt8).contiguous();
  kernels::HybridAttention maps = settings_of(call);
  kernels::AttentionWeights kernel;
  kernel.q = in(q), kernel.k = in(k), kernel.valid = in(counted);
  kernel.query_map = maps.query_map, kernel.key_map = maps.key_map;
  kernel.query_map.weight = in(call.query_map->weight), kernel.query_map.bias = in(call.query_map->bias);
  kernel.key_map.weight = in(call.key_map->weight), kernel.key_map.bias = in(call.key_map->bias);
  kernel.teacher_window = call.teacher_window;
  kernel.threads = at::get_num_threads();
  kernels::AttentionWeightsOut result;
  result.gradient_scale = share;
  std::vector<std::pair<Tensor, Tensor>> gradients;  // map's tensor, what is added to its grad
  auto wanted = [&](const Tensor& t) {
    if (share <= 0 || !t.defined() || !t.requires_grad()) return kernels::OutView{};
    gradients.emplace_back(t, torch::empty(t.sizes(), t.options().requires_grad(false)));
    return out(gradients.back().second);
  };
  result.dquery_weight = wanted(call.query_map->weight), result.dquery_bias = wanted(call.query_map->bias);
  result.dkey_weight = wanted(call.key_map->weight), result.dkey_bias = wanted(call.key_map->bias);
  {
    RECORD_FUNCTION("equipoise::attention_weights", std::vector<c10::IValue>());
    require(attention_weights_cpu(kernel, result));
  }
  torch::NoGradGuard off;
  for (auto& [tensor, gradient] : gradients) {
    Tensor& sum = tensor.mutable_grad();
    sum = sum.defined() ? sum + gradient : gradient;
  }
  return result.loss;
}

}  // namespace engine
