#pragma once
/// Plots over one x axis that are looked at together.

#include <vector>

namespace ui {

class CurvePlot;

/// The crosshair of one stands in the others too, as far as they are shown. A range that is dragged or zoomed is taken over; one that shows all again
/// lets the others show all.
void linkCurves(const std::vector<CurvePlot*>& plots);

}  // namespace ui
