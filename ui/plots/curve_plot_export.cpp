#include <QFileDialog>

#include "ui/plots/curve_plot_impl.h"
#include "ui/plots/plot_parts.h"

namespace ui {

QString CurvePlot::csv() const {
  QString text = "curve,step,value,half_width_95\n";
  for (const QString& id : impl_->order)
    for (const CurvePoint& p : impl_->curves.at(id).points)
      text += QString("%1,%2,%3,%4\n")
                  .arg(id, QString::number(p.x, 'g', 17), QString::number(p.y, 'g', 17),
                       QString::number(p.err, 'g', 17));
  return text;
}

QString CurvePlot::readOut(double x) const {
  QStringList parts;
  for (const QString& id : impl_->order) {
    const Curve& curve = impl_->curves.at(id);
    const CurvePoint* p = curve.shown ? nearest(curve.points, x) : nullptr;
    if (p)
      parts << QString("%1 %2").arg(curve.spec.label,
                                    exactNumber(p->y * impl_->factor, impl_->decimals));
  }
  return parts.join(" · ");
}

bool CurvePlot::exportTo(const QString& file) const {
  return exportPlot(impl_->plot, file, objectName(), colorsOf(this).panel, csv());
}

QPicture CurvePlot::picture(QSize size) {
  if (!isVisible()) impl_->plot->resize(size);
  refresh();
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
