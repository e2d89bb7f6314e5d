#include <QDateTime>
#include <QFontMetrics>
#include <algorithm>
#include <cmath>

#include "ui/plots/curve_plot_impl.h"
#include "ui/plots/plot_parts.h"

namespace ui {
namespace {

constexpr int k_most_points = 60'000;  ///< in one picture
constexpr int k_most_of_coarse = 16'000;
constexpr int k_many_points = 20'000;   ///< from here on drawing takes long
constexpr double k_raw = 0.3;           ///< strength of the raw curve behind a smoothed one

}  // namespace

void Curve::setSpec(const CurveSpec& now) {
  const bool other = now.smoothing != spec.smoothing;
  spec = now;
  if (!other) return;
  average = MovingAverage(spec.smoothing);
  if (spec.smoothing > 0) average.follow(data.points());
}

void Curve::append(const CurvePoint& point) {
  const bool back = !points().empty() && points().back().x >= point.x;
  data.append(point);
  if (spec.smoothing <= 0) return;
  if (back) average.clear();
  average.follow(data.points());
}

const CurvePoint* nearest(const CurvePoints& points, double x) {
  if (points.empty()) return nullptr;
  auto after = std::lower_bound(points.begin(), points.end(), x,
                                [](const CurvePoint& p, double v) { return p.x < v; });
  if (after == points.begin()) return &points.front();
  if (after == points.end()) return &points.back();
  auto before = std::prev(after);
  return x - before->x <= after->x - x ? &*before : &*after;
}

QString exactNumber(double value, int decimals) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "−inf";
  QString text = QString::number(std::abs(value), 'f', decimals);
  if (std::abs(value) > 0 && std::abs(value) < std::pow(10.0, -decimals))
    text = QString::number(std::abs(value), 'g', 3);
  return value < 0 ? "−" + text : text;
}

void CurvePlot::Impl::makeItems(Curve& curve, const CurvePlot* owner) {
  const Scheme scheme = schemeOf(owner);
  const SeriesStyle style = curve.spec.style(scheme);
  if (curve.spec.band) {
    curve.upper = plot->addGraph();
    curve.lower = plot->addGraph();
    for (QCPGraph* edge : {curve.upper, curve.lower}) edge->setPen(Qt::NoPen);
    curve.upper->setBrush(withAlpha(style.color, scheme == Scheme::dark ? 0.2 : 0.15));
    curve.upper->setChannelFillGraph(curve.lower);
  }
  if (curve.spec.smoothing > 0) {
    curve.raw = plot->addGraph();
    curve.raw->setLayer("raw");
  }
  curve.line = plot->addGraph();
  curve.line->setScatterStyle(scatterStyle(style, colorsFor(scheme).panel));
  curve.line->setAdaptiveSampling(true);
  curve.label = new QCPItemText(plot);
  curve.label->position->setType(QCPItemPosition::ptAbsolute);
  curve.label->setPositionAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  curve.label->setClipToAxisRect(false);
  const QFontMetrics small(secondaryFont());
  curve.label->setText(small.elidedText(curve.spec.label, Qt::ElideMiddle, small.horizontalAdvance("hybrid-overlap") + 4));
  curve.label->setFont(secondaryFont());
  curve.label->setPadding({});
  // Component colours are made for lines; as text each is pulled towards the text colour until it
  // reads.
  QColor ink = style.color;
  const Colors& c = colorsFor(scheme);
  for (int i = 0; i < 10 && contrast(ink, c.panel) < 4.5; ++i) ink = mix(ink, c.text, 0.15);
  curve.label->setColor(ink);
}

void CurvePlot::Impl::dropItems(Curve& curve) {
  for (QCPGraph* graph : {curve.line, curve.raw, curve.upper, curve.lower})
    if (graph) plot->removeGraph(graph);
  if (curve.label) plot->removeItem(curve.label);
  curve.line = curve.raw = curve.upper = curve.lower = nullptr;
  curve.label = nullptr;
}

void CurvePlot::Impl::margins(const CurvePlot*) {
  const QFontMetrics small(secondaryFont());
  plot->axisRect()->setMargins(QMargins(small.height() + small.horizontalAdvance("0.0000") + 14, 10,
                                        small.horizontalAdvance("hybrid-overlap") + 14,
                                        (x_axis.clock ? 3 : 2) * small.height() + 16));
}

