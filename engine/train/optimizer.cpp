#include "engine/train/optimizer.h"

#include "engine/error.h"
#include "engine/torch_api.h"

namespace engine {

AdamW::AdamW(std::map<std::string, Tensor> parameters, double weight_decay, double beta2)
    : parameters_(std::move(parameters)), weight_decay_(weight_decay), beta2_(beta2) {
  for (const auto& [name, p] : parameters_) {
    list_.push_back(p);
    first_.push_back(torch::zeros_like(p));
    second_.push_back(torch::zeros_like(p));
    steps_.push_back(torch::zeros({}, torch::TensorOptions().dtype(torch::kFloat32).device(p.device())));
  }
}

void AdamW::zero_grad() {
  for (auto& p : list_) p.mutable_grad() = Tensor();
}

std::vector<Tensor> AdamW::gradients() {
  std::vector<Tensor> grads;
  for (auto& p : list_) grads.push_back(p.grad().defined() ? p.grad() : torch::zeros_like(p));
  return grads;
}

Tensor AdamW::grad_norm(double clip) {
  torch::NoGradGuard off;
  const std::vector<Tensor> grads = gradients();
  const Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(grads, 2)));
  if (clip > 0) at::_foreach_mul_(grads, (clip / (norm + 1e-6)).clamp_max(1.0));
  return norm;
}

void AdamW::step(double learning_rate, const Tensor& skip) {
  torch::NoGradGuard off;
  // The kernel reads the count of this step.
  if (skip.defined()) at::_foreach_add_(steps_, 1 - skip);
  else at::_foreach_add_(steps_, 1);
  at::_fused_adamw_(list_, gradients(), first_, second_, {}, steps_, learning_rate, 0.9, beta2_, weight_decay_, 1e-8,
                    /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, skip.defined() ? std::optional(skip) : std::nullopt);
}

std::map<std::string, Tensor> AdamW::state() const {
  std::map<std::string, Tensor> s;
  std::size_t i = 0;
  for (const auto& [name, p] : parameters_) {
    s["m." + name] = first_[i];
    s["v." + name] = second_[i];
    s["t." + name] = steps_[i++];
  }
  return s;
}

void AdamW::load_state(const std::map<std::string, Tensor>& s) {
  torch::NoGradGuard off;
  for (auto& [name, tensor] : state()) {
    const auto found = s.find(name);
    if (found == s.end() || found->second.sizes() != tensor.sizes())
      throw InputError("the checkpoint's optimizer state does not fit: " + name);
    Tensor target = tensor;
    target.copy_(found->second);
  }
}

}  // namespace engine
