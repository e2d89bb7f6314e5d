#include "ui/report_pdf.h"

#include <QFontDatabase>
#include <QPainter>
#include <QPdfWriter>
#include <QSaveFile>
#include <cmath>

#include "engine/session.h"
#include "ui/models/ablation_model.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/verdict.h"
#include "ui/plots/curve_plot.h"
#include "ui/theme.h"

namespace ui {
namespace {

/// Points of 1/72 inch on A4; what does not fit goes to the next page.
class Sheet {
 public:
  explicit Sheet(QPdfWriter& pdf) : pdf_(pdf), painter_(&pdf) {
    const double scale = pdf.resolution() / 72.0;
    painter_.scale(scale, scale);
    width_ = pdf.width() / scale;
    height_ = pdf.height() / scale;
  }

  double width() const { return width_; }

  void newPage() {
    pdf_.newPage();
    y_ = 0;
  }

  void need(double height) {
    if (y_ + height > height_ && y_ > 0) newPage();
  }

  void space(double height) { y_ += height; }

  void text(const QString& text, double size, const QColor& color, int weight = QFont::Normal) {
    painter_.setFont(font(size, weight));
    painter_.setPen(color);
    const QRectF bounds = painter_.boundingRect(QRectF(0, 0, width_, 1e6), Qt::TextWordWrap, text);
    need(bounds.height());
    painter_.drawText(QRectF(0, y_, width_, bounds.height() + 1), Qt::TextWordWrap, text);
    y_ += bounds.height() + 2;
  }

