#include <QLineEdit>
#include <QTest>

#include "ui/forms/schedule_editor.h"
#include "ui/forms/step_lane.h"
#include "ui/theme.h"

class TestScheduleEditor : public QObject {
  Q_OBJECT

  struct Setting {
    ui::RecipeDocument document;
    ui::ScheduleEditor editor{&document};
    Setting() {
      engine::Recipe recipe = engine::presets().front().recipe;
      recipe.stages[1].epochs = 5;
      recipe.stages[1].schedule.dropout = {0.9, 0.75, 0.5};
      recipe.stages[1].schedule.window = {};
      document.open(recipe);
      editor.resize(900, 320);
      editor.show();
      QVERIFY(QTest::qWaitForWindowExposed(&editor));
    }
    ui::StepLane* lane(const char* name) { return editor.findChild<ui::StepLane*>(name); }
    const engine::ScheduleSpec& schedule() { return document.recipe().stages[1].schedule; }
    void drag(ui::StepLane* lane, int epoch, double to) {
      const QPoint from = lane->handleAt(epoch).toPoint();
      const QPoint end = lane->pixelFor(epoch, to).toPoint();
      QTest::mousePress(lane, Qt::LeftButton, {}, from);
      for (int i = 1; i <= 6; ++i) QTest::mouseMove(lane, from + (end - from) * i / 6);
      QTest::mouseRelease(lane, Qt::LeftButton, {}, end);
    }
  };

 private Q_SLOTS:
  void initTestCase() { ui::applyTheme(ui::Scheme::light); }

  void a_drag_is_one_command_and_snaps() {
    Setting s;
    s.drag(s.lane("dropout lane"), 1, 0.31);
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.9, 0.3, 0.5}));
    QCOMPARE(s.document.undoStack()->count(), 1);
    s.document.undoStack()->undo();
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.9, 0.75, 0.5}));
    s.document.undoStack()->redo();
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.9, 0.3, 0.5}));
  }

  void dragging_a_held_step_writes_the_list_up_to_it() {
    Setting s;
    s.drag(s.lane("dropout lane"), 4, 0.2);
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.9, 0.75, 0.5, 0.5, 0.2}));
  }

  void the_chosen_epoch_is_placed_in_steps_tokens_and_time() {
    Setting s;
    const engine::Recipe& recipe = s.document.recipe();
    const auto transfer = engine::steps_per_epoch(recipe, recipe.stages[0]) * recipe.stages[0].epochs;
    const auto epoch = engine::steps_per_epoch(recipe, recipe.stages[1]);
    s.editor.setEpoch(1);
    const QString steps = QString("steps %L1–%L2 of %L3").arg(qint64(transfer + epoch + 1)).arg(qint64(transfer + 2 * epoch)).arg(qint64(transfer + 5 * epoch));
    QVERIFY2(s.editor.placeText().contains(steps) && s.editor.placeText().contains("Epoch 2"), qPrintable(s.editor.placeText()));
    QVERIFY(!s.editor.placeText().contains("about"));
    s.editor.setSecondsPerToken(1e-3);
    QVERIFY(s.editor.placeText().contains("about"));
    s.editor.addEpoch();
    QVERIFY(s.editor.placeText().contains(QString("of %L1,").arg(qint64(transfer + 6 * epoch))));
  }

  void windows_snap_to_powers_of_two() {
    Setting s;
    s.drag(s.lane("window lane"), 0, 9);
    QCOMPARE(s.schedule().window, std::vector<std::int64_t>{8});
    QCOMPARE(s.document.undoStack()->count(), 1);
  }

  void a_click_without_moving_changes_nothing() {
    Setting s;
    s.drag(s.lane("dropout lane"), 2, 0.5);
    QCOMPARE(s.document.undoStack()->count(), 0);
    QCOMPARE(s.editor.epoch(), 2);
  }

  void arrows_move_the_chosen_step() {
    Setting s;
    ui::StepLane* lane = s.lane("dropout lane");
    lane->setFocus();
    QTest::keyClick(lane, Qt::Key_Right);
    QTest::keyClick(lane, Qt::Key_Down);
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.9, 0.7, 0.5}));
    QTest::keyClick(lane, Qt::Key_Delete);
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.9, 0.7}));
    ui::StepLane* windows = s.lane("window lane");
    QTest::keyClick(windows, Qt::Key_Up);
    QCOMPARE(s.schedule().window, (std::vector<std::int64_t>{32, 64}));
  }

  void a_typed_list_is_taken_whole() {
    Setting s;
    auto* line = s.editor.findChild<QLineEdit*>("Dropout list");
    line->setFocus();
    line->selectAll();
    QTest::keyClicks(line, "0.6, 0.2");
    QTest::keyClick(line, Qt::Key_Return);
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.6, 0.2}));
    QCOMPARE(s.document.undoStack()->count(), 1);
    line->selectAll();
    QTest::keyClicks(line, "often");
    QTest::keyClick(line, Qt::Key_Return);
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.6, 0.2}));
    QVERIFY(line->property("problem").toBool());
  }

  void epochs_are_added_and_removed() {
    Setting s;
    s.editor.addEpoch();
    QCOMPARE(s.document.recipe().stages[1].epochs, 6);
    for (int i = 0; i < 4; ++i) s.editor.removeEpoch();
    QCOMPARE(s.document.recipe().stages[1].epochs, 2);
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.9, 0.75}));
    while (s.document.undoStack()->canUndo()) s.document.undoStack()->undo();
    QCOMPARE(s.schedule().dropout, (std::vector<double>{0.9, 0.75, 0.5}));
    QCOMPARE(s.document.recipe().stages[1].epochs, 5);
  }

  void without_a_fine_tuning_stage_there_is_nothing_to_edit() {
    Setting s;
    engine::Recipe recipe = s.document.recipe();
    recipe.stages.clear();
    s.document.change("clear", recipe);
    QVERIFY(!s.lane("dropout lane")->isVisible());
    s.document.undoStack()->undo();
    QVERIFY(s.lane("dropout lane")->isVisible());
  }
};

QTEST_MAIN(TestScheduleEditor)
#include "tst_schedule_editor.moc"
