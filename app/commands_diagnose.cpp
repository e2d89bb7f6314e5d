#include <algorithm>
#include <fstream>
#include <iostream>
#include <map>

#include <unistd.h>

#include "app/commands.h"
#include "app/paths.h"
#include "engine/attention/components.h"
#include "engine/diagnose.h"
#include "engine/error.h"
#include "engine/execute.h"
#include "engine/session.h"
#include "engine/verdict.h"

namespace app {
namespace {

namespace fs = std::filesystem;

struct DiagnoseCommand {
  std::vector<std::string> runs, what_if;
  SubjectOptions subject;
  std::string what, tasks = "builtin:all", html, csv;
  engine::DiagnoseOptions options;
  bool save = false;
};

std::vector<std::string> parts_of(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(separator, at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// "window=16,g=0.3,context=overlap,sinks=4,component=swa,layers=hybrid/swa". Throws WrongUse.
engine::WhatIf setting_of(const std::string& text) {
  engine::WhatIf w;
  const std::string expected = "; expected window=N, g=0…1, context=outside|overlap, sinks=N, component=NAME, layers=NAME/NAME/…, joined by commas";
  for (const auto& part : parts_of(text, ',')) {
    const auto equals = part.find('=');
    const std::string key = part.substr(0, equals), value = equals == std::string::npos ? "" : part.substr(equals + 1);
    auto number = [&](double low, double high) {
      const auto v = engine::from_text(value, engine::Value(0.0));
      if (!v || std::get<double>(*v) < low || std::get<double>(*v) > high) throw WrongUse("--what-if " + text + ": " + key + " \"" + value + "\"" + expected);
      return std::get<double>(*v);
    };
    if (key == "window") w.window = static_cast<std::int64_t>(number(1, 1 << 20));
    else if (key == "g") w.weight = number(0, 1);
    else if (key == "sinks") w.sinks = static_cast<std::int64_t>(number(0, 1 << 20));
    else if (key == "context" && (value == "outside" || value == "overlap")) w.context = value;
    else if (key == "component") w.component = value;
    else if (key == "layers") w.layers = parts_of(value, '/');
    else throw WrongUse("--what-if " + text + expected);
  }
  engine::component_from(w.component);
  for (const auto& l : w.layers) engine::component_from(l);
  return w;
}

void write_text(const std::string& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  if (!out.flush()) throw engine::InputError(file + ": cannot be written");
}

std::string points(const engine::Estimate& e) {
  return e.n == 0 ? "–" : engine::points_text(e.value) + " [" + engine::points_text(e.low) + ", " + engine::points_text(e.high) + "]";
}

void print(const engine::Diagnosis& d) {
  std::printf("%s, %s, window %lld\n", d.name.c_str(), d.checkpoint.c_str(), static_cast<long long>(d.window));
  if (d.verdict) std::printf("%s. %s\n", d.verdict->headline.c_str(), d.verdict->paragraph.c_str());
  for (const auto& e : d.exposure)
    std::printf("  exposure  %-18s %5lld of %5lld examples   Δ hybrid − swa %s\n", e.task.c_str(), static_cast<long long>(e.exposed_examples),
                static_cast<long long>(e.examples), points(e.delta_h_swa.difference).c_str());
  auto profile = [](const char* axis, const engine::Profile& p) {
    if (!p.problem.empty()) std::printf("  %s  %s: %s\n", axis, p.name.c_str(), p.problem.c_str());
    for (const auto& b : p.bins)
      std::printf("  %s  %-18s %4.0f–%-4.0f tokens   Δ hybrid − swa %s\n", axis, p.name.c_str(), b.low, b.high - 1, points(b.delta_h_swa.difference).c_str());
  };
  for (const auto& p : d.distance) profile("distance", p);
  for (const auto& p : d.length) profile("length", p);
  for (const auto& r : d.inside)
    if (r.head < 0)
      std::printf("  layer %-3lld linear share %4.1f %% (exposed %4.1f %%)   cosine to the teacher: swa %.3f, linear %.3f, hybrid %.3f\n",
                  static_cast<long long>(r.layer), 100 * r.share, 100 * r.exposed_share, r.cosine_swa, r.cosine_linear, r.cosine_hybrid);
  for (const auto& k : d.knockouts)
    std::printf("  knock-out  layer %lld%s, %s: loss %+.4f [%+.4f, %+.4f] nats\n", static_cast<long long>(k.layer),
                k.head < 0 ? "" : (" head " + std::to_string(k.head)).c_str(), k.branch.c_str(), k.damage.value, k.damage.low, k.damage.high);
  for (const auto& w : d.what_if)
    std::printf("  what if  %-40s %5.1f %%   %s against the stored setting\n", w.text.c_str(), 100 * w.all.accuracy.value, points(w.against_stored.difference).c_str());
  for (const auto& c : d.continuations) std::printf("  %-8s %s\n", c.component.c_str(), c.text.c_str());
  if (!d.no_mass.empty()) std::printf("  %s\n", d.no_mass.c_str());
  for (const auto& n : d.notes) std::cerr << n << '\n';
}

/// Runs of one setting: t intervals over their seeds, beside the intervals over examples that each has of its own.
Json over_seeds(const std::vector<engine::Diagnosis>& all) {
  std::map<std::string, std::map<std::int64_t, const engine::Diagnosis*>> settings;
  for (const auto& d : all)
    if (d.verdict && d.verdict->delta_h_swa.difference.n > 0) settings[d.recipe_hash][d.seed] = &d;
  Json rows = Json::array();
  for (const auto& [hash, seeds] : settings) {
    if (seeds.size() < 2) continue;
    std::vector<double> h, l;
    Json numbers = Json::array();
    for (const auto& [seed, d] : seeds) {
      numbers.push_back(seed);
      h.push_back(d->verdict->delta_h_swa.difference.value);
      l.push_back(d->verdict->delta_la_na.difference.value);
    }
    auto estimate = [](const engine::Estimate& e) { return Json{{"value", e.value}, {"low", e.low}, {"high", e.high}, {"n", e.n}}; };
    rows.push_back({{"recipe_hash", hash}, {"seeds", numbers}, {"delta_h_swa", estimate(engine::t_interval(h))}, {"delta_la_na", estimate(engine::t_interval(l))}});
    std::fprintf(stderr, "over %zu seeds of %s: Δ hybrid − swa %s, Δ linear − none %s (t interval)\n", seeds.size(), hash.c_str(),
                 points(engine::t_interval(h)).c_str(), points(engine::t_interval(l)).c_str());
  }
  return rows;
}

/// "12@84", "lolcats@best": a run with one of its checkpoints; a run whose name has an @ wins. The run is found here and
/// goes by its number from then on. 0: a model without a run.
std::pair<engine::RunId, SubjectOptions> named(const Common& common, const DiagnoseCommand& c, const std::string& name) {
  SubjectOptions one = c.subject;
  if (name.empty()) return {0, one};
  const engine::RunReader reader(default_paths(common.store).store);
  auto run = reader.find(name);
  if (const auto at = name.rfind('@'); !run && at != std::string::npos) {
    one.checkpoint = name.substr(at + 1);
    run = find_run(reader, name.substr(0, at));
  }
  if (!run) run = find_run(reader, name);
  one.run = std::to_string(run->id);
  return {run->id, one};
}

/// The settings tried, as evaluations of the run at the checkpoint's step.
void save_tried(engine::Session& session, engine::RunId id, const engine::Subject& subject, const engine::Diagnosis& d) {
  const engine::RunReader reader(session.paths().store);
  std::int64_t step = 0;
  for (const auto& c : reader.checkpoints(id))
    if (subject.checkpoint && c.path == *subject.checkpoint) step = c.step;
  for (const auto& tried : d.what_if) session.record(id, engine::what_if_evaluation(tried, step, d.window));
  std::fprintf(stderr, "%zu settings saved with run %lld; `equipoise show %lld` lists them\n", d.what_if.size(), static_cast<long long>(id),
               static_cast<long long>(id));
}

void run_diagnose(const Common& common, DiagnoseCommand& c, int& code) {
  if (c.runs.empty() == c.subject.model.empty()) throw WrongUse("name either runs or --model");
  if (c.save && (c.runs.empty() || c.what_if.empty())) throw WrongUse("--save stores --what-if settings with a run; name both");
  if (c.save && !c.what.empty() && std::ranges::count(parts_of(c.what, ','), "whatif") == 0)
    throw WrongUse("--save stores --what-if settings, which --what " + c.what + " leaves out; add whatif to it");
  c.options.what = parts_of(c.what, ',');
  c.options.tasks = parts_of(c.tasks, ',');
  for (const auto& part : c.options.what)
    if (std::ranges::count(engine::diagnosis_parts(), part) == 0) {
      std::string names;
      for (const auto& p : engine::diagnosis_parts()) names += (names.empty() ? "" : ", ") + p;
      throw WrongUse("--what " + part + ": expected " + names);
    }
  for (const auto& text : c.what_if) c.options.what_if.push_back(setting_of(text));
  const std::atomic<int>& signalled = watch_signals();
  std::stop_source stop;
  engine::Watch watch{stop.get_token(), [&](std::int64_t done, const std::string& unit) {
                        if (signalled != 0) stop.request_stop();
                        if (isatty(2)) std::cerr << "\r\033[K" << done << ' ' << unit << std::flush;
                      }};
  // Held from here on: a store that another program writes to is known before the hours of measuring, not after.
  std::optional<engine::Session> session;
  if (c.save) session.emplace(default_paths(common.store), engine::execute);
  std::vector<engine::Diagnosis> all;
  std::vector<std::pair<engine::RunId, engine::Subject>> measured;
  const auto save = [&] {
    for (std::size_t i = 0; session && i < measured.size(); ++i) save_tried(*session, measured[i].first, measured[i].second, all[i]);
  };
  try {
    const auto names = c.runs.empty() ? std::vector<std::string>{""} : c.runs;
    for (const auto& run : names) {
      const auto [id, one] = named(common, c, run);
      engine::Subject s = subject(common, one);
      if (run.empty()) s.recipe.name = s.recipe.model;
      all.push_back(engine::diagnose(s, c.options, watch));
      measured.emplace_back(id, std::move(s));
    }
  } catch (const engine::Cancelled&) {
    std::cerr << "\nequipoise: stopped\n";
    save();
    code = 3;
    return;
  }
  if (isatty(2)) std::cerr << "\r\033[K";
  const Json seeds = over_seeds(all);
  if (!c.html.empty()) write_text(c.html, engine::diagnosis_html(all));
  if (!c.csv.empty()) {
    std::string text;
    for (const auto& d : all) text += (all.size() > 1 ? "# " + d.name + ", seed " + std::to_string(d.seed) + "\n" : "") + engine::diagnosis_csv(d);
    write_text(c.csv, text);
  }
  if (!common.json.empty()) {
    Json list = Json::array();
    for (const auto& d : all) list.push_back(Json::parse(engine::to_json(d)));
    write_json(common, all.size() == 1 ? list.front() : Json{{"diagnoses", list}, {"over_seeds", seeds}});
  }
  if (common.json != "-")
    for (const auto& d : all) print(d);
  save();  // last: a store that fails takes nothing of what was measured with it
}

}  // namespace

void add_diagnose_command(CLI::App& cli, const Common& common, int& code) {
  static DiagnoseCommand c;
  auto* command = cli.add_subcommand("diagnose", "Where, when and by how much the linear half works: layers, heads, distances, examples, a verdict");
  command->add_option("run", c.runs, "Runs of the store, or RUN@STEP for one of its checkpoints; several stand beside each other, seeds of one setting get a t interval");
  command->add_option("--model", c.subject.model, "builtin:tiny or a Hugging Face folder, with the conversion's start");
  command->add_option("--checkpoint", c.subject.checkpoint, "best, last, a stage's kind or a step; default: the newest");
  command->add_option("--what", c.what, "exposure,distance,length,layers,knockout,maps,features,whatif,examples,verdict; default: all");
  command->add_option("--tasks", c.tasks, "Tasks separated by commas")->capture_default_str();
  command->add_option("--data", c.options.data, "Folder of data sets, as of evaluate");
  command->add_option("--limit", c.options.limit, "Examples of each task (builtin: documents); 0: all")->capture_default_str()->check(CLI::NonNegativeNumber);
  command->add_option("--window", c.options.window, "Window in tokens; 0: the recipe's evaluation window")->capture_default_str()->check(CLI::NonNegativeNumber);
  command->add_option("--max-distance", c.options.max_distance, "Farthest look-back of the synthetic probes, tokens")->capture_default_str()->check(CLI::PositiveNumber);
  command->add_option("--probe-sequences", c.options.probe_sequences, "Sequences a probe and distance")->capture_default_str()->check(CLI::PositiveNumber);
  command->add_option("--rows", c.options.rows, "Texts that layers, heads and feature maps are measured on")->capture_default_str()->check(CLI::PositiveNumber);
  command->add_option("--row-tokens", c.options.row_tokens, "Most tokens of each")->capture_default_str()->check(CLI::Range(2, 1 << 20));
  command->add_option("--prompt", c.options.map.prompt, "Text for maps and continuations; default: an example's");
  command->add_option("--layer", c.options.map.layer, "Of the attention maps, from 0")->capture_default_str();
  command->add_option("--head", c.options.map.head, "Of the attention maps, from 0")->capture_default_str();
  command->add_option("--first", c.options.map.first, "First token of the maps shown")->capture_default_str();
  command->add_option("--last", c.options.map.last, "One behind the last token shown; 0: the end")->capture_default_str();
  command->add_option("--cells", c.options.map.cells, "Most cells on an axis of a map; more tokens are pooled")->capture_default_str();
  command->add_option("--what-if", c.what_if, "A setting to try, e.g. window=16,g=0.3,context=overlap,layers=hybrid/swa; may be repeated; default: a sweep");
  command->add_flag("--save", c.save, "Store the --what-if settings with the run, as evaluations of its checkpoint");
  command->add_option("--examples", c.options.examples, "Examples shown in each direction")->capture_default_str();
  command->add_option("--html", c.html, "One self-contained HTML page");
  command->add_option("--csv", c.csv, "Every figure as one table");
  command->callback([&] { run_diagnose(common, c, code); });
}

}  // namespace app
