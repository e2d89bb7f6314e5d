#pragma once
/// One run, live: accuracy of each component, loss, the schedule beneath, and what it all says
/// about the linear half.

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>
#include <map>

#include "ui/engine_bridge.h"
#include "ui/models/layer_series.h"
#include "ui/models/smoothing.h"
#include "ui/models/x_axis.h"

class QComboBox;
class QLabel;
class QMenu;
class QProgressBar;
class QPushButton;
class QStackedWidget;

namespace ui {

class CurvePlot;
class DerivedSeriesList;
class DeltaPanel;
class GateLine;
class HeatMap;
class ScheduleStrip;
class SmoothingBox;

class RunPage : public QWidget {
  Q_OBJECT

 public:
  explicit RunPage(EngineBridge* bridge, QWidget* parent = nullptr);
  void setRun(engine::RunId id);
  engine::RunId run() const { return run_; }
  CurvePlot* accuracyPlot() const { return accuracy_; }
  CurvePlot* lossPlot() const { return loss_; }
  DeltaPanel* deltaPanel() const { return delta_; }
  HeatMap* heatMap() const { return share_; }
  GateLine* gates() const { return gates_; }
  QStringList heatChoices() const;
  void chooseHeat(const QString& title);
  void stopRun();
  void resumeRun();
  void pauseRun();  ///< or goes on, where it is paused
  void keepCheckpoint();
  void editNotes();
  void noteAt(std::int64_t step, const QString& text);  ///< drawn on the curves; empty: taken away
  void exportAccuracy();
  void setDerived(DerivedSeriesList* series);  ///< not owned
  void setSmoothing(Smoothing* smoothing);     ///< not owned
  void editFormulas();
  void showSeries(const QString& name);  ///< of the lower plot, by the title in its box
  XAxis xAxis() const;
  void setXAxis(XAxis axis);

 Q_SIGNALS:
  void compareWanted(qint64 id);
  void composeWanted();
  void cloneWanted(qint64 id);
  void forkWanted(qint64 id, qint64 step, qint64 stage, bool stage_done);
  void reportWanted(qint64 id);

 private:
  QWidget* buildPlots();
  QWidget* buildSide();
  QWidget* buildHeader();
  void refresh();
  void refreshCurves(const RunData& shown);
  void refreshLoss(const RunData& shown);
  void drawHeat();
  void refreshHeat(const RunData& shown);
  void refreshSeries(const RunData& shown);
  void refreshFormula(const RunData& shown, const QString& name);
  double weight(std::optional<Smoothing::Kind> kind) const;
  void redraw();
  void showAxis();
  void refreshMarks(const RunData& shown);
  void askNote(double x);
  std::optional<double> fullX(const RunData& shown) const;
  void fillFormulas();
  void refreshButtons(const RunData& shown);
  QString costText(const RunData& shown);
  void fillForkMenu();
  void buildMore();
  void refreshProgress(const RunData& shown);
  void refreshSegments(const RunData& shown);
  void syncStrip();
  std::string task() const;

  EngineBridge* bridge_;
  engine::RunId run_ = 0;
  DerivedSeriesList* derived_ = nullptr;
  Smoothing* smoothing_ = nullptr;
  StepMap over_;                          ///< from steps to the axis shown
  std::map<QString, std::size_t> taken_;  ///< points of each curve already in its plot
  QStackedWidget* stack_ = nullptr;
  QLabel* title_ = nullptr;
  QLabel* subtitle_ = nullptr;
  QComboBox* tasks_ = nullptr;
  QComboBox* series_ = nullptr;
  QComboBox* x_ = nullptr;
  QLabel* series_note_ = nullptr;
  SmoothingBox* smooth_accuracy_ = nullptr;
  SmoothingBox* smooth_loss_ = nullptr;
  CurvePlot* accuracy_ = nullptr;
  CurvePlot* loss_ = nullptr;
  ScheduleStrip* strip_ = nullptr;
  DeltaPanel* delta_ = nullptr;
  HeatMap* share_ = nullptr;
  QProgressBar* bar_ = nullptr;
  QLabel* phase_ = nullptr;
  QLabel* rate_ = nullptr;
  GateLine* gates_ = nullptr;
  QLabel* notes_ = nullptr;
  QComboBox* heat_ = nullptr;
  std::vector<LayerFamily> families_;
  bool heat_chosen_ = false;  ///< by the person: new kinds of pictures do not change it
  QElapsedTimer since_heat_;
  QTimer heat_due_;  ///< of the next picture of layers while the run is at work
  QMenu* more_menu_ = nullptr;
  QMenu* fork_menu_ = nullptr;
  QAction* keep_ = nullptr;
  QPushButton* more_ = nullptr;
  QPushButton* pause_ = nullptr;
  QPushButton* stop_ = nullptr;
  QPushButton* resume_ = nullptr;
  QPushButton* compare_ = nullptr;
};

}  // namespace ui
