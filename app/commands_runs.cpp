#include <algorithm>
#include <atomic>
#include <cmath>
#include <ctime>
#include <fstream>
#include <iostream>
#include <set>

#include "app/commands.h"
#include "app/paths.h"
#include "engine/error.h"
#include "engine/eval/intervals.h"
#include "engine/execute.h"
#include "engine/log.h"
#include "engine/session.h"
#include "engine/sweep.h"
#include "engine/tags.h"

namespace app {
namespace {

using namespace std::chrono_literals;

/// Prints what a run says on standard error, one line that renews itself where it is a terminal.
class Narrator {
 public:
  void tell(const engine::Event& event) {
    std::visit([this](const auto& body) { on(body); }, event.body);
  }

 private:
  void line(const std::string& text) {
    std::cerr << (renew_ ? "\r\033[K" : "") << text << '\n';
    renew_ = false;
  }
  void on(const engine::RunQueued&) {}
  void on(const engine::RunStarted& e) { line("device " + e.device + ", " + e.dtype); }
  void on(const engine::StageStarted& e) {
    line("stage " + std::to_string(e.stage + 1) + "/" + std::to_string(e.stages) + ": " + e.title + ", " + std::to_string(e.steps) + " steps");
  }
  void on(const engine::Points& e) {
    for (const auto& [name, value] : e.values)
      if (name == "train/loss") loss_ = value;
  }
  void on(const engine::Progress& e) {
    if (e.phase != "train") return;
    char text[160];
    std::snprintf(text, sizeof text, "step %lld/%lld  loss %.4f  %.0f tokens/s  %.0f s left", static_cast<long long>(e.total_step),
                  static_cast<long long>(e.total_steps), loss_, e.tokens_per_s, e.eta_run_s);
    if (isatty(2)) {
      std::cerr << "\r\033[K" << text << std::flush;
      renew_ = true;
    } else if (e.total_step % 50 == 0) {
      line(text);
    }
  }
  void on(const engine::Evaluated& e) {
    std::string text = "step " + std::to_string(e.step) + ":";
    for (const auto& s : e.scores)
      if (s.task == "all") text += "  " + s.component + " " + percent(s.value, s.stderr_);
      else if (s.metric == "perplexity") text += "  " + s.component + " ppl " + engine::to_text(engine::Value(std::round(s.value * 1000) / 1000));
    line(text);
  }
  void on(const engine::CheckpointSaved&) {}
  void on(const engine::LogLine& e) { line(e.text); }
  void on(const engine::RunEnded& e) { line(std::string(engine::to_string(e.state)) + ": " + e.message); }

