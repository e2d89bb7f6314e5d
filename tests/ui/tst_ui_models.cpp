#include <QAbstractItemModelTester>
#include <QSignalSpy>
#include <QTest>

#include "ui/models/ablation_model.h"
#include "ui/models/log_model.h"
#include "ui/models/recipe_document.h"
#include "ui/models/run_data.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/verdict.h"
#include "ui/theme.h"

using engine::RunInfo;
using engine::RunState;

namespace {

constexpr auto k_fatal = QAbstractItemModelTester::FailureReportingMode::QtTest;

RunInfo info(engine::RunId id, const std::string& name, RunState state = RunState::done) {
  RunInfo out;
  out.id = id;
  out.name = name;
  out.state = state;
  out.steps = 5;
  out.total_steps = 10;
  out.recipe = "name: " + name + "\nseed: " + std::to_string(id) + "\n";
  return out;
}

ui::RunData evaluated(const std::string& name, double hybrid, double swa) {
  ui::RunData data;
  data.info = info(1, name);
  data.recipe.name = name;
  data.addEvaluation(10, "hybrid", "all", "acc", hybrid, 0.01, 400);
  data.addEvaluation(10, "swa", "all", "acc", swa, 0.01, 400);
  data.addEvaluation(10, "delta_h_swa", "all", "acc", hybrid - swa, 0.01, 400);
  return data;
}

}  // namespace

