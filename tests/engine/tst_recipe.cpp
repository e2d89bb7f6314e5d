#include <QtTest>
#include <filesystem>
#include <limits>

#include "engine/data/tasks.h"
#include "engine/recipe.h"
#include "engine/sweep.h"

using namespace engine;

/// The recipe as a value and as text.
class TstRecipe : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void presets_write_back_equal_data();
  void presets_write_back_equal();
  void every_field_survives_yaml();
  void experiments_load_check_clean_and_write_back_equal();
  void unknown_key_names_path_and_nearest_key();
  void ill_typed_value_names_path_and_what_was_expected();
  void broken_yaml_names_line_and_column();
  void hostile_yaml_is_refused();
  void preset_fills_and_a_key_beside_it_wins();
  void schedule_holds_its_last_value();
  void settings_take_the_design_spelling();
  void hash_ignores_what_changes_no_number();
  void difference_keeps_empty_and_absent_apart();
};

void TstRecipe::presets_write_back_equal_data() {
  QTest::addColumn<int>("index");
  for (std::size_t i = 0; i < presets().size(); ++i) QTest::newRow(presets()[i].name.c_str()) << static_cast<int>(i);
}

void TstRecipe::presets_write_back_equal() {
  QFETCH(int, index);
  const Recipe& r = presets()[static_cast<std::size_t>(index)].recipe;
  for (const auto& text : {to_yaml(r), to_resolved_yaml(r)}) {
    const ParsedRecipe back = parse_recipe(text);
    QVERIFY2(back.problems.empty(), back.problems.empty() ? "" : back.problems[0].message.c_str());
    QCOMPARE(to_resolved_yaml(back.recipe), to_resolved_yaml(r));
  }
  for (const auto& p : check(r)) QVERIFY2(p.warning, (p.path + ": " + p.message).c_str());
}

void TstRecipe::every_field_survives_yaml() {
  // Each field is moved off its default in turn and must come back from the text.
  Recipe base = presets()[0].recipe;
  const auto count = fields(base).size();
  QVERIFY(count > 60);
  for (std::size_t i = 0; i < count; ++i) {
    Recipe r = base;
    auto list = fields(r);
    Field& f = list[i];
    Value moved = f.get();
    if (f.info.path.ends_with(".kind") || f.info.path.ends_with("].trainable") || f.info.path.ends_with(".objective")) continue;
    if (auto* b = std::get_if<bool>(&moved)) *b = !*b;
    if (auto* n = std::get_if<std::int64_t>(&moved)) *n += 3;
    if (auto* d = std::get_if<double>(&moved)) *d = *d * 0.7 + 0.123456789012345;
    if (auto* s = std::get_if<std::string>(&moved)) *s = f.info.choices.size() > 1 && !f.info.open_choice ? f.info.choices.back() : "a \"word\": #1";
    if (auto* l = std::get_if<std::vector<std::int64_t>>(&moved)) *l = {4, 8, 16};
    if (auto* l = std::get_if<std::vector<double>>(&moved)) *l = {0.9, 1.0 / 3};
    if (auto* l = std::get_if<std::vector<std::string>>(&moved)) *l = {"q", "v"};
    f.set(moved);
    const ParsedRecipe back = parse_recipe(to_yaml(r));
    QVERIFY2(back.problems.empty(), (f.info.path + ": " + (back.problems.empty() ? "" : back.problems[0].message)).c_str());
    QVERIFY2(to_resolved_yaml(back.recipe) == to_resolved_yaml(r), f.info.path.c_str());
    QVERIFY2(!f.info.doc.empty() && !f.info.label.empty(), f.info.path.c_str());
  }
}

void TstRecipe::experiments_load_check_clean_and_write_back_equal() {
  int seen = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(EQUIPOISE_SOURCE_DIR "/experiments")) {
    if (entry.path().extension() != ".yaml") continue;
    ++seen;
    if (entry.path().string().ends_with(".sweep.yaml")) {
      const Sweep sweep = load_sweep(entry.path());
      QVERIFY2(sweep.problems.empty(), sweep.problems.empty() ? "" : sweep.problems[0].message.c_str());
      QVERIFY(sweep.recipes.size() > 1);
      continue;
    }
    const ParsedRecipe parsed = load_recipe(entry.path());
    QVERIFY2(parsed.problems.empty(), parsed.problems.empty() ? "" : parsed.problems[0].message.c_str());
    for (const auto& p : check(parsed.recipe)) QVERIFY2(p.warning, (entry.path().string() + " " + p.path + ": " + p.message).c_str());
    QCOMPARE(to_resolved_yaml(parse_recipe(to_yaml(parsed.recipe)).recipe), to_resolved_yaml(parsed.recipe));
    for (const auto& task : parsed.recipe.evaluation.tasks)
      if (!task.starts_with("builtin:")) QVERIFY(!expand_task_name(task).empty());  // throws for an unknown task
    // Only the paper's experiments may name models that are not there: whoever has the weights puts them in place.
    const bool paper = entry.path().string().find("/experiments/paper/") != std::string::npos;
    const std::string& model = parsed.recipe.model;
    QVERIFY2(paper || model == "builtin:tiny" || std::filesystem::is_directory(EQUIPOISE_SOURCE_DIR "/" + model), entry.path().c_str());
  }
  QVERIFY(seen >= 100);
}

