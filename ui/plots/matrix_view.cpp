#include "ui/plots/matrix_view.h"

#include <QHelpEvent>
#include <QImage>
#include <QKeyEvent>
#include <QPainter>
#include <QToolTip>
#include <cmath>

#include "ui/theme.h"

namespace ui {

MatrixView::MatrixView(const QString& name, QWidget* parent) : QWidget(parent) {
  setObjectName(name);
  setAccessibleName(name);
  setFocusPolicy(Qt::StrongFocus);
}

void MatrixView::setMatrix(Matrix matrix) {
  matrix_ = std::move(matrix);
  row_ = std::min(row_, matrix_.rows - 1);
  column_ = std::min(column_, matrix_.columns - 1);
  update();
}

void MatrixView::setPlaceholder(const QString& text) {
  placeholder_ = text;
  update();
}

void MatrixView::setWords(std::function<QString(int, int)> words) { words_ = std::move(words); }

void MatrixView::choose(int row, int column) {
  if (matrix_.rows == 0 || matrix_.columns == 0) return;
  row_ = std::clamp(row, 0, matrix_.rows - 1);
  column_ = std::clamp(column, 0, matrix_.columns - 1);
  update();
}

QString MatrixView::scaleText(double value) const { return QString::number(value, 'g', 3).replace('-', "−") + matrix_.unit; }

QRect MatrixView::grid() const {
  const QFontMetrics fm(secondaryFont());
  const int left = 2 * fm.height() + fm.horizontalAdvance("000") + 4;
  const int right = 26 + std::max(fm.horizontalAdvance(scaleText(matrix_.low)), fm.horizontalAdvance(scaleText(matrix_.high)));
  QRect g = rect().adjusted(left, 6, -right, -2 * fm.height() - 6);
  if (matrix_.square) {
    const int side = std::max(8, std::min(g.width(), g.height()));
    g.setSize({side, side});
  } else if (matrix_.rows > 0) {  // cells of a few layers are not stretched over the whole page
    g.setHeight(std::min(g.height(), 64 * matrix_.rows));
  }
  return g;
}

QRect MatrixView::cellRect(int row, int column) const {
  const QRect g = grid();
  auto at = [](int from, int length, int i, int n) { return from + int(std::lround(double(length) * i / n)); };
  const int x0 = at(g.left(), g.width(), column, matrix_.columns), x1 = at(g.left(), g.width(), column + 1, matrix_.columns);
  const int y0 = at(g.top(), g.height(), row, matrix_.rows), y1 = at(g.top(), g.height(), row + 1, matrix_.rows);
  return {x0, y0, std::max(1, x1 - x0), std::max(1, y1 - y0)};
}

bool MatrixView::cellAt(QPoint at, int& row, int& column) const {
  const QRect g = grid();
  if (!g.contains(at) || matrix_.rows == 0 || matrix_.columns == 0) return false;
  row = std::min(matrix_.rows - 1, (at.y() - g.top()) * matrix_.rows / std::max(1, g.height()));
  column = std::min(matrix_.columns - 1, (at.x() - g.left()) * matrix_.columns / std::max(1, g.width()));
  return true;
}

QColor MatrixView::colourOf(double value) const {
  double t = (value - matrix_.low) / std::max(1e-12, matrix_.high - matrix_.low);
  if (matrix_.root) t = std::sqrt(std::max(0.0, t));
  t = std::clamp(t, 0.0, 1.0);
  return matrix_.diverging ? divergingColor(t, schemeOf(this)) : sequentialColor(t);
}

QString MatrixView::wordsOf(int row, int column) const {
  if (words_) return words_(row, column);
  const double v = matrix_.values[std::size_t(row * matrix_.columns + column)];
  return QString("%1 %2, %3 %4: %5%6")
      .arg(matrix_.row_title)
      .arg(row)
      .arg(matrix_.column_title)
      .arg(column)
      .arg(std::isfinite(v) ? QString::number(v, 'f', matrix_.decimals + 1) : "not measured")
      .arg(std::isfinite(v) ? matrix_.unit : QString());
}

void MatrixView::drawCells(QPainter& p) const {
  const Colors& c = colorsOf(this);
  if (matrix_.square) {  // many cells: one picture
    QImage image(matrix_.columns, matrix_.rows, QImage::Format_RGB32);
    image.fill(c.panel);
    for (int r = 0; r < matrix_.rows; ++r)
      for (int k = 0; k < matrix_.columns; ++k) {
        const double v = matrix_.values[std::size_t(r * matrix_.columns + k)];
        if (std::isfinite(v)) image.setPixelColor(k, r, colourOf(v));
      }
    p.drawImage(grid(), image);
    return;
  }
  const QFontMetrics fm(secondaryFont());
  for (int r = 0; r < matrix_.rows; ++r)
    for (int k = 0; k < matrix_.columns; ++k) {
      const double v = matrix_.values[std::size_t(r * matrix_.columns + k)];
      if (!std::isfinite(v)) continue;
      const QRect cell = cellRect(r, k);
      const QColor colour = colourOf(v);
      p.fillRect(cell.adjusted(0, 0, cell.width() > 4 ? -1 : 0, cell.height() > 4 ? -1 : 0), colour);
      const QString text = QString::number(v, 'f', matrix_.decimals).replace('-', "−");
      if (cell.width() < fm.horizontalAdvance(text) + 8 || cell.height() < fm.height() + 2) continue;
      p.setPen(contrast(colour, QColor("#1C1C1A")) > contrast(colour, Qt::white) ? QColor("#1C1C1A") : QColor(Qt::white));
      p.drawText(cell, Qt::AlignCenter, text);
    }
}

void MatrixView::drawAxes(QPainter& p) const {
  const QFontMetrics fm(secondaryFont());
  const QRect g = grid();
  p.setPen(colorsOf(this).secondary);
  const int every_row = std::max(1, int(std::ceil(double(fm.height()) * matrix_.rows / std::max(1, g.height()))));
  const int every_column = std::max(1, int(std::ceil(double(fm.horizontalAdvance("0000")) * matrix_.columns / std::max(1, g.width()))));
  if (!matrix_.square) {
    for (int r = 0; r < matrix_.rows; r += every_row) {
      const QRect cell = cellRect(r, 0);
      p.drawText(QRect(0, cell.top() - 8, g.left() - 4, cell.height() + 16), Qt::AlignRight | Qt::AlignVCenter, QString::number(r));
    }
    for (int k = 0; k < matrix_.columns; k += every_column) {
      const QRect cell = cellRect(0, k);
      p.drawText(QRect(cell.left() - 20, g.bottom() + 3, cell.width() + 40, fm.height()), Qt::AlignHCenter, QString::number(k));
    }
  }
  p.drawText(QRect(g.left(), g.bottom() + 4 + (matrix_.square ? 0 : fm.height()), g.width(), fm.height() + 2), Qt::AlignCenter, matrix_.column_title);
  p.save();
  p.translate(0, g.center().y());
  p.rotate(-90);
  p.drawText(QRect(-g.height() / 2 - 20, 0, g.height() + 40, fm.height() + 2), Qt::AlignCenter, matrix_.row_title);
  p.restore();
}

void MatrixView::drawScale(QPainter& p) const {
  const QFontMetrics fm(secondaryFont());
  const QRect g = grid();
  const QRect bar(g.right() + 9, g.top(), 10, std::max(40, g.height()));
  for (int y = 0; y < bar.height(); ++y) {
    const double t = double(y) / std::max(1, bar.height() - 1);
    p.fillRect(bar.left(), bar.bottom() - y, bar.width(), 1, colourOf(matrix_.low + t * (matrix_.high - matrix_.low)));
  }
  p.setPen(colorsOf(this).secondary);
  p.drawText(bar.right() + 5, bar.top() + fm.ascent() - 2, scaleText(matrix_.high));
  p.drawText(bar.right() + 5, bar.bottom() + 1, scaleText(matrix_.low));
}

void MatrixView::paintEvent(QPaintEvent*) {
  QPainter p(this);
  const Colors& c = colorsOf(this);
  p.setFont(secondaryFont());
  if (matrix_.rows == 0 || matrix_.columns == 0) {
    p.setPen(c.secondary);
    p.drawText(rect().adjusted(8, 0, -8, 0), Qt::AlignCenter | Qt::TextWordWrap, placeholder_);
    return;
  }
  drawCells(p);
  drawAxes(p);
  drawScale(p);
  if (row_ >= 0 && column_ >= 0) {
    p.setPen(QPen(hasFocus() ? c.accent : c.text, 2));
    p.drawRect(cellRect(row_, column_).adjusted(0, 0, -1, -1));
  }
}

void MatrixView::mousePressEvent(QMouseEvent* event) {
  int row = 0, column = 0;
  if (!cellAt(event->position().toPoint(), row, column)) return;
  choose(row, column);
  Q_EMIT chosen(row, column);
}

void MatrixView::keyPressEvent(QKeyEvent* event) {
  const int dx = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
  const int dy = event->key() == Qt::Key_Down ? 1 : event->key() == Qt::Key_Up ? -1 : 0;
  if ((dx == 0 && dy == 0) || matrix_.rows == 0) return QWidget::keyPressEvent(event);
  choose(std::max(0, row_) + (row_ < 0 ? 0 : dy), std::max(0, column_) + (column_ < 0 ? 0 : dx));
  Q_EMIT chosen(row_, column_);
}

bool MatrixView::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    auto* help = static_cast<QHelpEvent*>(event);
    int row = 0, column = 0;
    if (cellAt(help->pos(), row, column)) {
      QToolTip::showText(help->globalPos(), wordsOf(row, column), this);
      return true;
    }
  }
  return QWidget::event(event);
}

}  // namespace ui
