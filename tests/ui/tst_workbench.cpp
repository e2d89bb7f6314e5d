/// What one does in the window beyond the first minutes: pause, fork, queue, sweep, find again.

#include <QAbstractItemModelTester>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QListWidget>
#include <QMessageBox>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QRandomGenerator>
#include <QSignalSpy>

#include "desk.h"
#include "pictures.h"
#include "ui/forms/experiment_chooser.h"
#include "ui/forms/formula_dialog.h"
#include "ui/forms/run_notes.h"
#include "ui/forms/sweep_dialog.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/delta_panel.h"
#include "ui/pages/gate_line.h"
#include "ui/pages/run_page.h"
#include "ui/plots/curve_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/queue_panel.h"
#include "ui/run_panel.h"

using test::Desk;
using test::finishedRun;
using test::shortRecipe;
using test::startRun;

class TestWorkbench : public QObject {
  Q_OBJECT

 private Q_SLOTS:
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
    QTRY_COMPARE(window->bridge()->run(ids[1])->state, engine::RunState::done);
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
    for (int i = 0; i < 6; ++i) {
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
    QVERIFY(queue->isEnabled());
    QCOMPARE(queue->text(), QString("Queue 4 runs"));
    queue->click();
    QTRY_COMPARE(window->bridge()->queueLength(), 4);
    QCOMPARE(QString::fromStdString(window->bridge()->runs()[0].tags), QString("sweep:ssd"));
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

  void deleted_runs_come_back_or_go_for_good() {
    Desk desk;
    auto window = desk.open();
    ui::RunPanel* panel = window->runPanel();
    ui::EngineBridge* bridge = window->bridge();
    const engine::RunId a = finishedRun(*window, shortRecipe("a")), b = finishedRun(*window, shortRecipe("b")),
                        c = finishedRun(*window, shortRecipe("c"));
    QVERIFY(a && b && c);
    panel->model()->setChosen({a, c});
    panel->select(a);
    panel->view()->selectAll();
    panel->view()->selectionModel()->select(
        panel->view()->model()->index(0, 0), QItemSelectionModel::Deselect);  // the newest, c
    QTest::keyClick(panel->view(), Qt::Key_Delete);
    QCOMPARE(bridge->runs().size(), std::size_t(1));
    QCOMPARE(bridge->trash().size(), std::size_t(2));
    QCOMPARE(window->comparePage()->runs(), std::vector<engine::RunId>{c});
    QCOMPARE(window->runPage()->run(), c);  // the next one, as the list

    // The change that was made last is the one that Ctrl+Z takes back.
    QVERIFY(window->composePage()->document()->setField("seed", std::int64_t{7}));
    QAction* undo = nullptr;
    for (QAction* action : window->findChildren<QAction*>())
      if (action->shortcut() == QKeySequence(QKeySequence::Undo)) undo = action;
    QVERIFY(undo && !undo->text().contains("Delete"));
    undo->trigger();
    QCOMPARE(bridge->trash().size(), std::size_t(2));
    auto* button = panel->findChild<QPushButton*>("undo delete");
    QVERIFY(button && button->isVisible());
    QTest::mouseClick(button, Qt::LeftButton);
    QCOMPARE(bridge->runs().size(), std::size_t(3));
    QVERIFY(bridge->trash().empty());

    panel->view()->selectAll();
    panel->deleteSelected();
    QVERIFY(undo->text().contains("Delete 3 runs"));
    undo->trigger();
    QCOMPARE(bridge->runs().size(), std::size_t(3));
    panel->view()->selectAll();
    panel->deleteSelected();
    panel->showTrash(true);
    QCOMPARE(panel->view()->model()->rowCount(), 3);
    QVERIFY(window->saveScreenshots(test::pictures(), "-trash", {ui::MainWindow::Compose}));
    QVERIFY(!panel->view()->model()->index(0, 0).data(ui::RunListModel::ChosenRole).isValid());
    QAbstractItemModelTester tester(panel->view()->model());
    panel->view()->setCurrentIndex(panel->view()->model()->index(1, 0));
    QCOMPARE(panel->selectedRuns(), std::vector<engine::RunId>{b});
    panel->restoreSelected();
    QCOMPARE(bridge->runs().front().id, b);

    panel->emptyTrash();
    auto* question = window->findChild<QMessageBox*>("purge question");
    QVERIFY(question && question->text().contains("2 runs"));
    QTest::mouseClick(question->defaultButton(), Qt::LeftButton);
    QTest::qWait(100);
    QCOMPARE(bridge->trash().size(), std::size_t(2));
    panel->emptyTrash();
    for (auto* one : window->findChildren<QMessageBox*>("purge question"))
      for (auto* choice : one->buttons())
        if (one->isVisible() && choice->text() == "Delete for good") choice->click();
    QTRY_VERIFY(bridge->trash().empty());
    QVERIFY(!std::filesystem::exists(desk.paths.checkpoints / std::to_string(a)));
    QVERIFY(!engine::RunReader(desk.paths.store).run(c));
    QVERIFY(!panel->undoStack()->canUndo());
    QCOMPARE(bridge->runs().size(), std::size_t(1));
  }

  void a_series_by_formula_is_drawn_kept_and_exported() {
    Desk desk;
    engine::RunId a = 0, b = 0;
    {
      auto window = desk.open();
      a = finishedRun(*window, shortRecipe("a")), b = finishedRun(*window, shortRecipe("b"));
      window->runPanel()->select(a);
      window->showPage(ui::MainWindow::Run);
      window->runPage()->editFormulas();
      auto* dialog = window->findChild<ui::FormulaDialog*>();
      QVERIFY(dialog && test::nameless(dialog).isEmpty());
      dialog->formula()->setText("hybrid - nonsense");
      QVERIFY(dialog->problem().contains("nonsense") && !dialog->put()->isEnabled());
      dialog->formula()->setText("hybrid − swa");
      QVERIFY2(dialog->problem().isEmpty(), qPrintable(dialog->problem()));
      dialog->unit()->setText("points");
      dialog->put()->click();
      QVERIFY(test::pictured(*window, dialog, "formula"));
      dialog->close();
      const auto& drawn = window->runPage()->lossPlot()->points("hybrid - swa");
      const ui::RunData* data = window->bridge()->data(a);
      const auto *hybrid = data->score("hybrid", "all"), *swa = data->score("swa", "all");
      QVERIFY(hybrid && swa);
      QCOMPARE(drawn.size(), hybrid->size());
      QCOMPARE(drawn.back().y, 100 * hybrid->back().value - 100 * swa->back().value);
      QVERIFY(window->runPage()->lossPlot()->csv().contains("hybrid - swa,"));
      window->runPage()->noteAt(2, "what was that?");
      QVERIFY(QString::fromStdString(window->bridge()->run(a)->notes).contains("@2 what was that?"));
      window->runPage()->setXAxis(ui::XAxis::tokens);
      QVERIFY(window->runPage()->lossPlot()->csv().startsWith("curve,million tokens,"));
      QVERIFY(window->runPage()->lossPlot()->points("hybrid - swa").back().x < 1);
      window->close();
    }
    auto window = desk.open();
    window->runPanel()->model()->setChosen({a, b});
    window->showPage(ui::MainWindow::Compare);
    window->comparePage()->showCurvesOf("hybrid - swa");
    QCOMPARE(window->comparePage()->curves()->curves().size(), 2);
    QVERIFY(!window->comparePage()->curves()->points(window->comparePage()->curves()->curves()[0]).empty());
    QVERIFY(window->comparePage()->missingText().isEmpty());
    window->comparePage()->showCurvesOf("training loss");
    QVERIFY(!window->comparePage()->curves()->points(window->comparePage()->curves()->curves()[1]).empty());
    for (const auto axis : {ui::XAxis::epoch, ui::XAxis::elapsed, ui::XAxis::clock}) {
      window->comparePage()->setXAxis(axis);
      QTRY_VERIFY(window->comparePage()->curves()->rangeX().second > 0);
    }
    QVERIFY(window->saveScreenshots(QString(EQUIPOISE_BINARY_DIR) + "/screenshots", "-formula", {ui::MainWindow::Compare, ui::MainWindow::Run}));
  }

  void a_run_at_work_is_not_deleted() {
    Desk desk;
    auto window = desk.open();
    const engine::RunId id = test::startRun(*window, "ssd");
    QVERIFY(id);
    window->runPanel()->select(id);
    QSignalSpy failed(window->bridge(), &ui::EngineBridge::failed);
    window->runPanel()->deleteSelected();
    QCOMPARE(failed.count(), 1);
    QVERIFY(failed[0][0].toString().contains("stop it first"));
    QCOMPARE(window->bridge()->runs().size(), std::size_t(1));
    QVERIFY(!window->runPanel()->undoStack()->canUndo());
    window->bridge()->stop(id);
    QTRY_VERIFY(window->bridge()->idle());
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

QTEST_MAIN(TestWorkbench)
#include "tst_workbench.moc"
