#pragma once
/// What evaluation scores, as token requests. No torch.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/recipe.h"

namespace engine {

class Tokenizer;

/// log p(continuation | context): tokens = context ⊕ continuation, the last `scored` of which are the continuation.
struct ScoreRequest {
  std::vector<std::int32_t> tokens;
  std::int64_t scored = 0;
};

struct EvalExample {
  std::int64_t doc_id = 0;             ///< in file order
  std::int64_t cluster = 0;            ///< examples of one cluster (a document) are resampled together
  std::vector<ScoreRequest> choices;   ///< one for rolling text
  std::vector<std::int64_t> lengths;   ///< characters of each choice, for acc_norm; empty: acc only
  std::int64_t gold = 0;               ///< index of the right choice
};

struct EvalTask {
  enum class Kind { choice, last_word, rolling };  ///< last_word: right where the continuation is greedy (LAMBADA)
  std::string name;
  Kind kind = Kind::choice;
  std::string metric = "acc";   ///< what averages use: acc, acc_norm; rolling: perplexity
  std::string family;           ///< tasks of one family share their clusters
  std::string group;            ///< "local", "far" or empty
  std::vector<EvalExample> examples;
};

/// Tasks by name: "builtin:all", "builtin:local", "builtin:far", "builtin:<task>" (tiny_tasks), tasks of
/// evaluation.data (piqa, arc_easy, …), and "perplexity": the held-out rows, scored by rolling likelihood.
/// Throws InputError for an unknown name or a missing file.
std::vector<EvalTask> load_eval_tasks(const EvaluationSpec& spec, const Tokenizer& tokenizer, std::int64_t max_length,
                                      const std::vector<std::vector<std::int64_t>>& held_out);

}  // namespace engine
