// One optimizer step of each stage of the embedded default, with the kernels and with composed
// tensor operations.

#include "engine/bench/composed_step.h"
#include "engine/bench/measure.h"
#include "engine/data/rows.h"
#include "engine/error.h"
#include "engine/stage_step.h"
#include "engine/torch_api.h"
#include "engine/train/optimizer.h"
#include "engine/train/trainer.h"
#include "engine/workspace.h"

namespace engine {
namespace {

Recipe ssd() {
  for (const auto& preset : presets())
    if (preset.name == "ssd") return preset.recipe;
  throw InputError("there is no preset ssd");
}

class TrainingSteps {
 public:
  TrainingSteps(const BenchOptions& options)
      : options_(options), recipe_(ssd()), work_(open_workspace(recipe_)) {
    const TextRows rows = TextRows::builtin(recipe_);
    batch_ = to_device(rows.batch(0, recipe_.stages.at(0).batch_size), work_.device);
  }

  BenchRow transfer() {
    const StageSpec& stage = recipe_.stages.at(0);
    const TransferLoss loss{objective_from(stage.objective), stage.output_loss_scale};
    return row("transfer", parameters("maps."), [&] { learn(work_, recipe_, stage, batch_, 1); },
               [&] { composed_transfer(work_, loss, batch_); });
  }

  BenchRow lora() {
    StageSpec stage = recipe_.stages.at(1);
    stage.schedule = {};  // both branches of every sequence: the most that a step computes
    return row("lora", parameters("lora."), [&] { learn(work_, recipe_, stage, batch_, 1); },
               [&] { composed_finetune(work_, batch_); });
  }

 private:
  std::map<std::string, Tensor> parameters(const std::string& prefix) {
    std::map<std::string, Tensor> trained;
    for (auto& [name, tensor] : work_.trained(recipe_)) {
      tensor.set_requires_grad(name.starts_with(prefix));
      if (name.starts_with(prefix)) trained[name] = tensor;
    }
    return trained;
  }

  BenchRow row(const std::string& pass, const std::map<std::string, Tensor>& trained,
               const std::function<void()>& gradients, const std::function<void()>& composed_gradients) {
    AdamW optimizer(trained, 0);
    auto step = [&](bool composed) {
      optimizer.zero_grad();
      composed ? composed_gradients() : gradients();
      optimizer.grad_norm(0);
      optimizer.step(0);  // the same work, and the weights stay
    };
    const std::vector<double> ms =
        take_turns({{"ours", [&] { step(false); }}, {"composed", [&] { step(true); }}}, options_);
    const Spent spent = spent_in([&] {
      for (int i = 0; i < options_.repeats; ++i) step(false);
    });
    const ModelConfig& c = work_.model.config;
    BenchRow r{"train",
               {{"B", batch_.ids.size(0)},
                {"T", batch_.ids.size(1)},
                {"L", c.layers},
                {"H", c.heads},
                {"D", c.head_dim},
                {"w", recipe_.attention.window}},
               "float32",
               at::get_num_threads(),
               options_.repeats,
               pass,
               ms[0],
               {{"composed", ms[1]}},
               {}};
    const double matmul = spent.matmul_ms / spent.all_ms, kernel = spent.kernel_ms / spent.all_ms;
    r.figures = {{"times_faster", ms[1] / ms[0]},
                 {"matmul_share", matmul},
                 {"attention_kernel_share", kernel},
                 {"outside_matmul_share", 1 - matmul}};
    options_.row(r);
    return r;
  }

  const BenchOptions& options_;
  Recipe recipe_;
  Workspace work_;
  MicroBatch batch_;
};

}  // namespace

std::vector<BenchRow> bench_train(const BenchOptions& options) {
  TrainingSteps steps(options);  // sets LibTorch's threads as a run does
  const Threads threads(options.threads);
  return {steps.transfer(), steps.lora()};
}

}  // namespace engine
