#pragma once
/// The smoothing of the curves beside it.

#include <QDoubleSpinBox>
#include <optional>

#include "ui/models/smoothing.h"

namespace ui {

class SmoothingBox : public QDoubleSpinBox {
  Q_OBJECT

 public:
  explicit SmoothingBox(const QString& curves, QWidget* parent = nullptr);  ///< for the accessible name
  void follow(Smoothing* smoothing);  ///< not owned
  /// Of the curves shown; nothing: they are never smoothed.
  void setKind(std::optional<Smoothing::Kind> kind);

 private:
  void sync();
  Smoothing* smoothing_ = nullptr;
  std::optional<Smoothing::Kind> kind_;
};

}  // namespace ui
