#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

#include "engine/hash_text.h"
#include "engine/recipe.h"
#include "engine/recipe_internal.h"

namespace engine {
namespace {

constexpr std::size_t k_max_bytes = 1 << 20;
constexpr int k_max_depth = 32;
constexpr int k_max_leaves = 20000;
constexpr std::size_t k_max_stages = 64;

std::string trim(const std::string& s) {
  const auto a = s.find_first_not_of(" \t\r\n"), b = s.find_last_not_of(" \t\r\n");
  return a == std::string::npos ? "" : s.substr(a, b - a + 1);
}

/// "25M", "1e-2", "50 steps": a number, an optional factor (k, M, G, B) and an optional unit of letters.
std::optional<double> read_number(const std::string& text) {
  const std::string s = trim(text);
  double value = 0;
  const char* begin = s.data() + (s.starts_with('+') ? 1 : 0);
  auto [end, error] = std::from_chars(begin, s.data() + s.size(), value);
  if (error != std::errc{}) return std::nullopt;
  std::string rest = trim(std::string(end, s.data() + s.size()));
  static const std::map<char, double> factors = {{'k', 1e3}, {'K', 1e3}, {'M', 1e6}, {'G', 1e9}, {'B', 1e9}};
  if (rest.size() == 1 && factors.count(rest[0])) return value * factors.at(rest[0]);
  if (rest.empty() || rest == "steps" || rest == "step" || rest == "tokens" || rest == "epochs") return value;
  return std::nullopt;
}

std::optional<std::int64_t> read_integer(const std::string& text) {
  const std::string s = trim(text);
  std::int64_t exact = 0;
  auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), exact);
  if (error == std::errc{} && end == s.data() + s.size()) return exact;
  const auto number = read_number(s);
  if (!number || std::floor(*number) != *number || std::fabs(*number) > 9e15) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

std::vector<std::string> split_list(const std::string& text) {
  std::string s = trim(text);
  if (s.size() >= 2 && s.front() == '[' && s.back() == ']') s = s.substr(1, s.size() - 2);
  std::vector<std::string> parts;
  std::stringstream in(s);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(trim(part));
  return parts;
}

template <class T, class Read>
std::optional<Value> read_list(const std::string& text, Read read) {
  std::vector<T> values;
  for (const auto& part : split_list(text)) {
    const auto v = read(part);
    if (!v) return std::nullopt;
    values.push_back(*v);
  }
  return Value(values);
}

const char* expected(const Value& like) {
  static const std::array<const char*, 7> words = {
      "true or false", "a whole number", "a number", "text", "a list of whole numbers", "a list of numbers",
      "a list of words"};
  return words[like.index()];
}

/// "stages.0.epochs" → "stages[0].epochs"
std::string canonical_path(const std::string& path) {
  if (!path.starts_with("stages.")) return path;
  const auto end = path.find('.', 7);
  const std::string index = path.substr(7, end - 7);
  if (index.empty() || !std::all_of(index.begin(), index.end(), ::isdigit)) return path;
  return "stages[" + index + "]" + (end == std::string::npos ? "" : path.substr(end));
}

std::optional<Problem> assign(Field& field, const std::string& text) {
  const auto value = from_text(text, field.fallback);
  if (!value) {
    return Problem{field.info.path,
                   "expected " + std::string(expected(field.fallback)) + ", found \"" + text.substr(0, 80) + "\""};
  }
  field.set(*value);
  return std::nullopt;
}

Problem unknown_key(const std::string& path, const std::vector<Field>& known) {
  std::vector<std::string> paths;
  for (const auto& f : known) paths.push_back(f.info.path);
  const std::string near = nearest(path, paths);
  return {path, "unknown key" + (near.empty() ? "" : "; the nearest known key is \"" + near + "\"")};
}

// ---- reading YAML ---------------------------------------------------------------------------------------------------

struct Leaf {
  std::string path, text;
  int line = 0;
};

std::string node_text(const YAML::Node& node) {
  if (node.IsNull()) return "";
  if (node.IsScalar()) return node.Scalar();
  std::string joined;
  for (const auto& item : node) {
    if (!item.IsScalar()) return "(nested list)";
    joined += (joined.empty() ? "" : ", ") + item.Scalar();
  }
  return joined;
}

void collect(const YAML::Node& node, const std::string& path, int depth, std::vector<Leaf>& leaves,
             std::vector<Problem>& problems) {
  if (depth > k_max_depth || leaves.size() > k_max_leaves) {
    if (problems.empty()) problems.push_back({path, "nested too deeply or too long for a recipe"});
    return;
  }
  if (!node.IsMap()) {
    leaves.push_back({path, node_text(node), node.Mark().line + 1});
    return;
  }
  std::vector<std::string> seen;
  for (const auto& pair : node) {
    const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "?";
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      problems.push_back({path + key, "the key stands twice (line " + std::to_string(pair.first.Mark().line + 1) + ")"});
    seen.push_back(key);
    const std::string child = path.empty() ? key : path + "." + key;
    if (child == "stages" && pair.second.IsSequence()) {
      for (std::size_t i = 0; i < pair.second.size(); ++i) {
        const std::string stage = "stages[" + std::to_string(i) + "]";
        if (pair.second[i].IsMap()) collect(pair.second[i], stage, depth + 1, leaves, problems);
        else problems.push_back({stage, "expected a stage such as {kind: transfer, epochs: 1}"});
      }
    } else {
      collect(pair.second, child, depth + 1, leaves, problems);
    }
  }
}

/// yaml-cpp recurses while it reads, so the depth is bounded before it sees the text.
bool too_deep(const std::string& yaml) {
  int flow = 0;
  std::stringstream in(yaml);
  for (std::string line; std::getline(in, line);) {
    int dashes = 0;
    std::size_t i = line.find_first_not_of(' ');
    if (i != std::string::npos && i > 2 * k_max_depth * 4) return true;
    while (i != std::string::npos && i + 1 < line.size() && (line[i] == '-' || line[i] == '?') && line[i + 1] == ' ') {
      ++dashes;
      i += 2;
    }
    for (char c : line) flow += (c == '[' || c == '{') - (c == ']' || c == '}');
    if (dashes > k_max_depth || flow > k_max_depth) return true;
  }
  return false;
}

void apply(ParsedRecipe& parsed, std::vector<Leaf> leaves) {
  std::size_t stages = 0;
  for (const auto& leaf : leaves)
    if (leaf.path.starts_with("stages[")) stages = std::max<std::size_t>(stages, std::stoul(leaf.path.substr(7)) + 1);
  if (stages > k_max_stages) {
    parsed.problems.push_back({"stages", "at most 64 stages"});
    return;
  }
  parsed.recipe.stages.assign(stages, StageSpec{});
  std::stable_sort(leaves.begin(), leaves.end(),
                   [](const Leaf& a, const Leaf& b) { return key_rank(a.path) < key_rank(b.path); });
  int rank = -1;
  std::vector<Field> known;
  for (const auto& leaf : leaves) {
    if (key_rank(leaf.path) != rank) {
      known = fields(parsed.recipe);
      rank = key_rank(leaf.path);
    }
    auto field = std::find_if(known.begin(), known.end(), [&](const Field& f) { return f.info.path == leaf.path; });
    std::optional<Problem> problem;
    if (field == known.end()) problem = unknown_key(leaf.path, known);
    else problem = assign(*field, leaf.text);
    if (problem) {
      problem->message += " (line " + std::to_string(leaf.line) + ")";
      parsed.problems.push_back(*problem);
    }
  }
}

// ---- writing YAML ---------------------------------------------------------------------------------------------------

std::string yaml_word(const std::string& s) {
  static const std::vector<std::string> reserved = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  std::string lower = s;
  std::transform(lower.begin(), lower.end(), lower.begin(), ::tolower);
  const bool plain = !s.empty() && (std::isalpha(static_cast<unsigned char>(s[0])) || s[0] == '/') && s.back() != ':' &&
                     std::all_of(s.begin(), s.end(), [](unsigned char c) { return std::isalnum(c) || std::string_view("_-./:+").find(static_cast<char>(c)) != std::string_view::npos; }) &&
                     std::find(reserved.begin(), reserved.end(), lower) == reserved.end();
  if (plain) return s;
  std::string quoted = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (c == '\n') quoted += "\\n";
    else if (c == '\t') quoted += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20) quoted += ' ';
    else quoted += c;
  }
  return quoted + "\"";
}

