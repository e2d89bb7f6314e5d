#pragma once
/// AdamW over named tensors, with state that can be saved and given back bit for bit.

#include <map>
#include <string>

#include "engine/torch_api.h"

namespace engine {

/// Decoupled weight decay; ε 1e-8. The tensors must require gradients and live on one device. One thread.
class AdamW {
 public:
  AdamW(std::map<std::string, Tensor> parameters, double weight_decay, double beta2 = 0.999);

  void zero_grad();
  /// √Σ‖∂‖² over all parameters (a scalar on their device); where clip > 0 and it is larger, gradients are scaled to it.
  Tensor grad_norm(double clip);
  /// `skip` (scalar float32 on the parameters' device, 0 or 1; undefined: 0): 1 leaves parameters and state as they are.
  /// Reads nothing from the device.
  void step(double learning_rate, const Tensor& skip = {});

  const std::map<std::string, Tensor>& parameters() const { return parameters_; }
  std::map<std::string, Tensor> state() const;              ///< "m.<name>", "v.<name>", "t.<name>"
  void load_state(const std::map<std::string, Tensor>& s);  ///< throws InputError where a tensor is missing or mis-shaped

 private:
  std::vector<Tensor> gradients();

  std::map<std::string, Tensor> parameters_;
  std::vector<Tensor> list_, first_, second_, steps_;
  double weight_decay_, beta2_;
};

}  // namespace engine
