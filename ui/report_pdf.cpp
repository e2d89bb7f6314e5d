#include "ui/report_pdf.h"

#include "ui/models/ablation_model.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/verdict.h"
#include "ui/plots/curve_plot.h"
#include "ui/report_sheet.h"
#include "ui/theme.h"

namespace ui {
namespace {

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
  const Verdict v = judge(&run, "all", true);
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
    tasks.setRows(comparedRows({&run}, {QString::fromStdString(info.name)}),
                  AblationModel::Layout::tasks, "all");
    sheet.table(tasks);
  }
  sheet.text("Recipe, every key", 10, c.text, QFont::DemiBold);
  sheet.code(QString::fromStdString(info.recipe), 7, c.text);
}

}  // namespace

void writePdfReport(const std::vector<const RunData*>& runs, const QString& file) {
  writePdf(file, "Equipoise report", [&](Sheet& sheet) {
    const Colors& c = colorsFor(Scheme::light);
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
    table.setRows(comparedRows(runs, names), AblationModel::Layout::components, "all");
    sheet.table(table);
    for (const RunData* run : runs) runPages(sheet, *run, c);
  });
}

}  // namespace ui
