#include <cmath>
#include <fstream>
#include <iostream>

#include "app/commands.h"

#include <csignal>
#include "engine/error.h"
#include "engine/verdict.h"

namespace app {

void write_json(const Common& common, const Json& value) {
  if (common.json.empty()) return;
  if (common.json == "-") {
    std::cout << value.dump(1) << '\n';
    return;
  }
  std::ofstream out(common.json, std::ios::binary);
  out << value.dump(1) << '\n';
  if (!out.flush()) throw engine::InputError(common.json + ": cannot be written");
}

Json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

std::string percent(double value, double stderr_) {
  char text[48];
  std::snprintf(text, sizeof text, "%.1f ± %.1f", 100 * value, 196 * stderr_);
  return text;
}

std::string shown_score(const engine::StoredEvaluation& e) {
  if (engine::is_share(e.metric)) return percent(e.value, e.stderr_);
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", e.value);
  return text;
}

const std::atomic<int>& watch_signals() {
  static std::atomic<int> signalled{0};  // a signal handler may set nothing else
  auto note = [](int number) { signalled = number; };
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
  return signalled;
}

engine::RunInfo find_run(const engine::RunReader& reader, const std::string& text) {
  if (auto run = reader.find(text)) return *run;
  if (const auto run = reader.find_in_trash(text)) {
    const std::string id = std::to_string(run->id);
    throw engine::InputError("no run \"" + text + "\" in this store but run " + id + " in the trash; `equipoise restore " + id + "` brings it back");
  }
  throw engine::InputError("no run \"" + text + "\" in this store; `equipoise runs` lists them");
}

void apply_settings(engine::Recipe& recipe, const std::vector<std::string>& settings) {
  for (const auto& setting : settings) {
    const auto equals = setting.find('=');
    if (equals == std::string::npos) throw WrongUse("--set " + setting + ": expected key=value");
    if (const auto problem = engine::set_field(recipe, setting.substr(0, equals), setting.substr(equals + 1)))
      throw WrongUse("--set " + problem->path + ": " + problem->message);
  }
}

const engine::StoredEvaluation* LastScores::find(const std::string& component, const std::string& task) const {
  for (const auto& row : rows)  // a task's own metric comes first
    if (row.component == component && row.task == task) return &row;
  return nullptr;
}

LastScores last_scores(const engine::RunReader& reader, engine::RunId run) {
  LastScores last;
  for (auto& row : reader.evaluations(run)) {
    if (row.step != last.step) last.rows.clear();
    last.step = row.step;
    last.rows.push_back(row);
  }
  return last;
}

std::string verdict(const LastScores& scores) {
  auto measured = [&](const char* component) -> std::optional<engine::MeasuredDifference> {
    const auto* e = scores.find(component, "all");
    if (!e) return std::nullopt;
    return engine::MeasuredDifference{e->value, e->stderr_, e->step > 0, e->n};
  };
  double exposed = 0, scored = 0;
  for (const auto& row : scores.rows)
    if (row.component == "exposure") {
      exposed += row.value * static_cast<double>(row.n);
      scored += static_cast<double>(row.n);
    }
  const auto exposure = scored > 0 ? std::optional(exposed / scored) : std::nullopt;
  const engine::Verdict v = engine::judge(measured("delta_h_swa"), measured("delta_la_na"), exposure, true);
  return v.headline + ". " + v.sentence;
}

}  // namespace app
