#include "ui/forms/step_lane.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/theme.h"

namespace ui {
namespace {

constexpr double k_dropout_step = 0.05;
constexpr double k_largest_window = 1048576;

QString valueText(double value) { return QString::number(value, 'g', 6); }

}  // namespace

StepLane::StepLane(Kind kind, QWidget* parent) : QWidget(parent), kind_(kind) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
  const bool dropout = kind == Kind::dropout;
  setObjectName(dropout ? "dropout lane" : "window lane");
  setAccessibleName(dropout ? "Window dropout by epoch" : "Window by epoch");
  setWhatsThis(dropout ? "Probability that the window branch is dropped in each epoch. Drag a "
                         "step, or choose an epoch "
                         "with Left and Right and move it with Up and Down (0.05). Delete shortens "
                         "the list; the last "
                         "value is held."
                       : "Tokens the window sees while training, epoch by epoch, in powers of two. "
                         "Drag a step, or use "
                         "the arrow keys. Delete shortens the list; the last value is held.");
  fallback_ = dropout ? 0 : 64;
}

QSize StepLane::minimumSizeHint() const {
  const int line = QFontMetrics(secondaryFont()).height();
  return {220, 3 * line + (show_epochs_ ? line + 24 : 24)};
}

void StepLane::setValues(const std::vector<double>& values, double fallback, int epochs) {
  if (dragging_) return;
  values_ = values;
  fallback_ = fallback;
  epochs_ = std::max(1, epochs);
  epoch_ = std::clamp(epoch_, 0, shownEpochs() - 1);
  announce();
  update();
}

void StepLane::setEpoch(int epoch) {
  epoch_ = std::clamp(epoch, 0, shownEpochs() - 1);
  announce();
  update();
}

void StepLane::setTop(double top) {
  top_ = std::max(2.0, top);
  update();
}

void StepLane::setShowEpochs(bool on) {
  show_epochs_ = on;
  updateGeometry();
}

void StepLane::setEpochEnds(const QStringList& ends) {
  ends_ = ends;
  update();
}

void StepLane::announce() {
  setAccessibleDescription(QString("epoch %1: %2").arg(epoch_ + 1).arg(valueText(valueAt(epoch_))));
}

int StepLane::shownEpochs() const { return std::max(epochs_, int(values_.size())); }

double StepLane::valueAt(int epoch) const {
  if (values_.empty()) return fallback_;
  return values_[std::size_t(std::clamp(epoch, 0, int(values_.size()) - 1))];
}

double StepLane::snapped(double value) const {
  if (kind_ == Kind::dropout) {
    const double steps = std::round(std::clamp(value, 0.0, 1.0) / k_dropout_step);
    return std::round(steps * k_dropout_step * 100) / 100;
  }
  return std::exp2(std::round(std::log2(std::clamp(value, 1.0, k_largest_window))));
}

QRect StepLane::area() const {
  const QFontMetrics fm(secondaryFont());
  return rect().adjusted(fm.horizontalAdvance("dropout  0.55") + 10, fm.height() + 2, -8,
                         show_epochs_ ? -fm.height() - 8 : -6);
}

double StepLane::yFor(double value) const {
  const QRect a = area();
  const double share =
      kind_ == Kind::dropout ? value : std::log2(std::max(1.0, value)) / std::log2(top_);
  return a.bottom() - std::clamp(share, 0.0, 1.0) * a.height();
}

double StepLane::valueFor(double y) const {
  const QRect a = area();
  const double share = (a.bottom() - y) / std::max(1, a.height());
  return kind_ == Kind::dropout ? share : std::exp2(share * std::log2(top_));
}

int StepLane::epochFor(double x) const {
  const QRect a = area();
  return std::clamp(int((x - a.left()) * shownEpochs() / std::max(1, a.width())), 0,
                    shownEpochs() - 1);
}

QPointF StepLane::pixelFor(int epoch, double value) const {
  const QRect a = area();
  return {a.left() + (epoch + 0.5) * a.width() / shownEpochs(), yFor(value)};
}

QPointF StepLane::handleAt(int epoch) const { return pixelFor(epoch, valueAt(epoch)); }

