#include <QAction>
#include <QCloseEvent>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QListWidget>
#include <QMenuBar>
#include <QMessageBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QRandomGenerator>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTest>
#include <QToolButton>

#include "execute_for_test.h"
#include "tests/support/temp_dir.h"
#include "ui/command_palette.h"
#include "ui/forms/experiment_chooser.h"
#include "ui/forms/run_notes.h"
#include "ui/forms/sweep_dialog.h"
#include "ui/layout_guard.h"
#include "ui/main_window.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/compose_page.h"
#include "ui/pages/delta_panel.h"
#include "ui/pages/gate_line.h"
#include "ui/pages/run_page.h"
#include "ui/plots/heat_map.h"
#include "ui/queue_panel.h"
#include "ui/run_panel.h"

namespace {

struct Desk {
  support::TempDir folder;
  engine::Paths paths{folder / "project.db", folder / "runs", folder / "log.txt", folder / "cache"};
  QString settings = QString::fromStdString((folder / "settings.ini").string());

  std::unique_ptr<ui::MainWindow> open() {
    std::filesystem::create_directories(paths.checkpoints);
    std::filesystem::create_directories(paths.cache);
    auto bridge = std::make_unique<ui::EngineBridge>(
        std::make_unique<engine::Session>(paths, test::execute()), paths.store);
    auto window = std::make_unique<ui::MainWindow>(
        std::move(bridge), std::make_unique<QSettings>(settings, QSettings::IniFormat));
    window->show();
    return window;
  }
};

void collect(const QList<QAction*>& actions, QList<QAction*>& out) {
  for (QAction* action : actions) {
    if (action->menu())
      collect(action->menu()->actions(), out);
    else if (!action->isSeparator())
      out << action;
  }
}

/// Controls that take the focus and that a screen reader could not name.
QStringList nameless(QWidget* root) {
  QStringList out;
  for (QWidget* w : root->findChildren<QWidget*>()) {
    if (w->focusPolicy() == Qt::NoFocus || w->inherits("QLabel"))
      continue;  // a label's text is its name
    QString text = w->accessibleName();
    if (auto* button = qobject_cast<QAbstractButton*>(w))
      text += button->text() + button->toolTip();
    const bool inner =
        w->objectName().startsWith("qt_") || w->inherits("QMenu") || w->inherits("QScrollBar") ||
        w->inherits("QTabBar") || w->inherits("QHeaderView") || w->inherits("QMenuBar") ||
        qobject_cast<QComboBox*>(w->parentWidget()) || w->inherits("QComboBoxPrivateContainer") ||
        (w->parentWidget() && w->parentWidget()->inherits("QComboBoxPrivateContainer")) ||
        w->inherits("QTabWidget");
    if (text.trimmed().isEmpty() && !inner)
      out << QString("%1 '%2'").arg(w->metaObject()->className(), w->objectName());
  }
  return out;
}

/// Starts the preset and waits until it has taken a few steps.
engine::RunId startRun(ui::MainWindow& window, const QString& preset) {
  window.composePage()->choosePreset(preset);
  window.composePage()->submit();
  if (!QTest::qWaitFor([&] { return window.bridge()->current().has_value(); }, 20000)) return 0;
  const engine::RunId id = *window.bridge()->current();
  QTest::qWaitFor([&] { return window.bridge()->data(id)->info.steps > 3; }, 60000);
  return id;
}

/// A recipe of a few steps, for tests that need a run's end.
engine::Recipe shortRecipe(const std::string& name) {
  engine::Recipe recipe = engine::presets().front().recipe;
  recipe.name = name;
  recipe.data.tokens_per_epoch = 1;
  recipe.evaluation.every = 2;
  for (auto& stage : recipe.stages) {
    stage.tokens_per_epoch = 0;
    stage.epochs = 2;
  }
  return recipe;
}

engine::RunId finishedRun(ui::MainWindow& window, const engine::Recipe& recipe) {
  const auto id = window.bridge()->submit(recipe);
  if (!id) return 0;
  QTest::qWaitFor([&] { return window.bridge()->data(*id)->info.state == engine::RunState::done; },
                  60000);
  return *id;
}

}  // namespace

