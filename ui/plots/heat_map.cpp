#include "ui/plots/heat_map.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <cmath>

#include "ui/theme.h"

namespace ui {

HeatMap::HeatMap(const QString& name, const QString& row_title, QWidget* parent)
    : QWidget(parent), row_title_(row_title) {
  setObjectName(name);
  setAccessibleName(name);
}

void HeatMap::setValues(std::vector<std::vector<double>> values, std::vector<double> columns,
                        QStringList rows) {
  values_ = std::move(values);
  columns_ = std::move(columns);
  rows_ = std::move(rows);
  update();
}

void HeatMap::setScale(double low, double high, const QString& unit) {
  low_ = low;
  high_ = high;
  unit_ = unit;
  update();
}

void HeatMap::setPlaceholder(const QString& text) {
  placeholder_ = text;
  update();
}

void HeatMap::setColumnTitle(const QString& title) {
  column_title_ = title;
  update();
}

QString HeatMap::scaleText(double value) const {
  return unit_ == "%" ? QString("%1 %").arg(value * 100) : QString::number(value, 'g', 3);
}

QRect HeatMap::grid() const {
  const QFontMetrics fm(secondaryFont());
  const int left = fm.height() + 4 + fm.horizontalAdvance("00") + 4;
  const int right =
      8 + 10 + 6 +
      std::max(fm.horizontalAdvance(scaleText(high_)), fm.horizontalAdvance(scaleText(low_)));
  return rect().adjusted(left, fm.height() / 2, -right, -fm.height() - 6);
}

void HeatMap::paintEvent(QPaintEvent*) {
  QPainter p(this);
  const Colors& c = colorsOf(this);
  const QFontMetrics fm(secondaryFont());
  p.setFont(secondaryFont());
  if (values_.empty() || columns_.empty()) {
    p.setPen(c.secondary);
    p.drawText(rect().adjusted(8, 0, -8, 0), Qt::AlignCenter | Qt::TextWordWrap, placeholder_);
    return;
  }
  const QRect g = grid();
  const auto rows = values_.size();
  const auto columns = columns_.size();
  const double h = double(g.height()) / double(rows);
  const double w = double(g.width()) / double(columns);
  for (std::size_t r = 0; r < rows; ++r) {
    const int y0 = g.top() + int(std::lround(double(r) * h));
    const int y1 = g.top() + int(std::lround(double(r + 1) * h));
    for (std::size_t k = 0; k < columns && k < values_[r].size(); ++k) {
      const int x0 = g.left() + int(std::lround(double(k) * w));
      const int x1 = g.left() + int(std::lround(double(k + 1) * w));
      const double v = values_[r][k];
      if (std::isfinite(v))
        p.fillRect(QRect(x0, y0, std::max(1, x1 - x0), y1 - y0 - (h > 5 ? 1 : 0)),
                   sequentialColor((v - low_) / (high_ - low_)));
    }
    const int every = std::max(1, int(std::ceil(fm.height() / h)));
    if (int(r) % every == 0) {
      p.setPen(c.secondary);
      p.drawText(QRect(fm.height() + 4, y0 - 8, g.left() - fm.height() - 8, y1 - y0 + 16),
                 Qt::AlignRight | Qt::AlignVCenter,
                 r < std::size_t(rows_.size()) ? rows_[int(r)] : QString::number(r));
    }
  }
  p.setPen(c.secondary);
  const QRect below(g.left(), g.bottom() + 4, g.width(), fm.height() + 2);
  p.drawText(below, Qt::AlignLeft, QString("%1 %2").arg(column_title_).arg(columns_.front()));
  if (columns > 1) p.drawText(below, Qt::AlignRight, QString::number(columns_.back()));
  p.save();
  p.translate(0, g.center().y());
  p.rotate(-90);
  p.drawText(QRect(-g.height() / 2 - 10, 0, g.height() + 20, fm.height() + 2), Qt::AlignCenter,
             row_title_);
  p.restore();

  const QRect bar(g.right() + 9, g.top(), 10, g.height());
  for (int y = 0; y < bar.height(); ++y)
    p.fillRect(bar.left(), bar.bottom() - y, bar.width(), 1,
               sequentialColor(double(y) / bar.height()));
  p.setPen(c.secondary);
  p.drawText(bar.right() + 5, bar.top() + fm.ascent() / 2 + 1, scaleText(high_));
  p.drawText(bar.right() + 5, bar.bottom() + fm.ascent() / 2, scaleText(low_));
}

bool HeatMap::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip && !values_.empty() && !columns_.empty()) {
    auto* help = static_cast<QHelpEvent*>(event);
    const QRect g = grid();
    if (g.contains(help->pos())) {
      const auto r = std::min(values_.size() - 1, std::size_t((help->pos().y() - g.top()) *
                                                              int(values_.size()) / g.height()));
      const auto k = std::min(columns_.size() - 1, std::size_t((help->pos().x() - g.left()) *
                                                               int(columns_.size()) / g.width()));
      const double v = k < values_[r].size() ? values_[r][k] : NAN;
      QToolTip::showText(help->globalPos(),
                         QString("%1 %2, %3 %4: %5")
                                 .arg(row_title_, rows_.value(int(r)), column_title_)
                                 .arg(columns_[k])
                                 .arg(v * (unit_ == "%" ? 100 : 1), 0, 'f', unit_ == "%" ? 1 : 4) +
                             (unit_ == "%" ? " %" : ""),
                         this);
      return true;
    }
  }
  return QWidget::event(event);
}

}  // namespace ui
