#include "engine/diagnose/cases.h"

#include <algorithm>

#include "engine/data/scoring.h"
#include "engine/data/tiny_corpus.h"

namespace engine {
namespace {

constexpr std::int64_t k_all_documents = 200;  // where evaluation.limit is 0

/// The look-back distances of a builtin task's examples, in their order; empty for another task.
std::vector<std::int64_t> builtin_distances(const EvalTask& task, std::int64_t documents, std::string& ability) {
  std::vector<std::int64_t> found;
  const auto& all = tiny_tasks();
  const auto kind = std::ranges::find(all, task.name, &TinyTask::name);
  if (task.family != "builtin" || kind == all.end()) return found;
  ability = kind->ability;
  for (std::int64_t i = 0; i < (documents > 0 ? documents : k_all_documents); ++i)
    for (const auto& item : tiny_document(0, TinySplit::test, static_cast<std::uint64_t>(i)).items)
      if (kind->contains(item)) found.push_back(item.distance);
  return found;
}

Exposure unscored_exposure(const EvalTask& task, std::int64_t window) {
  Exposure e;
  e.task = task.name;
  e.scored = false;
  for (const auto& example : task.examples) {
    Case one;
    one.choices = example.choices;
    if (!example.prompt.empty()) one.choices = {{example.prompt, 1}};  // its last token stands for what is generated
    count_exposure(one, window);
    ++e.examples;
    e.exposed_examples += one.exposed();
    e.tokens += one.scored_tokens;
    e.exposed_tokens += one.exposed_tokens;
  }
  return e;
}

}  // namespace

void count_exposure(Case& one, std::int64_t window) {
  one.prompt_tokens = one.scored_tokens = one.exposed_tokens = 0;
  for (const auto& r : one.choices) {
    const auto all = std::ssize(r.tokens), first_query = all - r.scored - 1;  // position whose output predicts the first scored token
    one.prompt_tokens = std::max(one.prompt_tokens, all - r.scored);
    one.scored_tokens += r.scored;
    one.exposed_tokens += std::clamp<std::int64_t>(all - 1 - std::max(first_query, window), 0, r.scored);
  }
}

CaseSet cases_of(const std::vector<EvalTask>& tasks, std::int64_t window, std::int64_t documents) {
  CaseSet set;
  std::int64_t cluster_base = 0;
  for (const auto& task : tasks) {
    if (task.kind == EvalTask::Kind::generate || task.kind == EvalTask::Kind::rolling) {
      set.unscored.push_back(unscored_exposure(task, window));
      set.notes.push_back(task.name + ": " + (task.kind == EvalTask::Kind::rolling ? "whole texts are" : "written answers are") +
                          " not opened example by example; its exposure is counted");
      continue;
    }
    std::string ability;
    const auto distances = builtin_distances(task, documents, ability);
    if (task.family != "builtin") cluster_base += 1'000'000'000;  // documents of another data set
    for (std::size_t i = 0; i < task.examples.size(); ++i) {
      const EvalExample& e = task.examples[i];
      Case one;
      one.group = task.name;
      if (i < distances.size()) one.distance = distances[i], one.profile = "builtin:" + ability;
      one.doc_id = e.doc_id, one.gold = e.gold;
      one.cluster = (task.family == "builtin" ? 0 : cluster_base) + e.cluster;
      one.last_word = task.kind == EvalTask::Kind::last_word;
      one.normalised = task.metric == "acc_norm";
      one.choices = e.choices, one.lengths = e.lengths;
      count_exposure(one, window);
      set.cases.push_back(std::move(one));
    }
    set.notes.insert(set.notes.end(), task.notes.begin(), task.notes.end());
  }
  return set;
}

Outcome judge_case(const Case& one, std::vector<Scored> scored) {
  Outcome out;
  std::vector<double> sums;
  for (const auto& s : scored) sums.push_back(s.log_likelihood);
  const auto gold = static_cast<std::size_t>(one.gold);
  if (one.last_word) {
    out.right = scored.front().greedy;
  } else {
    const ChoiceScore c = score_choices(sums, one.lengths, one.gold);
    out.right = (one.normalised ? c.acc_norm : c.acc) > 0;
  }
  out.loss = -sums[gold] / static_cast<double>(std::max<std::int64_t>(1, one.choices[gold].scored));
  out.choices = std::move(scored);
  return out;
}

}  // namespace engine
