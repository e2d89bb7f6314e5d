#include "engine/data/tasks.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include <unicode/uchar.h>

#include "engine/data/fewshot_sampler.h"
#include "engine/data/mapped_file.h"
#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;
using Prepare = TaskDefinition::Prepare;

constexpr std::size_t k_max_choices = 64;

std::string replaced(const std::string& text, std::string_view what, std::string_view with) {
  std::string out;
  std::size_t last = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, last)) {
    out.append(text, last, at - last);
    out += with;
    last = at + what.size();
  }
  return out.append(text, last);
}

std::string trim(const std::string& text) {
  const Json record = Json::object({{"text", text}});
  return fill_template("{text|trim}", JsonView(record, ""));
}

/// Python's str.capitalize: the first letter in title case, all others lower.
std::string capitalized(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool first = at == 0;
    const auto c = static_cast<UChar32>(next_code_point(text, at));
    if (c == 0x130 && !first) {
      out += "i\xCC\x87";
    } else {
      append_utf8(out, static_cast<char32_t>(first ? u_totitle(c) : u_tolower(c)));
    }
  }
  return out;
}

/// WikiHow's traces, removed in the harness's order; the single pass over double spaces belongs to
/// it.
std::string hellaswag_cleaned(const std::string& raw) {
  std::string text = replaced(trim(raw), " [title]", ". ");
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto open = text.find('[', at);
    const auto close = open == text.npos ? open : text.find(']', open);
    // In the harness's pattern the dot matches no newline.
    const bool broken = close != text.npos && text.find('\n', open) < close;
    if (close == text.npos) break;
    out.append(text, at, (broken ? open + 1 : open) - at);
    at = broken ? open + 1 : close + 1;
  }
  out.append(text, at);
  return replaced(out, "  ", " ");
}

std::int64_t gold_index(const TaskDefinition& task, const JsonView& record, std::size_t choices) {
  if (task.gold.starts_with('=')) return std::stoll(task.gold.substr(1));
  const JsonView value = value_at(record, task.gold);
  if (!task.gold_labels.empty()) {
    const auto labels = value_at(record, task.gold_labels).items();
    for (std::size_t i = 0; i < labels.size() && i < choices; ++i) {
      if (labels[i].as_string() == value.as_string()) return static_cast<std::int64_t>(i);
    }
    value.fail("\"" + value.as_string().substr(0, 40) + "\" is none of the labels");
  }
  std::int64_t number = -1;
  if (value.is_string()) {
    const std::string& text = value.as_string();
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size())
      value.fail("expected the number of a choice");
  } else {
    number = value.as_integer();
  }
  number -= task.gold_base;
  if (number < 0 || number >= static_cast<std::int64_t>(choices)) {
    value.fail("expected the number of a choice, from " + std::to_string(task.gold_base) + " to " +
               std::to_string(task.gold_base + static_cast<std::int64_t>(choices) - 1));
  }
  return number;
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
  const JsonView list = value_at(record, task.choices_field);
  for (const auto& item : list.items()) out.push_back(item.as_string());
  if (out.empty() || out.size() > k_max_choices) list.fail("expected 1 to 64 choices");
  return out;
}

Parts winogrande_parts(const TaskDefinition& task, const JsonView& record) {
  const JsonView view = record.at("sentence");
  const std::string& sentence = view.as_string();
  const auto blank = sentence.find('_');
  if (blank == sentence.npos) view.fail("expected a blank (_) in the sentence");
  Parts out;
  for (const char* option : {"option1", "option2"}) {
    out.contexts.push_back(sentence.substr(0, blank) + record.at(option).as_string());
    out.answers.push_back(trim(sentence.substr(blank + 1)));
  }
  out.gold = gold_index(task, record, 2);
  return out;
}

Parts hellaswag_parts(const TaskDefinition& task, const JsonView& record) {
  const std::string ctx =
      record.at("ctx_a").as_string() + " " + capitalized(record.at("ctx_b").as_string());
  const std::string context =
      hellaswag_cleaned(record.at("activity_label").as_string() + ": " + ctx);
  Parts out;
  const auto endings = record.at("endings").items();
  if (endings.empty() || endings.size() > k_max_choices)
    record.at("endings").fail("expected 1 to 64 endings");
  for (const auto& ending : endings) {
    out.contexts.push_back(context);
    out.answers.push_back(hellaswag_cleaned(ending.as_string()));
  }
  out.gold = gold_index(task, record, out.answers.size());
  return out;
}

Parts lambada_parts(const JsonView& record) {
  const std::string& text = record.at("text").as_string();
  const auto space = text.rfind(' ');
  Parts out;
  out.contexts.push_back(space == text.npos ? "" : text.substr(0, space));
  out.answers.push_back(space == text.npos ? text : text.substr(space + 1));
  return out;
}

Parts parts_of(const TaskDefinition& task, const JsonView& record) {
  if (task.prepare == Prepare::winogrande) return winogrande_parts(task, record);
  if (task.prepare == Prepare::hellaswag) return hellaswag_parts(task, record);
  if (task.prepare == Prepare::lambada) return lambada_parts(record);
  Parts out;
  out.answers = choices_of(task, record);
  out.contexts.assign(out.answers.size(), fill_template(task.context, record));
  out.gold = gold_index(task, record, out.answers.size());
  return out;
}

/// One split's records, parsed line by line.
struct Records {
  fs::path file;
  std::string split;
  std::vector<JsonDocument> rows;
};

