#include "engine/paper.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "engine/error.h"

// resources/paper/paper.yaml, put into the object file by the assembler.
__asm__(".section .rodata\n.balign 16\nequipoise_paper:\n.incbin \"" EQUIPOISE_PAPER_FILE
        "\"\nequipoise_paper_end:\n.byte 0\n.previous\n");
extern "C" const char equipoise_paper[], equipoise_paper_end[];

namespace engine {
namespace {

constexpr std::string_view k_plus_minus = " ± ";

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class Reader {
 public:
  Reader(const YAML::Node& root, const std::string& source) : root_(root), source_(source) {}

  Paper read() {
    const YAML::Node head = at(root_, "paper");
    paper_.title = text(head, "title");
    paper_.source = text(head, "source");
    for (const auto& c : at(root_, "columns"))
      columns_[text(c, "printed")] = {text(c, "printed"), text(c, "name"), text_or(c, "metric"),
                                      text_or(c, "unit")};
    for (const auto& m : at(root_, "models"))
      paper_.models.push_back({text(m, "name"), text(m, "hub"), text(m, "folder")});
    for (const auto& n : at(root_, "notes"))
      paper_.notes.push_back({n.first.as<std::string>(), n.second.as<std::string>()});
    for (const auto& t : at(root_, "tables")) paper_.tables.push_back(table(t));
    for (const auto& f : at(root_, "figures")) paper_.figures.push_back(figure(f));
    return std::move(paper_);
  }

 private:
  [[noreturn]] void fail(const YAML::Node& place, const std::string& what) const {
    throw InputError(source_ + ":" + std::to_string(place.Mark().line + 1) + ": " + what);
  }

  YAML::Node at(const YAML::Node& node, const char* key) const {
    const YAML::Node value = node[key];
    if (!value) fail(node, std::string("expected the key ") + key);
    return value;
  }

  std::string text(const YAML::Node& node, const char* key) const {
    return at(node, key).as<std::string>();
  }
  std::string text_or(const YAML::Node& node, const char* key) const {
    return node[key] ? node[key].as<std::string>() : std::string();
  }
  std::vector<std::string> words(const YAML::Node& list) const {
    std::vector<std::string> out;
    for (const auto& word : list) out.push_back(word.as<std::string>());
    return out;
  }

  std::vector<std::string> notes(const YAML::Node& list) const {
    auto out = words(list);
    for (const auto& id : out)
      if (std::none_of(paper_.notes.begin(), paper_.notes.end(),
                       [&](const PaperNote& n) { return n.id == id; }))
        fail(list, "the note " + id + " is not among the notes");
    return out;
  }

  PaperSettings settings(const YAML::Node& map) const {
    PaperSettings out;
    for (const auto& s : map)
      out.emplace_back(s.first.as<std::string>(), s.second.as<std::string>());
    return out;
  }

  PaperTable table(const YAML::Node& node) const {
    PaperTable t{.id = text(node, "id"),
                 .caption = text(node, "caption"),
                 .label = text(node, "label"),
                 .columns = {},
                 .settings = settings(node["setting"]),
                 .notes = notes(node["notes"]),
                 .rows = {}};
    if (!t.id.starts_with("table") || !number(std::string_view(t.id).substr(5)))
      fail(node, "expected an id such as table1");
    for (const auto& heading : words(at(node, "columns"))) {
      const auto known = columns_.find(heading);
      if (known == columns_.end())
        fail(node, "the column " + heading + " is not among the columns");
      t.columns.push_back(known->second);
    }
    for (const auto& block : at(node, "blocks"))
      for (const auto& r : at(block, "rows")) t.rows.push_back(row(t, block, r));
    return t;
  }

  PaperRow row(const PaperTable& t, const YAML::Node& block, const YAML::Node& node) const {
    PaperRow r{.label = text(node, "row"),
               .heading = text_or(node, "heading"),
               .model = text_or(block, "model"),
               .model_printed = text_or(block, "printed"),
               .method = text_or(node, "method"),
               .component = text_or(node, "component"),
               .settings = settings(node["setting"]),
               .cells = {}};
    for (const auto& c : words(at(node, "cells"))) r.cells.push_back(cell(c));
    if (r.cells.size() != t.columns.size())
      fail(node, "expected " + std::to_string(t.columns.size()) + " cells, not " +
                     std::to_string(r.cells.size()));
    for (const auto& mark : node["marks"]) add_notes(t, r, mark.first, notes(mark.second));
    for (const auto& heading : node["uncertain"]) r.cells[column(t, heading)].uncertain = true;
    return r;
  }

  PaperCell cell(const std::string& printed) const {
    PaperCell c{.printed = printed, .value = {}, .spread = {}, .notes = {}};
    const auto split = printed.find(k_plus_minus);
    c.value = number(std::string_view(printed).substr(0, split));
    if (split != printed.npos)
      c.spread = number(std::string_view(printed).substr(split + k_plus_minus.size()));
    return c;
  }

  void add_notes(const PaperTable& t, PaperRow& r, const YAML::Node& heading,
                 const std::vector<std::string>& ids) const {
    auto add = [&](PaperCell& c) { c.notes.insert(c.notes.end(), ids.begin(), ids.end()); };
    if (heading.as<std::string>() == "all")
      std::for_each(r.cells.begin(), r.cells.end(), add);
    else
      add(r.cells[column(t, heading)]);
  }

  std::size_t column(const PaperTable& t, const YAML::Node& heading) const {
    for (std::size_t i = 0; i < t.columns.size(); ++i)
      if (t.columns[i].printed == heading.as<std::string>()) return i;
    fail(heading, "the table has no column " + heading.as<std::string>());
  }

  PaperFigure figure(const YAML::Node& node) const {
    PaperFigure f{.id = text(node, "id"),
                  .caption = text(node, "caption"),
                  .tables = words(node["values_in"]),
                  .numbers = {},
                  .notes = notes(node["notes"])};
    for (const auto& n : node["numbers"])
      f.numbers.emplace_back(text(n, "what"), text(n, "printed"));
    return f;
  }

  YAML::Node root_;
  std::string source_;
  Paper paper_;
  std::map<std::string, PaperColumn> columns_;
};

template <class List>
auto find_id(const List& list, std::string_view id) -> decltype(list.data()) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.id == id; });
  return found == list.end() ? nullptr : &*found;
}

}  // namespace

