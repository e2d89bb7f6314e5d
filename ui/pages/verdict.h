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

/// Of the newest evaluation on a task; "all": on all together, by scored tokens. Nothing where it
/// was not measured.
std::optional<double> exposure(const RunData& run, const std::string& task);

/// From hybrid − swa, linear − none and the exposure. No run: as before its first evaluation.
/// `finished`: no more evaluations come.
Verdict judge(const RunData* run, const std::string& task, bool finished);

/// "+3.1" and "−0.4", in points.
QString points(double accuracy_difference, int decimals = 1);

}  // namespace ui
