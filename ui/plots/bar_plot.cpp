#include "ui/plots/bar_plot.h"

#include <qcustomplot.h>

#include <QFileInfo>
#include <QHelpEvent>
#include <QLabel>
#include <QSaveFile>
#include <QSvgGenerator>
#include <QToolTip>
#include <QVBoxLayout>
#include <cmath>

namespace ui {

struct BarPlot::Impl {
  QCustomPlot* plot = nullptr;
  QLabel* placeholder = nullptr;
  QStringList groups;
  std::vector<BarSeries> series;

  double barWidth() const { return 0.82 / std::max<double>(1, double(series.size())); }
  double barCentre(std::size_t group, std::size_t bar) const {
    return double(group) - 0.41 + (double(bar) + 0.5) * barWidth();
  }
};

BarPlot::BarPlot(const QString& name, const QString& y_title, QWidget* parent)
    : QWidget(parent), impl_(std::make_unique<Impl>()) {
  setObjectName(name);
  setAccessibleName(name);
  Impl& d = *impl_;
  d.plot = new QCustomPlot(this);
  d.plot->setPlottingHint(QCP::phFastPolylines, true);
  d.plot->installEventFilter(this);
  d.plot->setAccessibleName(name);
  d.plot->yAxis->setLabel(y_title);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(d.plot);
  d.placeholder = new QLabel(d.plot);
  d.placeholder->setProperty("role", "secondary");
  d.placeholder->setAlignment(Qt::AlignCenter);
  d.placeholder->setWordWrap(true);
  rebuild();
}

BarPlot::~BarPlot() = default;

void BarPlot::setData(QStringList groups, std::vector<BarSeries> series) {
  impl_->groups = std::move(groups);
  impl_->series = std::move(series);
  rebuild();
}

void BarPlot::setPlaceholder(const QString& text) {
  impl_->placeholder->setText(text);
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
  double low = 0, high = 0;
  for (std::size_t s = 0; s < d.series.size(); ++s) {
    const SeriesStyle style = d.series[s].style(scheme);
    auto* bars = new QCPBars(plot->xAxis, plot->yAxis);
    bars->setWidth(d.barWidth() * 0.86);
    bars->setPen(QPen(style.color, style.open || style.dash != Qt::SolidLine ? 1.2 : 0.0,
                      style.dash == Qt::SolidLine ? Qt::SolidLine : style.dash));
    bars->setBrush(mix(c.panel, style.color,
                       style.open                    ? 0.35
                       : style.dash == Qt::SolidLine ? 0.92
                                                     : 0.5));
    auto* whiskers = new QCPErrorBars(plot->xAxis, plot->yAxis);
    whiskers->removeFromLegend();
    whiskers->setDataPlottable(bars);
    whiskers->setPen(QPen(c.text, 1));
    whiskers->setWhiskerWidth(7);
    whiskers->setSymbolGap(0);
    QVector<QCPBarsData> values;
    QVector<QCPErrorBarsData> errors;
    for (std::size_t g = 0; g < d.series[s].bars.size(); ++g) {
      const auto& bar = d.series[s].bars[g];
      if (!bar || !std::isfinite(bar->value)) continue;
      values.append({d.barCentre(g, s), bar->value});
      errors.append(QCPErrorBarsData(bar->half));
      low = std::min(low, bar->value - bar->half);
      high = std::max(high, bar->value + bar->half);
    }
    bars->data()->set(values, true);
    whiskers->data()->clear();
    for (const auto& e : errors) whiskers->data()->append(e);
  }
  const bool empty = high <= low;
  auto ticker = QSharedPointer<QCPAxisTickerText>::create();
  const double room =
      double(std::max(1, plot->axisRect()->width())) / std::max<double>(1, double(d.groups.size()));
  for (int g = 0; g < d.groups.size(); ++g)
    ticker->addTick(g, fm.elidedText(d.groups[g], Qt::ElideMiddle, int(room) - 8));
  plot->xAxis->setTicker(ticker);
  plot->xAxis->setRange(-0.55, std::max<double>(1, double(d.groups.size())) - 0.45);
  plot->yAxis->setRange(low * 1.08, empty ? 1 : high * 1.08);
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
    axis->grid()->setPen(QPen(mix(c.panel, c.line, 0.7)));
    axis->grid()->setZeroLinePen(QPen(c.secondary));
  }
  plot->xAxis->setTickLabelColor(c.text);
  plot->xAxis->setTickLength(0, 0);
  plot->xAxis->grid()->setVisible(false);
  plot->axisRect()->setAutoMargins(QCP::msLeft | QCP::msBottom);
  plot->axisRect()->setMargins(QMargins(0, 10, 8, 0));
  d.placeholder->setVisible(empty && !d.placeholder->text().isEmpty());
  d.placeholder->setGeometry(plot->rect().adjusted(60, 8, -24, -8));
  plot->replot(QCustomPlot::rpQueuedReplot);
}

void BarPlot::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::PaletteChange || event->type() == QEvent::StyleChange) rebuild();
}

void BarPlot::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  rebuild();
}

bool BarPlot::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    Impl& d = *impl_;
    auto* help = static_cast<QHelpEvent*>(event);
    const double x = d.plot->xAxis->pixelToCoord(help->pos().x());
    const long group = std::lround(x);
    const long bar = long(std::floor((x - double(group) + 0.41) / d.barWidth()));
    if (group >= 0 && group < d.groups.size() && bar >= 0 && std::size_t(bar) < d.series.size()) {
      const BarSeries& s = d.series[std::size_t(bar)];
      const auto value =
          std::size_t(group) < s.bars.size() ? s.bars[std::size_t(group)] : std::nullopt;
      if (value)
        QToolTip::showText(help->globalPos(),
                           QString("%1 · %2: %3 ± %4")
                               .arg(d.groups[int(group)], s.label)
                               .arg(value->value, 0, 'f', 2)
                               .arg(value->half, 0, 'f', 2),
                           this);
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

QString BarPlot::csv() const {
  QString text = "group,series,value,half_width_95\n";
  for (const BarSeries& s : impl_->series)
    for (std::size_t g = 0; g < s.bars.size(); ++g)
      if (s.bars[g])
        text += QString("\"%1\",%2,%3,%4\n")
                    .arg(impl_->groups.value(int(g)), s.label,
                         QString::number(s.bars[g]->value, 'g', 17),
                         QString::number(s.bars[g]->half, 'g', 17));
  return text;
}

bool BarPlot::exportTo(const QString& file) const {
  const QString kind = QFileInfo(file).suffix().toLower();
  if (kind == "csv") {
    QSaveFile out(file);
    return out.open(QIODevice::WriteOnly) && out.write(csv().toUtf8()) >= 0 && out.commit();
  }
  if (kind == "pdf")
    return impl_->plot->savePdf(file, 0, 0, QCP::epAllowCosmetic, "Equipoise", objectName());
  if (kind == "svg") {
    QSvgGenerator svg;
    svg.setFileName(file);
    svg.setSize(impl_->plot->size());
    svg.setViewBox(impl_->plot->rect());
    QCPPainter painter;
    if (!painter.begin(&svg)) return false;
    painter.setMode(QCPPainter::pmVectorized);
    painter.setMode(QCPPainter::pmNoCaching);
    painter.fillRect(impl_->plot->rect(), colorsOf(this).panel);
    impl_->plot->toPainter(&painter, impl_->plot->width(), impl_->plot->height());
    return painter.end();
  }
  return impl_->plot->savePng(file, 0, 0, 2.0);
}

}  // namespace ui
