#pragma once
/// Accuracy, averages and differences with their standard errors. No torch.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/eval/eval_task.h"
#include "engine/event.h"

namespace engine {

/// What one component scored: per task and example 1 or 0 under the task's metrics, or what its kind measures.
struct ComponentResult {
  std::string component;
  struct TaskResult {
    std::vector<std::uint8_t> acc{}, acc_norm{};  ///< acc_norm empty where the task has no lengths
    std::vector<double> nll{}, tokens{};          ///< rolling, last_word: −log-likelihood; rolling: tokens scored
    std::vector<double> values{};                 ///< generate: the metric, 0…1
  };
  std::vector<TaskResult> tasks;  ///< in the order of the task list
};

/// Every score of an evaluation: each task's metrics (standard error: sample standard deviation / √n), groups weighted by
/// size with the harness's pooled error, the averages "all", "local" and "far" over tasks (a group counts as one task),
/// and the differences delta_h_swa and delta_la_na for each task, group and average (METHODS.md, "Metrics"; paper
/// Eq. 5). Averages and differences get a paired bootstrap standard error over whole clusters: 1,000 draws from a fixed
/// seed, so equal inputs give equal bits.
std::vector<Score> summarise(const std::vector<EvalTask>& tasks, const std::vector<ComponentResult>& results);

}  // namespace engine
