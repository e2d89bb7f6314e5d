#include "engine/data/task_records.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "engine/data/records.h"
#include "engine/data/task_prepare.h"
#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;
using Files = std::vector<fs::path>;

constexpr const char* k_extensions[] = {".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"};

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    out.push_back(it->path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

/// The snapshot that was written last, of a folder of the Hub's cache.
std::optional<fs::path> newest_snapshot(const fs::path& cached) {
  std::optional<fs::path> newest;
  fs::file_time_type when;
  for (const auto& name : names_in(cached / "snapshots")) {
    const fs::path folder = cached / "snapshots" / name;
    std::error_code error;
    const auto time = fs::last_write_time(folder, error);
    if (error || !is_folder(folder) || (newest && time <= when)) continue;
    newest = folder;
    when = time;
  }
  return newest;
}

/// Folder names that a data set may have below the data folder.
std::vector<std::string> folder_names(const std::string& dataset) {
  std::vector<std::string> out{dataset};
  const auto slash = dataset.find('/');
  if (slash == dataset.npos || dataset.find('/', slash + 1) != dataset.npos) return out;
  const std::string org = dataset.substr(0, slash), name = dataset.substr(slash + 1);
  out.push_back(name);
  out.push_back(org + "___" + name);
  out.push_back("datasets--" + org + "--" + name);
  return out;
}

/// The number in front of "-of-NNNNN" and the one behind it.
struct Shard {
  std::size_t number = 0, count = 0;
};

std::optional<Shard> shard_of(std::string_view name, std::string_view stem,
                              std::string_view extension) {
  constexpr std::string_view shape = "-00000-of-00000";
  if (name.size() != stem.size() + shape.size() + extension.size() || !name.starts_with(stem) ||
      !name.ends_with(extension))
    return std::nullopt;
  const std::string_view middle = name.substr(stem.size(), shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool digit = middle[i] >= '0' && middle[i] <= '9';
    if (shape[i] == '0' ? !digit : middle[i] != shape[i]) return std::nullopt;
  }
  Shard out;
  std::from_chars(middle.data() + 1, middle.data() + 6, out.number);
  std::from_chars(middle.data() + 10, middle.data() + 15, out.count);
  return out;
}

/// All shards `<stem>-00000-of-0000N<extension>` of a folder in order; throws where one is missing.
Files shards(const fs::path& folder, const std::string& stem, const std::string& extension) {
  std::map<std::size_t, std::map<std::size_t, fs::path>> sets;
  for (const auto& name : names_in(folder)) {
    if (const auto shard = shard_of(name, stem, extension))
      sets[shard->count][shard->number] = folder / name;
  }
  if (sets.empty()) return {};
  const auto& [count, found] = *sets.begin();
  const std::string place = (folder / stem).string() + "-*" + extension;
  if (sets.size() > 1) throw InputError(place + ": shards of more than one set; keep one of them");
  Files out;
  for (const auto& [number, file] : found) {
    if (number != out.size()) break;
    out.push_back(file);
  }
  if (out.size() != count) {
    std::string number = std::to_string(out.size());
    number.insert(0, 5 - std::min<std::size_t>(number.size(), 5), '0');
    throw InputError(place + ": shard " + number + " of " + std::to_string(count) + " is missing");
  }
  return out;
}

/// The files of one stem ("ARC-Easy.test", "data/test"), whole, in shards, or with other suffixes.
Files files_of_stem(const fs::path& folder, const std::string& stem) {
  const fs::path whole = folder / stem;
  for (const char* extension : k_extensions) {
    if (fs::path file = whole.string() + extension; is_file(file)) return {file};
  }
  const fs::path parent = whole.parent_path();
  const std::string name = whole.filename().string();
  for (const char* extension : k_extensions) {
    if (auto found = shards(parent, name, extension); !found.empty()) return found;
  }
  Files out;
  for (const auto& other : names_in(parent)) {
    if (other.starts_with(name + "-") && other.ends_with(".parquet")) out.push_back(parent / other);
  }
  if (!out.empty()) return out;
  for (const auto& other :
       names_in(whole)) {  // the Hub's converted copies: <config>/<split>/0000.parquet
    if (other.ends_with(".parquet")) out.push_back(whole / other);
  }
  return out;
}

/// Where a split may stand in a data set's folder, in order.
std::vector<std::string> stems(const TaskDefinition& task, const std::string& split) {
  std::vector<std::string> out;
  for (const auto& config : task.configs) {
    out.push_back(config + "." + split);
    out.push_back(config + "/" + split);
    out.push_back("data/" + config + "/" + split);
    out.push_back("data/" + config + "." + split);
    if (split == task.split) {  // a data set with one split a configuration
      out.push_back(config);
      out.push_back("data/" + config);
    }
  }
  for (const char* folder : {"", "data/", "default/", "plain_text/"}) out.push_back(folder + split);
  return out;
}

struct Search {
  std::vector<std::string> folders;  ///< that were looked for
  Files present;                     ///< of them, those that are there
};

/// Folders that may hold the data set; a file given by name is put into `file`.
Search search_folders(const TaskDefinition& task, const fs::path& data,
                      std::optional<fs::path>& file) {
  Search out;
  std::vector<fs::path> roots;
  if (!data.empty()) roots.push_back(data);
  if (!task.folder.empty()) roots.push_back(task.folder);
  for (const auto& dataset : task.datasets) {
    for (const auto& root : roots) {
      if (is_file(root / dataset)) {
        file = root / dataset;
        return out;
      }
      for (const auto& name : folder_names(dataset)) {
        fs::path folder = root / name;
        out.folders.push_back(folder.string());
        if (!is_folder(folder)) continue;
        if (name.starts_with("datasets--")) folder = newest_snapshot(folder).value_or(folder);
        out.present.push_back(folder);
      }
    }
  }
  return out;
}

std::string listed(const std::vector<std::string>& words, std::size_t most) {
  std::string out;
  for (std::size_t i = 0; i < words.size() && i < most; ++i) out += (i > 0 ? ", " : "") + words[i];
  return words.size() > most ? out + ", ..." : out;
}

[[noreturn]] void fail_to_find(const TaskDefinition& task, const Search& search,
                               const std::vector<std::string>& splits) {
  std::string message = "task " + task.name + ": no records found; looked for ";
  if (search.present.empty()) {
    throw InputError(message + (search.folders.size() > 1 ? "the folders " : "the folder ") +
                     listed(search.folders, 12));
  }
  std::vector<std::string> wanted;
  for (const auto& split : splits) {
    for (const auto& stem : stems(task, split)) wanted.push_back(stem);
  }
  message += listed(wanted, 24) +
             " (.jsonl, .jsonl.gz, .jsonl.zst, .parquet, whole or in shards -00000-of-00001)";
  for (const auto& folder : search.present)
    message += "; " + folder.string() + " holds " + listed(names_in(folder), 8);
  throw InputError(message);
}

TaskRecords find_records(const TaskDefinition& task, const fs::path& data,
                         const std::vector<std::string>& splits) {
  std::optional<fs::path> file;
  const Search search = search_folders(task, data, file);
  if (file) return {{*file}, splits.front(), {}};
  for (const auto& split : splits) {
    for (const auto& folder : search.present) {
      for (const auto& stem : stems(task, split)) {
        if (auto found = files_of_stem(folder, stem); !found.empty()) return {found, split, {}};
      }
    }
  }
  fail_to_find(task, search, splits);
}

bool is_kept(const TaskDefinition& task, const JsonView& record) {
  // A file may hold one subject alone, and then need not say so.
  return task.filter_field.empty() || !record.has(task.filter_field) ||
         record.at(task.filter_field).as_string() == task.filter_value;
}

/// Collects records; those with equal merge_by become one.
class Collector {
 public:
  Collector(const TaskDefinition& task, std::int64_t limit, std::vector<JsonDocument>& rows)
      : task_(task), limit_(limit), rows_(rows) {}

  bool is_done() const { return task_.merge_by.empty() && is_full(); }

  /// False when no further record can matter.
  bool take(JsonDocument&& document) {
    const JsonView record = document.view();
    if (!is_kept(task_, record)) return true;
    if (task_.prepare != TaskDefinition::Prepare::qmsum) return add(std::move(document));
    for (auto& made : qmsum_records(record, meetings_++)) {
      if (!add({std::make_unique<const Json>(std::move(made)), document.source})) return false;
    }
    return true;
  }

  void finish() {
    if (task_.merge_by.empty()) return;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      Json merged = *rows_[i].root;
      merged.erase("output");
      merged["outputs"] = std::move(outputs_[i]);
      rows_[i].root = std::make_unique<const Json>(std::move(merged));
    }
  }

 private:
  bool is_full() const { return limit_ >= 0 && static_cast<std::int64_t>(rows_.size()) >= limit_; }

  bool add(JsonDocument&& document) {
    if (task_.merge_by.empty()) {
      if (is_full()) return false;
      rows_.push_back(std::move(document));
      return true;
    }
    const JsonView record = document.view();
    const std::string key = record.at(task_.merge_by).as_string();
    const std::string output = record.at("output").as_string();
    auto found = places_.find(key);
    if (found == places_.end()) {
      if (is_full()) return true;  // further answers to kept records may follow
      found = places_.emplace(key, rows_.size()).first;
      rows_.push_back(std::move(document));
      outputs_.push_back(Json::array());
    }
    outputs_[found->second].push_back(output);
    return true;
  }

  const TaskDefinition& task_;
  std::int64_t limit_;
  std::vector<JsonDocument>& rows_;
  std::vector<Json> outputs_;
  std::map<std::string, std::size_t> places_;
  std::size_t meetings_ = 0;
};

}  // namespace

TaskRecords read_task_records(const TaskDefinition& task, const fs::path& data,
                              const std::vector<std::string>& splits, std::int64_t limit) {
  TaskRecords out = find_records(task, data, splits);
  Collector collector(task, limit, out.rows);
  for (const auto& file : out.files) {
    for_each_record(file, [&](JsonDocument&& d) { return collector.take(std::move(d)); });
    if (collector.is_done()) break;
  }
  collector.finish();
  if (out.rows.empty() && limit != 0)
    throw InputError(out.files.front().string() + ": no record for task " + task.name);
  return out;
}

}  // namespace engine
