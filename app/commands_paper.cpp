/// equipoise paper: the paper's printed tables, as text or for another program.

#include <cstdio>

#include "app/commands.h"
#include "engine/error.h"
#include "engine/paper.h"

namespace app {
namespace {

struct PaperOptions {
  std::string table;
  bool markdown = false, latex = false, csv = false;
};

Json settings_json(const engine::PaperSettings& settings) {
  Json out = Json::object();
  for (const auto& [key, value] : settings) out[key] = value;
  return out;
}

Json cell_json(const engine::PaperCell& c) {
  return {{"printed", c.printed},
          {"value", c.value ? Json(*c.value) : Json()},
          {"spread", c.spread ? Json(*c.spread) : Json()},
          {"notes", c.notes},
          {"uncertain", c.uncertain}};
}

Json table_json(const engine::PaperTable& t) {
  Json columns = Json::array(), rows = Json::array();
  for (const auto& c : t.columns)
    columns.push_back(
        {{"name", c.name}, {"printed", c.printed}, {"metric", c.metric}, {"unit", c.unit}});
  for (const auto& r : t.rows) {
    Json cells = Json::object();
    for (std::size_t i = 0; i < r.cells.size(); ++i)
      cells[t.columns[i].name] = cell_json(r.cells[i]);
    rows.push_back({{"row", r.label},
                    {"heading", r.heading},
                    {"model", r.model},
                    {"model_printed", r.model_printed},
                    {"method", r.method},
                    {"component", r.component},
                    {"setting", settings_json(r.settings)},
                    {"cells", cells}});
  }
  return {{"id", t.id},           {"status", "as printed"},
          {"caption", t.caption}, {"setting", settings_json(t.settings)},
          {"notes", t.notes},     {"columns", columns},
          {"rows", rows}};
}

Json figure_json(const engine::PaperFigure& f) {
  Json numbers = Json::array();
  for (const auto& [what, printed] : f.numbers)
    numbers.push_back({{"what", what}, {"printed", printed}});
  return {{"id", f.id},         {"status", "as printed"}, {"caption", f.caption},
          {"tables", f.tables}, {"numbers", numbers},     {"notes", f.notes}};
}

Json notes_json() {
  Json notes = Json::object();
  for (const auto& n : engine::paper().notes) notes[n.id] = n.text;
  return notes;
}

void list(const Common& common) {
  Json tables = Json::array(), figures = Json::array();
  for (const auto& t : engine::paper_tables())
    tables.push_back(
        {{"id", t.id}, {"caption", t.caption}, {"rows", t.rows.size()}, {"cells", t.cells()}});
  for (const auto& f : engine::paper().figures) figures.push_back(figure_json(f));
  write_json(common, {{"paper", engine::paper().title},
                      {"source", engine::paper().source},
                      {"status", "as printed"},
                      {"tables", tables},
                      {"figures", figures},
                      {"notes", notes_json()}});
  if (common.json == "-") return;
  std::printf("%s (%s), as printed\n\n", engine::paper().title.c_str(),
              engine::paper().source.c_str());
  for (const auto& t : engine::paper_tables())
    std::printf("%-9s %4zu cells  %s\n", t.id.c_str(), t.cells(), t.caption.c_str());
  for (const auto& f : engine::paper().figures)
    std::printf("%-9s             %s\n", f.id.c_str(), f.caption.c_str());
}

void show_table(const Common& common, const PaperOptions& o, const engine::PaperTable& t) {
  Json shown = table_json(t);
  shown["note_texts"] = notes_json();
  write_json(common, shown);
  if (common.json == "-") return;
  const std::string text = o.markdown ? engine::paper_markdown(t)
                           : o.latex  ? engine::paper_latex(t)
                           : o.csv    ? engine::paper_csv(t)
                                      : engine::paper_text(t);
  std::fputs(text.c_str(), stdout);
}

void show_figure(const Common& common, const PaperOptions& o, const engine::PaperFigure& f) {
  if (o.markdown || o.latex || o.csv)
    throw WrongUse(f.id + ": a figure has no printed table; use one of its tables" +
                   (f.tables.empty() ? std::string() : ", " + f.tables.front()));
  write_json(common, figure_json(f));
  if (common.json != "-") std::fputs(engine::paper_text(f).c_str(), stdout);
}

void show(const Common& common, const PaperOptions& o) {
  if (o.table.empty()) return list(common);
  if (const auto* table = engine::find_paper_table(o.table)) return show_table(common, o, *table);
  if (const auto* figure = engine::find_paper_figure(o.table))
    return show_figure(common, o, *figure);
  throw WrongUse(
      "\"" + o.table +
      "\" is no table or figure of the paper; use table1 to table17 or figure1 to figure10");
}

}  // namespace

void add_paper_command(CLI::App& cli, const Common& common) {
  static PaperOptions o;
  auto* command = cli.add_subcommand("paper", "The paper's printed tables: a list, or one of them");
  auto* table = command->add_option(
      "table", o.table,
      "table1 to table17 (or the number alone), figure1 to figure10; without: the list");
  auto* markdown = command->add_flag("--markdown", o.markdown, "As a Markdown table");
  auto* latex = command->add_flag("--latex", o.latex, "As a LaTeX table (booktabs)");
  auto* csv = command->add_flag("--csv", o.csv, "One line a cell, with the program's names");
  for (auto* form : {markdown, latex, csv}) form->needs(table);
  markdown->excludes(latex)->excludes(csv);
  latex->excludes(csv);
  command->callback([&common] { show(common, o); });
}

}  // namespace app
