#include "ui/models/comparison.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace ui {
namespace {

QString q(const std::string& text) { return QString::fromStdString(text); }

/// "ssd-3" of seed 3 → "ssd".
QString settingName(const RunData& run, const QString& name) {
  const QString seed = QString::number(run.info.seed);
  for (const QString& tail : {"-" + seed, "-seed" + seed, " seed " + seed, "-s" + seed})
    if (name.size() > tail.size() && name.endsWith(tail)) return name.chopped(tail.size());
  return name;
}

std::map<ScoreKey, Estimate> lastEstimates(const RunData& run) {
  std::map<ScoreKey, Estimate> out;
  for (const auto& [key, points] : run.scores)
    if (!points.empty()) {
      const ScorePoint& p = points.back();
      out[key] = {p.value, half95(p.stderr_), p.step, p.n, {}, {}};
    }
  return out;
}

std::map<ScoreKey, Estimate> overSeeds(const std::vector<const RunData*>& runs) {
  std::map<ScoreKey, std::vector<double>> values;
  std::map<ScoreKey, Estimate> out;
  for (const RunData* run : runs)
    for (const auto& [key, points] : run->scores)
      if (!points.empty()) {
        values[key].push_back(points.back().value);
        Estimate& e = out[key];
        e.step = std::max(e.step, points.back().step);
        e.n = points.back().n;
      }
  for (auto& [key, e] : out) {
    const engine::Estimate mean = engine::t_interval(values[key]);
    e.value = mean.value;
    e.half = mean.half();
    e.note = QString("mean over %1 seeds, 95 % Student interval").arg(mean.n);
  }
  return out;
}

}  // namespace

const Estimate* ComparedRow::find(const std::string& component, const std::string& task) const {
  const auto found = cells.find({component, task});
  return found == cells.end() ? nullptr : &found->second;
}

bool isDifference(const std::string& component) { return component.starts_with("delta_"); }

QString componentTitle(const std::string& component) {
  if (component == "delta_h_swa") return "Δ hybrid − swa";
  if (component == "delta_la_na") return "Δ linear − none";
  return q(component);
}

QString taskTitle(const std::string& task) {
  if (task == "all" || task == "local" || task == "far") return q(task) + " tasks";
  return q(task);
}

std::vector<ComparedRow> comparedRows(const std::vector<const RunData*>& runs,
                                      const QStringList& names, bool group_seeds) {
  std::vector<ComparedRow> out;
  std::vector<std::string> hashes;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunData* run = runs[i];
    const QString name = names.value(int(i), q(run->info.name));
    auto same = std::find(hashes.begin(), hashes.end(), run->info.hash);
    if (group_seeds && !run->info.hash.empty() && same != hashes.end()) {
      out[std::size_t(same - hashes.begin())].runs.push_back(run);
      continue;
    }
    hashes.push_back(run->info.hash);
    out.push_back({group_seeds ? settingName(*run, q(run->info.name)) : name, {run}, {}});
  }
  for (ComparedRow& row : out) {
    row.cells = row.runs.size() == 1 ? lastEstimates(*row.runs[0]) : overSeeds(row.runs);
    if (row.runs.size() > 1) row.name += QString(" (%1 seeds)").arg(row.runs.size());
  }
  return out;
}

std::vector<ComparedRow> triedRows(const RunData& run, const QString& name) {
  std::map<std::string, ComparedRow> rows;
  for (const auto& [key, points] : run.what_ifs) {
    // A setting tried on one task has no average over all.
    if (points.empty() || (key.task == "all" && key.component.find(" on ") != std::string::npos))
      continue;
    ComparedRow& row = rows[key.component];
    row.name = name + ", what if " + q(key.component);
    row.tried = true;
    const std::string component = key.component.substr(0, key.component.find_first_of(", "));
    const ScorePoint& p = points.back();
    row.cells[{component, key.task}] = {
        p.value, half95(p.stderr_), p.step, p.n, {}, "a setting saved on the Diagnose page"};
  }
  std::vector<ComparedRow> out;
  for (auto& [setting, row] : rows) out.push_back(std::move(row));
  return out;
}

std::vector<CurvePoint> curveOf(const ComparedRow& row, const std::string& component,
                                const std::string& task) {
  if (row.runs.empty()) return {};
  if (row.runs.size() == 1) {
    const auto* points = row.runs[0]->score(component, task);
    return points ? asCurve(*points, 100) : std::vector<CurvePoint>{};
  }
  std::map<double, std::vector<double>> at;
  for (const RunData* run : row.runs)
    if (const auto* points = run->score(component, task))
      for (const ScorePoint& p : *points) at[p.step].push_back(100 * p.value);
  std::vector<CurvePoint> out;
  for (const auto& [step, values] : at) {
    if (values.size() != row.runs.size()) continue;
    const engine::Estimate mean = engine::t_interval(values);
    out.push_back({step, mean.value, mean.half()});
  }
  return out;
}

