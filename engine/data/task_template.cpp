#include "engine/data/tasks.h"
#include "engine/data/utf8.h"

namespace engine {
namespace {

/// Python's str.isspace, which also counts the four separators 1C to 1F.
bool is_python_space(char32_t c) { return is_unicode_space(c) || (c >= 0x1C && c <= 0x1F); }

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

}  // namespace

JsonView value_at(const JsonView& record, const std::string& path) {
  JsonView value = record;
  std::size_t at = 0;
  while (at < path.size()) {
    if (path[at] == '[') {
      const auto close = path.find(']', at);
      const std::string digits = close == path.npos ? "" : path.substr(at + 1, close - at - 1);
      if (digits.empty() || digits.size() > 6 ||
          digits.find_first_not_of("0123456789") != digits.npos) {
        record.fail("\"" + path + "\": expected [number] in the path");
      }
      const auto items = value.items();
      const auto index = static_cast<std::size_t>(std::stoul(digits));
      if (index >= items.size())
        value.fail("expected at least " + std::to_string(index + 1) + " entries");
      value = items[index];
      at = close + 1;
    } else {
      if (path[at] == '.') ++at;
      const auto end = std::min(path.find_first_of(".[", at), path.size());
      value = value.at(path.substr(at, end - at));
      at = end;
    }
  }
  return value;
}

std::string fill_template(const std::string& text, const JsonView& record) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if ((text[at] == '{' || text[at] == '}') && at + 1 < text.size() && text[at + 1] == text[at]) {
      out += text[at];
      at += 2;
    } else if (text[at] == '{') {
      const auto close = text.find('}', at);
      if (close == text.npos) record.fail("template \"" + text + "\": { without }");
      const std::string inside = text.substr(at + 1, close - at - 1);
      const auto bar = inside.find('|');
      const std::string filter = bar == inside.npos ? "" : inside.substr(bar + 1);
      if (!filter.empty() && filter != "trim" && filter != "ltrim" && filter != "rtrim") {
        record.fail("template \"" + text + "\": expected trim, ltrim or rtrim behind |");
      }
      const std::string value = as_text(value_at(record, inside.substr(0, bar)));
      out += trimmed(value, filter == "trim" || filter == "ltrim",
                     filter == "trim" || filter == "rtrim");
      at = close + 1;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace engine
