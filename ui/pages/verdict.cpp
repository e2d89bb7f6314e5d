#include "ui/pages/verdict.h"

namespace ui {
namespace {

std::optional<engine::MeasuredDifference> measured(const std::optional<ScorePoint>& p) {
  if (!p) return std::nullopt;
  return engine::MeasuredDifference{p->value, p->stderr_, p->step > 0};
}

}  // namespace

QString points(double accuracy_difference, int decimals) {
  return QString::fromStdString(engine::points_text(accuracy_difference, decimals));
}

Verdict judge(const std::optional<ScorePoint>& h, const std::optional<ScorePoint>& l,
              bool finished) {
  const engine::Verdict v = engine::judge(measured(h), measured(l), finished);
  return {v.use, QString::fromStdString(v.headline), QString::fromStdString(v.sentence), v.alarm};
}

}  // namespace ui
