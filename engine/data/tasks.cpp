#include "engine/data/tasks.h"

#include <algorithm>
#include <charconv>

#include "engine/data/fewshot_sampler.h"
#include "engine/data/task_prepare.h"
#include "engine/data/task_records.h"
#include "engine/data/text_metrics.h"
#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_max_choices = 64;
constexpr std::size_t k_max_names = 10000;

/// Strings at a path: a list of them, or one.
std::vector<std::string> strings_at(const JsonView& record, const std::string& path) {
  const JsonView value = value_at(record, path);
  std::vector<std::string> out;
  if (value.is_array()) {
    for (const auto& item : value.items()) out.push_back(item.as_string());
  } else {
    out.push_back(value.as_string());
  }
  if (out.empty() || out.size() > k_max_names) value.fail("expected 1 to 10000 texts");
  return out;
}

std::int64_t gold_by_label(const TaskDefinition& task, const JsonView& record,
                           std::size_t choices) {
  const JsonView value = value_at(record, task.gold);
  std::vector<std::string> labels = task.gold_labels;
  if (!task.gold_labels_field.empty()) labels = strings_at(record, task.gold_labels_field);
  labels.resize(std::min(labels.size(), choices));
  for (const std::string& wanted : {value.as_string(), python_strip(value.as_string())}) {
    const auto found = std::find(labels.begin(), labels.end(), wanted);
    if (found != labels.end()) return found - labels.begin();
  }
  value.fail("\"" + value.as_string().substr(0, 40) + "\" is none of the labels");
}

std::int64_t gold_index(const TaskDefinition& task, const JsonView& record, std::size_t choices) {
  const auto count = static_cast<std::int64_t>(choices);
  if (task.gold_fixed >= 0 && task.gold_fixed < count) return task.gold_fixed;
  if (task.gold_fixed >= 0)
    record.fail("expected more than " + std::to_string(task.gold_fixed) + " choices");
  if (!task.gold_labels_field.empty() || !task.gold_labels.empty())
    return gold_by_label(task, record, choices);
  const JsonView value = value_at(record, task.gold);
  std::int64_t number = -1;
  if (value.is_string()) {
    const std::string& text = value.as_string();
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size())
      value.fail("expected the number of a choice");
  } else {
    number = value.raw().is_boolean() ? value.as_bool() : value.as_integer();
  }
  if (number < task.gold_base || number - task.gold_base >= count) {
    value.fail("expected the number of a choice, from " + std::to_string(task.gold_base) + " to " +
               std::to_string(task.gold_base + count - 1));
  }
  return number - task.gold_base;
}

/// A record before few-shot text and delimiter: per choice a context and an answer.
struct Parts {
  std::vector<std::string> contexts, answers;
  std::int64_t gold = 0;
};

std::vector<std::string> choices_of(const TaskDefinition& task, const JsonView& record) {
  std::vector<std::string> out;
  if (task.choices_field.empty()) {
    for (const auto& text : task.choices) out.push_back(fill_template(text, record));
    return out;
  }
  out = strings_at(record, task.choices_field);
  if (out.size() > k_max_choices)
    value_at(record, task.choices_field).fail("expected 1 to 64 choices");
  return out;
}

/// Of multiple choice and last-word tasks.
Parts parts_of(const TaskDefinition& task, const JsonView& record) {
  Parts out;
  if (task.kind == TaskKind::last_word) {
    out.contexts = {fill_template(task.context, record)};
    out.answers = {fill_template(task.continuation, record)};
    return out;
  }
  if (task.contexts.empty()) {
    out.answers = choices_of(task, record);
    out.contexts.assign(out.answers.size(), fill_template(task.context, record));
  } else {
    for (const auto& text : task.contexts) out.contexts.push_back(fill_template(text, record));
    out.answers.assign(out.contexts.size(), fill_template(task.continuation, record));
  }
  out.gold = gold_index(task, record, out.answers.size());
  return out;
}

