#pragma once
/// Whether the linear half is used, in one sentence, from the two differences and their standard errors.

#include <QString>
#include <optional>

#include "ui/models/run_data.h"

namespace ui {

enum class Use { unknown, used, ignored, harmful };

struct Verdict {
  Use use = Use::unknown;
  QString headline;  ///< "Linear attention is used"
  QString sentence;  ///< why, with the numbers
  bool alarm = false;  ///< linear attention alone does no better than no attention
};

/// Differences smaller than this (points of accuracy) count as none when the interval lies within.
inline constexpr double k_margin_points = 2.0;

/// `delta_h`: hybrid − swa; `delta_l`: linear − none; both as accuracy 0..1. `finished`: no more evaluations come.
Verdict judge(const std::optional<ScorePoint>& delta_h, const std::optional<ScorePoint>& delta_l, bool finished);

/// "+3.1" and "−0.4", in points.
QString points(double accuracy_difference, int decimals = 1);

}  // namespace ui
