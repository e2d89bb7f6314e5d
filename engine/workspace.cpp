#include "engine/workspace.h"

#include <algorithm>
#include <mutex>
#include <thread>

#include <unistd.h>

#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

/// OpenMP's workers spin for milliseconds between operations while they believe that they have the processor to
/// themselves, and two programs then slow each other down many times over. GNU's runtime spins 300 times less once it
/// manages more threads than there are processors, so a second, idle pool is started.
void share_the_processor() {
  static std::once_flag once;
  std::call_once(once, [] {
    std::thread([] {
      torch::ones({1 << 18}).add_(1);  // large enough to start a pool
      while (true) ::pause();
    }).detach();
  });
}

}  // namespace

bool trains_all_weights(const Recipe& recipe) {
  return std::any_of(recipe.stages.begin(), recipe.stages.end(),
                     [](const StageSpec& s) { return s.kind == "finetune" && s.trainable == "full"; });
}

std::map<std::string, Tensor> Workspace::trained(const Recipe& recipe) {
  std::map<std::string, Tensor> named = conversion.tensors();
  named.merge(lora_tensors(model));
  if (trains_all_weights(recipe))
    for (auto& [name, tensor] : model.weights()) named[name] = *tensor;
  return named;
}

void Workspace::restore(const Recipe& recipe, const std::map<std::string, Tensor>& values) {
  torch::NoGradGuard off;
  for (auto& [name, tensor] : trained(recipe)) {
    const auto found = values.find(name);
    if (found == values.end() || found->second.sizes() != tensor.sizes())
      throw InputError("the checkpoint does not fit this recipe: " + name + " is missing or of another shape");
    Tensor target = tensor;
    target.copy_(found->second);
  }
}

void Workspace::start_from(const Recipe& recipe, const std::map<std::string, Tensor>& values, const std::string& source) {
  const auto places = trained(recipe);
  for (const auto& [name, value] : values) {
    const auto place = places.find(name);
    if (place == places.end()) {
      const bool adapter = name.starts_with("lora.");
      throw InputError("start_from: " + source + " has trained " + name + ", which this recipe has no place for" +
                       (adapter ? "; give it a finetune stage with trainable: lora and the same targets and layers" : ""));
    }
    if (place->second.sizes() != value.sizes())
      throw InputError("start_from: " + name + " of " + source + " has another shape than this recipe's; use the same attention and lora settings");
  }
  torch::NoGradGuard off;
  for (const auto& [name, value] : values) {
    Tensor target = places.at(name);
    target.copy_(value);
  }
}

Workspace open_workspace(const Recipe& recipe) {
  static const int all = at::get_num_threads();  // a core each, or what OMP_NUM_THREADS says
  share_the_processor();
  at::set_num_threads(recipe.threads > 0 ? static_cast<int>(recipe.threads) : all);
  const torch::Device device = choose_device(recipe.device);
  const torch::Dtype dtype = choose_dtype(recipe.dtype, device);
  // Weights that train need float32 masters.
  const bool masters = trains_all_weights(recipe) && dtype == torch::kBFloat16;
  Workspace w{device, dtype, load_model(recipe.model, masters ? torch::kFloat32 : dtype, device), {}, Tokenizer::load(model_folder(recipe.model))};
  w.model.compute = dtype;
  if (w.tokenizer.vocab_size() > w.model.config.vocabulary)
    throw InputError(recipe.model + ": the tokenizer has " + std::to_string(w.tokenizer.vocab_size()) +
                     " tokens, the model's embedding only " + std::to_string(w.model.config.vocabulary));
  const ModelConfig& c = w.model.config;
  w.conversion = make_conversion(recipe.attention, {c.layers, c.heads, c.kv_heads, c.head_dim, c.width}, recipe.seed, device);
  w.conversion.alone_keeps_g = recipe.evaluation.ablation_weights == "mixing";
  for (const auto& stage : recipe.stages) {
    if (stage.kind != "finetune" || stage.trainable != "lora") continue;
    if (lora_tensors(w.model).empty()) add_lora(w.model, stage.lora, recipe.seed);
  }
  return w;
}

}  // namespace engine
