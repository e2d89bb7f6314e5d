#include "ui/models/table_text.h"

#include <cmath>

namespace ui {
namespace {

QString latexWord(QString s) {
  s.replace("\\", "\\textbackslash ").replace("{", "\\{").replace("}", "\\}");
  s.replace("$", "\\$").replace("&", "\\&").replace("#", "\\#").replace("_", "\\_");
  s.replace("%", "\\%").replace("±", "$\\pm$").replace("−", "$-$").replace("Δ", "$\\Delta$");
  return s.replace("·", "$\\cdot$").replace("–", "--");
}

QString latexLine(const QStringList& line) {
  QStringList safe;
  for (const QString& word : line) safe << latexWord(word);
  return safe.join(" & ") + " \\\\";
}

QString quoted(const QString& word, QChar separator) {
  if (separator != QChar(',')) return word;
  bool number = false;
  (void)word.toDouble(&number);
  if (number || word.isEmpty()) return word;
  return "\"" + QString(word).replace("\"", "\"\"") + "\"";
}

QString markdown(const QList<QStringList>& lines, int words) {
  QStringList out;
  for (qsizetype i = 0; i < lines.size(); ++i) {
    QStringList safe;
    for (const QString& word : lines[i]) safe << QString(word).replace("|", "\\|");
    out << "| " + safe.join(" | ") + " |";
    if (i > 0) continue;
    QString rule = "|";
    for (qsizetype c = 0; c < lines[0].size(); ++c) rule += c < words ? "---|" : "--:|";
    out << rule;
  }
  return out.join('\n') + '\n';
}

QString latex(const QList<QStringList>& lines, int words) {
  const qsizetype columns = lines.isEmpty() ? 0 : lines[0].size();
  QStringList out{"\\begin{tabular}{" + QString(words, 'l') + QString(columns - words, 'r') + "}",
                  "\\toprule"};
  for (qsizetype i = 0; i < lines.size(); ++i) {
    out << latexLine(lines[i]);
    if (i == 0) out << "\\midrule";
  }
  out << "\\bottomrule"
      << "\\end{tabular}";
  return out.join('\n') + '\n';
}

QString probability(double p) {
  return p < 0.001 ? QString("< 0.001") : QString::number(p, 'f', 3);
}

}  // namespace

const std::vector<std::pair<QString, TableFormat>>& tableFormats() {
  static const std::vector<std::pair<QString, TableFormat>> all{{"Markdown", TableFormat::markdown},
                                                                {"LaTeX", TableFormat::latex},
                                                                {"CSV, every digit", TableFormat::csv},
                                                                {"TSV, every digit", TableFormat::tsv}};
  return all;
}

QString tableText(const QList<QStringList>& lines, int words, TableFormat format) {
  if (format == TableFormat::markdown) return markdown(lines, words);
  if (format == TableFormat::latex) return latex(lines, words);
  const QChar separator = format == TableFormat::csv ? ',' : '\t';
  QString out;
  for (const QStringList& line : lines) {
    QStringList parts;
    for (const QString& word : line) parts << quoted(word, separator);
    out += parts.join(separator) + '\n';
  }
  return out;
}

QString rowsText(const RowsModel& rows, TableFormat format) {
  const bool data = format == TableFormat::csv || format == TableFormat::tsv;
  QList<QStringList> lines(1);
  int words = 0;
  for (int c = 0; c < rows.columnCount(); ++c) {
    lines[0] << rows.headerData(c, Qt::Horizontal, Qt::DisplayRole).toString();
    const int align = rows.headerData(c, Qt::Horizontal, Qt::TextAlignmentRole).toInt();
    if (words == c && !(align & Qt::AlignRight)) ++words;
  }
  for (int r = 0; r < rows.rowCount(); ++r) {
    QStringList line;
    for (int c = 0; c < rows.columnCount(); ++c) {
      const Cell& cell = rows.cell(r, c);
      const bool number = cell.sort.typeId() == QMetaType::Double;
      line << (data && number ? QString::number(cell.sort.toDouble(), 'g', 17) : cell.text);
    }
    lines << line;
  }
  return tableText(lines, words, format);
}

std::vector<Column> pairedColumns() {
  return {
      {"run", false},
      {"against", false,
       "The first run of the comparison; move another one to the front with "
       "the arrows of its chip"},
      {"component", false},
      {"difference, points", true, "Accuracy of the run less the other's, ± 95 %"},
      {"only it right", true, "Examples that the run answers rightly and the other one does not"},
      {"only the other", true, "Examples that the other one answers rightly and the run does not"},
      {"p", true, "Exact McNemar test, two-sided"},
      {"p, adjusted", true, "Holm's adjustment over the rows of this table"},
      {"reads", false, "At 5 %, after the adjustment"}};
}

std::vector<std::vector<Cell>> pairedCells(const std::vector<PairedRow>& rows) {
  std::vector<std::vector<Cell>> out;
  for (const PairedRow& row : rows) {
    std::vector<Cell> cells{{row.first}, {row.second}, {QString::fromStdString(row.component)}};
    if (!row.problem.isEmpty()) {
      for (int i = 0; i < 5; ++i) cells.push_back({"–"});
      cells.push_back({row.problem, {}, row.problem, Cell::Mark::warning});
      out.push_back(std::move(cells));
      continue;
    }
    const Estimate difference{row.difference, row.half, 0, std::int64_t(row.n), {}, {}};
    cells.push_back(
        {estimateText(difference, true), row.difference, QString("%1 examples").arg(row.n)});
    cells.push_back({QString::number(row.first_only), double(row.first_only)});
    cells.push_back({QString::number(row.second_only), double(row.second_only)});
    cells.push_back({probability(row.p), row.p});
    cells.push_back({probability(row.adjusted), row.adjusted});
    const bool shown = row.adjusted < 0.05;
    cells.push_back({!shown               ? QString("no difference shown")
                     : row.difference > 0 ? QString("better")
                                          : QString("worse"),
                     {},
                     {},
                     !shown               ? Cell::Mark::secondary
                     : row.difference > 0 ? Cell::Mark::good
                                          : Cell::Mark::error});
    out.push_back(std::move(cells));
  }
  return out;
}

}  // namespace ui
