#pragma once
/// The examples that a diagnosis scores, with what places them: task, exposure, distance, length. No torch.

#include <string>
#include <vector>

#include "engine/diagnose.h"
#include "engine/eval/eval_task.h"

namespace engine {

/// One multiple-choice example (last word: a single choice).
struct Case {
  std::string group;              ///< task or probe
  std::string profile;            ///< what its distance is drawn under; empty: it has none
  std::int64_t distance = -1;     ///< tokens from the query back to what it needs
  std::int64_t doc_id = 0, cluster = 0, gold = 0;
  bool last_word = false, normalised = false;
  std::vector<ScoreRequest> choices;
  std::vector<std::int64_t> lengths;
  std::int64_t prompt_tokens = 0;  ///< of the longest choice, before its scored part
  std::int64_t scored_tokens = 0, exposed_tokens = 0;  ///< over all choices

  bool exposed() const { return exposed_tokens > 0; }
};

/// What one component made of one case.
struct Outcome {
  std::vector<Scored> choices;
  bool right = false;             ///< under the task's own metric
  double loss = 0;                ///< −log p of the right answer, nats a token
};

/// Cases of tasks with choices; generated and rolling tasks are counted in `exposure` only.
struct CaseSet {
  std::vector<Case> cases;
  std::vector<Exposure> unscored;
  std::vector<std::string> notes;
};

/// `documents`: evaluation.limit as load_eval_tasks takes it, to find the distances of builtin tasks again.
CaseSet cases_of(const std::vector<EvalTask>& tasks, std::int64_t window, std::int64_t documents);
void count_exposure(Case& one, std::int64_t window);
Outcome judge_case(const Case& one, std::vector<Scored> scored);

/// Synthetic probes at distances 4, 8, …: copying (a random text repeated), recall (pairs of random tokens), passkey (a
/// number in filler, in the tokenizer's own words; a problem where it has none for them).
struct Probe {
  std::string name, problem;
  std::vector<Case> cases;
};
std::vector<Probe> make_probes(const Tokenizer& tokenizer, std::int64_t vocabulary, std::int64_t positions, std::int64_t window,
                               std::int64_t max_distance, std::int64_t sequences);

}  // namespace engine
