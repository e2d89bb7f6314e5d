#pragma once
/// The run's checks of itself as three small chips: the conversion starts where the teacher is,
/// decoding agrees with the whole sequence, a batch agrees with its rows.

#include <QWidget>

#include "ui/models/run_data.h"

class QHBoxLayout;

namespace ui {

class GateLine : public QWidget {
  Q_OBJECT

 public:
  explicit GateLine(QWidget* parent = nullptr);
  void show(const RunData& run);  ///< hidden where the run has none
  QStringList texts() const;      ///< of the chips that are shown

 private:
  QHBoxLayout* row_;
  QStringList shown_;
};

}  // namespace ui