  double loss_ = 0;
  bool renew_ = false;
};

/// Waits for runs that were queued in this order; SIGINT and SIGTERM ask the current one to stop behind its current
/// step, the others do not begin. Returns the exit code.
int follow(engine::Session& session, const std::vector<engine::RunId>& runs) {
  const std::atomic<int>& signalled = watch_signals();
  Narrator narrator;
  bool asked = false, failed = false, cancelled = false;
  std::set<engine::RunId> left(runs.begin(), runs.end());
  while (!left.empty()) {
    session.wait(200ms);
    if (signalled && !asked) {
      std::cerr << "\nstopping behind this step; the checkpoint is kept\n";
      // From the end, so that none of them begins when the current one stops.
      for (auto run = runs.rbegin(); run != runs.rend(); ++run)
        if (left.contains(*run)) session.cancel(*run);
      asked = true;
    }
    for (const auto& event : session.drain()) {
      if (!left.contains(event.run)) continue;
      if (runs.size() > 1 && std::holds_alternative<engine::RunStarted>(event.body))
        std::cerr << "run " << std::find(runs.begin(), runs.end(), event.run) - runs.begin() + 1 << " of " << runs.size() << ", id " << event.run << '\n';
      narrator.tell(event);
      const auto* ended = std::get_if<engine::RunEnded>(&event.body);
      if (!ended) continue;
      left.erase(event.run);
      failed = failed || (ended->state != engine::RunState::done && ended->state != engine::RunState::cancelled);
      cancelled = cancelled || (ended->state == engine::RunState::cancelled);
    }
  }
  return cancelled ? 3 : failed ? 1 : 0;
}

Json series_json(const std::map<std::string, std::vector<engine::SeriesPoint>>& series) {
  Json all = Json::object();
  for (const auto& [name, points] : series) {
    Json list = Json::array();
    for (const auto& p : points) list.push_back({p.step, number(p.value)});
    all[name] = std::move(list);
  }
  return all;
}

Json evaluations_json(const std::vector<engine::StoredEvaluation>& evaluations) {
  Json rows = Json::array();
  for (const auto& e : evaluations)
    rows.push_back({{"step", e.step}, {"component", e.component}, {"task", e.task}, {"metric", e.metric},
                    {"value", number(e.value)}, {"stderr", number(e.stderr_)}, {"n", e.n}});
  return rows;
}

Json run_json(const engine::RunReader& reader, const engine::RunInfo& run) {
  Json checkpoints = Json::array();
  for (const auto& c : reader.checkpoints(run.id))
    checkpoints.push_back({{"step", c.step}, {"stage", c.stage}, {"kind", c.kind}, {"path", c.path}, {"bytes", c.bytes}});
  return {{"id", run.id}, {"name", run.name}, {"state", engine::to_string(run.state)}, {"message", run.message},
          {"recipe", run.recipe}, {"hash", run.hash}, {"seed", run.seed}, {"device", run.device}, {"dtype", run.dtype},
          {"host", run.host}, {"version", run.version}, {"tags", run.tags}, {"notes", run.notes}, {"seconds", run.seconds},
          {"attempt", run.attempt}, {"series", series_json(reader.series(run.id))}, {"evaluations", evaluations_json(reader.evaluations(run.id))},
          {"what_if", evaluations_json(reader.what_ifs(run.id))}, {"checkpoints", checkpoints}};
}

std::string local_time(std::int64_t ms) {
  if (ms == 0) return "–";
  const std::time_t t = ms / 1000;
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", std::localtime(&t));
  return text;
}

void list_runs(const Common& common, bool trash) {
  const engine::RunReader reader(default_paths(common.store).store);
  Json list = Json::array();
  for (const auto& run : reader.runs()) {
    if ((run.trashed_ms != 0) != trash) continue;
    list.push_back({{"id", run.id}, {"name", run.name}, {"state", engine::to_string(run.state)},
                    {"started", run.started_ms}, {"steps", run.steps}, {"seed", run.seed}, {"tags", run.tags}});
    if (trash) list.back()["trashed"] = run.trashed_ms;
    if (common.json != "-")
      std::printf("%5lld  %-28s %-12s %s  %lld/%lld steps  %.0f s  %s%s\n", static_cast<long long>(run.id), run.name.c_str(),
                  engine::to_string(run.state), local_time(run.started_ms).c_str(), static_cast<long long>(run.steps),
                  static_cast<long long>(run.total_steps), run.seconds,
                  run.tags.empty() ? "" : ("[" + run.tags + "] ").c_str(), run.message.c_str());
  }
  write_json(common, list);
}

void show_run(const Common& common, const std::string& text) {
  const engine::RunReader reader(default_paths(common.store).store);
  const auto run = find_run(reader, text);
  write_json(common, common.json.empty() ? Json() : run_json(reader, run));
  if (common.json == "-") return;
  const LastScores last = last_scores(reader, run.id);
  std::printf("%s (run %lld): %s, %s\n%s\n", run.name.c_str(), static_cast<long long>(run.id), engine::to_string(run.state),
              run.message.c_str(), verdict(last).c_str());
  std::printf("seed %lld, recipe %s, %s %s, %.0f s, version %s\n\nstep %lld\n", static_cast<long long>(run.seed), run.hash.c_str(),
              run.device.c_str(), run.dtype.c_str(), run.seconds, run.version.c_str(), static_cast<long long>(last.step));
  for (const auto& row : last.rows)
    std::printf("  %-16s %-20s %-10s %s  (n %lld)\n", row.component.c_str(), row.task.c_str(), row.metric.c_str(),
                shown_score(row).c_str(),
                static_cast<long long>(row.n));
  for (const auto& row : reader.what_ifs(run.id))
    if (row.task == "all")
      std::printf("step %lld  %s  %s  (n %lld)\n", static_cast<long long>(row.step), row.component.c_str(), shown_score(row).c_str(),
                  static_cast<long long>(row.n));
}

/// The paper's rows in its order, both differences, and recovered performance (METHODS.md, "Metrics").
constexpr const char* k_table_columns[] = {"teacher", "hybrid", "hybrid-overlap", "swa",         "linear",     "linear-outside",
                                           "swa+sinks", "sinks", "none",          "delta_h_swa", "delta_la_na", "recovered"};

using Columns = std::vector<std::string>;

std::string table_header(const std::string& first, const std::string& second, const Columns& columns) {
  std::string text = "| " + first + " | " + second + " |", rule = "|---|---|";
  for (const auto& c : columns) {
    text += " " + c + " |";
    rule += "---|";
  }
  return text + " seconds |\n" + rule + "---|\n";
}

/// hybrid / teacher in percent; nothing where one is missing or not a share.
std::optional<double> recovered(const LastScores& last, const std::string& task) {
  const auto* hybrid = last.find("hybrid", task);
  const auto* teacher = last.find("teacher", task);
  if (!hybrid || !teacher || !engine::is_share(teacher->metric) || teacher->value <= 0) return std::nullopt;
  return 100 * hybrid->value / teacher->value;
}

/// The columns that some of the runs fill.
Columns filled_columns(const std::vector<LastScores>& runs, const std::string& task) {
  Columns columns;
  for (const char* c : k_table_columns)
    if (std::ranges::any_of(runs, [&](const LastScores& r) { return std::string(c) == "recovered" ? recovered(r, task).has_value() : r.find(c, task) != nullptr; }))
      columns.push_back(c);
  return columns;
}

void compare_runs(const Common& common, const std::vector<std::string>& names, const std::string& task) {
  const engine::RunReader reader(default_paths(common.store).store);
  Json table = Json::array();
  std::vector<engine::Recipe> recipes;
  std::vector<engine::RunInfo> runs;
  std::vector<LastScores> scores;
  for (const auto& name : names) runs.push_back(find_run(reader, name)), scores.push_back(last_scores(reader, runs.back().id));
  const Columns columns = filled_columns(scores, task);
  std::string text = table_header("run", "seed", columns);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const auto& run = runs[r];
    recipes.push_back(engine::parse_recipe(run.recipe).recipe);
    const LastScores& last = scores[r];
    Json row = {{"id", run.id}, {"name", run.name}, {"seed", run.seed}, {"seconds", run.seconds}, {"verdict", verdict(last)},
                {"scores", Json::object()}};
    text += "| " + run.name + " | " + std::to_string(run.seed) + " |";
    for (const auto& e : last.rows)
      if (e.task == task && &e == last.find(e.component, task))
        row["scores"][e.component] = {{"metric", e.metric}, {"value", number(e.value)}, {"stderr", number(e.stderr_)}, {"n", e.n}};
    const auto whole = recovered(last, task);
    if (whole) row["recovered"] = number(*whole);
    for (const auto& c : columns) {
      const auto* e = last.find(c, task);
      char shown[24] = "–";
      if (c == "recovered" && whole) std::snprintf(shown, sizeof shown, "%.1f", *whole);
      text += " " + (e ? shown_score(*e) : std::string(shown)) + " |";
    }
    char seconds[24];
    std::snprintf(seconds, sizeof seconds, " %.0f |\n", run.seconds);
    text += seconds;
    table.push_back(row);
  }
  Json differing = Json::array();
  std::string difference_text;
  for (const auto& d : engine::differences(recipes)) {
    Json values = Json::array();
    difference_text += d.path + ":";
    for (const auto& v : d.values) {
      values.push_back(v ? Json(*v) : Json(nullptr));
      difference_text += " " + (!v ? "(absent)" : v->empty() ? "(empty)" : *v) + " |";
    }
    difference_text.back() = '\n';
    differing.push_back({{"path", d.path}, {"values", values}});
  }
  write_json(common, {{"task", task}, {"runs", table}, {"differences", differing}});
  if (common.json != "-") std::cout << text << "\nWhat differs:\n" << difference_text;
}

/// Runs of one setting (equal recipe but for name and seed) as one row: mean and 95 % t interval over seeds.
void compare_seeds(const Common& common, const std::vector<std::string>& names, const std::string& task) {
  const engine::RunReader reader(default_paths(common.store).store);
  struct Group {
    std::string name;
    std::vector<std::int64_t> seeds;
    std::map<std::string, std::vector<double>> values;
  };
  std::vector<std::pair<std::string, Group>> groups;
  std::vector<LastScores> scores;
  for (const auto& name : names) {
    const auto run = find_run(reader, name);
    auto at = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == run.hash; });
    if (at == groups.end()) {
      const std::string suffix = "-" + std::to_string(run.seed);
      groups.push_back({run.hash, {run.name.ends_with(suffix) ? run.name.substr(0, run.name.size() - suffix.size()) : run.name, {}, {}}});
      at = groups.end() - 1;
    }
    const LastScores last = last_scores(reader, run.id);
    at->second.seeds.push_back(run.seed);
    at->second.values["seconds"].push_back(run.seconds);
    for (const char* c : k_table_columns)
      if (const auto* e = last.find(c, task)) at->second.values[c].push_back((engine::is_share(e->metric) ? 100 : 1) * e->value);
    if (const auto whole = recovered(last, task)) at->second.values["recovered"].push_back(*whole);
    scores.push_back(last);
  }
  const Columns columns = filled_columns(scores, task);
  std::string text = table_header(task, "seeds", columns);
  Json table = Json::array();
  for (const auto& [hash, g] : groups) {
    Json row = {{"name", g.name}, {"hash", hash}, {"seeds", g.seeds}, {"columns", Json::object()}};
    text += "| " + g.name + " | " + std::to_string(g.seeds.size()) + " |";
    auto cell = [&](const std::string& column, const char* form) {
      const auto found = g.values.find(column);
      if (found == g.values.end()) return std::string(" – |");
      const auto& v = found->second;
      const engine::Estimate over = engine::t_interval(v);
      const double mean = over.value, half = v.size() < 2 ? std::nan("") : over.half();
      row["columns"][column] = {{"mean", number(mean)}, {"half_95", number(half)}, {"n", v.size()}};
      char shown[48];
      std::snprintf(shown, sizeof shown, form, mean, half);
      return std::string(shown);
    };
    for (const auto& c : columns) text += cell(c, g.seeds.size() < 2 ? " %.1f |" : " %.1f ± %.1f |");
    text += cell("seconds", " %.0f |") + "\n";
    table.push_back(row);
  }
  write_json(common, {{"task", task}, {"settings", table}});
  if (common.json != "-") std::cout << text;
}

