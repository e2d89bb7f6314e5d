#include "ui/plots/still_plot.h"

#include <QHelpEvent>
#include <QLabel>
#include <QToolTip>
#include <QVBoxLayout>

#include "ui/plots/plot_parts.h"

namespace ui {

StillPlot::StillPlot(const QString& name, QWidget* parent)
    : QWidget(parent), plot_(newPlot(this, name)), placeholder_(new QLabel(plot_)) {
  setObjectName(name);
  setAccessibleName(name);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(plot_);
  placeholder_->setProperty("role", "secondary");
  placeholder_->setAlignment(Qt::AlignCenter);
  placeholder_->setWordWrap(true);
  connect(plot_, &QCustomPlot::afterLayout, this, [this] { placeTexts(); });
}

StillPlot::~StillPlot() { disconnect(plot_, nullptr, this, nullptr); }

void StillPlot::setPlaceholder(const QString& text) {
  placeholder_->setText(text);
  rebuild();
}

void StillPlot::finish(bool empty) {
  placeholder_->setVisible(empty && !placeholder_->text().isEmpty());
  placeholder_->setGeometry(plot_->rect().adjusted(60, 8, -24, -8));
  plot_->replot(QCustomPlot::rpQueuedReplot);
}

bool StillPlot::exportTo(const QString& file) const {
  return exportPlot(plot_, file, objectName(), colorsOf(this).panel, csv());
}

void StillPlot::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (changesLook(event)) rebuild();
}

void StillPlot::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  rebuild();
}

bool StillPlot::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::eventFilter(watched, event);
  auto* help = static_cast<QHelpEvent*>(event);
  const QString tip = tipAt(help->pos());
  if (tip.isEmpty())
    QToolTip::hideText();
  else
    QToolTip::showText(help->globalPos(), tip, this);
  return true;
}

}  // namespace ui
