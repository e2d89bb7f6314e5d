#include <QtTest>
#include <algorithm>
#include <fstream>
#include <set>

#include "engine/sweep.h"
#include "tests/support/temp_dir.h"

using namespace engine;

namespace {

QByteArray all_of(const Sweep& sweep) {
  QByteArray text;
  for (const auto& p : sweep.problems)
    text += QByteArray::fromStdString(p.path + ": " + p.message + "\n");
  return text;
}

std::vector<std::string> names(const Sweep& sweep) {
  std::vector<std::string> out;
  for (const auto& r : sweep.recipes) out.push_back(r.name);
  return out;
}

using Names = std::vector<std::string>;

}  // namespace

class TstSweep : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void vary_gives_every_combination_named_by_what_varies();
  void runs_are_combined_with_vary();
  void seeds_make_one_setting();
  void nested_keys_and_set_reach_the_recipe();
  void a_preset_is_set_before_its_keys();
  void a_base_may_be_a_file_beside_the_sweep();
  void names_differ_however_long_or_alike();
  void bad_sweeps_are_problems_data();
  void bad_sweeps_are_problems();
  void over_seeds_keeps_the_setting();
};

void TstSweep::vary_gives_every_combination_named_by_what_varies() {
  const Sweep s = expand_sweep(
      "base: ssd\nvary: {attention.window: [16, 64], stages.1.schedule.dropout: [[0.9, 0.5], "
      "[0.25]]}\n");
  QVERIFY2(std::ranges::all_of(s.problems, &Problem::warning), all_of(s));
  QCOMPARE(names(s), (Names{"ssd-window=16-dropout=0.9+0.5", "ssd-window=16-dropout=0.25",
                            "ssd-window=64-dropout=0.9+0.5", "ssd-window=64-dropout=0.25"}));
  QCOMPARE(s.recipes[0].attention.window, 16);
  QCOMPARE(s.recipes[0].stages[1].schedule.dropout, (std::vector<double>{0.9, 0.5}));
  QCOMPARE(s.recipes[3].stages[1].schedule.dropout, (std::vector<double>{0.25}));
  std::set<std::string> hashes;
  for (const auto& r : s.recipes) hashes.insert(recipe_hash(r));
  QCOMPARE(hashes.size(), 4u);
}

void TstSweep::runs_are_combined_with_vary() {
  const Sweep s = expand_sweep(
      "base: ssd\nruns: [{base: lolcats}, {attention.mixing.kind: learned, name: mixed}, "
      "{attention.sinks: 4}]\nvary: {attention.window: [16, 24]}\n");
  QVERIFY2(std::ranges::all_of(s.problems, &Problem::warning), all_of(s));
  QCOMPARE(names(s), (Names{"lolcats-window=16", "lolcats-window=24", "mixed-window=16",
                            "mixed-window=24", "ssd-sinks=4-window=16", "ssd-sinks=4-window=24"}));
  QCOMPARE(s.recipes[0].stages[0].objective, std::string("hybrid-outputs"));
  QCOMPARE(s.recipes[3].attention.mixing.kind, std::string("learned"));
}

void TstSweep::seeds_make_one_setting() {
  const Sweep s =
      expand_sweep("base: ssd\nname: study\nseeds: [3, 5]\nvary: {attention.window: [16, 24]}\n");
  QCOMPARE(names(s), (Names{"study-window=16-3", "study-window=16-5", "study-window=24-3",
                            "study-window=24-5"}));
  QCOMPARE(s.recipes[1].seed, 5);
  QCOMPARE(recipe_hash(s.recipes[0]), recipe_hash(s.recipes[1]));
  QVERIFY(recipe_hash(s.recipes[1]) != recipe_hash(s.recipes[2]));
}

void TstSweep::nested_keys_and_set_reach_the_recipe() {
  const Sweep s = expand_sweep(
      "base: ssd\nset: {data: {far_share: 0.25}}\nvary:\n  attention:\n    mixing: {weight: "
      "[0.3]}\n  stages[1].epochs: [2]\n");
  QCOMPARE(names(s), (Names{"ssd-weight=0.3-epochs=2"}));
  QCOMPARE(s.recipes[0].data.far_share, 0.25);
  QCOMPARE(s.recipes[0].attention.mixing.weight, 0.3);
  QCOMPARE(s.recipes[0].stages[1].epochs, 2);
}

void TstSweep::a_preset_is_set_before_its_keys() {
  const Sweep s = expand_sweep(
      "base: ssd\nvary: {attention.feature_map.size: [\"16\"], attention.feature_map.preset: "
      "[lolcats]}\n");
  QCOMPARE(s.recipes.size(), 1u);
  QCOMPARE(s.recipes[0].attention.feature_map.size, std::string("16"));
  QCOMPARE(s.recipes[0].attention.feature_map.preset, std::string("lolcats"));
}

