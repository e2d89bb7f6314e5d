#include "engine/train/language_loss.h"

#include <algorithm>

#include "engine/torch_api.h"

namespace engine {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr std::int64_t k_tile_values = std::int64_t{1} << 23;  // logits at a time: 32 MiB in float32

struct VocabularyLoss : torch::autograd::Function<VocabularyLoss> {
  static Tensor forward(AutogradContext* context, const Tensor& rows, const Tensor& head, const Tensor& targets,
                        const std::optional<Tensor>& weights, bool wants_rows, bool wants_head) {
    const auto sums = rows.dtype() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
    const std::int64_t count = rows.size(0), tile = std::max<std::int64_t>(64, k_tile_values / head.size(0));
    Tensor drows = wants_rows ? torch::empty_like(rows) : Tensor(), dhead = wants_head ? torch::zeros_like(head, sums) : Tensor();
    Tensor total = torch::zeros({}, rows.options().dtype(sums).requires_grad(false));
    for (std::int64_t first = 0; first < count; first += tile) {
      const std::int64_t n = std::min(tile, count - first);
      const Tensor part = rows.narrow(0, first, n), target = targets.narrow(0, first, n).unsqueeze(1);
      const Tensor weight = weights ? weights->narrow(0, first, n).to(sums).unsqueeze(1) : torch::ones({n, 1}, total.options());
      Tensor log = part.mm(head.t()).to(sums).log_softmax(1);
      total.sub_((log.gather(1, target) * weight).sum());
      if (!wants_rows && !wants_head) continue;
      // The gradient by the logits: weight · (softmax − 1 at the target).
      log.exp_();
      if (weights) log.mul_(weight);
      const Tensor logits = log.scatter_add_(1, target, -weight).to(rows.dtype());
      Tensor own = wants_rows ? drows.narrow(0, first, n) : Tensor();
      if (wants_rows) at::mm_out(own, logits, head);
      if (wants_head) dhead.add_(logits.t().mm(part));
    }
    context->save_for_backward({drows, dhead.defined() ? dhead.to(head.dtype()) : dhead});
    return total;
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const tensor_list t = context->get_saved_variables();
    tensor_list result(6);
    for (std::size_t i = 0; i < 2; ++i)
      if (t[i].defined()) result[i] = t[i] * gradients[0].to(t[i].dtype());
    return result;
  }
};

}  // namespace

Tensor vocabulary_loss_sum(const Tensor& rows, const Tensor& head, const Tensor& targets, const Tensor& weights) {
  const bool graph = at::GradMode::is_enabled();
  return VocabularyLoss::apply(rows, head, targets, weights.defined() ? std::optional(weights) : std::nullopt,
                               graph && rows.requires_grad(), graph && head.requires_grad());
}

Tensor language_loss_sum(const Model& model, const Conversion* conversion, const Tensor& ids, const Tensor& predicting,
                         const ForwardOptions& options, const Tensor& weights) {
  const Tensor hidden = model.hidden(ids, conversion, options);
  const Tensor targets = ids.flatten().index_select(0, predicting + 1);
  return vocabulary_loss_sum(hidden.flatten(0, 1).index_select(0, predicting), model.head.weight.to(hidden.dtype()), targets, weights);
}

}  // namespace engine
