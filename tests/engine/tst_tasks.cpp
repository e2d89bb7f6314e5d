#include <QtTest>

#include <cmath>
#include <fstream>

#include <QTemporaryDir>

#include "engine/data/fewshot_sampler.h"
#include "engine/data/json.h"
#include "engine/data/line_reader.h"
#include "engine/data/scoring.h"
#include "engine/data/task_requests.h"
#include "engine/data/tasks.h"
#include "engine/error.h"

#ifndef EQUIPOISE_SHARED_DIR
#define EQUIPOISE_SHARED_DIR ""
#endif

using engine::find_task;
using engine::InputError;
using engine::Json;
using engine::JsonView;
namespace fs = std::filesystem;

namespace {

fs::path shared_data() { return fs::path(EQUIPOISE_SHARED_DIR) / "data"; }

std::vector<Json> logged(const std::string& task) {
  std::vector<Json> out;
  engine::LineReader reader(shared_data() / "lm-eval" / (task + ".0shot.jsonl"));
  std::string_view line;
  while (reader.next(line)) out.push_back(engine::parse_json(line, reader.place()));
  return out;
}

/// Letters as tokens; BOS (29) is added where `bos`.
engine::Tokenizer letters(bool bos) {
  Json json = Json::parse(
      R"({"model":{"type":"BPE","vocab":{" ":0,"ab":27," a":28},"merges":["a b","  a"]},"added_tokens":[
    {"id":29,"content":"<s>","special":true},{"id":30,"content":"</s>","special":true}],"decoder":{"type":"Fuse"}})");
  json["model"]["merges"] = Json::array({Json::array({"a", "b"}), Json::array({" ", "a"})});
  for (char c = 'a'; c <= 'z'; ++c) json["model"]["vocab"][std::string(1, c)] = c - 'a' + 1;
  if (bos) {
    json["post_processor"] = Json::parse(
        R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
      {"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"<s>":{"id":"<s>","ids":[29]}}})");
  }
  return engine::Tokenizer::parse(
      json.dump(), bos ? R"({"bos_token":"<s>","eos_token":"</s>"})" : R"({"eos_token":"</s>"})",
      "letters");
}

#define SKIP_WITHOUT_SHARED()                                                               \
  if (!fs::exists(shared_data() / "lm-eval")) QSKIP("the shared test data are not on this " \
                                                    "machine")

}  // namespace

class TasksTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void strings_equal_the_harness_data();
  void strings_equal_the_harness();
  void mmlu_strings_equal_the_harness();
  void logged_scores_give_the_logged_accuracy_data();
  void logged_scores_give_the_logged_accuracy();
  void every_shared_task_loads_data();
  void every_shared_task_loads();
  void shots_stand_in_file_order_without_the_question();
  void seeded_shots_equal_pythons_sample();
  void hellaswag_traces_are_cleaned();
  void labels_may_be_numbers_or_strings();
  void bad_records_name_file_and_line_data();
  void bad_records_name_file_and_line();
  void unknown_tasks_name_the_nearest();
  void requests_follow_the_joint_encoding();
  void long_requests_lose_their_left();
  void rolling_windows_score_each_token_once();
  void standard_errors_use_n_minus_one();
};

void TasksTest::strings_equal_the_harness_data() {
  QTest::addColumn<QString>("task");
  QTest::addColumn<QString>("split");
  QTest::newRow("piqa") << "piqa"
                        << "validation";
  QTest::newRow("arc_easy") << "arc_easy"
                            << "validation";
  QTest::newRow("hellaswag") << "hellaswag"
                             << "validation";
  QTest::newRow("winogrande") << "winogrande"
                              << "validation";
}

void TasksTest::strings_equal_the_harness() {
  SKIP_WITHOUT_SHARED();
  QFETCH(QString, task);
  QFETCH(QString, split);
  const auto expected = logged(task.toStdString());
  const auto loaded = engine::load_task(*find_task(task.toStdString()), shared_data() / "tasks",
                                        {.split = split.toStdString()});
  QVERIFY(loaded.examples.size() >= expected.size());
  for (const auto& wanted : expected) {
    const auto& found = loaded.examples.at(wanted["doc_id"].get<std::size_t>());
    QCOMPARE(found.target, wanted["target"].is_string() ? wanted["target"].get<std::string>()
                                                        : wanted["target"].dump());
    QCOMPARE(found.requests.size(), wanted["requests"].size());
    for (std::size_t i = 0; i < found.requests.size(); ++i) {
      QCOMPARE(found.requests[i].context, wanted["requests"][i]["context"].get<std::string>());
      QCOMPARE(found.requests[i].continuation,
               wanted["requests"][i]["continuation"].get<std::string>());
    }
  }
}

