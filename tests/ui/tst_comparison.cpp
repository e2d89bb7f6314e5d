/// The values behind the Compare page and the estimates: no window.

#include <QTest>
#include <cmath>
#include <set>

#include "engine/sweep.h"
#include "ui/forms/sweep_dialog.h"
#include "ui/models/ablation_model.h"
#include "ui/models/comparison.h"
#include "ui/models/estimate.h"
#include "ui/models/experiments.h"
#include "ui/models/layer_series.h"
#include "ui/models/run_expression.h"
#include "ui/models/series_formula.h"
#include "ui/models/table_text.h"
#include "ui/models/x_axis.h"

namespace {

ui::RunData run(engine::RunId id, const std::string& name, std::int64_t seed, double hybrid,
                double swa, const std::string& hash = "") {
  ui::RunData data;
  data.info.id = id;
  data.info.name = name;
  data.info.seed = seed;
  data.info.hash = hash;
  data.info.state = engine::RunState::done;
  data.recipe = engine::presets().front().recipe;
  for (std::int64_t step : {10, 20}) {
    const double late = step == 20 ? 1 : 0.5;
    data.addEvaluation(step, "teacher", "all", "acc", 0.9, 0.01, 400);
    data.addEvaluation(step, "hybrid", "all", "acc", hybrid * late, 0.01, 400);
    data.addEvaluation(step, "swa", "all", "acc", swa * late, 0.01, 400);
    data.addEvaluation(step, "hybrid", "recall", "acc", hybrid * late, 0.01, 100);
    data.addEvaluation(step, "swa", "recall", "acc", swa * late, 0.01, 100);
    data.addEvaluation(step, "delta_h_swa", "all", "acc", (hybrid - swa) * late, 0.01, 400);
    data.addEvaluation(step, "exposure", "recall", "share", 0.8, 0, 100);
  }
  return data;
}

engine::ModelInfo tinyShape() {
  engine::ModelInfo m;
  m.layers = 2;
  m.heads = 4;
  m.kv_heads = 2;
  m.head_dim = 8;
  m.hidden = 32;
  m.mlp = 64;
  m.vocabulary = 100;
  m.parameters = 20000;
  m.dtype = "F32";
  return m;
}

const ui::PaperBlock* block(const QString& id) {
  for (const ui::PaperBlock& b : ui::paperBlocks())
    if (b.id == id) return &b;
  return nullptr;
}

}  // namespace

