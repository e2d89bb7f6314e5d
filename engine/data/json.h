#pragma once
/// The one guarded door to JSON. Files come from strangers, so size, nesting and duplicate keys are
/// checked while parsing, and every typed read names file and JSON pointer when it fails.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace engine {

using Json = nlohmann::json;

struct JsonLimits {
  std::size_t max_bytes = std::size_t{64} << 20;
  int max_depth = 64;  ///< nesting of objects and arrays together
};
inline constexpr JsonLimits k_config_limits{std::size_t{4} << 20,
                                            16};  ///< for small configuration files

/// One value of a parsed document and the place where it stands. Refers to the document, which must
/// outlive it. Every accessor throws InputError "<source>: <pointer>: expected <what>" where the
/// value is of another kind.
class JsonView {
 public:
  JsonView(const Json& value, std::string source, std::string pointer = "");

  const Json& raw() const { return *value_; }
  const std::string& source() const { return source_; }
  std::string place() const;                              ///< "config.json: /rope_scaling/factor"
  [[noreturn]] void fail(const std::string& what) const;  ///< throws InputError "<place>: <what>"

  bool is_null() const { return value_->is_null(); }
  bool is_object() const { return value_->is_object(); }
  bool is_array() const { return value_->is_array(); }
  bool is_string() const { return value_->is_string(); }

  const std::string& as_string() const;
  bool as_bool() const;
  double as_number() const;  ///< integers included; always finite
  /// A whole number written without point or exponent, within [min, max].
  std::int64_t as_integer(std::int64_t min = INT64_MIN, std::int64_t max = INT64_MAX) const;

  bool has(std::string_view key) const;     ///< present and not null; false on non-objects
  JsonView at(std::string_view key) const;  ///< must be present (null allowed)
  std::optional<JsonView> find(std::string_view key) const;      ///< nothing where absent or null
  std::vector<JsonView> items() const;                           ///< of an array
  std::vector<std::pair<std::string, JsonView>> fields() const;  ///< of an object, sorted by key

  /// Absent or null gives the fallback; another kind throws.
  std::string string_or(std::string_view key, std::string fallback) const;
  bool bool_or(std::string_view key, bool fallback) const;
  double number_or(std::string_view key, double fallback) const;
  std::int64_t integer_or(std::string_view key, std::int64_t fallback, std::int64_t min = INT64_MIN,
                          std::int64_t max = INT64_MAX) const;

 private:
  JsonView child(const Json& value, const std::string& token) const;

  const Json* value_;
  std::string source_;
  std::string pointer_;
};

/// A parsed document that knows its name.
struct JsonDocument {
  std::unique_ptr<const Json> root;  ///< on the heap, so that views survive a move
  std::string source;
  JsonView view() const { return {*root, source}; }
};

/// Parses one JSON text. Refused with InputError (source, line and column): syntax errors, anything
/// after the value, NUL bytes, invalid UTF-8, duplicate keys, numbers beyond double, more bytes or
/// nesting than allowed.
Json parse_json(std::string_view text, const std::string& source, JsonLimits limits = {});
JsonDocument parse_json_document(std::string_view text, const std::string& source,
                                 JsonLimits limits = {});

/// Reads a regular file and parses it. Messages name the whole path.
JsonDocument read_json(const std::filesystem::path& path, JsonLimits limits = {});

}  // namespace engine
