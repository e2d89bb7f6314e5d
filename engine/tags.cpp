#include "engine/tags.h"

#include <algorithm>
#include <set>

namespace engine {

std::vector<std::string> tag_list(const std::string& tags) {
  constexpr char k_spaces[] = " \t\r\n";
  std::vector<std::string> out;
  for (std::size_t from = 0; from <= tags.size();) {
    const std::size_t end = std::min(tags.find(',', from), tags.size());
    const std::string part = tags.substr(from, end - from);
    const std::size_t first = part.find_first_not_of(k_spaces);
    if (first != std::string::npos)
      out.push_back(part.substr(first, part.find_last_not_of(k_spaces) - first + 1));
    from = end + 1;
  }
  return out;
}

bool has_tag(const std::string& tags, std::string_view tag) {
  const auto list = tag_list(tags);
  return std::find(list.begin(), list.end(), tag) != list.end();
}

std::string with_tag(const std::string& tags, std::string_view tag, bool on) {
  if (has_tag(tags, tag) == on) return tags;
  auto list = tag_list(tags);
  std::erase(list, tag);
  if (on) list.emplace_back(tag);
  std::string out;
  for (const std::string& one : list) out += (out.empty() ? "" : ", ") + one;
  return out;
}

std::string sweep_of(const std::string& tags) {
  for (const std::string& tag : tag_list(tags))
    if (tag.starts_with(k_sweep_tag)) return tag.substr(k_sweep_tag.size());
  return {};
}

std::string new_sweep_tag(std::string name, const std::vector<RunInfo>& runs) {
  std::replace(name.begin(), name.end(), ',', '-');
  std::set<std::string> taken;
  for (const RunInfo& run : runs) taken.insert(sweep_of(run.tags));
  const std::string stem = name;
  for (int i = 2; taken.contains(name); ++i) name = stem + "#" + std::to_string(i);
  return std::string(k_sweep_tag) + name;
}

}  // namespace engine
