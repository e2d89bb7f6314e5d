#include <QtTest>
#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "engine/eval/intervals.h"
#include "engine/random.h"

using namespace engine;
using Json = nlohmann::json;

namespace {

Json golden() {
  std::ifstream in(EQUIPOISE_SOURCE_DIR "/tests/golden/intervals.json");
  return Json::parse(in);
}

bool near(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance * std::max(1.0, std::abs(b)); }
using Doubles = std::vector<double>;
using Ids = std::vector<std::int64_t>;

}  // namespace

class TstIntervals : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void student_equals_scipy();
  void seeds_get_scipys_t_interval();
  void means_get_statsmodels_clustered_interval();
  void mcnemar_equals_statsmodels();
  void holm_equals_statsmodels();
  void paired_bootstrap_is_near_scipys();
  void differences_are_covered_as_often_as_promised_data();
  void differences_are_covered_as_often_as_promised();
  void seeds_are_covered_as_often_as_promised();
  void no_difference_seen_is_not_none();
  void examples_needed_would_decide();
};

void TstIntervals::student_equals_scipy() {
  for (const auto& row : golden().at("student")) {
    const Doubles x = row;
    QVERIFY2(near(student_quantile(x[1], x[0]), x[2], 1e-9), qPrintable(QString("%1 at %2").arg(x[0]).arg(x[1])));
    QVERIFY(near(student_quantile(1 - x[1], x[0]), -x[2], 1e-9));
    QVERIFY(near(student_cdf(x[3], x[0]), x[4], 1e-12));
  }
}

void TstIntervals::seeds_get_scipys_t_interval() {
  for (const auto& row : golden().at("t_interval")) {
    const Estimate e = t_interval(row[0].get<Doubles>());
    QVERIFY(near(e.value, row[1], 1e-12) && near(e.low, row[2], 1e-9) && near(e.high, row[3], 1e-9));
  }
  QCOMPARE(t_interval({0.5}).half(), 0.0);
}

void TstIntervals::means_get_statsmodels_clustered_interval() {
  for (const auto& row : golden().at("mean_interval")) {
    const Estimate e = mean_interval(row[0].get<Doubles>(), row[1].get<Ids>(), false);
    QVERIFY(near(e.value, row[2], 1e-12) && near(e.low, row[3], 1e-9) && near(e.high, row[4], 1e-9));
  }
}

void TstIntervals::mcnemar_equals_statsmodels() {
  for (const auto& row : golden().at("mcnemar")) QVERIFY(near(mcnemar_exact(row[0], row[1]), row[2], 1e-10));
}

void TstIntervals::holm_equals_statsmodels() {
  for (const auto& row : golden().at("holm")) {
    const Doubles found = holm(row[0].get<Doubles>()), expected = row[1];
    for (std::size_t i = 0; i < expected.size(); ++i) QVERIFY(near(found[i], expected[i], 1e-12));
  }
  QVERIFY(holm({}).empty());
}

void TstIntervals::paired_bootstrap_is_near_scipys() {
  for (const auto& row : golden().at("paired")) {
    const Paired p = paired_comparison(row[0].get<Doubles>(), row[1].get<Doubles>(), row[2].get<Ids>(), true);
    QVERIFY(near(p.difference.value, row[3], 1e-12));
    QVERIFY2(std::abs(p.difference.half() / row[4].get<double>() - 1) < 0.08, "1,000 draws: 2.2 % spread");
    QCOMPARE(p.only_a, row[5].get<std::int64_t>());
    QCOMPARE(p.only_b, row[6].get<std::int64_t>());
    QCOMPARE(p.p, mcnemar_exact(p.only_a, p.only_b));
  }
}

void TstIntervals::differences_are_covered_as_often_as_promised_data() {
  QTest::addColumn<int>("clusters");
  QTest::addColumn<int>("each");
  QTest::newRow("300 examples") << 300 << 1;
  QTest::newRow("24 documents of 12 questions") << 24 << 12;
  QTest::newRow("12 documents of 40 questions") << 12 << 40;
}

/// Two components right with probabilities that share a document's difficulty; the true Δ is known.
void TstIntervals::differences_are_covered_as_often_as_promised() {
  QFETCH(int, clusters);
  QFETCH(int, each);
  const int draws = 2000;
  int covered = 0;
  for (int s = 0; s < draws; ++s) {
    const CounterRng rng(static_cast<std::uint64_t>(s), Stream::sampling, 1);
    std::uint64_t next = 0;
    Doubles a, b;
    Ids cluster;
    for (int c = 0; c < clusters; ++c) {
      const double easy = 0.2 * rng.uniform(next++), helped = 0.3 * rng.uniform(next++);  // means 0.1 and 0.15
      for (int i = 0; i < each; ++i) {
        const double u = rng.uniform(next++);  // the same question for both
        a.push_back(u < 0.5 + easy + helped);
        b.push_back(u < 0.5 + easy);
        cluster.push_back(c);
      }
    }
    const Estimate e = paired_comparison(a, b, cluster, true).difference;
    covered += e.low <= 0.15 && 0.15 <= e.high;
  }
  const double share = covered / double(draws);
  QVERIFY2(share > 0.93 && share < 0.97, qPrintable(QString::number(share)));
}

void TstIntervals::seeds_are_covered_as_often_as_promised() {
  int covered = 0;
  for (int s = 0; s < 2000; ++s) {
    const CounterRng rng(static_cast<std::uint64_t>(s), Stream::sampling, 2);
    Doubles x;
    for (std::uint64_t i = 0; i < 3; ++i) x.push_back(0.2 + 0.05 * rng.normal(i));
    const Estimate e = t_interval(x);
    covered += e.low <= 0.2 && 0.2 <= e.high;
  }
  QVERIFY2(covered > 1860 && covered < 1940, qPrintable(QString::number(covered)));
}

void TstIntervals::no_difference_seen_is_not_none() {
  const Doubles same(40, 1.0);
  const Paired p = paired_comparison(same, same, {}, true);
  QCOMPARE(p.difference.value, 0.0);
  QCOMPARE(p.difference.high, 0.075);  // the rule of three
  QCOMPARE(p.p, 1.0);
  QCOMPARE(mean_interval(same, {}, true).low, 1 - 0.075);
  QCOMPARE(paired_comparison({}, {}, {}, true).difference.n, 0);
  QCOMPARE(paired_comparison({1, 0, 1}, {0, 0, 1}, {4, 4, 4}, true).difference.high, 1.0);  // one document says nothing about others
}

void TstIntervals::examples_needed_would_decide() {
  QCOMPARE(examples_needed({0.1, 0.05, 0.15, 100}, 0.02), 0);    // above 0 already
  QCOMPARE(examples_needed({0.001, -0.01, 0.012, 900}, 0.02), 0);  // within the margin already
  const Estimate open{0.03, -0.03, 0.09, 100};                    // half 0.06, must shrink to 0.03
  QCOMPARE(examples_needed(open, 0.02), 400);
  const Estimate near_zero{0, -0.06, 0.06, 100};                  // half must shrink to 0.02
  QCOMPARE(examples_needed(near_zero, 0.02), 900);
}

QTEST_APPLESS_MAIN(TstIntervals)
#include "tst_intervals.moc"
