#include <qcustomplot.h>

#include <QFile>
#include <QRandomGenerator>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>

#include "ui/plots/curve_plot.h"

namespace {

std::vector<ui::CurvePoint> noisy(int from, int count) {
  std::vector<ui::CurvePoint> out;
  for (int i = from; i < from + count; ++i)
    out.push_back({double(i), std::sin(i * 0.7) + (i == from + count / 2 ? 50.0 : 0.0), 0});
  return out;
}

/// Uneven steps, gaps, intervals.
std::vector<ui::CurvePoint> ragged(QRandomGenerator& random, int count) {
  std::vector<ui::CurvePoint> out;
  double x = random.bounded(100);
  for (int i = 0; i < count; ++i) {
    x += 1 + (random.bounded(40) == 0 ? random.bounded(200) : 0);
    const double y = random.bounded(50) == 0 ? std::nan("") : random.bounded(1000) - 300;
    out.push_back({x, y, random.bounded(3) * 0.5});
  }
  return out;
}

ui::CurveData curveOf(const std::vector<ui::CurvePoint>& points) {
  ui::CurveData out;
  for (const ui::CurvePoint& p : points) out.append(p);
  return out;
}

/// What of `points` within [x0, x1] the kept ones do not show: a value beyond all that are kept less
/// than a column away, a gap without one of its own there, or what leads to an end.
QStringList missing(const std::vector<ui::CurvePoint>& kept,
                    const std::vector<ui::CurvePoint>& points, double x0, double x1, int columns) {
  QStringList out;
  const double column = (x1 - x0) / columns;
  double first = NAN, last = NAN;
  for (const ui::CurvePoint& p : points) {
    if (p.x < x0 || p.x > x1) continue;
    if (std::isnan(first)) first = p.x;
    last = p.x;
    bool lower = false, higher = false, gap = false;
    for (const ui::CurvePoint& k : kept) {
      if (std::abs(k.x - p.x) >= column && k.x != p.x) continue;
      lower = lower || k.y <= p.y;
      higher = higher || k.y >= p.y;
      gap = gap || std::isnan(k.y);
    }
    if (std::isnan(p.y) ? !gap : !lower || !higher)
      out << QString("%1 at %2").arg(p.y).arg(p.x);
  }
  if (last >= first && (kept.front().x > first || kept.back().x < last)) out << "an end";
  return out;
}

double lowestBound(const std::vector<ui::CurvePoint>& points, double x0, double x1) {
  double low = INFINITY;
  for (const ui::CurvePoint& p : points)
    if (p.x >= x0 && p.x <= x1 && std::isfinite(p.y)) low = std::min(low, p.y - p.err);
  return low;
}

ui::CurveSpec spec(const QString& id, bool band = false) {
  return {id, id, [](ui::Scheme s) { return ui::componentStyle("hybrid", s); }, band, 0};
}

}  // namespace

