#include <QtTest>

#include <fstream>

#include <QTemporaryDir>

#include "engine/data/json.h"
#include "engine/data/tasks.h"
#include "engine/error.h"
#include "engine/recipe.h"

using engine::find_task;
using engine::InputError;
using engine::Json;
using engine::JsonView;
using engine::parse_task;
namespace fs = std::filesystem;

namespace {

const char* k_small =
    "task: small\ndataset: small\ncontext: \"{q}\"\nchoices: [\"{a}\", \"{b}\"]\nanswer: gold\n";

std::string with(const std::string& line) { return k_small + line + "\n"; }

/// What a call throws; empty where it throws nothing.
template <class Call>
QString message_of(Call call) {
  try {
    call();
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

std::string record(const std::string& q, int gold = 0) {
  return Json({{"q", q}, {"a", "A"}, {"b", "B"}, {"gold", gold}}).dump() + "\n";
}

}  // namespace

class TaskFilesTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void the_readmes_example_works();
  void built_in_files_are_whole();
  void definitions_survive_being_written();
  void mistakes_name_line_and_cure_data();
  void mistakes_name_line_and_cure();
  void double_braces_are_not_taken_for_text();
  void paths_have_alternatives();
  void subjects_become_tasks_and_groups();
  void an_own_file_stands_where_a_name_does();
  void an_own_file_needs_no_data_folder();
  void hub_names_are_found_data();
  void hub_names_are_found();
  void the_newest_snapshot_is_taken();
  void shards_are_read_in_order_and_all();
  void what_is_missing_is_told();
  void an_absent_test_split_falls_to_validation();
  void records_with_one_id_are_one_example();
};

void TaskFilesTest::the_readmes_example_works() {
  std::ifstream in(std::string(EQUIPOISE_SOURCE_DIR) + "/resources/tasks/README.md");
  const std::string readme((std::istreambuf_iterator<char>(in)), {});
  const auto block = [&](const std::string& kind) {
    const auto begin = readme.find("```" + kind + "\n") + kind.size() + 4;
    return readme.substr(begin, readme.find("```", begin) - begin);
  };
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  write(root / "own" / "capitals.yaml", block("yaml"));
  write(root / "own" / "capitals" / "test.jsonl", block("json"));
  const auto task = find_task((root / "own" / "capitals.yaml").string());
  QVERIFY(task.has_value());
  const auto loaded = engine::load_task(*task, root / "data");
  QCOMPARE(loaded.definition.name, std::string("capitals"));
  QCOMPARE(loaded.examples.size(), std::size_t{2});
  QCOMPARE(loaded.examples[1].requests[1].context,
           std::string("Question: What is the capital of Peru?\nAnswer:"));
  QCOMPARE(loaded.examples[1].requests[1].continuation, std::string(" Cusco"));
  QCOMPARE(loaded.examples[1].gold, std::int64_t{0});
  for (const char* key :
       {"task",        "kind",        "dataset",       "config",      "split",      "context",
        "choices",     "answer",      "answer_labels", "answer_base", "contexts",   "delimiter",
        "description", "shots_split", "sampler",       "only",        "merge_by",   "prepare",
        "counted",     "answers",     "classes",       "until",       "max_tokens", "truncation",
        "choose",      "if_empty",    "metrics",       "groups",      "group_mean", "subjects",
        "version"})
    QVERIFY2(readme.find("| `" + std::string(key) + "`") != readme.npos, key);
}

void TaskFilesTest::built_in_files_are_whole() {
  for (const char* name :
       {"piqa", "arc_easy", "arc_challenge", "hellaswag", "winogrande", "openbookqa", "sciq",
        "lambada_openai", "boolq", "copa", "wikitext", "mmlu_virology", "longbench_qasper",
        "longbench_repobench-p", "scrolls_qmsum", "scrolls_quality"})
    QVERIFY2(find_task(name).has_value(), name);
  QCOMPARE(engine::find_group("mmlu")->tasks.size(), std::size_t{57});
  QVERIFY(engine::find_group("mmlu_stem")->weight_by_size);
  QCOMPARE(engine::find_group("longbench")->tasks.size(), std::size_t{18});
  QVERIFY(!engine::find_group("longbench")->weight_by_size);
  QCOMPARE(engine::find_group("scrolls")->tasks.size(), std::size_t{7});
  QVERIFY(!engine::find_group("piqa").has_value());
  QVERIFY(
      message_of([] { engine::expand_task_name("longbench_vcsum"); }).contains("Chinese words"));
  const auto hash = engine::task_hash(*find_task("piqa"));
  QCOMPARE(hash.size(), std::size_t{16});
  QVERIFY(hash != engine::task_hash(*find_task("sciq")));
  QCOMPARE(engine::sha256_hex("abc"),
           std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

void TaskFilesTest::definitions_survive_being_written() {
  for (const auto& task : engine::built_in_tasks()) {
    const std::string text = engine::task_text(task);
    const auto again = parse_task(text, "written");
    QCOMPARE(again.tasks.size(), std::size_t{1});
    QCOMPARE(engine::task_text(again.tasks[0]), text);
  }
}

void TaskFilesTest::mistakes_name_line_and_cure_data() {
  QTest::addColumn<QString>("yaml");
  QTest::addColumn<QString>("message");
  const auto row = [](const char* name, const std::string& yaml, const char* message) {
    QTest::newRow(name) << QString::fromStdString(yaml) << message;
  };
  row("unknown key", with("contxt: x"),
      "own.yaml:6: unknown key \"contxt\"; the nearest known key is \"context\"");
  row("twice", with("split: a\nsplit: b"), "own.yaml:7: the key \"split\" stands twice");
  row("missing", "task: x\ndataset: d\nchoices: c\nanswer: 0\n",
      "own.yaml: expected the key \"context\"");
  row("list for text", with("split: [a]"), "own.yaml:6: split: expected text");
  row("empty value", with("split:"), "split: expected text (quote an empty one)");
  row("word", with("kind: choice"), "own.yaml:6: kind: expected one of multiple_choice");
  row("number", with("answer_base: one"),
      "own.yaml:6: answer_base: expected a whole number from -1000 to 1000");
  row("brace", "task: x\ndataset: d\ncontext: a\nchoices:\n  - ok\n  - \"{q\"\nanswer: 0\n",
      "own.yaml:6: choices: { without }");
  row("filter", with("description: \"{q|upper}\""),
      "own.yaml:6: description: expected trim, ltrim or rtrim");
  row("path", "task: x\ndataset: d\ncontext: a\nchoices: \"a[x]\"\nanswer: 0\n",
      "own.yaml:4: choices: \"a[x]\": expected [number]");
  row("other kind", with("until: [x]"), "own.yaml:6: until: is no key of kind: multiple_choice");
  row("metric", with("metrics: f1"), "own.yaml:6: metrics: \"f1\" is none of acc, acc_norm");
  row("name", "task: a/b\ndataset: d\ncontext: a\nchoices: c\nanswer: 0\n",
      "own.yaml:1: task: expected a name");
  row("path as split", with("split: ../x"), "split: expected a name, not a path");
  row("not yaml", "task: [a\n", "own.yaml:2: ");
  row("two documents", std::string(k_small) + "---\n" + k_small, "expected one YAML document");
  row("empty", "", "expected one YAML document");
  row("list", "- a\n", "own.yaml:1: expected keys and values");
  row("only", with("only: {a: 1, b: 2}"), "own.yaml:6: only: expected one field and its value");
  row("stray bracket", with("]"), "own.yaml:6: ");
  row("only brackets", ",}", "own.yaml: ");
  row("nested", with("only: {a: [[[x]]]}"), "own.yaml:6: nested too deeply");
  row("classes",
      "task: x\nkind: generate\ndataset: d\ncontext: a\nanswers: b\nmetrics: classification\n",
      "needs the key classes");
}

void TaskFilesTest::mistakes_name_line_and_cure() {
  QFETCH(QString, yaml);
  QFETCH(QString, message);
  const QString found = message_of([&] { parse_task(yaml.toStdString(), "own.yaml"); });
  QVERIFY2(found.contains(message), qPrintable(found));
}

void TaskFilesTest::double_braces_are_not_taken_for_text() {
  const Json one = {{"goal", "g"}};
  const JsonView view(one, "r");
  QCOMPARE(engine::fill_template("{{}} {{x}} {goal}", view), std::string("{} {x} g"));
  QVERIFY(message_of([&] {
            engine::fill_template("Q: {{ goal }}", view);
          }).contains("write {goal} with single braces"));
}

void TaskFilesTest::paths_have_alternatives() {
  const Json one = {{"input", "i"}, {"list", {"x", "y"}}, {"null", nullptr}};
  const JsonView view(one, "r");
  QCOMPARE(engine::fill_template("{question or input}{null or list[1]}", view), std::string("iy"));
  QVERIFY(message_of([&] { engine::value_at(view, "a or b"); }).contains("expected the key \"a\""));
}

void TaskFilesTest::subjects_become_tasks_and_groups() {
  const std::string yaml =
      "task: t_<subject>\ndataset: d\nconfig: <subject>\ndescription: \"On <subject words>.\"\n"
      "context: \"{q}\"\nchoices: c\nanswer: 0\ngroups: t\nsubjects:\n  left: [a_b]\n  right: "
      "[c]\n";
  const auto file = parse_task(yaml, "t.yaml");
  QCOMPARE(file.tasks.size(), std::size_t{2});
  QCOMPARE(file.tasks[0].name, std::string("t_a_b"));
  QCOMPARE(file.tasks[0].description, std::string("On a b."));
  QCOMPARE(file.groups.size(), std::size_t{3});
  QCOMPARE(file.groups[0].tasks, (std::vector<std::string>{"t_a_b", "t_c"}));
  QVERIFY(message_of([&] {
            parse_task(std::string(k_small) + "subjects: [a, b]\n", "t.yaml");
          }).contains("both called \"small\""));
}

void TaskFilesTest::an_own_file_stands_where_a_name_does() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  const std::string one = (root / "one.yaml").string(), many = (root / "many.yml").string();
  write(one, k_small);
  write(
      many,
      "task: m_<subject>\ndataset: d\ncontext: \"{q}\"\nchoices: c\nanswer: 0\nsubjects: [a, b]\n");
  QCOMPARE(engine::expand_task_name(one), (std::vector<std::string>{one}));
  QCOMPARE(engine::expand_task_name(many),
           (std::vector<std::string>{many + ":m_a", many + ":m_b"}));
  QCOMPARE(engine::expand_task_name(many + ":m_b"), (std::vector<std::string>{many + ":m_b"}));
  QCOMPARE(find_task(many + ":m_b")->name, std::string("m_b"));
  QCOMPARE(engine::find_group(many)->tasks, (std::vector<std::string>{"m_a", "m_b"}));
  QVERIFY(message_of([&] { engine::expand_task_name(many + ":m_c"); }).contains("no task \"m_c\""));
  QVERIFY(message_of([&] {
            engine::expand_task_name((root / "no.yaml").string());
          }).contains("no such task file"));
}

void TaskFilesTest::an_own_file_needs_no_data_folder() {
  const auto asks_for_data = [](const std::string& task) {
    engine::Recipe recipe;
    recipe.evaluation.tasks = {task};
    for (const auto& problem : engine::check(recipe)) {
      if (problem.path == "evaluation.data") return true;
    }
    return false;
  };
  QVERIFY(asks_for_data("piqa"));
  QVERIFY(!asks_for_data("own/task.yaml"));
  QVERIFY(!asks_for_data("own/task.yml:one"));
}

void TaskFilesTest::hub_names_are_found_data() {
  QTest::addColumn<QString>("file");
  for (const char* file :
       {"org/set/conf.test.jsonl", "set/conf.test.jsonl", "set/conf/test.jsonl",
        "set/data/conf/test.jsonl", "set/conf.jsonl", "set/data/conf.jsonl", "set/test.jsonl",
        "set/data/test.jsonl", "set/default/test.jsonl", "set/conf/test-00000-of-00001.jsonl",
        "set/data/test-00000-of-00001.jsonl", "org___set/conf/test.jsonl",
        "datasets--org--set/snapshots/abc/conf/test.jsonl", "own/set/test.jsonl"})
    QTest::newRow(file) << file;
}

void TaskFilesTest::hub_names_are_found() {
  QFETCH(QString, file);
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  write(root / file.toStdString(), record("found"));
  auto task = parse_task(with("config: conf"), "own.yaml").tasks.front();
  task.datasets = {"org/set"};
  task.folder = root / "own";
  const auto loaded = engine::load_task(task, root);
  QCOMPARE(loaded.file.string(), (root / file.toStdString()).string());
  QCOMPARE(loaded.examples.at(0).requests[0].context, std::string("found"));
}

void TaskFilesTest::the_newest_snapshot_is_taken() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString(),
                 snapshots = root / "datasets--o--small" / "snapshots";
  write(snapshots / "zz" / "test.jsonl", record("old"));
  write(snapshots / "aa" / "test.jsonl", record("new"));
  fs::last_write_time(snapshots / "zz",
                      fs::last_write_time(snapshots / "aa") - std::chrono::hours(1));
  auto task = parse_task(k_small, "own.yaml").tasks.front();
  task.datasets = {"o/small"};
  QCOMPARE(engine::load_task(task, root).examples.at(0).requests[0].context, std::string("new"));
}

void TaskFilesTest::shards_are_read_in_order_and_all() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  const auto task = parse_task(k_small, "own.yaml").tasks.front();
  write(root / "small" / "test-00001-of-00003.jsonl", record("1"));
  write(root / "small" / "test-00000-of-00003.jsonl", record("0"));
  QVERIFY(
      message_of([&] { engine::load_task(task, root); }).contains("shard 00002 of 3 is missing"));
  write(root / "small" / "test-00002-of-00003.jsonl", record("2"));
  const auto loaded = engine::load_task(task, root);
  QCOMPARE(loaded.examples.size(), std::size_t{3});
  for (std::size_t i = 0; i < 3; ++i)
    QCOMPARE(loaded.examples[i].requests[0].context, std::to_string(i));
  QCOMPARE(engine::load_task(task, root, {.limit = 2}).examples.size(), std::size_t{2});
}

