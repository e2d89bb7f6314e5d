#include "ui/report_diagnosis.h"

#include <cmath>

#include "ui/models/diagnosis_tables.h"
#include "ui/models/head_measures.h"
#include "ui/report_sheet.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_most_rows = 24;  ///< of the long tables, which are sorted by what counts
constexpr int k_most_layers = 48;  ///< of a heat map, on one page

QString text(const std::string& s) { return QString::fromStdString(s); }

void heading(Sheet& sheet, const QString& words) {
  sheet.space(4);
  sheet.text(words, 10, colorsFor(Scheme::light).text, QFont::DemiBold);
}

void table(Sheet& sheet, const QString& title, std::vector<Column> columns, Rows rows, int most = 0) {
  if (rows.empty()) return;
  const qsizetype all = qsizetype(rows.size());
  heading(sheet, most > 0 && all > most ? QString("%1, the first %2 of %3").arg(title).arg(most).arg(all) : title);
  RowsModel model;
  model.setColumns(std::move(columns));
  model.setRows(std::move(rows));
  sheet.table(model, most);
}

/// Layers `first` to `end`, heads across, as on the screen; values written in where there is room.
void heatPart(Sheet& sheet, const Matrix& m, int first, int end) {
  const Colors& c = colorsFor(Scheme::light);
  const double cell = 14, left = 44, right = 70;
  sheet.draw((end - first) * cell + 14, [&](QPainter& p, const QRectF& at) {
    const double step = std::min(36.0, (at.width() - left - right) / m.columns);
    auto colour = [&](double v) {
      const double t = std::clamp((v - m.low) / std::max(1e-12, m.high - m.low), 0.0, 1.0);
      return m.diverging ? divergingColor(t, Scheme::light) : sequentialColor(t);
    };
    for (int r = first; r < end; ++r) {
      const double top = at.top() + (r - first) * cell;
      p.setPen(c.secondary);
      p.drawText(QRectF(at.left(), top, left - 6, cell), Qt::AlignRight | Qt::AlignVCenter, QString("layer %1").arg(r));
      for (int k = 0; k < m.columns; ++k) {
        const double v = m.values[std::size_t(r * m.columns + k)];
        if (!std::isfinite(v)) continue;
        const QRectF box(at.left() + left + k * step, top, step - 0.5, cell - 0.5);
        p.fillRect(box, colour(v));
        p.setPen(contrast(colour(v), Qt::black) > contrast(colour(v), Qt::white) ? Qt::black : Qt::white);
        if (step >= 24) p.drawText(box, Qt::AlignCenter, QString::number(v, 'f', 2));
      }
    }
    p.setPen(c.secondary);
    p.drawText(QRectF(at.left() + left, at.top() + (end - first) * cell + 2, at.width() - left, 12), Qt::AlignLeft,
               QString("heads 0 to %1; scale %2 to %3%4").arg(m.columns - 1).arg(m.low, 0, 'g', 2).arg(m.high, 0, 'g', 2).arg(m.unit));
  });
}

/// A deep model takes several pages, in parts of about equal height.
void heat(Sheet& sheet, const QString& title, const Matrix& m) {
  if (m.rows == 0) return;
  heading(sheet, title);
  const int parts = (m.rows + k_most_layers - 1) / k_most_layers;
  for (int part = 0; part < parts; ++part)
    heatPart(sheet, m, m.rows * part / parts, m.rows * (part + 1) / parts);
}

void pagesOf(Sheet& sheet, const engine::Diagnosis& d) {
  const Colors& c = colorsFor(Scheme::light);
  sheet.text(text(d.name), 15, c.text, QFont::DemiBold);
  sheet.text(QString("%1 · %2 · window %3 · seed %4 · recipe %5").arg(text(d.model), text(d.checkpoint)).arg(d.window).arg(d.seed).arg(text(d.recipe_hash)), 9, c.secondary);
  if (d.verdict) sheet.text(text(d.verdict->headline + ". " + d.verdict->paragraph), 11, c.text);
  if (!d.no_mass.empty()) sheet.text(text(d.no_mass), 9, c.secondary);
  table(sheet, "Exposure", exposureColumns(), exposureRows(d));
  for (const auto& p : d.distance)
    if (!p.bins.empty()) table(sheet, "By look-back distance: " + text(p.name), binColumns(p), binRows(p));
  for (const auto& p : d.length)
    if (!p.bins.empty()) table(sheet, "By prompt length: " + text(p.name), binColumns(p), binRows(p));
  for (const HeadMeasure& measure : headMeasures()) heat(sheet, "Heads: " + measure.title, headMatrix(d, measure));
  heat(sheet, "Rise of the loss without a head's linear attention", knockoutMatrix(d, "linear"));
  table(sheet, "Knock-outs by damage", knockoutColumns(), knockoutRows(d), k_most_rows);
  if (d.features) table(sheet, "Denominators", denominatorColumns(), denominatorRows(*d.features));
  table(sheet, "What if", whatIfColumns(), whatIfRows(d.what_if), k_most_rows);
  if (!d.continuations.empty()) heading(sheet, "One prompt, gone on with");
  for (const auto& one : d.continuations) sheet.text(text(one.component + ": " + one.text).simplified(), 9, c.text);
  for (const auto& note : d.notes) sheet.text(text(note), 8, c.secondary);
}

}  // namespace

void writePdfDiagnosis(const std::vector<engine::Diagnosis>& all, const QString& file) {
  writePdf(file, "Equipoise diagnosis", [&](Sheet& sheet) {
    const Colors& c = colorsFor(Scheme::light);
    sheet.text("Diagnosis: where linear attention works", 18, c.text, QFont::DemiBold);
    sheet.text("95 % intervals over examples of one seed (paired bootstrap for differences, clusters are documents); p values are McNemar's, corrected by Holm.", 9,
               c.secondary);
    sheet.space(8);
    if (all.size() > 1) table(sheet, "Side by side", besideColumns(), besideRows(all));
    for (const auto& d : all) {
      if (all.size() > 1) sheet.newPage();
      pagesOf(sheet, d);
    }
  });
}

}  // namespace ui
