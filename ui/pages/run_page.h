#pragma once
/// One run, live: accuracy of each component, loss, the schedule beneath, and what it all says
/// about the linear half.

#include <QWidget>
#include <map>

#include "ui/engine_bridge.h"

class QComboBox;
class QLabel;
class QProgressBar;
class QPushButton;
class QStackedWidget;

namespace ui {

class CurvePlot;
class DeltaPanel;
class HeatMap;
class ScheduleStrip;

class RunPage : public QWidget {
  Q_OBJECT

 public:
  explicit RunPage(EngineBridge* bridge, QWidget* parent = nullptr);
  void setRun(engine::RunId id);
  engine::RunId run() const { return run_; }
  CurvePlot* accuracyPlot() const { return accuracy_; }
  CurvePlot* lossPlot() const { return loss_; }
  DeltaPanel* deltaPanel() const { return delta_; }
  void stopRun();
  void resumeRun();
  void exportAccuracy();

 Q_SIGNALS:
  void compareWanted(qint64 id);
  void composeWanted();
  void cloneWanted(qint64 id);

 private:
  QWidget* buildPlots();
  QWidget* buildSide();
  QWidget* buildHeader();
  void refresh();
  void refreshCurves(const RunData& shown);
  void refreshLoss(const RunData& shown);
  void refreshHeat(const RunData& shown);
  void refreshProgress(const RunData& shown);
  void refreshSegments(const RunData& shown);
  void syncStrip();
  std::string task() const;

  EngineBridge* bridge_;
  engine::RunId run_ = 0;
  std::map<QString, std::size_t> taken_;  ///< points of each curve already in its plot
  QStackedWidget* stack_ = nullptr;
  QLabel* title_ = nullptr;
  QLabel* subtitle_ = nullptr;
  QComboBox* tasks_ = nullptr;
  QComboBox* series_ = nullptr;
  CurvePlot* accuracy_ = nullptr;
  CurvePlot* loss_ = nullptr;
  ScheduleStrip* strip_ = nullptr;
  DeltaPanel* delta_ = nullptr;
  HeatMap* share_ = nullptr;
  QProgressBar* bar_ = nullptr;
  QLabel* phase_ = nullptr;
  QLabel* rate_ = nullptr;
  QPushButton* stop_ = nullptr;
  QPushButton* resume_ = nullptr;
  QPushButton* compare_ = nullptr;
};

}  // namespace ui
