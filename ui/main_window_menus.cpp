#include <QApplication>
#include <QDesktopServices>
#include <QDockWidget>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QInputDialog>
#include <QKeySequence>
#include <QMenuBar>
#include <QPushButton>
#include <QTimer>
#include <QUndoGroup>
#include <tuple>

#include "ui/forms/schedule_editor.h"
#include "ui/forms/stage_cards.h"
#include "ui/layout_guard.h"
#include "ui/main_window.h"
#include "ui/models/run_list_model.h"
#include "ui/models/smoothing.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/compose_page.h"
#include "ui/pages/run_page.h"
#include "ui/queue_panel.h"
#include "ui/run_panel.h"

namespace ui {

void MainWindow::buildMenus() {
  buildFileMenu();
  QMenu* edit = menuBar()->addMenu("&Edit");
  QUndoGroup* undo = buildUndo();
  QAction* undo_action = undo->createUndoAction(this, "Undo");
  undo_action->setIcon(lineIcon("undo"));
  undo_action->setShortcut(QKeySequence::Undo);
  QAction* redo_action = undo->createRedoAction(this, "Redo");
  redo_action->setIcon(lineIcon("redo"));
  redo_action->setShortcuts({QKeySequence("Ctrl+Shift+Z"), QKeySequence("Ctrl+Y")});
  edit->addActions({undo_action, redo_action});
  edit->addSeparator();
  edit->addAction("Add an epoch", this, [this] { compose_->schedule()->addEpoch(); });
  edit->addAction("Remove the last epoch", this, [this] { compose_->schedule()->removeEpoch(); });
  edit->addAction("Add a transfer stage", this,
                  [this] { compose_->cards()->addStage("transfer"); });
  edit->addAction("Add a fine-tuning stage", this,
                  [this] { compose_->cards()->addStage("finetune"); });
  buildRunMenu();
  buildCompareMenu();
  buildViewMenu();
  buildHelpMenu();
  auto* search = new QPushButton(lineIcon("search"), " Search  Ctrl+K");
  search->setProperty("role", "quiet");
  useFont(search, TextRole::secondary);
  search->setAccessibleName("Command palette");
  search->setToolTip("Every command, run and preset by name");
  connect(search, &QPushButton::clicked, this, &MainWindow::openPalette);
  auto* corner = new QWidget;
  auto* row = new QHBoxLayout(corner);
  row->setContentsMargins(0, 1, 8, 2);
  row->addWidget(search);
  menuBar()->setCornerWidget(corner);
}

/// Changes of the recipe and of the run list have a stack each; the one that changed last is undone.
QUndoGroup* MainWindow::buildUndo() {
  auto* group = new QUndoGroup(this);
  QUndoStack* recipe = compose_->document()->undoStack();
  QUndoStack* runs = runs_->undoStack();
  group->addStack(recipe);
  group->addStack(runs);
  group->setActiveStack(recipe);
  connect(recipe, &QUndoStack::indexChanged, this, [group, recipe] { group->setActiveStack(recipe); });
  connect(runs, &QUndoStack::indexChanged, this, [group, recipe, runs] {
    group->setActiveStack(runs->canUndo() || !recipe->canUndo() ? runs : recipe);
  });
  return group;
}

void MainWindow::buildFileMenu() {
  QMenu* file = menuBar()->addMenu("&File");
  QMenu* presets = file->addMenu("New from preset");
  for (const engine::Preset& preset : engine::presets()) {
    const QString name = QString::fromStdString(preset.name);
    QAction* action = presets->addAction(QString::fromStdString(preset.title), this, [this, name] {
      compose_->choosePreset(name);
      showPage(Compose);
    });
    action->setToolTip(QString::fromStdString(preset.doc));
  }
  file->addAction("Experiments of the paper…", QKeySequence("Ctrl+Shift+O"), this, [this] {
    showPage(Compose);
    compose_->chooseExperiment();
  });
  file->addAction(lineIcon("open"), "Open recipe…", QKeySequence::Open, compose_,
                  &ComposePage::askOpen);
  recent_ = file->addMenu("Open recent");
  file->addAction("Open a store in a new window…", this, &MainWindow::askStore);
  file->addAction("Look at a model…", this, [this] { browse(Model); });
  file->addAction("Look at text…", this, [this] { browse(Data); });
  file->addAction("Look at tasks…", this, [this] { browse(Task); });
  file->addAction(lineIcon("save"), "Save recipe…", QKeySequence::Save, compose_,
                  &ComposePage::askSave);
  file->addSeparator();
  file->addAction(lineIcon("export"), "Export accuracy curves…", run_, &RunPage::exportAccuracy);
  file->addSeparator();
  file->addAction("Quit", QKeySequence::Quit, this, &QWidget::close);
  refreshRecent();
}

void MainWindow::buildRunMenu() {
  QMenu* menu = menuBar()->addMenu("&Run");
  menu->addAction(lineIcon("play"), "Run this recipe", QKeySequence("Ctrl+Return"), compose_,
                  &ComposePage::submit);
  menu->addAction(lineIcon("sweep"), "Sweep over fields and seeds…",
                  QKeySequence("Ctrl+Shift+Return"), compose_, &ComposePage::sweep);
  menu->addAction(lineIcon("pause"), "Pause run, or go on", QKeySequence("Ctrl+Shift+P"), run_,
                  &RunPage::pauseRun);
  menu->addAction(lineIcon("save"), "Keep a checkpoint now", QKeySequence("Ctrl+Shift+K"), run_,
                  &RunPage::keepCheckpoint);
  menu->addAction(lineIcon("stop"), "Stop run", QKeySequence("Ctrl+."), run_, &RunPage::stopRun);
  menu->addAction(lineIcon("resume"), "Resume run", QKeySequence("Ctrl+Shift+R"), run_,
                  &RunPage::resumeRun);
  menu->addAction("Series of this run by formula…", this, [this] {
    showPage(Run);
    run_->editFormulas();
  });
  menu->addSeparator();
  menu->addAction(lineIcon("copy"), "Clone run into Compose", QKeySequence("Ctrl+D"), this,
                  [this] { cloneRun(runs_->currentRun()); });
  menu->addAction(lineIcon("compare"), "Compare this run", QKeySequence("Ctrl+M"), this, [this] {
    if (const auto id = runs_->currentRun()) Q_EMIT run_->compareWanted(id);
  });
  menu->addAction(lineIcon("edit"), "Rename run…", QKeySequence("F2"), runs_,
                  &RunPanel::renameCurrent);
  menu->addAction("Tag run…", QKeySequence("Ctrl+T"), runs_, &RunPanel::tagCurrent);
  menu->addAction("Name, tags and notes…", QKeySequence("Ctrl+I"), runs_, &RunPanel::editCurrent);
  menu->addAction(lineIcon("star"), "Star the selected runs, or not", QKeySequence("Ctrl+B"), runs_,
                  &RunPanel::starSelected);
  menu->addAction(lineIcon("archive"), "Archive the selected runs, or bring them back",
                  QKeySequence("Ctrl+Shift+A"), runs_, &RunPanel::archiveSelected);
  menu->addAction("Starred runs only, or all", runs_,
                  [this] { runs_->showStarredOnly(!runs_->starredOnly()); });
  menu->addAction("Show archived runs, or not", runs_,
                  [this] { runs_->showArchived(!runs_->showsArchived()); });
  menu->addAction(lineIcon("trash"), "Delete the selected runs", QKeySequence("Ctrl+Delete"), runs_,
                  &RunPanel::deleteSelected);
  menu->addAction("Show the trash, or the runs", runs_,
                  [this] { runs_->showTrash(!runs_->showsTrash()); });
  menu->addAction("Restore the selected runs", runs_, &RunPanel::restoreSelected);
  menu->addAction("Empty the trash…", runs_, &RunPanel::emptyTrash);
  menu->addSeparator();
  menu->addAction(lineIcon("search"), "Filter runs", QKeySequence("Ctrl+Shift+F"), runs_,
                  &RunPanel::focusFilter);
  menu->addAction(lineIcon("group"), "Group runs by setting", runs_,
                  [this] { runs_->groupBy("setting"); });
  menu->addAction("Group runs by sweep", runs_, [this] { runs_->groupBy("sweep"); });
  menu->addAction("Group runs by state", runs_, [this] { runs_->groupBy("state"); });
  menu->addAction("Do not group runs", runs_, [this] { runs_->groupBy({}); });
  menu->addSeparator();
  menu->addAction(lineIcon("queue"), "Hold the queue, or let it go on",
                  QKeySequence("Ctrl+Shift+H"), queue_panel_, &QueuePanel::holdOrGoOn);
  menu->addAction("Take every run out of the queue", queue_panel_, &QueuePanel::removeAll);
}

void MainWindow::buildCompareMenu() {
  QMenu* menu = menuBar()->addMenu("&Compare");
  auto add = [&](const QString& text, auto action) {
    menu->addAction(text, this, [this, action] {
      showPage(Compare);
      action();
    });
  };
  add("Bars", [this] { compare_->showView(ComparePage::Bars); });
  add("Curves", [this] { compare_->showView(ComparePage::Curves); });
  add("Scatter: accuracy against linear use", [this] { compare_->showView(ComparePage::Scatter); });
  menu->addSeparator();
  add("Table by components", [this] { compare_->showLower(ComparePage::Components); });
  add("Table by tasks", [this] { compare_->showLower(ComparePage::Tasks); });
  add("Paired tests", [this] { compare_->showLower(ComparePage::Paired); });
  menu->addSeparator();
  add("Series by formula…", [this] {
    compare_->showView(ComparePage::Curves);
    compare_->editFormulas();
  });
  add("Training loss beneath the curves, or nothing",
      [this] { compare_->showBeneath(compare_->beneath().isEmpty() ? "training loss" : ""); });
  for (const XAxisInfo& axis : xAxes())
    add(QString("Curves ") + axis.choice, [this, which = axis.axis] {
      compare_->showView(ComparePage::Curves);
      compare_->setXAxis(which);
    });
  menu->addSeparator();
  add("Group seeds, or not", [this] {
    Grouping now = compare_->grouping();
    now.by = now.by.empty() ? "setting" : "";
    compare_->groupBy(now);
  });
  menu->addMenu(compare_->paperMenu());
  menu->addSeparator();
  QMenu* copy = menu->addMenu("Copy table");
  for (auto [text, format] : {std::pair("As Markdown", AblationModel::Format::markdown),
                              std::pair("As LaTeX", AblationModel::Format::latex),
                              std::pair("As CSV", AblationModel::Format::csv),
                              std::pair("As TSV", AblationModel::Format::tsv)})
    copy->addAction(text, this, [this, format] { compare_->copyTable(format); });
  menu->addAction(lineIcon("export"), "Export figure…", compare_, &ComparePage::exportFigure);
  menu->addAction(lineIcon("sweep"), "Ablation grid of the ticked runs…", this,
                  [this] { openGrid(compare_->runs()); });
  menu->addAction(lineIcon("export"), "Report of the ticked runs…", this,
                  [this] { askReport(compare_->runs()); });
}

void MainWindow::buildViewMenu() {
  QMenu* view = menuBar()->addMenu("&View");
  view->addAction(lineIcon("search"), "Command palette", QKeySequence("Ctrl+K"), this,
                  &MainWindow::openPalette);
  view->addSeparator();
  view->addAction("Compose", QKeySequence("Ctrl+1"), this, [this] { showPage(Compose); });
  view->addAction("Run", QKeySequence("Ctrl+2"), this, [this] { showPage(Run); });
  view->addAction("Compare", QKeySequence("Ctrl+3"), this, [this] { showPage(Compare); });
  view->addAction("Model", QKeySequence("Ctrl+4"), this, [this] { showPage(Model); });
  view->addAction("Data", QKeySequence("Ctrl+5"), this, [this] { showPage(Data); });
  view->addAction("Task", QKeySequence("Ctrl+6"), this, [this] { showPage(Task); });
  view->addAction("Diagnose", QKeySequence("Ctrl+7"), this, [this] { showPage(Diagnose); });
  view->addAction("Efficiency", QKeySequence("Ctrl+8"), this, [this] { showPage(Efficiency); });
  view->addSeparator();
  view->addAction("Show schedule", QKeySequence("Alt+1"), this, [this] {
    showPage(Compose);
    compose_->showLower(ComposePage::Schedule);
  });
  view->addAction("Show all settings", QKeySequence("Alt+2"), this, [this] {
    showPage(Compose);
    compose_->showLower(ComposePage::Settings);
  });
  view->addAction(lineIcon("code"), "Show YAML", QKeySequence("Alt+3"), this, [this] {
    showPage(Compose);
    compose_->showLower(ComposePage::Yaml);
  });
  view->addSeparator();
  for (auto [text, kind, weight] : {std::tuple("Training curves smoothed, or as measured", Smoothing::Training, 0.85),
                                    std::tuple("Accuracy curves smoothed, or as measured", Smoothing::Accuracy, 0.6)})
    view->addAction(text, this, [this, which = kind, on = weight] {
      smoothing_->set(which, smoothing_->of(which) > 0 ? 0 : on);
    });
  view->addSeparator();
  QAction* runs = runs_dock_->toggleViewAction();
  runs->setShortcut(QKeySequence("Ctrl+Shift+L"));
  QAction* log = log_dock_->toggleViewAction();
  log->setIcon(lineIcon("log"));
  log->setShortcut(QKeySequence("Ctrl+L"));
  QAction* queue = queue_dock_->toggleViewAction();
  queue->setIcon(lineIcon("queue"));
  queue->setShortcut(QKeySequence("Ctrl+Shift+Q"));
  view->addActions({runs, log, queue});
  layouts_ = view->addMenu("Layouts");
  refreshLayouts();
  view->addAction("Reset layout", this, [this] {
    LayoutGuard(*settings_).forget();
    addDockWidget(Qt::LeftDockWidgetArea, runs_dock_);
    addDockWidget(Qt::BottomDockWidgetArea, log_dock_);
    addDockWidget(Qt::BottomDockWidgetArea, queue_dock_);
    runs_dock_->show();
    log_dock_->hide();
    queue_dock_->hide();
  });
  view->addSeparator();
  view->addAction(lineIcon("theme"), "Switch light and dark", QKeySequence("Alt+M"), this,
                  [this] { setScheme(scheme_ == Scheme::light ? Scheme::dark : Scheme::light); });
  view->addAction("Larger text", QKeySequence::ZoomIn, this, [this] { setZoom(zoom_ + 0.1); });
  view->addAction("Smaller text", QKeySequence::ZoomOut, this, [this] { setZoom(zoom_ - 0.1); });
  view->addAction("Normal text", QKeySequence("Ctrl+0"), this, [this] { setZoom(1); });
}

void MainWindow::refreshLayouts() {
  layouts_->clear();
  delete delete_layouts_;  // clear() leaves menus below it alone
  delete_layouts_ = nullptr;
  const QStringList names = LayoutGuard(*settings_).names();
  for (const QString& name : names)
    layouts_->addAction(QString(name).replace("&", "&&"), this, [this, name] { useLayout(name); });
  if (!names.isEmpty()) layouts_->addSeparator();
  layouts_->addAction("Save layout as…", this, [this] {
    bool ok = false;
    const QString name =
        QInputDialog::getText(this, "Save layout", "Name", QLineEdit::Normal, {}, &ok);
    if (ok && !name.trimmed().isEmpty()) saveLayout(name.trimmed());
  });
  if (names.isEmpty()) return;
  delete_layouts_ = layouts_->addMenu("Delete layout");
  for (const QString& name : names)
    delete_layouts_->addAction(QString(name).replace("&", "&&"), this, [this, name] {
      LayoutGuard(*settings_).forget(name);
      QTimer::singleShot(0, this, &MainWindow::refreshLayouts);
    });
}

void MainWindow::saveLayout(const QString& name) {
  LayoutGuard(*settings_).save(*this, name);
  // Not now: the action that asked for it stands in the menu that is made anew.
  QTimer::singleShot(0, this, &MainWindow::refreshLayouts);
  say("layout " + name + " saved");
}

void MainWindow::useLayout(const QString& name) {
  if (LayoutGuard(*settings_).restore(*this, name)) return;
  notify("The layout " + name + " could not be read; save it again.", true);
  QTimer::singleShot(0, this, &MainWindow::refreshLayouts);
}

void MainWindow::addRecent(const QString& file) {
  QStringList files = settings_->value("recent").toStringList();
  const QString path = QFileInfo(file).absoluteFilePath();
  files.removeAll(path);
  files.prepend(path);
  settings_->setValue("recent", QStringList(files.mid(0, 10)));
  refreshRecent();
}

void MainWindow::refreshRecent() {
  recent_->clear();
  const QStringList files = settings_->value("recent").toStringList();
  recent_->setEnabled(!files.isEmpty());
  for (const QString& file : files) {
    QAction* action =
        recent_->addAction(QFileInfo(file).fileName(), this, [this, file] { openPath(file); });
    action->setToolTip(file);
    action->setEnabled(QFileInfo::exists(file));
  }
  if (files.isEmpty()) return;
  recent_->addSeparator();
  recent_->addAction("Clear list", this, [this] {
    settings_->remove("recent");
    refreshRecent();
  });
}

}  // namespace ui
