#include <QtTest>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "engine/error.h"
#include "engine/paper.h"
#include "engine/recipe.h"

using namespace engine;
namespace fs = std::filesystem;

/// The paper's printed results as data. The numbers expected here were read from the text a second time.
class TstPaper : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void tables_have_the_printed_number_of_cells_data();
  void tables_have_the_printed_number_of_cells();
  void numbers_are_as_printed_data();
  void numbers_are_as_printed();
  void averages_are_means_of_the_six_tasks();
  void recoveries_follow_from_averages_except_where_marked();
  void oddities_are_marked_at_their_cells();
  void winogrande_ties_in_all_39_pairs();
  void rows_use_the_programs_words();
  void uncertain_cells_are_four();
  void every_form_says_as_printed();
  void csv_has_a_line_a_cell();
  void figures_name_the_tables_that_print_them();
  void damaged_files_are_refused_with_their_line_data();
  void damaged_files_are_refused_with_their_line();
  void experiments_quote_their_table_as_the_program_prints_it();
  void experiments_name_models_of_the_paper();

};

namespace {

const PaperTable& table(const std::string& id) {
  const PaperTable* found = find_paper_table(id);
  if (!found) qFatal("no %s", id.c_str());
  return *found;
}

/// Rows of a model and component; `setting` is the value of any setting ("attention-outputs", "2"), empty for any row.
std::vector<const PaperRow*> rows(const std::string& id, const std::string& model, const std::string& component,
                                  const std::string& setting = "") {
  std::vector<const PaperRow*> out;
  for (const PaperRow* r : paper_rows(table(id), {.model = model, .component = component}))
    if (setting.empty() || std::any_of(r->settings.begin(), r->settings.end(), [&](const auto& s) { return s.second == setting; }))
      out.push_back(r);
  return out;
}

bool has(const PaperCell& c, const std::string& note) { return std::find(c.notes.begin(), c.notes.end(), note) != c.notes.end(); }

std::size_t marked(const std::string& id, const std::string& note) {
  std::size_t n = 0;
  for (const auto& r : table(id).rows)
    for (const auto& c : r.cells) n += has(c, note);
  return n;
}

double value(const PaperTable& t, const PaperRow& r, const char* column) { return t.cell(r, column)->value.value(); }

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

void TstPaper::tables_have_the_printed_number_of_cells_data() {
  QTest::addColumn<int>("rows");
  QTest::addColumn<int>("columns");
  const std::vector<std::pair<int, int>> sizes = {{21, 8}, {5, 8}, {5, 8}, {7, 8}, {4, 3}, {6, 3}, {14, 8}, {15, 8}, {15, 8},
                                                  {39, 8}, {14, 8}, {20, 8}, {20, 8}, {20, 8}, {15, 8}, {15, 8}, {15, 8}};
  for (std::size_t i = 0; i < sizes.size(); ++i)
    QTest::newRow(("table" + std::to_string(i + 1)).c_str()) << sizes[i].first << sizes[i].second;
}

void TstPaper::tables_have_the_printed_number_of_cells() {
  QFETCH(int, rows);
  QFETCH(int, columns);
  const PaperTable& t = table(QTest::currentDataTag());
  QCOMPARE(static_cast<int>(t.rows.size()), rows);
  QCOMPARE(static_cast<int>(t.columns.size()), columns);
  QCOMPARE(static_cast<int>(t.cells()), rows * columns);
  QCOMPARE(paper_tables().size(), std::size_t{17});
  for (const auto& r : t.rows)
    for (std::size_t i = 0; i < r.cells.size(); ++i)
      QVERIFY2(t.columns[i].unit.empty() || r.cells[i].value || r.cells[i].printed == "OOM", r.cells[i].printed.c_str());
}

void TstPaper::numbers_are_as_printed_data() {
  QTest::addColumn<QString>("model");
  QTest::addColumn<QString>("component");
  QTest::addColumn<QString>("setting");
  QTest::addColumn<QString>("column");
  QTest::addColumn<QString>("printed");
  int n = 0;
  auto add = [&](const char* id, const char* model, const char* component, const char* setting, const char* column, const char* printed) {
    QTest::newRow((std::string(id) + " " + std::to_string(++n)).c_str()) << model << component << setting << column << printed;
  };
  const char *mistral = "mistral-7b-instruct", *llama3 = "llama-3-8b-instruct", *llama31 = "llama-3.1-8b-instruct";
  add("table1", mistral, "hybrid", "", "average", "65.54 ± 0.07");
  add("table1", mistral, "hybrid", "", "recovered", "96.02 ± 0.10");
  add("table1", mistral, "swa", "", "hellaswag", "68.28");
  add("table1", mistral, "linear", "", "arc_easy", "29.73");
  add("table1", mistral, "swa+sinks", "", "mmlu", "48.66");
  add("table1", mistral, "sinks", "", "average", "51.46 ± 0.23");
  add("table1", mistral, "none", "", "winogrande", "50.67");
  add("table1", llama3, "hybrid", "", "mmlu", "48.78");
  add("table1", llama3, "swa+sinks", "", "average", "70.01 ± 0.04");
  add("table1", "llama-3.1-8b-lolcats", "hybrid", "", "winogrande", "70.09");
  add("table1", "llama-3.1-8b-lolcats", "swa", "", "average", "71.45");
  add("table1", "llama-3.1-8b-lolcats", "none", "", "recovered", "46.47");
  add("table2", mistral, "linear", "attention-outputs", "average", "47.23");
  add("table2", mistral, "linear", "hybrid-outputs", "arc_easy", "32.83");
  add("table3", mistral, "linear", "attention-weights", "piqa", "64.85");
  add("table3", mistral, "linear", "attention-outputs", "recovered", "62.40");
  add("table4", mistral, "linear", "exp", "hellaswag", "44.67");
  add("table4", mistral, "linear", "relu", "arc_challenge", "22.95");
  add("table4", mistral, "linear", "elu1", "mmlu", "25.64");
  add("table4", mistral, "linear", "none", "arc_challenge", "29.61");
  add("table6", mistral, "hybrid", "", "wall_minutes", "310.19");
  add("table6", llama3, "hybrid", "", "peak_memory", "78.02");
  add("table6", llama3, "teacher", "FlashAttention-2", "samples_per_s", "0.70");
  add("table6", llama3, "teacher", "eager", "wall_minutes", "OOM");
  add("table7", mistral, "swa", "", "hellaswag", "68.28 ± 1.15");
  add("table7", mistral, "sinks", "", "average", "35.21");
  add("table7", llama3, "sinks", "", "arc_easy", "30.40 ± 0.72");
  add("table8", mistral, "linear", "1", "hellaswag", "56.39");
  add("table8", llama31, "linear", "2", "average", "39.36");
  add("table9", llama3, "linear", "attention-outputs", "recovered", "53.58");
  add("table9", llama31, "linear", "hybrid-outputs", "winogrande", "47.75");
  add("table10", mistral, "hybrid", "0", "piqa", "79.11");
  add("table10", mistral, "hybrid-overlap", "0", "winogrande", "61.96");
  add("table10", llama3, "hybrid", "1", "recovered", "95.90");
  add("table10", llama3, "hybrid", "2", "average", "68.40");
  add("table10", llama31, "swa", "2", "mmlu", "43.58");
  add("table11", mistral, "swa", "1", "hellaswag", "65.92");
  add("table11", llama3, "hybrid", "5", "mmlu", "52.90");
  add("table12", mistral, "hybrid", "5", "arc_challenge", "53.58");
  add("table12", llama3, "hybrid-overlap", "2", "recovered", "82.29");
  add("table13", mistral, "hybrid-overlap", "5", "mmlu", "39.30");
  add("table13", llama3, "hybrid", "1", "average", "68.18");
  add("table14", mistral, "hybrid", "2", "arc_easy", "74.07");
  add("table14", llama3, "swa", "5", "hellaswag", "57.16");
  add("table15", "qwen2.5-0.5b-instruct", "swa", "", "winogrande", "57.62");
  add("table15", "qwen2.5-7b-instruct", "swa", "", "average", "71.52");
  add("table15", "qwen2.5-14b-instruct", "teacher", "", "mmlu", "78.93");
  add("table16", "mistral-7b", "linear", "", "average", "34.72");
  add("table16", "llama-3.1-8b", "hybrid", "", "mmlu", "45.60");
  add("table17", mistral, "linear", "2", "average", "51.78");
  add("table17", llama3, "linear", "0", "recovered", "47.78");
  add("table17", llama31, "linear", "1", "arc_easy", "42.42");
}

void TstPaper::numbers_are_as_printed() {
  QFETCH(QString, model);
  QFETCH(QString, component);
  QFETCH(QString, setting);
  QFETCH(QString, column);
  QFETCH(QString, printed);
  const std::string id = QString(QTest::currentDataTag()).section(' ', 0, 0).toStdString();
  const auto found = rows(id, model.toStdString(), component.toStdString(), setting.toStdString());
  QCOMPARE(found.size(), std::size_t{1});
  const PaperCell* c = table(id).cell(*found[0], column.toStdString());
  QVERIFY(c);
  QCOMPARE(QString::fromStdString(c->printed), printed);
  if (printed == "OOM") return;
  QCOMPARE(c->value.value(), printed.section(" ± ", 0, 0).toDouble());
  QCOMPARE(c->spread.has_value(), printed.contains("±"));
  if (c->spread) QCOMPARE(*c->spread, printed.section(" ± ", 1).toDouble());
}

void TstPaper::averages_are_means_of_the_six_tasks() {
  int seen = 0;
  for (const auto& t : paper_tables()) {
    if (t.columns[0].name != "piqa") continue;
    for (const auto& r : t.rows) {
      double sum = 0;
      for (const char* task : {"piqa", "arc_easy", "arc_challenge", "hellaswag", "winogrande", "mmlu"}) sum += value(t, r, task);
      QVERIFY2(std::fabs(sum / 6 - value(t, r, "average")) < 0.0151, (t.id + " " + r.label).c_str());
      ++seen;
    }
  }
  QCOMPARE(seen, 240);
}

void TstPaper::recoveries_follow_from_averages_except_where_marked() {
  int odd = 0;
  for (const auto& t : paper_tables()) {
    if (t.columns[0].name != "piqa") continue;
    double base = 0;
    for (const auto& r : t.rows) {
      if (r.component == "teacher") base = value(t, r, "average");
      const double off = std::fabs(100 * value(t, r, "average") / base - value(t, r, "recovered"));
      const PaperCell& c = *t.cell(r, "recovered");
      if (off > 0.025) ++odd;  // less can come from the two rounded averages
      QVERIFY2(off <= 0.025 || has(c, "C44b") || has(c, "C44c"), (t.id + " " + r.label + " " + c.printed).c_str());
    }
  }
  QCOMPARE(odd, 10);  // six of Table 10, four of Table 12
}

void TstPaper::oddities_are_marked_at_their_cells() {
  for (const char* id : {"C40", "C41", "C42", "C43", "C44a", "C44b", "C44c", "C44d", "C44e", "C45"}) {
    const PaperNote* note = find_paper_note(id);
    QVERIFY2(note && note->text.size() > 40 && note->text.ends_with('.'), id);
  }
  QCOMPARE(marked("table10", "C40"), std::size_t{3});
  QCOMPARE(marked("table10", "C42"), std::size_t{18});
  QCOMPARE(marked("table1", "C43"), std::size_t{6});
  QCOMPARE(marked("table1", "C44a"), std::size_t{8});
  QCOMPARE(marked("table7", "C44a"), std::size_t{8});
  QCOMPARE(marked("table10", "C44b"), std::size_t{3 * 7 + 3 * 8 + 3});
  QCOMPARE(marked("table12", "C44c"), std::size_t{4});
  QCOMPARE(marked("table1", "C44d"), std::size_t{8 + 6});
  for (const auto& t : paper_tables())
    QCOMPARE(std::count(t.notes.begin(), t.notes.end(), "C45"), std::ptrdiff_t{t.columns[0].name == "piqa"});
  for (const char* id : {"figure9", "figure10"}) QCOMPARE(find_paper_figure(id)->notes, std::vector<std::string>{"C44e"});
  for (const char* model : {"mistral-7b-instruct", "llama-3-8b-instruct", "llama-3.1-8b-instruct"}) {
    const PaperTable& t = table("table10");
    QVERIFY(has(*t.cell(*rows("table10", model, "hybrid", "0")[0], "winogrande"), "C40"));
    QCOMPARE(value(t, *rows("table10", model, "hybrid", "0")[0], "winogrande"), value(t, *rows("table10", model, "teacher")[0], "winogrande"));
  }
}

void TstPaper::winogrande_ties_in_all_39_pairs() {
  int ties = 0;
  for (int n = 10; n <= 16; ++n) {
    const PaperTable& t = table("table" + std::to_string(n));
    for (const PaperRow* hybrid : paper_rows(t, {.component = "hybrid"}))
      for (const PaperRow* swa : paper_rows(t, {.model = hybrid->model, .component = "swa"})) {
        if (swa->settings != hybrid->settings) continue;
        QCOMPARE(t.cell(*hybrid, "winogrande")->printed, t.cell(*swa, "winogrande")->printed);
        QVERIFY(has(*t.cell(*hybrid, "winogrande"), "C41") && has(*t.cell(*swa, "winogrande"), "C41"));
        ++ties;
      }
  }
  QCOMPARE(ties, 39);
}

void TstPaper::rows_use_the_programs_words() {
  const auto& components = component_names();
  for (const auto& t : paper_tables())
    for (const auto& r : t.rows) {
      const std::string place = t.id + " " + r.label;
      QVERIFY2(r.component.empty() == (t.id == "table5"), place.c_str());
      QVERIFY2(r.component.empty() || std::find(components.begin(), components.end(), r.component) != components.end(), place.c_str());
      QVERIFY2(r.model.empty() || std::any_of(paper().models.begin(), paper().models.end(),
                                              [&](const PaperModel& m) { return m.name == r.model; }), place.c_str());
      QVERIFY2(t.id == "table6" || !r.method.empty(), place.c_str());
    }
  QCOMPARE(paper_rows(table("table1"), {.method = "lolcats", .component = "hybrid"}).size(), std::size_t{3});
  QCOMPARE(paper_rows(table("table1"), {}).size(), table("table1").rows.size());
  QVERIFY(!find_paper_table("table18"));
  QVERIFY(!table("table1").cell(table("table1").rows[0], "boolq"));
}

void TstPaper::uncertain_cells_are_four() {
  std::vector<std::string> found;
  for (const auto& t : paper_tables())
    for (const auto& r : t.rows)
      for (const auto& c : r.cells)
        if (c.uncertain) found.push_back(t.id + " " + c.printed);
  const std::vector<std::string> expected = {"table6 163.3", "table7 96.02 ± 0.1", "table7 95.46 ± 0.3", "table7 51.14 ± 0.1"};
  QCOMPARE(found, expected);
}

void TstPaper::every_form_says_as_printed() {
  for (const auto& t : paper_tables())
    for (const auto& text : {paper_text(t), paper_markdown(t), paper_latex(t), paper_csv(t)})
      QVERIFY2(text.find("as printed") != text.npos, t.id.c_str());
  const std::string markdown = paper_markdown(table("table1"));
  QVERIFY(markdown.find("| SWA + Attn sinks | 78.17 | 79.50 | 50.17 | 73.37 | 68.38 | 48.66 | 66.38 ± 0.08 [C43] | 97.24 ± 0.12 |") != markdown.npos);
  const std::string latex = paper_latex(table("table1"));
  QVERIFY(latex.find("66.38 $\\pm$ 0.08$^{\\mathrm{C43}}$") != latex.npos);
  QVERIFY(paper_latex(table("table5")).find("exp($W_\\phi^\\top$x + b)*") != std::string::npos);
  QVERIFY(paper_text(table("table6")).find("163.3 [?]") != std::string::npos);
}

void TstPaper::csv_has_a_line_a_cell() {
  for (const auto& t : paper_tables()) {
    const std::string csv = paper_csv(t);
    QCOMPARE(static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')), t.cells() + 1);
  }
  const std::string line = "table12,llama-3-8b-instruct,ssd,hybrid,\"finetune_component=hybrid; trainable=lora; schedule.dropout=0.9, 0.75, 0.5; "
                           "schedule.window=32; evaluation.window=64; finetune_epochs=1\",1 epoch,Linear+SWA,recovered,"
                           "100 · average / teacher's average,percent,95.59,95.59,,C45 C44c,\r\n";
  QVERIFY(paper_csv(table("table12")).find(line) != std::string::npos);
}

void TstPaper::figures_name_the_tables_that_print_them() {
  QCOMPARE(paper().figures.size(), std::size_t{10});
  for (const auto& f : paper().figures) {
    for (const auto& id : f.tables) QVERIFY2(find_paper_table(id), f.id.c_str());
    QVERIFY(paper_text(f).find("as printed") != std::string::npos);
  }
  QCOMPARE(find_paper_figure("figure4")->tables, (std::vector<std::string>{"table12", "table14", "table13"}));
  QCOMPARE(find_paper_figure("figure4")->numbers[0].second, std::string("0.9 → 0.75 → 0.5"));
}

void TstPaper::damaged_files_are_refused_with_their_line_data() {
  QTest::addColumn<QString>("from");
  QTest::addColumn<QString>("to");
  QTest::addColumn<QString>("expected");
  QTest::newRow("a cell too few") << "a, cells: [1, 2]" << "a, cells: [1]" << "expected 2 cells, not 1";
  QTest::newRow("no such column") << "[X, Y]" << "[X, Z]" << "the column Z";
  QTest::newRow("no such note") << "{Y: [N1]}" << "{Y: [N2]}" << "the note N2";
  QTest::newRow("mark without column") << "{Y: [N1]}" << "{Z: [N1]}" << "no column Z";
  QTest::newRow("no caption") << "caption: c," << "" << "the key caption";
  QTest::newRow("broken") << "[X, Y]" << "[X, Y" << "t.yaml:";
  QTest::newRow("a list for a text") << "caption: c" << "caption: [c]" << "t.yaml:";
}

void TstPaper::damaged_files_are_refused_with_their_line() {
  QFETCH(QString, from);
  QFETCH(QString, to);
  QFETCH(QString, expected);
  const QString good =
      "paper: {title: t, source: s}\ncolumns: [{printed: X, name: x}, {printed: Y, name: y, unit: percent}]\nmodels: []\nnotes: {N1: n}\n"
      "figures: []\ntables:\n  - {id: table1, caption: c, label: l, columns: [X, Y], blocks: [{rows: [{row: a, cells: [1, 2], marks: {Y: [N1]}}]}]}\n";
  QCOMPARE(parse_paper(good.toStdString(), "t.yaml").tables[0].rows[0].cells[1].notes, std::vector<std::string>{"N1"});
  QString bad = good;
  QVERIFY(bad.contains(from));
  bad.replace(from, to);
  try {
    parse_paper(bad.toStdString(), "t.yaml");
    QFAIL("it was read");
  } catch (const InputError& e) {
    QVERIFY2(QString(e.what()).startsWith("t.yaml:") && QString(e.what()).contains(expected), e.what());
  }
}

void TstPaper::experiments_quote_their_table_as_the_program_prints_it() {
  const fs::path root = EQUIPOISE_SOURCE_DIR "/experiments/paper";
  const std::string index = read(root / "README.md");
  for (const auto& t : paper_tables()) QVERIFY2(index.find("| " + t.title() + " |") != index.npos, t.id.c_str());
  int folders = 0;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (!entry.is_directory()) continue;
    const std::string id = entry.path().filename().string(), text = read(entry.path() / "README.md");
    const PaperTable* t = find_paper_table(id);
    const PaperFigure* f = find_paper_figure(id);
    QVERIFY2(t || f, id.c_str());
    QVERIFY2(text.find(t ? paper_markdown(*t) : paper_text(*f)) != text.npos, id.c_str());
    QVERIFY2(index.find("[" + id + "](" + id + ")") != index.npos, id.c_str());
    ++folders;
  }
  QCOMPARE(folders, 21);
}

void TstPaper::experiments_name_models_of_the_paper() {
  int real = 0, embedded = 0;
  for (const auto& entry : fs::recursive_directory_iterator(EQUIPOISE_SOURCE_DIR "/experiments/paper")) {
    if (entry.path().extension() != ".yaml") continue;
    const std::string stem = entry.path().stem().string(), id = entry.path().parent_path().filename().string();
    const Recipe recipe = load_recipe(entry.path()).recipe;
    QCOMPARE(recipe.name, id + "-" + stem);
    if (stem.ends_with("-embedded")) {
      QCOMPARE(recipe.model, std::string("builtin:tiny"));
      ++embedded;
      continue;
    }
    const auto model = std::find_if(paper().models.begin(), paper().models.end(), [&](const PaperModel& m) { return m.folder == recipe.model; });
    QVERIFY2(model != paper().models.end(), entry.path().c_str());
    QVERIFY2(stem.ends_with("-" + model->name), entry.path().c_str());
    const PaperTable* t = find_paper_table(id);
    if (t) QVERIFY2(!paper_rows(*t, {.model = model->name}).empty(), entry.path().c_str());
    ++real;
  }
  QCOMPARE(std::make_pair(real, embedded), std::make_pair(72, 24));
}

QTEST_APPLESS_MAIN(TstPaper)
#include "tst_paper.moc"