void TaskFilesTest::what_is_missing_is_told() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  auto task = parse_task(k_small, "own.yaml").tasks.front();
  task.datasets = {"org/small"};
  QString message = message_of([&] { engine::load_task(task, root); });
  QVERIFY2(message.contains("datasets--org--small"), qPrintable(message));
  write(root / "small" / "readme.txt", "x");
  message = message_of([&] { engine::load_task(task, root, {.split = "dev"}); });
  QVERIFY2(message.contains("looked for dev, data/dev") && message.contains("holds readme.txt"),
           qPrintable(message));
}

void TaskFilesTest::an_absent_test_split_falls_to_validation() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  write(root / "small" / "validation.jsonl", record("v"));
  const auto task = parse_task(k_small, "own.yaml").tasks.front();
  QCOMPARE(engine::load_task(task, root).split, std::string("validation"));
  QVERIFY(!message_of([&] { engine::load_task(task, root, {.split = "test"}); }).isEmpty());
}

void TaskFilesTest::records_with_one_id_are_one_example() {
  QTemporaryDir folder;
  const fs::path root = folder.path().toStdString();
  const auto line = [](const char* id, const char* output) {
    return Json({{"id", id}, {"input", "Is it?\n\nA paper."}, {"output", output}}).dump() + "\n";
  };
  write(root / "scrolls" / "qasper" / "validation.jsonl",
        line("1", "Yes.") + line("2", "blue") + line("1", "no") + line("2", "no"));
  const auto loaded = engine::load_task(*find_task("scrolls_qasper"), root);
  QCOMPARE(loaded.examples.size(), std::size_t{2});
  QCOMPARE(loaded.examples[0].answers, (std::vector<std::string>{"Yes.", "no"}));
  // All answers are yes or no, so the likelier word is the output.
  QCOMPARE(loaded.examples[0].requests.size(), std::size_t{2});
  QCOMPARE(loaded.examples[0].requests[0].continuation, std::string(" yes"));
  QCOMPARE(loaded.examples[1].requests.size(), std::size_t{1});
  QCOMPARE(loaded.examples[1].requests[0].context,
           std::string("A paper.\n\nQuestion: Is it?\nAnswer:"));
  QCOMPARE(engine::load_task(*find_task("scrolls_qasper"), root, {.limit = 1})
               .examples.at(0)
               .answers.size(),
           std::size_t{2});
}

QTEST_APPLESS_MAIN(TaskFilesTest)
#include "tst_task_files.moc"
