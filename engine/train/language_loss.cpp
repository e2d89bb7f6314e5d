#include "engine/train/language_loss.h"

#include "engine/torch_api.h"

namespace engine {

Tensor language_loss_sum(const Model& model, const Conversion* conversion, const Tensor& ids, const Tensor& valid,
                         const ForwardOptions& options, const Tensor& weights) {
  const std::int64_t steps = ids.size(1) - 1;
  const Tensor hidden = model.hidden(ids, conversion, options).narrow(1, 0, steps);
  const Tensor targets = ids.narrow(1, 1, steps).reshape(-1);
  const Tensor real = valid.narrow(1, 1, steps).reshape(-1) > 0;
  const Tensor index = real.nonzero().flatten();  // only rows that count meet the vocabulary
  const Tensor logits = model.logits(hidden.reshape({-1, hidden.size(2)}).index_select(0, index));
  const Tensor wide = logits.dtype() == torch::kFloat64 ? logits : logits.to(torch::kFloat32);
  const Tensor losses = at::cross_entropy_loss(wide, targets.index_select(0, index), {}, at::Reduction::None);
  if (!weights.defined()) return losses.sum();
  return (losses * weights.reshape(-1).index_select(0, index)).sum();
}

}  // namespace engine