std::vector<std::string> comparedComponents(const std::vector<ComparedRow>& rows,
                                            bool differences) {
  std::set<std::string> have;
  for (const ComparedRow& row : rows)
    for (const auto& [key, e] : row.cells) have.insert(key.component);
  std::vector<std::string> out;
  for (const std::string& name : engine::component_names())
    if (have.contains(name)) out.push_back(name);
  if (differences)
    for (const char* delta : {"delta_h_swa", "delta_la_na"})
      if (have.contains(delta)) out.emplace_back(delta);
  return out;
}

std::vector<std::string> comparedTasks(const std::vector<ComparedRow>& rows) {
  std::set<std::string> have;
  for (const ComparedRow& row : rows)
    for (const auto& [key, e] : row.cells) have.insert(key.task);
  std::vector<std::string> out;
  for (const char* group : {"all", "local", "far"})
    if (have.erase(group)) out.emplace_back(group);
  have.erase("recovered");  // no task: the paper's own ratio of averages
  out.insert(out.end(), have.begin(), have.end());
  return out;
}

QString estimateText(const Estimate& e, bool difference) {
  if (!e.printed.isEmpty()) return e.printed;
  if (!std::isfinite(e.value)) return "–";
  QString text = QString::number(std::abs(e.value * 100), 'f', 1);
  if (text != "0.0") {
    if (e.value < 0)
      text = "−" + text;
    else if (difference)
      text = "+" + text;
  }
  if (e.half > 0) text += QString(" ± %1").arg(e.half * 100, 0, 'f', 1);
  return text;
}

// ---- the paper
// ------------------------------------------------------------------------------------

namespace {

/// Rows of one model under one heading with one setting; a component twice makes every row a block
/// of its own. Where no heading stands above them, the first row's label names them.
void addBlocks(std::vector<PaperBlock>& out, const engine::PaperTable& table,
               const engine::PaperRow* base, const std::vector<const engine::PaperRow*>& rows) {
  if (rows.empty()) return;
  std::set<std::string> seen;
  bool twice = false;
  for (const auto* row : rows) twice = !seen.insert(row->component).second || twice;
  auto add = [&](const std::vector<const engine::PaperRow*>& members, const std::string& tail) {
    PaperBlock block;
    block.table = q(table.title());
    block.title = q(rows[0]->model_printed.empty() ? rows[0]->model : rows[0]->model_printed);
    if (!rows[0]->heading.empty()) block.title += ", " + q(rows[0]->heading);
    if (!tail.empty()) block.title += ", " + q(tail);
    block.id = q(table.id + "/" + rows[0]->model + "/" + rows[0]->heading + "/" + tail);
    block.source = &table;
    if (base) block.rows.push_back(base);
    block.rows.insert(block.rows.end(), members.begin(), members.end());
    out.push_back(std::move(block));
  };
  const bool labelled = rows[0]->heading.empty() && !rows[0]->settings.empty();
  if (!twice) return add(rows, labelled ? rows[0]->label : std::string());
  for (const auto* row : rows) add({row}, row->label);
}

}  // namespace

const std::vector<PaperBlock>& paperBlocks() {
  static const std::vector<PaperBlock> blocks = [] {
    std::vector<PaperBlock> out;
    for (const engine::PaperTable& table : engine::paper_tables()) {
      const bool accuracies = std::any_of(table.columns.begin(), table.columns.end(),
                                          [](const auto& c) { return c.name == "average"; });
      if (!accuracies) continue;
      const engine::PaperRow* base = nullptr;
      std::vector<const engine::PaperRow*> rows;
      auto flush = [&] {
        addBlocks(out, table, base, rows);
        rows.clear();
      };
      for (const engine::PaperRow& row : table.rows) {
        if (row.component.empty()) continue;
        if (row.component == "teacher") {
          flush();
          base = &row;
          continue;
        }
        if (!rows.empty() && (rows[0]->model != row.model || rows[0]->heading != row.heading ||
                              rows[0]->settings != row.settings))
          flush();
        if (base && base->model != row.model) base = nullptr;
        rows.push_back(&row);
      }
      flush();
    }
    return out;
  }();
  return blocks;
}

ComparedRow printedRow(const PaperBlock& block) {
  ComparedRow out{block.table + " · " + block.title, {}, {}};
  for (const engine::PaperRow* row : block.rows)
    for (std::size_t c = 0; c < block.source->columns.size() && c < row->cells.size(); ++c) {
      const engine::PaperColumn& column = block.source->columns[c];
      const engine::PaperCell& cell = row->cells[c];
      if (!cell.value) continue;
      QString note = QString("as printed: %1, “%2”").arg(block.table, q(row->label));
      if (cell.spread) note += "; ± is the standard error over three seeds";
      for (const std::string& id : cell.notes)
        if (const auto* why = engine::find_paper_note(id)) note += "\n" + q(why->text);
      out.cells[{row->component, column.name == "average" ? "all" : column.name}] = {
          *cell.value / 100,
          cell.spread ? half95(*cell.spread / 100) : 0,
          0,
          0,
          q(cell.printed),
          note};
    }
  for (const auto& [delta, a, b] :
       {std::tuple("delta_h_swa", "hybrid", "swa"), std::tuple("delta_la_na", "linear", "none")})
    for (const std::string& task : comparedTasks({out})) {
      const Estimate* first = out.find(a, task);
      const Estimate* second = out.find(b, task);
      if (!first || !second) continue;
      const double points = 100 * (first->value - second->value);
      out.cells[{delta, task}] = {
          points / 100,
          0,
          0,
          0,
          (points < 0 ? "−" : "+") + QString::number(std::abs(points), 'f', 2),
          QString("%1 %2 less %3 %4: the paper prints the two, not the difference")
              .arg(a, first->printed, b, second->printed)};
    }
  return out;
}