void TstSweep::a_base_may_be_a_file_beside_the_sweep() {
  const support::TempDir dir;
  std::ofstream(dir / "mine.yaml") << "attention: {window: 20}\nstages: [{kind: transfer}]\n";
  std::ofstream(dir / "sweep.yaml") << "base: mine.yaml\nvary: {attention.sinks: [2, 4]}\n";
  const Sweep s = load_sweep(dir / "sweep.yaml");
  QCOMPARE(names(s), (Names{"mine-sinks=2", "mine-sinks=4"}));
  QCOMPARE(s.recipes[0].attention.window, 20);
  const Sweep missing = load_sweep(dir / "nowhere.yaml");
  QVERIFY(all_of(missing).contains("nowhere.yaml"));
}

void TstSweep::names_differ_however_long_or_alike() {
  const Sweep s = expand_sweep(
      "base: ssd\nruns: [{name: same, attention.sinks: 1}, {name: same, attention.sinks: "
      "2}]\nvary: {stages.0.learning_rate: [0.1], stages.1.learning_rate: [0.2]}\n");
  QCOMPARE(names(s), (Names{"same-0.learning_rate=0.1-1.learning_rate=0.2",
                            "same-0.learning_rate=0.1-1.learning_rate=0.2#2"}));
}

void TstSweep::bad_sweeps_are_problems_data() {
  QTest::addColumn<QString>("yaml");
  QTest::addColumn<QString>("words");  // all of them, separated by |
  QTest::newRow("unknown key of the sweep") << "base: ssd\nvari: {}\n"
                                            << "vari|vary";
  QTest::newRow("unknown key of the recipe") << "base: ssd\nvary: {attention.windwo: [1, 2]}\n"
                                             << "attention.windwo|attention.window";
  QTest::newRow("unfit value") << "base: ssd\nvary: {attention.window: [wide]}\n"
                               << "attention.window|whole number|wide";
  QTest::newRow("out of range") << "base: ssd\nvary: {attention.window: [0]}\n"
                                << "ssd-window=0|attention.window|outside";
  QTest::newRow("no such stage") << "base: ssd\nvary: {stages.7.epochs: [1]}\n"
                                 << "stages[7].epochs";
  QTest::newRow("no base") << "vary: {attention.window: [16]}\n"
                           << "base|preset";
  QTest::newRow("unknown base") << "base: sdd\n"
                                << "base|sdd|ssd";
  QTest::newRow("a value, not a list") << "base: ssd\nvary: {attention.window: 16}\n"
                                       << "vary.attention.window|list|line 2";
  QTest::newRow("nested lists") << "base: ssd\nvary: {attention.window: [[[1]]]}\n"
                                << "vary.attention.window";
  QTest::newRow("seed varied") << "base: ssd\nvary: {seed: [1, 2]}\n"
                               << "seeds";
  QTest::newRow("seeds twice") << "base: ssd\nseeds: [1, 1]\n"
                               << "twice";
  QTest::newRow("seeds no numbers") << "base: ssd\nseeds: [a]\n"
                                    << "seeds|whole numbers";
  QTest::newRow("equal runs") << "base: ssd\nruns: [{attention.window: 8}, {attention.window: 8}]\n"
                              << "same run";
  QTest::newRow("key twice") << "base: ssd\nbase: lolcats\n"
                             << "twice";
  QTest::newRow("stages as a list") << "base: ssd\nset: {stages: [{epochs: 1}]}\n"
                                    << "stages.1.epochs";
  QTest::newRow("too many")
      << "base: ssd\nseeds: [0,1,2,3,4,5,6,7,8,9]\nvary: {attention.window: "
         "[1,2,3,4,5,6,7,8,9,10,11], attention.sinks: [1,2,3,4,5,6,7,8,9,10]}\n"
      << "1000";
  QTest::newRow("not a map") << "[1, 2]\n"
                             << "base: ssd";
  QTest::newRow("broken") << "base: [\n"
                          << "line";
  QTest::newRow("deep") << QString("base: ") + QString("[").repeated(10000) << "nested too deeply";
}

void TstSweep::bad_sweeps_are_problems() {
  QFETCH(QString, yaml);
  QFETCH(QString, words);
  const Sweep s = expand_sweep(yaml.toStdString());
  QVERIFY(s.recipes.empty());
  for (const auto& word : words.split('|')) QVERIFY2(all_of(s).contains(word.toUtf8()), all_of(s));
}

void TstSweep::over_seeds_keeps_the_setting() {
  const Recipe base = presets()[0].recipe;
  const auto runs = over_seeds(base, {7, 8});
  QCOMPARE(runs.size(), 2u);
  QCOMPARE(runs[1].seed, 8);
  QCOMPARE(runs[1].name, base.name + "-8");
  QCOMPARE(recipe_hash(runs[0]), recipe_hash(base));
}

QTEST_APPLESS_MAIN(TstSweep)
#include "tst_sweep.moc"