struct RunOptions {
  std::string recipe, name, run;
  std::vector<std::string> settings;
  std::optional<std::int64_t> seed;
  std::vector<std::int64_t> seeds;
  bool stop_on_error = false;
};

int run_recipe(const Common& common, const RunOptions& o) {
  engine::Recipe recipe = preset_or_file(o.recipe);
  apply_settings(recipe, o.settings);
  if (o.seed) recipe.seed = *o.seed;
  if (!o.name.empty()) recipe.name = o.name;
  if (o.seeds.empty()) return run_all(common, {recipe}, o.stop_on_error);
  if (std::set<std::int64_t>(o.seeds.begin(), o.seeds.end()).size() != o.seeds.size()) throw WrongUse("--seeds: a seed stands twice");
  return run_all(common, engine::over_seeds(recipe, o.seeds), o.stop_on_error);
}

int resume_run(const Common& common, const std::string& text) {
  const engine::Paths paths = default_paths(common.store);
  engine::open_log(paths.log);
  engine::Session session(paths, engine::execute);
  const auto run = find_run(engine::RunReader(paths.store), text);
  session.resume(run.id);
  const int code = follow(session, {run.id});
  std::cout << run.id << '\n';
  return code;
}

/// Changes that need the store's writer, without running anything.
template <class Change>
void change_store(const Common& common, Change change) {
  const engine::Paths paths = default_paths(common.store);
  engine::Session session(paths, engine::execute);
  change(session, engine::RunReader(paths.store));
}

}  // namespace