class TestCurvePlot : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { ui::applyTheme(ui::Scheme::light); }

  void many_points_in_one_turn_cause_one_replot() {
    ui::CurvePlot plot("p", "x", "y");
    plot.resize(700, 300);
    plot.show();
    QVERIFY(QTest::qWaitForWindowExposed(&plot));
    plot.setCurve(spec("a"));
    QTest::qWait(60);
    const int before = plot.replotCount();
    for (int i = 0; i < 10'000; ++i) plot.append("a", {{double(i), double(i % 7), 0}});
    QTRY_COMPARE(plot.replotCount(), before + 1);
    QTest::qWait(60);
    QCOMPARE(plot.points("a").size(), std::size_t(10'000));
    QCOMPARE(plot.replotCount(), before + 1);
  }

  void a_spike_survives_thinning() {
    const auto kept = curveOf(noisy(0, 1'000'000)).thin(0, 1'000'000, 800);
    QVERIFY(kept.size() <= 4u * 801u);
    double top = 0;
    for (const auto& p : kept) top = std::max(top, p.y);
    QVERIFY(top > 49);
    QCOMPARE(kept.front().x, 0.0);
    QCOMPARE(kept.back().x, 999'999.0);
  }

  void a_gap_survives_thinning() {
    auto points = noisy(0, 100'000);
    points[50'001].y = std::nan("");
    const auto kept = curveOf(points).thin(0, 100'000, 500);
    QVERIFY(std::any_of(kept.begin(), kept.end(), [](const auto& p) { return std::isnan(p.y); }));
  }

  void nothing_is_lost_that_is_wider_than_a_column() {
    QRandomGenerator random(11);
    for (int round = 0; round < 60; ++round) {
      const auto points = ragged(random, 1 + random.bounded(9000));
      const ui::CurveData curve = curveOf(points);
      const double x0 = points.front().x + random.bounded(50) - 25;
      const double x1 = x0 + 1 + random.bounded(int(points.back().x - points.front().x) + 50);
      const int columns = 1 + random.bounded(120);
      const auto kept = curve.thin(x0, x1, columns);
      QCOMPARE(missing(kept, points, x0, x1, columns), QStringList());
      QVERIFY(std::all_of(kept.begin(), kept.end(), [&](const auto& k) {
        return std::any_of(points.begin(), points.end(), [&](const auto& p) {
          return p.x == k.x && (p.y == k.y || (std::isnan(p.y) && std::isnan(k.y)));
        });
      }));
      QVERIFY(std::is_sorted(kept.begin(), kept.end(),
                             [](const auto& a, const auto& b) { return a.x < b.x; }));
      const auto range = curve.rangeY(x0, x1, ui::CurveData::Values::with_intervals);
      QCOMPARE(range ? range->low : INFINITY, lowestBound(points, x0, x1));
    }
  }

  void a_curve_that_goes_back_is_as_if_it_had_not() {
    QRandomGenerator random(5);
    auto points = ragged(random, 5000);
    ui::CurveData curve = curveOf(points);
    ui::MovingAverage average(0.85);
    average.follow(curve.points());
    QCOMPARE(average.data().points().size(), points.size());
    points.resize(1234);
    points.push_back({points.back().x + 0.5, 77, 0});
    curve.append(points.back());
    QVERIFY(std::equal(points.begin(), points.end(), curve.points().begin(), curve.points().end(),
                       [](const auto& a, const auto& b) { return a.x == b.x; }));
    const double end = points.back().x;
    QCOMPARE(missing(curve.thin(0, end, 40), points, 0, end, 40), QStringList());
  }

  void zoom_is_not_undone_by_new_points() {
    ui::CurvePlot plot("p", "x", "y");
    plot.resize(700, 300);
    plot.setCurve(spec("a"));
    plot.setPoints("a", noisy(0, 1000));
    plot.fit();
    QVERIFY(plot.rangeX().second >= 999);
    plot.setRangeX(100, 200, true);
    plot.append("a", curveOf(noisy(1000, 1000)).points());
    QTest::qWait(30);
    QCOMPARE(plot.rangeX().first, 100.0);
    QCOMPARE(plot.rangeX().second, 200.0);
    plot.fit();
    QVERIFY(plot.following());
    QVERIFY(plot.rangeX().second >= 1999);
  }

  void the_wheel_zooms_and_stops_following() {
    ui::CurvePlot plot("p", "x", "y");
    plot.resize(700, 300);
    plot.show();
    QVERIFY(QTest::qWaitForWindowExposed(&plot));
    plot.setCurve(spec("a"));
    plot.setPoints("a", noisy(0, 1000));
    QTest::qWait(30);
    QWidget* inner = plot.childAt(plot.plotArea().center());
    QWheelEvent wheel(QPointF(plot.plotArea().center()),
                      QPointF(plot.mapToGlobal(plot.plotArea().center())), {}, QPoint(0, 240),
                      Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
    QApplication::sendEvent(inner, &wheel);
    QVERIFY(!plot.following());
  }

  void the_read_out_is_the_stored_value() {
    ui::CurvePlot plot("p", "x", "y");
    plot.setScaleY(1, 3);
    plot.setCurve(spec("a"));
    plot.setPoints("a", {{0, 1.0, 0}, {10, 2.3456, 0}, {20, 3.0, 0}});
    QCOMPARE(plot.readOut(12), "a 2.346");
  }

  void every_point_is_exported() {
    QTemporaryDir folder;
    ui::CurvePlot plot("p", "x", "y");
    plot.resize(700, 300);
    plot.setCurve(spec("a", true));
    plot.setPoints("a", noisy(0, 5000));
    plot.fit();
    for (const char* kind : {"png", "svg", "pdf", "csv"}) {
      const QString file = folder.filePath(QString("figure.") + kind);
      QVERIFY2(plot.exportTo(file), kind);
      QVERIFY2(QFile(file).size() > 500, kind);
    }
    QCOMPARE(plot.csv().count('\n'), 5001);
    QVERIFY(!plot.exportTo("/no/such/folder/figure.csv"));
  }

  void long_series_are_drawn_by_few_points() {
    ui::CurvePlot plot("p", "x", "y");
    plot.resize(1200, 700);
    plot.show();
    QVERIFY(QTest::qWaitForWindowExposed(&plot));
    for (int k = 0; k < 32; ++k) {
      plot.setCurve(spec(QString::number(k)));
      plot.setPoints(QString::number(k), noisy(0, 20'000));
    }
    QTest::qWait(50);
    plot.fit();
    auto* drawing = plot.findChild<QCustomPlot*>();
    QVERIFY(drawing);
    int drawn = 0;
    for (int g = 0; g < drawing->graphCount(); ++g) drawn += drawing->graph(g)->data()->size();
    QVERIFY(drawn >= 32 * 1000);
    QVERIFY2(drawn <= 32 * (4 * plot.width() + 2), qPrintable(QString("%1 points").arg(drawn)));
  }
};

QTEST_MAIN(TestCurvePlot)
#include "tst_curve_plot.moc"
