#include "ui/plots/plot_parts.h"

#include <QFileInfo>
#include <QSvgGenerator>

#include "ui/whole_file.h"

namespace ui {

QCustomPlot* newPlot(QWidget* parent, const QString& name) {
  auto* plot = new QCustomPlot(parent);
  plot->setAutoAddPlottableToLegend(false);
  plot->setPlottingHint(QCP::phFastPolylines, true);
  plot->setAccessibleName(name);
  plot->installEventFilter(parent);
  return plot;
}

void styleAxis(QCPAxis* axis, const Colors& c) {
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

QCPScatterStyle scatterStyle(const SeriesStyle& style, const QColor& panel, double size) {
  QCPScatterStyle::ScatterShape shape = QCPScatterStyle::ssNone;
  switch (style.marker) {
    case Marker::disc:
      shape = QCPScatterStyle::ssCircle;
      break;
    case Marker::square:
      shape = QCPScatterStyle::ssSquare;
      break;
    case Marker::diamond:
      shape = QCPScatterStyle::ssDiamond;
      break;
    case Marker::triangle:
      shape = QCPScatterStyle::ssTriangle;
      break;
    case Marker::cross:
      shape = QCPScatterStyle::ssCross;
      break;
    case Marker::none:
      return QCPScatterStyle(QCPScatterStyle::ssNone);
  }
  return QCPScatterStyle(shape, QPen(style.color, 1.2), QBrush(style.open ? panel : style.color),
                         size);
}

namespace {

bool savePlotSvg(QCustomPlot* plot, const QString& file, const QString& title,
                 const QColor& background) {
  QSvgGenerator svg;
  svg.setFileName(file);
  svg.setSize(plot->size());
  svg.setViewBox(plot->rect());
  svg.setTitle(title);
  QCPPainter painter;
  if (!painter.begin(&svg)) return false;
  painter.setMode(QCPPainter::pmVectorized);
  painter.setMode(QCPPainter::pmNoCaching);
  painter.fillRect(plot->rect(), background);
  plot->toPainter(&painter, plot->width(), plot->height());
  return painter.end();
}

}  // namespace

bool exportPlot(QCustomPlot* plot, const QString& file, const QString& title,
                const QColor& background, const QString& csv) {
  const QString kind = QFileInfo(file).suffix().toLower();
  if (kind == "png") return plot->savePng(file, 0, 0, 2.0);
  if (kind == "pdf") return plot->savePdf(file, 0, 0, QCP::epAllowCosmetic, "Equipoise", title);
  if (kind == "svg") return savePlotSvg(plot, file, title, background);
  if (kind != "csv") return false;
  return writeWhole(file, csv.toStdString());
}

QPicture plotPicture(QCustomPlot* plot, QSize size) {
  QPicture picture;
  QCPPainter painter;
  if (!painter.begin(&picture)) return picture;
  painter.setMode(QCPPainter::pmVectorized);
  painter.setMode(QCPPainter::pmNoCaching);
  plot->toPainter(&painter, size.width(), size.height());
  painter.end();
  return picture;
}

}  // namespace ui
