#include <cstdio>

#include "engine/diagnose.h"
#include "engine/run_store.h"

namespace engine {

std::string WhatIf::text() const {
  char g[32];
  std::snprintf(g, sizeof g, "%.3g", weight);
  std::string s = component;
  if (window > 0) s += ", window " + std::to_string(window);
  if (weight >= 0) s += std::string(", g ") + g;
  if (!context.empty()) s += ", linear " + context;
  if (sinks >= 0) s += ", " + std::to_string(sinks) + " sinks";
  for (std::size_t i = 0; i < layers.size(); ++i) s += (i == 0 ? ", layers " : "/") + layers[i];
  return s;
}

Evaluated what_if_evaluation(const WhatIfResult& result, std::int64_t step, std::int64_t window) {
  constexpr double k_half_of_95 = 1.959963985;  // standard errors
  Evaluated e{step, result.setting.window > 0 ? result.setting.window : window, result.seconds, {}};
  std::string component = std::string(k_what_if) + result.setting.text();
  if (result.tasks.size() == 1) component += " on " + result.tasks.front().component;  // "all" is that task only
  auto add = [&](const std::string& task, const Estimate& accuracy) {
    e.scores.push_back({component, task, "acc", accuracy.value, accuracy.half() / k_half_of_95, accuracy.n, {}});
  };
  add("all", result.all.accuracy);
  for (const auto& task : result.tasks) add(task.component, task.accuracy);
  return e;
}

}  // namespace engine