std::vector<fs::path> candidates(const TaskDefinition& task, const fs::path& data,
                                 const std::string& split) {
  std::vector<fs::path> out;
  for (const auto& dataset : task.datasets) {
    const fs::path folder = data / dataset;
    if (!task.config.empty()) {
      out.push_back(folder / (task.config + "." + split + ".jsonl"));
      out.push_back(folder / task.config / (split + ".jsonl"));
    }
    out.push_back(folder / (split + ".jsonl"));
  }
  return out;
}

std::optional<Records> find_records(const TaskDefinition& task, const fs::path& data,
                                    std::vector<std::string> splits) {
  std::error_code ignored;
  for (const auto& split : splits) {
    for (const auto& file : candidates(task, data, split)) {
      if (fs::exists(file, ignored)) return Records{file, split, {}};
    }
  }
  return std::nullopt;
}

void read_rows(const TaskDefinition& task, std::int64_t limit, Records& records) {
  const MappedFile file(records.file);
  const std::string_view text = file.text();
  std::size_t line = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const std::string_view row = text.substr(at, end - at);
    at = end + 1;
    ++line;
    if (row.find_first_not_of(" \t\r") == row.npos) continue;
    if (limit >= 0 && static_cast<std::int64_t>(records.rows.size()) >= limit) return;
    auto document = parse_json_document(row, records.file.string() + ":" + std::to_string(line),
                                        k_config_limits);
    const JsonView record = document.view();
    if (!record.is_object()) record.fail("expected one JSON object a line");
    // A file may hold one subject alone, and then need not say so.
    const bool kept = task.filter_field.empty() || !record.has(task.filter_field) ||
                      record.at(task.filter_field).as_string() == task.filter_value;
    if (kept) records.rows.push_back(std::move(document));
  }
}

Records read_split(const TaskDefinition& task, const fs::path& data,
                   std::vector<std::string> splits, std::int64_t limit) {
  auto records = find_records(task, data, splits);
  if (!records) {
    throw InputError("task " + task.name + ": no records found; expected " +
                     candidates(task, data, splits.front()).front().string());
  }
  read_rows(task, limit, *records);
  if (records->rows.empty() && limit != 0) {
    throw InputError(records->file.string() + ": no record for task " + task.name);
  }
  return std::move(*records);
}

/// Few-shot text for one example after another.
class Shots {
 public:
  Shots(const TaskDefinition& task, const fs::path& data, const TaskOptions& options,
        const Records& scored)
      : task_(task), count_(static_cast<std::size_t>(options.shots)), sampler_(options.seed) {
    if (count_ == 0) return;
    std::vector<std::string> splits{"train", "validation", "test"};
    if (!task.shots_split.empty()) splits = {task.shots_split};
    records_ = read_split(task, data, splits, -1);
    same_file_ = records_.file == scored.file;
    in_order_ = options.sampler == ShotSampler::in_order ||
                (options.sampler == ShotSampler::task_default && task.shots_in_order);
    if (records_.rows.size() < count_ + (same_file_ ? 1 : 0)) {
      throw InputError(records_.file.string() + ": " + std::to_string(records_.rows.size()) +
                       " records are too few for " + std::to_string(count_) + " shots");
    }
  }

  std::string text_for(std::size_t document) {
    std::string out;
    if (count_ == 0) return out;
    const std::size_t drawn = count_ + (same_file_ ? 1 : 0);
    std::vector<std::size_t> chosen;
    if (in_order_) {
      for (std::size_t i = 0; i < drawn; ++i) chosen.push_back(i);
    } else {
      chosen = sampler_.sample(records_.rows.size(), drawn);
    }
    std::size_t used = 0;
    for (const std::size_t i : chosen) {
      if (used == count_ || (same_file_ && i == document)) continue;
      out += shot_text(task_, records_.rows[i].view());
      ++used;
    }
    return out;
  }

 private:
  const TaskDefinition& task_;
  std::size_t count_;
  FewshotSampler sampler_;
  Records records_;
  bool same_file_ = false, in_order_ = false;
};

}  // namespace

std::string shot_text(const TaskDefinition& task, const JsonView& record) {
  const Parts parts = parts_of(task, record);
  const auto gold = static_cast<std::size_t>(parts.gold);
  return parts.contexts[gold] + task.delimiter + parts.answers[gold] + "\n\n";
}

TaskExample make_example(const TaskDefinition& task, const JsonView& record,
                         const std::string& shots) {
  const Parts parts = parts_of(task, record);
  const std::string before = fill_template(task.description, record) + shots;
  TaskExample out;
  for (std::size_t i = 0; i < parts.answers.size(); ++i) {
    out.requests.push_back({before + parts.contexts[i], task.delimiter + parts.answers[i],
                            static_cast<std::int64_t>(count_code_points(parts.answers[i]))});
  }
  out.gold = parts.gold;
  out.target = task.prepare == Prepare::winogrande ? parts.answers.front()
               : task.kind == TaskKind::last_word  ? task.delimiter + parts.answers.front()
                                                   : std::to_string(parts.gold);
  return out;
}

LoadedTask load_task(const TaskDefinition& task, const fs::path& data, const TaskOptions& options) {
  if (options.shots < 0 || options.shots > 1000) throw InputError("shots: expected 0 to 1000");
  std::vector<std::string> splits{options.split};
  if (options.split.empty()) splits = {task.split, "validation", "test"};
  const Records records = read_split(task, data, splits, options.limit);
  Shots shots(task, data, options, records);
  LoadedTask out{task, records.file, records.split, {}};
  out.examples.reserve(records.rows.size());
  for (std::size_t i = 0; i < records.rows.size(); ++i) {
    out.examples.push_back(make_example(task, records.rows[i].view(), shots.text_for(i)));
    out.examples.back().doc_id = static_cast<std::int64_t>(i);
  }
  return out;
}

}  // namespace engine