void CurvePlot::Impl::restyle(const CurvePlot* owner) {
  const Colors& c = colorsOf(owner);
  plot->setBackground(QBrush(c.panel));
  for (QCPAxis* axis : {plot->xAxis, plot->yAxis}) {
    axis->setBasePen(QPen(c.line));
    axis->setTickPen(QPen(c.line));
    axis->setSubTickPen(Qt::NoPen);
    axis->setTickLength(0, 4);
    axis->setSubTickLength(0, 0);
    axis->setTickLabelColor(c.secondary);
    axis->setLabelColor(c.secondary);
    axis->setTickLabelFont(secondaryFont());
    axis->setLabelFont(secondaryFont());
    axis->setLabelPadding(4);
    axis->setTickLabelPadding(4);
    axis->grid()->setPen(QPen(mix(c.panel, c.line, 0.7)));
    axis->grid()->setZeroLinePen(Qt::NoPen);
    axis->grid()->setSubGridVisible(false);
  }
  plot->xAxis->grid()->setVisible(false);
  zero->setPen(QPen(c.secondary, 1));
  cross->setPen(QPen(c.secondary, 1, Qt::DashLine));
  corner->setProperty("role", "card");
  corner->setContentsMargins(8, 4, 8, 4);
  useFont(corner, TextRole::secondary);
  for (auto& [id, curve] : curves) {
    dropItems(curve);
    makeItems(curve, owner);
  }
  margins(owner);
}

void CurvePlot::Impl::autoscale() {
  const bool logarithmic = plot->xAxis->scaleType() == QCPAxis::stLogarithmic;
  double low = INFINITY, high = -INFINITY;
  for (const auto& [id, curve] : curves) {
    if (!curve.shown || curve.points().empty()) continue;
    const auto first = std::find_if(curve.points().begin(), curve.points().end(),
                                    [&](const CurvePoint& p) { return !logarithmic || p.x > 0; });
    if (first == curve.points().end()) continue;
    low = std::min(low, first->x);
    high = std::max(high, curve.points().back().x);
  }
  if (!(low <= high)) low = high = logarithmic ? 1 : 0;
  if (!logarithmic && !x_axis.clock) low = std::min(low, 0.0);
  if (full_x) high = std::max(high, *full_x);
  if (high <= low) high = low + 1;
  setting_range = true;
  plot->xAxis->setRange(low, logarithmic ? high * 1.05 : high + (high - low) * 0.01);
  setting_range = false;
  autoscaleY();
}

void CurvePlot::Impl::autoscaleY() {
  const QCPRange x = plot->xAxis->range();
  const bool logarithmic = plot->yAxis->scaleType() == QCPAxis::stLogarithmic;
  double low = INFINITY, high = -INFINITY;
  for (const auto& [id, curve] : curves) {
    if (!curve.shown) continue;
    const auto range =
        curve.data.rangeY(x.lower, x.upper,
                          logarithmic       ? CurveData::Values::positive
                          : curve.spec.band ? CurveData::Values::with_intervals
                                            : CurveData::Values::plain);
    if (!range) continue;
    low = std::min(low, range->low);
    high = std::max(high, range->high);
  }
  if (zero_line) {
    low = std::min(low, 0.0);
    high = std::max(high, 0.0);
  }
  if (!(low <= high)) {
    low = logarithmic ? 0.1 : 0;
    high = logarithmic ? 10 : 1 / factor * (factor > 1 ? factor : 1);
  }
  if (logarithmic) {
    plot->yAxis->setRange(low / 1.2, high * 1.2);
    return;
  }
  const double pad = high > low ? (high - low) * 0.06 : std::max(std::abs(high) * 0.1, 1e-9);
  plot->yAxis->setRange(low - pad, high + pad);
}

namespace {

void fill(QCPGraph* graph, const std::vector<CurvePoint>& points, double sign) {
  QVector<QCPGraphData> data;
  data.reserve(static_cast<qsizetype>(points.size()));
  for (const CurvePoint& p : points)
    data.append({p.x, std::isfinite(p.y) ? p.y + sign * p.err
                                         : std::numeric_limits<double>::quiet_NaN()});
  graph->data()->set(data, true);
}

}  // namespace

