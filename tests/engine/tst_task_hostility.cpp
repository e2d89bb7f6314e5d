#include <QtTest>

#include <random>

#include "engine/data/json.h"
#include "engine/data/tasks.h"
#include "engine/error.h"

using engine::InputError;
using engine::Json;
using engine::JsonView;
using engine::parse_task;

namespace {

const char* k_small =
    "task: small\ndataset: small\ncontext: \"{q}\"\nchoices: [\"{a}\", \"{b}\"]\nanswer: gold\n";

}  // namespace

class TaskHostilityTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void hostile_task_files_end_in_a_message();
  void hostile_records_end_in_a_message();
};

void TaskHostilityTest::hostile_task_files_end_in_a_message() {
  std::mt19937 random(5);
  std::vector<std::string> seeds{k_small,
                                 std::string(k_small) + "only: {a: &x b}\ndescription: *x\n",
                                 "a: &a [*a]\n",
                                 std::string(5000, '['),
                                 std::string(5000, '{'),
                                 "task: " + std::string(300000, 'x'),
                                 "%YAML 9.9\n---\n",
                                 "? [a]\n: b\n"};
  for (const auto& task : engine::built_in_tasks()) {
    if (task.name.find("mmlu_") != 0) seeds.push_back(engine::task_text(task));
  }
  const std::string signs =
      "{}[]:-\"'\n #&*!|>%@`,?\t\\\x00\x80\xFF"
      "0a";
  int read = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = seeds[static_cast<std::size_t>(i) % seeds.size()];
    for (unsigned k = random() % 6; k > 0 && i >= static_cast<int>(seeds.size()); --k) {
      const std::size_t at = random() % (text.size() + 1);
      if (random() % 3 == 0)
        text.erase(at, random() % 20);
      else
        text.insert(at, 1, signs[random() % signs.size()]);
    }
    try {
      parse_task(text, "fuzz");
      ++read;
    } catch (const InputError&) {
      ++refused;
    }
  }
  QVERIFY(read > 100 && refused > 100);
}

void TaskHostilityTest::hostile_records_end_in_a_message() {
  std::mt19937 random(6);
  const std::vector<Json> values{nullptr,
                                 true,
                                 -1,
                                 1e300,
                                 "",
                                 "_",
                                 " ",
                                 "\n\n",
                                 "(A)(B)(C)(D)\n\n",
                                 Json::array(),
                                 Json::object(),
                                 Json::array({1, "x"}),
                                 Json::array({"x", "y"}),
                                 std::string(10000, '['),
                                 9000000000000000000LL};
  const std::vector<std::string> fields{
      "goal",      "sol1",    "sol2",   "label",   "question",       "choices",
      "answerKey", "ctx_a",   "ctx_b",  "endings", "activity_label", "sentence",
      "option1",   "option2", "answer", "text",    "premise",        "choice1",
      "choice2",   "page",    "input",  "context", "answers",        "all_classes",
      "outputs",   "output",  "id",     "support", "correct_answer", "question_stem",
      "passage"};
  int made = 0, refused = 0;
  for (int i = 0; i < 400; ++i) {
    Json one = Json::object();
    for (const auto& field : fields) {
      if (random() % 8 != 0) one[field] = values[random() % values.size()];
    }
    for (const auto& task : engine::built_in_tasks()) {
      if (task.name.starts_with("mmlu_") && task.name != "mmlu_anatomy") continue;
      try {
        const JsonView view(one, "fuzz");
        made += !engine::make_example(task, view).requests.empty();
        engine::shot_text(task, view);
      } catch (const InputError&) {
        ++refused;
      }
    }
  }
  QVERIFY(made > 100 && refused > 100);
}

QTEST_APPLESS_MAIN(TaskHostilityTest)
#include "tst_task_hostility.moc"