std::vector<double> StepLane::with(int epoch, double value) const {
  std::vector<double> next = before_;
  while (int(next.size()) <= epoch) next.push_back(next.empty() ? fallback_ : next.back());
  next[std::size_t(epoch)] = value;
  return next;
}

void StepLane::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  epoch_ = epochFor(event->position().x());
  before_ = values_;
  Q_EMIT epochChosen(epoch_);
  dragging_ = std::abs(event->position().y() - yFor(valueAt(epoch_))) < 14 && isEnabled();
  announce();
  update();
}

void StepLane::mouseMoveEvent(QMouseEvent* event) {
  if (!dragging_) {
    const int epoch = epochFor(event->position().x());
    const bool near = area().adjusted(0, -12, 0, 12).contains(event->position().toPoint()) &&
                      std::abs(event->position().y() - yFor(valueAt(epoch))) < 14;
    if (const int now = near ? epoch : -1; now != hovered_) {
      hovered_ = now;
      setCursor(near ? Qt::SizeVerCursor : Qt::ArrowCursor);
      update();
    }
    return;
  }
  const double value = snapped(valueFor(event->position().y()));
  if (value == valueAt(epoch_) && int(values_.size()) > epoch_) return;
  if (value == valueAt(epoch_) && int(before_.size()) <= epoch_ && values_ == before_) return;
  values_ = with(epoch_, value);
  announce();
  Q_EMIT previewed(values_);
  update();
}

void StepLane::mouseReleaseEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton || !std::exchange(dragging_, false)) return;
  const std::vector<double> result = values_;
  if (result != before_) Q_EMIT edited(result);
  update();
}

void StepLane::leaveEvent(QEvent*) {
  hovered_ = -1;
  update();
}

void StepLane::keyPressEvent(QKeyEvent* event) {
  before_ = values_;
  const double now = valueAt(epoch_);
  const int direction = event->key() == Qt::Key_Up ? 1 : -1;
  switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right:
      setEpoch(epoch_ + (event->key() == Qt::Key_Left ? -1 : 1));
      Q_EMIT epochChosen(epoch_);
      return;
    case Qt::Key_Up:
    case Qt::Key_Down: {
      const double next = kind_ == Kind::dropout ? snapped(now + direction * k_dropout_step)
                                                 : snapped(direction > 0 ? now * 2 : now / 2);
      if (next != now) Q_EMIT edited(with(epoch_, next));
      return;
    }
    case Qt::Key_Delete:
    case Qt::Key_Backspace:
      if (!values_.empty()) Q_EMIT edited({values_.begin(), values_.end() - 1});
      return;
    default:
      QWidget::keyPressEvent(event);
  }
}

void StepLane::focusInEvent(QFocusEvent*) { update(); }
void StepLane::focusOutEvent(QFocusEvent*) { update(); }

