#include "engine/interop/field_table.h"

#include <algorithm>

namespace engine {

FieldTable::FieldTable(std::string file, const YAML::Node& root) : file_(std::move(file)) {
  flatten(root, "", 0);
  answered_.assign(fields.size(), false);
}

void FieldTable::flatten(const YAML::Node& node, const std::string& path, int depth) {
  if (node.IsMap() && node.size() > 0 && depth < 32) {
    for (const auto& pair : node) {
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "?";
      flatten(pair.second, path.empty() ? key : path + "." + key, depth + 1);
    }
    return;
  }
  fields.push_back({file_, path, yaml_text(node).value_or("(nested)"), Reading::ignored, "", ""});
}

std::optional<std::size_t> FieldTable::index(const std::string& path) const {
  const auto found = std::ranges::find(fields, path, &ForeignField::path);
  return found == fields.end() ? std::nullopt
                               : std::optional(static_cast<std::size_t>(found - fields.begin()));
}

std::string FieldTable::text(const std::string& path) const {
  const auto at = index(path);
  if (!at || fields[*at].value == "null" || fields[*at].value == "~") return "";
  return fields[*at].value;
}

void FieldTable::answer(const std::string& path, Reading reading, const std::string& why) {
  const auto at = index(path);
  if (!at || *at >= answered_.size()) return;
  answered_[*at] = true;
  fields[*at].reading = reading;
  fields[*at].why = why;
}

void FieldTable::becomes(const std::string& path, const std::string& key, const std::string& value,
                         const std::string& why) {
  if (!has(path)) return;
  answer(path, Reading::understood, why);
  assignments.push_back({key, value, *index(path)});
}

void FieldTable::chosen(const std::string& path, const std::string& key, const std::string& value,
                        const std::string& why) {
  becomes(path, key, value, why);
  answer(path, Reading::ambiguous, why);
}

void FieldTable::code(const std::string& key, const std::string& value, const std::string& why,
                      Reading reading) {
  fields.push_back({file_, "(code)", "", reading, "", why});
  assignments.push_back({key, value, fields.size() - 1});
}

void FieldTable::ignore_below(const std::string& path, const std::string& why) {
  for (std::size_t i = 0; i < answered_.size(); ++i)
    if (!answered_[i] &&
        (path.empty() || fields[i].path == path || fields[i].path.starts_with(path + ".")))
      answer(fields[i].path, Reading::ignored, why);
}

}  // namespace engine
