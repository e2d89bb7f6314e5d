#pragma once
/// A run of the store and one of its checkpoints that are still there; the embedded model too, which has none.

#include <QWidget>
#include <optional>
#include <string>

class QComboBox;

namespace ui {

class EngineBridge;

class CheckpointPicker : public QWidget {
  Q_OBJECT

 public:
  /// `purpose` completes the names: "Run to diagnose".
  CheckpointPicker(EngineBridge* bridge, const QString& purpose, QWidget* parent = nullptr);
  qint64 run() const;             ///< 0: the embedded model at the conversion's start
  std::string checkpoint() const;  ///< its folder; empty: there is none
  std::optional<qint64> step() const;  ///< of the checkpoint; nothing where there is none
  QString label() const;          ///< "ssd-32, step 84"
  void setRun(qint64 id);
  QComboBox* runs() const { return runs_; }
  QComboBox* checkpoints() const { return checkpoints_; }

 Q_SIGNALS:
  void changed();  ///< another run or checkpoint is chosen

 private:
  void fillRuns();
  void fillCheckpoints();
  EngineBridge* bridge_;
  QComboBox* runs_;
  QComboBox* checkpoints_;
};

}  // namespace ui
