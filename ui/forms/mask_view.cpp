#include "ui/forms/mask_view.h"

#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <cmath>

#include "ui/theme.h"

namespace ui {

MaskView::MaskView(QWidget* parent) : QWidget(parent) {
  setObjectName("mask picture");
  setAccessibleName("Which keys each branch sees");
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
}

void MaskView::setPicture(const MaskPicture& picture) {
  picture_ = picture;
  setAccessibleDescription(sentence());
  setToolTip(sentence());
  update();
}

QString MaskView::sentence() const {
  const MaskPicture& m = picture_;
  if (m.linear_only)
    return QString("Epoch %1: linear attention alone sees all %2 past keys.")
        .arg(m.epoch + 1)
        .arg(m.tokens);
  QString text = QString("Epoch %1: the window sees %2 of %3 tokens, linear attention %4.")
                     .arg(m.epoch + 1)
                     .arg(std::min(m.window, m.tokens))
                     .arg(m.tokens)
                     .arg(m.overlap ? "all past keys" : "the keys before it");
  if (m.dropout > 0)
    text += QString(
                " With probability %1 (one draw a %2) the window is dropped and linear attention "
                "sees %3.")
                .arg(m.dropout)
                .arg(m.drop_unit, m.all_when_dropped ? "all past keys" : "only keys outside it");
  return text;
}

void MaskView::drawMask(QPainter& p, const QRect& box, bool window, bool linear_everywhere) const {
  const Colors& c = colorsOf(this);
  const QColor swa = componentStyle("swa", schemeOf(this)).color;
  const QColor linear = componentStyle("linear", schemeOf(this)).color;
  const double side = box.width();
  const double band = std::min(1.0, double(picture_.window) / picture_.tokens) * side;
  const QPointF o = box.topLeft();
  auto at = [&](double key, double query) { return o + QPointF(key, query); };
  p.save();
  p.setRenderHint(QPainter::Antialiasing);
  p.setPen(Qt::NoPen);
  p.setBrush(withAlpha(linear, 0.40));
  if (linear_everywhere)
    p.drawPolygon(QPolygonF{at(0, 0), at(side, side), at(0, side)});
  else if (band < side)
    p.drawPolygon(QPolygonF{at(0, band), at(side - band, side), at(0, side)});
  if (window) {
    p.setBrush(withAlpha(swa, linear_everywhere ? 0.75 : 0.9));
    p.drawPolygon(QPolygonF{at(0, 0), at(side, side), at(side - band, side), at(0, band)});
  }
  p.setRenderHint(QPainter::Antialiasing, false);
  p.setPen(c.line);
  p.setBrush(Qt::NoBrush);
  p.drawRect(box.adjusted(0, 0, -1, -1));
  p.restore();
}

void MaskView::paintEvent(QPaintEvent*) {
  QPainter p(this);
  const Colors& c = colorsOf(this);
  const MaskPicture& m = picture_;
  p.setFont(secondaryFont());
  const QFontMetrics fm(secondaryFont());
  const bool dropped = !m.linear_only && m.dropout > 0;
  const bool kept = !m.linear_only && m.dropout < 1;
  const int pictures = std::max(1, int(dropped) + int(kept || m.linear_only));
  const int gap = 20;
  const int left = fm.height() + 4;
  const int caption = fm.height() + 6;
  const int legend = fm.height() + 10;
  const int side = std::max(24, std::min((width() - left - gap * (pictures - 1)) / pictures,
                                         height() - caption - legend - fm.height() - 4));
  int x = left;
  const int y = caption;
  auto one = [&](const QString& title, bool window, bool everywhere) {
    const QRect box(x, y, side, side);
    drawMask(p, box, window, everywhere);
    p.setPen(c.text);
    p.drawText(QRect(x, 0, side + gap, caption), Qt::AlignLeft | Qt::AlignVCenter, title);
    p.setPen(c.secondary);
    p.drawText(QRect(x, box.bottom() + 3, side, fm.height()), Qt::AlignLeft, "key 1");
    p.drawText(QRect(x, box.bottom() + 3, side, fm.height()), Qt::AlignRight,
               QString::number(m.tokens));
    x += side + gap;
  };
  auto percent = [](double share) { return QString::number(std::round(share * 1000) / 10); };
  if (m.linear_only) one("linear attention alone", false, true);
  if (kept)
    one(dropped ? "kept, " + percent(1 - m.dropout) + " %" : QString("always"), true, m.overlap);
  if (dropped) one("dropped, " + percent(m.dropout) + " %", false, m.all_when_dropped);
  p.save();
  p.translate(0, y + side / 2);
  p.rotate(-90);
  p.setPen(c.secondary);
  p.drawText(QRect(-side / 2, 0, side, fm.height()), Qt::AlignCenter, "query");
  p.restore();

  int lx = left;
  const int ly = y + side + fm.height() + 12;
  auto key = [&](const QColor& color, const QString& text) {
    p.fillRect(QRect(lx, ly, 10, 10), color);
    p.setPen(c.line);
    p.drawRect(QRect(lx, ly, 10, 10));
    p.setPen(c.secondary);
    p.drawText(QRect(lx + 15, ly - 4, 200, fm.height() + 2), Qt::AlignLeft | Qt::AlignVCenter,
               text);
    lx += 15 + fm.horizontalAdvance(text) + 14;
  };
  key(withAlpha(componentStyle("swa", schemeOf(this)).color, 0.9), "window");
  key(withAlpha(componentStyle("linear", schemeOf(this)).color, 0.4), "linear");
  key(Qt::transparent, "none");
}

}  // namespace ui
