#include "engine/sweep.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "engine/recipe_internal.h"
#include "engine/yaml_text.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t k_longest_name = 160;

struct Assignment {
  std::string path, text;
};

/// One entry of `runs`, or what `vary` adds to it.
struct Setting {
  std::string base, name;
  std::vector<Assignment> values;
};

/// The file as it stands.
struct Plan {
  std::string base, name;
  std::vector<Assignment> set;
  std::vector<SweepAxis> vary;
  std::vector<Setting> runs;
  std::vector<std::int64_t> seeds;
};

class SweepReader {
 public:
  explicit SweepReader(std::vector<Problem>& problems) : problems_(problems) {}

  Plan read(const YAML::Node& root) {
    Plan plan;
    for (const auto& [key, node] : entries(root, "")) {
      if (key == "base")
        plan.base = word(node, key);
      else if (key == "name")
        plan.name = word(node, key);
      else if (key == "set")
        assignments(node, key, "", plan.set);
      else if (key == "vary")
        axes(node, "", plan.vary);
      else if (key == "runs")
        runs(node, plan.runs);
      else if (key == "seeds")
        seeds(node, plan.seeds);
      else
        unknown(key);
    }
    return plan;
  }

 private:
  using Entries = std::vector<std::pair<std::string, YAML::Node>>;

  void problem(const std::string& path, const std::string& message, const YAML::Node& node) {
    problems_.push_back({path, message + " (line " + std::to_string(node.Mark().line + 1) + ")"});
  }

  Entries entries(const YAML::Node& map, const std::string& path) {
    Entries out;
    std::set<std::string> seen;
    for (const auto& pair : map) {
      const std::string key = pair.first.IsScalar() ? pair.first.Scalar() : "?";
      if (!seen.insert(key).second) problem(path + key, "the key stands twice", pair.first);
      out.emplace_back(key, pair.second);
    }
    return out;
  }

  void unknown(const std::string& key) {
    const std::string near = nearest(key, {"base", "name", "set", "vary", "runs", "seeds"});
    problems_.push_back({key, "unknown key; a sweep has base, name, set, vary, runs and seeds" +
                                  (near.empty() ? "" : "; the nearest is \"" + near + "\"")});
  }

  std::string word(const YAML::Node& node, const std::string& path) {
    if (node.IsScalar()) return node.Scalar();
    problem(path, "expected a name", node);
    return "";
  }

  /// Scalars and lists of scalars below a map, by dotted path.
  void assignments(const YAML::Node& node, const std::string& place, const std::string& path,
                   std::vector<Assignment>& out) {
    if (node.IsMap()) {
      for (const auto& [key, child] : entries(node, place + "."))
        assignments(child, place + "." + key, path.empty() ? key : path + "." + key, out);
    } else if (path.empty()) {
      problem(place, "expected keys of a recipe such as attention.window: 32", node);
    } else if (const auto text = yaml_text(node)) {
      out.push_back({path, *text});
    } else {
      problem(place, "expected a value; a stage's key is written stages.1.epochs", node);
    }
  }

  void axes(const YAML::Node& node, const std::string& path, std::vector<SweepAxis>& out) {
    const std::string place = "vary" + (path.empty() ? "" : "." + path);
    if (node.IsMap()) {
      for (const auto& [key, child] : entries(node, place + "."))
        axes(child, path.empty() ? key : path + "." + key, out);
      return;
    }
    if (path.empty() || !node.IsSequence() || node.size() == 0)
      return problem(place, "expected a list of values such as [16, 32, 64]", node);
    if (path == "seed" || path == "name")
      return problem(
          place,
          path == "seed" ? "write seeds: [0, 1, 2] beside vary" : "runs are named by what varies",
          node);
    SweepAxis axis{path, {}};
    for (const auto& item : node) {
      const auto text = yaml_text(item);
      if (!text) return problem(place, "expected values, or lists of values", item);
      axis.values.push_back(*text);
    }
    out.push_back(std::move(axis));
  }

  void runs(const YAML::Node& node, std::vector<Setting>& out) {
    if (!node.IsSequence() || node.size() == 0)
      return problem("runs", "expected a list such as [{base: ssd}, {attention.window: 16}]", node);
    for (std::size_t i = 0; i < node.size(); ++i) {
      const std::string place = "runs[" + std::to_string(i) + "]";
      Setting setting;
      if (!node[i].IsMap()) {
        problem(place, "expected keys of a recipe, base or name", node[i]);
        continue;
      }
      for (const auto& [key, child] : entries(node[i], place + ".")) {
        if (key == "base")
          setting.base = word(child, place + ".base");
        else if (key == "name")
          setting.name = word(child, place + ".name");
        else
          assignments(child, place + "." + key, key, setting.values);
      }
      out.push_back(std::move(setting));
    }
  }

