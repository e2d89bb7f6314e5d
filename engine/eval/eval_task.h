#pragma once
/// What evaluation scores, as token requests. No torch.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/data/tasks.h"
#include "engine/event.h"
#include "engine/recipe.h"

namespace engine {

class Tokenizer;

/// log p(continuation | context): tokens = context ⊕ continuation, the last `scored` of which are the continuation.
struct ScoreRequest {
  std::vector<std::int32_t> tokens;
  std::int64_t scored = 0;
};

struct Scored {
  double log_likelihood = 0;  ///< Σ over the continuation's tokens, natural logarithm
  bool greedy = false;        ///< every token of it is the arg-max
};

struct EvalExample {
  std::int64_t doc_id = 0;             ///< in file order
  std::int64_t cluster = 0;            ///< examples of one cluster (a document) are resampled together
  std::vector<ScoreRequest> choices;   ///< rolling: the windows of one text; generate: empty
  std::vector<std::int64_t> lengths;   ///< characters of each choice, for acc_norm; empty: acc only
  std::int64_t gold = 0;               ///< index of the right choice
  std::vector<std::int32_t> prompt;    ///< generate: what is continued
  double words = 0, bytes = 0;         ///< rolling texts of a file: of the text as its record holds it
};

struct EvalTask {
  /// last_word: right where the continuation is greedy (LAMBADA); generate: a text is written and measured.
  enum class Kind { choice, last_word, rolling, generate };
  std::string name;
  Kind kind = Kind::choice;
  std::string metric = "acc";   ///< what averages use: acc, acc_norm, a generation metric; rolling: perplexity
  std::string family;           ///< tasks of one family share their clusters
  std::string group;            ///< "local", "far" or empty
  std::vector<EvalExample> examples;
  std::string unit;                     ///< the task or the group (mmlu) that averages over tasks count it with
  std::vector<std::string> groups;      ///< groups that get a row of their own, weighted by size
  std::vector<std::string> notes;       ///< what a user should know about it: cut prompts, another split
  std::shared_ptr<const LoadedTask> source;  ///< null for builtin tasks and held-out text
};

/// Tasks by name: "builtin:all", "builtin:local", "builtin:far", "builtin:<task>" (tiny_tasks), tasks of
/// evaluation.data (piqa, arc_easy, …), and "perplexity": the held-out rows, scored by rolling likelihood.
/// Also files of a user's own tasks ("dir/own.yaml"). `max_length`: the model's positions, beyond which prompts are cut;
/// `keep_docs`: records stay as JSON, for exports. Throws InputError for an unknown name or a missing file.
std::vector<EvalTask> load_eval_tasks(const EvaluationSpec& spec, const Tokenizer& tokenizer, std::int64_t max_length,
                                      const std::vector<std::vector<std::int64_t>>& held_out, bool keep_docs = false);

/// Exposure: for every task the share of scored tokens that had any key outside a window of `window` keys (the query
/// itself included) when they were predicted, as scores of component "exposure", metric "share", n the scored tokens.
/// Without exposure a Δ says nothing. Tasks that generate are left out.
std::vector<Score> exposure(const std::vector<EvalTask>& tasks, std::int64_t window);

}  // namespace engine
