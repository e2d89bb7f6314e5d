/// Ranges around curves: two edges that are curves of their own, so that files have their exact values, and what lies between.

#include "ui/plots/curve_plot_impl.h"

namespace ui {

void CurvePlot::setRange(const QString& id, const std::vector<CurvePoint>& low, const std::vector<CurvePoint>& high) {
  const auto owner = impl_->curves.find(id);
  if (owner == impl_->curves.end()) return;
  const CurveSpec spec = owner->second.spec;
  for (const auto& [name, points] : {std::pair(" min", &low), std::pair(" max", &high)}) {
    if (points->empty()) {
      removeCurve(id + name);
      continue;
    }
    if (!impl_->curves.contains(id + name)) {
      CurveSpec edge{.id = id + name, .label = spec.label + name, .style = {}, .edge = true};
      edge.style = [style = spec.style](Scheme s) {
        return SeriesStyle{style(s).color, Qt::NoPen, 0, Marker::none, false};
      };
      setCurve(edge);
    }
    setPoints(id + name, *points);
  }
}

/// Graphs are made anew with the look, so what they fill up to is told with every picture.
void CurvePlot::Impl::fillRanges() {
  for (auto& [id, curve] : curves) {
    const auto low = curves.find(id + " min"), high = curves.find(id + " max");
    if (low == curves.end() || high == curves.end()) continue;
    const Scheme scheme = schemeOf(plot);
    high->second.line->setBrush(withAlpha(curve.spec.style(scheme).color, scheme == Scheme::dark ? 0.2 : 0.15));
    high->second.line->setChannelFillGraph(low->second.line);
  }
}

}  // namespace ui
