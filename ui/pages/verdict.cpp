#include "ui/pages/verdict.h"

namespace ui {
namespace {

std::optional<engine::MeasuredDifference> measured(const RunData* run, const char* difference,
                                                   const std::string& task) {
  const auto p = run ? run->lastScore(difference, task) : std::nullopt;
  if (!p) return std::nullopt;
  return engine::MeasuredDifference{p->value, p->stderr_, p->step > 0, p->n};
}

}  // namespace

QString points(double accuracy_difference, int decimals) {
  return QString::fromStdString(engine::points_text(accuracy_difference, decimals));
}

std::optional<double> exposure(const RunData& run, const std::string& task) {
  double exposed = 0, scored = 0;
  for (const auto& [key, points] : run.scores) {
    if (key.component != "exposure" || points.empty() || (task != "all" && key.task != task)) continue;
    exposed += points.back().value * double(points.back().n);
    scored += double(points.back().n);
  }
  return scored > 0 ? std::optional(exposed / scored) : std::nullopt;
}

Verdict judge(const RunData* run, const std::string& task, bool finished) {
  const engine::Verdict v =
      engine::judge(measured(run, "delta_h_swa", task), measured(run, "delta_la_na", task),
                    run ? exposure(*run, task) : std::nullopt, finished);
  return {v.use, QString::fromStdString(v.headline), QString::fromStdString(v.sentence), v.alarm};
}

}  // namespace ui
