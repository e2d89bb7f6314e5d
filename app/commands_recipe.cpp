/// equipoise recipe: presets, a recipe as YAML, and every key with its meaning.

#include <algorithm>
#include <iostream>

#include "app/commands.h"
#include "engine/error.h"

namespace app {
namespace {

struct RecipeOptions {
  std::string recipe;
  std::vector<std::string> settings;
  bool resolved = false, keys = false;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& w : words) text += (text.empty() ? "" : ", ") + (w.empty() ? std::string("(empty)") : w);
  return text;
}

void list_presets(const Common& common) {
  Json list = Json::array();
  for (const auto& p : engine::presets()) {
    list.push_back({{"name", p.name}, {"title", p.title}, {"doc", p.doc}, {"recipe", engine::to_yaml(p.recipe)}});
    if (common.json != "-") std::cout << p.name << "\n    " << p.title << "\n    " << p.doc << '\n';
  }
  write_json(common, list);
}

/// One field as text: its path, default, unit, choices, what it does and what the paper says.
void list_keys(const Common& common, engine::Recipe recipe) {
  Json list = Json::array();
  for (const auto& f : engine::fields(recipe)) {
    const std::string value = engine::to_text(f.fallback);
    list.push_back({{"key", f.info.path}, {"label", f.info.label}, {"default", value}, {"unit", f.info.unit}, {"choices", f.info.choices},
                    {"doc", f.info.doc}, {"paper", f.info.paper}});
    if (common.json == "-") continue;
    std::cout << f.info.path << " = " << (value.empty() ? "(empty)" : value) << (f.info.unit.empty() ? "" : " " + f.info.unit) << "\n    "
              << f.info.doc << '\n';
    if (!f.info.choices.empty()) std::cout << "    " << (f.info.open_choice ? "for example: " : "one of: ") << joined(f.info.choices) << '\n';
    if (!f.info.paper.empty()) std::cout << "    paper: " << f.info.paper << '\n';
  }
  write_json(common, list);
}

void show_recipe(const Common& common, const RecipeOptions& o) {
  if (o.recipe.empty() && !o.keys) return list_presets(common);
  engine::Recipe recipe = o.recipe.empty() ? engine::Recipe{} : preset_or_file(o.recipe);
  if (o.recipe.empty()) {
    recipe.stages.resize(2);
    recipe.stages[0].kind = "transfer";
  }
  apply_settings(recipe, o.settings);
  if (o.keys) return list_keys(common, std::move(recipe));
  const std::string text = o.resolved ? engine::to_resolved_yaml(recipe) : engine::to_yaml(recipe);
  Json problems = Json::array();
  for (const auto& p : engine::check(recipe)) {
    problems.push_back({{"path", p.path}, {"message", p.message}, {"warning", p.warning}});
    std::cerr << (p.warning ? "note: " : "problem: ") << p.path << ": " << p.message << '\n';
  }
  write_json(common, {{"recipe", text}, {"hash", engine::recipe_hash(recipe)}, {"problems", problems}});
  if (common.json != "-") std::cout << text;
}

}  // namespace

engine::Recipe preset_or_file(const std::string& name) {
  const engine::ParsedRecipe parsed = engine::find_recipe(name);
  std::string problems;
  for (const auto& p : parsed.problems) problems += (problems.empty() ? "" : "\n") + (p.path.empty() ? "" : p.path + ": ") + p.message;
  if (!problems.empty()) throw WrongUse(problems);
  return parsed.recipe;
}

void add_recipe_command(CLI::App& cli, const Common& common) {
  static RecipeOptions o;
  auto* command = cli.add_subcommand("recipe", "Presets, a recipe as YAML, and every key with its default, unit and the paper's value");
  command->add_option("recipe", o.recipe, "A preset or a recipe file; without: the list of presets");
  command->add_option("--set", o.settings, "key=value: overrides one field (repeatable)")->take_all();
  auto* resolved = command->add_flag("--resolved", o.resolved, "With every field filled in, not only what differs from the defaults");
  command->add_flag("--keys", o.keys, "Every key instead: what it does, its default, unit and choices, and what the paper says")->excludes(resolved);
  command->callback([&common] { show_recipe(common, o); });
}

}  // namespace app
