#include <QAction>
#include <QCloseEvent>
#include <QComboBox>
#include <QDockWidget>
#include <QLineEdit>
#include <QMenuBar>
#include <QMessageBox>
#include <QPushButton>
#include <QRandomGenerator>
#include <QTabWidget>
#include <QToolButton>

#include "desk.h"
#include "ui/command_palette.h"
#include "ui/forms/experiment_chooser.h"
#include "ui/forms/run_notes.h"
#include "ui/forms/sweep_dialog.h"
#include "ui/layout_guard.h"
#include "ui/models/run_list_model.h"
#include "ui/run_panel.h"

using test::Desk;
using test::nameless;

namespace {

void collect(const QList<QAction*>& actions, QList<QAction*>& out) {
  for (QAction* action : actions) {
    if (action->menu())
      collect(action->menu()->actions(), out);
    else if (!action->isSeparator())
      out << action;
  }
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

  void a_layout_comes_back_by_its_name() {
    Desk desk;
    {
      auto window = desk.open();
      window->showQueue(true);
      window->saveLayout("queue / side by side");
      window->showQueue(false);
    }
    auto window = desk.open();
    auto* queue = window->findChild<QDockWidget*>("queue dock");
    QVERIFY(queue && queue->isHidden());
    window->useLayout("queue / side by side");
    QVERIFY(!queue->isHidden());
    QSettings settings(desk.settings, QSettings::IniFormat);
    QCOMPARE(ui::LayoutGuard(settings).names(), QStringList{"queue / side by side"});
    ui::LayoutGuard(settings).forget("queue / side by side");
    QVERIFY(ui::LayoutGuard(settings).names().isEmpty());
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
};

QTEST_MAIN(TestWindow)
#include "tst_window.moc"
