#pragma once
/// The window: run list on the left, pages in the middle, log below, menus. The pages do the work.

#include <QMainWindow>
#include <QPointer>
#include <QSettings>
#include <QTimer>
#include <functional>
#include <memory>

#include "engine/bench.h"
#include "engine/diagnose.h"
#include "engine/inspect.h"
#include "engine/kept_scores.h"
#include "ui/engine_bridge.h"
#include "ui/theme.h"

class QLabel;
class QFrame;
class QListView;
class QMenu;
class QPushButton;
class QTabWidget;
class QUndoGroup;

namespace ui {

class ComparePage;
class ComposePage;
class AblationGrid;
class DataPage;
class DerivedSeriesList;
class DiagnosePage;
class EfficiencyPage;
class LogModel;
class ModelPage;
class QueuePanel;
class RunPage;
class RunPanel;
class Smoothing;
class TaskPage;
class WaitingLine;

/// Writes one HTML file about some runs. Throws InputError where it cannot.
using WriteReport = std::function<void(
    const engine::RunReader&, const std::vector<engine::RunInfo>&, const std::filesystem::path&)>;

/// What the pages need of the program beside the session.
struct Looking {
  engine::ScoreExample score{};   ///< empty: this build scores nothing
  std::filesystem::path cache{};  ///< for tokenised text; empty: beside the store
  WriteReport report{};           ///< empty: reports are PDF only
  engine::Diagnose diagnose{};    ///< empty: this build measures nothing
  engine::MeasureAttention bench{};  ///< empty: nor that
  engine::EvaluateSubject evaluate{};  ///< empty: nor that
};

class MainWindow : public QMainWindow {
  Q_OBJECT

 public:
  enum Page { Compose, Run, Compare, Model, Data, Task, Diagnose, Efficiency };

  MainWindow(std::unique_ptr<EngineBridge> bridge, std::unique_ptr<QSettings> settings,
             Looking looking = {});
  ~MainWindow() override;

  EngineBridge* bridge() const { return bridge_.get(); }
  ComposePage* composePage() const { return compose_; }
  RunPage* runPage() const { return run_; }
  ComparePage* comparePage() const { return compare_; }
  ModelPage* modelPage() const { return model_; }
  DataPage* dataPage() const { return data_; }
  TaskPage* taskPage() const { return task_; }
  DiagnosePage* diagnosePage() const { return diagnose_; }
  EfficiencyPage* efficiencyPage() const { return efficiency_; }
  RunPanel* runPanel() const { return runs_; }
  QueuePanel* queuePanel() const { return queue_panel_; }
  void showPage(Page page);
  Page page() const;
  void setScheme(Scheme scheme);
  /// Docks and size under a name, in the menu View, Layouts; an equal name is written over.
  void saveLayout(const QString& name);
  void useLayout(const QString& name);
  void setZoom(double zoom);
  void openPalette();
  void showLog(bool on);
  void showQueue(bool on);
  /// Opens the recipe of a run in Compose, to begin at one of its checkpoints.
  void forkRun(engine::RunId id, std::int64_t step, std::int64_t stage, bool stage_done);
  /// Components × tasks × checkpoints of the runs; nullptr: no run is chosen, which is said.
  AblationGrid* openGrid(const std::vector<engine::RunId>& runs);
  /// By suffix: one HTML or one PDF file. False: the banner says why.
  bool writeReport(const std::vector<engine::RunId>& runs, const QString& file);
  /// Non-modal bar above the pages; equal sentences are counted, not repeated.
  void notify(const QString& sentence, bool error);
  /// Pages as PNG files, light and dark.
  bool saveScreenshots(const QString& folder, const QString& suffix = {},
                       const std::vector<Page>& pages = {Compose, Run, Compare, Model, Data, Task});
  bool openPath(const QString& file);
  /// A store of another project, in a window of its own: one window, one store.
  bool openStore(const QString& file);
  /// Opens a folder or file on the Model, Data or Task page.
  void lookAt(Page page, const QString& source);

 protected:
  void closeEvent(QCloseEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  void buildDocks();
  void buildBanner();
  void buildMenus();
  QUndoGroup* buildUndo();
  void buildFileMenu();
  void buildRunMenu();
  void buildCompareMenu();
  void buildViewMenu();
  void refreshLayouts();
  void buildHelpMenu();
  void connectPages();
  void buildLookingPages(Looking looking);
  void browse(Page page);
  void askStore();
  void refreshStatus();
  void restyle();
  void say(const QString& sentence);  ///< in the status bar, for a while
  void restore();
  void remember();
  QString sessionKey(const QString& key) const;  ///< of this store
  void startAutosave();
  void saveUnfinished();
  void restoreUnfinished();
  void restoreSession();
  void rememberSession();
  void askReport(const std::vector<engine::RunId>& runs);
  void settleWaiting();
  void keepQueue();
  void showRun(engine::RunId id);
  void cloneRun(engine::RunId id);
  void refreshRecent();
  void addRecent(const QString& file);
  void askBeforeClosing();
  void showShortcuts();
  void showAbout();

  std::unique_ptr<QSettings> settings_;
  std::unique_ptr<EngineBridge> bridge_;
  Scheme scheme_ = Scheme::light;
  double zoom_ = 1;
  bool closing_ = false, close_when_idle_ = false;
  QTabWidget* tabs_ = nullptr;
  ComposePage* compose_ = nullptr;
  RunPage* run_ = nullptr;
  ComparePage* compare_ = nullptr;
  ModelPage* model_ = nullptr;
  DataPage* data_ = nullptr;
  TaskPage* task_ = nullptr;
  DiagnosePage* diagnose_ = nullptr;
  EfficiencyPage* efficiency_ = nullptr;
  RunPanel* runs_ = nullptr;
  QDockWidget* runs_dock_ = nullptr;
  QMenu* layouts_ = nullptr;
  QMenu* delete_layouts_ = nullptr;
  QDockWidget* log_dock_ = nullptr;
  QDockWidget* queue_dock_ = nullptr;
  QueuePanel* queue_panel_ = nullptr;
  WaitingLine* waiting_ = nullptr;
  std::vector<engine::RunId> kept_queue_;  ///< as the settings have it
  DerivedSeriesList* derived_ = nullptr;
  Smoothing* smoothing_ = nullptr;
  WriteReport report_;
  engine::EvaluateSubject evaluate_;
  std::filesystem::path cache_;
  QPointer<AblationGrid> grid_;
  QTimer autosave_;
  LogModel* log_ = nullptr;
  QFrame* banner_ = nullptr;
  QLabel* banner_text_ = nullptr;
  QString banner_sentence_;
  int banner_count_ = 0;
  QString said_;
  QLabel* status_ = nullptr;
  QPushButton* queue_ = nullptr;
  QMenu* recent_ = nullptr;
};

}  // namespace ui
