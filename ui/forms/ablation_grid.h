#pragma once
/// The ablation grid: components × tasks × checkpoints, evaluated beside the window and shown as the paper's table. Every
/// checkpoint's scores are kept beside it: a grid that is cancelled goes on where it was, and a wider one evaluates what is new.

#include <QDialog>
#include <vector>

#include "engine/kept_scores.h"
#include "ui/background.h"
#include "ui/models/ablation_model.h"

class QLabel;
class QLineEdit;
class QListWidget;
class QPushButton;
class QSpinBox;

namespace ui {

class EngineBridge;
class JobLine;

class AblationGrid : public QDialog {
  Q_OBJECT

 public:
  /// `runs`: whose checkpoints are offered, the newest of each chosen. Deletes itself when it is closed; what is being
  /// evaluated is cancelled then.
  AblationGrid(EngineBridge* bridge, engine::EvaluateSubject evaluate, std::filesystem::path cache,
               const std::vector<engine::RunId>& runs, QWidget* parent = nullptr);
  void start();
  void cancel();
  void setBlocked(const QString& reason);  ///< why evaluating must wait; empty: it need not
  bool busy() const { return job_->busy(); }
  QListWidget* checkpoints() const { return checkpoints_; }
  QListWidget* components() const { return components_; }
  QLineEdit* tasks() const { return tasks_; }
  QSpinBox* limit() const { return limit_; }
  QPushButton* startButton() const { return start_; }
  AblationModel* table() const { return table_; }
  QString planText() const;  ///< what is chosen, and how much of it is known

 Q_SIGNALS:
  void notice(const QString& sentence, bool error);
  void busyChanged();

 private:
  struct Cell {
    QString name;
    std::int64_t step = 0;
    engine::Subject subject;
  };
  QWidget* buildChoice();
  QWidget* buildTable();
  void fillCheckpoints(const std::vector<engine::RunId>& runs);
  std::vector<Cell> chosen() const;
  void next();
  void addRow(const Cell& cell, const engine::Evaluated& found);
  void sync();
  void copy(AblationModel::Format format);

  EngineBridge* bridge_;
  engine::EvaluateSubject evaluate_;
  std::filesystem::path cache_;  ///< for tokenised text
  Background* job_;
  std::vector<Cell> left_;          ///< to be evaluated, the next one last
  std::vector<ComparedRow> rows_;   ///< as they were found
  std::size_t asked_ = 0;
  QString blocked_;
  QListWidget* checkpoints_ = nullptr;
  QListWidget* components_ = nullptr;
  QLineEdit* tasks_ = nullptr;
  QSpinBox* limit_ = nullptr;
  QPushButton* start_ = nullptr;
  QPushButton* copy_ = nullptr;
  QLabel* plan_ = nullptr;
  JobLine* line_ = nullptr;
  AblationModel* table_ = nullptr;
};

}  // namespace ui