void TstRecipe::unknown_key_names_path_and_nearest_key() {
  const auto parsed = parse_recipe("attention:\n  windwo: 32\n");
  QCOMPARE(parsed.problems.size(), std::size_t{1});
  QCOMPARE(parsed.problems[0].path, std::string("attention.windwo"));
  QVERIFY(QString::fromStdString(parsed.problems[0].message).contains("attention.window"));
  QVERIFY(QString::fromStdString(parsed.problems[0].message).contains("line 2"));
  Recipe r;
  QVERIFY(set_field(r, "data.pth", "x").has_value());
}

void TstRecipe::ill_typed_value_names_path_and_what_was_expected() {
  const auto parsed = parse_recipe("attention: {window: wide}\nstages: [{kind: finetune, schedule: {dropout: [0.5, no]}}]\n");
  QCOMPARE(parsed.problems.size(), std::size_t{2});
  QVERIFY(QString::fromStdString(parsed.problems[0].message + parsed.problems[1].message).contains("a whole number"));
  Recipe r = presets()[0].recipe;
  r.stages[1].schedule.dropout = {1.5};
  r.attention.mixing.weight = std::numeric_limits<double>::quiet_NaN();
  QVERIFY(check(r).size() >= 2);
}

void TstRecipe::broken_yaml_names_line_and_column() {
  const auto parsed = parse_recipe("name: a\nstages: [1, 2\n");
  QVERIFY(!parsed.problems.empty());
  QVERIFY(QString::fromStdString(parsed.problems[0].message).contains("line"));
}

void TstRecipe::hostile_yaml_is_refused() {
  QVERIFY(!parse_recipe(std::string(100000, '[')).problems.empty());
  QVERIFY(!parse_recipe(std::string(2000000, 'a')).problems.empty());
  std::string dashes;
  for (int i = 0; i < 5000; ++i) dashes += "- ";
  QVERIFY(!parse_recipe(dashes).problems.empty());
  std::string bomb = "a: &a [x, x]\n";
  for (char c = 'b'; c < 'z'; ++c)
    bomb += std::string(1, c) + ": &" + c + " {p: *" + static_cast<char>(c - 1) + ", q: *" + static_cast<char>(c - 1) + "}\n";
  QVERIFY(!parse_recipe(bomb).problems.empty());
}

void TstRecipe::preset_fills_and_a_key_beside_it_wins() {
  const auto r = parse_recipe("attention: {feature_map: {size: 24, preset: hedgehog}}").recipe;
  QCOMPARE(r.attention.feature_map.activation, std::string("exp"));
  QCOMPARE(r.attention.feature_map.size, std::string("24"));
}

void TstRecipe::schedule_holds_its_last_value() {
  StageSpec s;
  s.schedule.dropout = {0.9, 0.75, 0.5};
  s.schedule.window = {4, 8};
  QCOMPARE(dropout_at(s, 0), 0.9);
  QCOMPARE(dropout_at(s, 2), 0.5);
  QCOMPARE(dropout_at(s, 9), 0.5);
  QCOMPARE(window_at(s, AttentionSpec{}, 7), std::int64_t{8});
  QCOMPARE(window_at(StageSpec{}, AttentionSpec{}, 7), std::int64_t{64});
}

void TstRecipe::settings_take_the_design_spelling() {
  const auto parsed = parse_recipe("data: {tokens_per_epoch: 25M}\nevaluation: {data: null, every: 50 steps}\n");
  QVERIFY(parsed.problems.empty());
  QCOMPARE(parsed.recipe.data.tokens_per_epoch, std::int64_t{25000000});
  QCOMPARE(parsed.recipe.evaluation.every, std::int64_t{50});
  Recipe r = presets()[0].recipe;
  QVERIFY(!set_field(r, "stages.1.schedule.dropout", "[0.9, 0.1]"));
  QCOMPARE(r.stages[1].schedule.dropout.size(), std::size_t{2});
}

void TstRecipe::hash_ignores_what_changes_no_number() {
  Recipe a = presets()[0].recipe, b = a;
  b.name = "other";
  b.seed = 7;
  b.log_every = 20;
  for (auto& stage : b.stages) stage.recompute_activations = true;
  QCOMPARE(recipe_hash(a), recipe_hash(b));
  b.attention.window += 1;
  QVERIFY(recipe_hash(a) != recipe_hash(b));
}

void TstRecipe::difference_keeps_empty_and_absent_apart() {
  Recipe a = presets()[0].recipe, b = a;
  b.stages[1].schedule.dropout = {};
  b.stages.push_back(b.stages[1]);
  bool empty = false, absent = false;
  for (const auto& d : differences({a, b})) {
    if (d.path == "stages[1].schedule.dropout") empty = d.values[1] == std::optional<std::string>("");
    if (d.path == "stages[2].epochs") absent = !d.values[0].has_value();
  }
  QVERIFY(empty);
  QVERIFY(absent);
}

QTEST_APPLESS_MAIN(TstRecipe)
#include "tst_recipe.moc"
