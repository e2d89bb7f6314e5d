#include <QtTest>

#include <fstream>

#include <QTemporaryDir>

#include "engine/data/json.h"
#include "engine/data/tasks.h"
#include "engine/error.h"

using engine::find_task;
using engine::Json;
using engine::JsonView;
namespace fs = std::filesystem;

namespace {

fs::path shared_tasks() { return fs::path(EQUIPOISE_SHARED_DIR) / "data" / "tasks"; }

#define SKIP_WITHOUT_SHARED() \
  if (!fs::exists(shared_tasks())) QSKIP("the shared test data are not on this machine")

void write(const fs::path& file, const std::vector<Json>& records) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  for (const auto& record : records) out << record.dump() << "\n";
}

engine::TaskDefinition small_task() {
  return engine::parse_task(
             "task: small\ndataset: small\nsplit: validation\ncontext: \"Q {q}\"\nchoices: [yes, "
             "no]\nanswer: 0\n",
             "small.yaml")
      .tasks.front();
}

std::vector<Json> questions(int from, int to) {
  std::vector<Json> out;
  for (int i = from; i < to; ++i) out.push_back({{"q", std::to_string(i)}});
  return out;
}

}  // namespace

class TaskPromptsTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void prompts_with_shots_equal_the_harness_data();
  void prompts_with_shots_equal_the_harness();
  void parquet_gives_the_same_examples_data();
  void parquet_gives_the_same_examples();
  void longbench_prompts_equal_its_own_templates();
  void shots_come_from_train_and_leave_equal_questions_out();
  void a_question_is_never_its_own_shot();
  void records_are_kept_and_hashed_where_asked();
  void rolling_texts_count_the_original_page();
  void copa_choices_keep_their_two_spaces();
  void quality_choices_are_cut_out_of_the_document();
};

void TaskPromptsTest::prompts_with_shots_equal_the_harness_data() {
  QTest::addColumn<QString>("task");
  QTest::addColumn<int>("shots");
  for (const char* task : {"piqa", "arc_easy", "arc_challenge", "hellaswag", "winogrande",
                           "openbookqa", "sciq", "lambada_openai"}) {
    for (const int shots : {0, 2, 5}) QTest::addRow("%s %d", task, shots) << task << shots;
  }
}

void TaskPromptsTest::prompts_with_shots_equal_the_harness() {
  SKIP_WITHOUT_SHARED();
  QFETCH(QString, task);
  QFETCH(int, shots);
  const auto golden =
      engine::read_json(std::string(EQUIPOISE_SOURCE_DIR) + "/tests/golden/task_prompts.json");
  const auto loaded =
      engine::load_task(*find_task(task.toStdString()), shared_tasks(),
                        {.shots = shots, .limit = (*golden.root)["documents"].get<std::int64_t>()});
  std::string text;
  for (const auto& example : loaded.examples) {
    for (const auto& request : example.requests)
      (text += request.context).append(1, '\0').append(request.continuation + "\n");
  }
  QCOMPARE(engine::sha256_hex(text),
           (*golden.root)["tasks"][task.toStdString()][std::to_string(shots)].get<std::string>());
}

void TaskPromptsTest::parquet_gives_the_same_examples_data() {
  QTest::addColumn<QString>("task");
  QTest::addColumn<QString>("file");
  QTest::newRow("piqa") << "piqa"
                        << "piqa/validation-00000-of-00001.parquet";
  QTest::newRow("arc_easy") << "arc_easy"
                            << "ai2_arc/ARC-Easy.validation-00000-of-00001.parquet";
}

void TaskPromptsTest::parquet_gives_the_same_examples() {
  SKIP_WITHOUT_SHARED();
  QFETCH(QString, task);
  QFETCH(QString, file);
  QTemporaryDir folder;
  const fs::path copy = fs::path(folder.path().toStdString()) / file.toStdString();
  fs::create_directories(copy.parent_path());
  fs::create_symlink(fs::canonical(shared_tasks() / file.toStdString()), copy);
  const auto definition = *find_task(task.toStdString());
  const auto lines = engine::load_task(definition, shared_tasks(), {.split = "validation"});
  const auto rows =
      engine::load_task(definition, folder.path().toStdString(), {.split = "validation"});
  QCOMPARE(rows.file.extension().string(), std::string(".parquet"));
  QCOMPARE(lines.file.extension().string(), std::string(".jsonl"));
  QCOMPARE(rows.examples.size(), lines.examples.size());
  for (std::size_t i = 0; i < rows.examples.size(); ++i) {
    QCOMPARE(rows.examples[i].gold, lines.examples[i].gold);
    QCOMPARE(rows.examples[i].requests.size(), lines.examples[i].requests.size());
    for (std::size_t j = 0; j < rows.examples[i].requests.size(); ++j) {
      QCOMPARE(rows.examples[i].requests[j].context, lines.examples[i].requests[j].context);
      QCOMPARE(rows.examples[i].requests[j].continuation,
               lines.examples[i].requests[j].continuation);
    }
  }
}

