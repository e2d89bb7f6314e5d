#include <cstdio>
#include <filesystem>
#include <iostream>

#include "app/commands.h"
#include "engine/sweep.h"

namespace app {
namespace {

struct SweepOptions {
  std::string file;
  std::vector<std::string> settings;
  bool dry_run = false, stop_on_error = false;
};

std::int64_t planned_steps(const engine::Recipe& recipe) {
  std::int64_t steps = 0;
  for (const auto& stage : recipe.stages)
    steps += stage.epochs * engine::steps_per_epoch(recipe, stage);
  return steps;
}

void list_plan(const Common& common, const std::vector<engine::Recipe>& recipes) {
  Json list = Json::array();
  for (const auto& r : recipes) {
    const std::string hash = engine::recipe_hash(r);
    const std::int64_t steps = planned_steps(r);
    list.push_back({{"name", r.name},
                    {"seed", r.seed},
                    {"hash", hash},
                    {"steps", steps},
                    {"recipe", engine::to_yaml(r)}});
    if (common.json != "-")
      std::printf("%-48s seed %-6lld setting %s  %lld steps\n", r.name.c_str(),
                  static_cast<long long>(r.seed), hash.substr(0, 8).c_str(),
                  static_cast<long long>(steps));
  }
  write_json(common, list);
}

int run_sweep(const Common& common, const SweepOptions& o) {
  engine::Sweep sweep = engine::load_sweep(o.file);
  std::string errors;
  for (const auto& p : sweep.problems) {
    const std::string text = (p.path.empty() ? "" : p.path + ": ") + p.message;
    if (p.warning)
      std::cerr << "note: " << text << '\n';
    else
      errors += (errors.empty() ? "" : "\n") + text;
  }
  if (!errors.empty()) throw WrongUse(errors);
  for (auto& recipe : sweep.recipes) apply_settings(recipe, o.settings);
  if (o.dry_run) {
    list_plan(common, sweep.recipes);
    return 0;
  }
  return run_all(common, sweep.recipes, o.stop_on_error, std::filesystem::path(o.file).stem().string());
}

}  // namespace

void add_sweep_command(CLI::App& cli, const Common& common, int& code) {
  static SweepOptions o;
  auto* sweep = cli.add_subcommand("sweep",
                                   "Run what a sweep file lists, one run after another; the last "
                                   "lines of standard output are the runs' ids. Each run is tagged "
                                   "sweep:NAME after the file");
  sweep
      ->add_option("file", o.file,
                   "YAML: base (a preset or recipe file), set, vary (key: [values], every "
                   "combination), runs (a list of keys), seeds, name")
      ->required();
  sweep->add_option("--set", o.settings, "key=value: overrides one field of every run (repeatable)")
      ->take_all();
  sweep->add_flag("--dry-run", o.dry_run,
                  "List the runs with names, seeds and steps; nothing runs, nothing is stored");
  sweep->add_flag("--stop-on-error", o.stop_on_error,
                  "End at the first run that fails; without it the others go on");
  sweep->callback([&] { code = run_sweep(common, o); });
}

}  // namespace app