Paper parse_paper(const std::string& yaml, const std::string& source) {
  try {
    return Reader(YAML::Load(yaml), source).read();
  } catch (const YAML::Exception& e) {
    throw InputError(source + ":" + std::to_string(e.mark.line + 1) + ": " + e.msg);
  }
}

const Paper& paper() {
  static const Paper embedded = parse_paper(std::string(equipoise_paper, equipoise_paper_end),
                                            "resources/paper/paper.yaml (embedded)");
  return embedded;
}

const std::vector<PaperTable>& paper_tables() { return paper().tables; }

const PaperTable* find_paper_table(std::string_view id) {
  if (const PaperTable* table = find_id(paper().tables, id)) return table;
  return find_id(paper().tables, "table" + std::string(id));
}

const PaperFigure* find_paper_figure(std::string_view id) { return find_id(paper().figures, id); }
const PaperNote* find_paper_note(std::string_view id) { return find_id(paper().notes, id); }

std::vector<const PaperRow*> paper_rows(const PaperTable& table, const PaperQuery& query) {
  std::vector<const PaperRow*> out;
  auto fits = [](const std::string& wanted, const std::string& word) {
    return wanted.empty() || wanted == word;
  };
  for (const auto& r : table.rows)
    if (fits(query.model, r.model) && fits(query.method, r.method) &&
        fits(query.component, r.component))
      out.push_back(&r);
  return out;
}

std::string PaperTable::title() const { return "Table " + id.substr(5); }

std::size_t PaperTable::cells() const { return rows.size() * columns.size(); }

const PaperCell* PaperTable::cell(const PaperRow& row, std::string_view column) const {
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == column || columns[i].printed == column) return &row.cells[i];
  return nullptr;
}

}  // namespace engine
