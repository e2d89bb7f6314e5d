#include <QApplication>
#include <QDialog>
#include <QHeaderView>
#include <QMenuBar>
#include <QMessageBox>
#include <QTableWidget>
#include <QVBoxLayout>
#include <QWhatsThis>

#include "ui/command_palette.h"
#include "ui/main_window.h"
#include "ui/run_panel.h"

namespace ui {

void MainWindow::buildHelpMenu() {
  QMenu* help = menuBar()->addMenu("&Help");
  QAction* what = QWhatsThis::createAction(this);
  what->setText("What's this?");
  help->addAction(what);
  help->addAction("Shortcuts", QKeySequence("Ctrl+/"), this, &MainWindow::showShortcuts);
  help->addAction("About Equipoise", this, &MainWindow::showAbout);
}

namespace {

void collect(const QList<QAction*>& actions, const QString& prefix,
             const std::function<void(QAction*, const QString&)>& use) {
  for (QAction* action : actions) {
    if (action->isSeparator()) continue;
    const QString text = action->text().remove('&');
    if (action->menu())
      collect(action->menu()->actions(), prefix + text + ": ", use);
    else
      use(action, prefix + text);
  }
}

}  // namespace

void MainWindow::openPalette() {
  std::vector<Command> commands;
  collect(menuBar()->actions(), {}, [&](QAction* action, const QString& text) {
    if (text.endsWith("Command palette")) return;
    commands.push_back({text, action->shortcut().toString(QKeySequence::NativeText),
                        [action] { action->trigger(); }, action->isEnabled()});
  });
  for (const engine::RunInfo& info : bridge_->runs()) {
    const engine::RunId id = info.id;
    commands.push_back(
        {"Open run " + QString::fromStdString(info.name), QString("run %1").arg(id), [this, id] {
           runs_->select(id);
           showRun(id);
         }});
  }
  (new CommandPalette(std::move(commands), this))->open();
}

void MainWindow::showShortcuts() {
  auto* dialog = new QDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle("Shortcuts");
  std::vector<std::pair<QString, QString>> rows;
  collect(menuBar()->actions(), {}, [&](QAction* action, const QString& text) {
    if (!action->shortcut().isEmpty())
      rows.emplace_back(text, action->shortcut().toString(QKeySequence::NativeText));
  });
  for (auto [text, key] : {std::pair("Schedule: choose epoch", "Left, Right"),
                           std::pair("Schedule: move the step", "Up, Down"),
                           std::pair("Schedule: shorten the list", "Delete"),
                           std::pair("Plot: show all and follow", "F"),
                           std::pair("Plot: move the crosshair", "Left, Right"),
                           std::pair("Runs: tick for comparison", "Space"),
                           std::pair("Runs: move to the trash", "Delete"),
                           std::pair("Compare: order the runs", "Alt+Left, Alt+Right on a chip"),
                           std::pair("Queue: earlier or later", "Alt+Up, Alt+Down"),
                           std::pair("Queue: take a run out", "Delete")})
    rows.emplace_back(text, key);
  auto* table = new QTableWidget(int(rows.size()), 2);
  table->setHorizontalHeaderLabels({"action", "keys"});
  table->verticalHeader()->hide();
  table->setShowGrid(false);
  table->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table->setAccessibleName("Shortcuts");
  table->horizontalHeader()->setStretchLastSection(true);
  for (int i = 0; i < int(rows.size()); ++i) {
    table->setItem(i, 0, new QTableWidgetItem(rows[std::size_t(i)].first));
    table->setItem(i, 1, new QTableWidgetItem(rows[std::size_t(i)].second));
  }
  table->resizeColumnToContents(0);
  auto* layout = new QVBoxLayout(dialog);
  layout->addWidget(table);
  dialog->resize(560, 560);
  dialog->show();
}

void MainWindow::showAbout() {
  QMessageBox box(QMessageBox::NoIcon, "About Equipoise",
                  "<b>Equipoise</b><br>Converts pretrained Transformers to hybrid attention and "
                  "shows whether the linear half is used.",
                  QMessageBox::Ok, this);
  box.setInformativeText(QString("Version %1 · Qt %2 · GPL-3.0-or-later\nStore: %3")
                             .arg(QApplication::applicationVersion(), qVersion(),
                                  QString::fromStdString(bridge_->store().string())));
  box.setTextInteractionFlags(Qt::TextSelectableByMouse);
  box.exec();
}

}  // namespace ui
