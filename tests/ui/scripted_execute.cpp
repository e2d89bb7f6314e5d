#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <thread>

#include "execute_for_test.h"

namespace test {
namespace {

constexpr int k_layers = 6, k_heads = 4;
constexpr auto k_step_time = std::chrono::milliseconds(6);

double rising(double step, double from, double to, double scale) {
  return to + (from - to) * std::exp(-step / scale);
}

/// Accuracy of one component after so many steps, for a recipe with or without window dropout.
double accuracy(const std::string& component, double step, bool ssd, double share) {
  const double far = share * 0.1;
  if (component == "teacher") return 0.98 - far * 0.1;
  if (component == "none") return 0.21;
  if (component == "swa") return rising(step, 0.62, ssd ? 0.66 : 0.74, 120) - far;
  if (component == "linear") return rising(step, 0.25, ssd ? 0.78 : 0.34, 110) - far;
  if (component == "sinks") return 0.3;
  return rising(step, 0.55, ssd ? 0.88 : 0.75, 110) - far * 0.5;
}

std::vector<engine::Score> scores(const engine::Recipe& recipe, double step,
                                  std::mt19937_64& random) {
  bool ssd = false;
  for (const auto& stage : recipe.stages) ssd = ssd || !stage.schedule.dropout.empty();
  std::normal_distribution<double> noise(0, 0.006);
  std::vector<engine::Score> out;
  double values[4][8] = {};
  const char* const tasks[] = {"agreement", "arithmetic", "recall", "theme"};
  const std::int64_t n = recipe.evaluation.limit > 0 ? recipe.evaluation.limit : 500;
  auto add = [&](const std::string& component, const std::string& task, double value,
                 std::int64_t count) {
    out.push_back(
        {component,
         task,
         "acc",
         value,
         std::sqrt(std::max(1e-4, std::abs(value) * (1 - std::abs(value))) / double(count)),
         count,
         {}});
  };
  // Which examples are hard does not depend on the run, so that runs can be compared in pairs.
  auto answers = [&](const std::string& task, double value) {
    std::mt19937_64 hardness(std::hash<std::string>{}(task));
    std::uniform_real_distribution<double> hard(0, 1);
    std::vector<std::uint8_t> bits;
    for (std::int64_t i = 0; i < n; ++i) bits.push_back(hard(hardness) < value ? 1 : 0);
    return bits;
  };
  for (std::size_t c = 0; c < recipe.evaluation.components.size() && c < 8; ++c) {
    const std::string& component = recipe.evaluation.components[c];
    for (int t = 0; t < 4; ++t) {
      values[t][c] = std::clamp(accuracy(component, step, ssd, t - 1.5) + noise(random), 0.0, 1.0);
      add(component, tasks[t], values[t][c], n);
      out.back().outcomes = answers(tasks[t], values[t][c]);
    }
    add(component, "all", (values[0][c] + values[1][c] + values[2][c] + values[3][c]) / 4, 4 * n);
    add(component, "local", (values[0][c] + values[1][c]) / 2, 2 * n);
    add(component, "far", (values[2][c] + values[3][c]) / 2, 2 * n);
  }
  const double exposed[] = {0.02, 0.04, 0.86, 0.74};
  for (int t = 0; t < 4; ++t) out.push_back({"exposure", tasks[t], "share", exposed[t], 0, n, {}});
  out.push_back({"exposure", "all", "share", 0.415, 0, 4 * n, {}});
  out.push_back({"exposure", "local", "share", 0.03, 0, 2 * n, {}});
  out.push_back({"exposure", "far", "share", 0.8, 0, 2 * n, {}});
  auto value = [&](const char* component, const std::string& task) {
    for (const auto& s : out)
      if (s.component == component && s.task == task) return s.value;
    return std::nan("");
  };
  for (const char* task : {"all", "local", "far"}) {
    for (auto [delta, a, b] : {std::tuple("delta_h_swa", "hybrid", "swa"),
                               std::tuple("delta_la_na", "linear", "none")}) {
      const double d = value(a, task) - value(b, task);
      if (std::isfinite(d))
        out.push_back({delta, task, "acc", d, 0.35 / std::sqrt(4.0 * double(n)), 4 * n, {}});
    }
  }
  return out;
}

std::string run(const engine::RunRequest& request, const engine::Emit& emit, std::stop_token stop) {
  const engine::Recipe& recipe = request.recipe;
  std::mt19937_64 random(std::uint64_t(recipe.seed) + 7);
  std::normal_distribution<double> noise(0, 0.08);
  emit(engine::RunStarted{"cpu", "float32"});
  emit(engine::LogLine{engine::LogLine::Level::info,
                       "model " + recipe.model + ": 6 layers converted"});
  std::int64_t total = 0;
  for (const auto& stage : recipe.stages)
    total += engine::steps_per_epoch(recipe, stage) * stage.epochs;
  auto evaluate = [&](std::int64_t step) {
    engine::Points share{step, {}};
    for (int layer = 0; layer < k_layers; ++layer)
      share.values.emplace_back(
          "share/layer." + std::to_string(layer),
          std::clamp(
              0.1 + 0.1 * layer + 0.3 * double(step) / double(std::max<std::int64_t>(total, 1)),
              0.0, 1.0));
    for (int layer = 0; layer < k_layers; ++layer)
      for (int head = 0; head < k_heads; ++head)
        share.values.emplace_back(
            "share/layer." + std::to_string(layer) + ".head." + std::to_string(head),
            std::clamp(0.05 + 0.09 * layer + 0.12 * ((layer * 3 + head * 5) % k_heads) +
                           0.2 * double(step) / double(std::max<std::int64_t>(total, 1)),
                       0.0, 1.0));
    if (step == 0)
      for (auto [gate, worst] : {std::pair("gate/identity", 0.0), std::pair("gate/decode", 2.4e-6),
                                 std::pair("gate/batch", 1.1e-6)})
        share.values.emplace_back(gate, worst);
    share.values.emplace_back("validation/loss", rising(double(step), 3.4, 1.9, 90));
    emit(share);
    emit(engine::Evaluated{step, engine::evaluation_window(recipe), 0.1,
                           scores(recipe, double(step), random)});
  };
  evaluate(0);
  std::int64_t step = 0;
  for (std::size_t i = 0; i < recipe.stages.size(); ++i) {
    const engine::StageSpec& stage = recipe.stages[i];
    const auto per_epoch = engine::steps_per_epoch(recipe, stage);
    const auto steps = per_epoch * stage.epochs;
    emit(engine::StageStarted{std::int64_t(i), std::int64_t(recipe.stages.size()), stage.kind,
                              stage.kind, step, steps, per_epoch});
    for (std::int64_t s = 0; s < steps; ++s) {
      if (stop.stop_requested()) throw engine::Cancelled{};
      std::this_thread::sleep_for(k_step_time);
      ++step;
      engine::Points p{step,
                       {{"train/loss", rising(double(s), 3.5, 1.8, 70) + noise(random)},
                        {"train/learning_rate", stage.learning_rate},
                        {"train/grad_norm", 0.5 + 0.1 * noise(random)},
                        {"train/tokens_per_s", 21000 + 900 * noise(random)}}};
      if (stage.kind == "finetune") {
        p.values.emplace_back("schedule/dropout", engine::dropout_at(stage, s / per_epoch));
        p.values.emplace_back("schedule/window",
                              double(engine::window_at(stage, recipe.attention, s / per_epoch)));
      } else {
        for (int layer = 0; layer < k_layers; ++layer)
          p.values.emplace_back(
              "transfer/layer." + std::to_string(layer),
              rising(double(s), 3.0 + 0.2 * layer, 1.2 + 0.1 * layer, 60) + noise(random) * 0.3);
      }
      emit(p);
      if (request.checkpoint_asked->exchange(false))
        emit(engine::CheckpointSaved{step, std::int64_t(i), (request.folder / "asked").string(),
                                     "asked", 123456});
      if (s + 1 == steps)
        emit(engine::CheckpointSaved{step, std::int64_t(i), (request.folder / "end").string(),
                                     "stage-end", 234567});
      const double left = double(total - step) * 0.006;
      emit(engine::Progress{"train", std::int64_t(i), s + 1, steps, step, total, 21350,
                            double(steps - s) * 0.006, left});
      if (recipe.evaluation.every > 0 && step % recipe.evaluation.every == 0) {
        emit(engine::Progress{"evaluate", std::int64_t(i), s + 1, steps, step, total, 21350,
                              double(steps - s) * 0.006, left});
        evaluate(step);
      }
    }
  }
  if (recipe.evaluation.every <= 0 || step % recipe.evaluation.every != 0) evaluate(step);
  return "Done: every stage ran to its end.";
}

}  // namespace

engine::Execute execute() { return run; }
bool scripted() { return true; }

}  // namespace test