  /// Lines that are never wrapped, as many a page as fit.
  void code(const QString& text, double size, const QColor& color) {
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

  void figure(const QPicture& picture, QSize size) {
    const double scale = width_ / size.width(), height = size.height() * scale;
    need(height);
    painter_.save();
    painter_.translate(0, y_);
    painter_.scale(scale, scale);
    painter_.drawPicture(0, 0, picture);
    painter_.restore();
    y_ += height + 6;
  }

  void table(const QAbstractItemModel& model, const Colors& c) {
    QList<QStringList> lines(1);
    for (int k = 0; k < model.columnCount(); ++k)
      lines[0] << model.headerData(k, Qt::Horizontal, Qt::DisplayRole).toString();
    for (int r = 0; r < model.rowCount(); ++r) {
      QStringList line;
      for (int k = 0; k < model.columnCount(); ++k)
        line << model.index(r, k).data(Qt::DisplayRole).toString();
      lines << line;
    }
    double size = 9;
    std::vector<double> widths;
    for (;; size -= 0.5) {  // a wide table gets smaller type
      const QFontMetricsF fm(font(size));
      widths.assign(std::size_t(lines[0].size()), 0);
      double all = 0;
      for (qsizetype k = 0; k < lines[0].size(); ++k) {
        for (const QStringList& line : lines)
          widths[std::size_t(k)] =
              std::max(widths[std::size_t(k)], fm.horizontalAdvance(line[k]) + 10);
        all += widths[std::size_t(k)];
      }
      if (all <= width_ || size <= 5) break;
    }
    for (qsizetype r = 0; r < lines.size(); ++r) {
      need(size * 1.7);
      painter_.setFont(font(size));
      painter_.setPen(r == 0 ? c.secondary : c.text);
      double x = 0;
      for (qsizetype k = 0; k < lines[r].size(); ++k) {
        const QRectF cell(x, y_, widths[std::size_t(k)] - 6, size * 1.5);
        painter_.drawText(cell, int((k == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter),
                          lines[r][k]);
        x += widths[std::size_t(k)];
      }
      y_ += size * 1.6;
      painter_.setPen(QPen(c.line, 0.5));
      painter_.drawLine(QPointF(0, y_), QPointF(x, y_));
      y_ += 1;
    }
    y_ += 6;
  }

 private:
  static QFont font(double size, int weight = QFont::Normal) {
    QFont f;
    f.setPixelSize(std::max(1, int(std::lround(size))));
    f.setWeight(QFont::Weight(weight));
    return f;
  }

  QPdfWriter& pdf_;
  QPainter painter_;
  double width_ = 0, height_ = 0, y_ = 0;
};

QPicture accuracyFigure(const RunData& run, QSize size) {
  CurvePlot plot("accuracy of each component", "optimizer step", "accuracy, %");
  plot.resize(size);
  plot.setFullX(double(run.plannedSteps()));
  for (const std::string& component : run.components()) {
    const QString id = QString::fromStdString(component);
    plot.setCurve({id, id, [id](Scheme) { return componentStyle(id, Scheme::light); }, true, 0});
    if (const auto* points = run.score(component, "all")) plot.setPoints(id, asCurve(*points, 100));
  }
  return plot.picture(size);
}

void runPages(Sheet& sheet, const RunData& run, const Colors& c) {
  sheet.newPage();
  const engine::RunInfo& info = run.info;
  sheet.text(QString::fromStdString(info.name), 15, c.text, QFont::DemiBold);
  const Verdict v =
      judge(run.lastScore("delta_h_swa", "all"), run.lastScore("delta_la_na", "all"), true);
  sheet.text(v.headline + ". " + v.sentence, 11, c.text);
  sheet.text(QString("run %1 · %2 · seed %3 · recipe %4 · %5 %6 · %7 · version %8 · host %9")
                 .arg(info.id)
                 .arg(stateText(info.state))
                 .arg(info.seed)
                 .arg(QString::fromStdString(info.hash), QString::fromStdString(info.device),
                      QString::fromStdString(info.dtype), durationText(info.seconds),
                      QString::fromStdString(info.version), QString::fromStdString(info.host)),
             9, c.secondary);
  if (!info.notes.empty()) sheet.text(QString::fromStdString(info.notes), 9, c.text);
  sheet.space(6);
  if (!run.components().empty()) {
    const QSize size(860, 360);
    sheet.text("Accuracy of each component, average over tasks, ± 95 %", 10, c.text,
               QFont::DemiBold);
    sheet.figure(accuracyFigure(run, size), size);
    AblationModel tasks;
    tasks.setRows(comparedRows({&run}, {QString::fromStdString(info.name)}, false),
                  AblationModel::Layout::tasks, "all");
    sheet.table(tasks, c);
  }
  sheet.text("Recipe, every key", 10, c.text, QFont::DemiBold);
  sheet.code(QString::fromStdString(info.recipe), 7, c.text);
}

}  // namespace

void writePdfReport(const std::vector<const RunData*>& runs, const QString& file) {
  // Whole or not at all: an older report of that name stays where this one fails.
  QSaveFile out(file);
  if (!out.open(QIODevice::WriteOnly))
    throw engine::InputError(file.toStdString() +
                             ": cannot be written: " + out.errorString().toStdString());
  {
    QPdfWriter pdf(&out);
    pdf.setPageSize(QPageSize(QPageSize::A4));
    pdf.setPageMargins(QMarginsF(15, 15, 15, 15), QPageLayout::Millimeter);
    pdf.setTitle("Equipoise report");
    pdf.setCreator("Equipoise");
    const Colors& c = colorsFor(Scheme::light);
    Sheet sheet(pdf);
    sheet.text("Equipoise report", 18, c.text, QFont::DemiBold);
    sheet.text(
        "Accuracy in percent ± the half-width of the 95 % interval (single tasks: binomial; "
        "averages and "
        "differences: paired bootstrap over examples, within one seed).",
        9, c.secondary);
    sheet.space(8);
    QStringList names;
    for (const RunData* run : runs) names << QString::fromStdString(run->info.name);
    AblationModel table;
    table.setRows(comparedRows(runs, names, false), AblationModel::Layout::components, "all");
    sheet.table(table, c);
    for (const RunData* run : runs) runPages(sheet, *run, c);
  }
  if (!out.commit())
    throw engine::InputError(file.toStdString() +
                             ": cannot be written: " + out.errorString().toStdString());
}

}  // namespace ui