std::string yaml_value(const Value& value) {
  if (const auto* s = std::get_if<std::string>(&value)) return yaml_word(*s);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    std::string joined;
    for (const auto& s : *list) joined += (joined.empty() ? "" : ", ") + yaml_word(s);
    return "[" + joined + "]";
  }
  return value.index() >= 4 ? "[" + to_text(value) + "]" : to_text(value);
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  std::stringstream in(path);
  for (std::string part; std::getline(in, part, '.');) parts.push_back(part);
  return parts;
}

std::string write(const Recipe& recipe, bool everything, bool (*left_out)(std::string_view path) = [](std::string_view) { return false; }) {
  Recipe copy = recipe;
  std::string out;
  std::vector<std::string> open;  // the sections that stand open above the next line
  for (const auto& f : fields(copy)) {
    const bool stage_kind = f.info.path.starts_with("stages[") && f.info.path.ends_with("].kind");
    if (left_out(f.info.path)) continue;
    if (!everything && !stage_kind && f.info.path != "name" && f.get() == f.fallback) continue;
    auto parts = split_path(f.info.path);
    const bool in_stage = parts[0].starts_with("stages[");
    std::size_t same = 0;
    while (same + 1 < parts.size() && same < open.size() && open[same] == parts[same]) ++same;
    open.resize(same);
    bool first_of_stage = false;
    for (std::size_t i = same; i + 1 < parts.size(); ++i) {
      if (in_stage && i == 0) {
        if (parts[0] == "stages[0]") out += "stages:\n";
        first_of_stage = true;
      } else {
        out += std::string((in_stage ? i + 1 : i) * 2, ' ') + parts[i] + ":\n";
      }
      open.push_back(parts[i]);
    }
    const std::size_t indent = (parts.size() - 1) * 2 + (in_stage ? 2 : 0);
    std::string lead(indent, ' ');
    if (first_of_stage) lead = "  - ";
    out += lead + parts.back() + ": " + yaml_value(f.get()) + "\n";
  }
  return out;
}

}  // namespace

