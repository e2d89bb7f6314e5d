#include "ui/pages/diagnose_tile.h"

#include <QPainter>
#include <cmath>

#include "ui/theme.h"

namespace ui {

DiagnoseTile::DiagnoseTile(const QString& name, QWidget* parent) : QAbstractButton(parent) {
  setText(name);
  setAccessibleName(name);
  setCheckable(true);
  setAutoExclusive(true);
  setFocusPolicy(Qt::StrongFocus);
  setCursor(Qt::PointingHandCursor);
  setAttribute(Qt::WA_Hover);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

void DiagnoseTile::setContent(const QString& figure, const QString& words, std::vector<double> strip, bool cells) {
  figure_ = figure;
  words_ = words;
  strip_ = std::move(strip);
  cells_ = cells;
  setToolTip(words.isEmpty() ? text() : text() + ": " + figure + ", " + words);
  update();
}

QSize DiagnoseTile::sizeHint() const {
  const int line = QFontMetrics(secondaryFont()).height();
  return {104, 2 * 8 + 2 * line + QFontMetrics(titleFont()).height() + 24};
}

QSize DiagnoseTile::minimumSizeHint() const { return {72, sizeHint().height()}; }

void DiagnoseTile::paintEvent(QPaintEvent*) {
  QPainter p(this);
  p.setRenderHint(QPainter::Antialiasing);
  const Colors& c = colorsOf(this);
  const bool strong = isChecked();
  p.setPen(QPen(strong || hasFocus() || underMouse() ? c.accent : c.line, 1));
  p.setBrush(c.panel);
  p.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
  if (strong) p.fillRect(QRectF(1, height() - 3, width() - 2, 2), c.accent);
  const QRect inner = rect().adjusted(8, 6, -8, -8);
  const QFontMetrics small(secondaryFont()), large(titleFont());
  p.setFont(secondaryFont());
  p.setPen(strong ? c.text : c.secondary);
  p.drawText(inner, Qt::AlignLeft | Qt::AlignTop, small.elidedText(text(), Qt::ElideRight, inner.width()));
  p.setFont(titleFont());
  p.setPen(c.text);
  p.drawText(inner.adjusted(0, small.height() + 1, 0, 0), Qt::AlignLeft | Qt::AlignTop, large.elidedText(figure_, Qt::ElideRight, inner.width()));
  p.setFont(secondaryFont());
  p.setPen(c.secondary);
  p.drawText(inner.adjusted(0, small.height() + large.height() + 2, 0, 0), Qt::AlignLeft | Qt::AlignTop, small.elidedText(words_, Qt::ElideRight, inner.width()));
  if (strip_.empty()) return;
  p.setRenderHint(QPainter::Antialiasing, false);
  const QRect strip(inner.left(), inner.bottom() - 15, inner.width(), 14);
  const double step = double(strip.width()) / double(strip_.size());
  for (std::size_t i = 0; i < strip_.size(); ++i) {
    if (!std::isfinite(strip_[i])) continue;
    const double v = std::clamp(strip_[i], 0.0, 1.0);
    const int x0 = strip.left() + int(double(i) * step), x1 = strip.left() + int(double(i + 1) * step);
    const int width = std::max(1, x1 - x0 - (step > 3 ? 1 : 0));
    if (cells_) p.fillRect(x0, strip.top(), width, strip.height(), sequentialColor(v));
    else p.fillRect(x0, strip.bottom() + 1 - std::max(1, int(v * strip.height())), width, std::max(1, int(v * strip.height())), c.accent);
  }
}

}  // namespace ui
