#include "ui/report_sheet.h"

#include <QAbstractItemModel>
#include <QFontDatabase>
#include <QPdfWriter>
#include <QSaveFile>
#include <cassert>
#include <cmath>

#include "engine/inspect.h"
#include "ui/theme.h"

namespace ui {
namespace {

QFont fontOf(double size, int weight = QFont::Normal) {
  QFont f;
  f.setPixelSize(std::max(1, int(std::lround(size))));
  f.setWeight(QFont::Weight(weight));
  return f;
}

QList<QStringList> linesOf(const QAbstractItemModel& model, int most) {
  QList<QStringList> lines(1);
  for (int k = 0; k < model.columnCount(); ++k)
    lines[0] << model.headerData(k, Qt::Horizontal, Qt::DisplayRole).toString();
  for (int r = 0; r < model.rowCount() && (most == 0 || r < most); ++r) {
    QStringList line;
    for (int k = 0; k < model.columnCount(); ++k)
      line << model.index(r, k).data(Qt::DisplayRole).toString();
    lines << line;
  }
  return lines;
}

/// Widths of the columns in type of that size, the gap behind each included.
std::vector<double> widthsOf(const QList<QStringList>& lines, double size) {
  const QFontMetricsF fm(fontOf(size));
  std::vector<double> widths(std::size_t(lines[0].size()), 0);
  for (const QStringList& line : lines)
    for (qsizetype k = 0; k < line.size(); ++k)
      widths[std::size_t(k)] = std::max(widths[std::size_t(k)], fm.horizontalAdvance(line[k]) + 10);
  return widths;
}

}  // namespace

Sheet::Sheet(QPdfWriter& pdf) : pdf_(pdf), painter_(&pdf) {
  const double scale = pdf.resolution() / 72.0;
  painter_.scale(scale, scale);
  width_ = pdf.width() / scale;
  height_ = pdf.height() / scale;
}

void Sheet::newPage() {
  pdf_.newPage();
  y_ = 0;
}

void Sheet::need(double height) {
  if (y_ + height > height_ && y_ > 0) newPage();
}

void Sheet::text(const QString& text, double size, const QColor& color, int weight) {
  painter_.setFont(fontOf(size, weight));
  painter_.setPen(color);
  const QRectF bounds = painter_.boundingRect(QRectF(0, 0, width_, 1e6), Qt::TextWordWrap, text);
  need(bounds.height());
  painter_.drawText(QRectF(0, y_, width_, bounds.height() + 1), Qt::TextWordWrap, text);
  y_ += bounds.height() + 2;
}

void Sheet::code(const QString& text, double size, const QColor& color) {
  QFont mono = QFontDatabase::systemFont(QFontDatabase::FixedFont);
  mono.setPixelSize(int(std::ceil(size)));
  for (const QString& line : text.split('\n')) {
    need(size * 1.4);
    painter_.setFont(mono);
    painter_.setPen(color);
    painter_.drawText(QPointF(0, y_ + size), line);
    y_ += size * 1.4;
  }
}

void Sheet::figure(const QPicture& picture, QSize size) {
  const double scale = width_ / size.width();
  draw(size.height() * scale, [&](QPainter& p, const QRectF& at) {
    p.translate(at.topLeft());
    p.scale(scale, scale);
    p.drawPicture(0, 0, picture);
  });
}

void Sheet::draw(double height, const std::function<void(QPainter&, const QRectF&)>& what) {
  assert(height <= height_ && "what is higher than a page would be cut");
  need(height);
  painter_.save();
  painter_.setFont(fontOf(8));
  what(painter_, QRectF(0, y_, width_, height));
  painter_.restore();
  y_ += height + 6;
}

void Sheet::table(const QAbstractItemModel& model, int most) {
  const Colors& c = colorsFor(Scheme::light);
  const QList<QStringList> lines = linesOf(model, most);
  double size = 9;
  std::vector<double> widths = widthsOf(lines, size);
  auto total = [&] {
    double all = 0;
    for (double w : widths) all += w;
    return all;
  };
  for (; total() > width_ && size > 5; widths = widthsOf(lines, size)) size -= 0.5;
  for (qsizetype r = 0; r < lines.size(); ++r) {
    need(size * 1.7);
    painter_.setFont(fontOf(size));
    painter_.setPen(r == 0 ? c.secondary : c.text);
    double x = 0;
    for (qsizetype k = 0; k < lines[r].size(); ++k) {
      const QRectF cell(x, y_, widths[std::size_t(k)] - 6, size * 1.5);
      painter_.drawText(cell, int((k == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter), lines[r][k]);
      x += widths[std::size_t(k)];
    }
    y_ += size * 1.6;
    painter_.setPen(QPen(c.line, 0.5));
    painter_.drawLine(QPointF(0, y_), QPointF(x, y_));
    y_ += 1;
  }
  y_ += 6;
}

void writePdf(const QString& file, const QString& title, const std::function<void(Sheet&)>& fill) {
  QSaveFile out(file);
  const auto refuse = [&] {
    throw engine::InputError(file.toStdString() + ": cannot be written: " + out.errorString().toStdString());
  };
  if (!out.open(QIODevice::WriteOnly)) refuse();
  {
    QPdfWriter pdf(&out);
    pdf.setPageSize(QPageSize(QPageSize::A4));
    pdf.setPageMargins(QMarginsF(15, 15, 15, 15), QPageLayout::Millimeter);
    pdf.setTitle(title);
    pdf.setCreator("Equipoise");
    Sheet sheet(pdf);
    fill(sheet);
  }
  if (!out.commit()) refuse();
}

}  // namespace ui
