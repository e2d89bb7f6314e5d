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

/// Cuts one task's examples into tokens as the harness cuts them, and counts what had to be cut.
class Cutter {
 public:
  Cutter(const Tokenizer& tokenizer, std::int64_t max_length, const LoadedTask& loaded)
      : tokenizer_(tokenizer), most_(static_cast<std::size_t>(max_length)), loaded_(loaded) {}

  EvalExample cut(const TaskExample& example) {
    EvalExample e;
    e.doc_id = e.cluster = example.doc_id;
    e.gold = example.gold;
    const TaskKind kind = loaded_.definition.kind;
    if (kind == TaskKind::rolling) return rolling(example, std::move(e));
    if (kind == TaskKind::generate && example.requests.size() == 1) return prompt(example, std::move(e));
    for (const auto& r : example.requests) {
      TokenRequest t = token_request(tokenizer_, r.context, r.continuation, most_);
      if (t.tokens.size() < 2 || t.first_scored >= t.tokens.size())
        throw InputError(loaded_.file.string() + ": example " + std::to_string(example.doc_id) + " has a choice without tokens");
      shortened_ += t.dropped_context > 0;
      unscored_ += t.unscored > 0;
      const auto scored = static_cast<std::int64_t>(t.tokens.size() - t.first_scored);
      e.choices.push_back({std::move(t.tokens), scored});
      if (loaded_.definition.length_normalised()) e.lengths.push_back(r.choice_characters);
    }
    return e;
  }

  std::vector<std::string> notes() const {
    std::vector<std::string> out;
    const std::string& name = loaded_.definition.name;
    const std::string most = std::to_string(most_) + " tokens";
    if (loaded_.split != loaded_.definition.split)
      out.push_back(name + ": the " + loaded_.definition.split + " split is not there, scored on " + loaded_.split);
    if (shortened_ > 0) out.push_back(name + ": " + std::to_string(shortened_) + " prompts are longer than " + most + " and lost their beginning");
    if (unscored_ > 0)
      out.push_back(name + ": " + std::to_string(unscored_) + " continuations alone are longer than " + most + "; their first tokens are not scored");
    return out;
  }

 private:
  EvalExample rolling(const TaskExample& example, EvalExample e) {
    for (auto& t : rolling_requests(tokenizer_, example.requests.at(0).continuation, most_)) {
      const auto scored = static_cast<std::int64_t>(t.tokens.size() - t.first_scored);
      e.choices.push_back({std::move(t.tokens), scored});
    }
    e.words = static_cast<double>(example.words);
    e.bytes = static_cast<double>(example.bytes);
    return e;
  }

  EvalExample prompt(const TaskExample& example, EvalExample e) {
    e.prompt = encode_prompt(tokenizer_, example.requests.at(0).context);
    const auto room = static_cast<std::ptrdiff_t>(most_) - loaded_.definition.max_tokens;
    if (room < 1)
      throw InputError(loaded_.definition.source + ": max_tokens " + std::to_string(loaded_.definition.max_tokens) +
                       " leave no room for a prompt in the model's " + std::to_string(most_) + " positions");
    if (const std::ptrdiff_t over = std::ssize(e.prompt) - room; over > 0) {
      const std::ptrdiff_t from = loaded_.definition.truncation == Truncation::middle ? room / 2 : 0;
      e.prompt.erase(e.prompt.begin() + from, e.prompt.begin() + from + over);
      ++shortened_;
    }
    return e;
  }

  const Tokenizer& tokenizer_;
  std::size_t most_;
  const LoadedTask& loaded_;
  std::int64_t shortened_ = 0, unscored_ = 0;
};

EvalTask::Kind kind_of(TaskKind kind) {
  switch (kind) {
    case TaskKind::last_word: return EvalTask::Kind::last_word;
    case TaskKind::rolling: return EvalTask::Kind::rolling;
    case TaskKind::generate: return EvalTask::Kind::generate;
    case TaskKind::multiple_choice: break;
  }
  return EvalTask::Kind::choice;
}

