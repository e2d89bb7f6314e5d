#pragma once
/// One example as one component answered it, and how it is written. No torch.

#include <filesystem>
#include <string>
#include <vector>

#include "engine/eval/eval_task.h"
#include "engine/event.h"

namespace engine {

struct Sample {
  std::size_t task = 0;                 ///< index into the task list
  std::string component;
  std::int64_t doc_id = 0, target = 0;  ///< target: index of the right choice
  std::vector<Scored> choices;          ///< rolling: one, the whole text
  bool acc = false, acc_norm = false;
  std::string text;                     ///< generate: what was written
  double value = 0;                     ///< generate: its metric, 0…1
};

/// Requests scored once more, alone: what batching and padding change.
struct BatchCheck {
  std::string component;
  std::int64_t requests = 0;
  double worst = 0;  ///< largest difference of a log-likelihood
};

/// One JSON object a line, example by example in file order for each component: task, doc_id, component, target,
/// loglikelihoods, greedy, acc, acc_norm (generation: text and its metric). Written to a temporary file and renamed.
/// Throws InputError where the disk refuses.
void write_samples(const std::filesystem::path& file, const std::vector<EvalTask>& tasks, const std::vector<Sample>& samples);

/// What the exported results say about where they come from.
struct EvaluationOrigin {
  std::string model, checkpoint, device, dtype, tokenizer_hash, bos_policy;
  std::int64_t window = 0, shots = 0, limit = 0, seed = 0;
};

/// The LM Evaluation Harness's layout, a folder for each component: <folder>/<component>/results_<time>.json and
/// samples_<task>_<time>.jsonl, with doc, prompt and target hashes; tasks without records (builtin:*, perplexity) stand
/// in the results only. Throws InputError where the disk refuses.
void write_harness_results(const std::filesystem::path& folder, const std::vector<EvalTask>& tasks,
                           const std::vector<Sample>& samples, const std::vector<Score>& scores,
                           const EvaluationOrigin& origin);

}  // namespace engine
