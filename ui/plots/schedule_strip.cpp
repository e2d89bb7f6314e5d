#include "ui/plots/schedule_strip.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <cmath>

#include "ui/theme.h"

namespace ui {
namespace {

constexpr double k_narrow = 3;  ///< pixels; segments below have neither an edge nor a text

}  // namespace

ScheduleStrip::ScheduleStrip(QWidget* parent) : QWidget(parent) {
  setObjectName("schedule strip");
  setAccessibleName("Schedule over the run");
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

void ScheduleStrip::setSegments(std::vector<StripSegment> segments) {
  if (segments == segments_) return;
  segments_ = std::move(segments);
  update();
}

void ScheduleStrip::setMoment(std::optional<double> step) {
  const auto shown = [this] { return moment_ ? std::lround(toPixel(*moment_)) : -1; };
  const long before = shown();
  moment_ = step;
  if (shown() != before) update();
}

void ScheduleStrip::setCrosshair(std::optional<double> step) {
  if (cross_ == step) return;
  cross_ = step;
  update();
}

void ScheduleStrip::setView(double low, double high, int left, int right) {
  low_ = low;
  high_ = high;
  left_ = left;
  right_ = right;
  update();
}

QSize ScheduleStrip::sizeHint() const {
  return {600, 2 * QFontMetrics(secondaryFont()).height() + 40};
}

double ScheduleStrip::toPixel(double step) const {
  return left_ + (step - low_) / std::max(high_ - low_, 1e-9) * (right_ - left_);
}

void ScheduleStrip::paintEvent(QPaintEvent*) {
  QPainter p(this);
  const Colors& c = colorsOf(this);
  p.fillRect(rect(), c.panel);
  p.setFont(secondaryFont());
  const QFontMetrics fm(secondaryFont());
  const int top = fm.height() + 4;
  const int bottom = height() - fm.height() - 6;
  p.setPen(c.secondary);
  p.drawText(QRect(0, top, left_ - 8, bottom - top), Qt::AlignRight | Qt::AlignVCenter,
             segments_.empty()                              ? QString()
             : left_ > fm.horizontalAdvance("dropout") + 10 ? "dropout"
                                                            : "p");
  p.setClipRect(QRect(left_, 0, right_ - left_ + 1, height()));
  const SeriesStyle swa = componentStyle("swa", schemeOf(this));
  const SeriesStyle linear = componentStyle("linear", schemeOf(this));
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    const StripSegment& s = segments_[i];
    const double x0 = toPixel(s.first);
    const double x1 = toPixel(s.last);
    if (x1 < left_ || x0 > right_) continue;
    const QRectF box(x0, top, x1 - x0, bottom - top);
    if (s.schedule) {
      const double filled = box.height() * s.dropout;
      p.fillRect(QRectF(x0, box.bottom() - filled, x1 - x0, filled), withAlpha(linear.color, 0.28));
      p.fillRect(QRectF(x0, box.top(), x1 - x0, box.height() - filled), withAlpha(swa.color, 0.20));
      p.setPen(QPen(linear.color, 2));
      p.drawLine(QPointF(x0, box.bottom() - filled), QPointF(x1, box.bottom() - filled));
    } else {
      p.fillRect(box, withAlpha(c.secondary, 0.10));
    }
    if (x1 - x0 < k_narrow) continue;
    p.setPen(QPen(c.line, 1));
    if (i > 0) p.drawLine(QPointF(x0, 0), QPointF(x0, bottom));
    const QRectF above(std::max<double>(x0, left_) + 4, 0,
                       std::min<double>(x1, right_) - std::max<double>(x0, left_) - 8, top);
    p.setPen(c.secondary);
    p.drawText(above, Qt::AlignLeft | Qt::AlignVCenter,
               fm.elidedText(s.title, Qt::ElideRight, int(above.width())));
    if (s.schedule) {
      const QString full = QString("dropout %1 · window %2").arg(s.dropout).arg(s.window);
      const QString brief = QString("p %1 · w %2").arg(s.dropout).arg(s.window);
      const QRectF below(above.left(), bottom + 2, above.width(), fm.height() + 2);
      const QString text = fm.horizontalAdvance(full) < below.width() ? full : brief;
      if (fm.horizontalAdvance(text) < below.width() + 4)
        p.drawText(below, Qt::AlignLeft | Qt::AlignVCenter, text);
    }
  }
  p.setPen(QPen(c.line, 1));
  if (!segments_.empty())
    p.drawRect(QRectF(left_ + 0.5, top + 0.5, right_ - left_ - 1, bottom - top));
  if (cross_) {
    p.setPen(QPen(c.secondary, 1, Qt::DashLine));
    p.drawLine(QPointF(toPixel(*cross_), 0), QPointF(toPixel(*cross_), bottom));
  }
  if (moment_) {
    const double x = toPixel(*moment_);
    p.setPen(QPen(c.accent, 2));
    p.drawLine(QPointF(x, top - 2), QPointF(x, bottom));
    p.setRenderHint(QPainter::Antialiasing);
    p.setBrush(c.accent);
    p.setPen(Qt::NoPen);
    p.drawPolygon(QPolygonF{QPointF(x, top + 3), QPointF(x - 5, top - 4), QPointF(x + 5, top - 4)});
  }
}

bool ScheduleStrip::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    auto* help = static_cast<QHelpEvent*>(event);
    const double step =
        low_ + (help->pos().x() - left_) / std::max(1.0, double(right_ - left_)) * (high_ - low_);
    for (const StripSegment& s : segments_) {
      if (step < s.first || step >= s.last) continue;
      QString text = QString("%1, steps %2 to %3").arg(s.title).arg(s.first).arg(s.last);
      if (s.schedule)
        text += QString("\nwindow dropped with probability %1, window %2 tokens")
                    .arg(s.dropout)
                    .arg(s.window);
      QToolTip::showText(help->globalPos(), text, this);
      return true;
    }
  }
  return QWidget::event(event);
}

}  // namespace ui
