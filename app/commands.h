#pragma once
/// The commands of `equipoise`, grouped: runs and the store; models and data.

#include <CLI/CLI.hpp>
#include <atomic>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/event.h"
#include "engine/recipe.h"
#include "engine/run_store.h"
#include "engine/subject.h"

namespace app {

struct Common {
  std::optional<std::filesystem::path> store;
  std::string json;  ///< empty: no machine-readable output; "-": standard output
};

struct WrongUse : std::runtime_error { using std::runtime_error::runtime_error; };  ///< exit code 2

/// Each command sets `code` to its exit code.
void add_run_commands(CLI::App& cli, const Common& common, int& code);
void add_trash_commands(CLI::App& cli, const Common& common, int& code);  ///< delete, restore, purge
void add_model_commands(CLI::App& cli, const Common& common, int& code);
void add_inspect_commands(CLI::App& cli, const Common& common, int& code);
void add_load_command(CLI::App& cli, const Common& common);
void add_paper_command(CLI::App& cli, const Common& common);
void add_recipe_command(CLI::App& cli, const Common& common);
void add_interop_commands(CLI::App& cli, const Common& common);
void add_sweep_command(CLI::App& cli, const Common& common, int& code);
void add_bench_command(CLI::App& cli, const Common& common, int& code);
void add_diagnose_command(CLI::App& cli, const Common& common, int& code);

struct SubjectOptions {
  std::string model, run, checkpoint;
  std::int64_t window = 0;
};
/// --model: the model with its conversion's start; --run: a run's recipe and one of its checkpoints. Throws WrongUse, InputError.
engine::Subject subject(const Common& common, const SubjectOptions& o);

/// Ordered, so that keys stay as written. Writes where --json says; nothing without it.
using Json = nlohmann::ordered_json;
void write_json(const Common& common, const Json& value);
Json number(double value);  ///< the value, or "nan", "inf", "-inf"
std::string percent(double value, double stderr_);  ///< "71.2 ± 1.3": points and 95 % half-width

std::string shown_score(const engine::StoredEvaluation& e);  ///< percent, or the perplexity

/// SIGINT and SIGTERM set it from here on; 0 before.
const std::atomic<int>& watch_signals();

/// Finds a run by id, name or unique beginning of a name. Throws engine::InputError, which says where only the trash has one.
engine::RunInfo find_run(const engine::RunReader& reader, const std::string& text);
/// A preset by name, or a recipe file. Throws WrongUse with the file's problems.
engine::Recipe preset_or_file(const std::string& name);
/// Applies --set key=value. Throws WrongUse with path and nearest key.
void apply_settings(engine::Recipe& recipe, const std::vector<std::string>& settings);

/// Checks the recipes, runs them one after another in one session and prints their ids, a line each. A run that fails
/// does not keep the next from running unless `stop_on_error`, with which they are queued one at a time.
/// Runs of a sweep carry its name as a tag (engine/tags.h).
/// 0: all are done; 1: one failed; 3: stopped by a signal. Throws WrongUse where a recipe has a problem; nothing runs then.
int run_all(const Common& common, const std::vector<engine::Recipe>& recipes, bool stop_on_error,
            const std::string& sweep = {});

/// One self-contained HTML file about some runs: verdict, component table, curves as inline SVG, recipes.
void write_report(const engine::RunReader& reader, const std::vector<engine::RunInfo>& runs, const std::filesystem::path& file);

/// The last stored evaluation: value by component and task.
struct LastScores {
  std::int64_t step = 0;
  std::vector<engine::StoredEvaluation> rows;
  const engine::StoredEvaluation* find(const std::string& component, const std::string& task) const;
};
LastScores last_scores(const engine::RunReader& reader, engine::RunId run);
/// engine::judge on the last evaluation, headline and reason.
std::string verdict(const LastScores& scores);

}  // namespace app