void TasksTest::mmlu_strings_equal_the_harness() {
  SKIP_WITHOUT_SHARED();
  const auto task = find_task("mmlu_abstract_algebra");
  for (const auto& wanted : logged("mmlu_abstract_algebra")) {
    // The test split itself is not at hand: the record is read back from the logged prompt.
    const auto context =
        QString::fromStdString(wanted["requests"][0]["context"].get<std::string>());
    const QRegularExpression shape(
        "^The following[^\n]*\n\n(.*)\nA\\. (.*)\nB\\. (.*)\nC\\. (.*)\nD\\. (.*)\nAnswer:$",
        QRegularExpression::DotMatchesEverythingOption);
    const auto match = shape.match(context);
    QVERIFY(match.hasMatch());
    Json record = {{"question", " " + match.captured(1).toStdString() + "\n"},
                   {"answer", wanted["target"]},
                   {"choices", Json::array()}};
    for (int i = 2; i <= 5; ++i) record["choices"].push_back(match.captured(i).toStdString());
    const auto found = engine::make_example(*task, JsonView(record, "record"));
    QCOMPARE(found.gold, wanted["target"].get<std::int64_t>());
    for (std::size_t i = 0; i < 4; ++i) {
      QCOMPARE(found.requests[i].context, wanted["requests"][i]["context"].get<std::string>());
      QCOMPARE(found.requests[i].continuation,
               wanted["requests"][i]["continuation"].get<std::string>());
    }
  }
}

void TasksTest::logged_scores_give_the_logged_accuracy_data() {
  QTest::addColumn<QString>("task");
  for (const char* task : {"piqa", "arc_easy", "hellaswag", "winogrande"})
    QTest::newRow(task) << task;
}

void TasksTest::logged_scores_give_the_logged_accuracy() {
  SKIP_WITHOUT_SHARED();
  QFETCH(QString, task);
  const auto loaded = engine::load_task(*find_task(task.toStdString()), shared_data() / "tasks",
                                        {.split = "validation"});
  for (const auto& wanted : logged(task.toStdString())) {
    const auto& example = loaded.examples.at(wanted["doc_id"].get<std::size_t>());
    std::vector<double> sums;
    std::vector<std::int64_t> characters;
    for (std::size_t i = 0; i < example.requests.size(); ++i) {
      sums.push_back(wanted["requests"][i]["loglikelihood"].get<double>());
      characters.push_back(example.requests[i].choice_characters);
    }
    const auto score = engine::score_choices(sums, characters, example.gold);
    QCOMPARE(score.acc, wanted["acc"].get<double>());
    if (wanted.contains("acc_norm")) QCOMPARE(score.acc_norm, wanted["acc_norm"].get<double>());
  }
}

void TasksTest::every_shared_task_loads_data() {
  QTest::addColumn<QString>("task");
  QTest::addColumn<int>("count");
  QTest::addColumn<QString>("split");
  QTest::newRow("piqa") << "piqa" << 1838 << "validation";
  QTest::newRow("arc_easy") << "arc_easy" << 2376 << "test";
  QTest::newRow("arc_challenge") << "arc_challenge" << 1172 << "test";
  QTest::newRow("hellaswag") << "hellaswag" << 1000 << "validation";
  QTest::newRow("winogrande") << "winogrande" << 1267 << "validation";
  QTest::newRow("openbookqa") << "openbookqa" << 500 << "test";
  QTest::newRow("sciq") << "sciq" << 1000 << "validation";
  QTest::newRow("lambada_openai") << "lambada_openai" << 5153 << "test";
  QTest::newRow("mmlu_virology") << "mmlu_virology" << 18 << "validation";
  QTest::newRow("longbench_multi_news") << "longbench_multi_news" << 200 << "test";
  QTest::newRow("scrolls_qmsum") << "scrolls_qmsum" << 272 << "validation";
}

void TasksTest::every_shared_task_loads() {
  SKIP_WITHOUT_SHARED();
  QFETCH(QString, task);
  QFETCH(int, count);
  QFETCH(QString, split);
  const auto loaded = engine::load_task(*find_task(task.toStdString()), shared_data() / "tasks");
  QCOMPARE(static_cast<int>(loaded.examples.size()), count);
  QCOMPARE(QString::fromStdString(loaded.split), split);
  QCOMPARE(engine::load_task(*find_task(task.toStdString()), shared_data() / "tasks", {.limit = 3})
               .examples.size(),
           std::size_t{3});
}

