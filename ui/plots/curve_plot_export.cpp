#include <QFileDialog>
#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>

#include "ui/plots/curve_plot_impl.h"
#include "ui/plots/plot_parts.h"

namespace ui {

namespace {

/// A field of a CSV line.
std::string csvField(QString text) {
  if (text.contains(',') || text.contains('"')) text = '"' + text.replace("\"", "\"\"") + '"';
  return text.toStdString();
}

/// The shortest decimal that reads back to the same bits.
void addNumber(std::string& text, double value) {
  char digits[32];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
  text.append(digits, end);
}

}  // namespace

QString CurvePlot::csv() const {
  const bool other = std::any_of(impl_->curves.begin(), impl_->curves.end(),
                                 [](const auto& c) { return !c.second.spec.spread.isEmpty(); });
  std::string text = "curve," + impl_->x_axis.word.toStdString() + ",value," +
                     (other ? "spread,spread_is\n" : "half_width_95\n");
  for (const QString& id : impl_->order) {
    const std::string name = csvField(id);
    const QString& spread = impl_->curves.at(id).spec.spread;
    const std::string end = !other ? "\n" : "," + csvField(spread.isEmpty() ? "95 % interval" : spread) + "\n";
    for (const CurvePoint& p : impl_->curves.at(id).points()) {
      text += name;
      for (double value : {p.x, p.y, p.err}) addNumber(text += ',', value);
      text += end;
    }
  }
  return QString::fromStdString(text);
}

QString CurvePlot::readOut(double x) const {
  QStringList parts;
  for (const QString& id : impl_->order) {
    const Curve& curve = impl_->curves.at(id);
    const CurvePoint* p = curve.shown && !curve.spec.edge ? nearest(curve.points(), x) : nullptr;
    if (p)
      parts << QString("%1 %2").arg(curve.spec.label,
                                    exactNumber(p->y * impl_->factor, impl_->decimals));
  }
  return parts.join(" · ");
}

void CurvePlot::drawInFull() {
  impl_->settled.stop();
  refresh();
}

bool CurvePlot::exportTo(const QString& file) {
  const bool table = file.endsWith(".csv", Qt::CaseInsensitive);
  if (!table) drawInFull();
  return exportPlot(impl_->plot, file, objectName(), colorsOf(this).panel,
                    table ? csv() : QString());
}

QPicture CurvePlot::picture(QSize size) {
  if (!isVisible()) impl_->plot->resize(size);
  drawInFull();
  return plotPicture(impl_->plot, impl_->plot->size());
}

void CurvePlot::showExportDialog() {
  auto* dialog = new QFileDialog(
      this, "Export " + objectName(), objectName().simplified().replace(' ', '-') + ".svg",
      "SVG figure (*.svg);;PDF figure (*.pdf);;PNG figure (*.png);;Every point as CSV (*.csv)");
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) {
    dialog->setDefaultSuffix(filter.section("*.", 1, 1).section(')', 0, 0));
  });
  dialog->setDefaultSuffix("svg");
  connect(dialog, &QFileDialog::fileSelected, this,
          [this](const QString& file) { exportTo(file); });
  dialog->open();
}

}  // namespace ui