void StepLane::paintEvent(QPaintEvent*) {
  QPainter p(this);
  const Colors& c = colorsOf(this);
  const QRect a = area();
  const QFontMetrics fm(secondaryFont());
  const bool dropout = kind_ == Kind::dropout;
  const QColor color = componentStyle(dropout ? "linear" : "swa", schemeOf(this)).color;
  p.setFont(secondaryFont());
  const int epochs = shownEpochs();
  const double w = double(a.width()) / epochs;

  p.fillRect(QRectF(a.left() + epoch_ * w, a.top() - 4, w, a.height() + 8),
             withAlpha(c.accent, 0.08));
  std::vector<double> ticks{0, 0.5, 1};
  if (!dropout) {
    ticks.clear();
    const double octaves = std::log2(top_);
    const double every = std::max(1.0, std::ceil(octaves / 3));
    for (double k = octaves; k >= 0; k -= every) ticks.push_back(std::exp2(k));
  }
  for (double tick : ticks) {
    const int y = int(std::lround(yFor(tick)));
    p.setPen(mix(c.panel, c.line, 0.7));
    p.drawLine(a.left(), y, a.right(), y);
    p.setPen(c.secondary);
    p.drawText(QRect(0, y - fm.height() / 2, a.left() - 6, fm.height()),
               Qt::AlignRight | Qt::AlignVCenter, valueText(tick));
  }
  p.setPen(c.text);
  p.drawText(QRect(0, a.center().y() - fm.height() / 2, a.left(), fm.height()),
             Qt::AlignLeft | Qt::AlignVCenter, dropout ? "dropout" : "window");

  p.setRenderHint(QPainter::Antialiasing);
  double last_y = -1;
  for (int e = 0; e < epochs; ++e) {
    const bool held = e >= int(values_.size());
    const bool unreached = e >= epochs_;
    const double x0 = a.left() + e * w;
    const double x1 = x0 + w;
    const double y = std::floor(yFor(valueAt(e))) + 0.5;
    const QColor ink = unreached ? mix(c.panel, color, 0.45) : color;
    p.fillRect(QRectF(x0, y, w, a.bottom() + 0.5 - y), withAlpha(ink, held ? 0.08 : 0.18));
    if (last_y >= 0 && last_y != y) {
      p.setPen(QPen(ink, 1.2));
      p.drawLine(QPointF(x0, last_y), QPointF(x0, y));
    }
    QPen pen(ink, e == hovered_ || (dragging_ && e == epoch_) ? 3 : 2,
             held ? Qt::DashLine : Qt::SolidLine, Qt::FlatCap);
    p.setPen(pen);
    p.drawLine(QPointF(x0, y), QPointF(x1, y));
    last_y = y;
    const QPointF middle((x0 + x1) / 2, y);
    if (!held || e == hovered_ || (hasFocus() && e == epoch_)) {
      p.setPen(QPen(ink, 1.5));
      p.setBrush(held ? c.panel : ink);
      p.drawEllipse(middle, 4, 4);
      p.setBrush(Qt::NoBrush);
    }
    const bool first_held = held && e == int(values_.size());
    if (!held || first_held) {
      QString text = valueText(valueAt(e));
      if (first_held)
        text = values_.empty() ? (dropout ? "never dropped" : text + ", as in Attention") : "held";
      p.setPen(held ? c.secondary : c.text);
      double top = y - fm.height() - 5;
      if (top < 0) top = y + 6;
      const double wide = fm.horizontalAdvance(text) + 8;
      const double from = std::clamp(middle.x() - wide / 2, double(a.left()),
                                     std::max<double>(a.left(), a.right() - wide));
      p.drawText(QRectF(from, top, wide, fm.height()), Qt::AlignCenter, text);
    }
    if (show_epochs_) {
      p.setPen(unreached ? mix(c.panel, c.secondary, 0.6) : e == epoch_ ? c.text : c.secondary);
      const QString text = unreached ? QString("%1, not reached").arg(e + 1)
                                     : (e == 0 ? "epoch 1" : QString::number(e + 1));
      const int every = std::max(1, int(std::ceil(fm.horizontalAdvance("00 ") / w)));
      if (e % every == 0 || e == epoch_)
        p.drawText(QRectF(x0 - 30, a.bottom() + 5, w + 60, fm.height()), Qt::AlignCenter, text);
      const QString end = e < ends_.size() ? (e == 0 ? "step " : "") + ends_[e] : QString();
      const double room = w - fm.horizontalAdvance("epoch 1, not reached") / 2.0;
      if (!end.isEmpty() && room > fm.horizontalAdvance("step " + end)) {
        p.setPen(mix(c.panel, c.secondary, 0.75));
        const double wide = fm.horizontalAdvance(end) + 2;
        const double from = std::min(x1 - wide / 2, double(width()) - wide);
        p.drawLine(QPointF(x1, a.bottom()), QPointF(x1, a.bottom() + 4));
        p.drawText(QRectF(from, a.bottom() + 5, wide, fm.height()), Qt::AlignCenter, end);
      }
    }
  }
  p.setRenderHint(QPainter::Antialiasing, false);
  p.setPen(c.line);
  p.drawLine(a.bottomLeft(), a.bottomRight());
  if (hasFocus()) {
    p.setPen(QPen(c.accent, 1));
    p.drawRect(rect().adjusted(0, 0, -1, -1));
  }
}

}  // namespace ui
