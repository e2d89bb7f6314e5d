#include "ui/plots/scatter_plot.h"

#include <cmath>

#include "ui/plots/plot_parts.h"

namespace ui {

struct ScatterPlot::Impl {
  QCustomPlot* plot = nullptr;
  std::vector<ScatterPoint> points;
  std::vector<QCPItemText*> labels;
  std::vector<QRectF> rects;

  QPointF pixel(const ScatterPoint& p) const {
    return {plot->xAxis->coordToPixel(p.x), plot->yAxis->coordToPixel(p.y)};
  }
  void placeLabels();
  void scale();
};

ScatterPlot::ScatterPlot(const QString& name, QWidget* parent)
    : StillPlot(name, parent), impl_(std::make_unique<Impl>()) {
  Impl& d = *impl_;
  d.plot = plot();
  rebuild();
}

ScatterPlot::~ScatterPlot() = default;

void ScatterPlot::setAxes(const QString& x_title, const QString& y_title) {
  impl_->plot->xAxis->setLabel(x_title);
  impl_->plot->yAxis->setLabel(y_title);
  rebuild();
}

void ScatterPlot::setPoints(std::vector<ScatterPoint> points) {
  impl_->points = std::move(points);
  rebuild();
}

std::vector<QRectF> ScatterPlot::labelRects() const { return impl_->rects; }

/// All intervals and the zero of x in sight, with room for the names at the right.
void ScatterPlot::Impl::scale() {
  double x0 = 0, x1 = 0, y0 = 1e300, y1 = -1e300;
  for (const ScatterPoint& p : points) {
    x0 = std::min(x0, p.x - p.x_half);
    x1 = std::max(x1, p.x + p.x_up);
    y0 = std::min(y0, p.y - p.y_half);
    y1 = std::max(y1, p.y + p.y_up);
  }
  if (points.empty()) y0 = 0, y1 = 1;
  const double dx = std::max(x1 - x0, 1.0), dy = std::max(y1 - y0, 1.0);
  plot->xAxis->setRange(x0 - 0.08 * dx, x1 + 0.3 * dx);
  plot->yAxis->setRange(y0 - 0.12 * dy, y1 + 0.12 * dy);
}

void ScatterPlot::rebuild() {
  Impl& d = *impl_;
  const Colors& c = colorsOf(this);
  const Scheme scheme = schemeOf(this);
  d.plot->clearPlottables();
  d.plot->clearItems();
  d.labels.clear();
  d.plot->setBackground(QBrush(c.panel));
  for (QCPAxis* axis : {d.plot->xAxis, d.plot->yAxis}) styleAxis(axis, c);
  d.plot->yAxis->grid()->setZeroLinePen(Qt::NoPen);
  for (const ScatterPoint& p : d.points) {
    const SeriesStyle style = p.style(scheme);
    auto* mark = d.plot->addGraph();
    mark->setLineStyle(QCPGraph::lsNone);
    mark->setScatterStyle(scatterStyle(style, c.panel, 8));
    mark->addData(p.x, p.y);
    auto whisker = [&](QCPErrorBars::ErrorType type, double below, double above) {
      if (below <= 0 && above <= 0) return;
      auto* bars = new QCPErrorBars(d.plot->xAxis, d.plot->yAxis);
      bars->setErrorType(type);
      bars->setDataPlottable(mark);
      bars->setPen(QPen(withAlpha(style.color, 0.6), 1));
      bars->setWhiskerWidth(6);
      bars->setSymbolGap(8);
      bars->addData(below, above);
    };
    whisker(QCPErrorBars::etKeyError, p.x_half, p.x_up);
    whisker(QCPErrorBars::etValueError, p.y_half, p.y_up);
    auto* label = new QCPItemText(d.plot);
    label->position->setType(QCPItemPosition::ptAbsolute);
    label->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
    label->setFont(secondaryFont());
    label->setPadding({});
    label->setText(p.label);
    label->setColor(c.text);
    d.labels.push_back(label);
  }
  d.scale();
  d.plot->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
  d.plot->axisRect()->setMargins(QMargins(0, 10, 8, 0));
  finish(d.points.empty());
}

/// Beside the mark where that is free: right, above right, below right, left. Names may not cover
/// each other, another mark or the frame.
void ScatterPlot::Impl::placeLabels() {
  const QFontMetrics fm(secondaryFont());
  const QRectF area = plot->axisRect()->rect();
  rects.clear();
  for (std::size_t i = 0; i < labels.size() && i < points.size(); ++i) {
    const QPointF at = pixel(points[i]);
    const QString text =
        fm.elidedText(points[i].label, Qt::ElideMiddle, int(std::max(60.0, area.width() * 0.45)));
    const QSizeF size(fm.horizontalAdvance(text) + 2, fm.height());
    auto free = [&](const QRectF& r) {
      if (!area.contains(r)) return false;
      for (const QRectF& other : rects)
        if (r.intersects(other)) return false;
      for (const ScatterPoint& p : points)
        if (r.contains(pixel(p))) return false;
      return true;
    };
    QRectF best;
    for (double step = 0; step < 8 && best.isNull(); ++step)
      for (double side : {-1.0, 1.0})
        for (bool right : {true, false}) {
          const double dy = side * step * 0.6 * size.height();
          const QRectF r(QPointF(right ? at.x() + 9 : at.x() - 9 - size.width(),
                                 at.y() - size.height() / 2 + dy - (step == 0 ? 7 : 0)),
                         size);
          if (best.isNull() && free(r)) best = r;
        }
    labels[i]->setText(text);
    labels[i]->setVisible(!best.isNull());
    if (best.isNull()) continue;
    labels[i]->position->setCoords(best.left(), best.top());
    rects.push_back(best);
  }
}

void ScatterPlot::placeTexts() { impl_->placeLabels(); }

QString ScatterPlot::tipAt(QPoint at) const {
  for (const ScatterPoint& p : impl_->points) {
    const QPointF away = impl_->pixel(p) - QPointF(at);
    if (std::hypot(away.x(), away.y()) > 12) continue;
    const auto range = [](double value, double below, double above) {
      return QString("%1 [%2, %3]").arg(value, 0, 'f', 2).arg(value - below, 0, 'f', 2).arg(value + above, 0, 'f', 2);
    };
    return QString("%1\n%2: %3\n%4: %5%6")
        .arg(p.label, impl_->plot->xAxis->label(), range(p.x, p.x_half, p.x_up),
             impl_->plot->yAxis->label(), range(p.y, p.y_half, p.y_up),
             p.spread.isEmpty() ? QString() : "\n" + p.spread);
  }
  return {};
}

QString ScatterPlot::csv() const {
  const bool other = std::any_of(impl_->points.begin(), impl_->points.end(),
                                 [](const ScatterPoint& p) { return !p.spread.isEmpty(); });
  QString text = other ? "run,x,x_below,x_above,y,y_below,y_above,spread\n"
                       : "run,x,x_half_width_95,y,y_half_width_95\n";
  for (const ScatterPoint& p : impl_->points) {
    text += "\"" + QString(p.label).replace("\"", "\"\"") + "\"";
    const auto add = [&text](std::initializer_list<double> values) {
      for (double v : values) text += "," + QString::number(v, 'g', 17);
    };
    if (other)
      add({p.x, p.x_half, p.x_up, p.y, p.y_half, p.y_up});
    else
      add({p.x, p.x_half, p.y, p.y_half});
    if (other) text += "," + (p.spread.isEmpty() ? QString("95 % interval") : p.spread);
    text += "\n";
  }
  return text;
}

}  // namespace ui
