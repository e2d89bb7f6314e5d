#include <fstream>
#include <iterator>

#include "engine/data/task_texts.h"
#include "engine/data/tasks.h"
#include "engine/error.h"
#include "engine/recipe_internal.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::streamsize k_max_file_bytes = 1 << 20;

void add_groups(std::vector<TaskGroup>& all, const std::vector<TaskGroup>& more) {
  for (const auto& group : more) {
    bool known = false;
    for (auto& one : all) {
      if (one.name != group.name) continue;
      one.tasks.insert(one.tasks.end(), group.tasks.begin(), group.tasks.end());
      known = true;
    }
    if (!known) all.push_back(group);
  }
}

const TaskFile& built_in() {
  static const TaskFile all = [] {
    TaskFile out;
    for (const TaskText* file = k_task_texts; file->name != nullptr; ++file) {
      TaskFile one = parse_task(file->text, file->name);
      for (auto& task : one.tasks) out.tasks.push_back(std::move(task));
      add_groups(out.groups, one.groups);
    }
    return out;
  }();
  return all;
}

/// "dir/own.yaml" or "dir/own.yaml:task", taken apart; nothing for other names.
struct FileName {
  fs::path path;
  std::string task;  ///< empty: all
};

bool is_yaml(const std::string& name) { return name.ends_with(".yaml") || name.ends_with(".yml"); }

std::optional<FileName> file_name(const std::string& name) {
  if (is_yaml(name)) return FileName{name, ""};
  const auto colon = name.rfind(':');
  if (colon == name.npos || !is_yaml(name.substr(0, colon))) return std::nullopt;
  return FileName{name.substr(0, colon), name.substr(colon + 1)};
}

TaskFile read_file(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) throw InputError(path.string() + ": no such task file");
  std::ifstream in(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(k_max_file_bytes), '\0');
  in.read(text.data(), k_max_file_bytes);
  if (in.bad() || (in.fail() && !in.eof())) throw InputError(path.string() + ": cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  TaskFile out = parse_task(text, path.string());
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  for (auto& task : out.tasks) task.folder = (error ? path : whole).parent_path();
  return out;
}

}  // namespace

const std::vector<TaskDefinition>& built_in_tasks() { return built_in().tasks; }

const std::vector<TaskGroup>& task_groups() { return built_in().groups; }

std::optional<TaskDefinition> find_task(const std::string& name) {
  const auto file = file_name(name);
  const TaskFile own = file ? read_file(file->path) : TaskFile{};
  if (file && file->task.empty() && own.tasks.size() == 1) return own.tasks.front();
  for (const auto& task : file ? own.tasks : built_in_tasks()) {
    if (task.name == (file ? file->task : name)) return task;
  }
  return std::nullopt;
}

std::optional<TaskGroup> find_group(const std::string& name) {
  for (const auto& group : task_groups()) {
    if (group.name == name) return group;
  }
  const auto file = file_name(name);
  if (!file || !file->task.empty()) return std::nullopt;
  const TaskFile own = read_file(file->path);
  if (own.tasks.size() < 2) return std::nullopt;
  TaskGroup out{
      file->path.stem().string(), {}, own.groups.empty() || own.groups.front().weight_by_size};
  for (const auto& task : own.tasks) out.tasks.push_back(task.name);
  return out;
}

std::vector<std::string> expand_task_name(const std::string& name) {
  for (const char* chinese :
       {"longbench_dureader", "longbench_vcsum", "longbench_multifieldqa_zh"}) {
    if (name == chinese)
      throw InputError("the task \"" + name +
                       "\" is measured on Chinese words (jieba), which this program cannot cut");
  }
  if (const auto file = file_name(name)) {
    std::vector<std::string> names;
    for (const auto& task : read_file(file->path).tasks) names.push_back(task.name);
    if (file->task.empty() && names.size() == 1) return {name};
    std::vector<std::string> out;
    for (const auto& task : names) {
      if (file->task.empty() || file->task == task) out.push_back(file->path.string() + ":" + task);
    }
    if (!out.empty()) return out;
    const std::string near = nearest(file->task, names);
    throw InputError(file->path.string() + ": no task \"" + file->task.substr(0, 100) + "\"" +
                     (near.empty() ? "" : "; the nearest one is \"" + near + "\""));
  }
  if (find_task(name)) return {name};
  if (const auto group = find_group(name)) return group->tasks;
  std::vector<std::string> known;
  for (const auto& group : task_groups()) known.push_back(group.name);
  for (const auto& task : built_in_tasks()) known.push_back(task.name);
  const std::string near = nearest(name.substr(0, 100), known);
  throw InputError("unknown task \"" + name.substr(0, 100) + "\"" +
                   (near.empty() ? "" : "; the nearest known one is \"" + near + "\"") +
                   "; an own task is the path of its .yaml file");
}

}  // namespace engine
