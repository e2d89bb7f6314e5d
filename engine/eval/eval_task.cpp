#include "engine/eval/eval_task.h"

#include <algorithm>

#include "engine/data/task_requests.h"
#include "engine/data/tasks.h"
#include "engine/data/tiny_corpus.h"
#include "engine/data/tokenizer.h"
#include "engine/error.h"

namespace engine {
namespace {

constexpr std::int64_t k_builtin_documents = 200;  // where the limit is 0

/// The questions of the test documents, by task; documents are the clusters.
std::vector<EvalTask> builtin_tasks(const std::string& name, std::int64_t limit) {
  std::vector<EvalTask> tasks;
  std::vector<const TinyTask*> kinds;
  for (const auto& t : tiny_tasks()) {
    if (name != "all" && name != (t.far ? "far" : "local") && name != t.name) continue;
    EvalTask task;
    task.name = t.name;
    task.family = "builtin";
    task.group = t.far ? "far" : "local";
    tasks.push_back(std::move(task));
    kinds.push_back(&t);
  }
  if (tasks.empty()) {
    std::string names;
    for (const auto& t : tiny_tasks()) names += ", builtin:" + t.name;
    throw InputError("unknown task \"builtin:" + name + "\"; expected builtin:all, builtin:local, builtin:far" + names);
  }
  const std::int64_t documents = limit > 0 ? limit : k_builtin_documents;
  for (std::int64_t i = 0; i < documents; ++i) {
    // The same documents for every recipe and seed, so that runs can be paired.
    const TinyDocument d = tiny_document(0, TinySplit::test, static_cast<std::uint64_t>(i));
    for (const auto& item : d.items) {
      for (std::size_t k = 0; k < kinds.size(); ++k) {
        if (!kinds[k]->contains(item)) continue;
        EvalExample e;
        e.doc_id = static_cast<std::int64_t>(tasks[k].examples.size());
        e.cluster = i;
        e.gold = item.gold;
        for (int choice : item.choices) {
          ScoreRequest r{{d.tokens.begin(), d.tokens.begin() + item.position}, 1};
          r.tokens.push_back(choice);
          e.choices.push_back(std::move(r));
        }
        tasks[k].examples.push_back(std::move(e));
      }
    }
  }
  std::erase_if(tasks, [](const EvalTask& t) { return t.examples.empty(); });
  return tasks;
}

EvalTask perplexity(const std::vector<std::vector<std::int64_t>>& held_out, std::int64_t limit) {
  EvalTask task;
  task.name = task.family = "perplexity";
  task.kind = EvalTask::Kind::rolling;
  task.metric = "perplexity";
  for (const auto& row : held_out) {
    if (limit > 0 && std::ssize(task.examples) >= limit) break;
    EvalExample e;
    e.doc_id = e.cluster = std::ssize(task.examples);
    e.choices.push_back({{row.begin(), row.end()}, std::ssize(row) - 1});
    task.examples.push_back(std::move(e));
  }
  if (task.examples.empty())
    throw InputError("perplexity needs held-out text: set data.validation_share above 0 and give data.path enough documents");
  return task;
}

/// A task of the data folder, cut into tokens as the harness cuts it.
EvalTask file_task(const std::string& name, const EvaluationSpec& spec, const Tokenizer& tokenizer, std::int64_t max_length) {
  const LoadedTask loaded = load_task(*find_task(name), spec.data,
                                      {.split = spec.split, .shots = spec.shots, .limit = spec.limit > 0 ? spec.limit : -1});
  EvalTask task;
  task.name = task.family = name;
  if (loaded.definition.kind == TaskKind::last_word) task.kind = EvalTask::Kind::last_word;
  task.metric = loaded.definition.metrics.front();
  for (const auto& example : loaded.examples) {
    EvalExample e;
    e.doc_id = e.cluster = example.doc_id;
    e.gold = example.gold;
    for (const auto& r : example.requests) {
      TokenRequest cut = token_request(tokenizer, r.context, r.continuation, static_cast<std::size_t>(max_length));
      if (cut.tokens.size() < 2 || cut.first_scored >= cut.tokens.size())
        throw InputError(loaded.file.string() + ": example " + std::to_string(example.doc_id) + " has a choice without tokens");
      const auto scored = static_cast<std::int64_t>(cut.tokens.size() - cut.first_scored);
      e.choices.push_back({std::move(cut.tokens), scored});
      if (loaded.definition.length_normalised()) e.lengths.push_back(r.choice_characters);
    }
    task.examples.push_back(std::move(e));
  }
  if (task.examples.empty()) throw InputError(loaded.file.string() + ": no example for the task " + name);
  return task;
}

}  // namespace

std::vector<EvalTask> load_eval_tasks(const EvaluationSpec& spec, const Tokenizer& tokenizer, std::int64_t max_length,
                                      const std::vector<std::vector<std::int64_t>>& held_out) {
  std::vector<EvalTask> tasks;
  for (const auto& name : spec.tasks) {
    if (name.starts_with("builtin:")) {
      for (auto& t : builtin_tasks(name.substr(8), spec.limit)) tasks.push_back(std::move(t));
    } else if (name == "perplexity") {
      tasks.push_back(perplexity(held_out, spec.limit));
    } else {
      for (const auto& task : expand_task_name(name)) tasks.push_back(file_task(task, spec, tokenizer, max_length));
    }
  }
  return tasks;
}

}  // namespace engine
