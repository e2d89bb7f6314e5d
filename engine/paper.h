#pragma once
/// The paper's printed results as data: resources/paper/paper.yaml, embedded. Every number is as
/// printed, oddities included, which carry notes. Read once, never changed; any thread may call. No
/// torch, no Qt.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engine {

/// One cell. Accuracies and recovered performance are in percent, as the paper prints them.
struct PaperCell {
  std::string printed;           ///< "65.54 ± 0.07", "OOM"
  std::optional<double> value;   ///< 65.54; empty where the cell is text
  std::optional<double> spread;  ///< 0.07: standard error over three seeds
  std::vector<std::string>
      notes;               ///< ids of PaperNote that concern this cell, beside the table's own
  bool uncertain = false;  ///< the plain text that it was read from leaves digits open
};

struct PaperColumn {
  std::string printed;  ///< "WG"
  std::string name;     ///< the program's word: a task, average, recovered, …
  std::string metric;   ///< "acc", "acc_norm"; empty where it has none
  std::string unit;     ///< "percent", "minutes"; empty for text
};

/// What the paper says of a row or table in the program's words: {"finetune_epochs", "2"}.
using PaperSettings = std::vector<std::pair<std::string, std::string>>;

struct PaperRow {
  std::string label;  ///< the first column as printed: "SWA + Linear"
  std::string
      heading;        ///< the line above it inside the table: "1 epoch"; empty where there is none
  std::string model;  ///< name of PaperModel; empty where the table has none
  std::string model_printed;  ///< "Llama3-8B-Instruct"
  std::string method;     ///< base, lolcats, hedgehog, inference-hybrid, hedgecats, ssd, t2r, liger
  std::string component;  ///< of component_names(); empty where the row is no component
  PaperSettings settings;
  std::vector<PaperCell> cells;  ///< one a column of the table
};

struct PaperTable {
  std::string id;       ///< "table1"
  std::string caption;  ///< without "Table 1:"
  std::string label;    ///< heading of the first column
  std::vector<PaperColumn> columns;
  PaperSettings settings;          ///< of every row but the base model's
  std::vector<std::string> notes;  ///< that concern every cell
  std::vector<PaperRow> rows;

  std::string title() const;  ///< "Table 1"
  std::size_t cells() const;
  /// Of a row of this table, by a column's name or heading; null where there is none.
  const PaperCell* cell(const PaperRow& row, std::string_view column) const;
};

/// A figure: what its caption and the text around it print. The plotted points are not there.
struct PaperFigure {
  std::string id;  ///< "figure4"
  std::string caption;
  std::vector<std::string> tables;  ///< ids of the tables that print its numbers
  std::vector<std::pair<std::string, std::string>> numbers;  ///< what, as printed
  std::vector<std::string> notes;
};

struct PaperModel {
  std::string name;    ///< "mistral-7b-instruct"
  std::string hub;     ///< "mistralai/Mistral-7B-Instruct-v0.1"
  std::string folder;  ///< where the recipes of experiments/paper look for it
};

struct PaperNote {
  std::string id;    ///< "C41"
  std::string text;  ///< one sentence
};

struct Paper {
  std::string title, source;
  std::vector<PaperTable> tables;
  std::vector<PaperFigure> figures;
  std::vector<PaperModel> models;
  std::vector<PaperNote> notes;
};

/// The embedded data. Throws InputError where the resource was built from a damaged file.
const Paper& paper();
const std::vector<PaperTable>& paper_tables();
const PaperTable* find_paper_table(
    std::string_view id);  ///< "table1" or "1"; null where there is none
const PaperFigure* find_paper_figure(std::string_view id);  ///< "figure4"; null where there is none
const PaperNote* find_paper_note(std::string_view id);

/// Rows of a table; an empty word stands for any.
struct PaperQuery {
  std::string model{}, method{}, component{};
};
std::vector<const PaperRow*> paper_rows(const PaperTable& table, const PaperQuery& query);

/// Reads a file of that form. Throws InputError "source: place: what was expected".
Paper parse_paper(const std::string& yaml, const std::string& source);

// ---- as text: every form says "as printed"
// ----------------------------------------------------------------------------

std::string paper_text(const PaperTable& table);      ///< aligned columns, notes below
std::string paper_markdown(const PaperTable& table);  ///< caption, table, notes as a list
std::string paper_latex(const PaperTable& table);     ///< a booktabs table
std::string paper_csv(const PaperTable& table);       ///< one line a cell, RFC 4180
std::string paper_text(const PaperFigure& figure);

}  // namespace engine