void TasksTest::shots_stand_in_file_order_without_the_question() {
  SKIP_WITHOUT_SHARED();
  const auto mmlu = engine::load_task(*find_task("mmlu_abstract_algebra"), shared_data() / "tasks",
                                      {.shots = 2, .limit = 1});
  const QString context = QString::fromStdString(mmlu.examples[0].requests[0].context);
  QVERIFY(
      context.startsWith("The following are multiple choice questions (with answers) about "
                         "abstract algebra.\n\nFind all c in Z_3"));
  QCOMPARE(context.count("Answer:"), 3);
  QVERIFY(context.contains("\nAnswer: B\n\n"));
  const auto winogrande =
      engine::load_task(*find_task("winogrande"), shared_data() / "tasks",
                        {.shots = 1, .sampler = engine::ShotSampler::in_order, .limit = 2});
  const std::string first =
      "Sarah was a much better surgeon than Maria so Maria always got the easier cases.\n\n";
  QVERIFY(!QString::fromStdString(winogrande.examples[0].requests[0].context)
               .startsWith(QString::fromStdString(first)));
  QVERIFY(QString::fromStdString(winogrande.examples[1].requests[0].context)
              .startsWith(QString::fromStdString(first)));
}

void TasksTest::seeded_shots_equal_pythons_sample() {
  // r = random.Random(1234); r.sample(range(1000), 5); r.sample(range(1000), 5);
  // r.sample(range(20), 5)
  engine::FewshotSampler sampler(1234);
  QCOMPARE(sampler.sample(1000, 5), (std::vector<std::size_t>{989, 796, 451, 119, 7}));
  QCOMPARE(sampler.sample(1000, 5), (std::vector<std::size_t>{92, 932, 965, 961, 826}));
  QCOMPARE(sampler.sample(20, 5), (std::vector<std::size_t>{18, 1, 2, 3, 11}));
  QCOMPARE(engine::FewshotSampler(0).sample(100, 25),
           (std::vector<std::size_t>{49, 97, 53, 5,  33, 65, 62, 51, 38, 61, 45, 74, 27,
                                     64, 17, 36, 85, 12, 79, 32, 68, 77, 18, 39, 82}));
}

void TasksTest::hellaswag_traces_are_cleaned() {
  const Json record = {{"activity_label", "Pets"},
                       {"ctx_a", "How to do [title] It. [step] Now"},
                       {"ctx_b", "he STOPS"},
                       {"label", "1"},
                       {"endings", {"[substeps] go  on   [x] now", "end"}}};
  const auto example = engine::make_example(*find_task("hellaswag"), JsonView(record, "record"));
  QCOMPARE(example.requests[0].context, std::string("Pets: How to do. It. Now He stops"));
  QCOMPARE(example.requests[0].continuation, std::string("  go on  now"));
  QCOMPARE(example.requests[0].choice_characters, std::int64_t{11});
  QCOMPARE(example.gold, 1);
}

void TasksTest::labels_may_be_numbers_or_strings() {
  Json record = {{"goal", "g"}, {"sol1", "a"}, {"sol2", "b"}, {"label", 1}};
  QCOMPARE(engine::make_example(*find_task("piqa"), JsonView(record, "r")).gold, 1);
  record["label"] = "1";
  QCOMPARE(engine::make_example(*find_task("piqa"), JsonView(record, "r")).gold, 1);
}

void TasksTest::bad_records_name_file_and_line_data() {
  QTest::addColumn<QString>("line");
  QTest::addColumn<QString>("message");
  QTest::newRow("label too high") << R"({"goal":"g","sol1":"a","sol2":"b","label":2})"
                                  << "validation.jsonl:2: /label: expected the number";
  QTest::newRow("label text") << R"({"goal":"g","sol1":"a","sol2":"b","label":"x"})"
                              << "/label: expected the number";
  QTest::newRow("missing field") << R"({"goal":"g","sol1":"a","label":0})"
                                 << "validation.jsonl:2: expected the key \"sol2\"";
  QTest::newRow("wrong kind") << R"({"goal":["g"],"sol1":"a","sol2":"b","label":0})"
                              << "/goal: expected a string";
  QTest::newRow("broken") << R"({"goal":)"
                          << "validation.jsonl:2: line 1";
  QTest::newRow("array") << "[1]"
                         << "expected one JSON object a line";
}

void TasksTest::bad_records_name_file_and_line() {
  QFETCH(QString, line);
  QFETCH(QString, message);
  QTemporaryDir folder;
  const auto data = fs::path(folder.path().toStdString());
  fs::create_directories(data / "piqa");
  std::ofstream(data / "piqa" / "validation.jsonl")
      << R"({"goal":"g","sol1":"a","sol2":"b","label":0})"
      << "\n"
      << line.toStdString();
  try {
    engine::load_task(*find_task("piqa"), data);
    QFAIL("loaded");
  } catch (const InputError& error) {
    QVERIFY2(QString(error.what()).contains(message), error.what());
  }
  QVERIFY_THROWS_EXCEPTION(InputError,
                           engine::load_task(*find_task("piqa"), data, {.split = "test"}));
}

