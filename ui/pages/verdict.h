#pragma once
/// The engine's verdict as the pages show it.

#include <QString>
#include <optional>

#include "engine/verdict.h"
#include "ui/models/run_data.h"

namespace ui {

using engine::Use;

struct Verdict {
  Use use = Use::unknown;
  QString headline;    ///< "Linear attention is used"
  QString sentence;    ///< why, with the numbers
  bool alarm = false;  ///< linear attention alone does no better than no attention
};

/// `delta_h`: hybrid − swa; `delta_l`: linear − none; both as accuracy 0..1. `finished`: no more
/// evaluations come.
Verdict judge(const std::optional<ScorePoint>& delta_h, const std::optional<ScorePoint>& delta_l,
              bool finished);

/// "+3.1" and "−0.4", in points.
QString points(double accuracy_difference, int decimals = 1);

}  // namespace ui
