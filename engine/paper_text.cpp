#include <algorithm>
#include <functional>

#include "engine/paper.h"

namespace engine {
namespace {

using Line = std::vector<std::string>;
using Escape = std::function<std::string(const std::string&)>;

/// "as printed" belongs to every form: these are the paper's numbers, not recomputed ones.
std::string caption_of(const PaperTable& t) { return t.title() + " (as printed): " + t.caption; }

/// Ids of the notes that the table's cells carry, in the paper's order of notes.
std::vector<const PaperNote*> notes_of(const PaperTable& t) {
  auto has = [](const std::vector<std::string>& ids, const std::string& id) {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  std::vector<const PaperNote*> out;
  for (const auto& note : paper().notes) {
    const bool used =
        has(t.notes, note.id) || std::any_of(t.rows.begin(), t.rows.end(), [&](const PaperRow& r) {
          return std::any_of(r.cells.begin(), r.cells.end(),
                             [&](const PaperCell& c) { return has(c.notes, note.id); });
        });
    if (used) out.push_back(&note);
  }
  return out;
}

std::vector<std::string> note_lines(const PaperTable& t) {
  std::vector<std::string> out;
  for (const PaperNote* n : notes_of(t)) {
    const bool whole = std::find(t.notes.begin(), t.notes.end(), n->id) != t.notes.end();
    out.push_back(n->id + (whole ? " (all cells): " : ": ") + n->text);
  }
  const bool open = std::any_of(t.rows.begin(), t.rows.end(), [](const PaperRow& r) {
    return std::any_of(r.cells.begin(), r.cells.end(),
                       [](const PaperCell& c) { return c.uncertain; });
  });
  if (open) out.push_back("?: the plain text leaves open whether a last digit is missing.");
  return out;
}

std::string marks_of(const PaperCell& c) {
  std::string out = c.uncertain ? "?" : "";
  for (const auto& id : c.notes) out += (out.empty() ? "" : ", ") + id;
  return out;
}

/// The table as lines of words; a line of one word stands above rows.
std::vector<Line> lines_of(const PaperTable& t, const Escape& escape, const Escape& mark,
                           const Escape& base) {
  std::vector<Line> out;
  std::string model, heading;
  for (const auto& r : t.rows) {
    const bool first = r.model_printed != model;
    if (first && r.label != r.model_printed) out.push_back({base(escape(r.model_printed))});
    if (!r.heading.empty() && (first || r.heading != heading)) out.push_back({escape(r.heading)});
    model = r.model_printed;
    heading = r.heading;
    Line line{r.component == "teacher" && r.label == r.model_printed ? base(escape(r.label))
                                                                     : escape(r.label)};
    for (const auto& c : r.cells) {
      const std::string marks = marks_of(c);
      line.push_back(escape(c.printed) + (marks.empty() ? "" : mark(marks)));
    }
    out.push_back(std::move(line));
  }
  return out;
}

Line head_of(const PaperTable& t, const Escape& escape) {
  Line head{escape(t.label)};
  for (const auto& c : t.columns) head.push_back(escape(c.printed));
  return head;
}

std::string bracketed(const std::string& marks) { return " [" + marks + "]"; }
std::string plain(const std::string& text) { return text; }

/// Characters, not bytes: every one used here is one column wide.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string markdown_escape(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '|' || c == '*' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

std::string latex_escape(const std::string& text) {
  static const std::vector<std::pair<std::string, std::string>> symbols = {
      {"W_φᵀ", "$W_\\phi^\\top$"}, {"W_φ", "$W_\\phi$"}, {"±", "$\\pm$"},   {"φ", "$\\phi$"},
      {"·", "$\\cdot$"},           {"→", "$\\to$"},      {"Δ", "$\\Delta$"}};
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto symbol = std::find_if(symbols.begin(), symbols.end(), [&](const auto& s) {
      return text.compare(i, s.first.size(), s.first) == 0;
    });
    if (symbol != symbols.end()) {
      out += symbol->second;
      i += symbol->first.size();
      continue;
    }
    if (std::string_view("%_&#$").find(text[i]) != std::string_view::npos) out += '\\';
    out += text[i++];
  }
  return out;
}

std::string csv_escape(const std::string& text) {
  if (text.find_first_of(",\"\n") == text.npos) return text;
  std::string out = "\"";
  for (char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::string joined(const Line& words, const std::string& between) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) out += (i ? between : "") + words[i];
  return out;
}

}  // namespace

std::string paper_text(const PaperTable& table) {
  std::vector<Line> lines = lines_of(table, plain, bracketed, plain);
  lines.insert(lines.begin(), head_of(table, plain));
  std::vector<std::size_t> widths(table.columns.size() + 1, 0);
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  std::string out = caption_of(table) + "\n\n";
  for (const auto& line : lines) {
    std::string row;
    for (std::size_t i = 0; i < line.size(); ++i)
      row += (i ? "  " : "") + line[i] +
             std::string(i + 1 < line.size() ? widths[i] - width(line[i]) : 0, ' ');
    out += row + "\n";
  }
  for (const auto& note : note_lines(table)) out += "\n" + note;
  return out + "\n";
}

std::string paper_markdown(const PaperTable& table) {
  std::string out =
      "**" + table.title() + "** (as printed): " + markdown_escape(table.caption) + "\n\n";
  out += "| " + joined(head_of(table, markdown_escape), " | ") + " |\n|---|";
  for (std::size_t i = 0; i < table.columns.size(); ++i) out += "---|";
  out += "\n";
  auto base = [](const std::string& s) { return "*" + s + "*"; };
  for (auto& line : lines_of(table, markdown_escape, bracketed, base)) {
    line.resize(table.columns.size() + 1);
    out += "| " + joined(line, " | ") + " |\n";
  }
  out += "\n";
  for (const auto& note : note_lines(table)) out += "- " + markdown_escape(note) + "\n";
  return out;
}

std::string paper_latex(const PaperTable& table) {
  std::string out =
      "% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\begin{tabular}{l";
  out += std::string(table.columns.size(), table.columns[0].unit.empty() ? 'l' : 'r') +
         "}\n\\toprule\n";
  out += joined(head_of(table, latex_escape), " & ") + " \\\\\n";
  auto mark = [](const std::string& s) { return "$^{\\mathrm{" + s + "}}$"; };
  auto base = [](const std::string& s) { return "\\textit{" + s + "}"; };
  bool first = true;
  for (auto& line : lines_of(table, latex_escape, mark, base)) {
    if (first || line[0].starts_with("\\textit")) out += "\\midrule\n";
    first = false;
    line.resize(table.columns.size() + 1);
    out += joined(line, " & ") + " \\\\\n";
  }
  out += "\\bottomrule\n\\end{tabular}\n\\caption{" + latex_escape(caption_of(table));
  for (const auto& note : note_lines(table)) out += " " + latex_escape(note);
  return out + "}\n\\end{table}\n";
}

std::string paper_csv(const PaperTable& table) {
  std::string out =
      "table,model,method,component,setting,heading,row,column,metric,unit,as "
      "printed,value,spread,notes,uncertain\r\n";
  for (const auto& r : table.rows) {
    Line settings;
    if (r.method != "base")
      for (const auto& [key, value] : table.settings) settings.push_back(key + "=" + value);
    for (const auto& [key, value] : r.settings) settings.push_back(key + "=" + value);
    for (std::size_t i = 0; i < r.cells.size(); ++i) {
      const PaperCell& c = r.cells[i];
      const auto split = c.printed.find(" ± ");
      Line notes = table.notes;
      notes.insert(notes.end(), c.notes.begin(), c.notes.end());
      Line line = {table.id,
                   r.model,
                   r.method,
                   r.component,
                   joined(settings, "; "),
                   r.heading,
                   r.label,
                   table.columns[i].name,
                   table.columns[i].metric,
                   table.columns[i].unit,
                   c.printed,
                   c.value ? c.printed.substr(0, split) : "",
                   c.spread ? c.printed.substr(split + std::string_view(" ± ").size()) : "",
                   joined(notes, " "),
                   c.uncertain ? "yes" : ""};
      std::transform(line.begin(), line.end(), line.begin(), csv_escape);
      out += joined(line, ",") + "\r\n";
    }
  }
  return out;
}

std::string paper_text(const PaperFigure& figure) {
  std::string out = "Figure " + figure.id.substr(6) + " (as printed): " + figure.caption + "\n\n";
  for (const auto& [what, printed] : figure.numbers) out += what + ": " + printed + "\n";
  if (!figure.tables.empty())
    out += "Its averages are printed, task by task, in " + joined(figure.tables, ", ") + ".\n";
  else
    out += "No table of the paper prints the plotted points.\n";
  for (const auto& id : figure.notes)
    if (const PaperNote* note = find_paper_note(id))
      out += "\n" + note->id + ": " + note->text + "\n";
  return out;
}

}  // namespace engine
