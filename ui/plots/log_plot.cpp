#include "ui/plots/log_plot.h"

#include <QLocale>
#include <algorithm>
#include <cmath>

#include "ui/plots/plot_parts.h"

namespace ui {
namespace {

QString numberText(double v) {
  return v >= 1000 ? QLocale(QLocale::English).toString(qint64(std::llround(v))) : QString::number(v, 'g', 3);
}

/// 1, 2 and 5 of each decade in the range, or the decades alone where those are many.
QSharedPointer<QCPAxisTickerText> decadeTicks(QCPRange range) {
  auto ticker = QSharedPointer<QCPAxisTickerText>::create();
  const int first = int(std::floor(std::log10(range.lower))), last = int(std::ceil(std::log10(range.upper)));
  const std::vector<double> steps = last - first > 3 ? std::vector<double>{1} : std::vector<double>{1, 2, 5};
  for (int decade = first; decade <= last; ++decade)
    for (double step : steps) {
      const double v = step * std::pow(10.0, decade);
      if (range.contains(v)) ticker->addTick(v, numberText(v));
    }
  return ticker;
}

}  // namespace

struct LogPlot::Impl {
  QCustomPlot* plot = nullptr;
  std::vector<LogCurve> curves;
  std::optional<double> mark;
  QString mark_label;
  QCPItemText* mark_text = nullptr;
  std::vector<QCPItemText*> labels;
  std::vector<QPointF> ends;  ///< the last point of each label's curve
  std::vector<QRectF> rects;

