#include "engine/data/task_yaml_reader.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "engine/data/tasks.h"
#include "engine/data/utf8.h"
#include "engine/error.h"
#include "engine/recipe_internal.h"

namespace engine {
namespace {

constexpr std::size_t k_max_bytes = 256 << 10;
constexpr std::size_t k_max_text = 64 << 10;
constexpr int k_max_depth = 4;

/// Looks a file's shape over before its nodes are built.
class Shape : public YAML::EventHandler {
 public:
  using Mark = YAML::Mark;
  using Style = YAML::EmitterStyle::value;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, YAML::anchor_t) override {}
  void OnAlias(const Mark&, YAML::anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const Mark& at, const std::string&, YAML::anchor_t, Style) override {
    open(at);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const Mark& at, const std::string&, YAML::anchor_t, Style) override { open(at); }
  void OnMapEnd() override { --depth_; }

 private:
  void open(const Mark& at) {
    if (++depth_ > k_max_depth) throw YAML::ParserException(at, "nested too deeply for a task");
  }
  int depth_ = 0;
};

/// LoadAll never ends on some texts, such as a stray "]": the parser gives documents without moving
/// on.
bool is_one_document(const std::string& yaml) {
  std::istringstream in(yaml);
  YAML::Parser parser(in);
  Shape shape;
  return parser.HandleNextDocument(shape) && !parser.HandleNextDocument(shape);
}

}  // namespace

YAML::Node task_yaml_root(std::string_view yaml, const std::string& source) {
  if (yaml.size() > k_max_bytes) throw InputError(source + ": a task file of more than 256 KiB");
  if (const auto bad = first_invalid_utf8(yaml))
    throw InputError(source + ": not valid UTF-8 at byte " + std::to_string(*bad));
  if (yaml.find('\0') != yaml.npos) throw InputError(source + ": a NUL byte, expected text");
  const std::string text(yaml);
  try {
    if (is_one_document(text)) return YAML::Load(text);
  } catch (const YAML::Exception& error) {
    throw InputError(source + ":" + std::to_string(std::max(error.mark.line, 0) + 1) + ": " +
                     error.msg);
  }
  throw InputError(source + ": expected one YAML document");
}

TaskYamlReader::TaskYamlReader(const YAML::Node& root, const Strings& known,
                               const std::string& source)
    : source_(source) {
  if (!root.IsMap()) fail(root, "expected keys and values, such as task: my_task");
  for (const auto& pair : root) {
    const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "";
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const std::string near = nearest(key, known);
      fail(pair.first, "unknown key \"" + shown(key) + "\"" +
                           (near.empty() ? "" : "; the nearest known key is \"" + near + "\""));
    }
    if (!values_.emplace(key, pair.second).second)
      fail(pair.first, "the key \"" + key + "\" stands twice");
  }
}

const YAML::Node& TaskYamlReader::node(const std::string& key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) throw InputError(source_ + ": expected the key \"" + key + "\"");
  return found->second;
}

void TaskYamlReader::fail(const YAML::Node& node, const std::string& what) const {
  throw InputError(source_ + ":" + std::to_string(std::max(node.Mark().line, 0) + 1) + ": " + what);
}

void TaskYamlReader::fail(const std::string& key, const std::string& what) const {
  fail(node(key), key + ": " + what);
}

std::string TaskYamlReader::shown(const std::string& text) {
  return utf8_lossy(text.substr(0, 60));
}

std::string TaskYamlReader::text(const YAML::Node& node, const std::string& key) const {
  if (!node.IsScalar())
    fail(node, key + ": expected text" + (node.IsNull() ? " (quote an empty one)" : ""));
  const std::string& raw = node.Scalar();
  if (raw.size() > k_max_text) fail(node, key + ": longer than 64 KiB");
  if (!is_valid_utf8(raw)) fail(node, key + ": not valid UTF-8");
  return with_subject(raw);
}

std::string TaskYamlReader::text_or(const std::string& key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

TaskYamlReader::Strings TaskYamlReader::list(const std::string& key, std::size_t most) const {
  const YAML::Node& value = node(key);
  if (!value.IsSequence()) fail(key, "expected a list");
  if (value.size() > most) fail(key, "expected at most " + std::to_string(most) + " entries");
  Strings out;
  for (const auto& item : value) out.push_back(text(item, key));
  return out;
}

TaskYamlReader::Strings TaskYamlReader::one_or_more(const std::string& key) const {
  Strings out = node(key).IsSequence() ? list(key, k_max_task_list) : Strings{text(key)};
  if (out.empty() || std::find(out.begin(), out.end(), "") != out.end())
    fail(key, "expected a name");
  return out;
}

std::int64_t TaskYamlReader::integer(const std::string& key, std::int64_t least,
                                     std::int64_t most) const {
  const std::string raw = text(key);
  std::int64_t value = 0;
  const char* end = raw.data() + raw.size();
  const auto read = std::from_chars(raw.data(), end, value);
  if (read.ec != std::errc{} || read.ptr != end || value < least || value > most) {
    fail(key, "expected a whole number from " + std::to_string(least) + " to " +
                  std::to_string(most) + ", found \"" + shown(raw) + "\"");
  }
  return value;
}

std::size_t TaskYamlReader::word(const std::string& key, const Strings& words) const {
  const std::string raw = text(key);
  std::string all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (raw == words[i]) return i;
    all += (i > 0 ? ", " : "") + words[i];
  }
  fail(key, "expected one of " + all + "; found \"" + shown(raw) + "\"");
}

std::string TaskYamlReader::filled(const std::string& key) const {
  const std::string out = text(key);
  check_template(node(key), key, out);
  return out;
}

TaskYamlReader::Strings TaskYamlReader::filled_list(const std::string& key) const {
  const Strings out = list(key, k_max_task_choices);
  if (out.empty()) fail(key, "expected at least one entry");
  for (std::size_t i = 0; i < out.size(); ++i) check_template(node(key)[i], key, out[i]);
  return out;
}

std::string TaskYamlReader::path(const std::string& key) const {
  const std::string out = text(key);
  if (const std::string problem = path_problem(out); !problem.empty()) fail(key, problem);
  return out;
}

void TaskYamlReader::check_template(const YAML::Node& at, const std::string& key,
                                    const std::string& out) const {
  if (const std::string problem = template_problem(out); !problem.empty())
    fail(at, key + ": " + problem);
}

std::string TaskYamlReader::with_subject(const std::string& raw) const {
  if (subject_.empty() || raw.find("<subject") == raw.npos) return raw;
  constexpr std::string_view name = "<subject>", spaced = "<subject words>";
  std::string out, words = subject_;
  std::replace(words.begin(), words.end(), '_', ' ');
  for (std::size_t at = 0; at < raw.size();) {
    const std::string_view rest = std::string_view(raw).substr(at);
    if (rest.starts_with(name)) {
      out += subject_;
      at += name.size();
    } else if (rest.starts_with(spaced)) {
      out += words;
      at += spaced.size();
    } else {
      out += raw[at++];
    }
  }
  return out;
}

}  // namespace engine
