#pragma once
/// Fewer points for the screen, none lost for the eye: per pixel column the first, lowest, highest
/// and last one.

#include <vector>

namespace ui {

struct CurvePoint {
  double x = 0, y = 0;
  double err = 0;  ///< half width of the 95 % interval; 0: none
};

/// Points of `points` (rising x) within [x0, x1] and one beyond each side, at most four a column.
/// Non-finite y are kept as gaps.
std::vector<CurvePoint> thin(const std::vector<CurvePoint>& points, double x0, double x1,
                             int columns);

/// Exponential moving average with the start-up bias removed; weight 0 gives the points back.
std::vector<CurvePoint> smoothed(const std::vector<CurvePoint>& points, double weight);

}  // namespace ui
