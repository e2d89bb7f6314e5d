#include "ui/plots/bar_plot.h"

#include <cmath>

#include "ui/plots/plot_parts.h"

namespace ui {

struct BarPlot::Impl {
  QCustomPlot* plot = nullptr;
  QStringList groups;
  std::vector<BarSeries> series;
  int levels = 0;
  bool single = false;  ///< no group has two bars: each stands in the middle of its group

  double barWidth() const {
    return single ? 0.5 : 0.82 / std::max<double>(1, double(series.size()));
  }
  double barCentre(std::size_t group, std::size_t bar) const {
    return single ? double(group) : double(group) - 0.41 + (double(bar) + 0.5) * barWidth();
  }
  bool has(std::size_t group, std::size_t bar) const {
    return group < series[bar].bars.size() && series[bar].bars[group].has_value();
  }
  bool oneBarAGroup() const;
  std::optional<std::size_t> barAt(double x, std::size_t group) const;
  void drawLevels(const Colors& colors, double& low, double& high);
};

bool BarPlot::Impl::oneBarAGroup() const {
  for (const BarSeries& s : series)
    if (!s.levels.empty()) return false;
  for (std::size_t g = 0; g < std::size_t(groups.size()); ++g) {
    int bars = 0;
    for (std::size_t s = 0; s < series.size(); ++s) bars += has(g, s);
    if (bars > 1) return false;
  }
  return series.size() > 1;
}

std::optional<std::size_t> BarPlot::Impl::barAt(double x, std::size_t group) const {
  for (std::size_t s = 0; s < series.size(); ++s)
    if ((!single || has(group, s)) && std::abs(x - barCentre(group, s)) < barWidth() / 2) return s;
  return std::nullopt;
}

/// A dash lies across the place of the bar that it is to be compared with, and nowhere else.
void BarPlot::Impl::drawLevels(const Colors& colors, double& low, double& high) {
  levels = 0;
  for (std::size_t s = 0; s < series.size(); ++s)
    for (const BarSeries::Level& level : series[s].levels)
      for (std::size_t g = 0; g < level.values.size(); ++g) {
        const auto& value = level.values[g];
        if (!value || !std::isfinite(*value)) continue;
        auto* dash = new QCPItemLine(plot);
        const double half = barWidth() * 0.5;
        dash->start->setCoords(barCentre(g, s) - half, *value);
        dash->end->setCoords(barCentre(g, s) + half, *value);
        QPen pen(colors.text, 1.6);
        pen.setDashPattern({3, 2});
        dash->setPen(pen);
        low = std::min(low, *value);
        high = std::max(high, *value);
        ++levels;
      }
}

BarPlot::BarPlot(const QString& name, const QString& y_title, QWidget* parent)
    : StillPlot(name, parent), impl_(std::make_unique<Impl>()) {
  Impl& d = *impl_;
  d.plot = plot();
  d.plot->yAxis->setLabel(y_title);
  rebuild();
}

BarPlot::~BarPlot() = default;

void BarPlot::setData(QStringList groups, std::vector<BarSeries> series) {
  impl_->groups = std::move(groups);
  impl_->series = std::move(series);
  impl_->single = impl_->oneBarAGroup();
  rebuild();
}

void BarPlot::rebuild() {
  Impl& d = *impl_;
  const Colors& c = colorsOf(this);
  const Scheme scheme = schemeOf(this);
  QCustomPlot* plot = d.plot;
  plot->clearPlottables();
  plot->clearItems();
  plot->setBackground(QBrush(c.panel));
  const QFontMetrics fm(secondaryFont());
  // The axis rectangle is laid out later; beside it stand the axis' own numbers.
  const double room = double(std::max(1, plot->width() - 8 - 4 * fm.height())) /
                      std::max<double>(1, double(d.groups.size()));
  // Hundreds of groups: outlines and whiskers would cover the bars, and take seconds to draw.
  const bool slim = room * d.barWidth() < 4;
  double low = 0, high = 0;
  for (std::size_t s = 0; s < d.series.size(); ++s) {
    const SeriesStyle style = d.series[s].style(scheme);
    auto* bars = new QCPBars(plot->xAxis, plot->yAxis);
    bars->setWidth(d.barWidth() * 0.86);
    bars->setPen(QPen(style.color, style.open || style.dash != Qt::SolidLine ? 1.2 : 0.0,
                      style.dash == Qt::SolidLine ? Qt::SolidLine : style.dash));
    if (slim) bars->setPen(Qt::NoPen);
    bars->setAntialiased(!slim);
    bars->setBrush(mix(c.panel, style.color,
                       style.open                    ? 0.35
                       : style.dash == Qt::SolidLine ? 0.92
                                                     : 0.5));
    auto* whiskers = new QCPErrorBars(plot->xAxis, plot->yAxis);
    whiskers->setDataPlottable(bars);
    whiskers->setPen(QPen(c.text, 1));
    whiskers->setWhiskerWidth(7);
    whiskers->setSymbolGap(0);
    whiskers->setVisible(!slim);
    QVector<QCPBarsData> values;
    QVector<QCPErrorBarsData> errors;
    for (std::size_t g = 0; g < d.series[s].bars.size(); ++g) {
      const auto& bar = d.series[s].bars[g];
      if (!bar || !std::isfinite(bar->value)) continue;
      values.append({d.barCentre(g, s), bar->value});
      const bool whisker = bar->half > 0 || bar->up > 0;
      errors.append(whisker ? QCPErrorBarsData(bar->half, bar->up) : QCPErrorBarsData(qQNaN()));
      low = std::min(low, bar->value - bar->half);
      high = std::max(high, bar->value + bar->up);
    }
    bars->data()->set(values, true);
    whiskers->data()->clear();
    for (const auto& e : errors) whiskers->data()->append(e);
  }
  d.drawLevels(c, low, high);
  const bool empty = high <= low;
  auto ticker = QSharedPointer<QCPAxisTickerText>::create();
  // Groups too narrow for a word are named at a distance.
  const int stride = std::max(1, int(std::ceil(48 / std::max(room, 1.0))));
  for (int g = 0; g < d.groups.size(); g += stride)
    ticker->addTick(g, fm.elidedText(d.groups[g], Qt::ElideMiddle, int(room * stride) - 8));
  plot->xAxis->setTicker(ticker);
  plot->xAxis->setRange(-0.55, std::max<double>(1, double(d.groups.size())) - 0.45);
  plot->yAxis->setRange(low * 1.08, empty ? 1 : high * 1.08);
  for (QCPAxis* axis : {plot->xAxis, plot->yAxis}) styleAxis(axis, c);
  plot->xAxis->setTickLabelColor(c.text);
  plot->xAxis->setTickLength(0, 0);
  plot->xAxis->grid()->setVisible(false);
  plot->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
  plot->axisRect()->setMargins(QMargins(0, 10, 8, 0));
  finish(empty);
}

QString BarPlot::tipAt(QPoint at) const {
  const Impl& d = *impl_;
  const double x = d.plot->xAxis->pixelToCoord(at.x());
  const long group = std::lround(x);
  const bool inside = group >= 0 && group < d.groups.size();
  const auto bar = inside ? d.barAt(x, std::size_t(group)) : std::nullopt;
  if (!bar) return {};
  const BarSeries& s = d.series[*bar];
  const auto value = std::size_t(group) < s.bars.size() ? s.bars[std::size_t(group)] : std::nullopt;
  QStringList lines;
  if (value)
    lines << QString("%1 · %2: %3 [%4, %5]%6")
                 .arg(d.groups[int(group)], s.label)
                 .arg(value->value, 0, 'f', 2)
                 .arg(value->value - value->half, 0, 'f', 2)
                 .arg(value->value + value->up, 0, 'f', 2)
                 .arg(value->spread.isEmpty() ? QString() : ", " + value->spread);
  for (const BarSeries::Level& level : s.levels)
    if (const auto v = std::size_t(group) < level.values.size() ? level.values[std::size_t(group)]
                                                                : std::nullopt)
      lines << QString("as printed, %1: %2").arg(level.label).arg(*v, 0, 'f', 2);
  return lines.join("\n");
}

QString BarPlot::csv() const {
  bool other = false;
  for (const BarSeries& s : impl_->series)
    for (const auto& bar : s.bars) other = other || (bar && !bar->spread.isEmpty());
  QString text = other ? "group,series,value,low,high,spread\n" : "group,series,value,low_95,high_95\n";
  const auto tail = [other](const QString& spread) {
    return !other ? QString("\n") : "," + (spread.isEmpty() ? QString("95 % interval") : spread) + "\n";
  };
  for (const BarSeries& s : impl_->series)
    for (std::size_t g = 0; g < s.bars.size(); ++g)
      if (s.bars[g])
        text += QString("\"%1\",%2,%3,%4,%5")
                    .arg(impl_->groups.value(int(g)), s.label,
                         QString::number(s.bars[g]->value, 'g', 17),
                         QString::number(s.bars[g]->value - s.bars[g]->half, 'g', 17),
                         QString::number(s.bars[g]->value + s.bars[g]->up, 'g', 17)) +
                tail(s.bars[g]->spread);
  for (const BarSeries& s : impl_->series)
    for (const BarSeries::Level& level : s.levels)
      for (std::size_t g = 0; g < level.values.size(); ++g)
        if (level.values[g])
          text += QString("\"%1\",\"%2 as printed, %3\",%4,,%5\n")
                      .arg(impl_->groups.value(int(g)), s.label, level.label,
                           QString::number(*level.values[g], 'g', 17), other ? "," : "");
  return text;
}

int BarPlot::levelCount() const { return impl_->levels; }

}  // namespace ui