  void seeds(const YAML::Node& node, std::vector<std::int64_t>& out) {
    const auto text = yaml_text(node);
    const auto list = text ? from_text(*text, Value(std::vector<std::int64_t>{})) : std::nullopt;
    if (!list || std::get<std::vector<std::int64_t>>(*list).empty())
      return problem("seeds", "expected whole numbers such as [0, 1, 2]", node);
    out = std::get<std::vector<std::int64_t>>(*list);
    if (std::set<std::int64_t>(out.begin(), out.end()).size() != out.size())
      problem("seeds", "a seed stands twice", node);
  }

  std::vector<Problem>& problems_;
};

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const auto dot = std::min(path.find('.', at), path.size());
    parts.push_back(path.substr(at, dot - at));
    at = dot + 1;
  }
  return parts;
}

/// The last parts of each path, as many as it takes to tell them apart: "window", or
/// "0.learning_rate".
std::map<std::string, std::string> labels(const std::set<std::string>& paths) {
  auto tail = [](const std::string& path, std::size_t count) {
    const auto parts = parts_of(path);
    std::string text;
    for (std::size_t i = parts.size() - std::min(count, parts.size()); i < parts.size(); ++i)
      text += (text.empty() ? "" : ".") + parts[i];
    return text;
  };
  std::map<std::string, std::string> out;
  for (const auto& path : paths) {
    std::size_t count = 1;
    while (std::ranges::count_if(paths, [&](const auto& other) {
             return tail(other, count) == tail(path, count);
           }) > 1)
      ++count;
    out[path] = tail(path, count);
  }
  return out;
}

/// "0.9, 0.75" → "0.9+0.75"; a path gives its last part.
std::string short_value(const std::string& text) {
  const std::string last = text.substr(text.ends_with('/') ? 0 : text.rfind('/') + 1);
  std::string out;
  for (char c : last) {
    if (c == ',')
      out += '+';
    else if (std::isalnum(static_cast<unsigned char>(c)) ||
             std::string_view("-_.+:").find(c) != std::string_view::npos)
      out += c;
  }
  return out.empty() ? "none" : out.substr(0, 40);
}

class Expansion {
 public:
  Expansion(Plan plan, fs::path folder, std::vector<Problem>& problems)
      : plan_(std::move(plan)), folder_(std::move(folder)), problems_(problems) {
    std::set<std::string> paths;
    for (const auto& axis : plan_.vary) paths.insert(axis.path);
    for (const auto& run : plan_.runs)
      for (const auto& value : run.values) paths.insert(value.path);
    labels_ = labels(paths);
    if (plan_.runs.empty()) plan_.runs.emplace_back();
  }

  /// The base itself instead of its name.
  void start_from(Recipe recipe) {
    bases_.emplace(plan_.base, ParsedRecipe{std::move(recipe), {}});
  }

  std::vector<Recipe> recipes() {
    if (!within_bound()) return {};
    std::vector<Recipe> out;
    for (const auto& run : plan_.runs) {
      std::vector<std::size_t> at(plan_.vary.size(), 0);
      do {
        if (auto recipe = setting(run, at)) {
          if (plan_.seeds.empty())
            out.push_back(std::move(*recipe));
          else
            std::ranges::move(over_seeds(*recipe, plan_.seeds), std::back_inserter(out));
        }
      } while (next(at));
    }
    tell_apart(out);
    return out;
  }

 private:
  bool within_bound() {
    std::size_t count = plan_.runs.size();
    auto times = [&](std::size_t n) {
      count = count > k_most_sweep_runs ? count : count * std::max<std::size_t>(n, 1);
    };
    for (const auto& axis : plan_.vary) times(axis.values.size());
    times(plan_.seeds.size());
    if (count <= k_most_sweep_runs) return true;
    problems_.push_back({"", "more than " + std::to_string(k_most_sweep_runs) +
                                 " runs; vary less, or write several sweeps"});
    return false;
  }

  bool next(std::vector<std::size_t>& at) const {
    for (std::size_t i = at.size(); i-- > 0;) {
      if (++at[i] < plan_.vary[i].values.size()) return true;
      at[i] = 0;
    }
    return false;
  }

  const ParsedRecipe& base(const std::string& name) {
    const auto known = bases_.find(name);
    if (known != bases_.end()) return known->second;
    ParsedRecipe parsed = find_recipe(name, folder_);
    for (auto& p : parsed.problems)
      add({"base", (p.path.empty() ? "" : p.path + ": ") + p.message, p.warning});
    return bases_.emplace(name, std::move(parsed)).first->second;
  }

  std::optional<Recipe> setting(const Setting& run, const std::vector<std::size_t>& at) {
    const std::string& base_name = run.base.empty() ? plan_.base : run.base;
    if (base_name.empty()) {
      add({"base", "name a preset such as ssd, or a recipe file"});
      return std::nullopt;
    }
    const ParsedRecipe& parsed = base(base_name);
    if (!parsed.problems.empty()) return std::nullopt;
    Recipe recipe = parsed.recipe;
    std::vector<Assignment> values = plan_.set;
    values.insert(values.end(), run.values.begin(), run.values.end());
    std::string name = plan_.name.empty() ? recipe.name
                       : run.base.empty() ? plan_.name
                                          : plan_.name + "-" + recipe.name;
    if (!run.name.empty())
      name = run.name;
    else
      for (const auto& v : run.values) name += "-" + labels_.at(v.path) + "=" + short_value(v.text);
    for (std::size_t i = 0; i < at.size(); ++i) {
      const SweepAxis& axis = plan_.vary[i];
      values.push_back({axis.path, axis.values[at[i]]});
      name += "-" + labels_.at(axis.path) + "=" + short_value(axis.values[at[i]]);
    }
    return assign(std::move(recipe), std::move(values), name.substr(0, k_longest_name));
  }