ShotSampler sampler_of(const std::string& name) {
  if (name == "first-n") return ShotSampler::in_order;
  return name == "seeded" ? ShotSampler::seeded : ShotSampler::task_default;
}

EvalTask file_task(const std::string& name, const EvaluationSpec& spec, const Tokenizer& tokenizer, std::int64_t max_length,
                   bool keep_docs) {
  const auto loaded = std::make_shared<const LoadedTask>(
      load_task(*find_task(name), spec.data,
                {.split = spec.split, .shots = spec.shots, .sampler = sampler_of(spec.sampler),
                 .seed = static_cast<std::uint64_t>(spec.shots_seed), .limit = spec.limit > 0 ? spec.limit : -1, .keep_docs = keep_docs}));
  EvalTask task;
  task.name = task.family = loaded->definition.name;
  task.kind = kind_of(loaded->definition.kind);
  task.metric = loaded->definition.metrics.front();
  task.source = loaded;
  Cutter cutter(tokenizer, max_length, *loaded);
  for (const auto& example : loaded->examples) task.examples.push_back(cutter.cut(example));
  task.notes = cutter.notes();
  if (task.examples.empty()) throw InputError(loaded->file.string() + ": no example for the task " + name);
  return task;
}

/// A task's, or those of a group, which averages count as one task.
void add_file_tasks(const std::string& name, const EvaluationSpec& spec, const Tokenizer& tokenizer, std::int64_t max_length,
                    bool keep_docs, std::vector<EvalTask>& tasks) {
  const std::optional<TaskGroup> group = find_group(name);
  std::vector<TaskGroup> parts;  // smaller groups inside it get rows of their own
  if (group)
    for (const auto& g : task_groups())
      if (g.name != group->name && std::ranges::all_of(g.tasks, [&](const auto& t) { return std::ranges::count(group->tasks, t) > 0; }))
        parts.push_back(g);
  for (const auto& one : expand_task_name(name)) {
    EvalTask task = file_task(one, spec, tokenizer, max_length, keep_docs);
    if (group && group->weight_by_size) {
      task.unit = group->name;
      task.groups.push_back(group->name);
      for (const auto& g : parts)
        if (std::ranges::count(g.tasks, task.name) > 0) task.groups.push_back(g.name);
    }
    tasks.push_back(std::move(task));
  }
}

}  // namespace

std::vector<EvalTask> load_eval_tasks(const EvaluationSpec& spec, const Tokenizer& given, std::int64_t max_length,
                                      const std::vector<std::vector<std::int64_t>>& held_out, bool keep_docs) {
  const Tokenizer tokenizer = given.with_bos(spec.bos);
  std::vector<EvalTask> tasks;
  for (const auto& name : spec.tasks) {
    if (name.starts_with("builtin:")) {
      for (auto& t : builtin_tasks(name.substr(8), spec.limit)) tasks.push_back(std::move(t));
    } else if (name == "perplexity") {
      tasks.push_back(perplexity(held_out, spec.limit));
    } else {
      add_file_tasks(name, spec, tokenizer, max_length, keep_docs, tasks);
    }
  }
  return tasks;
}

std::vector<Score> exposure(const std::vector<EvalTask>& tasks, std::int64_t window) {
  std::vector<Score> scores;
  for (const auto& task : tasks) {
    std::int64_t scored = 0, exposed = 0;
    for (const auto& e : task.examples) {
      for (const auto& c : e.choices) {
        const auto length = std::ssize(c.tokens);
        // The token at place p is predicted from place p − 1, which sees p keys.
        for (std::int64_t p = length - c.scored; p < length; ++p) ++scored, exposed += p > window;
      }
    }
    if (scored > 0)
      scores.push_back({"exposure", task.name, "share", static_cast<double>(exposed) / static_cast<double>(scored), 0, scored, {}});
  }
  return scores;
}

}  // namespace engine
