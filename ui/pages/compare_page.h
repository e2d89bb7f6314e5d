#pragma once
/// Chosen runs side by side: grouped bars or overlaid curves above, the component ablation table
/// beneath, what differs in their recipes on the right.

#include <QWidget>

#include "ui/engine_bridge.h"
#include "ui/models/ablation_model.h"

class QButtonGroup;
class QComboBox;
class QHBoxLayout;
class QLabel;
class QStackedWidget;
class QTableView;

namespace ui {

class BarPlot;
struct BarSeries;
class CurvePlot;

class ComparePage : public QWidget {
  Q_OBJECT

 public:
  explicit ComparePage(EngineBridge* bridge, QWidget* parent = nullptr);
  void setRuns(const std::vector<engine::RunId>& runs);
  const std::vector<engine::RunId>& runs() const { return runs_; }
  AblationModel* table() const { return table_; }
  DifferenceModel* differences() const { return differences_; }
  BarPlot* bars() const { return bars_; }
  void copyTable(AblationModel::Format format);
  void exportFigure();

 Q_SIGNALS:
  void removed(qint64 run);
  void notice(const QString& sentence, bool error);
  void composeWanted();

 protected:
  void changeEvent(QEvent* event) override;

 private:
  QWidget* buildView();
  QWidget* buildTable();
  QWidget* buildDifferences();
  void refresh();
  void refreshChips(const std::vector<const RunData*>& chosen_runs);
  void fillLegend(const std::vector<BarSeries>& series);
  void refreshBars(const std::vector<const RunData*>& chosen_runs);
  void refreshCurves(const std::vector<const RunData*>& chosen_runs);
  std::vector<const RunData*> chosen();
  QStringList labels(const std::vector<const RunData*>& chosen_runs) const;
  std::string task() const;

  EngineBridge* bridge_;
  std::vector<engine::RunId> runs_;
  AblationModel* table_;
  DifferenceModel* differences_;
  QStackedWidget* stack_ = nullptr;
  QHBoxLayout* chips_ = nullptr;
  QComboBox* tasks_ = nullptr;
  QComboBox* group_ = nullptr;
  QButtonGroup* views_ = nullptr;
  QStackedWidget* view_ = nullptr;
  QHBoxLayout* legend_ = nullptr;
  BarPlot* bars_ = nullptr;
  CurvePlot* curves_ = nullptr;
  QTableView* table_view_ = nullptr;
  QTableView* difference_view_ = nullptr;
  QLabel* same_ = nullptr;
};

}  // namespace ui
