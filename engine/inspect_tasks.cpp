#include <algorithm>
#include <map>

#include "engine/data/task_records.h"
#include "engine/data/task_requests.h"
#include "engine/data/tasks.h"
#include "engine/data/tiny_corpus.h"
#include "engine/eval/eval_task.h"
#include "engine/inspect.h"
#include "engine/inspect_tokens.h"

namespace engine {
namespace {

const char* kind_name(TaskKind kind) {
  switch (kind) {
    case TaskKind::multiple_choice: return "multiple choice";
    case TaskKind::last_word: return "last word";
    case TaskKind::rolling: return "whole text";
    case TaskKind::generate: return "generation";
  }
  return "";
}

/// Why no record of the task can be read; one record is looked at.
std::string records_problem(const TaskDefinition& task, const std::string& data) {
  try {
    read_task_records(task, data, {task.split, "validation", "test"}, 1);
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

TaskEntry entry_of(const TaskDefinition& task, const std::string& group) {
  std::string about = kind_name(task.kind);
  if (!task.datasets.empty()) about += " on " + task.datasets.front();
  if (!task.configs.empty()) about += ", " + task.configs.front();
  return {task.name, group, about + ", " + task.split, ""};
}

/// The smallest group that a task is in.
std::string group_of(const std::string& name, const std::vector<TaskGroup>& groups) {
  const TaskGroup* smallest = nullptr;
  for (const auto& g : groups)
    if (std::ranges::count(g.tasks, name) > 0 && (!smallest || g.tasks.size() < smallest->tasks.size())) smallest = &g;
  return smallest ? smallest->name : "";
}

/// Entries of tasks from files; the records of one data set's configuration are looked for once.
void add_entries(const std::vector<TaskDefinition>& tasks, const std::vector<TaskGroup>& groups, const std::string& data,
                 const Watch& watch, std::vector<TaskEntry>& out) {
  std::map<std::vector<std::string>, std::string> known;
  for (const auto& task : tasks) {
    report(watch, std::ssize(out), "tasks");
    TaskEntry entry = entry_of(task, group_of(task.name, groups));
    std::vector<std::string> key = task.datasets;
    key.insert(key.end(), task.configs.begin(), task.configs.end());
    if (!known.contains(key))
      known[key] = data.empty() && !task.source.ends_with(".yaml") ? "choose a data folder that holds its records" : records_problem(task, data);
    entry.problem = known[key];
    out.push_back(std::move(entry));
  }
}

ShotSampler sampler_of(const std::string& name) {
  if (name == "task") return ShotSampler::task_default;
  if (name == "first-n") return ShotSampler::in_order;
  if (name == "seeded") return ShotSampler::seeded;
  throw InputError("sampler \"" + name + "\": expected task, first-n or seeded");
}

TaskChoice choice_of(const TaskQuery& query, const TaskRequest& request, std::size_t max_length) {
  TaskChoice c{request.context, request.continuation, request.choice_characters, {}, 0, 0};
  if (!query.tokenizer) return c;
  const TokenRequest t = token_request(*query.tokenizer, request.context, request.continuation, max_length);
  c.tokens = token_pieces(*query.tokenizer, t.tokens);
  c.first_scored = t.first_scored;
  c.dropped = t.dropped_context;
  return c;
}

/// The windows of a whole text; each token is scored in one of them.
std::vector<TaskChoice> windows_of(const TaskQuery& query, const std::string& text, std::size_t max_length) {
  if (!query.tokenizer) return {{"", text, 0, {}, 0, 0}};
  std::vector<TaskChoice> out;
  for (const auto& w : rolling_requests(*query.tokenizer, text, max_length)) {
    const std::span<const std::int32_t> ids(w.tokens);
    out.push_back({query.tokenizer->decode(ids.first(w.first_scored), false), query.tokenizer->decode(ids.subspan(w.first_scored), false),
                   0, token_pieces(*query.tokenizer, ids), w.first_scored, 0});
  }
  return out;
}

TaskExampleInfo example_of(const TaskQuery& query, const TaskDefinition& task, TaskExample& example) {
  const auto most = query.max_length > 0 ? static_cast<std::size_t>(query.max_length) : std::size_t{1} << 40;
  TaskExampleInfo out;
  out.doc_id = example.doc_id;
  out.gold = task.kind == TaskKind::multiple_choice ? example.gold : -1;
  out.doc_hash = example.doc_hash;
  out.prompt_hash = prompt_hash(example);
  if (task.kind == TaskKind::rolling) {
    out.choices = windows_of(query, example.requests.at(0).continuation, most);
  } else if (task.kind == TaskKind::generate && example.requests.size() == 1) {
    TaskChoice prompt{example.requests.front().context, "", 0, {}, 0, 0};
    if (query.tokenizer) prompt.tokens = token_pieces(*query.tokenizer, encode_prompt(*query.tokenizer, prompt.context));
    prompt.first_scored = prompt.tokens.size();
    out.choices.push_back(std::move(prompt));
  } else {
    for (const auto& request : example.requests) out.choices.push_back(choice_of(query, request, most));
    if (!task.length_normalised())
      for (auto& c : out.choices) c.characters = 0;
  }
  out.answers = std::move(example.answers);
  return out;
}

/// builtin:corpus asks for one token at a place of a test document.
TaskExamples builtin_examples(const TaskQuery& query) {
  const TokenizerHandle tokenizer = open_tokenizer("builtin:tiny");
  EvaluationSpec spec;
  spec.tasks = {query.task};
  spec.limit = 0;
  TaskExamples out{query.task, "builtin:corpus", "test", "multiple choice", " ", "", {}, false};
  std::int64_t index = 0;
  for (const auto& task : load_eval_tasks(spec, *tokenizer, INT32_MAX, {})) {
    for (const auto& e : task.examples) {
      if (index++ < query.first) continue;
      if ((out.more = std::ssize(out.examples) == query.count)) return out;
      TaskExampleInfo info{index - 1, e.gold, {}, {}, "", ""};
      for (const auto& r : e.choices) {
        const auto given = r.tokens.size() - static_cast<std::size_t>(r.scored);
        const std::vector<int> ids(r.tokens.begin(), r.tokens.end());
        const std::string context = tiny_text({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(given)});
        const std::string answer = tiny_text({ids.begin() + static_cast<std::ptrdiff_t>(given), ids.end()});
        info.choices.push_back({context, " " + answer, 0, token_pieces(*tokenizer, r.tokens), given, 0});
      }
      out.examples.push_back(std::move(info));
    }
  }
  return out;
}

}  // namespace

std::vector<TaskEntry> task_entries(const std::string& data, const Watch& watch) {
  std::vector<TaskEntry> out;
  for (const auto& t : tiny_tasks())
    out.push_back({"builtin:" + t.name, t.far ? "builtin: far" : "builtin: local", t.description, ""});
  add_entries(built_in_tasks(), task_groups(), data, watch, out);
  // The corpus' own, then those that stand alone, then groups.
  const auto rank = [](const TaskEntry& e) { return e.name.starts_with("builtin:") ? 0 : e.group.empty() ? 1 : 2; };
  std::stable_sort(out.begin(), out.end(), [&](const TaskEntry& a, const TaskEntry& b) {
    return rank(a) != rank(b) ? rank(a) < rank(b) : rank(a) == 2 && a.group < b.group;
  });
  return out;
}

std::vector<TaskEntry> task_entries_of_file(const std::string& file, const std::string& data, const Watch& watch) {
  std::vector<TaskDefinition> tasks;
  std::vector<std::string> names = expand_task_name(file);
  for (const auto& name : names) tasks.push_back(*find_task(name));
  std::vector<TaskEntry> out;
  add_entries(tasks, {}, data, watch, out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].about = names[i] + ": " + out[i].about;
    out[i].name = names[i];
    out[i].group = std::filesystem::path(file).filename().string();
  }
  return out;
}

TaskExamples task_examples(const TaskQuery& query, const Watch& watch) {
  report(watch, 0, "examples");
  if (query.task.starts_with("builtin:")) return builtin_examples(query);
  const std::vector<std::string> names = expand_task_name(query.task);
  if (names.size() != 1) throw InputError(query.task + ": a group of " + std::to_string(names.size()) + " tasks; name one of them, such as " + names.front());
  const TaskDefinition task = *find_task(names.front());
  TaskOptions options;
  options.split = query.split;
  options.shots = query.shots;
  options.sampler = sampler_of(query.sampler);
  options.limit = query.first + query.count + 1;
  LoadedTask loaded = load_task(task, query.data, options);
  TaskExamples out{query.task, loaded.file.string(), loaded.split, kind_name(task.kind), task.delimiter, task_hash(task), {},
                   std::ssize(loaded.examples) == options.limit};
  for (auto& e : loaded.examples) {
    if (e.doc_id < query.first || e.doc_id >= query.first + query.count) continue;
    report(watch, std::ssize(out.examples), "examples");
    out.examples.push_back(example_of(query, task, e));
  }
  return out;
}

}  // namespace engine