void CurvePlot::Impl::feed(bool coarse) {
  const QCPRange x = plot->xAxis->range();
  const bool logarithmic = plot->xAxis->scaleType() == QCPAxis::stLogarithmic;
  int graphs = 0, drawn = 0;
  for (const auto& [id, curve] : curves)
    if (curve.shown) graphs += curve.raw ? 2 : 1;
  const int columns =
      std::clamp((coarse ? k_most_of_coarse : k_most_points) / (4 * std::max(graphs, 1)), 100,
                 std::max(plot->axisRect()->width(), 100));
  for (auto& [id, curve] : curves) {
    for (QCPGraph* graph : {curve.line, curve.raw, curve.upper, curve.lower})
      if (graph) graph->setVisible(curve.shown);
    if (!curve.shown) continue;
    const auto raw = curve.data.thin(x.lower, x.upper, columns, logarithmic);
    drawn += int(raw.size()) * (curve.raw ? 2 : 1);
    if (curve.raw) {
      fill(curve.raw, raw, 0);
      fill(curve.line, curve.average.data().thin(x.lower, x.upper, columns, logarithmic), 0);
    } else {
      fill(curve.line, raw, 0);
    }
    const SeriesStyle style = curve.spec.style(schemeOf(plot));
    const bool sparse = raw.size() * 14 < static_cast<std::size_t>(columns);
    curve.line->setScatterStyle(sparse || curve.points().size() == 1
                                    ? scatterStyle(style, colorsOf(plot).panel)
                                    : QCPScatterStyle(QCPScatterStyle::ssNone));
    if (curve.upper) {
      fill(curve.upper, raw, 1);
      fill(curve.lower, raw, -1);
    }
  }
  usePens(drawn > k_many_points);
}

/// Thin, hard-edged and opaque lines are drawn several times as fast; among so many points nobody
/// sees the difference.
void CurvePlot::Impl::usePens(bool fast) {
  plot->setPlottingHint(QCP::phFastPolylines, !fast);
  for (auto& [id, curve] : curves) {
    const SeriesStyle style = curve.spec.style(schemeOf(plot));
    curve.line->setPen(QPen(style.color, fast ? 1 : style.width, style.dash));
    curve.line->setAntialiased(!fast);
    if (!curve.raw) continue;
    curve.raw->setPen(QPen(
        fast ? mix(colorsOf(plot).panel, style.color, k_raw) : withAlpha(style.color, k_raw), 1));
    curve.raw->setAntialiased(!fast);
  }
}

void CurvePlot::Impl::placeLabels(const CurvePlot*) {
  const QRect area = plot->axisRect()->rect();
  const int line = QFontMetrics(secondaryFont()).height();
  std::vector<std::pair<double, Curve*>> ends;
  for (const QString& id : order) {
    Curve& curve = curves.at(id);
    curve.label->setVisible(false);
    if (!curve.shown || curve.points().empty() || curve.spec.edge) continue;
    const CurvePoint* end = nearest(curve.points(), plot->xAxis->range().upper);
    double y = end->y;
    if (curve.spec.smoothing > 0) y = curve.average.data().points().back().y;
    if (!std::isfinite(y)) continue;
    ends.emplace_back(
        std::clamp(plot->yAxis->coordToPixel(y), double(area.top()), double(area.bottom())),
        &curve);
  }
  // Where there is no room for all, the first curves keep their names.
  const auto room = std::size_t(std::max(1, area.height() / line));
  if (ends.size() > room) ends.erase(ends.begin() + std::ptrdiff_t(room), ends.end());
  std::sort(ends.begin(), ends.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 1; i < ends.size(); ++i)
    ends[i].first = std::max(ends[i].first, ends[i - 1].first + line);
  double floor = area.bottom() + line / 2.0;
  for (auto it = ends.rbegin(); it != ends.rend(); ++it) {
    it->first = std::min(it->first, floor);
    floor = it->first - line;
  }
  for (auto& [y, curve] : ends) {
    const double end =
        plot->xAxis->coordToPixel(nearest(curve->points(), plot->xAxis->range().upper)->x);
    curve->label->position->setCoords(std::min<double>(end, area.right()) + 8, y);
    curve->label->setVisible(true);
  }
}

