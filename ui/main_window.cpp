#include "ui/main_window.h"

#include <QApplication>
#include <QCloseEvent>
#include <QDockWidget>
#include <QLabel>
#include <QMenuBar>
#include <QMessageBox>
#include <QPushButton>
#include <QStatusBar>
#include <QTabBar>
#include <QTabWidget>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/forms/ablation_grid.h"
#include "ui/layout_guard.h"
#include "ui/log_panel.h"
#include "ui/models/log_model.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/compose_page.h"
#include "ui/pages/diagnose_page.h"
#include "ui/pages/run_page.h"
#include "ui/queue_panel.h"
#include "ui/resource_line.h"
#include "ui/run_panel.h"
#include "ui/waiting_line.h"

namespace ui {

MainWindow::MainWindow(std::unique_ptr<EngineBridge> bridge, std::unique_ptr<QSettings> settings,
                       Looking looking)
    : settings_(std::move(settings)), bridge_(std::move(bridge)), report_(looking.report) {
  setObjectName("main window");
  setWindowIcon(QIcon(":/icons/equipoise.svg"));
  setAcceptDrops(true);
  setMinimumSize(900, 600);
  resize(1280, 800);
  compose_ = new ComposePage(bridge_.get());
  run_ = new RunPage(bridge_.get());
  compare_ = new ComparePage(bridge_.get());
  derived_ = new DerivedSeriesList(this);
  run_->setDerived(derived_);
  compare_->setDerived(derived_);
  smoothing_ = new Smoothing(this);
  run_->setSmoothing(smoothing_);
  compare_->setSmoothing(smoothing_);
  tabs_ = new QTabWidget;
  tabs_->setDocumentMode(true);
  tabs_->tabBar()->setDrawBase(false);
  tabs_->tabBar()->setAccessibleName("Pages");
  tabs_->addTab(compose_, "Compose");
  tabs_->addTab(run_, "Run");
  tabs_->addTab(compare_, "Compare");
  buildLookingPages(std::move(looking));
  auto* centre = new QWidget;
  auto* column = new QVBoxLayout(centre);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  buildBanner();
  column->addWidget(banner_);
  waiting_ = new WaitingLine(bridge_.get());
  column->addWidget(waiting_);
  column->addWidget(tabs_, 1);
  setCentralWidget(centre);
  buildDocks();
  buildMenus();
  connectPages();
  status_ = new QLabel;
  status_->setProperty("role", "secondary");
  status_->setContentsMargins(8, 0, 8, 0);
  useFont(status_, TextRole::secondary);
  queue_ = new QPushButton;
  queue_->setProperty("role", "quiet");
  queue_->setCheckable(true);
  queue_->setToolTip("Show or hide the queue (Ctrl+Shift+Q)");
  useFont(queue_, TextRole::secondary);
  connect(queue_, &QPushButton::clicked, this, &MainWindow::showQueue);
  connect(queue_dock_, &QDockWidget::visibilityChanged, queue_, &QPushButton::setChecked);
  auto* log = new QPushButton(lineIcon("log"), " Log");
  log->setProperty("role", "quiet");
  useFont(log, TextRole::secondary);
  log->setCheckable(true);
  log->setToolTip("Show or hide the log (Ctrl+L)");
  log->setAccessibleName("Show the log");
  connect(log, &QPushButton::clicked, this, &MainWindow::showLog);
  connect(log_dock_, &QDockWidget::visibilityChanged, log, &QPushButton::setChecked);
  statusBar()->addWidget(log);
  statusBar()->addWidget(status_, 1);
  statusBar()->addPermanentWidget(new ResourceLine);
  statusBar()->addPermanentWidget(queue_);
  statusBar()->setSizeGripEnabled(false);
  restore();
  restoreSession();
  startAutosave();
  refreshStatus();
  if (bridge_->readOnly()) notify("Read-only: " + bridge_->readOnlyReason(), false);
}

MainWindow::~MainWindow() {
  // The pages, the grid and the run list use the bridge until their end.
  delete grid_.data();
  disconnect(compose_->document()->undoStack(), nullptr, this, nullptr);
  delete takeCentralWidget();
  delete runs_dock_;
  delete queue_dock_;
}

void MainWindow::buildBanner() {
  banner_ = new QFrame;
  banner_->setProperty("role", "banner");
  banner_text_ = new QLabel;
  banner_text_->setWordWrap(true);
  banner_text_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  auto* close = new QToolButton;
  close->setProperty("role", "flat");
  close->setIcon(lineIcon("close"));
  close->setToolTip("Dismiss");
  close->setAccessibleName("Dismiss the message");
  connect(close, &QToolButton::clicked, banner_, &QWidget::hide);
  auto* row = new QHBoxLayout(banner_);
  row->setContentsMargins(16, 4, 8, 4);
  row->addWidget(banner_text_, 1);
  row->addWidget(close);
  banner_->hide();
}

void MainWindow::buildDocks() {
  runs_ = new RunPanel(bridge_.get());
  runs_dock_ = new QDockWidget("Runs", this);
  runs_dock_->setObjectName("runs dock");
  runs_dock_->setFeatures(QDockWidget::DockWidgetMovable | QDockWidget::DockWidgetClosable);
  runs_dock_->setWidget(runs_);
  addDockWidget(Qt::LeftDockWidgetArea, runs_dock_);
  log_ = new LogModel(20000, this);
  log_dock_ = new QDockWidget("Log", this);
  log_dock_->setObjectName("log dock");
  log_dock_->setFeatures(QDockWidget::DockWidgetMovable | QDockWidget::DockWidgetClosable);
  log_dock_->setWidget(new LogPanel(log_));
  addDockWidget(Qt::BottomDockWidgetArea, log_dock_);
  log_dock_->hide();
  queue_panel_ = new QueuePanel(bridge_.get());
  queue_dock_ = new QDockWidget("Queue", this);
  queue_dock_->setObjectName("queue dock");
  queue_dock_->setFeatures(QDockWidget::DockWidgetMovable | QDockWidget::DockWidgetClosable);
  queue_dock_->setWidget(queue_panel_);
  addDockWidget(Qt::BottomDockWidgetArea, queue_dock_);
  queue_dock_->hide();
  setCorner(Qt::BottomLeftCorner, Qt::LeftDockWidgetArea);
  resizeDocks({runs_dock_}, {216}, Qt::Horizontal);
  resizeDocks({log_dock_, queue_dock_}, {160, 160}, Qt::Vertical);
}

void MainWindow::connectPages() {
  connect(compose_, &ComposePage::submitted, this, [this](qint64 id) {
    runs_->select(id);
    showRun(id);
  });
  connect(compose_, &ComposePage::notice, this, &MainWindow::notify);
  connect(compose_, &ComposePage::fileOpened, this, &MainWindow::addRecent);
  connect(compose_->document()->undoStack(), &QUndoStack::cleanChanged, this,
          [this] { refreshStatus(); });
  connect(compare_, &ComparePage::notice, this, &MainWindow::notify);
  connect(compare_, &ComparePage::composeWanted, this, [this] { showPage(Compose); });
  connect(compare_, &ComparePage::removed, this, [this](qint64 id) {
    auto left = runs_->model()->chosen();
    std::erase(left, id);
    runs_->model()->setChosen(left);
  });
  connect(run_, &RunPage::composeWanted, this, [this] { showPage(Compose); });
  connect(run_, &RunPage::cloneWanted, this, &MainWindow::cloneRun);
  connect(run_, &RunPage::forkWanted, this, &MainWindow::forkRun);
  connect(run_, &RunPage::reportWanted, this, [this](qint64 id) { askReport({id}); });
  connect(compare_, &ComparePage::gridWanted, this, [this] { openGrid(compare_->runs()); });
  connect(compare_, &ComparePage::reportWanted, this, [this] { askReport(compare_->runs()); });
  connect(bridge_.get(), &EngineBridge::queueChanged, this, &MainWindow::refreshStatus);
  connect(bridge_.get(), &EngineBridge::runUpdated, this, [this](qint64 id) {
    if (bridge_->current() == id) refreshStatus();
  });
  connect(bridge_.get(), &EngineBridge::checkpointKept, this,
          [this](qint64 id, qint64 step, const QString& kind) {
            if (kind == "asked")
              say(QString("checkpoint of run %1 kept at step %2").arg(id).arg(step));
          });
  connect(run_, &RunPage::compareWanted, this, [this](qint64 id) {
    auto chosen = runs_->model()->chosen();
    if (std::find(chosen.begin(), chosen.end(), id) == chosen.end()) chosen.push_back(id);
    runs_->model()->setChosen(chosen);
    showPage(Compare);
  });
  connect(runs_, &RunPanel::chosen, this, [this](qint64 id) {
    run_->setRun(id);
    diagnose_->setRun(id);
    if (page() == Compose) showPage(Run);
  });
  connect(runs_, &RunPanel::ticked, this, [this] { compare_->setRuns(runs_->model()->chosen()); });
  connect(bridge_.get(), &EngineBridge::failed, this,
          [this](const QString& text) { notify(text, true); });
  connect(bridge_.get(), &EngineBridge::runsChanged, this, &MainWindow::refreshStatus);
  connect(bridge_.get(), &EngineBridge::logArrived, log_, &LogModel::add);
  connect(bridge_.get(), &EngineBridge::runEnded, this, [this](qint64 id, const QString& message) {
    const engine::RunInfo* info = bridge_->run(id);
    if (!info) return;
    const bool failed = info->state == engine::RunState::failed;
    say(QString("%1: %2").arg(QString::fromStdString(info->name), message));
    if (failed)
      notify(QString("%1 failed: %2").arg(QString::fromStdString(info->name), message), true);
    QApplication::alert(this);
    if (close_when_idle_ && bridge_->idle()) close();
  });
  connect(bridge_.get(), &EngineBridge::sessionClosed, this, [this] { close(); });
}

void MainWindow::say(const QString& sentence) {
  said_ = sentence;
  refreshStatus();
  QTimer::singleShot(8000, this, [this, sentence] {
    if (said_ != sentence) return;
    said_.clear();
    refreshStatus();
  });
}

void MainWindow::refreshStatus() {
  const auto current = bridge_->current();
  const engine::RunInfo* info = current ? bridge_->run(*current) : nullptr;
  if (closing_)
    status_->setText("Stopping at a checkpoint…");
  else if (bridge_->readOnly())
    status_->setText("read-only");
  else if (info)
    status_->setText((bridge_->paused(*current) ? "engine paused at " : "engine running ") +
                     QString::fromStdString(info->name));
  else
    status_->setText(bridge_->idle() || bridge_->queueHeld() ? "engine idle" : "engine busy");
  if (!said_.isEmpty()) status_->setText(status_->text() + " · " + said_);
  queue_->setText(QString("queue %1%2 · %3 %4")
                      .arg(bridge_->queueLength())
                      .arg(bridge_->queueHeld() ? ", held" : "")
                      .arg(bridge_->runs().size())
                      .arg(bridge_->runs().size() == 1 ? "run" : "runs"));
  const QString store = QString::fromStdString(bridge_->store().filename().string());
  setWindowTitle(QString("%1%2 — Equipoise")
                     .arg(compose_->document()->undoStack()->isClean() ? "" : "*", store));
}

void MainWindow::showPage(Page page) { tabs_->setCurrentIndex(page); }
MainWindow::Page MainWindow::page() const { return Page(tabs_->currentIndex()); }

void MainWindow::showRun(engine::RunId id) {
  run_->setRun(id);
  showPage(Run);
}

void MainWindow::cloneRun(engine::RunId id) {
  const RunData* shown = bridge_->data(id);
  if (!shown) return;
  engine::Recipe recipe = shown->recipe;
  recipe.name = shown->info.name;
  compose_->openRecipe(recipe, QString("copy of %1").arg(QString::fromStdString(shown->info.name)));
  showPage(Compose);
}

void MainWindow::notify(const QString& sentence, bool error) {
  if (!error && !sentence.startsWith("Read-only")) {
    say(sentence);
    return;
  }
  banner_count_ = banner_->isVisible() && sentence == banner_sentence_ ? banner_count_ + 1 : 1;
  banner_sentence_ = sentence;
  banner_text_->setText(
      banner_count_ > 1 ? QString("%1 (%2 times)").arg(sentence).arg(banner_count_) : sentence);
  banner_->setProperty("level", error ? "error" : "note");
  repolish(banner_);
  banner_->show();
  log_->add(0, error ? 3 : 2, sentence);
}

void MainWindow::setScheme(Scheme scheme) {
  scheme_ = scheme;
  restyle();
}

void MainWindow::setZoom(double zoom) {
  zoom_ = std::clamp(zoom, 0.8, 2.0);
  restyle();
}

void MainWindow::restyle() {
  applyTheme(scheme_, zoom_);
  // The menu bar places its corner when it is resized only, and sizes follow the new font later.
  QTimer::singleShot(0, this, [this] {
    menuBar()->cornerWidget()->resize(menuBar()->cornerWidget()->sizeHint());
    QResizeEvent again(menuBar()->size(), menuBar()->size());
    QApplication::sendEvent(menuBar(), &again);
  });
}

void MainWindow::showLog(bool on) { log_dock_->setVisible(on); }
void MainWindow::showQueue(bool on) { queue_dock_->setVisible(on); }

bool MainWindow::openPath(const QString& file) {
  showPage(Compose);
  return compose_->openFile(file);
}

}  // namespace ui
