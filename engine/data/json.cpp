#include "engine/data/json.h"

#include <cmath>

#include "engine/data/mapped_file.h"
#include "engine/error.h"

namespace engine {
namespace {

/// Builds the document while watching depth and duplicate keys, which nlohmann's own builder lets
/// through.
class GuardedBuilder : public nlohmann::json_sax<Json> {
 public:
  GuardedBuilder(Json& root, int max_depth) : root_(root), max_depth_(max_depth) {}

  const std::string& problem() const { return problem_; }

  bool null() override { return place(Json(nullptr)) != nullptr; }
  bool boolean(bool v) override { return place(Json(v)) != nullptr; }
  bool number_integer(number_integer_t v) override { return place(Json(v)) != nullptr; }
  bool number_unsigned(number_unsigned_t v) override { return place(Json(v)) != nullptr; }
  bool number_float(number_float_t v, const string_t&) override {
    return place(Json(v)) != nullptr;
  }
  bool string(string_t& v) override { return place(Json(std::move(v))) != nullptr; }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& v) override {
    auto [it, inserted] = open_.back()->get_ref<Json::object_t&>().emplace(std::move(v), nullptr);
    if (!inserted) {
      problem_ = "duplicate key \"" + it->first.substr(0, 100) + "\"";
      return false;
    }
    slot_ = &it->second;
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    problem_ = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 5: ..." says its own name
    // first.
    if (auto at = problem_.find(" at line "); at != std::string::npos) {
      problem_.erase(0, at + 4);
    } else if (auto bracket = problem_.find("] "); bracket != std::string::npos) {
      problem_.erase(0, bracket + 2);
    }
    constexpr std::size_t k_longest = 300;
    if (problem_.size() > k_longest) problem_ = problem_.substr(0, k_longest) + " ...";
    return false;
  }

 private:
  Json* place(Json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<Json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    *slot_ = std::move(value);
    return slot_;
  }
  bool open(Json&& value) {
    if (static_cast<int>(open_.size()) >= max_depth_) {
      problem_ = "nested deeper than " + std::to_string(max_depth_) + " levels";
      return false;
    }
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json& root_;
  int max_depth_;
  std::vector<Json*>
      open_;  // stays valid: a container moves only while none of its children is open
  Json* slot_ = nullptr;
  std::string problem_;
};

std::string escaped_token(std::string_view key) {
  std::string out;
  for (char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  constexpr std::size_t k_longest = 200;
  return out.size() > k_longest ? out.substr(0, k_longest) + "..." : out;
}

}  // namespace

Json parse_json(std::string_view text, const std::string& source, JsonLimits limits) {
  if (text.size() > limits.max_bytes) {
    throw InputError(source + ": " + std::to_string(text.size()) +
                     " bytes of JSON, expected at most " + std::to_string(limits.max_bytes));
  }
  // The lexer takes a NUL byte for the end of the input and would ignore what follows.
  if (auto nul = text.find('\0'); nul != std::string_view::npos) {
    throw InputError(source + ": byte " + std::to_string(nul) + ": NUL byte, expected JSON text");
  }
  Json root;
  GuardedBuilder builder(root, limits.max_depth);
  if (!Json::sax_parse(text, &builder)) {
    throw InputError(source + ": " +
                     (builder.problem().empty() ? "not valid JSON" : builder.problem()));
  }
  return root;
}

JsonDocument parse_json_document(std::string_view text, const std::string& source,
                                 JsonLimits limits) {
  return {std::make_unique<const Json>(parse_json(text, source, limits)), source};
}

JsonDocument read_json(const std::filesystem::path& path, JsonLimits limits) {
  const MappedFile file(path);
  return parse_json_document(file.text(), path.string(), limits);
}

JsonView::JsonView(const Json& value, std::string source, std::string pointer)
    : value_(&value), source_(std::move(source)), pointer_(std::move(pointer)) {}

std::string JsonView::place() const {
  return pointer_.empty() ? source_ : source_ + ": " + pointer_;
}

void JsonView::fail(const std::string& what) const { throw InputError(place() + ": " + what); }

JsonView JsonView::child(const Json& value, const std::string& token) const {
  return {value, source_, pointer_ + "/" + token};
}

const std::string& JsonView::as_string() const {
  if (!value_->is_string()) fail("expected a string");
  return value_->get_ref<const std::string&>();
}

bool JsonView::as_bool() const {
  if (!value_->is_boolean()) fail("expected true or false");
  return value_->get<bool>();
}

double JsonView::as_number() const {
  if (!value_->is_number()) fail("expected a number");
  const double number = value_->get<double>();
  if (!std::isfinite(number)) fail("expected a finite number");
  return number;
}

std::int64_t JsonView::as_integer(std::int64_t min, std::int64_t max) const {
  std::string expected = "expected a whole number";
  if (min != INT64_MIN || max != INT64_MAX) {
    expected += min == INT64_MIN   ? " of at most " + std::to_string(max)
                : max == INT64_MAX ? " of at least " + std::to_string(min)
                                   : " from " + std::to_string(min) + " to " + std::to_string(max);
  }
  if (!value_->is_number_integer()) fail(expected);
  if (value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    fail(expected);
  }
  const auto number = value_->get<std::int64_t>();
  if (number < min || number > max) fail(expected + ", found " + std::to_string(number));
  return number;
}

bool JsonView::has(std::string_view key) const {
  return value_->is_object() && find(key).has_value();
}

JsonView JsonView::at(std::string_view key) const {
  if (!value_->is_object()) fail("expected an object");
  auto it = value_->find(std::string(key));
  if (it == value_->end()) fail("expected the key \"" + std::string(key) + "\"");
  return child(*it, escaped_token(key));
}

std::optional<JsonView> JsonView::find(std::string_view key) const {
  if (!value_->is_object()) fail("expected an object");
  auto it = value_->find(std::string(key));
  if (it == value_->end() || it->is_null()) return std::nullopt;
  return child(*it, escaped_token(key));
}

std::vector<JsonView> JsonView::items() const {
  if (!value_->is_array()) fail("expected an array");
  std::vector<JsonView> out;
  out.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i)
    out.push_back(child((*value_)[i], std::to_string(i)));
  return out;
}

std::vector<std::pair<std::string, JsonView>> JsonView::fields() const {
  if (!value_->is_object()) fail("expected an object");
  std::vector<std::pair<std::string, JsonView>> out;
  out.reserve(value_->size());
  for (const auto& [key, value] : value_->get_ref<const Json::object_t&>()) {
    out.emplace_back(key, child(value, escaped_token(key)));
  }
  return out;
}

std::string JsonView::string_or(std::string_view key, std::string fallback) const {
  const auto found = find(key);
  return found ? found->as_string() : std::move(fallback);
}

bool JsonView::bool_or(std::string_view key, bool fallback) const {
  const auto found = find(key);
  return found ? found->as_bool() : fallback;
}

double JsonView::number_or(std::string_view key, double fallback) const {
  const auto found = find(key);
  return found ? found->as_number() : fallback;
}

std::int64_t JsonView::integer_or(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max) const {
  const auto found = find(key);
  return found ? found->as_integer(min, max) : fallback;
}

}  // namespace engine
