#include "ui/forms/smoothing_box.h"

#include <QSignalBlocker>

namespace ui {

SmoothingBox::SmoothingBox(const QString& curves, QWidget* parent) : QDoubleSpinBox(parent) {
  setRange(0, Smoothing::k_most);
  setSingleStep(0.05);
  setDecimals(2);
  setPrefix("smooth ");
  setKeyboardTracking(false);
  setAccessibleName("Smoothing of the " + curves);
  setToolTip(
      "Exponential moving average, 0 to 0.99: what a point keeps of the mean of those before it, the start corrected. "
      "The measured curve stays behind it in pale; read-outs and files have what was measured. 0: not smoothed.");
  setWhatsThis(toolTip());
  connect(this, &QDoubleSpinBox::valueChanged, this, [this](double weight) {
    if (smoothing_ && kind_) smoothing_->set(*kind_, weight);
  });
}

void SmoothingBox::follow(Smoothing* smoothing) {
  smoothing_ = smoothing;
  connect(smoothing, &Smoothing::changed, this, &SmoothingBox::sync);
  sync();
}

void SmoothingBox::setKind(std::optional<Smoothing::Kind> kind) {
  kind_ = kind;
  sync();
}

void SmoothingBox::sync() {
  const QSignalBlocker quiet(this);
  setEnabled(kind_.has_value());
  setValue(smoothing_ && kind_ ? smoothing_->of(*kind_) : 0);
}

}  // namespace ui
