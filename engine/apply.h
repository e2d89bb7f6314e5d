#pragma once
/// Using a model or a run's checkpoint once, outside a run: evaluation and generation. No torch in this header.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/eval/sample.h"
#include "engine/event.h"
#include "engine/recipe.h"
#include "engine/subject.h"

namespace engine {

struct EvaluateOptions {
  std::optional<std::filesystem::path> samples;  ///< see write_samples; while it runs, <samples>.partial keeps every
                                                 ///< score, and the next call goes on from there
  std::optional<std::filesystem::path> harness;  ///< see write_harness_results
  std::int64_t batch_rows = 0;                   ///< most rows of one forward pass; 0: by tokens
  std::int64_t recheck = 4;                      ///< requests a component scored once more, alone
  std::function<bool()> stop = [] { return false; };
  std::function<void(const std::string& component, std::int64_t done, std::int64_t all)> progress{};  ///< in requests
};

struct EvaluationReport {
  Evaluated scores;
  std::vector<Sample> samples;      ///< of every component, example by example
  std::vector<BatchCheck> checks;
  std::vector<std::string> notes;   ///< cut prompts, another split taken, …
};

/// Scores recipe.evaluation. Throws InputError, Cancelled where `stop` said so.
EvaluationReport evaluate_subject(const Subject& subject, const EvaluateOptions& options = {});

/// Greedy continuation of a prompt in one component; returns the new text. `on_text` gets each piece as it comes.
std::string generate(const Subject& subject, const std::string& prompt, const std::string& component,
                     std::int64_t max_tokens, const std::function<void(const std::string&)>& on_text);

}  // namespace engine