void TasksTest::unknown_tasks_name_the_nearest() {
  try {
    engine::expand_task_name("hellaswg");
    QFAIL("known");
  } catch (const InputError& error) {
    QVERIFY(QString(error.what()).contains("\"hellaswag\""));
  }
  QCOMPARE(engine::expand_task_name("mmlu").size(), std::size_t{57});
  QCOMPARE(engine::expand_task_name("mmlu_stem").size(), std::size_t{19});
  QCOMPARE(engine::expand_task_name("mmlu_humanities").size(), std::size_t{13});
  QCOMPARE(engine::expand_task_name("mmlu_social_sciences").size(), std::size_t{12});
  QCOMPARE(engine::expand_task_name("mmlu_other").size(), std::size_t{13});
  QCOMPARE(engine::expand_task_name("piqa"), (std::vector<std::string>{"piqa"}));
}

void TasksTest::requests_follow_the_joint_encoding() {
  using Ids = std::vector<std::int32_t>;
  const auto plain = letters(false), bos = letters(true);
  // White space moves to the continuation, where it joins the letter.
  auto request = engine::token_request(bos, "c ", "a", 10);
  QCOMPARE(request.tokens, (Ids{29, 3, 28}));
  QCOMPARE(request.first_scored, std::size_t{2});
  // "a" + "b" is one token when joined: nothing is left for the continuation.
  request = engine::token_request(plain, "a", "b", 10);
  QCOMPARE(request.tokens, (Ids{1}));
  QCOMPARE(request.first_scored, request.tokens.size());
  // An empty context becomes BOS, or EOS where there is none; that token is not doubled.
  QCOMPARE(engine::token_request(bos, "", "b", 10).tokens, (Ids{29, 2}));
  QCOMPARE(engine::token_request(plain, "", "b", 10).tokens, (Ids{30, 2}));
  QCOMPARE(engine::token_request(bos, "", "<s>b", 10).tokens, (Ids{29, 2}));
  // BOS in the text is not doubled.
  QCOMPARE(engine::token_request(bos, "<s>c", "d", 10).tokens, (Ids{29, 3, 4}));
}

void TasksTest::long_requests_lose_their_left() {
  using Ids = std::vector<std::int32_t>;
  const auto bos = letters(true);
  auto request = engine::token_request(bos, "cdef", "gh", 3);
  QCOMPARE(request.tokens, (Ids{5, 6, 7, 8}));
  QCOMPARE(request.first_scored, std::size_t{2});
  QCOMPARE(request.dropped_context, std::size_t{3});
  QCOMPARE(request.unscored, std::size_t{0});
  request = engine::token_request(bos, "c", "defgh", 3);
  QCOMPARE(request.tokens, (Ids{5, 6, 7, 8}));
  QCOMPARE(request.first_scored, std::size_t{1});
  QCOMPARE(request.unscored, std::size_t{2});
}

void TasksTest::rolling_windows_score_each_token_once() {
  using Ids = std::vector<std::int32_t>;
  const auto plain = letters(false);
  const auto windows = engine::rolling_requests(plain, "cdefghi", 3);  // tokens 3..9
  QCOMPARE(windows.size(), std::size_t{3});
  QCOMPARE(windows[0].tokens, (Ids{30, 3, 4, 5}));
  QCOMPARE(windows[0].first_scored, std::size_t{1});
  QCOMPARE(windows[1].tokens, (Ids{5, 6, 7, 8}));
  QCOMPARE(windows[1].first_scored, std::size_t{1});
  QCOMPARE(windows[2].tokens, (Ids{6, 7, 8, 9}));
  QCOMPARE(windows[2].first_scored, std::size_t{3});
  QVERIFY(engine::rolling_requests(plain, "", 3).empty());
}

void TasksTest::standard_errors_use_n_minus_one() {
  const std::vector<double> values{1, 0, 0, 1, 1};
  const auto score = engine::mean_score(values);
  QCOMPARE(score.value, 0.6);
  QVERIFY(std::abs(score.stderr_ - std::sqrt(0.3 / 5)) < 1e-15);
  const std::vector<engine::MeanScore> tasks{{0.5, 0.1, 10}, {0.8, 0.05, 40}};
  const auto pooled = engine::pooled_score(tasks);
  QVERIFY(std::abs(pooled.value - 0.74) < 1e-12);
  QVERIFY(std::abs(pooled.stderr_ - std::sqrt((9 * 0.01 * 10 + 39 * 0.0025 * 40) / 48 / 50)) <
          1e-12);
  const std::vector<double> tie{-2, -2};
  const std::vector<std::int64_t> lengths{4, 2};
  QCOMPARE(engine::score_choices(tie, lengths, 0).acc, 1.0);
  QCOMPARE(engine::score_choices(tie, lengths, 0).acc_norm, 1.0);
}

QTEST_APPLESS_MAIN(TasksTest)
#include "tst_tasks.moc"