int run_all(const Common& common, const std::vector<engine::Recipe>& recipes, bool stop_on_error, const std::string& sweep) {
  std::set<std::string> said;
  for (const auto& recipe : recipes)
    for (const auto& p : engine::check(recipe)) {
      const std::string text = (p.path.empty() ? "" : p.path + ": ") + p.message;
      if (!p.warning) throw WrongUse(text);
      if (said.insert(text).second) std::cerr << "note: " << text << '\n';
    }
  const engine::Paths paths = default_paths(common.store);
  engine::open_log(paths.log);
  engine::Session session(paths, engine::execute);
  std::vector<engine::RunId> runs;
  const std::string tag = sweep.empty() ? "" : engine::new_sweep_tag(sweep, engine::RunReader(paths.store).runs());
  const auto submit = [&](const engine::Recipe& recipe) {
    runs.push_back(session.submit(recipe));
    if (!tag.empty()) session.annotate(runs.back(), recipe.name, tag, "");
  };
  int code = 0;
  if (stop_on_error) {
    // One at a time, so that the next does not begin before this one is known to have failed.
    for (std::size_t i = 0; i < recipes.size() && code == 0; ++i) {
      submit(recipes[i]);
      code = follow(session, {runs.back()});
    }
  } else {
    for (const auto& recipe : recipes) submit(recipe);
    code = follow(session, runs);
  }
  if (!common.json.empty()) {
    const engine::RunReader reader(paths.store);
    Json list = Json::array();
    for (const auto run : runs) list.push_back(run_json(reader, *reader.run(run)));
    write_json(common, runs.size() == 1 ? list[0] : list);
  }
  if (common.json != "-")
    for (const auto run : runs) std::cout << run << '\n';
  return code;
}

