#include <yaml-cpp/yaml.h>

#include <openssl/evp.h>

#include <array>

#include "engine/data/tasks.h"
#include "engine/error.h"
#include "engine/hash_text.h"

namespace engine {
namespace {

using Strings = std::vector<std::string>;

/// Writes keys in one fixed order, texts always quoted, so that equal definitions give equal text.
class Writer {
 public:
  Writer() { out_ << YAML::BeginMap; }
  void text(const char* key, const std::string& value, const std::string& usual = "") {
    if (value != usual) out_ << YAML::Key << key << YAML::Value << YAML::DoubleQuoted << value;
  }
  void word(const char* key, const char* value) {
    out_ << YAML::Key << key << YAML::Value << value;
  }
  void number(const char* key, std::int64_t value, std::int64_t usual) {
    if (value != usual) out_ << YAML::Key << key << YAML::Value << value;
  }
  void list(const char* key, const Strings& values) {
    if (values.empty()) return;
    out_ << YAML::Key << key << YAML::Value << YAML::BeginSeq;
    for (const auto& value : values) out_ << YAML::DoubleQuoted << value;
    out_ << YAML::EndSeq;
  }
  std::string finish() {
    out_ << YAML::EndMap;
    return std::string(out_.c_str()) + "\n";
  }
  YAML::Emitter& out() { return out_; }

 private:
  YAML::Emitter out_;
};

void write_choices(const TaskDefinition& task, Writer& out) {
  out.list("contexts", task.contexts);
  out.text("continuation", task.continuation);
  out.list("choices", task.choices);
  out.text("choices", task.choices_field);
  out.text("answer", task.gold);
  out.number("answer", task.gold_fixed, -1);
  out.list("answer_labels", task.gold_labels);
  out.text("answer_labels", task.gold_labels_field);
  out.number("answer_base", task.gold_base, 0);
}

void write_generation(const TaskDefinition& task, Writer& out) {
  const TaskDefinition usual;
  out.text("answers", task.answers);
  out.list("classes", task.classes);
  out.text("classes", task.classes_field);
  out.list("until", task.until);
  out.list("choose", task.choose);
  out.text("if_empty", task.if_empty);
  out.number("max_tokens", task.max_tokens, usual.max_tokens);
  if (task.truncation == Truncation::middle) out.word("truncation", "middle");
}

}  // namespace

std::string task_text(const TaskDefinition& task) {
  constexpr std::array kinds{"multiple_choice", "last_word", "rolling", "generate"};
  constexpr std::array prepares{"none",     "hellaswag", "winogrande", "lambada", "copa",
                                "wikitext", "scrolls",   "qmsum",      "quality"};
  const TaskDefinition usual;
  Writer out;
  out.text("task", task.name);
  out.word("kind", kinds[static_cast<std::size_t>(task.kind)]);
  out.text("version", task.version);
  out.list("dataset", task.datasets);
  out.list("config", task.configs);
  out.text("split", task.split);
  out.text("shots_split", task.shots_split);
  if (task.shots_in_order) out.word("sampler", "first_n");
  out.text("description", task.description);
  out.text("context", task.context);
  write_choices(task, out);
  out.text("delimiter", task.delimiter, usual.delimiter);
  if (!task.filter_field.empty()) {
    out.out() << YAML::Key << "only" << YAML::Value << YAML::BeginMap << YAML::Key
              << YAML::DoubleQuoted << task.filter_field << YAML::Value << YAML::DoubleQuoted
              << task.filter_value << YAML::EndMap;
  }
  if (task.prepare != TaskDefinition::Prepare::none)
    out.word("prepare", prepares[static_cast<std::size_t>(task.prepare)]);
  out.text("merge_by", task.merge_by);
  out.text("counted", task.counted);
  out.list("metrics", task.metrics);
  write_generation(task, out);
  return out.finish();
}

std::string task_hash(const TaskDefinition& task) {
  return short_hash(task_text(task));
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    throw std::runtime_error("SHA-256 is not available in the system's libcrypto");
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (unsigned int i = 0; i < size; ++i) {
    out += digits[digest[i] >> 4];
    out += digits[digest[i] & 15];
  }
  return out;
}

std::string prompt_hash(const TaskExample& example) {
  if (example.requests.empty()) return sha256_hex("");
  const TaskRequest& first = example.requests.front();
  return sha256_hex(first.context.empty() && example.bytes > 0 ? first.continuation
                                                               : first.context);
}

}  // namespace engine
