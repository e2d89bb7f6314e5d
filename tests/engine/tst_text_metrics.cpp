#include <QtTest>

#include <cmath>

#include "engine/data/difflib.h"
#include "engine/data/rouge.h"
#include "engine/data/text_metrics.h"
#include "engine/error.h"

using engine::InputError;
using engine::Json;
using engine::TaskExample;

namespace {

TaskExample answered(std::vector<std::string> answers, std::vector<std::string> classes = {}) {
  TaskExample out;
  out.answers = std::move(answers);
  out.classes = std::move(classes);
  return out;
}

double score(const std::string& metric, const std::string& output, const std::string& answer) {
  return engine::generation_score(metric, output, answered({answer}));
}

}  // namespace

class TextMetricsTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void scores_equal_the_python_packages_data();
  void scores_equal_the_python_packages();
  void the_best_answer_counts();
  void articles_and_signs_do_not_count();
  void of_several_common_subsequences_the_packages_one_is_taken();
  void frequent_characters_begin_no_match();
  void no_answer_scores_nothing();
  void metrics_refuse_what_they_cannot_read();
  void outputs_end_before_their_first_stop();
  void hostile_texts_end_in_a_number();
};

void TextMetricsTest::scores_equal_the_python_packages_data() {
  QTest::addColumn<QString>("metric");
  for (const auto& name : engine::generation_metrics())
    QTest::newRow(name.c_str()) << QString::fromStdString(name);
}

void TextMetricsTest::scores_equal_the_python_packages() {
  QFETCH(QString, metric);
  const auto golden =
      engine::read_json(std::string(EQUIPOISE_SOURCE_DIR) + "/tests/golden/text_metrics.json");
  int compared = 0;
  for (const auto& one : (*golden.root)["cases"]) {
    if (one["metric"] != metric.toStdString()) continue;
    const auto example = answered(one["answers"].get<std::vector<std::string>>(),
                                  one["classes"].get<std::vector<std::string>>());
    const double found =
        engine::generation_score(metric.toStdString(), one["output"].get<std::string>(), example);
    const double wanted = one["score"].get<double>();
    QVERIFY2(std::abs(found - wanted) < 1e-12,
             qPrintable(QString("%1 for %2, expected %3")
                            .arg(found)
                            .arg(QString::fromStdString(one.dump()))
                            .arg(wanted)));
    ++compared;
  }
  QVERIFY2(compared >= 30, qPrintable(QString::number(compared)));
}

void TextMetricsTest::the_best_answer_counts() {
  QCOMPARE(engine::generation_score("f1", "Paris", answered({"London", "the Paris."})), 1.0);
  QCOMPARE(engine::generation_score("em", "Rome", answered({"London", "Paris"})), 0.0);
}

void TextMetricsTest::articles_and_signs_do_not_count() {
  QCOMPARE(score("em", " The  well-known cat! ", "wellknown cat"), 1.0);
  QCOMPARE(score("f1", "an apple", "apple pie"), 2.0 / 3);
  // A combining accent is no word character for Python, so the article before it goes.
  QCOMPARE(score("em", "a\xCC\x81", "\xCC\x81"), 1.0);
}

void TextMetricsTest::of_several_common_subsequences_the_packages_one_is_taken() {
  // "a b" and "b a": one word each way; united over both output sentences they are two.
  const double f = 2.0 * (1.0 / (2.0 + 1e-8));
  QVERIFY(std::abs(engine::rouge_package_l("b. a", "a b") - f) < 1e-12);
  QVERIFY(engine::rouge_package_l("b a", "a b") < 0.51);
}

void TextMetricsTest::frequent_characters_begin_no_match() {
  const std::string spaces(300, ' ');
  QCOMPARE(engine::difflib_ratio("x" + spaces, spaces), 0.0);
  QCOMPARE(engine::difflib_ratio("abcd", "bcde"), 0.75);
  QCOMPARE(score("code_similarity", "# comment\n\nreturn x\n", "return x"), 1.0);
}

void TextMetricsTest::no_answer_scores_nothing() {
  for (const auto& metric : engine::generation_metrics())
    QCOMPARE(engine::generation_score(metric, "text", answered({})), 0.0);
  QCOMPARE(score("rouge_l", "", "words"), 0.0);
  QCOMPARE(score("code_similarity", "# only a comment", "x"), 0.0);
}

void TextMetricsTest::metrics_refuse_what_they_cannot_read() {
  QVERIFY_THROWS_EXCEPTION(InputError, score("bleu", "x", "x"));
  QVERIFY_THROWS_EXCEPTION(InputError, score("retrieval", "Paragraph 3", "3"));
}

void TextMetricsTest::outputs_end_before_their_first_stop() {
  engine::TaskDefinition task;
  task.until = {"\n", "Question:"};
  QCOMPARE(engine::scored_output(task, " yes Question: no\nmore"), std::string(" yes "));
  QCOMPARE(engine::scored_output(task, "\nmore"), std::string());
  task.if_empty = "Unanswerable";
  QCOMPARE(engine::scored_output(task, " \nmore"), std::string("Unanswerable"));
  QCOMPARE(engine::scored_output({}, "a\nb"), std::string("a\nb"));
}

void TextMetricsTest::hostile_texts_end_in_a_number() {
  const std::string words = [] {
    std::string out;
    for (int i = 0; i < 20000; ++i) out += std::to_string(i % 97) + " ";
    return out;
  }();
  const std::vector<std::string> texts{"",
                                       std::string(100000, 'a'),
                                       std::string(50000, '.'),
                                       words,
                                       "\xFF\xFE bad",
                                       "a\xCC\x81\xE2\x80\x8D",
                                       "\xEF\xBF\xBF",
                                       std::string(3, '\0')};
  for (const auto& metric : engine::generation_metrics()) {
    if (metric.starts_with("retrieval")) continue;
    for (const auto& output : texts) {
      const double value = engine::generation_score(metric, output.substr(0, 4000),
                                                    answered({words, "a", "."}, {"a", "", "b"}));
      QVERIFY(value >= 0 && value <= 1);
    }
  }
}

QTEST_APPLESS_MAIN(TextMetricsTest)
#include "tst_text_metrics.moc"
