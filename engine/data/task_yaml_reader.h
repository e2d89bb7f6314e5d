#pragma once
/// Strict reading of a task file's YAML: known keys only, each of its type, within limits. Shared by
/// the task files' own .cpp only. Everything throws InputError "source:line: what was expected".

#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

constexpr std::size_t k_max_task_list = 1000;
constexpr std::size_t k_max_task_choices = 64;

/// The one document of a text of at most 256 KiB, nested at most four deep.
YAML::Node task_yaml_root(std::string_view yaml, const std::string& source);

/// The file's top-level map, checked, and typed reads of its values. Where the file has subjects,
/// `<subject>` and `<subject words>` in texts stand for the one at hand.
class TaskYamlReader {
 public:
  using Strings = std::vector<std::string>;
  TaskYamlReader(const YAML::Node& root, const Strings& known, const std::string& source);

  void set_subject(const std::string& subject) { subject_ = subject; }
  bool has(const std::string& key) const { return values_.contains(key); }
  const YAML::Node& node(const std::string& key) const;

  [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const;
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;
  static std::string shown(const std::string& text);  ///< short and well-formed, for messages

  std::string text(const YAML::Node& node, const std::string& key) const;
  std::string text(const std::string& key) const { return text(node(key), key); }
  std::string text_or(const std::string& key, const std::string& fallback) const;
  Strings list(const std::string& key, std::size_t most) const;
  Strings one_or_more(const std::string& key) const;  ///< a list, or one text as a list of one
  std::int64_t integer(const std::string& key, std::int64_t least, std::int64_t most) const;
  std::string filled(const std::string& key) const;   ///< a template
  Strings filled_list(const std::string& key) const;  ///< templates
  std::string path(const std::string& key) const;

  /// The position of the value among the words.
  template <std::size_t N>
  std::size_t word(const std::string& key, const std::array<const char*, N>& words) const {
    return word(key, Strings(words.begin(), words.end()));
  }

 private:
  std::size_t word(const std::string& key, const Strings& words) const;
  void check_template(const YAML::Node& at, const std::string& key, const std::string& out) const;
  std::string with_subject(const std::string& raw) const;

  std::string source_, subject_;
  std::map<std::string, YAML::Node> values_;
};

}  // namespace engine
