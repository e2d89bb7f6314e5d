#include "ui/plots/sparkline.h"

#include <QPainter>
#include <QPainterPath>
#include <cmath>

#include "ui/theme.h"

namespace ui {

Sparkline::Sparkline(const QString& name, QWidget* parent) : QWidget(parent) {
  setAccessibleName(name);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
}

void Sparkline::setPoints(std::vector<CurvePoint> points) {
  std::erase_if(points, [](const CurvePoint& p) { return !std::isfinite(p.y); });
  points_ = std::move(points);
  update();
}

void Sparkline::setColor(const QColor& color) {
  color_ = color;
  update();
}

void Sparkline::paintEvent(QPaintEvent*) {
  if (points_.empty()) return;
  QPainter p(this);
  p.setRenderHint(QPainter::Antialiasing);
  const Colors& c = colorsOf(this);
  const QColor color = color_.isValid() ? color_ : c.accent;
  double low = 0, high = 0;
  for (const CurvePoint& q : points_) {
    low = std::min(low, q.y - q.err);
    high = std::max(high, q.y + q.err);
  }
  if (high - low < 1e-9) high = low + 1;
  const double x0 = points_.front().x;
  const double x1 = std::max(points_.back().x, x0 + 1e-9);
  const QRectF area = QRectF(rect()).adjusted(2, 4, -5, -4);
  auto at = [&](double x, double y) {
    return QPointF(
        points_.size() == 1 ? area.right() : area.left() + (x - x0) / (x1 - x0) * area.width(),
        area.bottom() - (y - low) / (high - low) * area.height());
  };
  QPainterPath line;
  QPolygonF band;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const CurvePoint& q = points_[i];
    if (i == 0)
      line.moveTo(at(q.x, q.y));
    else
      line.lineTo(at(q.x, q.y));
    band << at(q.x, q.y + q.err);
  }
  for (auto it = points_.rbegin(); it != points_.rend(); ++it) band << at(it->x, it->y - it->err);
  p.setPen(QPen(mix(c.panel, c.secondary, 0.6), 1));
  p.drawLine(QPointF(area.left(), std::floor(at(x0, 0).y()) + 0.5),
             QPointF(area.right(), std::floor(at(x0, 0).y()) + 0.5));
  p.setPen(Qt::NoPen);
  p.setBrush(withAlpha(color, 0.2));
  p.drawPolygon(band);
  p.setBrush(Qt::NoBrush);
  p.setPen(QPen(color, 1.5));
  p.drawPath(line);
  p.setPen(Qt::NoPen);
  p.setBrush(color);
  p.drawEllipse(at(points_.back().x, points_.back().y), 3, 3);
}

}  // namespace ui
