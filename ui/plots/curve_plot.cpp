#include "ui/plots/curve_plot.h"

#include <QContextMenuEvent>
#include <QMenu>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/plots/curve_plot_impl.h"
#include "ui/plots/plot_parts.h"

namespace ui {
namespace {

/// After a picture that took so long to draw, so many times as long passes until the next.
constexpr double k_rest = 4;
constexpr double k_longest_rest_ms = 500;
/// Points that keep arriving are drawn coarsely where a full picture takes longer than this.
constexpr double k_long_ms = 10;
constexpr int k_settled_ms = 600;

}  // namespace

CurvePlot::CurvePlot(const QString& name, const QString& x_title, const QString& y_title,
                     QWidget* parent)
    : QWidget(parent), impl_(std::make_unique<Impl>()) {
  setObjectName(name);
  setAccessibleName(name);
  Impl& d = *impl_;
  d.plot = newPlot(this, name);
  d.plot->setNoAntialiasingOnDrag(true);
  d.plot->setInteractions(QCP::iRangeDrag | QCP::iRangeZoom);
  d.plot->setFocusPolicy(Qt::StrongFocus);
  d.plot->setWhatsThis(
      "Drag to move, wheel to zoom (over an axis: that axis only), double-click or F to see all "
      "again. "
      "Right-click to export. Arrow keys move the crosshair.");
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(d.plot);

  d.x_axis.title = x_title;
  d.plot->xAxis->setLabel(x_title);
  d.plot->yAxis->setLabel(y_title);
  d.plot->yAxis->setNumberFormat("gb");
  d.plot->xAxis->setNumberFormat("f");
  d.plot->xAxis->setNumberPrecision(0);
  d.plot->axisRect()->setAutoMargins(QCP::msNone);
  d.plot->axisRect()->setRangeZoomFactor(0.85);
  d.plot->addLayer("raw", d.plot->layer("main"), QCustomPlot::limBelow);
  d.plot->addLayer("cross", d.plot->layer("overlay"), QCustomPlot::limAbove);
  d.overlay = d.plot->layer("cross");
  d.overlay->setMode(QCPLayer::lmBuffered);
  d.zero = new QCPItemStraightLine(d.plot);
  d.zero->point1->setCoords(0, 0);
  d.zero->point2->setCoords(1, 0);
  d.zero->setVisible(false);
  d.cross = new QCPItemLine(d.plot);
  d.cross->setLayer(d.overlay);
  d.cross->start->setTypeX(QCPItemPosition::ptPlotCoords);
  d.cross->start->setTypeY(QCPItemPosition::ptAxisRectRatio);
  d.cross->end->setTypeX(QCPItemPosition::ptPlotCoords);
  d.cross->end->setTypeY(QCPItemPosition::ptAxisRectRatio);
  d.cross->setVisible(false);
  d.corner = new QLabel(d.plot);
  d.corner->setAttribute(Qt::WA_TransparentForMouseEvents);
  d.corner->setTextFormat(Qt::RichText);
  d.corner->hide();
  d.placeholder = new QLabel(d.plot);
  d.placeholder->setAlignment(Qt::AlignCenter);
  d.placeholder->setWordWrap(true);
  d.placeholder->setAttribute(Qt::WA_TransparentForMouseEvents);
  d.placeholder->setProperty("role", "secondary");
  d.placeholder->hide();

  // Labels stand in pixels: they are placed once the layout of this very replot is known.
  connect(d.plot, &QCustomPlot::afterLayout, this, [this] {
    impl_->placeLabels(this);
    impl_->placeMarks(this);
  });
  connect(d.plot, &QCustomPlot::afterReplot, this, [this] {
    ++impl_->replots;
    impl_->drawing_ms = impl_->plot->replotTime();
    if (!impl_->settled.isActive()) impl_->full_ms = impl_->feeding_ms + impl_->drawing_ms;
    impl_->since_drawn.start();
  });
  d.due.setSingleShot(true);
  connect(&d.due, &QTimer::timeout, this, &CurvePlot::refresh);
  d.settled.setSingleShot(true);
  connect(&d.settled, &QTimer::timeout, this, &CurvePlot::refresh);
  connect(d.plot, &QCustomPlot::mouseWheel, this, [this] { userMoved(); });
  connect(d.plot, &QCustomPlot::mouseDoubleClick, this, [this] { fit(); });
  connect(d.plot->xAxis, qOverload<const QCPRange&>(&QCPAxis::rangeChanged), this,
          [this](const QCPRange& range) {
            if (impl_->setting_range) return;
            impl_->follow = false;
            Q_EMIT rangeXChanged(range.lower, range.upper, true);
            request();
          });
  d.restyle(this);
}

CurvePlot::~CurvePlot() = default;

void CurvePlot::setCurve(const CurveSpec& spec) {
  Impl& d = *impl_;
  auto [it, added] = d.curves.try_emplace(spec.id);
  it->second.setSpec(spec);
  if (added)
    d.order.push_back(spec.id);
  else
    d.dropItems(it->second);
  d.makeItems(it->second, this);
  request();
}

void CurvePlot::setPoints(const QString& id, const std::vector<CurvePoint>& points) {
  auto it = impl_->curves.find(id);
  if (it == impl_->curves.end()) return;
  Curve& curve = it->second;
  if (std::equal(points.begin(), points.end(), curve.points().begin(), curve.points().end())) return;
  curve.data.clear();
  curve.average.clear();
  for (const CurvePoint& p : points) curve.append(p);
  requestForPoints();
}

void CurvePlot::append(const QString& id, const CurvePoints& points, std::size_t from) {
  auto it = impl_->curves.find(id);
  if (it == impl_->curves.end() || from >= points.size()) return;
  for (std::size_t i = from; i < points.size(); ++i) it->second.append(points[i]);
  requestForPoints();
}

void CurvePlot::removeCurve(const QString& id) {
  Impl& d = *impl_;
  auto it = d.curves.find(id);
  if (it == d.curves.end()) return;
  d.dropItems(it->second);
  d.curves.erase(it);
  std::erase(d.order, id);
  request();
}

void CurvePlot::clearCurves() {
  for (auto& [id, curve] : impl_->curves) impl_->dropItems(curve);
  impl_->curves.clear();
  impl_->order.clear();
  request();
}

void CurvePlot::setCurveShown(const QString& id, bool shown) {
  auto it = impl_->curves.find(id);
  if (it == impl_->curves.end()) return;
  it->second.shown = shown;
  request();
}

const CurvePoints& CurvePlot::points(const QString& id) const {
  static const CurvePoints nothing;
  auto it = impl_->curves.find(id);
  return it == impl_->curves.end() ? nothing : it->second.points();
}

QStringList CurvePlot::curves() const { return {impl_->order.begin(), impl_->order.end()}; }

void CurvePlot::setScaleY(double factor, int decimals) {
  impl_->factor = factor;
  impl_->decimals = decimals;
}

void CurvePlot::setTitleY(const QString& title) {
  if (impl_->plot->yAxis->label() == title) return;
  impl_->plot->yAxis->setLabel(title);
  request();
}

void CurvePlot::setAxisX(const CurveAxis& axis) {
  Impl& d = *impl_;
  const bool same = d.x_axis.word == axis.word && d.x_axis.title == axis.title;
  if (same && d.x_axis.clock == axis.clock) return;
  d.x_axis = axis;
  d.plot->xAxis->setLabel(axis.title);
  setLogX(logX() && !axis.clock);
  d.follow = true;
  request();
}

/// Steps are whole numbers; other axes and powers of ten are written as they come.
void CurvePlot::setLogX(bool on) {
  Impl& d = *impl_;
  QCPAxis* axis = d.plot->xAxis;
  axis->setScaleType(on ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
  if (on)
    axis->setTicker(QSharedPointer<QCPAxisTickerLog>::create());
  else if (d.x_axis.clock)
    axis->setTicker(QSharedPointer<QCPAxisTickerDateTime>::create());
  else
    axis->setTicker(QSharedPointer<QCPAxisTicker>::create());
  if (auto clock = axis->ticker().dynamicCast<QCPAxisTickerDateTime>())
    clock->setDateTimeFormat("HH:mm:ss\nd MMM");
  const bool whole = d.x_axis.decimals == 0;
  axis->setNumberFormat(whole ? "f" : "gb");
  axis->setNumberPrecision(whole ? 0 : 6);
  request();
}

bool CurvePlot::logX() const { return impl_->plot->xAxis->scaleType() == QCPAxis::stLogarithmic; }

void CurvePlot::setMarks(std::vector<CurveMark> marks) {
  if (marks == impl_->marks) return;
  impl_->marks = std::move(marks);
  request();
}

void CurvePlot::offerNotes(bool on) { impl_->notes = on; }

void CurvePlot::setZeroLine(bool on) {
  impl_->zero_line = on;
  impl_->zero->setVisible(on);
  request();
}

void CurvePlot::setLogY(bool on) {
  QCPAxis* axis = impl_->plot->yAxis;
  axis->setScaleType(on ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
  if (on)
    axis->setTicker(QSharedPointer<QCPAxisTickerLog>::create());
  else
    axis->setTicker(QSharedPointer<QCPAxisTicker>::create());
  request();
}

bool CurvePlot::logY() const { return impl_->plot->yAxis->scaleType() == QCPAxis::stLogarithmic; }

void CurvePlot::setFullX(std::optional<double> last_step) {
  if (std::exchange(impl_->full_x, last_step) != last_step) request();
}

void CurvePlot::setRangeX(double low, double high, bool by_user) {
  Impl& d = *impl_;
  const bool was = std::exchange(d.setting_range, true);
  d.plot->xAxis->setRange(low, high);
  d.setting_range = was;
  if (by_user) d.follow = false;
  request();
}

void CurvePlot::fit() {
  impl_->follow = true;
  refresh();
  const QCPRange range = impl_->plot->xAxis->range();
  Q_EMIT rangeXChanged(range.lower, range.upper, false);
}

bool CurvePlot::following() const { return impl_->follow; }

void CurvePlot::setPlaceholder(const QString& text) {
  impl_->placeholder->setText(text);
  request();
}

QRect CurvePlot::plotArea() const {
  return impl_->plot->axisRect()->rect().translated(impl_->plot->pos());
}

std::pair<double, double> CurvePlot::rangeX() const {
  return {impl_->plot->xAxis->range().lower, impl_->plot->xAxis->range().upper};
}

std::pair<double, double> CurvePlot::rangeY() const {
  return {impl_->plot->yAxis->range().lower, impl_->plot->yAxis->range().upper};
}

int CurvePlot::replotCount() const { return impl_->replots; }

void CurvePlot::userMoved() {
  impl_->follow = false;
  request();
}

void CurvePlot::request() {
  impl_->due.start(0);
}

/// Points may arrive faster than they can be drawn.
void CurvePlot::requestForPoints() {
  Impl& d = *impl_;
  if (d.full_ms > k_long_ms) d.settled.start(k_settled_ms);
  if (d.due.isActive()) return;
  const double rest = std::min(k_longest_rest_ms, k_rest * (d.feeding_ms + d.drawing_ms));
  const double left = d.since_drawn.isValid() ? rest - double(d.since_drawn.elapsed()) : 0;
  d.due.start(std::max(0, int(left)));
}

void CurvePlot::refresh() {
  Impl& d = *impl_;
  d.due.stop();
  QElapsedTimer clock;
  clock.start();
  const QCPRange before = d.plot->xAxis->range();
  if (d.follow) d.autoscale();
  d.feed(d.settled.isActive());
  d.fillRanges();
  d.margins(this);
  const bool empty = std::none_of(d.curves.begin(), d.curves.end(),
                                  [](const auto& c) { return !c.second.points().empty(); });
  d.placeholder->setVisible(empty && !d.placeholder->text().isEmpty());
  d.placeholder->setGeometry(d.plot->axisRect()->rect().adjusted(24, 8, -24, -8));
  if (d.cross_x) setCrosshair(d.cross_x);
  d.feeding_ms = double(clock.nsecsElapsed()) / 1e6;
  d.plot->replot(QCustomPlot::rpQueuedRefresh);
  const QCPRange after = d.plot->xAxis->range();
  if (d.follow && before != after) Q_EMIT rangeXChanged(after.lower, after.upper, false);
}

void CurvePlot::setCrosshair(std::optional<double> x) {
  Impl& d = *impl_;
  d.cross_x = x;
  d.cross->setVisible(x.has_value());
  if (x) {
    d.cross->start->setCoords(*x, 0);
    d.cross->end->setCoords(*x, 1);
  }
  d.placeCorner(this);
  d.overlay->replot();
}

void CurvePlot::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (changesLook(event)) {
    impl_->restyle(this);
    request();
  }
}

void CurvePlot::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  request();
}

bool CurvePlot::eventFilter(QObject* watched, QEvent* event) {
  Impl& d = *impl_;
  if (watched != d.plot) return QWidget::eventFilter(watched, event);
  if (event->type() == QEvent::MouseMove) {
    auto* mouse = static_cast<QMouseEvent*>(event);
    if (mouse->buttons() == Qt::NoButton) {
      const bool inside = d.plot->axisRect()->rect().contains(mouse->pos());
      const std::optional<double> x =
          inside ? std::optional(d.plot->xAxis->pixelToCoord(mouse->pos().x())) : std::nullopt;
      setCrosshair(x);
      Q_EMIT crosshairMoved(x);
    }
  } else if (event->type() == QEvent::Leave) {
    setCrosshair(std::nullopt);
    Q_EMIT crosshairMoved(std::nullopt);
  } else if (event->type() == QEvent::ContextMenu) {
    QMenu menu(this);
    menu.addAction(lineIcon("fit"), "Show all\tF", this, &CurvePlot::fit);
    QAction* log = menu.addAction("Logarithmic y axis", this, &CurvePlot::setLogY);
    log->setCheckable(true);
    log->setChecked(logY());
    QAction* log_x = menu.addAction("Logarithmic x axis", this, [this](bool on) {
      setLogX(on);
      fit();
    });
    log_x->setCheckable(true);
    log_x->setChecked(logX());
    log_x->setEnabled(!d.x_axis.clock);
    if (d.notes) {
      const int at = static_cast<QContextMenuEvent*>(event)->pos().x();
      const double x = d.plot->xAxis->pixelToCoord(at);
      menu.addSeparator();
      menu.addAction(lineIcon("edit"), "Note here…", this, [this, x] { Q_EMIT noteWanted(x); });
    }
    menu.addSeparator();
    menu.addAction(lineIcon("export"), "Export figure or data…", this,
                   &CurvePlot::showExportDialog);
    menu.exec(static_cast<QContextMenuEvent*>(event)->globalPos());
    return true;
  } else if (event->type() == QEvent::KeyPress) {
    auto* key = static_cast<QKeyEvent*>(event);
    const auto [low, high] = rangeX();
    if (key->key() == Qt::Key_F) {
      fit();
      return true;
    }
    if (key->key() == Qt::Key_Left || key->key() == Qt::Key_Right) {
      const double step = (high - low) / 100 * (key->key() == Qt::Key_Left ? -1 : 1);
      const double x = std::clamp(d.cross_x.value_or((low + high) / 2) + step, low, high);
      setCrosshair(x);
      Q_EMIT crosshairMoved(x);
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace ui
