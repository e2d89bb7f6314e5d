#include "engine/train/schedules.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

#include "engine/random.h"
#include "engine/torch_api.h"

namespace engine {

double learning_rate_at(const StageSpec& stage, const StageState& state, std::int64_t stage_steps) {
  const LearningRateSpec& s = stage.lr_schedule;
  const double done = static_cast<double>(state.step), warmup = static_cast<double>(s.warmup_steps);
  if (state.step < s.warmup_steps) return stage.learning_rate * (done + 1) / warmup;
  const double left = std::max(1.0, static_cast<double>(stage_steps) - warmup);
  const double part = std::min(1.0, (done - warmup) / left);
  if (s.kind == "cosine")
    return s.floor + (stage.learning_rate - s.floor) * 0.5 * (1 + std::cos(std::numbers::pi * part));
  if (s.kind == "linear") return stage.learning_rate * (1 - part);
  if (s.kind == "plateau") return std::max(std::min(s.floor, stage.learning_rate), stage.learning_rate * state.rate_factor);
  return stage.learning_rate;
}

void note_validation(const StageSpec& stage, StageState& state, double loss, bool epoch_end) {
  if (stage.lr_schedule.kind != "plateau" || (stage.lr_schedule.unit == "epochs" && !epoch_end)) return;
  if (loss < state.plateau_best * (1 - 1e-4)) {
    state.plateau_best = loss;
    state.plateau_bad = 0;
  } else if (++state.plateau_bad > stage.lr_schedule.patience) {
    state.rate_factor *= stage.lr_schedule.factor;
    state.plateau_bad = 0;
  }
}

bool lower_is_better(const std::string& metric) { return metric.ends_with("loss") || metric.ends_with("perplexity"); }

std::optional<double> sum_of_metrics(const std::string& names, const std::map<std::string, double>& metrics) {
  if (names.empty()) return std::nullopt;
  double sum = 0;
  std::stringstream in(names);
  for (std::string name; std::getline(in, name, '+');) {
    const auto first = name.find_first_not_of(' '), last = name.find_last_not_of(' ');
    const auto found = first == name.npos ? metrics.end() : metrics.find(name.substr(first, last - first + 1));
    if (found == metrics.end()) return std::nullopt;
    sum += found->second;
  }
  return sum;
}

bool note_metric(const StageSpec& stage, StageState& state, double metric) {
  const double better = lower_is_better(stage.early_stopping.metric) ? -metric : metric;
  if (better > state.stop_best) {
    state.stop_best = better;
    state.stop_bad = 0;
    state.best_step = state.global_step();
    return true;
  }
  ++state.stop_bad;
  return false;
}

Tensor dropout_mask(const ScheduleSpec& schedule, double probability, std::int64_t seed, std::int64_t global_step,
                    std::int64_t micro, std::int64_t layers, std::int64_t batch, std::int64_t heads) {
  if (probability <= 0) return {};
  Tensor mask = torch::zeros({layers, batch, heads}, torch::kBool);
  auto a = mask.accessor<bool, 3>();
  const CounterRng rng(static_cast<std::uint64_t>(seed), Stream::dropout, static_cast<std::uint64_t>(global_step));
  for (std::int64_t l = 0; l < layers; ++l)
    for (std::int64_t b = 0; b < batch; ++b)
      for (std::int64_t h = 0; h < heads; ++h) {
        std::int64_t draw = 0;
        if (schedule.drop == "sequence") draw = micro * batch + b;
        if (schedule.drop == "layer") draw = l;
        if (schedule.drop == "head") draw = l * heads + h;
        a[l][b][h] = rng.uniform(static_cast<std::uint64_t>(draw)) < probability;
      }
  return mask;
}

}  // namespace engine
