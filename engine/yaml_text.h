#pragma once
/// YAML values as the text that recipe fields read. Inner header; the only one that shows yaml-cpp.

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>

namespace engine {

/// A scalar as written, "" for null, a list of scalars joined by ", "; nothing for anything else.
inline std::optional<std::string> yaml_text(const YAML::Node& node) {
  if (node.IsNull()) return "";
  if (node.IsScalar()) return node.Scalar();
  if (!node.IsSequence()) return std::nullopt;
  std::string joined;
  for (const auto& item : node) {
    if (!item.IsScalar()) return std::nullopt;
    joined += (joined.empty() ? "" : ", ") + item.Scalar();
  }
  return joined;
}

}  // namespace engine
