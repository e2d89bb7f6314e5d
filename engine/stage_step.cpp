#include "engine/stage_step.h"

#include <algorithm>
#include <cmath>

#include "engine/convert/transfer.h"
#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/random.h"
#include "engine/torch_api.h"
#include "engine/train/language_loss.h"

namespace engine {
namespace {

TransferLoss transfer_loss(const StageSpec& s) { return {objective_from(s.objective), s.output_loss_scale, s.weights_loss_scale}; }

DropPlan drop_plan(const Workspace& work, const Recipe& recipe, const StageSpec& s, const MicroBatch& b) {
  const auto& c = work.model.config;
  return {dropout_mask(s.schedule, dropout_at(s, b.epoch), recipe.seed, b.global_step, b.index, c.layers, b.ids.size(0), c.heads),
          s.schedule.linear_when_dropped == "outside", s.schedule.dropped_weight == "mixing"};
}

AdapterDropout adapter_dropout(const Recipe& recipe, const StageSpec& s, const MicroBatch& b) {
  const CounterRng place(static_cast<std::uint64_t>(recipe.seed), Stream::lora_dropout, static_cast<std::uint64_t>(b.global_step));
  return {s.trainable == "lora" ? s.lora.dropout : 0, place.bits(static_cast<std::uint64_t>(b.index))};
}

}  // namespace

std::map<std::string, Tensor> stage_parameters(Workspace& work, const StageSpec& s) {
  std::map<std::string, Tensor> named;
  const bool uses_mixing = s.kind == "transfer" ? s.objective == "hybrid-outputs" : s.component == "hybrid";
  if (s.kind == "transfer" || s.train_feature_maps)
    for (const auto& [name, t] : work.conversion.tensors())
      if ((uses_mixing && work.conversion.mixing_trainable) || !name.starts_with("mixing.")) named[name] = t;
  if (s.kind == "finetune" && s.trainable == "lora") named.merge(lora_tensors(work.model));
  if (s.kind == "finetune" && s.trainable == "full")
    for (auto& [name, t] : work.model.weights()) named[name] = *t;
  if (named.empty()) throw InputError("this stage has nothing to train: feature_map.learned is off and the mixing is fixed");
  return named;
}

MicroLoss learn(const Workspace& work, const Recipe& recipe, const StageSpec& s, const MicroBatch& b, double share) {
  if (s.kind == "transfer") {
    const Tensor layers = transfer_losses(work.model, work.conversion, b.ids, b.valid, transfer_loss(s), share);
    return {mean_loss(layers, work.conversion) * share, layers * share};
  }
  const DropPlan drop = drop_plan(work, recipe, s, b);
  const AdapterDropout dropout = adapter_dropout(recipe, s, b);
  ForwardOptions options;
  options.component = component_from(s.component);
  options.window = s.schedule.window.empty() ? 0 : window_at(s, recipe.attention, b.epoch);  // 0: each layer's own
  options.drop = &drop;
  options.adapter_dropout = &dropout;
  options.recompute = s.recompute_activations;
  const Tensor sum = language_loss_sum(work.model, &work.conversion, b.ids, b.predicting, options);
  const Tensor loss = sum * (share / static_cast<double>(b.predicting.size(0)));
  loss.backward();
  return {loss.detach(), {}};
}

double validation_loss(const Workspace& work, const Recipe& recipe, const StageSpec& s,
                       const std::vector<std::vector<std::int64_t>>& held, const std::function<bool()>& stop) {
  torch::NoGradGuard off;
  double sum = 0, targets = 0;
  const auto batch = static_cast<std::size_t>(s.batch_size);
  for (std::size_t at = 0; at < held.size() && !stop(); at += batch) {
    const auto first = held.begin() + static_cast<std::ptrdiff_t>(at);
    const RowBatch rows = pack({first, held.begin() + static_cast<std::ptrdiff_t>(std::min(held.size(), at + batch))});
    const MicroBatch b = to_device(rows, work.device);
    const double n = static_cast<double>(rows.targets());
    if (s.kind == "transfer") {
      sum += n * mean_loss(transfer_losses(work.model, work.conversion, b.ids, b.valid, transfer_loss(s), 0), work.conversion).item<double>();
    } else {
      ForwardOptions options;
      options.component = component_from(s.component);
      options.window = recipe.evaluation.window;
      sum += language_loss_sum(work.model, &work.conversion, b.ids, b.predicting, options).item<double>();
    }
    targets += n;
  }
  return targets > 0 ? sum / targets : std::nan("");
}

}  // namespace engine