/// A text that would run into the one before it is left to the read-out.
void CurvePlot::Impl::placeMarks(const CurvePlot* owner) {
  const Colors& c = colorsOf(owner);
  while (mark_items.size() > marks.size()) {
    plot->removeItem(mark_items.back().first);
    plot->removeItem(mark_items.back().second);
    mark_items.pop_back();
  }
  while (mark_items.size() < marks.size()) {
    auto* line = new QCPItemStraightLine(plot);
    auto* text = new QCPItemText(plot);
    text->position->setType(QCPItemPosition::ptAbsolute);
    text->setPositionAlignment(Qt::AlignLeft | Qt::AlignTop);
    text->setPadding({});
    mark_items.emplace_back(line, text);
  }
  const QFontMetrics small(secondaryFont());
  const QRect area = plot->axisRect()->rect();
  double free_from = area.left();
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const auto& [line, text] = mark_items[i];
    line->point1->setCoords(marks[i].x, 0);
    line->point2->setCoords(marks[i].x, 1);
    line->setPen(QPen(c.warning, 1, Qt::DotLine));
    const double x = plot->xAxis->coordToPixel(marks[i].x) + 4;
    const QString words = small.elidedText(marks[i].text, Qt::ElideRight, 160);
    const bool room = x > free_from && x + 24 < area.right() && x > area.left();
    text->setVisible(room);
    text->setText(words);
    text->setFont(secondaryFont());
    text->setColor(c.warning);
    text->position->setCoords(x, area.top() + 2);
    if (room) free_from = x + small.horizontalAdvance(words) + 8;
  }
}

QString CurvePlot::Impl::textOfX(double x) const {
  if (x_axis.clock)
    return QDateTime::fromMSecsSinceEpoch(qint64(x * 1000)).toString("yyyy-MM-dd HH:mm:ss");
  return x_axis.word + ' ' + QString::number(x, 'f', x_axis.decimals);
}

void CurvePlot::Impl::placeCorner(const CurvePlot* owner) {
  if (!cross_x) {
    corner->hide();
    return;
  }
  const int line = QFontMetrics(secondaryFont()).height() + 2;
  const int room = std::max(1, plot->axisRect()->height() / line - 3);
  int listed = 0, more = 0;
  QString rows;
  double step = *cross_x;
  double best = INFINITY;
  for (const QString& id : order) {
    const Curve& curve = curves.at(id);
    const CurvePoint* p = curve.shown && !curve.spec.edge ? nearest(curve.points(), *cross_x) : nullptr;
    if (!p) continue;
    const auto low = curves.find(id + " min"), high = curves.find(id + " max");
    if (std::abs(p->x - *cross_x) < best) {
      best = std::abs(p->x - *cross_x);
      step = p->x;
    }
    if (listed >= room) {
      ++more;
      continue;
    }
    ++listed;
    const QColor color = curve.spec.style(schemeOf(owner)).color;
    rows += QString(
                "<tr><td style='color:%1'>■&nbsp;</td><td>%2&nbsp;&nbsp;</td><td "
                "align=right>%3</td><td>%4</td></tr>")
                .arg(color.name(), curve.spec.label.toHtmlEscaped(),
                     exactNumber(p->y * factor, decimals),
                     curve.spec.band && p->err > 0
                         ? "&nbsp;±&nbsp;" + exactNumber(p->err * factor, decimals)
                     : low != curves.end() && high != curves.end()
                         ? QString("&nbsp;(%1 to %2)")
                               .arg(exactNumber(nearest(low->second.points(), p->x)->y * factor, decimals),
                                    exactNumber(nearest(high->second.points(), p->x)->y * factor, decimals))
                         : QString());
  }
  if (rows.isEmpty()) {
    corner->hide();
    return;
  }
  for (const CurveMark& mark : marks)
    if (std::abs(plot->xAxis->coordToPixel(mark.x) - plot->xAxis->coordToPixel(*cross_x)) < 6)
      rows += QString("<tr><td colspan=4>%1</td></tr>").arg(mark.text.toHtmlEscaped());
  if (more > 0) rows += QString("<tr><td colspan=4>and %1 more</td></tr>").arg(more);
  corner->setText(QString("<table cellspacing=0><tr><td colspan=4>%1</td></tr>%2</table>")
                      .arg(textOfX(step), rows));
  corner->adjustSize();
  const QRect area = plot->axisRect()->rect();
  const bool right_half = plot->xAxis->coordToPixel(*cross_x) > area.center().x();
  corner->move(right_half ? area.left() + 8 : area.right() - corner->width() - 8, area.top() + 6);
  corner->show();
}

}  // namespace ui
