#include "tests/support/scripted_run.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <new>
#include <stdexcept>
#include <thread>

#include "engine/error.h"

namespace support {
namespace {

using engine::CheckpointSaved;
using engine::Evaluated;
using engine::LogLine;
using engine::Points;
using engine::Score;

/// A fixed pseudo-random number in 0..1 for three small numbers.
double noise(std::uint64_t a, std::uint64_t b, std::uint64_t c) {
  std::uint64_t x = a * 0x9E3779B97F4A7C15u + b * 0xBF58476D1CE4E5B9u + c * 0x94D049BB133111EBu + 1;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

struct TaskShape {
  const char* name;
  bool far;
};
constexpr TaskShape k_tasks[] = {
    {"agreement", false}, {"arithmetic", false}, {"recall@64-128", true}, {"theme", true}};

/// Chance of a right answer: the linear path is learned with time, the window cannot see far.
double chance(const std::string& component, bool far, double progress) {
  if (component == "teacher") return far ? 0.80 : 0.92;
  if (component == "hybrid") return far ? 0.25 + 0.45 * progress : 0.85 + 0.05 * progress;
  if (component == "swa") return far ? 0.25 : 0.80;
  if (component == "linear") return far ? 0.25 + 0.40 * progress : 0.30 + 0.35 * progress;
  return 0.25;
}

class ScriptedRun {
 public:
  ScriptedRun(const Script& script, const engine::RunRequest& request, const engine::Emit& emit,
              std::stop_token stop)
      : script_(script), request_(request), emit_(emit), stop_(std::move(stop)) {}

  std::string run() {
    emit_(engine::Progress{.phase = "loading model"});
    moment("start");
    emit_(engine::RunStarted{"cpu", "float32"});
    const auto stages = static_cast<std::int64_t>(request_.recipe.stages.size());
    std::int64_t step = resumed_step();
    for (std::int64_t stage = step / script_.steps; stage < stages; ++stage)
      step = run_stage(stage, stages, step);
    moment("end");
    return "Done after " + std::to_string(step) + " steps.";
  }

 private:
  void moment(const std::string& name) {
    if (!name.empty() && name == script_.wait_at) {
      while (!stop_.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (stop_.stop_requested()) throw engine::Cancelled{};
    if (name.empty() || name != script_.fail_at) return;
    switch (script_.failure) {
      case Script::Failure::input:
        throw engine::InputError("data.jsonl: line 3: expected a string");
      case Script::Failure::other:
        throw std::runtime_error("scripted failure at " + name + "\nwith a second line");
      case Script::Failure::memory:
        throw std::bad_alloc();
      case Script::Failure::unknown:
        throw 42;
    }
  }

  std::int64_t resumed_step() const {
    if (!request_.resume_from) return 0;
    std::int64_t step = 0;
    std::ifstream(*request_.resume_from / "manifest.json") >> step;
    emit_(LogLine{LogLine::Level::info, "resumed at step " + std::to_string(step)});
    return step;
  }

  std::int64_t run_stage(std::int64_t stage, std::int64_t stages, std::int64_t step) {
    const auto& spec = request_.recipe.stages[static_cast<std::size_t>(stage)];
    const std::int64_t first = stage * script_.steps, end = first + script_.steps;
    emit_(engine::StageStarted{
        .stage = stage,
        .stages = stages,
        .kind = spec.kind,
        .title = spec.kind == "transfer" ? "transfer, " + spec.objective : "fine-tune",
        .first_step = first,
        .steps = script_.steps,
        .steps_per_epoch = std::max<std::int64_t>(1, script_.steps / 3)});
    moment("stage");
    if (step == 0) evaluate(0, spec.kind);
    while (step < end) {
      ++step;
      train(stage, stages, step, spec.kind);
      moment(step == first + script_.steps / 2 ? "step" : "");
      if (script_.delay_ms > 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(script_.delay_ms));
      if (step % script_.every == 0 || step == end) {
        moment("evaluation");
        evaluate(step, spec.kind);
        moment("checkpoint");
        save(stage, step, step == end ? "stage-end" : "step");
      }
    }
    return step;
  }

  void train(std::int64_t stage, std::int64_t stages, std::int64_t step, const std::string& kind) {
    const auto s = static_cast<std::uint64_t>(step);
    const double t = static_cast<double>(step);
    Points points{step, {}};
    points.values.emplace_back("train/loss", 2 + 3 * std::exp(-t / 20) + 0.1 * noise(s, 1, 0));
    points.values.emplace_back("train/learning_rate", 1e-3);
    points.values.emplace_back("train/grad_norm", 0.5 + noise(s, 2, 0));
    points.values.emplace_back("train/tokens_per_s", 10'000 + 500 * noise(s, 3, 0));
    if (kind == "transfer") {
      for (int layer = 0; layer < script_.layers; ++layer) {
        points.values.emplace_back(
            "transfer/layer." + std::to_string(layer),
            1 + std::exp(-t / 10) + 0.05 * noise(s, 4, static_cast<std::uint64_t>(layer)));
      }
    } else {
      points.values.emplace_back("schedule/dropout",
                                 step % script_.steps < script_.steps / 2 ? 0.9 : 0.5);
      points.values.emplace_back("schedule/window", 32);
    }
    emit_(std::move(points));
    const std::int64_t total = stages * script_.steps;
    emit_(engine::Progress{
        .phase = "train",
        .stage = stage,
        .step = step - stage * script_.steps,
        .stage_steps = script_.steps,
        .total_step = step,
        .total_steps = total,
        .tokens_per_s = 10'000,
        .eta_stage_s = 0.001 * static_cast<double>((stage + 1) * script_.steps - step),
        .eta_run_s = 0.001 * static_cast<double>(total - step)});
  }

  Score score(const std::string& component, std::size_t task, std::int64_t step) const {
    const double progress =
        1 - std::exp(-static_cast<double>(step) / static_cast<double>(script_.steps));
    const double p = chance(component, k_tasks[task].far, progress);
    Score score{
        .component = component, .task = k_tasks[task].name, .metric = "acc", .outcomes = {}};
    double right = 0;
    for (int i = 0; i < script_.examples; ++i) {
      // The same example is easy or hard for every component, as in a real paired comparison.
      score.outcomes.push_back(noise(task, static_cast<std::uint64_t>(i), 7) < p ? 1 : 0);
      right += score.outcomes.back();
    }
    score.n = script_.examples;
    score.value = right / script_.examples;
    score.stderr_ = std::sqrt(score.value * (1 - score.value) / script_.examples);
    return score;
  }

  void evaluate(std::int64_t step, const std::string& kind) {
    emit_(engine::Progress{.phase = "evaluate", .total_step = step});
    Evaluated evaluated{.step = step, .window = 64, .seconds = 0.01, .scores = {}};
    std::map<std::pair<std::string, std::string>, double> mean;
    for (const char* component : {"teacher", "hybrid", "swa", "linear", "none"}) {
      for (std::size_t task = 0; task < std::size(k_tasks); ++task) {
        evaluated.scores.push_back(score(component, task, step));
        const double value = evaluated.scores.back().value;
        mean[{component, "all"}] += value / 4;
        mean[{component, k_tasks[task].far ? "far" : "local"}] += value / 2;
      }
    }
    const auto add = [&](const std::string& component, const std::string& task, double value) {
      evaluated.scores.push_back({component, task, "acc", value, 0.02, 4 * script_.examples, {}});
    };
    for (const char* task : {"all", "local", "far"}) {
      for (const char* component : {"teacher", "hybrid", "swa", "linear", "none"}) {
        add(component, task, mean[{component, task}]);
      }
      add("delta_h_swa", task, mean[{"hybrid", task}] - mean[{"swa", task}]);
      add("delta_la_na", task, mean[{"linear", task}] - mean[{"none", task}]);
    }
    Points points{step, {{"validation/loss", 2 + 3 * std::exp(-static_cast<double>(step) / 20)}}};
    if (kind != "transfer") {
      for (int layer = 0; layer < script_.layers; ++layer) {
        points.values.emplace_back("share/layer." + std::to_string(layer), 0.2 + 0.1 * layer);
      }
    }
    emit_(std::move(points));
    emit_(std::move(evaluated));
  }

  void save(std::int64_t stage, std::int64_t step, const std::string& kind) {
    emit_(engine::Progress{.phase = "checkpoint", .total_step = step});
    const auto folder = request_.folder / ("step-" + std::to_string(step));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "manifest.json") << step << "\n";
    emit_(CheckpointSaved{step, stage, folder.string(), kind, 4096});
  }

  const Script& script_;
  const engine::RunRequest& request_;
  const engine::Emit& emit_;
  std::stop_token stop_;
};

}  // namespace

engine::Execute scripted(Script script) {
  return [script = std::move(script)](const engine::RunRequest& request, const engine::Emit& emit,
                                      std::stop_token stop) {
    return ScriptedRun(script, request, emit, std::move(stop)).run();
  };
}

engine::Recipe small_recipe(const std::string& name) {
  engine::Recipe recipe;
  recipe.name = name;
  engine::StageSpec transfer;
  transfer.kind = "transfer";
  recipe.stages = {transfer, engine::StageSpec{}};
  return recipe;
}

engine::Paths paths_in(const std::filesystem::path& folder) {
  return {.store = folder / "store.db",
          .checkpoints = folder / "store.db.runs",
          .log = folder / "equipoise.log",
          .cache = folder / "cache"};
}

}  // namespace support