int key_rank(const std::string& path) {
  const std::string p = canonical_path(path);
  if (p.ends_with("].kind") || p.ends_with("mixing.kind")) return 0;
  for (const char* end : {".preset", ".trainable", ".objective", "lr_schedule.kind"})
    if (p.ends_with(end)) return 1;
  for (const char* end : {"feature_map.activation", "feature_map.negation", "feature_map.bias", "evaluation.shots"})
    if (p.ends_with(end)) return 2;
  return 3;
}

std::optional<std::string> unreadable_yaml(const std::string& text) {
  if (text.size() <= k_max_bytes && !too_deep(text)) return std::nullopt;
  return "too long or nested too deeply for a recipe (1 MB, 32 levels)";
}

std::optional<std::string> recipe_file_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(file, ignored)) return std::nullopt;
  std::string text(k_max_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  // A key is often right but in the wrong section, so its last part is compared too.
  auto tail = [](const std::string& s) { return s.substr(s.rfind('.') == std::string::npos ? 0 : s.rfind('.') + 1); };
  auto distance = [](const std::string& a, const std::string& b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= b.size(); ++j) {
        const std::size_t up = row[j];
        row[j] = std::min({up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
        diagonal = up;
      }
    }
    return row[b.size()];
  };
  std::string best;
  double least = 1e9;
  for (const auto& k : known) {
    const double whole = static_cast<double>(distance(word.substr(0, 200), k));
    const double last = static_cast<double>(distance(tail(word.substr(0, 200)), tail(k))) + 0.5;
    if (std::min(whole, last) < least) {
      least = std::min(whole, last);
      best = k;
    }
  }
  return least <= std::max<double>(3, static_cast<double>(word.size()) / 3) ? best : "";
}

std::string to_text(const Value& value) {
  auto number = [](double v) -> std::string {
    if (std::isnan(v)) return "nan";
    if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
    std::array<char, 32> buffer;
    return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), v).ptr};
  };
  auto joined = [](const auto& list, auto text) {
    std::string out;
    for (const auto& v : list) out += (out.empty() ? "" : ", ") + text(v);
    return out;
  };
  switch (value.index()) {
    case 0: return std::get<0>(value) ? "true" : "false";
    case 1: return std::to_string(std::get<1>(value));
    case 2: return number(std::get<2>(value));
    case 3: return std::get<3>(value);
    case 4: return joined(std::get<4>(value), [](std::int64_t v) { return std::to_string(v); });
    case 5: return joined(std::get<5>(value), number);
    default: return joined(std::get<6>(value), [](const std::string& s) { return s; });
  }
}

