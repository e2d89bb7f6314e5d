#include <QtTest>
#include <cmath>

#include "engine/data/scoring.h"
#include "engine/eval/statistics.h"

using namespace engine;

namespace {

EvalTask task_of(const std::string& name, const std::string& group, int n) {
  EvalTask t;
  t.name = name;
  t.family = "f";
  t.group = group;
  for (int i = 0; i < n; ++i) {
    EvalExample e;
    e.doc_id = e.cluster = i;
    t.examples.push_back(e);
  }
  return t;
}

const Score& find(const std::vector<Score>& scores, const std::string& component, const std::string& task) {
  for (const auto& s : scores)
    if (s.component == component && s.task == task) return s;
  throw std::runtime_error(std::string(component).append(" ").append(task));
}

}  // namespace

class TstStatistics : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void the_likeliest_choice_counts_and_length_normalises();
  void stderr_is_the_harnesss();
  void averages_are_over_tasks_and_groups();
  void equal_outcomes_have_a_difference_of_exactly_zero();
  void paired_bootstrap_is_near_the_closed_form();
};

void TstStatistics::the_likeliest_choice_counts_and_length_normalises() {
  const std::vector<double> sums{-10, -12}, equal{-3, -3};
  const std::vector<std::int64_t> characters{5, 12};
  QVERIFY(score_choices(sums, characters, 1).acc == 0);
  QVERIFY(score_choices(sums, characters, 1).acc_norm == 1);
  QVERIFY(score_choices(equal, {}, 0).acc == 1);  // the first of equals
}

void TstStatistics::stderr_is_the_harnesss() {
  const std::vector<EvalTask> tasks{task_of("a", "", 4)};
  const auto s = summarise(tasks, {{"hybrid", {{{1, 0, 1, 1}, {}, {}, {}}}}});
  QCOMPARE(find(s, "hybrid", "a").value, 0.75);
  QVERIFY(std::abs(find(s, "hybrid", "a").stderr_ - 0.25) < 1e-12);  // sd of {1,0,1,1} is 0.5; over √4
}

void TstStatistics::averages_are_over_tasks_and_groups() {
  const std::vector<EvalTask> tasks{task_of("a", "local", 2), task_of("b", "far", 4)};
  const auto s = summarise(tasks, {{"hybrid", {{{1, 1}, {}, {}, {}}, {{0, 0, 0, 1}, {}, {}, {}}}}});
  QCOMPARE(find(s, "hybrid", "local").value, 1.0);
  QCOMPARE(find(s, "hybrid", "far").value, 0.25);
  QCOMPARE(find(s, "hybrid", "all").value, 0.625);  // tasks weigh equally, whatever their size
}

void TstStatistics::equal_outcomes_have_a_difference_of_exactly_zero() {
  const std::vector<EvalTask> tasks{task_of("a", "", 6)};
  const ComponentResult::TaskResult r{{1, 0, 1, 0, 0, 1}, {}, {}, {}};
  const auto s = summarise(tasks, {{"hybrid", {r}}, {"swa", {r}}});
  QCOMPARE(find(s, "delta_h_swa", "all").value, 0.0);
  QCOMPARE(find(s, "delta_h_swa", "all").stderr_, 0.0);
}

void TstStatistics::paired_bootstrap_is_near_the_closed_form() {
  const int n = 400;
  const std::vector<EvalTask> tasks{task_of("a", "", n)};
  ComponentResult::TaskResult h, w;
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    h.acc.push_back(i % 3 != 0);
    w.acc.push_back(i % 5 < 2);
    const double d = h.acc.back() - w.acc.back();
    sum += d;
    squares += d * d;
  }
  const double mean = sum / n, closed = std::sqrt((squares / n - mean * mean) / n);
  const auto s = summarise(tasks, {{"hybrid", {h}}, {"swa", {w}}});
  QVERIFY(std::abs(find(s, "delta_h_swa", "all").value - mean) < 1e-12);
  QVERIFY(std::abs(find(s, "delta_h_swa", "all").stderr_ / closed - 1) < 0.1);  // 1,000 draws: about 2 % spread
}

QTEST_APPLESS_MAIN(TstStatistics)
#include "tst_statistics.moc"
