#include <charconv>

#include "engine/data/task_prepare.h"
#include "engine/data/tasks.h"
#include "engine/data/utf8.h"

namespace engine {
namespace {

std::string trimmed(std::string_view text, bool left, bool right) {
  std::size_t begin = 0, end = text.size();
  while (left && begin < end) {
    std::size_t at = begin;
    if (!is_python_space(next_code_point(text, at))) break;
    begin = at;
  }
  while (right && end > begin) {
    std::size_t at = end;
    if (!is_python_space(previous_code_point(text, at))) break;
    end = at;
  }
  return std::string(text.substr(begin, end - begin));
}

std::string as_text(const JsonView& value) {
  if (value.raw().is_number_integer()) return std::to_string(value.as_integer());
  return value.as_string();
}

/// One step of a path: a key, or an index where the key is empty.
struct Step {
  std::string key;
  std::size_t index = 0;
};

/// The steps of one path without alternatives; `problem` is set where it is none.
std::vector<Step> steps_of(std::string_view path, std::string& problem) {
  std::vector<Step> out;
  for (std::size_t at = 0; at < path.size();) {
    if (path[at] == '[') {
      const auto close = path.find(']', at);
      const std::string_view digits =
          close == path.npos ? std::string_view() : path.substr(at + 1, close - at - 1);
      Step step;
      const auto end = digits.data() + digits.size();
      const auto read = std::from_chars(digits.data(), end, step.index);
      if (digits.empty() || digits.size() > 6 || read.ec != std::errc{} || read.ptr != end) {
        problem = "\"" + std::string(path) + "\": expected [number] in the path";
        return {};
      }
      out.push_back(step);
      at = close + 1;
    } else {
      if (path[at] == '.') ++at;
      const auto end = std::min(path.find_first_of(".[", at), path.size());
      out.push_back({std::string(path.substr(at, end - at))});
      if (out.back().key.empty()) {
        problem = "\"" + std::string(path) + "\": expected field names between the dots";
        return {};
      }
      at = end;
    }
  }
  if (out.empty()) problem = "expected the name of a field";
  return out;
}

std::vector<std::string_view> alternatives(std::string_view path) {
  std::vector<std::string_view> out;
  std::size_t at = 0;
  for (auto next = path.find(" or "); next != path.npos; next = path.find(" or ", at)) {
    out.push_back(path.substr(at, next - at));
    at = next + 4;
  }
  out.push_back(path.substr(at));
  return out;
}

bool has_path(const JsonView& record, std::string_view path) {
  std::string problem;
  const Json* value = &record.raw();
  for (const auto& step : steps_of(path, problem)) {
    if (step.key.empty()) {
      if (!value->is_array() || step.index >= value->size()) return false;
      value = &(*value)[step.index];
    } else {
      const auto found = value->is_object() ? value->find(step.key) : value->end();
      if (found == value->end() || found->is_null()) return false;
      value = &*found;
    }
  }
  return problem.empty();
}

/// A template's part: text as it stands, or a path with a filter.
struct Piece {
  std::string text, path, filter;
};

std::vector<Piece> pieces_of(const std::string& text, std::string& problem) {
  std::vector<Piece> out;
  const auto literal = [&](char c) {
    if (out.empty() || !out.back().path.empty()) out.emplace_back();
    out.back().text += c;
  };
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if ((c == '{' || c == '}') && at + 1 < text.size() && text[at + 1] == c) {
      literal(c);
      at += 2;
    } else if (c == '{') {
      const auto close = text.find('}', at);
      if (close == text.npos) {
        problem = "{ without }; a brace itself is written {{";
        return {};
      }
      const std::string inside = text.substr(at + 1, close - at - 1);
      const auto bar = inside.find('|');
      out.push_back({"", inside.substr(0, bar), bar == inside.npos ? "" : inside.substr(bar + 1)});
      const std::string& filter = out.back().filter;
      if (bar != inside.npos && filter != "trim" && filter != "ltrim" && filter != "rtrim")
        problem = "expected trim, ltrim or rtrim behind |";
      if (problem.empty()) problem = path_problem(out.back().path);
      if (!problem.empty()) return {};
      at = close + 1;
    } else {
      literal(c);
      ++at;
    }
  }
  return out;
}

/// "{{goal}}" is what the harness's own files say; here it would be text, silently.
void refuse_double_braces(const std::string& text, const JsonView& record) {
  for (auto at = text.find("{{"); at != text.npos; at = text.find("{{", at + 2)) {
    const auto close = text.find("}}", at);
    if (close == text.npos) return;
    const std::string inside = python_strip(std::string_view(text).substr(at + 2, close - at - 2));
    if (!inside.empty() && has_path(record, inside)) {
      record.fail("template \"" + text.substr(0, 200) + "\": write {" + inside +
                  "} with single braces for the field");
    }
  }
}

}  // namespace

std::string path_problem(const std::string& path) {
  std::string problem;
  for (const auto part : alternatives(path)) {
    if (problem.empty()) steps_of(part, problem);
  }
  return problem;
}

std::string template_problem(const std::string& text) {
  std::string problem;
  pieces_of(text, problem);
  return problem;
}

JsonView value_at(const JsonView& record, const std::string& path) {
  const auto parts = alternatives(path);
  std::string_view taken = parts.front();
  for (const auto part : parts) {
    if (has_path(record, part)) {
      taken = part;
      break;
    }
  }
  std::string problem;
  const auto steps = steps_of(taken, problem);
  if (!problem.empty()) record.fail(problem);
  JsonView value = record;
  for (const auto& step : steps) {
    if (!step.key.empty()) {
      value = value.at(step.key);
      continue;
    }
    const auto items = value.items();
    if (step.index >= items.size())
      value.fail("expected at least " + std::to_string(step.index + 1) + " entries");
    value = items[step.index];
  }
  return value;
}

std::string fill_template(const std::string& text, const JsonView& record) {
  std::string problem;
  const auto pieces = pieces_of(text, problem);
  if (!problem.empty()) record.fail("template \"" + text.substr(0, 200) + "\": " + problem);
  refuse_double_braces(text, record);
  std::string out;
  for (const auto& piece : pieces) {
    out += piece.text;
    if (piece.path.empty()) continue;
    const std::string value = as_text(value_at(record, piece.path));
    out += trimmed(value, piece.filter == "trim" || piece.filter == "ltrim",
                   piece.filter == "trim" || piece.filter == "rtrim");
  }
  return out;
}

}  // namespace engine