class TestComparison : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void seeds_of_one_setting_become_their_mean() {
    const ui::RunData a = run(1, "ssd-seed0", 0, 0.70, 0.6, "x"),
                      b = run(2, "ssd-seed1", 1, 0.72, 0.6, "x"),
                      c = run(3, "other", 0, 0.5, 0.5, "y");
    const auto single = ui::comparedRows({&a, &b, &c}, {"a", "b", "c"});
    QCOMPARE(single.size(), std::size_t(3));
    const auto grouped = ui::comparedRows({&a, &b, &c}, {"a", "b", "c"}, {.by = "setting"});
    QCOMPARE(grouped.size(), std::size_t(2));
    QCOMPARE(grouped[0].name, QString("ssd (2 seeds)"));
    QCOMPARE(grouped[1].name, QString("other"));
    const ui::Estimate* e = grouped[0].find("hybrid", "all");
    QVERIFY(e);
    QVERIFY(std::abs(e->value - 0.71) < 1e-12);
    QVERIFY(std::abs(e->half - 12.7062 * 0.01) < 1e-5);  // t(1) · 0.01414 / √2
    QVERIFY(e->note.contains("2 runs") && e->note.contains("95 %"));
    const auto curve = ui::curveOf(grouped[0], "hybrid", "all");
    QCOMPARE(curve.size(), std::size_t(2));
    QVERIFY(std::abs(curve[1].y - 71) < 1e-9);
    QVERIFY(std::abs(curve[1].err - 12.7062) < 1e-3);
  }

  void runs_are_grouped_by_any_setting_with_the_spread_asked_for() {
    ui::RunData a = run(1, "a", 0, 0.70, 0.6, "x"), b = run(2, "b", 1, 0.74, 0.6, "y"), c = run(3, "c", 0, 0.5, 0.5, "z");
    a.recipe.attention.window = b.recipe.attention.window = 32;
    c.recipe.attention.window = 8;
    auto rows = ui::comparedRows({&a, &c, &b}, {}, {.by = "attention.window", .spread = ui::Grouping::Spread::deviation});
    QCOMPARE(rows.size(), std::size_t(2));
    QCOMPARE(rows[0].name, QString("attention.window 32 (2 runs)"));
    QCOMPARE(rows[1].name, QString("attention.window 8"));
    const double deviation = 0.04 / std::sqrt(2.0);
    QVERIFY(std::abs(rows[0].find("hybrid", "all")->half - deviation) < 1e-12);
    QVERIFY(std::abs(ui::curveOf(rows[0], "hybrid", "all")[1].err - 100 * deviation) < 1e-9);
    rows = ui::comparedRows({&a, &c, &b}, {}, {.by = "attention.window", .spread = ui::Grouping::Spread::error});
    QVERIFY(std::abs(rows[0].find("hybrid", "all")->half - 0.02) < 1e-12);
    QCOMPARE(rows[1].find("hybrid", "all")->half, ui::half95(0.01));  // one run alone: over examples
  }

  void least_and_greatest_are_a_spread_with_two_sides() {
    const ui::RunData a = run(1, "a", 0, 0.70, 0.6, "x"), b = run(2, "b", 1, 0.72, 0.6, "x"), c = run(3, "c", 2, 0.77, 0.6, "x"),
                      d = run(4, "d", 0, 0.5, 0.5, "y");
    const auto rows = ui::comparedRows({&a, &b, &c, &d}, {"a", "b", "c", "d"}, {.by = "setting", .spread = ui::Grouping::Spread::range});
    QCOMPARE(rows.size(), std::size_t(2));
    const ui::Estimate* e = rows[0].find("hybrid", "all");
    QVERIFY(std::abs(e->value - 0.73) < 1e-12);
    QVERIFY(std::abs(e->half - 0.03) < 1e-12 && std::abs(e->up() - 0.04) < 1e-12);
    QCOMPARE(ui::estimateText(*e, false), QString("73.0 (70.0 to 77.0)"));
    QVERIFY(e->note.contains("3 runs") && e->note.contains("min–max"));
    QCOMPARE(ui::curveOf(rows[0], "hybrid", "all")[1].err, 0.0);
    const ui::CurveRange range = ui::rangeOf(rows[0], "hybrid", "all");
    QCOMPARE(range.low.size(), std::size_t(2));
    QCOMPARE(range.low[1].y, 70.0);
    QCOMPARE(range.high[1].y, 77.0);
    QVERIFY(ui::rangeOf(rows[1], "hybrid", "all").low.empty());  // one run alone: its interval over examples
    QCOMPARE(rows[1].find("hybrid", "all")->up(), ui::half95(0.01));

    ui::AblationModel model;
    model.setRows(rows, ui::AblationModel::Layout::components, "all");
    const QStringList lines = model.text(ui::TableFormat::csv).split('\n');
    QVERIFY2(lines[0].contains("hybrid_spread_below") && lines[0].contains("hybrid_spread_above") && lines[0].contains("spread"),
             qPrintable(lines[0]));
    QVERIFY2(lines[1].contains("min–max"), qPrintable(lines[1]));
    QVERIFY2(lines[2].contains("95 % interval"), qPrintable(lines[2]));
    model.setRows(ui::comparedRows({&a, &b}, {"a", "b"}), ui::AblationModel::Layout::components, "all");
    QVERIFY(model.text(ui::TableFormat::csv).contains("hybrid_half_width_95"));
  }

  void every_accuracy_table_of_the_paper_has_blocks() {
    QSet<QString> tables, ids;
    for (const ui::PaperBlock& b : ui::paperBlocks()) {
      tables << b.table;
      QVERIFY2(!ids.contains(b.id), qPrintable(b.id));
      ids << b.id;
      const ui::ComparedRow row = ui::printedRow(b);
      QVERIFY2(!row.cells.empty(), qPrintable(b.id));
      QVERIFY(row.isPrinted());
      for (const auto& [key, e] : row.cells) QVERIFY2(!e.printed.isEmpty(), qPrintable(b.id));
    }
    QCOMPARE(tables.size(), 15);  // all but 5 and 6, which print no accuracies
  }

  void printed_numbers_stay_as_printed() {
    const auto* one = block("table12/mistral-7b-instruct/5 epochs/");
    QVERIFY(one);
    const ui::ComparedRow row = ui::printedRow(*one);
    QCOMPARE(row.name, QString("Table 12 · Mistral-7B-Instruct, 5 epochs"));
    QCOMPARE(row.find("hybrid", "all")->printed, QString("66.30"));
    QCOMPARE(row.find("teacher", "all")->printed, QString("68.26"));
    QCOMPARE(row.find("hybrid", "recovered")->printed, QString("97.13"));
    QCOMPARE(row.find("delta_h_swa", "all")->printed, QString("+2.26"));
    QVERIFY(row.find("hybrid", "winogrande")->note.contains("as printed"));
    QVERIFY(row.find("hybrid", "winogrande")->note.contains("window of 64"));  // note C41
    const auto* spread = block("table1/mistral-7b-instruct//");
    QVERIFY(spread);
    const ui::ComparedRow first = ui::printedRow(*spread);
    QCOMPARE(ui::estimateText(*first.find("hybrid", "all"), false), QString("65.54 ± 0.07"));
  }

  void the_table_by_tasks_has_the_papers_form() {
    const ui::RunData a = run(1, "a", 0, 0.8, 0.6);
    auto rows = ui::comparedRows({&a}, {"a"});
    rows.push_back(ui::printedRow(*block("table12/mistral-7b-instruct/5 epochs/")));
    ui::AblationModel model;
    model.setRows(rows, ui::AblationModel::Layout::tasks, "all");
    QStringList titles;
    for (int c = 0; c < model.columnCount(); ++c)
      titles << model.headerData(c, Qt::Horizontal, Qt::DisplayRole).toString();
    QVERIFY(titles.contains("recall, %"));
    QVERIFY(titles.contains("piqa, %"));
    const int average = int(titles.indexOf("average, %")),
              recovered = int(titles.indexOf("recovered, %"));
    QCOMPARE(model.index(1, average).data().toString(), QString("80.0 ± 2.0"));
    QCOMPARE(model.index(1, recovered).data().toString(), QString("88.9"));  // 0.8 / 0.9
    QCOMPARE(model.index(1, 0).data().toString(), QString());  // the run's name stands once
    QCOMPARE(model.index(3, 1).data().toString(), QString("exposure"));
    QCOMPARE(model.index(3, int(titles.indexOf("recall, %"))).data().toString(), QString("80.0"));
    QVERIFY(model.text(ui::TableFormat::latex).contains("Table 12 $\\cdot$ Mistral"));
    const QString csv = model.text(ui::TableFormat::csv);
    QVERIFY(csv.contains("\"as printed\""));
    QVERIFY(csv.contains("\"a\",\"hybrid\","));
  }

  void pairs_are_tested_on_the_same_examples_only() {
    ui::RunData a = run(1, "a", 0, 0.8, 0.6), b = run(2, "b", 0, 0.6, 0.6);
    const ui::Outcomes outcomes = [&](const ui::RunData& r, std::int64_t,
                                      const std::string& component, const std::string&) {
      std::vector<std::uint8_t> bits(100, 0);
      const int right = r.info.id == 1 && component == "hybrid" ? 80 : 60;
      std::fill(bits.begin(), bits.begin() + right, std::uint8_t(1));
      return bits;
    };
    auto rows = ui::pairedRows({&b, &a}, {"b", "a"}, "all", outcomes);
    QCOMPARE(rows.size(), std::size_t(2));  // hybrid and swa; the teacher is the same in both
    QCOMPARE(rows[0].component, std::string("hybrid"));
    QCOMPARE(rows[0].first, QString("a"));
    QCOMPARE(rows[0].first_only, std::size_t(20));
    QVERIFY(rows[0].p < 1e-5);
    QCOMPARE(rows[1].p, 1.0);
    QVERIFY(rows[0].adjusted >= 2 * rows[0].p - 1e-12);
    const auto cells = ui::pairedCells(rows);
    QCOMPARE(cells[0].back().text, QString("better"));
    QCOMPARE(cells[1].back().text, QString("no difference shown"));
    b.recipe.evaluation.shots = 5;
    rows = ui::pairedRows({&b, &a}, {"b", "a"}, "all", outcomes);
    QVERIFY2(rows[0].problem.contains("evaluation.shots"), qPrintable(rows[0].problem));
    b.recipe = a.recipe;
    rows = ui::pairedRows({&b, &a}, {"b", "a"}, "all",
                          [](const ui::RunData& r, auto, const auto&, const auto&) {
                            return std::vector<std::uint8_t>(std::size_t(r.info.id), 1);
                          });
    QVERIFY(rows[0].problem.startsWith("not the same examples"));
  }

  void expressions_filter_over_settings_and_results_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<bool>("passes");
    for (auto [text, passes] : {std::pair("window == 64", true),
                                std::pair("attention.window=64", true),
                                std::pair("attention.window != 64", false),
                                std::pair("delta_h_swa > 1", true),
                                std::pair("delta_h_swa > 1 && hybrid >= 71.2", true),
                                std::pair("delta_h_swa<1 || state = done", true),
                                std::pair("not (state = done)", false),
                                std::pair("!failed", true),
                                std::pair("name ~ SS", true),
                                std::pair("name = \"ssd 32\"", true),
                                std::pair("tokens_per_epoch = 25M", true),
                                std::pair("stages[1].epochs = 3", true),
                                std::pair("epochs = 3", true),
                                std::pair("epochs = 4", false),
                                std::pair("dropout ~ 0.75", true),
                                std::pair("nothing = 1", false),
                                std::pair("nothing != 1", true),
                                std::pair("(done or failed) and not lolcats", true),
                                std::pair("ssd -hedgecats", true),
                                std::pair("seed: 7", true),
                                std::pair("hybrid - delta_h_swa > 68", true),
                                std::pair("hybrid − delta_h_swa > 69", false),
                                std::pair("(hybrid - delta_h_swa) / window >= 1.06", true),
                                std::pair("not 2 * window = 127", true),
                                std::pair("state = done and delta_h_swa / hybrid < 0.05", true),
                                std::pair("nothing + 1 != 7", false),
                                std::pair("builtin/tiny", false)})
      QTest::newRow(text) << QString(text) << passes;
  }
  void expressions_filter_over_settings_and_results() {
    QFETCH(QString, text);
    QFETCH(bool, passes);
    engine::Recipe recipe = engine::presets().front().recipe;
    recipe.data.tokens_per_epoch = 25'000'000;
    recipe.attention.window = 64;
    recipe.stages[1].epochs = 3;
    recipe.seed = 7;
    ui::RunFacts facts;
    facts.recipe = engine::to_resolved_yaml(recipe);
    facts.text = "ssd 32\ndone\n" + QString::fromStdString(facts.recipe);
    facts.words = {{"name", "ssd 32"}, {"state", "done"}};
    facts.results = {{"hybrid", 71.2}, {"delta_h_swa", 3.1}};
    QString problem;
    const auto expression = ui::RunExpression::parse(text, &problem);
    QVERIFY2(problem.isEmpty(), qPrintable(problem));
    QCOMPARE(expression.matches(facts), passes);
  }

  void an_unreadable_expression_says_why_and_hides_nothing() {
    for (const char* text : {"window >", "(done", "a = \"b", "&& b", "a ) b", "= 3"}) {
      QString problem;
      const auto expression = ui::RunExpression::parse(text, &problem);
      QVERIFY2(!problem.isEmpty(), text);
      QVERIFY(expression.matches({}));
    }
  }

  void a_formula_is_evaluated_where_every_input_has_a_point() {
    ui::RunData data = run(1, "ssd", 0, 0.7, 0.6, "h");
    data.has_series = true;
    data.series["train/loss"] = {{5, 3, 0}, {10, 2, 0}, {20, 1, 0}};
    data.series["validation/loss"] = {{10, 2.5, 0}, {15, 9, 0}, {20, 0.5, 0}, {30, 1, 0}};
    const QStringList names = ui::metricNames(data);
    QVERIFY(names.indexOf("hybrid") < names.indexOf("train/loss") && names.contains("hybrid@recall"));
    auto values = [&](const QString& text) {
      QString problem;
      const auto formula = ui::SeriesFormula::read(text, names, &problem);
      QStringList out;
      if (!formula) return QStringList{problem};
      for (const auto& p : formula->curve(data, "all")) out << QString("%1:%2").arg(p.x).arg(p.y, 0, 'g', 6);
      const auto again = ui::SeriesFormula::read(formula->text(), {}, &problem);  // as it is kept
      if (!again || again->text() != formula->text() || again->names() != formula->names())
        return QStringList{"reads otherwise: " + formula->text()};
      return out;
    };
    QCOMPARE(values("hybrid − swa"), (QStringList{"10:5", "20:10"}));
    QCOMPARE(values("hybrid-swa"), values("hybrid - swa"));
    QCOMPARE(values("delta_h_swa/teacher"), (QStringList{"10:0.0555556", "20:0.111111"}));
    QCOMPARE(values("train/loss - validation/loss"), (QStringList{"10:-0.5", "20:0.5"}));
    QCOMPARE(values("\"train/loss\" * 1e-3"), (QStringList{"5:0.003", "10:0.002", "20:0.001"}));
    QCOMPARE(values("exp(log(validation/loss)) / (2 + 3 * 1 - 1)"), (QStringList{"10:0.625", "15:2.25", "20:0.125", "30:0.25"}));
    QCOMPARE(values("-abs(train/loss-3)"), (QStringList{"5:0", "10:-1", "20:-2"}));
    QCOMPARE(values("hybrid@recall - hybrid"), (QStringList{"10:0", "20:0"}));
    QCOMPARE(values("hybrid * train/loss - validation/loss"), (QStringList{"10:67.5", "20:69.5"}));
    for (auto [text, why] : {std::pair("hybrid -", "missing at the end"), std::pair("(hybrid", "not closed"), std::pair("hybrid swa", "“swa” was not expected"),
                             std::pair("sin(hybrid)", "no function"), std::pair("1 + 2", "names no metric"), std::pair("", "missing"),
                             std::pair("hybrid > 3", "“>” was not expected")})
      QVERIFY2(values(text).size() == 1 && values(text)[0].contains(why), qPrintable(values(text).join("; ")));
    QString problem;
    const auto single = ui::SeriesFormula::read("hybrid", names, &problem);
    QVERIFY(single->curve(data, "all")[0].err > 0);  // a lone metric keeps its interval
    const auto absent = ui::SeriesFormula::read("hybrid - nothing", names, &problem);
    QVERIFY(absent->curve(data, "all").empty());
    QCOMPARE(absent->missing(data, "all"), QStringList{"nothing"});
    const ui::RunData other = run(2, "ssd", 1, 0.72, 0.6, "h");
    const auto grouped = ui::comparedRows({&data, &other}, {"a", "b"}, {.by = "setting"});
    const auto difference = ui::SeriesFormula::read("hybrid - swa", names, &problem);
    QCOMPARE(grouped.size(), std::size_t(1));
    QCOMPARE(ui::curveOf(grouped[0], *difference, "all").size(), std::size_t(2));
    QVERIFY(std::abs(ui::curveOf(grouped[0], *difference, "all")[1].y - 11) < 1e-9);
  }

  void a_line_of_the_notes_may_belong_to_a_step() {
    const std::string notes = "plain text\n@168: loss jumps\n@20 window 4\n@x no step\n@7\n@12b no";
    QCOMPARE(ui::stepNotes(notes), (std::vector<ui::StepNote>{{7, ""}, {20, "window 4"}, {168, "loss jumps"}}));
    const std::string more = ui::withStepNote(notes, 20, "window 8");
    QCOMPARE(ui::stepNotes(more)[1].text, std::string("window 8"));
    QVERIFY(more.starts_with("plain text\n@168"));
    QCOMPARE(ui::stepNotes(ui::withStepNote(more, 168, "")).size(), std::size_t(2));
    QCOMPARE(ui::withStepNote("", 3, "a"), std::string("@3 a"));
    QCOMPARE(ui::withStepNote("@3 a", 3, ""), std::string());
  }

  void derived_series_come_back_from_the_settings() {
    ui::DerivedSeriesList list;
    list.put({"gain", "hybrid - swa", "points"});
    list.put({"gain", "hybrid - \"train/loss\"", ""});
    QCOMPARE(list.all().size(), std::size_t(1));
    ui::DerivedSeriesList back;
    back.restore(list.toSettings() + QStringList{"bad", "hybrid -", "", "odd"});
    QVERIFY(back.all() == list.all());
    back.remove("gain");
    QVERIFY(back.all().empty());
  }

  void a_step_is_an_epoch_a_number_of_tokens_and_a_time() {
    ui::RunData data = run(1, "ssd", 0, 0.7, 0.6);
    data.info.started_ms = 1'000'000;
    const auto plan = data.plan();
    const double transfer = double(plan[0].last), end = double(plan.back().last);
    const ui::StepMap epochs(ui::XAxis::epoch, data, {}), tokens(ui::XAxis::tokens, data, {});
    QCOMPARE(ui::StepMap()(17), 17.0);
    QCOMPARE(epochs(transfer), double(data.recipe.stages[0].epochs));
    QVERIFY(std::abs(epochs(end) - double(data.recipe.stages[0].epochs + data.recipe.stages[1].epochs)) < 1e-9);
    QVERIFY(std::abs(tokens(end) - ui::costOf(data.recipe, nullptr).tokens / 1e6) < 1e-9);
    const ui::StepMap minutes(ui::XAxis::elapsed, data, {{10, 1'060'000}, {20, 1'180'000}});
    QCOMPARE(minutes(0), 0.0);
    QCOMPARE(minutes(10), 1.0);
    QCOMPARE(minutes(15), 2.0);
    QCOMPARE(minutes(20), 3.0);
    const ui::StepMap clock(ui::XAxis::clock, data, {{10, 1'060'000}});
    QCOMPARE(clock({{10, 7, 1}})[0].x, 1060.0);
    QCOMPARE(ui::StepMap(ui::XAxis::clock, data, {})(3), 1000.0);
  }

  void flat_settings_are_the_fields() {
    engine::Recipe recipe = engine::presets().front().recipe;
    const auto flat = ui::flatSettings(engine::to_resolved_yaml(recipe));
    int seen = 0;
    for (const engine::Field& field : engine::fields(recipe)) {
      const auto found = flat.find(field.info.path);
      QVERIFY2(found != flat.end(), field.info.path.c_str());
      QVERIFY2(engine::from_text(found->second, field.get()) == field.get(),
               field.info.path.c_str());
      ++seen;
    }
    QCOMPARE(flat.size(), std::size_t(seen));
  }

  void a_sweep_is_every_combination() {
    const engine::Recipe base = engine::presets().front().recipe;
    const auto sweep =
        engine::expand_sweep(base,
                             {{"attention.window", {"8", "16"}},
                              {"stages[1].schedule.dropout", {"[0.9, 0.5]", "[0.5]"}}},
                             {0, 1, 2});
    QVERIFY(sweep.problems.empty());
    QCOMPARE(sweep.recipes.size(), std::size_t(12));
    std::set<std::string> names;
    for (const auto& recipe : sweep.recipes) names.insert(recipe.name);
    QCOMPARE(names.size(), std::size_t(12));
    QCOMPARE(sweep.recipes[5].name, base.name + "-window=8-dropout=0.5-2");
    QCOMPARE(sweep.recipes[5].attention.window, 8);
    QCOMPARE(sweep.recipes[5].stages[1].schedule.dropout, std::vector<double>{0.5});
    QCOMPARE(sweep.recipes[5].seed, 2);
    QCOMPARE(ui::sweepValues("0.9, 0.5; 0.5", true),
             (std::vector<std::string>{"[0.9, 0.5]", "[0.5]"}));
    using Axes = std::vector<engine::SweepAxis>;
    for (const Axes& wrong :
         {Axes{{"attention.window", {"eight"}}}, Axes{{"attention.windows", {"8"}}},
          Axes{{"attention.window", {"-3"}}}, Axes{{"attention.window", {}}},
          Axes{{"attention.window", {"8"}}, {"attention.window", {"16"}}}}) {
      const auto refused = engine::expand_sweep(base, wrong, {});
      QVERIFY(refused.recipes.empty() && !refused.problems.empty());
      QVERIFY(refused.problems[0].path.find("window") != std::string::npos);
    }
    const std::vector<std::int64_t> many(engine::k_most_sweep_runs + 1);
    QVERIFY(!engine::expand_sweep(base, {}, many).problems.empty());
  }

  void trainable_parameters_are_counted_by_the_recipe() {
    const engine::ModelInfo m = tinyShape();
    engine::Recipe recipe = engine::presets().front().recipe;
    recipe.attention.feature_map = engine::FeatureMapSpec{};
    const engine::StageSpec& transfer = recipe.stages[0];
    // 2 layers × 4 heads × (W_q and W_k) × 8 × 8
    QCOMPARE(ui::trainableParameters(recipe, transfer, m), 2 * 4 * 2 * 64);
    recipe.attention.feature_map.tied = true;
    QCOMPARE(ui::trainableParameters(recipe, transfer, m), 2 * 4 * 64);
    recipe.attention.feature_map.tied = false;
    recipe.attention.feature_map.size = "half";
    QCOMPARE(ui::trainableParameters(recipe, transfer, m), 2 * 4 * 2 * 32);
    recipe.attention.mixing.kind = "learned";
    QCOMPARE(ui::trainableParameters(recipe, transfer, m), 2 * 4 * 2 * 32 + 2 * 4);
    engine::StageSpec tune;
    tune.lora.rank = 2;
    tune.lora.targets = {"q", "k", "v", "o"};
    // a layer: q and o 32 + 32 each, k and v 32 + 16 each
    QCOMPARE(ui::trainableParameters(recipe, tune, m), 2 * 2 * (64 + 64 + 48 + 48));
    tune.trainable = "full";
    QCOMPARE(ui::trainableParameters(recipe, tune, m), 20000);
    tune.train_feature_maps = true;
    QCOMPARE(ui::trainableParameters(recipe, tune, m), 20000 + 2 * 4 * 2 * 32 + 2 * 4);
    QVERIFY(ui::peakBytes(recipe, m) > 4.0 * 20000);
  }

  void recomputed_activations_are_estimated_smaller() {
    engine::ModelInfo m = tinyShape();
    m.layers = 32;
    engine::Recipe recipe = engine::presets().front().recipe;
    recipe.stages = {engine::StageSpec{}};
    recipe.stages[0].batch_size = 64;
    const double kept = ui::peakBytes(recipe, m);
    recipe.stages[0].recompute_activations = true;
    QVERIFY(ui::peakBytes(recipe, m) < kept / 3);
  }

  void a_finished_run_of_the_same_model_says_how_long() {
    ui::RunData done = run(4, "before", 0, 0.7, 0.6);
    done.info.seconds = 100;
    const double tokens = ui::costOf(done.recipe, nullptr).tokens;
    engine::Recipe next = done.recipe;
    const auto speed = ui::speedOf(done, next);
    QVERIFY(speed);
    QVERIFY(std::abs(speed->seconds_per_token * tokens - 100) < 1e-9);
    next.model = "/another";
    QVERIFY(!ui::speedOf(done, next));
    done.info.state = engine::RunState::failed;
    QVERIFY(!ui::speedOf(done, done.recipe));
  }

  void layers_and_heads_become_pictures() {
    ui::RunData data;
    for (int layer = 0; layer < 3; ++layer) {
      for (int step = 0; step < 500; ++step)
        data.series["transfer/layer." + std::to_string(layer)].push_back(
            {double(step), double(layer), 0});
      data.series["share/layer." + std::to_string(layer)] = {{0, 0.1, 0}, {10, 0.2, 0}};
      for (int head = 0; head < 2; ++head)
        data.series["share/layer." + std::to_string(layer) + ".head." + std::to_string(head)] = {
            {0, 0, 0}, {10, 0.1 * layer + 0.01 * head, 0}};
    }
    data.series["train/loss"] = {{1, 1, 0}};
    data.series["odd/layer.x"] = {{1, 1, 0}};
    const auto families = ui::layerFamilies(data);
    QStringList titles;
    for (const auto& f : families) titles << f.title;
    QCOMPARE(titles, (QStringList{"linear share by head", "linear share over steps",
                                  "transfer loss over steps"}));
    const auto heads = ui::layerPicture(data, families[0], 100);
    QCOMPARE(heads.values.size(), std::size_t(3));
    QCOMPARE(heads.columns, (std::vector<double>{0, 1}));
    QVERIFY(std::abs(heads.values[2][1] - 0.21) < 1e-12);
    QVERIFY(heads.share);
    const auto steps = ui::layerPicture(data, families[2], 100);
    QCOMPARE(steps.columns.size(), std::size_t(100));
    QCOMPARE(steps.values[2][50], 2.0);
    QCOMPARE(steps.low, 0.0);
    QCOMPARE(steps.high, 2.0);
  }

  void every_experiment_of_the_paper_can_be_opened() {
    QVERIFY(ui::experiments().size() >= 100);
    QSet<QString> groups;
    for (const ui::Experiment& e : ui::experiments()) {
      groups << e.group;
      const auto parsed = ui::experimentRecipe(e);
      QVERIFY2(parsed.problems.empty(), qPrintable(e.id));
      QVERIFY2(!parsed.recipe.stages.empty(), qPrintable(e.id));
      QVERIFY2(!e.about.isEmpty() && !e.notes.isEmpty(), qPrintable(e.id));
      if (e.embedded)
        for (const auto& problem : engine::check(parsed.recipe))
          QVERIFY2(problem.warning,
                   qPrintable(e.id + ": " + QString::fromStdString(problem.message)));
    }
    QVERIFY(groups.contains("Table 12") && groups.contains("Figure 5") &&
            groups.contains("First look"));
  }
};

QTEST_GUILESS_MAIN(TestComparison)
#include "tst_comparison.moc"
