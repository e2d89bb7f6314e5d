/// The list of runs and what stays of it: stars, the archive, sweeps, the queue over an end of the program; and the curves of
/// several runs: a second plot, smoothing, ranges.

#include <qcustomplot.h>

#include <QAction>
#include <QDoubleSpinBox>
#include <QLabel>
#include <QListView>
#include <QMessageBox>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QUndoStack>

#include "desk.h"
#include "pictures.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/run_page.h"
#include "ui/plots/curve_plot.h"
#include "ui/run_delegate.h"
#include "ui/run_panel.h"
#include "ui/waiting_line.h"

using test::Desk;
using test::finishedRun;
using test::shortRecipe;

namespace {

QAction* action(ui::MainWindow& window, const char* keys) {
  for (QAction* one : window.findChildren<QAction*>())
    if (one->shortcut() == QKeySequence(keys)) return one;
  return nullptr;
}

std::vector<engine::RunId> waitingRuns(ui::MainWindow& window, int count) {
  window.bridge()->holdQueue(true);
  std::vector<engine::RunId> ids;
  for (int i = 0; i < count; ++i)
    ids.push_back(*window.bridge()->submit(shortRecipe(std::string(1, char('a' + i)))));
  return ids;
}

QString tags(ui::MainWindow& window, engine::RunId id) {
  return QString::fromStdString(window.bridge()->run(id)->tags);
}

QCustomPlot* plotOf(ui::CurvePlot* plot) { return plot->findChild<QCustomPlot*>(); }

/// The fixed corner with the values at the crosshair.
bool readsOut(ui::CurvePlot* plot) {
  for (QLabel* label : plot->findChildren<QLabel*>())
    if (label->isVisible() && label->text().contains("step")) return true;
  return false;
}

QDoubleSpinBox* box(QWidget* page, const QString& name) {
  for (auto* one : page->findChildren<QDoubleSpinBox*>())
    if (one->accessibleName() == name) return one;
  return nullptr;
}

}  // namespace