class TestUiModels : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void run_list_keeps_rows_that_stay() {
    ui::RunListModel model;
    QAbstractItemModelTester tester(&model, k_fatal);
    model.setRuns({info(3, "c"), info(2, "b"), info(1, "a")});
    QCOMPARE(model.rowCount(), 3);
    QPersistentModelIndex kept = model.indexOf(2);
    model.setRuns({info(4, "d"), info(2, "b2"), info(1, "a")});
    QCOMPARE(model.rowCount(), 3);
    QVERIFY(kept.isValid());
    QCOMPARE(kept.data().toString(), "b2");
    QCOMPARE(model.idAt(0), 4);
    model.setRuns({});
    QCOMPARE(model.rowCount(), 0);
  }

  void ticked_runs_are_chosen() {
    ui::RunListModel model;
    QAbstractItemModelTester tester(&model, k_fatal);
    model.setRuns({info(2, "b"), info(1, "a")});
    QSignalSpy spy(&model, &ui::RunListModel::chosenChanged);
    QVERIFY(model.setData(model.index(1), Qt::Checked, Qt::CheckStateRole));
    QCOMPARE(spy.count(), 1);
    QCOMPARE(model.chosen(), std::vector<engine::RunId>{1});
  }

  void filter_takes_all_words_and_minus_words() {
    ui::RunListModel model;
    ui::RunFilter filter;
    filter.setSourceModel(&model);
    QAbstractItemModelTester tester(&filter, k_fatal);
    model.setRuns({info(3, "ssd-far"), info(2, "ssd-near", RunState::failed), info(1, "lolcats")});
    filter.setWords("ssd");
    QCOMPARE(filter.rowCount(), 2);
    filter.setWords("ssd -near");
    QCOMPARE(filter.rowCount(), 1);
    filter.setWords("failed");
    QCOMPARE(filter.rowCount(), 1);
    filter.setWords("seed: 1");
    QCOMPARE(filter.rowCount(), 1);
    filter.setWords("");
    QCOMPARE(filter.rowCount(), 3);
  }

  void log_keeps_the_newest_lines() {
    ui::LogModel model(100);
    QAbstractItemModelTester tester(&model, k_fatal);
    for (int i = 0; i < 60; ++i) model.add(1, i % 4, QString("line %1").arg(i));
    model.flush();
    QCOMPARE(model.rowCount(), 45);  // a quarter is debug
    for (int i = 60; i < 260; ++i) model.add(1, 1, QString("line %1").arg(i));
    model.flush();
    QCOMPARE(model.rowCount(), 100);
    QVERIFY(model.index(99).data().toString().endsWith("line 259"));
    model.setFilter(0, "line 25");
    QCOMPARE(model.rowCount(), 10);
    model.clear();
    QCOMPARE(model.rowCount(), 0);
  }

  void ablation_table_formats() {
    const ui::RunData a = evaluated("a", 0.8, 0.6);
    const ui::RunData b = evaluated("b_2", 0.7, 0.7);
    ui::AblationModel model;
    QAbstractItemModelTester tester(&model, k_fatal);
    model.setRows(ui::comparedRows({&a, &b}, {"a", "b_2"}),
                  ui::AblationModel::Layout::components, "all");
    QCOMPARE(model.rowCount(), 2);
    QCOMPARE(model.columnCount(), 5);
    QCOMPARE(model.index(0, 1).data().toString(), "80.0 ± 2.0");
    QCOMPARE(model.index(0, 3).data().toString(), "+20.0 ± 2.0");
    QVERIFY(
        model.text(ui::AblationModel::Format::markdown).startsWith("| run | hybrid, % | swa, % |"));
    QVERIFY(model.text(ui::AblationModel::Format::latex).contains("b\\_2 & 70.0 $\\pm$ 2.0"));
    QVERIFY(model.text(ui::AblationModel::Format::csv).contains("\"a\",0.80000000000000004,"));
    QCOMPARE(model.text(ui::AblationModel::Format::tsv).count('\n'), 3);
    model.setRows({}, ui::AblationModel::Layout::components, "all");
  }

  void differences_tell_empty_from_absent() {
    engine::Recipe one = engine::presets().front().recipe;
    engine::Recipe two = one;
    two.stages.pop_back();
    two.stages[0].epochs += 1;
    ui::DifferenceModel model;
    QAbstractItemModelTester tester(&model, k_fatal);
    model.setRecipes({"one", "two"}, {one, two});
    QStringList seen;
    for (int r = 0; r < model.rowCount(); ++r) seen << model.index(r, 2).data().toString();
    QVERIFY(seen.contains("absent"));
    two = one;
    two.stages[1].schedule.dropout.clear();
    model.setRecipes({"one", "two"}, {one, two});
    QCOMPARE(model.rowCount(), 1);
    QCOMPARE(model.index(0, 2).data().toString(), "empty");
  }

  void a_resumed_run_goes_over_its_steps() {
    ui::RunData data;
    data.has_series = true;
    for (std::int64_t step = 1; step <= 10; ++step)
      QVERIFY(data.absorb({1, step, engine::Points{step, {{"train/loss", double(step)}}}}));
    QVERIFY(!data.absorb({1, 5, engine::Points{99, {{"train/loss", 0.0}}}}));
    QVERIFY(data.absorb({1, 11, engine::Points{6, {{"train/loss", -6.0}}}}));
    QCOMPARE(data.series["train/loss"].size(), std::size_t(6));
    QCOMPARE(data.series["train/loss"].back().y, -6.0);
  }

  void verdict_follows_the_intervals_data() {
    QTest::addColumn<double>("value");
    QTest::addColumn<double>("error");
    QTest::addColumn<int>("use");
    QTest::newRow("used") << 0.05 << 0.01 << int(ui::Use::used);
    QTest::newRow("ignored") << 0.001 << 0.004 << int(ui::Use::ignored);
    QTest::newRow("harmful") << -0.05 << 0.01 << int(ui::Use::harmful);
    QTest::newRow("wide") << 0.02 << 0.05 << int(ui::Use::unknown);
  }
  void verdict_follows_the_intervals() {
    QFETCH(double, value);
    QFETCH(double, error);
    QFETCH(int, use);
    ui::RunData run;
    run.addEvaluation(1, "delta_h_swa", "all", "acc", value, error, 100);
    QCOMPARE(int(ui::judge(&run, "all", false).use), use);
    QCOMPARE(int(ui::judge(nullptr, "all", false).use), int(ui::Use::unknown));
  }

  void nothing_is_said_from_few_examples_or_without_exposure() {
    ui::RunData few;
    few.addEvaluation(1, "delta_h_swa", "all", "acc", 0.3, 0.01, 19);
    QCOMPARE(ui::judge(&few, "all", true).headline, "Cannot tell: too few examples");
    ui::RunData inside;
    inside.addEvaluation(1, "delta_h_swa", "all", "acc", 0, 0, 500);
    inside.addEvaluation(1, "delta_la_na", "all", "acc", 0, 0, 500);
    inside.addEvaluation(1, "exposure", "a", "share", 0, 0, 80);
    inside.addEvaluation(1, "exposure", "b", "share", 0, 0, 20);
    QCOMPARE(ui::judge(&inside, "all", true).headline, "Cannot tell: not exposed");
    QVERIFY(!ui::judge(&inside, "all", true).alarm);
    inside.addEvaluation(2, "exposure", "b", "share", 0.5, 0, 20);
    inside.addEvaluation(2, "delta_h_swa", "all", "acc", 0, 0.001, 500);
    QCOMPARE(ui::exposure(inside, "all").value(), 0.1);
    QCOMPARE(ui::judge(&inside, "all", true).headline, "Linear attention is ignored");
  }

  void document_undo_gives_the_same_bytes() {
    ui::RecipeDocument document;
    document.open(engine::presets().front().recipe);
    const std::string start = engine::to_resolved_yaml(document.recipe());
    for (int i = 0; i < 200; ++i) {
      engine::Recipe next = document.recipe();
      next.seed = i + 1;
      next.stages[std::size_t(i) % next.stages.size()].epochs = 1 + i % 5;
      document.change("edit", next);
    }
    const std::string end = engine::to_resolved_yaml(document.recipe());
    while (document.undoStack()->canUndo()) document.undoStack()->undo();
    QCOMPARE(engine::to_resolved_yaml(document.recipe()), start);
    while (document.undoStack()->canRedo()) document.undoStack()->redo();
    QCOMPARE(engine::to_resolved_yaml(document.recipe()), end);
  }

  void text_contrast_is_enough() {
    for (auto scheme : {ui::Scheme::light, ui::Scheme::dark}) {
      const ui::Colors& c = ui::colorsFor(scheme);
      for (const QColor& ink : {c.text, c.secondary, c.accent, c.error, c.warning, c.good})
        for (const QColor& ground : {c.window, c.panel})
          QVERIFY2(ui::contrast(ink, ground) >= 4.5,
                   qPrintable(ink.name() + " on " + ground.name()));
      QVERIFY(ui::contrast(c.on_accent, c.accent) >= 4.5);
    }
  }
};

QTEST_GUILESS_MAIN(TestUiModels)
#include "tst_ui_models.moc"