class TestWindow : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void damaged_layout_bytes_open_the_window() {
    Desk desk;
    desk.open()->close();
    QByteArray state;
    {
      QSettings settings(desk.settings, QSettings::IniFormat);
      state = settings.value("layout/state").toByteArray();
      QVERIFY(!state.isEmpty());
      QVERIFY(!ui::LayoutGuard::opened(state).isEmpty());
    }
    QRandomGenerator random(7);
    int accepted = 0;
    for (int i = 0; i < 300; ++i) {
      QByteArray bad = state;
      for (int k = 0; k <= i % 4; ++k) bad[random.bounded(bad.size())] = char(random.bounded(256));
      if (i % 10 == 0) bad.truncate(random.bounded(bad.size()));
      if (bad != state && !ui::LayoutGuard::opened(bad).isEmpty()) ++accepted;
      if (i % 30 != 0) continue;
      QSettings settings(desk.settings, QSettings::IniFormat);
      settings.setValue("layout/state", bad);
      settings.sync();
      auto window = desk.open();
      QVERIFY(window->isVisible());
    }
    QCOMPARE(accepted, 0);
  }

  void a_restore_that_did_not_come_back_is_not_tried_again() {
    Desk desk;
    desk.open()->close();
    QSettings settings(desk.settings, QSettings::IniFormat);
    settings.setValue("layout/restoring", true);
    settings.sync();
    auto window = desk.open();
    QVERIFY(window->isVisible());
    settings.sync();
    QVERIFY(!settings.contains("layout/state"));
  }

  void no_shortcut_is_used_twice() {
    Desk desk;
    auto window = desk.open();
    QList<QAction*> actions;
    collect(window->menuBar()->actions(), actions);
    QVERIFY(actions.size() > 30);
    QMap<QString, QString> seen;
    for (QAction* action : actions)
      for (const QKeySequence& key : action->shortcuts()) {
        QVERIFY2(
            !seen.contains(key.toString()),
            qPrintable(key.toString() + ": " + seen[key.toString()] + " and " + action->text()));
        seen[key.toString()] = action->text();
      }
  }

  void every_focusable_control_has_a_name() {
    Desk desk;
    auto window = desk.open();
    QVERIFY2(nameless(window.get()).isEmpty(), qPrintable(nameless(window.get()).join(", ")));
    ui::SweepDialog sweep(engine::presets().front().recipe);
    sweep.setAttribute(Qt::WA_DeleteOnClose, false);
    sweep.addAxis("attention.window", "8, 16");
    QVERIFY2(nameless(&sweep).isEmpty(), qPrintable(nameless(&sweep).join(", ")));
    ui::ExperimentChooser chooser;
    chooser.setAttribute(Qt::WA_DeleteOnClose, false);
    QVERIFY2(nameless(&chooser).isEmpty(), qPrintable(nameless(&chooser).join(", ")));
    ui::RunNotes notes(engine::RunInfo{}, false);
    notes.setAttribute(Qt::WA_DeleteOnClose, false);
    QVERIFY2(nameless(&notes).isEmpty(), qPrintable(nameless(&notes).join(", ")));
  }

  void the_palette_finds_every_action() {
    Desk desk;
    auto window = desk.open();
    window->openPalette();
    auto* palette = window->findChild<ui::CommandPalette*>();
    QVERIFY(palette);
    QVERIFY(palette->shown() > 30);
    auto* line = palette->findChild<QLineEdit*>();
    QTest::keyClicks(line, "compare view");
    QCOMPARE(palette->shown(), 1);
    QTest::keyClick(line, Qt::Key_Return);
    QTRY_COMPARE(window->page(), ui::MainWindow::Compare);
  }

  void closing_while_a_run_trains_asks_and_loses_nothing() {
    Desk desk;
    auto window = desk.open();
    window->composePage()->choosePreset("ssd");
    window->composePage()->submit();
    QTRY_VERIFY(window->bridge()->current().has_value());
    const auto id = *window->bridge()->current();
    QTRY_VERIFY_WITH_TIMEOUT(window->bridge()->data(id)->info.steps > 3, 60000);
    window->close();
    auto* box = window->findChild<QMessageBox*>("closing question");
    QVERIFY(box);
    QVERIFY(window->isVisible());
    for (QAbstractButton* b : box->buttons())
      if (b->text() == "Cancel") b->click();
    QVERIFY(window->isVisible());
    QVERIFY(!window->bridge()->idle());
    window->close();
    QTRY_VERIFY(window->findChild<QMessageBox*>("closing question"));
    for (QAbstractButton* b : window->findChild<QMessageBox*>("closing question")->buttons())
      if (b->text().startsWith("Stop")) b->click();
    QTRY_VERIFY_WITH_TIMEOUT(!window->isVisible(), 60000);
    window.reset();
    window = desk.open();
    const engine::RunInfo* info = window->bridge()->run(id);
    QVERIFY(info);
    QVERIFY(info->state == engine::RunState::cancelled ||
            info->state == engine::RunState::interrupted);
    QVERIFY(info->steps > 3);
  }

  void a_busy_store_opens_read_only() {
    Desk desk;
    auto first = desk.open();
    auto bridge = std::make_unique<ui::EngineBridge>(nullptr, desk.paths.store,
                                                     "Another process writes to this store.");
    ui::MainWindow second(std::move(bridge),
                          std::make_unique<QSettings>(desk.settings + "2", QSettings::IniFormat));
    second.show();
    QVERIFY(second.bridge()->readOnly());
    QVERIFY(!second.findChild<QPushButton*>("run")->isEnabled());
    first->composePage()->choosePreset("lolcats");
    first->composePage()->submit();
    QTRY_COMPARE_WITH_TIMEOUT(second.runPanel()->model()->rowCount(), 1, 10000);
    const auto id = second.runPanel()->model()->idAt(0);
    QVERIFY(second.bridge()->data(id));
    QTRY_VERIFY_WITH_TIMEOUT(second.bridge()->data(id)->info.steps > 5, 60000);
    first->bridge()->stop(id);
    QTRY_VERIFY_WITH_TIMEOUT(first->bridge()->idle(), 60000);
  }

  void a_run_is_paused_kept_and_forked() {
    Desk desk;
    auto window = desk.open();
    const engine::RunId id = startRun(*window, "ssd");
    QVERIFY(id > 0);
    QCOMPARE(window->runPage()->run(), id);
    window->runPage()->pauseRun();
    QVERIFY(window->bridge()->paused(id));
    QPushButton* pause = nullptr;
    for (QPushButton* b : window->runPage()->findChildren<QPushButton*>())
      if (b->text().contains("Go on")) pause = b;
    QVERIFY(pause && pause->isEnabled());
    QVERIFY(!window->bridge()->idle());
    QTest::mouseClick(pause, Qt::LeftButton);
    QVERIFY(!window->bridge()->paused(id));
    QSignalSpy kept(window->bridge(), &ui::EngineBridge::checkpointKept);
    window->runPage()->keepCheckpoint();
    QTRY_VERIFY_WITH_TIMEOUT(kept.count() >= 1, 60000);
    QCOMPARE(kept[0][2].toString(), QString("asked"));
    const std::int64_t step = kept[0][1].toLongLong();
    const auto checkpoints = window->bridge()->checkpoints(id);
    QVERIFY(!checkpoints.empty());
    window->bridge()->stop(id);
    window->forkRun(id, step, 1, false);
    const engine::Recipe& fork = window->composePage()->document()->recipe();
    QCOMPARE(fork.start_from, std::to_string(id) + "@" + std::to_string(step));
    QCOMPARE(fork.stages.size(), std::size_t(1));
    QCOMPARE(fork.stages[0].kind, std::string("finetune"));
    QCOMPARE(window->page(), ui::MainWindow::Compose);
    window->composePage()->document()->undoStack()->undo();
    QCOMPARE(window->composePage()->document()->recipe().stages.size(), std::size_t(2));
    QTRY_VERIFY_WITH_TIMEOUT(window->bridge()->idle(), 60000);
  }

  void the_queue_is_held_and_reordered() {
    Desk desk;
    auto window = desk.open();
    window->showQueue(true);
    ui::QueuePanel* panel = window->queuePanel();
    panel->holdOrGoOn();
    QVERIFY(window->bridge()->queueHeld());
    std::vector<engine::RunId> ids;
    for (const char* name : {"one", "two", "three"})
      ids.push_back(*window->bridge()->submit(shortRecipe(name)));
    auto* list = panel->findChild<QListWidget*>();
    QTRY_COMPARE(list->count(), 3);
    QCOMPARE(window->bridge()->queue(), ids);
    list->setCurrentRow(2);
    QTest::keyClick(list, Qt::Key_Up, Qt::AltModifier);
    QCOMPARE(window->bridge()->queue(), (std::vector<engine::RunId>{ids[0], ids[2], ids[1]}));
    QCOMPARE(list->currentRow(), 1);
    list->setCurrentRow(0);
    QTest::keyClick(list, Qt::Key_Delete);
    QTRY_COMPARE(list->count(), 2);
    panel->setGoesOnAfterFailure(false);
    panel->holdOrGoOn();
    QTRY_VERIFY_WITH_TIMEOUT(window->bridge()->idle(), 60000);
    QTRY_COMPARE(list->count(), 0);
    QCOMPARE(window->bridge()->run(ids[0])->state, engine::RunState::cancelled);
    QCOMPARE(window->bridge()->run(ids[1])->state, engine::RunState::done);
  }

  void unfinished_work_comes_back() {
    Desk desk;
    auto window = desk.open();
    const engine::RunId id = finishedRun(*window, shortRecipe("looked-at"));
    QTRY_COMPARE(window->runPanel()->model()->rowCount(), 1);
    window->runPanel()->model()->setChosen({id});
    window->runPage()->setRun(id);
    window->composePage()->choosePreset("lolcats");
    ui::RecipeDocument* document = window->composePage()->document();
    engine::Recipe next = document->recipe();
    next.attention.window = 17;
    document->change("Window", next);
    const std::string block = "table12/mistral-7b-instruct/5 epochs/";
    window->comparePage()->showPaper({QString::fromStdString(block)});
    window->showPage(ui::MainWindow::Compare);
    window->close();
    window.reset();
    window = desk.open();
    document = window->composePage()->document();
    QCOMPARE(document->recipe().attention.window, 17);
    QCOMPARE(document->source(), QString("lolcats"));
    QVERIFY(document->undoStack()->canUndo());
    document->undoStack()->undo();
    QVERIFY(document->recipe().attention.window != 17);
    QCOMPARE(window->page(), ui::MainWindow::Compare);
    QCOMPARE(window->comparePage()->runs(), std::vector<engine::RunId>{id});
    QCOMPARE(window->comparePage()->shownPaper().size(), 1);
    QCOMPARE(window->runPage()->run(), id);
  }

  void unfinished_work_survives_a_crash() {
    Desk desk;
    {
      auto window = desk.open();
      window->composePage()->document()->setField("seed", std::int64_t(4711));
      // Not closed: what is on disk after the pause of the autosave is what a crash leaves.
      QTRY_VERIFY_WITH_TIMEOUT(QSettings(desk.settings, QSettings::IniFormat)
                                   .value("unfinished/recipe")
                                   .toString()
                                   .contains("seed: 4711"),
                               10000);
    }
    QCOMPARE(desk.open()->composePage()->document()->recipe().seed, 4711);
  }

  void damaged_session_values_open_the_window() {
    Desk desk;
    auto first = desk.open();
    first->close();
    first.reset();
    QSettings settings(desk.settings, QSettings::IniFormat);
    const QStringList keys = settings.allKeys();
    QRandomGenerator random(3);
    for (int i = 0; i < 12; ++i) {
      for (const QString& key : keys) {
        if (key.startsWith("layout") || random.bounded(3) > 0) continue;
        QByteArray junk(random.bounded(60), '\0');
        for (char& c : junk) c = char(random.bounded(256));
        settings.setValue(key, i % 2 == 0 ? QVariant(junk) : QVariant(QString::fromLatin1(junk)));
      }
      settings.sync();
      auto window = desk.open();
      QVERIFY(window->isVisible());
      QVERIFY(!window->composePage()->document()->recipe().stages.empty());
    }
  }

  void opening_a_preset_over_changes_can_be_undone() {
    Desk desk;
    auto window = desk.open();
    ui::RecipeDocument* document = window->composePage()->document();
    window->composePage()->choosePreset("ssd");
    document->setField("attention.window", std::int64_t(19));
    window->composePage()->choosePreset("lolcats");
    QCOMPARE(document->source(), QString("lolcats"));
    document->undoStack()->undo();
    QCOMPARE(document->recipe().attention.window, 19);
    QCOMPARE(window->findChild<QComboBox*>("preset")->currentData().toString(), QString("ssd"));
    document->undoStack()->redo();
    QCOMPARE(document->source(), QString("lolcats"));
  }

  void an_experiment_of_the_paper_opens_in_compose() {
    Desk desk;
    auto window = desk.open();
    window->composePage()->chooseExperiment();
    auto* chooser = window->findChild<ui::ExperimentChooser*>();
    QVERIFY(chooser);
    QVERIFY(chooser->shown() >= 100);
    auto* line = chooser->findChild<QLineEdit*>();
    QTest::keyClicks(line, "table 12 embedded");
    QCOMPARE(chooser->shown(), 1);
    for (QPushButton* b : chooser->findChildren<QPushButton*>())
      if (b->text().startsWith("Open")) b->click();
    QCOMPARE(window->composePage()->document()->recipe().stages[1].schedule.dropout,
             (std::vector<double>{0.9, 0.75, 0.5}));
    QVERIFY(window->composePage()->document()->source().startsWith("Table 12"));
    QTRY_VERIFY_WITH_TIMEOUT(window->composePage()->estimateText().contains("trainable parameters"),
                             20000);
  }

  void a_sweep_fills_the_queue() {
    Desk desk;
    auto window = desk.open();
    window->bridge()->holdQueue(true);
    window->composePage()->choosePreset("ssd");
    window->composePage()->sweep();
    auto* dialog = window->findChild<ui::SweepDialog*>();
    QVERIFY(dialog);
    QPushButton* queue = nullptr;
    for (QPushButton* b : dialog->findChildren<QPushButton*>())
      if (b->text().startsWith("Queue")) queue = b;
    QVERIFY(queue && !queue->isEnabled());
    dialog->addAxis("attention.window", "8, x");
    QVERIFY(!queue->isEnabled());
    for (QLineEdit* line : dialog->findChildren<QLineEdit*>())
      if (line->accessibleName().startsWith("Values")) line->setText("8, 16");
    dialog->setSeeds("0, 1");
    QVERIFY2(queue->isEnabled(), qPrintable(dialog->sweep().problem));
    QCOMPARE(queue->text(), QString("Queue 4 runs"));
    queue->click();
    QTRY_COMPARE(window->bridge()->queueLength(), 4);
    QCOMPARE(QString::fromStdString(window->bridge()->runs()[0].tags), QString("sweep ssd"));
    for (const auto& info : std::vector(window->bridge()->runs())) window->bridge()->stop(info.id);
    QTRY_VERIFY_WITH_TIMEOUT(window->bridge()->idle(), 60000);
  }

  void runs_are_filtered_by_expression_and_grouped() {
    Desk desk;
    auto window = desk.open();
    window->bridge()->holdQueue(true);
    engine::Recipe recipe = shortRecipe("a");
    window->bridge()->submit(recipe);
    recipe.seed = 1;
    window->bridge()->submit(recipe);
    recipe.attention.window = 11;
    window->bridge()->submit(recipe);
    ui::RunPanel* panel = window->runPanel();
    QTRY_COMPARE(panel->view()->model()->rowCount(), 3);
    panel->setFilterText("attention.window = 11");
    QCOMPARE(panel->view()->model()->rowCount(), 1);
    panel->setFilterText("seed = 1 && attention.window != 11");
    QCOMPARE(panel->view()->model()->rowCount(), 1);
    panel->setFilterText("seed = 1 &&");
    QCOMPARE(panel->view()->model()->rowCount(), 3);  // unreadable: nothing is hidden
    panel->setFilterText({});
    panel->groupBy("setting");
    QStringList groups;
    for (int r = 0; r < 3; ++r)
      groups << panel->view()->model()->index(r, 0).data(ui::RunListModel::GroupRole).toString();
    QCOMPARE(QSet<QString>(groups.begin(), groups.end()).size(), 2);
    QVERIFY(groups[1] == groups[0] || groups[1] == groups[2]);
    panel->groupBy("attention.window");
    QCOMPARE(panel->view()->model()->index(0, 0).data(ui::RunListModel::GroupRole).toString(),
             QString("attention.window 11"));
    panel->groupBy({});
    for (const auto& info : std::vector(window->bridge()->runs())) window->bridge()->stop(info.id);
    QTRY_VERIFY_WITH_TIMEOUT(window->bridge()->idle(), 60000);
  }

  void notes_are_kept_with_the_run() {
    Desk desk;
    auto window = desk.open();
    const engine::RunId id = finishedRun(*window, shortRecipe("noted"));
    window->runPage()->setRun(id);
    window->runPage()->editNotes();
    auto* notes = window->findChild<ui::RunNotes*>();
    QVERIFY(notes);
    notes->findChild<QPlainTextEdit*>()->setPlainText("Far tasks rise after epoch 2.");
    for (QPushButton* b : notes->findChildren<QPushButton*>())
      if (b->text().contains("Save")) b->click();
    QTRY_COMPARE(window->bridge()->run(id)->notes, std::string("Far tasks rise after epoch 2."));
  }

  void only_a_store_is_opened_as_one() {
    Desk desk;
    auto window = desk.open();
    const QString text = QString::fromStdString((desk.folder / "notes.db").string());
    QFile file(text);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("not a store");
    file.close();
    QVERIFY(!window->openStore(text));
    QVERIFY(!window->openStore("/nowhere.db"));
  }

  void a_report_is_one_file() {
    Desk desk;
    auto window = desk.open();
    const engine::RunId id = finishedRun(*window, shortRecipe("reported"));
    const QString pdf = QString::fromStdString((desk.folder / "report.pdf").string());
    QVERIFY(window->writeReport({id}, pdf));
    QFile file(pdf);
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QByteArray bytes = file.readAll();
    QVERIFY(bytes.startsWith("%PDF-"));
    QVERIFY(bytes.size() > 8000);
    QVERIFY(bytes.contains("/Count"));
    QVERIFY(!window->writeReport({id}, "/nowhere/report.pdf"));
    QVERIFY(
        !window->writeReport({id}, QString::fromStdString((desk.folder / "report.html").string())));
  }

  void the_run_page_shows_layers_gates_and_exposure() {
    Desk desk;
    auto window = desk.open();
    const engine::RunId id = finishedRun(*window, shortRecipe("pictured"));
    window->runPage()->setRun(id);
    window->showPage(ui::MainWindow::Run);
    const QStringList choices = window->runPage()->heatChoices();
    QVERIFY2(choices.contains("linear share by head"), qPrintable(choices.join(", ")));
    QVERIFY(choices.contains("transfer loss over steps"));
    window->runPage()->chooseHeat("linear share by head");
    QCOMPARE(window->runPage()->heatMap()->values().size(), std::size_t(6));
    QCOMPARE(window->runPage()->heatMap()->values()[0].size(), std::size_t(4));
    QCOMPARE(window->runPage()->gates()->texts(),
             (QStringList{"identity ok", "decode ok", "batch ok"}));
    QVERIFY(window->runPage()->gates()->isVisible());
    bool exposed = false;
    for (QLabel* label : window->runPage()->deltaPanel()->findChildren<QLabel*>())
      exposed = exposed || label->text().contains("have a key outside the window");
    QVERIFY(exposed);
  }
};

QTEST_MAIN(TestWindow)
#include "tst_window.moc"
