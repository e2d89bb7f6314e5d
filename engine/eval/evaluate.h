#pragma once
/// Components switched on in turn and scored.

#include <functional>
#include <optional>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/eval/eval_task.h"
#include "engine/eval/scoring.h"
#include "engine/eval/statistics.h"
#include "engine/model/decoder.h"

namespace engine {

/// One example of one component, for --samples.
struct Sample {
  std::string task, component;
  std::int64_t doc_id = 0, target = 0;  ///< target: index of the right choice
  std::vector<Scored> choices;
  bool acc = false, acc_norm = false;
};

struct EvaluationRun {
  std::vector<ComponentResult> results;
  std::vector<Sample> samples;          ///< in the order component, task, file; only where asked for
  std::vector<double> linear_share;     ///< [L] ‖(1−g)·LA‖ / (‖g·SWA‖ + ‖(1−g)·LA‖), mean over heads; empty without hybrid
};

/// Scores every component on every task. `cached` results (of the teacher, whose weights do not move) are taken as they
/// are. Nothing where `stop` said so.
std::optional<EvaluationRun> evaluate_components(const Model& model, const Conversion* conversion,
                                                 const std::vector<EvalTask>& tasks,
                                                 const std::vector<std::string>& components, std::int64_t window,
                                                 const std::vector<ComponentResult>& cached, bool keep_samples,
                                                 const std::function<bool()>& stop);

}  // namespace engine
