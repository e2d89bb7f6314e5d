#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "engine/data/task_yaml_reader.h"
#include "engine/data/tasks.h"
#include "engine/data/text_metrics.h"

namespace engine {
namespace {

using Prepare = TaskDefinition::Prepare;
using Strings = std::vector<std::string>;

constexpr std::size_t k_max_name = 100;

const Strings& known_keys() {
  static const Strings keys{
      "task",        "kind",         "version",     "dataset",       "config",      "split",
      "shots_split", "sampler",      "description", "context",       "contexts",    "choices",
      "answer",      "continuation", "delimiter",   "answer_labels", "answer_base", "only",
      "prepare",     "merge_by",     "counted",     "metrics",       "answers",     "classes",
      "until",       "choose",       "if_empty",    "max_tokens",    "truncation",  "groups",
      "group_mean",  "subjects"};
  return keys;
}

/// Keys that only some kinds have.
const std::map<std::string, std::vector<TaskKind>>& kinds_of_keys() {
  using enum TaskKind;
  static const std::map<std::string, std::vector<TaskKind>> kinds{
      {"contexts", {multiple_choice}},
      {"choices", {multiple_choice}},
      {"answer", {multiple_choice}},
      {"answer_labels", {multiple_choice}},
      {"answer_base", {multiple_choice}},
      {"continuation", {multiple_choice, last_word}},
      {"counted", {rolling}},
      {"answers", {generate}},
      {"classes", {generate}},
      {"until", {generate}},
      {"choose", {generate}},
      {"if_empty", {generate}},
      {"max_tokens", {generate}},
      {"truncation", {generate}}};
  return kinds;
}

constexpr std::array k_kinds{"multiple_choice", "last_word", "rolling", "generate"};
constexpr std::array k_prepares{"none",     "hellaswag", "winogrande", "lambada", "copa",
                                "wikitext", "scrolls",   "qmsum",      "quality"};

void read_choices(const TaskYamlReader& in, TaskDefinition& task) {
  if (in.has("contexts")) {
    if (in.has("context") || in.has("choices"))
      in.fail("contexts", "stands for context and choices; leave those out");
    task.contexts = in.filled_list("contexts");
    task.continuation = in.filled("continuation");
  } else {
    if (in.has("continuation"))
      in.fail("continuation", "belongs to contexts, or to kind: last_word");
    task.context = in.filled("context");
    if (in.node("choices").IsSequence()) {
      task.choices = in.filled_list("choices");
    } else {
      task.choices_field = in.path("choices");
    }
  }
  const std::string answer = in.text("answer");
  if (answer.find_first_not_of("0123456789") == answer.npos) {
    task.gold_fixed = in.integer("answer", 0, static_cast<std::int64_t>(k_max_task_choices) - 1);
  } else {
    task.gold = in.path("answer");
  }
  if (in.has("answer_base")) task.gold_base = in.integer("answer_base", -1000, 1000);
  if (!in.has("answer_labels")) return;
  if (task.gold_fixed >= 0) in.fail("answer_labels", "the answer is a number already");
  if (in.node("answer_labels").IsSequence()) {
    task.gold_labels = in.list("answer_labels", k_max_task_choices);
  } else {
    task.gold_labels_field = in.path("answer_labels");
  }
}

void read_generation(const TaskYamlReader& in, TaskDefinition& task) {
  task.context = in.filled("context");
  task.answers = in.path("answers");
  if (in.has("classes") && in.node("classes").IsSequence()) {
    task.classes = in.list("classes", k_max_task_list);
  } else if (in.has("classes")) {
    task.classes_field = in.path("classes");
  }
  if (in.has("until")) task.until = in.list("until", k_max_task_choices);
  if (in.has("choose")) task.choose = in.list("choose", k_max_task_choices);
  if (in.has("max_tokens")) task.max_tokens = in.integer("max_tokens", 1, 1 << 20);
  if (in.has("truncation"))
    task.truncation = static_cast<Truncation>(in.word("truncation", std::array{"left", "middle"}));
  task.if_empty = in.text_or("if_empty", "");
}

const Strings& metrics_of(TaskKind kind) {
  static const Strings choice{"acc", "acc_norm"}, last_word{"acc", "perplexity"},
      rolling{"word_perplexity", "byte_perplexity", "bits_per_byte"};
  switch (kind) {
    case TaskKind::multiple_choice:
      return choice;
    case TaskKind::last_word:
      return last_word;
    case TaskKind::rolling:
      return rolling;
    case TaskKind::generate:
      break;
  }
  return generation_metrics();
}

void read_metrics(const TaskYamlReader& in, TaskDefinition& task) {
  const Strings& known = metrics_of(task.kind);
  task.metrics =
      in.has("metrics") || task.kind == TaskKind::generate ? in.one_or_more("metrics") : known;
  for (const auto& metric : task.metrics) {
    if (std::find(known.begin(), known.end(), metric) != known.end()) continue;
    std::string all;
    for (const auto& one : known) all += (all.empty() ? "" : ", ") + one;
    in.fail("metrics", "\"" + TaskYamlReader::shown(metric) + "\" is none of " + all);
  }
  const bool classes = !task.classes.empty() || !task.classes_field.empty();
  if (task.metrics.front() == "classification" && !classes)
    in.fail("metrics", "classification needs the key classes");
}

void read_source(const TaskYamlReader& in, TaskDefinition& task) {
  task.datasets = in.one_or_more("dataset");
  if (in.has("config")) task.configs = in.one_or_more("config");
  task.split = in.text_or("split", task.split);
  task.shots_split = in.text_or("shots_split", "");
  for (const auto* name : {&task.split, &task.shots_split}) {
    if (name->find_first_of("/\\") != name->npos) in.fail("split", "expected a name, not a path");
  }
  if (in.has("sampler"))
    task.shots_in_order = in.word("sampler", std::array{"seeded", "first_n"}) == 1;
  if (in.has("prepare")) task.prepare = static_cast<Prepare>(in.word("prepare", k_prepares));
  if (in.has("merge_by")) task.merge_by = in.path("merge_by");
  if (!in.has("only")) return;
  const YAML::Node& only = in.node("only");
  if (!only.IsMap() || only.size() != 1)
    in.fail("only", "expected one field and its value, such as {subject: anatomy}");
  task.filter_field = in.text(only.begin()->first, "only");
  task.filter_value = in.text(only.begin()->second, "only");
}

void check_name(const TaskYamlReader& in, const std::string& name) {
  const auto good = [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  };
  if (name.empty() || name.size() > k_max_name || !std::all_of(name.begin(), name.end(), good))
    in.fail("task", "expected a name of letters, digits, _, - and . (at most 100), found \"" +
                        TaskYamlReader::shown(name) + "\"");
}

TaskDefinition read_task(const TaskYamlReader& in, const std::string& source) {
  TaskDefinition task;
  task.source = source;
  task.name = in.text("task");
  check_name(in, task.name);
  if (in.has("kind")) task.kind = static_cast<TaskKind>(in.word("kind", k_kinds));
  for (const auto& [key, kinds] : kinds_of_keys()) {
    if (in.has(key) && std::find(kinds.begin(), kinds.end(), task.kind) == kinds.end())
      in.fail(key,
              std::string("is no key of kind: ") + k_kinds[static_cast<std::size_t>(task.kind)]);
  }
  task.version = in.text_or("version", task.version);
  read_source(in, task);
  if (in.has("description")) task.description = in.filled("description");
  task.delimiter = in.text_or("delimiter", task.delimiter);
  if (task.kind == TaskKind::multiple_choice) {
    read_choices(in, task);
  } else if (task.kind == TaskKind::generate) {
    read_generation(in, task);
  } else {
    task.context = in.filled("context");
    if (task.kind == TaskKind::last_word) task.continuation = in.filled("continuation");
    if (in.has("counted")) task.counted = in.filled("counted");
  }
  read_metrics(in, task);
  return task;
}

/// A subject and the groups it belongs to beside the file's.
using Subject = std::pair<std::string, Strings>;

std::vector<Subject> read_subjects(const TaskYamlReader& in) {
  const YAML::Node& node = in.node("subjects");
  std::vector<Subject> out;
  const auto add = [&](const YAML::Node& list, const Strings& groups) {
    if (!list.IsSequence()) in.fail(list, "subjects: expected a list of names");
    for (const auto& item : list) {
      const std::string name = in.text(item, "subjects");
      if (name.empty() || name.size() > k_max_name || out.size() >= k_max_task_list)
        in.fail(item, "subjects: expected at most 1000 names of at most 100 characters");
      out.emplace_back(name, groups);
    }
  };
  if (node.IsMap()) {
    for (const auto& pair : node) add(pair.second, {in.text(pair.first, "subjects")});
  } else {
    add(node, {});
  }
  if (out.empty()) in.fail("subjects", "expected at least one");
  return out;
}

void add_to_groups(TaskFile& file, const Strings& groups, const std::string& task, bool by_size) {
  for (const auto& name : groups) {
    auto found = std::find_if(file.groups.begin(), file.groups.end(),
                              [&](const auto& g) { return g.name == name; });
    if (found == file.groups.end())
      found = file.groups.insert(file.groups.end(), {name, {}, by_size});
    found->tasks.push_back(task);
  }
}

}  // namespace

TaskFile parse_task(std::string_view yaml, const std::string& source) {
  TaskYamlReader in(task_yaml_root(yaml, source), known_keys(), source);
  Strings groups;
  if (in.has("groups")) groups = in.one_or_more("groups");
  const bool by_size =
      !in.has("group_mean") || in.word("group_mean", std::array{"by_size", "equal"}) == 0;
  TaskFile out;
  std::vector<Subject> subjects{{"", {}}};
  if (in.has("subjects")) subjects = read_subjects(in);
  for (const auto& [subject, own_groups] : subjects) {
    in.set_subject(subject);
    out.tasks.push_back(read_task(in, source));
    const std::string& name = out.tasks.back().name;
    const auto same = [&](const auto& task) { return task.name == name; };
    if (std::count_if(out.tasks.begin(), out.tasks.end(), same) > 1)
      in.fail("task",
              "two subjects are both called \"" + name + "\"; write <subject> into the name");
    add_to_groups(out, groups, name, by_size);
    add_to_groups(out, own_groups, name, by_size);
  }
  return out;
}

}  // namespace engine
