#pragma once
/// Several diagnoses side by side: their verdicts, one measure of every head on one colour scale, and their figures in a
/// table. The first is the one that the page shows.

#include <QWidget>
#include <vector>

#include "engine/diagnose.h"

class QComboBox;
class QHBoxLayout;
class QPushButton;

namespace ui {

class CheckpointPicker;
class CopyTable;
class EngineBridge;
class MatrixView;

class BesideView : public QWidget {
  Q_OBJECT

 public:
  explicit BesideView(EngineBridge* bridge, QWidget* parent = nullptr);
  void setDiagnoses(std::vector<engine::Diagnosis> all);
  void setAddingBlocked(const QString& reason);  ///< empty: a checkpoint can be added
  CheckpointPicker* picker() const { return picker_; }
  QPushButton* add() const { return add_; }
  CopyTable* table() const { return table_; }
  const std::vector<MatrixView*>& matrices() const { return matrices_; }

 Q_SIGNALS:
  void addWanted();
  void removeWanted(int index);  ///< of the list; never the first

 private:
  QWidget* columnOf(int index);
  void rebuild();
  void showMeasure();
  std::vector<engine::Diagnosis> all_;
  CheckpointPicker* picker_;
  QPushButton* add_;
  QComboBox* measure_;
  QHBoxLayout* columns_;
  std::vector<MatrixView*> matrices_;
  CopyTable* table_;
};

}  // namespace ui