class TestRunList : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void a_star_is_a_tag_put_on_by_mouse_and_key() {
    Desk desk;
    auto window = desk.open();
    const auto ids = waitingRuns(*window, 3);
    ui::RunPanel* panel = window->runPanel();
    QAbstractItemModel* shown = panel->view()->model();
    QTRY_COMPARE(shown->rowCount(), 3);
    window->bridge()->annotate(ids[2], "c", "narrow", "a note");
    const QRect row = panel->view()->visualRect(shown->index(0, 0));
    QTest::mouseClick(panel->view()->viewport(), Qt::LeftButton, {}, ui::RunDelegate::star(row).center());
    QTRY_COMPARE(tags(*window, ids[2]), QString("narrow, star"));
    QCOMPARE(window->bridge()->run(ids[2])->notes, std::string("a note"));
    QVERIFY(shown->index(0, 0).data(Qt::AccessibleTextRole).toString().contains("starred"));
    panel->setFilterText("tag = star");
    QCOMPARE(shown->rowCount(), 1);
    panel->setFilterText("tag != star");
    QCOMPARE(shown->rowCount(), 2);
    panel->setFilterText({});
    panel->view()->selectAll();
    QAction* star = action(*window, "Ctrl+B");
    QVERIFY(star);
    star->trigger();  // not all had one
    QCOMPARE(tags(*window, ids[0]), QString("star"));
    panel->view()->setCurrentIndex(shown->index(2, 0));
    star->trigger();
    QCOMPARE(tags(*window, ids[0]), QString());
    panel->showStarredOnly(true);
    QCOMPARE(shown->rowCount(), 2);
    panel->setFilterText("nothing of that name");
    QVERIFY(!panel->view()->isVisible());
    panel->setFilterText({});
    QVERIFY(panel->view()->isVisible());
  }

  void archived_runs_leave_the_list_and_come_back() {
    Desk desk;
    {
      auto window = desk.open();
      const auto ids = waitingRuns(*window, 3);
      ui::RunPanel* panel = window->runPanel();
      QAbstractItemModel* shown = panel->view()->model();
      QTRY_COMPARE(shown->rowCount(), 3);
      panel->view()->selectAll();
      panel->view()->selectionModel()->select(shown->index(0, 0), QItemSelectionModel::Deselect);
      QAction* archive = action(*window, "Ctrl+Shift+A");
      QVERIFY(archive);
      archive->trigger();
      QCOMPARE(shown->rowCount(), 1);
      QCOMPARE(tags(*window, ids[0]), QString("archived"));
      QCOMPARE(window->bridge()->runs().size(), std::size_t(3));
      panel->undoStack()->undo();
      QCOMPARE(shown->rowCount(), 3);
      panel->undoStack()->redo();
      QCOMPARE(shown->rowCount(), 1);
      panel->showArchived(true);
      QCOMPARE(shown->rowCount(), 3);
      QVERIFY(shown->index(2, 0).data(ui::RunListModel::DetailRole).toString().contains("archived"));
      panel->setFilterText("tag = archived");
      QCOMPARE(shown->rowCount(), 2);
      panel->setFilterText({});
      panel->showStarredOnly(true);
      window->saveScreenshots(test::pictures(), "-archived", {ui::MainWindow::Compose});
      panel->showStarredOnly(false);
      window->saveScreenshots(test::pictures(), "-archived-shown", {ui::MainWindow::Compose});
      for (engine::RunId id : ids) window->bridge()->stop(id);
      window->close();
    }
    auto window = desk.open();
    QVERIFY(window->runPanel()->showsArchived());
    QVERIFY(!window->runPanel()->starredOnly());
    QCOMPARE(window->runPanel()->view()->model()->rowCount(), 3);
  }

  void runs_are_grouped_by_their_sweep() {
    Desk desk;
    auto window = desk.open();
    const auto ids = waitingRuns(*window, 3);
    window->bridge()->setTags({{ids[0], "sweep:ssd"}, {ids[2], "narrow, sweep:ssd"}});
    ui::RunPanel* panel = window->runPanel();
    panel->groupBy("sweep");
    QMap<QString, int> groups;
    for (int r = 0; r < 3; ++r)
      ++groups[panel->view()->model()->index(r, 0).data(ui::RunListModel::GroupRole).toString()];
    QCOMPARE(groups, (QMap<QString, int>{{"ssd", 2}, {"from no sweep", 1}}));
    panel->setFilterText("tag = sweep:ssd");
    QCOMPARE(panel->view()->model()->rowCount(), 2);
  }

  void what_waited_is_in_the_queue_again_and_held() {
    Desk desk;
    std::vector<engine::RunId> ids;
    {
      auto window = desk.open();
      ids = waitingRuns(*window, 3);
      window->bridge()->moveInQueue(ids[2], 0);
      window->close();
      QVERIFY(!window->findChild<QMessageBox*>("closing question"));  // nothing would be lost
      QVERIFY(!window->isVisible());
    }
    auto window = desk.open();
    QTRY_COMPARE(window->bridge()->queue(), (std::vector<engine::RunId>{ids[2], ids[0], ids[1]}));
    QVERIFY(window->bridge()->queueHeld());
    auto* line = window->findChild<ui::WaitingLine*>();
    QVERIFY(line && line->isVisible());
    QVERIFY(line->findChild<QLabel*>()->text().startsWith("3 runs were waiting"));
    window->saveScreenshots(test::pictures(), "-waiting", {ui::MainWindow::Compose});
    QPushButton* start = nullptr;
    for (QPushButton* b : line->findChildren<QPushButton*>())
      if (b->text() == "Start") start = b;
    QVERIFY(start);
    QTest::mouseClick(start, Qt::LeftButton);
    QVERIFY(!window->bridge()->queueHeld());
    QVERIFY(!line->isVisible());
    QTRY_VERIFY_WITH_TIMEOUT(window->bridge()->idle(), 60000);
    for (engine::RunId id : ids) QTRY_COMPARE(window->bridge()->run(id)->state, engine::RunState::done);
  }

  void what_waited_comes_back_after_a_crash() {
    Desk desk;
    engine::RunId waited = 0, worked = 0, archived = 0;
    {
      engine::RunWriter writer(desk.paths.store);
      const auto left = [&](const std::string& name, const std::string& tags, bool began) {
        engine::RunInfo info;
        info.name = name;
        info.tags = tags;
        info.recipe = engine::to_resolved_yaml(shortRecipe(name));
        const engine::RunId id = writer.create(info);
        std::vector<engine::Event> events{{id, 0, engine::RunQueued{name}}};
        if (began) events.push_back({id, 0, engine::RunStarted{"cpu", "float32"}});
        writer.append(events);
        return id;
      };
      waited = left("waited", "", false);
      worked = left("worked", "", true);
      archived = left("put away", "archived", false);
    }
    {
      auto window = desk.open();
      QTRY_COMPARE(window->bridge()->queue(), std::vector<engine::RunId>{waited});
      auto* line = window->findChild<ui::WaitingLine*>();
      QVERIFY(line->isVisible());
      line->remove();
      QVERIFY(window->bridge()->queue().empty() && !window->bridge()->queueHeld());
      QVERIFY(!line->isVisible());
      QTRY_COMPARE(window->bridge()->run(waited)->state, engine::RunState::cancelled);
      for (engine::RunId id : {worked, archived})
        QCOMPARE(window->bridge()->run(id)->state, engine::RunState::interrupted);
    }
    auto window = desk.open();
    QVERIFY(window->bridge()->queue().empty());
    QVERIFY(!window->findChild<ui::WaitingLine*>()->isVisible());
  }

  void a_second_plot_shares_the_axis_and_the_crosshair() {
    Desk desk;
    auto window = desk.open();
    const auto a = finishedRun(*window, shortRecipe("a")), b = finishedRun(*window, shortRecipe("b"));
    window->runPanel()->model()->setChosen({a, b});
    window->showPage(ui::MainWindow::Compare);
    ui::ComparePage* page = window->comparePage();
    page->showCurvesOf("hybrid");
    QVERIFY(!page->curvesBeneath()->isVisible());
    page->showBeneath("training loss");
    QVERIFY(page->curvesBeneath()->isVisible());
    QCOMPARE(page->curvesBeneath()->curves().size(), 2);
    QCOMPARE(page->curves()->rangeX(), page->curvesBeneath()->rangeX());
    for (auto [from, to] : {std::pair(page->curves(), page->curvesBeneath()), std::pair(page->curvesBeneath(), page->curves())}) {
      QTest::keyClick(plotOf(from), Qt::Key_Right);
      QVERIFY(readsOut(from) && readsOut(to));
      plotOf(from)->xAxis->setRange(1, 3);
      QCOMPARE(to->rangeX(), std::pair(1.0, 3.0));
      to->fit();
      QCOMPARE(from->rangeX(), to->rangeX());
    }
    QVERIFY(window->saveScreenshots(test::pictures(), "-beneath", {ui::MainWindow::Compare}));
    page->showBeneath({});
    QVERIFY(!page->curvesBeneath()->isVisible());
  }

  void smoothing_is_drawn_and_remembered() {
    Desk desk;
    engine::RunId id = 0;
    {
      auto window = desk.open();
      id = finishedRun(*window, shortRecipe("smooth"));
      window->runPanel()->select(id);
      window->showPage(ui::MainWindow::Run);
      auto* accuracy = box(window->runPage(), "Smoothing of the accuracy curves");
      auto* training = box(window->runPage(), "Smoothing of the training series");
      QVERIFY(accuracy && training);
      QCOMPARE(accuracy->value(), 0.0);
      QCOMPARE(training->value(), 0.85);
      QCustomPlot* plot = plotOf(window->runPage()->accuracyPlot());
      const int curves = int(window->runPage()->accuracyPlot()->curves().size()), before = plot->graphCount();
      const QString exact = window->runPage()->accuracyPlot()->csv();
      accuracy->setValue(0.5);
      QCOMPARE(plot->graphCount(), before + curves);  // what was measured stays behind each
      QCOMPARE(window->runPage()->accuracyPlot()->csv(), exact);
      window->runPage()->showSeries("learning rate");
      QVERIFY(!training->isEnabled());
      window->close();
    }
    auto window = desk.open();
    QCOMPARE(box(window->runPage(), "Smoothing of the accuracy curves")->value(), 0.5);
    window->runPanel()->model()->setChosen({id});
    window->comparePage()->showCurvesOf("hybrid");
    auto* compared = box(window->comparePage(), "Smoothing of the curves");
    QCOMPARE(compared->value(), 0.5);
    QCOMPARE(plotOf(window->comparePage()->curves())->graphCount(), 4);  // line, measured, two edges of the interval
    compared->setValue(0);
    QCOMPARE(plotOf(window->comparePage()->curves())->graphCount(), 3);
  }

  void least_and_greatest_are_drawn_and_exported() {
    Desk desk;
    auto window = desk.open();
    std::vector<engine::RunId> ids;
    engine::Recipe recipe = shortRecipe("seeded");
    for (recipe.seed = 0; recipe.seed < 3; ++recipe.seed) ids.push_back(finishedRun(*window, recipe));
    window->runPanel()->model()->setChosen(ids);
    window->showPage(ui::MainWindow::Compare);
    ui::ComparePage* page = window->comparePage();
    page->showCurvesOf("hybrid");
    page->groupBy({.by = "setting", .spread = ui::Grouping::Spread::range});
    QCOMPARE(page->curves()->curves().size(), 3);
    const QString id = page->curves()->curves()[0];
    const double mean = page->curves()->points(id).back().y;
    QVERIFY(page->curves()->points(id + " min").back().y < mean);
    QVERIFY(page->curves()->points(id + " max").back().y > mean);
    QVERIFY(page->curves()->csv().contains("spread,spread_is\n") && page->curves()->csv().contains("min–max"));
    bool named = false;
    for (QLabel* label : page->findChildren<QLabel*>()) named = named || label->text() == "bands of groups: min–max";
    QVERIFY(named);
    QVERIFY(window->saveScreenshots(test::pictures(), "-range", {ui::MainWindow::Compare}));
    page->groupBy({.by = "setting", .spread = ui::Grouping::Spread::interval});
    QCOMPARE(page->curves()->curves().size(), 1);
    QVERIFY(page->curves()->csv().contains("half_width_95"));
  }

  void the_estimates_fit_in_a_small_window() {
    Desk desk;
    auto window = desk.open();
    window->resize(1280, 800);
    window->composePage()->choosePreset("ssd");
    QTRY_VERIFY_WITH_TIMEOUT(window->composePage()->estimateText().contains("trainable parameters"), 20000);
    QScrollArea* whole = nullptr;
    for (auto* scroll : window->composePage()->findChildren<QScrollArea*>(QString(), Qt::FindDirectChildrenOnly)) whole = scroll;
    QVERIFY(whole);
    QTRY_COMPARE(whole->verticalScrollBar()->maximum(), 0);
  }
};

QTEST_MAIN(TestRunList)
#include "tst_run_list.moc"