/// The record with its prepared fields; `made` holds what the view refers to.
JsonView prepared(const TaskDefinition& task, const JsonView& record, Json& made) {
  if (task.prepare == TaskDefinition::Prepare::none) return record;
  made = prepared_record(task.prepare, record);
  return {made, record.source()};
}

std::int64_t code_points(const std::string& text) {
  return static_cast<std::int64_t>(count_code_points(text));
}

void add_choices(const TaskDefinition& task, const JsonView& record, const std::string& before,
                 TaskExample& out) {
  const Parts parts = parts_of(task, record);
  // A last word's text holds its own space.
  const std::string delimiter = task.kind == TaskKind::last_word ? "" : task.delimiter;
  for (std::size_t i = 0; i < parts.answers.size(); ++i) {
    out.requests.push_back(
        {before + parts.contexts[i], delimiter + parts.answers[i], code_points(parts.answers[i])});
  }
  out.gold = parts.gold;
  const bool as_text = task.kind == TaskKind::last_word || !task.contexts.empty();
  out.target = as_text ? parts.answers.front() : std::to_string(parts.gold);
}

void add_rolling(const TaskDefinition& task, const JsonView& record, TaskExample& out) {
  const std::string text = fill_template(task.context, record);
  const std::string counted = task.counted.empty() ? text : fill_template(task.counted, record);
  out.words = count_python_words(counted);
  out.bytes = static_cast<std::int64_t>(counted.size());
  out.requests.push_back({"", text, code_points(text)});
  out.target = text;
}

void add_prompt(const TaskDefinition& task, const JsonView& record, const std::string& before,
                TaskExample& out) {
  const std::string prompt = before + fill_template(task.context, record);
  out.answers = strings_at(record, task.answers);
  out.target = Json(out.answers).dump();
  out.classes = task.classes;
  if (!task.classes_field.empty()) out.classes = strings_at(record, task.classes_field);
  const auto offered = [&](const std::string& answer) {
    TaskExample one;
    one.answers = {answer};
    return std::any_of(task.choose.begin(), task.choose.end(),
                       [&](const auto& word) { return generation_score("em", word, one) == 1; });
  };
  if (!task.choose.empty() && std::all_of(out.answers.begin(), out.answers.end(), offered)) {
    for (const auto& word : task.choose)
      out.requests.push_back({prompt, task.delimiter + word, code_points(word)});
  } else {
    out.requests.push_back({prompt, "", 0});
  }
}

/// Few-shot text for one example after another.
class Shots {
 public:
  Shots(const TaskDefinition& task, const fs::path& data, const TaskOptions& options,
        const TaskRecords& scored)
      : task_(task), count_(static_cast<std::size_t>(options.shots)), sampler_(options.seed) {
    if (task.kind == TaskKind::rolling) count_ = 0;  // whole texts take none
    if (count_ == 0) return;
    std::vector<std::string> splits{"train", "validation", "test"};
    if (!task.shots_split.empty()) splits = {task.shots_split};
    records_ = read_task_records(task, data, splits, -1);
    // The harness draws one more, to leave the question out, where the shots' split is the test
    // split; two splits that a task does not name are equal for it.
    draws_more_ = task.shots_split == (scored.split == "test" ? "test" : "");
    may_hold_question_ = draws_more_ || records_.files == scored.files;
    in_order_ = options.sampler == ShotSampler::in_order ||
                (options.sampler == ShotSampler::task_default && task.shots_in_order);
    if (records_.rows.size() < count_ + (may_hold_question_ ? 1 : 0)) {
      throw InputError(records_.files.front().string() + ": " +
                       std::to_string(records_.rows.size()) + " records are too few for " +
                       std::to_string(count_) + " shots");
    }
  }

