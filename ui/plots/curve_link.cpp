#include "ui/plots/curve_link.h"

#include "ui/plots/curve_plot.h"

namespace ui {
namespace {

void follow(CurvePlot* from, CurvePlot* to) {
  QObject::connect(from, &CurvePlot::crosshairMoved, to, [to](std::optional<double> x) {
    if (to->isVisible()) to->setCrosshair(x);
  });
  QObject::connect(from, &CurvePlot::rangeXChanged, to, [from, to](double low, double high, bool by_user) {
    if (to->isHidden()) return;
    if (by_user)
      to->setRangeX(low, high, true);
    else if (from->following() && !to->following())
      to->fit();
  });
}

}  // namespace

void linkCurves(const std::vector<CurvePlot*>& plots) {
  for (CurvePlot* from : plots)
    for (CurvePlot* to : plots)
      if (from != to) follow(from, to);
}

}  // namespace ui
