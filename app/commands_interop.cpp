#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "app/commands.h"
#include "app/paths.h"
#include "engine/data/whole_file.h"
#include "engine/error.h"
#include "engine/execute.h"
#include "engine/interop/export.h"
#include "engine/interop/foreign_recipe.h"
#include "engine/interop/hybrid_settings.h"
#include "engine/interop/trained_files.h"
#include "engine/session.h"

namespace app {
namespace {

namespace fs = std::filesystem;

std::string megabytes(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

void export_run(const Common& common, const SubjectOptions& o, engine::ExportOptions options) {
  const engine::Subject s = subject(common, o);
  options.run = s.recipe.name;
  const engine::ExportReport r = engine::export_model(s, options);
  write_json(common, {{"folder", r.folder.string()},
                      {"files", r.files},
                      {"bytes", r.bytes},
                      {"adapters", r.adapters},
                      {"merged", options.merge && r.adapters > 0},
                      {"trained_weights", r.trained_weights},
                      {"hybrid_tensors", r.hybrid_tensors},
                      {"largest_rounding", number(r.largest_rounding)}});
  if (common.json == "-") return;
  std::printf("%s: %zu files, %s\n", r.folder.c_str(), r.files.size(), megabytes(r.bytes).c_str());
  if (r.trained_weights > 0)
    std::printf("  %" PRId64 " weights that the run trained\n", r.trained_weights);
  if (r.adapters > 0)
    std::printf("  %" PRId64 " adapters %s\n", r.adapters,
                options.merge ? "added into the weights" : "in adapter/, PEFT's format");
  if (r.largest_rounding > 0)
    std::printf("  storing rounds changed weights by at most %.1e of their tensor's largest\n",
                r.largest_rounding);
  std::printf("  %" PRId64
              " tensors of feature maps and mixing in hybrid.safetensors; to go on from here: "
              "start_from: %s\n",
              r.hybrid_tensors, r.folder.c_str());
}

Json runs_json(const std::vector<engine::ImportedRun>& runs) {
  Json list = Json::array();
  for (const auto& run : runs)
    list.push_back({{"id", run.here}, {"there", run.there}, {"name", run.name}});
  return list;
}

void import_store(const Common& common, const std::string& other) {
  if (!fs::exists(other))
    throw engine::InputError(other + ": does not exist; expected another store (one SQLite file)");
  engine::Session session(default_paths(common.store), engine::execute);
  const engine::StoreImport r = session.take_over(fs::absolute(other));
  write_json(common,
             {{"taken", runs_json(r.taken)}, {"known", runs_json(r.known)}, {"notes", r.notes}});
  for (const auto& note : r.notes) std::cerr << "note: " << note << '\n';
  if (common.json == "-") return;
  std::printf("%zu run%s taken over, %zu known already\n", r.taken.size(),
              r.taken.size() == 1 ? "" : "s", r.known.size());
  for (const auto& run : r.taken)
    std::printf("%5lld  %s  (%lld there)\n", static_cast<long long>(run.here), run.name.c_str(),
                static_cast<long long>(run.there));
}

engine::ForeignFile read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  if (!in || fs::is_directory(path))
    throw engine::InputError(path + ": cannot be read; expected a configuration file (YAML)");
  return {path, text.str()};
}

struct ConfigOptions {
  std::vector<std::string> files, weights, settings;
  std::string to;
};

/// The weights under this program's names beside the recipe, so that it has one file to start from.
std::string take_weights(const ConfigOptions& o) {
  if (o.to.empty())
    throw WrongUse("--weights needs --to RECIPE.yaml: the converted weights are written beside it");
  std::vector<engine::TrainedFiles> sources;
  for (const auto& file : o.weights) sources.emplace_back(file);
  const fs::path to =
      fs::absolute(fs::path(o.to).replace_extension(".safetensors")).lexically_normal();
  engine::write_trained(to, sources);
  std::size_t tensors = 0;
  for (const auto& source : sources) tensors += source.tensors().size();
  std::cerr << to.string() << ": " << tensors << " trained tensors\n";
  return to.string();
}

Json fields_json(const engine::ForeignRecipe& read) {
  Json list = Json::array();
  for (const auto& f : read.fields)
    list.push_back({{"file", f.file},
                    {"path", f.path},
                    {"value", f.value},
                    {"reading", engine::to_string(f.reading)},
                    {"became", f.became},
                    {"why", f.why}});
  return list;
}

void print_fields(std::FILE* out, const engine::ForeignRecipe& read) {
  for (const auto& f : read.fields)
    std::fprintf(out, "%-10s  %s%s%s%s%s%s\n", engine::to_string(f.reading), f.path.c_str(),
                 f.value.empty() ? "" : (": " + f.value).c_str(), f.became.empty() ? "" : "  →  ",
                 f.became.c_str(), f.why.empty() ? "" : "  – ", f.why.c_str());
}

void import_config(const Common& common, const ConfigOptions& o) {
  engine::ForeignRecipe read;
  if (o.files.size() == 1 && fs::is_directory(o.files[0])) {
    read.recipe = engine::recipe_of_export(o.files[0]);
  } else {
    std::vector<engine::ForeignFile> files;
    for (const auto& file : o.files) files.push_back(read_file(file));
    read = engine::read_foreign_recipe(files);
  }
  std::string problems;
  for (const auto& p : read.problems)
    problems += (problems.empty() ? "" : "\n") + (p.path.empty() ? "" : p.path + ": ") + p.message;
  if (!problems.empty()) throw engine::InputError(problems);
  if (!o.to.empty()) read.recipe.name = fs::path(o.to).stem().string();
  if (!o.weights.empty()) read.recipe.start_from = take_weights(o);
  apply_settings(read.recipe, o.settings);
  read.unsettled.clear();
  for (const auto& p : engine::check(read.recipe))
    if (!p.warning) read.unsettled.push_back(p);

  const std::string yaml = engine::to_yaml(read.recipe);
  Json open = Json::array();
  for (const auto& p : read.unsettled) {
    open.push_back({{"path", p.path}, {"message", p.message}});
    std::cerr << "before it can run: " << p.path << ": " << p.message << '\n';
  }
  write_json(common, {{"recipe", yaml}, {"fields", fields_json(read)}, {"unsettled", open}});
  if (!o.to.empty()) {
    engine::WholeFile out(o.to);
    out.write(yaml.data(), yaml.size());
    out.publish();
  }
  if (common.json == "-") return;
  print_fields(o.to.empty() ? stderr : stdout, read);
  if (o.to.empty()) std::cout << yaml;
}

}  // namespace

void add_interop_commands(CLI::App& cli, const Common& common) {
  static SubjectOptions s;
  static engine::ExportOptions e;
  static std::string other;
  static ConfigOptions c;

  auto* export_command = cli.add_subcommand("export",
                                            "A run as a Hugging Face folder: weights, adapters in "
                                            "PEFT's format, feature maps and mixing");
  export_command->add_option("run", s.run, "Id or name")->required();
  export_command->add_option("--checkpoint", s.checkpoint,
                             "A step, best or stage-end; default: the newest");
  export_command->add_option("--to", e.to, "The folder to make")->required();
  export_command->add_flag(
      "--merge", e.merge,
      "Add the adapters into the weights (in float32, stored as the model stores them)");
  export_command->callback([&] { export_run(common, s, e); });

  auto* import = cli.add_subcommand("import",
                                    "Take over another store's runs, points, evaluations and "
                                    "checkpoints; runs that are here already stay as they are");
  import->add_option("store", other, "The other store (FILE.db, with FILE.db.runs beside it)")
      ->required();
  import->callback([&] { import_store(common, other);
});

auto* config = cli.add_subcommand("import-config",
                                  "A recipe from LoLCATs' model and experiment YAML, Liger's YAML, "
                                  "or a folder of `export`; says how each field was read");
config->add_option("files", c.files, "YAML files that belong together, or one exported folder")
    ->required();
config->add_option("--to", c.to, "The recipe to write; default: standard output");
config->add_option("--weights", c.weights,
                   "LoLCATs' distill and LoRA checkpoints, or PEFT's adapter (safetensors): the "
                   "recipe starts from them");
config->add_option("--set", c.settings, "key=value: sets one field of the recipe (repeatable)")
    ->take_all();
config->callback([&] { import_config(common, c); });
}  // namespace app

}  // namespace app
