#pragma once
/// Time and memory of attention against length, measured on this machine: hybrid, the window alone and softmax, where they
/// cross, and the paper's Table 6 beside it. The last measurement is kept and shown again at the next start.

#include <QWidget>
#include <filesystem>
#include <optional>

#include "ui/background.h"
#include "ui/models/efficiency.h"

class QButtonGroup;
class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;
class QStackedWidget;

namespace ui {

class CopyTable;
class JobLine;
class LogPlot;

class EfficiencyPage : public QWidget {
  Q_OBJECT

 public:
  /// `measure` empty: this build measures nothing. `cache`: the folder where a measurement is kept.
  EfficiencyPage(engine::MeasureAttention measure, std::filesystem::path cache, QWidget* parent = nullptr);
  void start();
  void cancel() { job_->cancel(); }
  bool busy() const { return job_->busy(); }
  void setBlocked(const QString& reason);  ///< why measuring must wait; empty: it need not
  void showQuantity(int index);            ///< of quantities()
  const std::optional<Efficiency>& shown() const { return shown_; }
  QString verdictText() const;
  QLineEdit* lengths() const { return lengths_; }
  QPushButton* startButton() const { return start_; }
  CopyTable* table() const { return table_; }
  CopyTable* paperTable() const { return paper_; }
  LogPlot* plot() const { return plot_; }
  /// By suffix: png, svg, pdf (the plot), csv (the plot's points), json. False: `notice` says why.
  bool exportTo(const QString& file);

 Q_SIGNALS:
  void notice(const QString& sentence, bool error);
  void busyChanged();

 private:
  QWidget* buildHeader();
  QWidget* buildForm();
  QWidget* buildFound();
  QWidget* buildSide();
  /// Nothing: `problem` says which field is wrong.
  std::optional<Efficiency> asked(QString& problem) const;
  std::filesystem::path keptAt() const { return cache_ / "efficiency.json"; }
  void readKept();
  void keep() const;
  void show(Efficiency found);
  void refresh();
  void sync();
  void askExport();

  engine::MeasureAttention measure_;
  std::filesystem::path cache_;
  Background* job_;
  std::optional<Efficiency> shown_;
  QString blocked_;
  QLineEdit* lengths_ = nullptr;
  QComboBox* dtype_ = nullptr;
  QSpinBox* threads_ = nullptr;
  QSpinBox* heads_ = nullptr;
  QSpinBox* head_dim_ = nullptr;
  QSpinBox* columns_ = nullptr;
  QSpinBox* window_ = nullptr;
  QSpinBox* repeats_ = nullptr;
  QPushButton* start_ = nullptr;
  QPushButton* export_ = nullptr;
  QButtonGroup* quantity_ = nullptr;
  QLabel* problem_ = nullptr;
  QLabel* verdict_ = nullptr;
  QLabel* origin_ = nullptr;
  JobLine* line_ = nullptr;
  LogPlot* plot_ = nullptr;
  CopyTable* table_ = nullptr;
  CopyTable* paper_ = nullptr;
  QStackedWidget* whole_ = nullptr;
};

}  // namespace ui
