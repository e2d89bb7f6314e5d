#pragma once
/// Chosen runs side by side: grouped bars, overlaid curves or accuracy against linear use above;
/// beneath, the ablation table by components or by tasks, or paired tests; on the right, what
/// differs in their recipes. Seeds of one setting can be taken together, and rows that the paper
/// prints be shown beside one's own.

#include <QSet>
#include <QWidget>

#include "ui/engine_bridge.h"
#include "ui/models/ablation_model.h"
#include "ui/models/comparison.h"
#include "ui/models/rows_model.h"
#include "ui/models/smoothing.h"
#include "ui/models/x_axis.h"
#include "ui/plots/bar_plot.h"
#include "ui/theme.h"

class QButtonGroup;
class QComboBox;
class QHBoxLayout;
class QLabel;
class QMenu;
class QStackedWidget;
class QTableView;
class QToolButton;

namespace ui {

class CurvePlot;
class DerivedSeriesList;
class ScatterPlot;
class SmoothingBox;

class ComparePage : public QWidget {
  Q_OBJECT

 public:
  enum View { Bars, Curves, Scatter };
  enum Lower { Components, Tasks, Paired };

  explicit ComparePage(EngineBridge* bridge, QWidget* parent = nullptr);
  /// Runs that stay keep their order; new ones come last.
  void setRuns(const std::vector<engine::RunId>& runs);
  const std::vector<engine::RunId>& runs() const { return runs_; }
  void moveRun(engine::RunId run, int by);  ///< the first run is what paired tests are against
  AblationModel* table() const { return table_; }
  RowsModel* paired() const { return paired_; }
  DifferenceModel* differences() const { return differences_; }
  BarPlot* bars() const { return bars_; }
  ScatterPlot* scatter() const { return scatter_; }
  QMenu* paperMenu() const { return paper_menu_; }
  QStringList shownPaper() const { return paper_; }
  void showPaper(const QStringList& ids);  ///< ids of PaperBlock
  void showView(View view);
  void showLower(Lower what);
  void groupBy(const Grouping& grouping);
  Grouping grouping() const;
  void copyTable(AblationModel::Format format);
  QString tableText(AblationModel::Format format) const;  ///< of the table that is shown
  void exportFigure();
  void setDerived(DerivedSeriesList* series);  ///< not owned
  void setSmoothing(Smoothing* smoothing);     ///< not owned
  void editFormulas();
  void showCurvesOf(const QString& title);  ///< an entry of the box beside the views
  void showBeneath(const QString& title);   ///< the same in a second plot over the same axis; empty: none
  QString beneath() const;
  XAxis xAxis() const;
  void setXAxis(XAxis axis);
  CurvePlot* curves() const { return curves_; }
  CurvePlot* curvesBeneath() const { return beneath_plot_; }
  QString missingText() const;  ///< runs that lack what the curves show; empty: none does
  bool exportFigureTo(const QString& file);

 Q_SIGNALS:
  void removed(qint64 run);
  void notice(const QString& sentence, bool error);
  void composeWanted();
  void reportWanted();
  void gridWanted();

 protected:
  void changeEvent(QEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  QWidget* buildHeader();
  QWidget* buildView();
  QWidget* buildTable();
  QWidget* buildDifferences();
  void buildPaperMenu();
  void refresh();
  void refreshTasks();
  void refreshGroups();
  void fillGrouping();
  void refreshChips(const std::vector<const RunData*>& chosen_runs);
  void fillLegend(const std::vector<BarSeries>& series);
  void refreshBars();
  void refreshCurves();
  /// What one of the curve plots is being filled with.
  struct Filling {
    CurvePlot* plot;
    QStringList kept{};               ///< ids of its curves
    std::vector<BarSeries>& legend;   ///< of both plots
    QStringList& lacking;             ///< rows that have not what is drawn
    double smoothing = 0;
  };
  static std::optional<Smoothing::Kind> kindOf(const QString& key);
  void fillCurves(Filling& to, const QString& key);
  void fillComponentCurves(Filling& to, const std::string& wanted);
  void fillFormulaCurves(Filling& to, const SeriesFormula& formula, const QString& name, const QString& unit);
  static void putCurve(Filling& to, const QString& id, const QString& label,
                       const std::function<SeriesStyle(Scheme)>& style, const ComparedRow* row,
                       std::vector<CurvePoint> points, const CurveRange& range);
  QWidget* buildCurves();
  void redrawCurves();
  void alignCurves();
  void fitCurves();
  StepMap over(const ComparedRow& row);
  void showAxis();
  void addCurveChoices(QStringList& titles, QStringList& keys) const;
  void refreshScatter();
  void refreshPaired(const std::vector<const RunData*>& chosen_runs);
  void refreshDifferences(const std::vector<const RunData*>& chosen_runs);
  void showDifferences(const std::vector<const RunData*>& chosen_runs);
  std::vector<const RunData*> chosen();
  QStringList labels(const std::vector<const RunData*>& chosen_runs) const;
  std::string task() const;
  std::vector<ComparedRow> printed() const;

  EngineBridge* bridge_;
  DerivedSeriesList* derived_ = nullptr;
  Smoothing* smoothing_ = nullptr;
  /// The runs and labels whose differences are shown.
  std::pair<std::vector<engine::RunId>, QStringList> differences_of_;
  std::vector<engine::RunId> runs_;
  std::vector<ComparedRow> rows_;  ///< of the chosen runs, as they are shown
  QStringList paper_;
  AblationModel* table_;
  RowsModel* paired_;
  DifferenceModel* differences_;
  QStackedWidget* stack_ = nullptr;
  QHBoxLayout* chips_ = nullptr;
  QMenu* paper_menu_ = nullptr;
  QComboBox* tasks_ = nullptr;
  QComboBox* group_ = nullptr;
  QComboBox* x_ = nullptr;
  QToolButton* formula_ = nullptr;
  QLabel* missing_ = nullptr;
  QComboBox* by_ = nullptr;
  QComboBox* spread_ = nullptr;
  QButtonGroup* views_ = nullptr;
  QButtonGroup* lowers_ = nullptr;
  QStackedWidget* view_ = nullptr;
  QHBoxLayout* legend_ = nullptr;
  BarPlot* bars_ = nullptr;
  CurvePlot* curves_ = nullptr;
  CurvePlot* beneath_plot_ = nullptr;
  QComboBox* beneath_ = nullptr;
  SmoothingBox* smooth_ = nullptr;
  ScatterPlot* scatter_ = nullptr;
  QStackedWidget* tables_ = nullptr;
  QTableView* table_view_ = nullptr;
  QTableView* paired_view_ = nullptr;
  QLabel* table_note_ = nullptr;
  QTableView* difference_view_ = nullptr;
  QLabel* same_ = nullptr;
};

}  // namespace ui
