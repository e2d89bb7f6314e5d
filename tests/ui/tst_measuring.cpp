/// What is measured from the window, with scripted functions in place of the engine's: settings saved with a run,
/// checkpoints side by side, reports, and the Efficiency page. Pictures of the latter go to screenshots/.

#include <QApplication>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFileInfo>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QSpinBox>
#include <QPushButton>
#include <QTabBar>
#include <QTest>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "engine/bench.h"
#include "engine/diagnose.h"
#include "tests/ui/desk.h"
#include "tests/support/temp_dir.h"
#include "tests/ui/pictures.h"
#include "ui/forms/ablation_grid.h"
#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/models/comparison.h"
#include "ui/models/efficiency.h"
#include "ui/models/head_measures.h"
#include "ui/pages/checkpoint_picker.h"
#include "ui/pages/diagnose_beside.h"
#include "ui/pages/diagnose_page.h"
#include "ui/pages/diagnose_tile.h"
#include "ui/pages/diagnose_views.h"
#include "ui/pages/diagnose_what_if.h"
#include "ui/pages/efficiency_page.h"
#include "ui/plots/log_plot.h"
#include "ui/plots/matrix_view.h"
#include "ui/report_diagnosis.h"

namespace fs = std::filesystem;

namespace {

engine::Estimate estimate(double value, std::int64_t n = 100) { return {value, value - 0.05, value + 0.05, n}; }

/// Two layers of three heads; the share grows with the seed, so that two of them differ.
engine::Diagnosis scripted_diagnosis(const engine::Subject& subject, const engine::DiagnoseOptions& options) {
  engine::Diagnosis d;
  d.name = subject.recipe.name, d.model = "builtin:tiny", d.checkpoint = subject.checkpoint ? subject.checkpoint->filename().string() : "the conversion's start";
  d.seed = subject.recipe.seed, d.window = 64, d.layers = 2, d.heads = 3;
  d.components = {{"hybrid", estimate(0.7), estimate(0.4)}};
  for (std::int64_t l = 0; l < 2; ++l)
    for (std::int64_t h = -1; h < 3; ++h) {
      engine::HeadReport r;
      r.layer = l, r.head = h, r.exposed_share = 0.1 + 0.1 * double(l) + 0.05 * double(h + 1) + 0.1 * double(d.seed);
      d.inside.push_back(r);
    }
  d.verdict = engine::DiagnosisVerdict{"used", "Linear attention is used", "Taking it away changes accuracy.", {}, {}, 100, 60, 0};
  d.verdict->delta_h_swa.difference = d.verdict->delta_la_na.difference = estimate(0.1);
  engine::Exposure task;
  task.task = "recall", task.examples = 100, task.exposed_examples = 60;
  d.exposure = {task};
  if (subject.recipe.name == "supra") d.no_mass = "Does not apply here: attention mass.";
  for (const auto& setting : options.what_if) {
    engine::WhatIfResult r;
    r.setting = setting, r.text = setting.text(), r.all = {setting.component, estimate(0.6), estimate(0.5)}, r.tasks = {{"recall", estimate(0.55), estimate(0.5)}};
    r.seconds = 0.1;
    d.what_if.push_back(r);
  }
  return d;
}

/// Hybrid grows as the length, softmax as its square; they are equal at 2,000 tokens.
std::vector<engine::BenchRow> scripted_bench(const engine::AttentionBench& bench, const engine::BenchOptions& options) {
  std::vector<engine::BenchRow> rows;
  for (auto length : bench.lengths)
    for (const auto& pass : bench.passes) {
      if (options.stop()) throw engine::Cancelled{};
      const double n = double(length) / 1000, times = pass == "forward" ? 1 : 3;
      engine::BenchRow row{"attention", {{"T", length}}, bench.dtype, 2, options.repeats, pass, 4 * n * times, {{"sdpa", 2 * n * n * times}, {"swa", 3 * n * times}},
                           {{"us_per_token", 4 * times}, {"extra_mib", 10 * n}, {"sdpa_extra_mib", 2 * n}, {"swa_extra_mib", 8 * n}}};
      options.row(row);
      rows.push_back(std::move(row));
    }
  return rows;
}

struct Bench {
  support::TempDir folder;
  std::vector<engine::DiagnoseOptions> asked;
  engine::MeasureAttention measure = scripted_bench;
  engine::EvaluateSubject evaluate{};