  QPointF pixel(QPointF p) const { return {plot->xAxis->coordToPixel(p.x()), plot->yAxis->coordToPixel(p.y())}; }
  std::vector<QPointF> shown(const LogCurve& curve) const {
    std::vector<QPointF> points;
    for (QPointF p : curve.points)
      if (p.x() > 0 && p.y() > 0 && std::isfinite(p.y())) points.push_back(p);
    return points;
  }
  bool scale();
  void drawCurve(const LogCurve& curve, const Colors& colors, Scheme scheme);
  void drawMark(const Colors& colors);
  void placeLabels();
};

LogPlot::LogPlot(const QString& name, const QString& x_title, QWidget* parent) : StillPlot(name, parent), impl_(std::make_unique<Impl>()) {
  Impl& d = *impl_;
  d.plot = plot();
  for (QCPAxis* axis : {d.plot->xAxis, d.plot->yAxis}) axis->setScaleType(QCPAxis::stLogarithmic);
  d.plot->xAxis->setLabel(x_title);
  rebuild();
}

LogPlot::~LogPlot() = default;

void LogPlot::setData(const QString& y_title, std::vector<LogCurve> curves) {
  impl_->plot->yAxis->setLabel(y_title);
  impl_->curves = std::move(curves);
  rebuild();
}

void LogPlot::setMark(std::optional<double> x, const QString& label) {
  impl_->mark = x;
  impl_->mark_label = label;
  rebuild();
}

std::vector<QRectF> LogPlot::labelRects() const { return impl_->rects; }

/// All points, with room for the names at the right; ticks of x where something was measured. False: there is no point.
bool LogPlot::Impl::scale() {
  double x0 = 1e300, x1 = 0, y0 = 1e300, y1 = 0;
  auto x_ticks = QSharedPointer<QCPAxisTickerText>::create();
  for (const LogCurve& curve : curves)
    for (QPointF p : shown(curve)) {
      x0 = std::min(x0, p.x()), x1 = std::max(x1, p.x());
      y0 = std::min(y0, p.y()), y1 = std::max(y1, p.y());
      x_ticks->addTick(p.x(), numberText(p.x()));
    }
  const bool any = x1 > 0;
  if (!any) x0 = 1, x1 = 10, y0 = 1, y1 = 10;
  const double wide = std::max(std::log(x1 / x0), std::log(2.0));
  plot->xAxis->setRange(x0 * std::exp(-0.06 * wide), x1 * std::exp(0.2 * wide));
  plot->yAxis->setRange(y0 / 1.6, y1 * 1.6);
  plot->xAxis->setTicker(x_ticks);
  plot->yAxis->setTicker(decadeTicks(plot->yAxis->range()));
  return any;
}

void LogPlot::Impl::drawCurve(const LogCurve& curve, const Colors& colors, Scheme scheme) {
  const std::vector<QPointF> points = shown(curve);
  if (points.empty()) return;
  const SeriesStyle style = curve.style(scheme);
  auto* graph = plot->addGraph();
  graph->setPen(QPen(style.color, style.width, style.dash));
  graph->setScatterStyle(scatterStyle(style, colors.panel, 7));
  for (QPointF p : points) graph->addData(p.x(), p.y());
  auto* label = new QCPItemText(plot);
  label->position->setType(QCPItemPosition::ptAbsolute);
  label->setPositionAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  label->setFont(secondaryFont());
  label->setPadding({});
  label->setText(curve.label);
  label->setColor(colors.text);
  labels.push_back(label);
  ends.push_back(points.back());
}

void LogPlot::Impl::drawMark(const Colors& colors) {
  mark_text = nullptr;
  if (!mark) return;
  auto* line = new QCPItemStraightLine(plot);
  line->point1->setCoords(*mark, plot->yAxis->range().lower);
  line->point2->setCoords(*mark, plot->yAxis->range().upper);
  QPen pen(colors.secondary, 1);
  pen.setDashPattern({4, 3});
  line->setPen(pen);
  mark_text = new QCPItemText(plot);
  mark_text->position->setType(QCPItemPosition::ptAbsolute);
  mark_text->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
  mark_text->setFont(secondaryFont());
  mark_text->setText(mark_label);
  mark_text->setColor(colors.text);
  mark_text->setBrush(QBrush(colors.panel));
  mark_text->setPadding(QMargins(3, 1, 3, 1));
}

void LogPlot::rebuild() {
  Impl& d = *impl_;
  const Colors& c = colorsOf(this);
  d.plot->clearPlottables();
  d.plot->clearItems();
  d.labels.clear();
  d.ends.clear();
  d.plot->setBackground(QBrush(c.panel));
  for (QCPAxis* axis : {d.plot->xAxis, d.plot->yAxis}) styleAxis(axis, c);
  const bool any = d.scale();
  for (const LogCurve& curve : d.curves) d.drawCurve(curve, c, schemeOf(this));
  d.drawMark(c);
  d.plot->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
  d.plot->axisRect()->setMargins(QMargins(0, 10, 8, 0));
  finish(!any);
}

/// From the top, each name at its curve's end or, where that is taken, below the name before.
void LogPlot::Impl::placeLabels() {
  const QFontMetrics fm(secondaryFont());
  std::vector<std::size_t> order(labels.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return pixel(ends[a]).y() < pixel(ends[b]).y(); });
  rects.clear();
  double free_from = -1e9;
  for (auto i : order) {
    const QPointF at = pixel(ends[i]);
    const double y = std::max(at.y(), free_from + fm.height() / 2.0);
    labels[i]->position->setCoords(at.x() + 9, y);
    rects.emplace_back(at.x() + 9, y - fm.height() / 2.0, fm.horizontalAdvance(labels[i]->text()), fm.height());
    free_from = y + fm.height() / 2.0;
  }
  if (!mark_text) return;
  const double x = plot->xAxis->coordToPixel(*mark) + 5;
  const double width = fm.horizontalAdvance(mark_label) + 6;
  const QRect area = plot->axisRect()->rect();
  mark_text->position->setCoords(x + width > area.right() ? x - 10 - width : x, area.top() + 4);
}

void LogPlot::placeTexts() { impl_->placeLabels(); }

QString LogPlot::tipAt(QPoint at) const {
  for (const LogCurve& curve : impl_->curves)
    for (QPointF p : curve.points) {
      const QPointF away = impl_->pixel(p) - QPointF(at);
      if (std::hypot(away.x(), away.y()) <= 12)
        return QString("%1\n%2: %3\n%4: %5")
            .arg(curve.label, impl_->plot->xAxis->label(), numberText(p.x()), impl_->plot->yAxis->label(), numberText(p.y()));
    }
  return {};
}

QString LogPlot::csv() const {
  QString text = "curve,x,y\n";
  for (const LogCurve& curve : impl_->curves)
    for (QPointF p : curve.points) text += QString("%1,%2,%3\n").arg(curve.label, QString::number(p.x(), 'g', 17), QString::number(p.y(), 'g', 17));
  return text;
}

}  // namespace ui