void add_run_commands(CLI::App& cli, const Common& common, int& code) {
  static RunOptions o;
  static std::vector<std::string> names;
  static bool over_seeds = false, trash = false;
  static std::string task = "all", tags, notes, to;
  auto* run = cli.add_subcommand("run", "Run a recipe; the last line of standard output is the run's id");
  run->add_option("recipe", o.recipe, "A recipe file (YAML), or a preset (equipoise recipe lists them)")->required();
  run->add_option("--set", o.settings, "key=value: overrides one field (repeatable)")->take_all();
  auto* seed = run->add_option("--seed", o.seed, "The run's seed");
  run->add_option("--seeds", o.seeds, "Seeds separated by commas: a run each, named <name>-<seed>; the last lines of standard output are their ids")
      ->delimiter(',')->excludes(seed);
  run->add_flag("--stop-on-error", o.stop_on_error, "With --seeds: end at the first run that fails");
  run->add_option("--name", o.name, "The run's name in lists");
  run->callback([&] { code = run_recipe(common, o); });

  auto* resume = cli.add_subcommand("resume", "Go on with an interrupted, failed or cancelled run from its last checkpoint");
  resume->add_option("run", o.run, "Id or name")->required();
  resume->callback([&] { code = resume_run(common, o.run); });

  auto* list = cli.add_subcommand("runs", "List the store's runs");
  list->add_flag("--trash", trash, "Those that were deleted and can be restored, instead of the others");
  list->callback([&] { list_runs(common, trash); });

  auto* show = cli.add_subcommand("show", "One run: verdict, last scores; with --json every stored point");
  show->add_option("run", o.run, "Id or name")->required();
  show->callback([&] { show_run(common, o.run); });

  auto* compare = cli.add_subcommand("compare", "Component ablations of several runs side by side, and what differs");
  compare->add_option("runs", names, "Ids or names")->required();
  compare->add_option("--task", task, "all, local, far or a task's name")->capture_default_str();
  compare->add_flag("--seeds", over_seeds, "One row a setting: mean and 95 % t interval over its seeds");
  compare->callback([&] { over_seeds ? compare_seeds(common, names, task) : compare_runs(common, names, task); });

  auto* tag = cli.add_subcommand("tag", "Set a run's name, tags and notes");
  tag->add_option("run", o.run, "Id or name")->required();
  tag->add_option("--name", o.name, "New name");
  tag->add_option("--tags", tags, "Words separated by commas");
  tag->add_option("--notes", notes, "Free text");
  tag->callback([&, tag] {
    change_store(common, [&](engine::Session& session, const engine::RunReader& reader) {
      const auto info = find_run(reader, o.run);
      session.annotate(info.id, o.name.empty() ? info.name : o.name, tag->count("--tags") ? tags : info.tags,
                       tag->count("--notes") ? notes : info.notes);
    });
  });

  auto* report = cli.add_subcommand("report", "One self-contained HTML file about some runs");
  report->add_option("runs", names, "Ids or names")->required();
  report->add_option("--to", to, "The file to write")->required();
  report->callback([&] {
    const engine::RunReader reader(default_paths(common.store).store);
    std::vector<engine::RunInfo> infos;
    for (const auto& name : names) infos.push_back(find_run(reader, name));
    write_report(reader, infos, to);
  });
}

}  // namespace app