std::optional<Value> from_text(const std::string& text, const Value& like) {
  const std::string s = trim(text);
  auto optional_value = [](auto v) { return v ? std::optional<Value>(Value(*v)) : std::nullopt; };
  switch (like.index()) {
    case 0:
      if (s == "true" || s == "yes" || s == "on") return Value(true);
      if (s == "false" || s == "no" || s == "off") return Value(false);
      return std::nullopt;
    case 1: return optional_value(read_integer(s));
    case 2: return optional_value(read_number(s));
    case 3: return Value(s == "null" || s == "~" ? std::string() : s);
    case 4: return read_list<std::int64_t>(s, read_integer);
    case 5: return read_list<double>(s, read_number);
    default: return Value(split_list(s));
  }
}

ParsedRecipe parse_recipe(const std::string& yaml) {
  ParsedRecipe parsed;
  if (auto refused = unreadable_yaml(yaml)) {
    parsed.problems.push_back({"", *refused});
    return parsed;
  }
  try {
    const YAML::Node root = YAML::Load(yaml);
    if (root.IsNull()) return parsed;
    if (!root.IsMap()) {
      parsed.problems.push_back({"", "expected keys such as \"model: builtin:tiny\" at the top"});
      return parsed;
    }
    std::vector<Leaf> leaves;
    collect(root, "", 0, leaves, parsed.problems);
    apply(parsed, std::move(leaves));
  } catch (const std::logic_error&) {
    parsed.problems.push_back({"stages", "expected a list of stages"});
  } catch (const YAML::Exception& e) {
    parsed.problems.push_back({"", "line " + std::to_string(e.mark.line + 1) + ", column " +
                                       std::to_string(e.mark.column + 1) + ": " + e.msg});
  }
  return parsed;
}

ParsedRecipe load_recipe(const std::filesystem::path& file) {
  const auto text = recipe_file_text(file);
  if (!text) {
    ParsedRecipe none;
    none.problems.push_back({"", file.string() + ": cannot be read; expected a recipe file (YAML)"});
    return none;
  }
  ParsedRecipe parsed = parse_recipe(*text);
  if (parsed.recipe.name == Recipe{}.name) parsed.recipe.name = file.stem().string();
  for (auto& p : parsed.problems) p.message = file.string() + ": " + p.message;
  return parsed;
}

ParsedRecipe find_recipe(const std::string& name, const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / name;
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) return load_recipe(file);
  ParsedRecipe parsed;
  std::vector<std::string> names;
  for (const auto& preset : presets()) {
    names.push_back(preset.name);
    if (preset.name != name) continue;
    parsed.recipe = preset.recipe;
    return parsed;
  }
  const std::string near = nearest(name, names);
  parsed.problems.push_back({"", file.string() + ": no such recipe file, and no preset of this name" +
                                     (near.empty() ? "" : "; the nearest preset is \"" + near + "\"")});
  return parsed;
}

std::optional<Problem> set_field(Recipe& recipe, const std::string& path, const std::string& text) {
  const std::string wanted = canonical_path(path);
  auto known = fields(recipe);
  auto field = std::find_if(known.begin(), known.end(), [&](const Field& f) { return f.info.path == wanted; });
  return field == known.end() ? unknown_key(wanted, known) : assign(*field, text);
}

std::string to_yaml(const Recipe& recipe) { return write(recipe, false); }
std::string to_resolved_yaml(const Recipe& recipe) { return write(recipe, true); }

std::string recipe_hash(const Recipe& recipe) {
  return short_hash(write(recipe, true, [](std::string_view path) {
    return path == "name" || path == "seed" || path == "log_every" || path.ends_with(".recompute_activations");
  }));
}

std::vector<Difference> differences(const std::vector<Recipe>& recipes) {
  std::vector<std::map<std::string, std::string>> texts;
  std::vector<std::string> order;
  for (Recipe r : recipes) {
    auto& text = texts.emplace_back();
    for (const auto& f : fields(r)) {
      text[f.info.path] = to_text(f.get());
      if (std::find(order.begin(), order.end(), f.info.path) == order.end()) order.push_back(f.info.path);
    }
  }
  std::vector<Difference> out;
  for (const auto& path : order) {
    Difference d{path, {}};
    for (const auto& text : texts) d.values.push_back(text.count(path) ? std::optional(text.at(path)) : std::nullopt);
    if (std::any_of(d.values.begin(), d.values.end(), [&](const auto& v) { return v != d.values[0]; })) out.push_back(d);
  }
  return out;
}

}  // namespace engine
