#pragma once
/// What curves are drawn over: optimizer steps, or what a step is in epochs, tokens or time.

#include <QString>
#include <utility>
#include <vector>

#include "ui/models/run_data.h"

namespace ui {

enum class XAxis { step, epoch, tokens, elapsed, clock };

struct XAxisInfo {
  XAxis axis;
  const char* choice;  ///< "by epoch"
  const char* title;   ///< of the axis, with its unit
  const char* word;    ///< before a value in the read-out, and the column in CSV
  int decimals;
};
const std::vector<XAxisInfo>& xAxes();
const XAxisInfo& infoOf(XAxis axis);

/// From steps to the axis, for one run. Epochs and tokens follow the recipe's plan; time is that at which a step was
/// logged (waiting included), straight lines between logged steps.
class StepMap {
 public:
  StepMap() = default;  ///< steps
  StepMap(XAxis axis, const RunData& run, const std::vector<engine::StepTime>& times);
  double operator()(double step) const;
  std::vector<CurvePoint> operator()(std::vector<CurvePoint> points) const;

 private:
  std::vector<std::pair<double, double>> knots_;  ///< step and value, both rising; empty: steps as they are
};

}  // namespace ui