  std::unique_ptr<ui::MainWindow> open() {
    fs::create_directories(folder / "runs");
    engine::Paths paths{folder / "project.db", folder / "runs", folder / "log.txt", folder / "cache"};
    auto bridge = std::make_unique<ui::EngineBridge>(std::make_unique<engine::Session>(paths, test::execute()), paths.store);
    ui::Looking looking;
    looking.cache = folder / "cache";
    looking.diagnose = [this](const engine::Subject& s, const engine::DiagnoseOptions& o, const engine::Watch&) {
      asked.push_back(o);
      return scripted_diagnosis(s, o);
    };
    looking.bench = measure;
    looking.evaluate = evaluate;
    const QString settings = QString::fromStdString((folder / "settings.ini").string());
    auto window = std::make_unique<ui::MainWindow>(std::move(bridge), std::make_unique<QSettings>(settings, QSettings::IniFormat), std::move(looking));
    window->resize(1280, 800);
    window->show();
    return window;
  }
  engine::RunId runWithCheckpoint(ui::MainWindow& window, const std::string& name, std::int64_t seed) {
    engine::Recipe recipe = test::shortRecipe(name);
    recipe.seed = seed;
    const engine::RunId id = test::finishedRun(window, recipe);
    fs::create_directories(folder / "runs" / std::to_string(id) / "end");
    return id;
  }
};

bool diagnosed(ui::DiagnosePage* page) {
  if (!QTest::qWaitFor([&] { return !page->busy(); }, 20000)) return false;
  page->start();
  return QTest::qWaitFor([&] { return page->shown() && !page->busy(); }, 20000);
}

}  // namespace