  std::optional<Recipe> assign(Recipe recipe, std::vector<Assignment> values,
                               const std::string& name) {
    // A kind or a preset decides which other keys there are, and what they start from.
    std::ranges::stable_sort(values, {}, [](const Assignment& a) { return key_rank(a.path); });
    bool good = true;
    for (const auto& value : values) {
      if (const auto problem = set_field(recipe, value.path, value.text)) {
        add(*problem);
        good = false;
      }
    }
    if (!good) return std::nullopt;
    recipe.name = name;
    for (const auto& problem : check(recipe)) {
      add({name + ": " + problem.path, problem.message, problem.warning});
      good = good && problem.warning;
    }
    return good ? std::optional(std::move(recipe)) : std::nullopt;
  }

  /// Each setting would say the same again.
  void add(Problem problem) {
    if (said_.insert(problem.path + "\n" + problem.message).second)
      problems_.push_back(std::move(problem));
  }

  void tell_apart(std::vector<Recipe>& recipes) {
    std::map<std::pair<std::string, std::int64_t>, std::string> seen;
    std::set<std::string> names;
    for (auto& recipe : recipes) {
      const auto [first, is_new] =
          seen.emplace(std::pair(recipe_hash(recipe), recipe.seed), recipe.name);
      if (!is_new) add({recipe.name, "is the same run as " + first->second});
      const std::string stem = recipe.name;
      for (int i = 2; !names.insert(recipe.name).second; ++i)
        recipe.name = stem + "#" + std::to_string(i);
    }
  }

  Plan plan_;
  const fs::path folder_;
  std::vector<Problem>& problems_;
  std::map<std::string, std::string> labels_;
  std::map<std::string, ParsedRecipe> bases_;
  std::set<std::string> said_;
};

}  // namespace

std::vector<Recipe> over_seeds(const Recipe& recipe, const std::vector<std::int64_t>& seeds) {
  std::vector<Recipe> out;
  for (std::int64_t seed : seeds) {
    Recipe& r = out.emplace_back(recipe);
    r.seed = seed;
    r.name += "-" + std::to_string(seed);
  }
  return out;
}

Sweep expand_sweep(const std::string& yaml, const fs::path& folder) {
  Sweep sweep;
  Plan plan;
  if (auto refused = unreadable_yaml(yaml)) {
    sweep.problems.push_back({"", *refused});
    return sweep;
  }
  try {
    const YAML::Node root = YAML::Load(yaml);
    if (root.IsMap())
      plan = SweepReader(sweep.problems).read(root);
    else
      sweep.problems.push_back(
          {"", "expected keys such as \"base: ssd\" and \"vary: {attention.window: [16, 32]}\""});
  } catch (const YAML::Exception& e) {
    sweep.problems.push_back({"", "line " + std::to_string(e.mark.line + 1) + ", column " +
                                      std::to_string(e.mark.column + 1) + ": " + e.msg});
  }
  if (!sweep.problems.empty()) return sweep;
  sweep.recipes = Expansion(std::move(plan), folder, sweep.problems).recipes();
  if (!std::ranges::all_of(sweep.problems, &Problem::warning)) sweep.recipes.clear();
  return sweep;
}

Sweep expand_sweep(const Recipe& base, const std::vector<SweepAxis>& vary,
                   const std::vector<std::int64_t>& seeds) {
  Sweep sweep;
  std::set<std::string> paths;
  for (const SweepAxis& axis : vary) {
    if (axis.values.empty()) sweep.problems.push_back({axis.path, "give at least one value"});
    if (!paths.insert(axis.path).second)
      sweep.problems.push_back({axis.path, "the field stands twice"});
  }
  if (!sweep.problems.empty()) return sweep;
  Plan plan;
  plan.base = "recipe";
  plan.vary = vary;
  plan.seeds = seeds;
  Expansion expansion(std::move(plan), {}, sweep.problems);
  expansion.start_from(base);
  sweep.recipes = expansion.recipes();
  if (!std::ranges::all_of(sweep.problems, &Problem::warning)) sweep.recipes.clear();
  return sweep;
}

Sweep load_sweep(const fs::path& file) {
  Sweep sweep;
  const auto text = recipe_file_text(file);
  if (!text) {
    sweep.problems.push_back(
        {"", file.string() + ": cannot be read; expected a sweep file (YAML)"});
    return sweep;
  }
  sweep = expand_sweep(*text, file.parent_path());
  for (auto& p : sweep.problems) p.message = file.string() + ": " + p.message;
  return sweep;
}

}  // namespace engine