  std::string text_for(const Json& question) {
    std::string out;
    if (count_ == 0) return out;
    std::vector<std::size_t> chosen;
    if (!in_order_) {
      chosen = sampler_.sample(records_.rows.size(), count_ + (draws_more_ ? 1 : 0));
      std::erase_if(chosen, [&](std::size_t i) { return is_question(i, question); });
      if (draws_more_ && chosen.size() < count_) chosen = drawn_without(question);
    }
    // In order; or in place of a question that the harness would show with its answer.
    for (std::size_t i = 0; i < records_.rows.size() && chosen.size() < count_; ++i) {
      if (!is_question(i, question) && std::find(chosen.begin(), chosen.end(), i) == chosen.end())
        chosen.push_back(i);
    }
    if (chosen.size() < count_) {
      throw InputError(records_.files.front().string() + ": too many equal records for " +
                       std::to_string(count_) + " shots");
    }
    for (std::size_t i = 0; i < count_; ++i)
      out += shot_text(task_, records_.rows[chosen[i]].view());
    return out;
  }

 private:
  bool is_question(std::size_t i, const Json& question) const {
    return may_hold_question_ && *records_.rows[i].root == question;
  }

  /// The harness's second draw, where the question stands in the file more than once.
  std::vector<std::size_t> drawn_without(const Json& question) {
    std::vector<std::size_t> pool;
    for (std::size_t i = 0; i < records_.rows.size(); ++i) {
      if (!is_question(i, question)) pool.push_back(i);
    }
    if (pool.size() < count_) return {};
    std::vector<std::size_t> out;
    for (const std::size_t i : sampler_.sample(pool.size(), count_)) out.push_back(pool[i]);
    return out;
  }

  const TaskDefinition& task_;
  std::size_t count_;
  FewshotSampler sampler_;
  TaskRecords records_;
  bool draws_more_ = false, may_hold_question_ = false, in_order_ = false;
};

}  // namespace

bool TaskDefinition::length_normalised() const {
  return std::find(metrics.begin(), metrics.end(), "acc_norm") != metrics.end();
}

std::string shot_text(const TaskDefinition& task, const JsonView& record) {
  Json made;
  const JsonView view = prepared(task, record, made);
  if (task.kind == TaskKind::generate) {
    return fill_template(task.context, view) + task.delimiter +
           strings_at(view, task.answers).front() + "\n\n";
  }
  const Parts parts = parts_of(task, view);
  const auto gold = static_cast<std::size_t>(parts.gold);
  return parts.contexts[gold] + task.delimiter + parts.answers[gold] + "\n\n";
}

TaskExample make_example(const TaskDefinition& task, const JsonView& record,
                         const std::string& shots) {
  Json made;
  const JsonView view = prepared(task, record, made);
  const std::string before = fill_template(task.description, view) + shots;
  TaskExample out;
  switch (task.kind) {
    case TaskKind::multiple_choice:
    case TaskKind::last_word:
      add_choices(task, view, before, out);
      break;
    case TaskKind::rolling:
      add_rolling(task, view, out);
      break;
    case TaskKind::generate:
      add_prompt(task, view, before, out);
      break;
  }
  return out;
}

LoadedTask load_task(const TaskDefinition& task, const fs::path& data, const TaskOptions& options) {
  if (options.shots < 0 || options.shots > 1000) throw InputError("shots: expected 0 to 1000");
  std::vector<std::string> splits{options.split};
  if (options.split.empty()) {
    splits = {task.split};
    for (const char* other : {"validation", "test"}) {
      if (task.split != other) splits.push_back(other);
    }
  }
  TaskRecords records = read_task_records(task, data, splits, options.limit);
  Shots shots(task, data, options, records);
  LoadedTask out{task, records.files.front(), records.split, {}};
  out.examples.reserve(records.rows.size());
  for (auto& row : records.rows) {
    TaskExample example = make_example(task, row.view(), shots.text_for(*row.root));
    example.doc_id = static_cast<std::int64_t>(out.examples.size());
    example.doc_hash = sha256_hex(row.root->dump(2));
    if (options.keep_docs) example.doc = row.root->dump();
    out.examples.push_back(std::move(example));
    row.root.reset();  // long documents would stand in memory twice
  }
  return out;
}

}  // namespace engine