void TaskPromptsTest::longbench_prompts_equal_its_own_templates() {
  SKIP_WITHOUT_SHARED();
  const auto prompts = engine::read_json(shared_tasks() / "longbench" / "dataset2prompt.json");
  const auto lengths = engine::read_json(shared_tasks() / "longbench" / "dataset2maxlen.json");
  const Json record = {
      {"context", "CONTEXT"}, {"input", "INPUT"}, {"answers", {"a"}}, {"all_classes", {"a"}}};
  int equal = 0, changed = 0;
  for (const auto& [name, text] : prompts.root->items()) {
    const auto task = find_task("longbench_" + name);
    if (!task) continue;  // needs Chinese word segmentation
    QCOMPARE(task->max_tokens, (*lengths.root)[name].get<std::int64_t>());
    const std::string wanted =
        engine::fill_template(text.get<std::string>(), JsonView(record, "r"));
    const auto example = engine::make_example(*task, JsonView(record, "r"));
    QCOMPARE(example.requests.size(), std::size_t{1});
    QCOMPARE(example.requests[0].continuation, std::string());
    ++(example.requests[0].context == wanted ? equal : changed);
  }
  QCOMPARE(equal, 12);
  QCOMPARE(changed,
           6);  // where the harness broke lines or ended differently: triviaqa, samsum, lcc, ...
}

void TaskPromptsTest::shots_come_from_train_and_leave_equal_questions_out() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  write(root / "small" / "validation.jsonl", questions(0, 3));
  write(root / "small" / "train.jsonl", questions(0, 4));
  const auto loaded = engine::load_task(small_task(), root, {.shots = 3});
  for (std::size_t i = 0; i < 3; ++i) {
    const QString context = QString::fromStdString(loaded.examples[i].requests[0].context);
    QCOMPARE(context.count("Q "), 4);
    QCOMPARE(context.count("Q " + QString::number(i)), 1);
  }
  QVERIFY_THROWS_EXCEPTION(engine::InputError, engine::load_task(small_task(), root, {.shots = 4}));
}

void TaskPromptsTest::a_question_is_never_its_own_shot() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  write(root / "small" / "test.jsonl", questions(0, 4));
  auto task = small_task();
  task.split = "test";
  for (const auto sampler : {engine::ShotSampler::seeded, engine::ShotSampler::in_order}) {
    const auto loaded = engine::load_task(task, root, {.shots = 3, .sampler = sampler});
    for (std::size_t i = 0; i < 4; ++i) {
      const QString context = QString::fromStdString(loaded.examples[i].requests[0].context);
      QCOMPARE(context.count("Q " + QString::number(i)), 1);
      QCOMPARE(context.count("\n\n"), 3);
    }
  }
}

void TaskPromptsTest::records_are_kept_and_hashed_where_asked() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  write(root / "small" / "validation.jsonl", questions(0, 1));
  const auto kept = engine::load_task(small_task(), root, {.keep_docs = true}).examples.at(0);
  QCOMPARE(kept.doc, std::string("{\"q\":\"0\"}"));
  QCOMPARE(kept.doc_hash, engine::sha256_hex("{\n  \"q\": \"0\"\n}"));
  QCOMPARE(engine::prompt_hash(kept), engine::sha256_hex("Q 0"));
  QVERIFY(engine::load_task(small_task(), root).examples.at(0).doc.empty());
}

void TaskPromptsTest::rolling_texts_count_the_original_page() {
  const Json record = {{"page", " = Title = \n It is 3 @.@ 5 ( see \" this \" ) ; cats ' .\n"}};
  const auto example = engine::make_example(*find_task("wikitext"), JsonView(record, "r"));
  QCOMPARE(example.requests.at(0).continuation,
           std::string(" = Title =\nIt is 3.5 (see \"this\"); cats' .\n"));
  QCOMPARE(example.words, std::int64_t{20});
  QCOMPARE(example.bytes, std::int64_t{55});
}

void TaskPromptsTest::copa_choices_keep_their_two_spaces() {
  const Json record = {{"premise", "It rained. "},
                       {"choice1", "The street dried."},
                       {"choice2", "I got wet."},
                       {"question", "effect"},
                       {"label", 1}};
  const auto example = engine::make_example(*find_task("copa"), JsonView(record, "r"));
  QCOMPARE(example.requests[1].context, std::string("It rained therefore"));
  QCOMPARE(example.requests[1].continuation, std::string("  i got wet."));
  QCOMPARE(example.gold, std::int64_t{1});
}

void TaskPromptsTest::quality_choices_are_cut_out_of_the_document() {
  const Json record = {
      {"input", "Who?\n\n (A) One  man\n (B) Two\n (C) (none)\n (D) Four\n\n\nA story.\n\nEnd. "},
      {"outputs", {"(none)"}}};
  const auto example = engine::make_example(*find_task("scrolls_quality"), JsonView(record, "r"));
  QCOMPARE(example.requests.size(), std::size_t{4});
  QCOMPARE(example.requests[0].context, std::string("A story.\n\nEnd.\n\nQuestion: Who?\nAnswer:"));
  QCOMPARE(example.requests[0].continuation, std::string(" One man"));
  QCOMPARE(example.gold, std::int64_t{2});
}

QTEST_APPLESS_MAIN(TaskPromptsTest)
#include "tst_task_prompts.moc"
