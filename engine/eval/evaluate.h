#pragma once
/// Components switched on in turn and scored.

#include <functional>
#include <optional>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/data/tokenizer.h"
#include "engine/eval/eval_task.h"
#include "engine/eval/sample.h"
#include "engine/eval/score_journal.h"
#include "engine/eval/scoring.h"
#include "engine/eval/statistics.h"
#include "engine/model/decoder.h"

namespace engine {

struct EvaluationPlan {
  std::vector<std::string> components;
  std::int64_t window = 0;
  ScoreBatches batches;
  std::vector<ComponentResult> known;   ///< of the teacher, whose weights do not move: taken as they are
  bool keep_samples = false;
  std::int64_t recheck = 0;             ///< requests a component to score once more, alone
  ScoreJournal* journal = nullptr;      ///< scores taken from and added to
  std::function<void(const std::string& component, std::int64_t done, std::int64_t all)> progress;  ///< in requests
};

struct EvaluationRun {
  std::vector<ComponentResult> results;
  std::vector<Sample> samples;          ///< in the order component, task, file; only where asked for
  /// [L][H] ‖(1−g)·LA‖ / (‖g·SWA‖ + ‖(1−g)·LA‖) of the hybrid component; empty without it. A layer that is not converted
  /// has an empty list.
  std::vector<std::vector<double>> linear_share;
  std::vector<BatchCheck> checks;
};

/// Scores every component on every task; generation is greedy. Nothing where `stop` said so.
std::optional<EvaluationRun> evaluate_components(const Model& model, const Conversion* conversion, const Tokenizer& tokenizer,
                                                 const std::vector<EvalTask>& tasks, const EvaluationPlan& plan,
                                                 const std::function<bool()>& stop);

}  // namespace engine