class TestMeasuring : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { ui::applyTheme(ui::Scheme::light); }

  void a_setting_is_saved_with_its_run_and_listed_again() {
    Bench bench;
    auto window = bench.open();
    const engine::RunId id = bench.runWithCheckpoint(*window, "first", 1);
    QVERIFY(id);
    window->showPage(ui::MainWindow::Diagnose);
    ui::DiagnosePage* page = window->diagnosePage();
    page->setRun(0);
    QVERIFY(diagnosed(page));
    QVERIFY(!page->whatIf()->save()->isEnabled());
    QVERIFY(page->whatIf()->save()->toolTip().contains("no run"));
    page->setRun(id);
    QVERIFY(page->subject()->step().has_value());
    QVERIFY(diagnosed(page));
    page->showView(ui::DiagnosePage::WhatIf);
    QVERIFY(page->whatIf()->save()->toolTip().contains("Change a control"));
    page->whatIf()->probes()->setCurrentIndex(1);
    page->whatIf()->weight()->setValue(0.3);
    QTRY_VERIFY(!page->busy() && page->whatIf()->tried() && page->whatIf()->tried()->setting.weight == 0.3);
    QCOMPARE(bench.asked.back().probe, std::string("recall"));
    QCOMPARE(bench.asked.back().tasks, std::vector<std::string>{"builtin:all"});
    const auto own = window->bridge()->data(id)->scores;
    const int before = page->whatIf()->table()->rows()->rowCount();
    QTest::mouseClick(page->whatIf()->save(), Qt::LeftButton);
    QTRY_COMPARE(window->bridge()->data(id)->what_ifs.size(), std::size_t(2));
    QTRY_COMPARE(page->whatIf()->table()->rows()->rowCount(), before + 1);
    QCOMPARE(window->bridge()->data(id)->scores.size(), own.size());
    const auto rows = ui::triedRows(*window->bridge()->data(id), "first");
    QCOMPARE(rows.size(), std::size_t(1));
    QVERIFY(rows[0].name.contains("what if hybrid, g 0.3") && rows[0].find("hybrid", "recall") && !rows[0].isPrinted());
    QVERIFY(!rows[0].find("hybrid", "all"));  // one task is no average over all
    page->whatIf()->layers()->setText("hybrid/nonsense");
    page->whatIf()->layers()->setModified(true);
    const auto asked = bench.asked.size();
    page->whatIf()->ask();
    QCOMPARE(bench.asked.size(), asked);
  }

  void checkpoints_stand_side_by_side_on_one_scale() {
    Bench bench;
    auto window = bench.open();
    const engine::RunId first = bench.runWithCheckpoint(*window, "first", 1), second = bench.runWithCheckpoint(*window, "second", 3);
    window->showPage(ui::MainWindow::Diagnose);
    ui::DiagnosePage* page = window->diagnosePage();
    page->setRun(first);
    QVERIFY(diagnosed(page));
    QTest::mouseClick(page->tile(ui::DiagnosePage::Beside), Qt::LeftButton);
    ui::BesideView* beside = page->beside();
    QTRY_VERIFY(beside->picker()->runs()->findData(qint64(second)) >= 0);
    beside->picker()->setRun(second);
    QTest::mouseClick(beside->add(), Qt::LeftButton);
    QTRY_COMPARE(beside->table()->rows()->rowCount(), 2);
    QCOMPARE(beside->matrices().size(), std::size_t(2));
    QCOMPARE(beside->matrices()[0]->matrix().high, beside->matrices()[1]->matrix().high);
    QVERIFY(beside->matrices()[1]->matrix().high >= 0.6);
    for (const char* suffix : {"html", "pdf"}) {
      const fs::path file = bench.folder / (std::string("two.") + suffix);
      QVERIFY(page->exportTo(QString::fromStdString(file.string())));
      QVERIFY(fs::file_size(file) > 2000);
    }
    QVERIFY(!page->exportTo("/nowhere/at/all.pdf"));
    Q_EMIT beside->removeWanted(1);
    QCOMPARE(beside->table()->rows()->rowCount(), 1);
  }

  void what_does_not_apply_is_said_once() {
    Bench bench;
    auto window = bench.open();
    const engine::RunId id = bench.runWithCheckpoint(*window, "supra", 1);
    window->showPage(ui::MainWindow::Diagnose);
    ui::DiagnosePage* page = window->diagnosePage();
    page->setRun(id);
    QVERIFY(diagnosed(page));
    int told = 0;
    for (auto* label : page->findChildren<QLabel*>()) told += label->isVisible() && label->text() == "Does not apply here: attention mass.";
    QCOMPARE(told, 1);
    const ui::Matrix mass = ui::headMatrix(*page->shown(), ui::headMeasures()[2]), share = ui::headMatrix(*page->shown(), ui::headMeasures()[0]);
    QVERIFY(mass.rows == 0 && share.rows == 2);
    page->setRun(0);
    QVERIFY(diagnosed(page));
    for (auto* label : page->findChildren<QLabel*>()) QVERIFY(!label->isVisible() || !label->text().startsWith("Does not apply"));
  }

  void efficiency_is_measured_kept_and_shown_again() {
    Bench bench;
    {
      auto window = bench.open();
      window->showPage(ui::MainWindow::Efficiency);
      ui::EfficiencyPage* page = window->efficiencyPage();
      QVERIFY(!page->shown());
      QVERIFY(test::nameless(page).isEmpty());
      page->lengths()->setText("1000, many");
      QVERIFY(!page->startButton()->isEnabled() && page->startButton()->toolTip().contains("many"));
      page->lengths()->setText("1000, 2000, 4000, 8000");
      QTest::mouseClick(page->startButton(), Qt::LeftButton);
      QTRY_VERIFY(page->shown() && !page->busy());
      QCOMPARE(page->table()->rows()->rowCount(), 8);
      QVERIFY2(page->verdictText().contains("2,000"), qPrintable(page->verdictText()));
      page->showQuantity(2);
      QVERIFY(page->verdictText().contains("more memory"));
      QCOMPARE(page->paperTable()->rows()->rowCount(), 8);
      for (const char* suffix : {"png", "svg", "csv", "json"}) QVERIFY(page->exportTo(QString::fromStdString((bench.folder / (std::string("e.") + suffix)).string())));
      QVERIFY(!page->exportTo("/nowhere/e.png"));
    }
    auto again = bench.open();
    ui::EfficiencyPage* page = again->efficiencyPage();
    QVERIFY(page->shown().has_value());
    QCOMPARE(page->lengths()->text(), "1000, 2000, 4000, 8000");
    QVERIFY(page->verdictText().contains("2,000"));
    page->setBlocked("A run is training");
    QVERIFY(!page->startButton()->isEnabled());
    QCOMPARE(page->startButton()->toolTip(), "A run is training");
    again->showPage(ui::MainWindow::Efficiency);
    page->setBlocked({});
    const QString folder = test::pictures();
    for (int q = 0; q < int(ui::quantities().size()); ++q) {
      page->showQuantity(q);
      QVERIFY(again->saveScreenshots(folder, QString("-%1").arg(q), {ui::MainWindow::Efficiency}));
    }
  }

  void measuring_can_be_stopped() {
    Bench bench;
    std::mutex door;
    std::condition_variable opened;
    bool stopped = false;
    bench.measure = [&](const engine::AttentionBench& b, const engine::BenchOptions& o) {
      std::unique_lock lock(door);
      while (!o.stop()) opened.wait_for(lock, std::chrono::milliseconds(5));
      stopped = true;
      return scripted_bench(b, o);
    };
    auto window = bench.open();
    ui::EfficiencyPage* page = window->efficiencyPage();
    page->start();
    QVERIFY(page->busy() && !page->startButton()->isEnabled());
    page->cancel();
    QTRY_VERIFY(!page->busy());
    QVERIFY(stopped && !page->shown() && page->startButton()->isEnabled());
  }

  void two_measurements_do_not_disturb_each_other() {
    Bench bench;
    std::mutex door;
    std::condition_variable opened;
    bench.measure = [&](const engine::AttentionBench& b, const engine::BenchOptions& o) {
      std::unique_lock lock(door);
      while (!o.stop()) opened.wait_for(lock, std::chrono::milliseconds(5));
      return scripted_bench(b, o);
    };
    auto window = bench.open();
    const engine::RunId id = bench.runWithCheckpoint(*window, "first", 1);
    window->showPage(ui::MainWindow::Diagnose);
    ui::DiagnosePage* page = window->diagnosePage();
    ui::EfficiencyPage* efficiency = window->efficiencyPage();
    page->setRun(id);
    QVERIFY(diagnosed(page));
    const auto asked = bench.asked.size();
    efficiency->start();
    QVERIFY(efficiency->busy());
    page->start();
    page->showView(ui::DiagnosePage::WhatIf);
    page->whatIf()->weight()->setValue(0.3);
    page->whatIf()->ask();
    QVERIFY(!page->busy());
    QCOMPARE(bench.asked.size(), asked);
    const auto lines = page->findChildren<ui::JobLine*>();
    QVERIFY(std::any_of(lines.begin(), lines.end(), [](auto* line) { return line->text().contains("measures times"); }));
    efficiency->cancel();
    QTRY_VERIFY(!efficiency->busy());
    QVERIFY(efficiency->startButton()->isEnabled());
    page->start();
    QVERIFY(page->busy() && !efficiency->startButton()->isEnabled());
    QVERIFY(efficiency->startButton()->toolTip().contains("Diagnose page"));
    QTRY_VERIFY(!page->busy() && efficiency->startButton()->isEnabled());
    QVERIFY(bench.asked.size() > asked);
  }

  void a_grid_is_evaluated_kept_and_gone_on_with() {
    Bench bench;
    std::vector<std::string> evaluated;
    std::atomic<bool> hold = false;
    bench.evaluate = [&](const engine::Subject& s, const fs::path& journal, const engine::Watch& watch) {
      while (hold && !watch.stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (watch.stop.stop_requested()) throw engine::Cancelled();
      evaluated.push_back(journal.parent_path().filename().string() + " " + std::to_string(s.recipe.evaluation.components.size()));
      engine::Evaluated e{0, 64, 0.5, {}};
      for (const auto& c : s.recipe.evaluation.components)
        for (const char* task : {"recall", "all"}) {
          e.scores.push_back({c, task, "acc", 1.0 / 3, 0.01, 30, {}});
          e.scores.push_back({c, task, "acc_norm", 0.9, std::nan(""), 30, {}});
        }
      return e;
    };
    auto window = bench.open();
    const engine::RunId first = bench.runWithCheckpoint(*window, "first", 1), second = bench.runWithCheckpoint(*window, "second", 2);
    QVERIFY(!window->openGrid({}));
    ui::AblationGrid* grid = window->openGrid({first, second});
    QVERIFY(grid && test::nameless(grid).isEmpty());
    QCOMPARE(grid->checkpoints()->count(), 2);  // each folder once, though every stage wrote into it
    QVERIFY(grid->planText().startsWith("2 checkpoints, 0 known"));
    grid->tasks()->setText(" ");
    QVERIFY(!grid->startButton()->isEnabled() && grid->planText() == "Name a task.");
    grid->tasks()->setText("builtin:recall");
    grid->start();
    QTRY_VERIFY(!grid->busy());
    QCOMPARE(grid->table()->rowCount(), 2 * 5);
    QVERIFY(grid->table()->text(ui::AblationModel::Format::markdown).contains("33.3 ± 2.0"));
    QCOMPARE(evaluated, (std::vector<std::string>{std::to_string(first) + " 5", std::to_string(second) + " 5"}));
    QVERIFY(grid->planText().startsWith("2 checkpoints, 2 known"));

    // One component less is another evaluation; the second checkpoint is cancelled, then gone on with.
    grid->components()->item(0)->setCheckState(Qt::Unchecked);
    grid->checkpoints()->item(1)->setCheckState(Qt::Unchecked);
    grid->start();
    QTRY_VERIFY(!grid->busy());
    grid->checkpoints()->item(1)->setCheckState(Qt::Checked);
    QVERIFY(grid->planText().startsWith("2 checkpoints, 1 known"));
    hold = true;
    grid->start();
    QTRY_COMPARE(grid->table()->rowCount(), 4);
    QVERIFY(!window->efficiencyPage()->startButton()->isEnabled());
    grid->cancel();
    QTRY_VERIFY(!grid->busy() && grid->startButton()->isEnabled());
    QCOMPARE(evaluated.size(), std::size_t(3));
    QVERIFY(window->efficiencyPage()->startButton()->isEnabled());
    hold = false;
    grid->start();
    QTRY_VERIFY(!grid->busy());
    QCOMPARE(evaluated.size(), std::size_t(4));
    QCOMPARE(grid->table()->rowCount(), 8);
    QVERIFY(test::pictured(*window, grid, "grid"));
    hold = true;
    grid->components()->item(1)->setCheckState(Qt::Unchecked);
    grid->start();  // closed while it works
    grid->close();
    QTRY_VERIFY(!window->findChild<ui::AblationGrid*>());
  }

  void a_deep_model_s_report_is_not_cut() {
    support::TempDir folder;
    engine::Diagnosis d;
    d.name = "deep";
    d.layers = 100, d.heads = 4;
    for (std::int64_t layer = 0; layer < d.layers; ++layer)
      for (std::int64_t head = -1; head < d.heads; ++head) {
        engine::HeadReport r;
        r.layer = layer, r.head = head, r.share = r.exposed_share = double(layer) / 100;
        d.inside.push_back(r);
      }
    const QString file = QString::fromStdString((folder / "deep.pdf").string());
    ui::writePdfDiagnosis({d}, file);  // asserts that nothing is higher than its page
    QVERIFY(QFileInfo(file).size() > 2000);
  }

  void a_crossover_lies_between_the_lengths_measured() {
    ui::Efficiency e;
    e.bench.lengths = {1000, 8000};
    e.rows = scripted_bench(e.bench, {});
    QVERIFY(std::abs(*ui::crossoverOf(e, ui::quantities()[0]) - 2000) < 1);
    QVERIFY(!ui::crossoverOf(e, ui::quantities()[2]));
    e.when = QDateTime::currentDateTime();
    const auto back = ui::efficiencyFrom(ui::toJson(e));
    QVERIFY(back && back->rows.size() == e.rows.size());
    QCOMPARE(ui::curvesOf(*back, ui::quantities()[3])[1].points, ui::curvesOf(e, ui::quantities()[3])[1].points);
    QVERIFY(!ui::efficiencyFrom("{\"rows\": 3}"));
    QVERIFY(!ui::efficiencyFrom("no JSON"));
  }
};

QTEST_MAIN(TestMeasuring)
#include "tst_measuring.moc"