// ---- paired tests
// ---------------------------------------------------------------------------------

namespace {

/// Why two evaluations are not of the same examples; empty: they are.
QString differingExamples(const engine::Recipe& a, const engine::Recipe& b) {
  QStringList differ;
  auto look = [&](const char* key, const auto& x, const auto& y) {
    if (x != y) differ << QString("evaluation.%1").arg(key);
  };
  look("data", a.evaluation.data, b.evaluation.data);
  look("split", a.evaluation.split, b.evaluation.split);
  look("shots", a.evaluation.shots, b.evaluation.shots);
  if (a.evaluation.shots > 0) {
    look("sampler", a.evaluation.sampler, b.evaluation.sampler);
    look("shots_seed", a.evaluation.shots_seed, b.evaluation.shots_seed);
  }
  return differ.isEmpty() ? QString() : "not the same examples: " + differ.join(", ") + " differ";
}

/// The single tasks that stand behind a choice of tasks.
std::vector<std::string> singleTasks(const RunData& run, const std::string& task) {
  if (task != "all" && task != "local" && task != "far") return {task};
  std::vector<std::string> out;
  for (const std::string& t : run.tasks())
    if (t != "all" && t != "local" && t != "far") out.push_back(t);
  return out;
}

/// Examples beyond the shorter list are left out.
void fillTest(PairedRow& row, const std::vector<std::uint8_t>& a,
              const std::vector<std::uint8_t>& b) {
  row.n = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < row.n; ++i) {
    row.first_only += a[i] != 0 && b[i] == 0 ? 1 : 0;
    row.second_only += a[i] == 0 && b[i] != 0 ? 1 : 0;
  }
  const auto n = double(row.n), discordant = double(row.first_only + row.second_only);
  row.difference = (double(row.first_only) - double(row.second_only)) / n;
  // Variance of a difference that is −1, 0 or 1 an example.
  row.half = half95(std::sqrt(std::max(0.0, discordant / n - row.difference * row.difference) / n));
  row.p = engine::mcnemar_exact(std::int64_t(row.first_only), std::int64_t(row.second_only));
}

PairedRow pairedRow(const RunData& first, const RunData& second, const std::string& component,
                    const std::string& task, const Outcomes& outcomes) {
  PairedRow row;
  row.component = component;
  row.task = task;
  if (row.problem = differingExamples(first.recipe, second.recipe); !row.problem.isEmpty())
    return row;
  std::vector<std::uint8_t> a, b;
  for (const std::string& single : singleTasks(first, task)) {
    const auto x = first.lastScore(component, single), y = second.lastScore(component, single);
    if (!x || !y) continue;
    const auto of_a = outcomes(first, std::int64_t(x->step), component, single);
    const auto of_b = outcomes(second, std::int64_t(y->step), component, single);
    if (of_a.size() != of_b.size()) {
      row.problem = QString("not the same examples: %1 and %2 of %3")
                        .arg(of_a.size())
                        .arg(of_b.size())
                        .arg(q(single));
      return row;
    }
    a.insert(a.end(), of_a.begin(), of_a.end());
    b.insert(b.end(), of_b.begin(), of_b.end());
  }
  if (a.empty())
    row.problem = "no answers example by example are stored";
  else
    fillTest(row, a, b);
  return row;
}

}  // namespace

std::vector<PairedRow> pairedRows(const std::vector<const RunData*>& runs, const QStringList& names,
                                  const std::string& task, const Outcomes& outcomes) {
  std::vector<PairedRow> out;
  if (task == "local" || task == "far") return out;
  for (std::size_t i = 1; i < runs.size(); ++i) {
    const auto mine = runs[i]->components();
    for (const std::string& component : runs[0]->components()) {
      if (component == "teacher" || std::find(mine.begin(), mine.end(), component) == mine.end())
        continue;
      PairedRow row = pairedRow(*runs[i], *runs[0], component, task, outcomes);
      row.first = names.value(int(i));
      row.second = names.value(0);
      out.push_back(std::move(row));
    }
  }
  std::vector<double> p;
  for (const PairedRow& row : out)
    if (row.problem.isEmpty()) p.push_back(row.p);
  const std::vector<double> adjusted = engine::holm(p);
  std::size_t at = 0;
  for (PairedRow& row : out)
    if (row.problem.isEmpty()) row.adjusted = adjusted[at++];
  return out;
}

}  // namespace ui
