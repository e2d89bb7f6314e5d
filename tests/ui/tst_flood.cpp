/// Far more points than any run sends: none is lost, and the window is not told of each.

#include <QElapsedTimer>
#include <QFile>
#include <QSignalSpy>

#include "desk.h"
#include "engine/run_store.h"
#include "tests/support/flood.h"
#include "ui/pages/run_page.h"
#include "ui/plots/curve_plot.h"
#include "ui/run_panel.h"

namespace {

constexpr int k_series = 32;
constexpr std::int64_t k_steps = 5000;
constexpr std::size_t k_points = k_series * std::size_t(k_steps);
constexpr int k_wait_ms = 120'000;
constexpr int k_shortest_tick_ms = 38;  ///< the bridge's 40 ms, by a timer that is 5 % exact

std::string seriesName(int s) { return "transfer/layer." + std::to_string(s); }

engine::Recipe recipe() {
  engine::Recipe out;
  out.name = "flood";
  out.stages.emplace_back().kind = "transfer";
  return out;
}

int linesOf(const QString& file) {
  QFile in(file);
  return in.open(QIODevice::ReadOnly) ? int(in.readAll().count('\n')) : -1;
}

}  // namespace

class TestFlood : public QObject {
  Q_OBJECT

  test::Desk desk_;
  std::unique_ptr<ui::MainWindow> window_;
  engine::RunId id_ = 0;

  ui::CurvePlot* plot() const { return window_->runPage()->lossPlot(); }

 private Q_SLOTS:
  void initTestCase() {
    support::Flood what;
    what.series = k_series;
    what.steps = k_steps;
    window_ = desk_.open(support::flood(what));
  }

  void updates_are_few_however_many_points_arrive() {
    QSignalSpy updates(window_->bridge(), &ui::EngineBridge::runUpdated);
    QElapsedTimer clock;
    clock.start();
    const auto id = window_->bridge()->submit(recipe());
    QVERIFY(id);
    id_ = *id;
    window_->runPanel()->select(id_);
    window_->showPage(ui::MainWindow::Run);
    QVERIFY(window_->bridge()->dataWithSeries(id_));
    for (QComboBox* box : window_->runPage()->findChildren<QComboBox*>())
      if (const int at = box->findText("transfer loss by layer"); at >= 0) {
        box->setCurrentIndex(at);
        Q_EMIT box->activated(at);
      }
    const int pictures = plot()->replotCount();
    const auto done = [&] {
      return window_->bridge()->data(id_)->info.state == engine::RunState::done;
    };
    QTRY_VERIFY_WITH_TIMEOUT(done(), k_wait_ms);
    const int most = int(clock.elapsed()) / k_shortest_tick_ms + 2;
    QVERIFY(updates.count() >= 1);
    QVERIFY2(updates.count() <= most, qPrintable(QString("%1 of %2").arg(updates.count()).arg(most)));
    QVERIFY2(plot()->replotCount() - pictures <= most + 10,
             qPrintable(QString("%1 of %2").arg(plot()->replotCount() - pictures).arg(most)));
  }

  void every_point_is_in_the_store() {
    const auto stored = engine::RunReader(desk_.paths.store).series(id_);
    QCOMPARE(stored.size(), std::size_t(k_series));
    for (int s = 0; s < k_series; ++s) {
      const auto& points = stored.at(seriesName(s));
      QCOMPARE(points.size(), std::size_t(k_steps));
      for (std::int64_t step = 1; step <= k_steps; ++step) {
        const engine::SeriesPoint& p = points[std::size_t(step - 1)];
        QVERIFY(p.step == step && p.value == support::flood_value(s, step));
      }
    }
  }

  void every_point_is_on_the_page() {
    const ui::RunData* shown = window_->bridge()->dataWithSeries(id_);
    QVERIFY(shown);
    QCOMPARE(plot()->curves().size(), k_series);
    for (int s = 0; s < k_series; ++s) {
      const ui::CurvePoints& points = shown->series.at(seriesName(s));
      QCOMPARE(points.size(), std::size_t(k_steps));
      QCOMPARE(points.back().y, support::flood_value(s, k_steps));
      QVERIFY(plot()->points(QString::fromStdString(seriesName(s))) == points);
    }
  }

  void the_exported_table_has_a_row_a_point() {
    const QString file = QString::fromStdString((desk_.folder / "every-point.csv").string());
    QVERIFY(plot()->exportTo(file));
    std::size_t stored = 0;
    for (const auto& [name, points] : engine::RunReader(desk_.paths.store).series(id_))
      stored += points.size();
    QCOMPARE(stored, k_points);
    QCOMPARE(linesOf(file), int(stored) + 1);
  }

  /// More events than may wait for the store: from there on the run writes them itself.
  void a_run_that_outruns_the_store_waits_and_loses_nothing() {
    constexpr std::int64_t k_many = 60'000;
    support::TempDir folder;
    const engine::Paths paths{folder / "store.db", folder / "runs", folder / "log.txt",
                              folder / "cache"};
    engine::Session session(paths, support::flood({.series = 1, .steps = k_many}));
    const engine::RunId id = session.submit(recipe());
    std::int64_t points = 0, last = 0;
    bool rising = true;
    QElapsedTimer clock;
    clock.start();
    while (!(session.idle() && !session.wait(std::chrono::milliseconds(0))) &&
           clock.elapsed() < k_wait_ms) {
      session.wait(std::chrono::milliseconds(50));
      for (const engine::Event& event : session.drain()) {
        points += std::holds_alternative<engine::Points>(event.body) ? 1 : 0;
        if (event.seq == 0) continue;
        rising = rising && event.seq == last + 1;
        last = event.seq;
      }
    }
    QVERIFY(rising);
    QCOMPARE(points, k_many);
    QCOMPARE(engine::RunReader(paths.store).series(id).at(seriesName(0)).size(),
             std::size_t(k_many));
  }

  void cleanupTestCase() { window_.reset(); }
};

QTEST_MAIN(TestFlood)
#include "tst_flood.moc"
