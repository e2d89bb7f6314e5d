#pragma once
/// Accuracy, averages and differences with their standard errors. No torch.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/eval/eval_task.h"
#include "engine/event.h"

namespace engine {

/// What one component scored: per task and example 1 or 0 under the task's metric (rolling tasks: negative
/// log-likelihood and token count instead).
struct ComponentResult {
  std::string component;
  struct TaskResult {
    std::vector<std::uint8_t> acc, acc_norm;  ///< acc_norm empty where the task has no lengths
    std::vector<double> nll, tokens;          ///< rolling
  };
  std::vector<TaskResult> tasks;  ///< in the order of the task list
};

/// Every score of an evaluation: each task's metrics (standard error: sample standard deviation / √n), the unweighted
/// averages over tasks "all", "local" and "far", and the differences delta_h_swa and delta_la_na for each task and
/// average (METHODS.md, "Metrics"; paper Eq. 5). Averages and differences get a paired bootstrap standard error over
/// whole clusters: 1,000 draws from a fixed seed, so equal inputs give equal bits.
std::vector<Score> summarise(const std::vector<EvalTask>& tasks, const std::vector<ComponentResult>& results);

}  // namespace engine
