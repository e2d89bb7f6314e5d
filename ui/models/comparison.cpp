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

/// Mean, and the parts below and above it of what Grouping::Spread says.
struct Middle {
  double value, below, above;
};
Middle middleOf(const std::vector<double>& values, Grouping::Spread spread) {
  const engine::Estimate mean = engine::t_interval(values);
  if (spread == Grouping::Spread::interval || values.size() < 2)
    return {mean.value, mean.half(), mean.half()};
  if (spread == Grouping::Spread::range) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    return {mean.value, mean.value - *low, *high - mean.value};
  }
  double squares = 0;
  for (double v : values) squares += (v - mean.value) * (v - mean.value);
  const double n = double(values.size()), deviation = std::sqrt(squares / (n - 1));
  const double half = spread == Grouping::Spread::deviation ? deviation : deviation / std::sqrt(n);
  return {mean.value, half, half};
}

std::map<ScoreKey, Estimate> overRuns(const std::vector<const RunData*>& runs, Grouping::Spread spread) {
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
    const Middle middle = middleOf(values[key], spread);
    e.value = middle.value;
    e.half = middle.below;
    if (spread == Grouping::Spread::range) e.above = middle.above;
    if (spread != Grouping::Spread::interval) e.spread = spreadText(spread).remove("± ");
    e.note = QString("mean over %1 runs, ").arg(values[key].size()) + spreadText(spread);
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

QString spreadText(Grouping::Spread spread) {
  switch (spread) {
    case Grouping::Spread::deviation:
      return "± standard deviation";
    case Grouping::Spread::error:
      return "± standard error";
    case Grouping::Spread::range:
      return "min–max";
    default:
      return "± 95 %";
  }
}

/// Runs of one group have one key; a run without the value groups with its likes.
static std::string groupKey(const RunData& run, const std::string& by) {
  if (by == "setting") return run.info.hash.empty() ? "#" + std::to_string(run.info.id) : run.info.hash;
  engine::Recipe recipe = run.recipe;
  for (const engine::Field& field : engine::fields(recipe))
    if (field.info.path == by) return engine::to_text(field.get());
  return "absent";
}

std::vector<ComparedRow> comparedRows(const std::vector<const RunData*>& runs,
                                      const QStringList& names, const Grouping& grouping) {
  std::vector<ComparedRow> out;
  std::vector<std::string> keys;
  const bool seeds = grouping.by == "setting";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunData* run = runs[i];
    QString name = names.value(int(i), q(run->info.name));
    if (!grouping.by.empty()) {
      const std::string key = groupKey(*run, grouping.by);
      const auto same = std::find(keys.begin(), keys.end(), key);
      if (same != keys.end()) {
        out[std::size_t(same - keys.begin())].runs.push_back(run);
        continue;
      }
      keys.push_back(key);
      name = seeds ? settingName(*run, q(run->info.name))
                   : q(grouping.by) + " " + (key.empty() ? "empty" : q(key));
    }
    ComparedRow row;
    row.name = name;
    row.runs = {run};
    row.spread = grouping.spread;
    out.push_back(std::move(row));
  }
  for (ComparedRow& row : out) {
    row.cells = row.runs.size() == 1 ? lastEstimates(*row.runs[0]) : overRuns(row.runs, row.spread);
    if (row.runs.size() > 1)
      row.name += QString(" (%1 %2)").arg(row.runs.size()).arg(seeds ? "seeds" : "runs");
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

namespace {

using Curves = std::vector<std::vector<CurvePoint>>;

Curves curvesOf(const ComparedRow& row, const std::string& component, const std::string& task) {
  Curves curves;
  for (const RunData* run : row.runs) {
    const auto* points = run->score(component, task);
    curves.push_back(points ? asCurve(*points, 100) : std::vector<CurvePoint>{});
  }
  return curves;
}

Curves curvesOf(const ComparedRow& row, const SeriesFormula& formula, const std::string& task) {
  Curves curves;
  for (const RunData* run : row.runs) curves.push_back(formula.curve(*run, task));
  return curves;
}

/// The runs' values at the steps that all have.
std::map<double, std::vector<double>> inCommon(const Curves& curves) {
  std::map<double, std::vector<double>> at;
  for (const auto& curve : curves)
    for (const CurvePoint& p : curve) at[p.x].push_back(p.y);
  std::erase_if(at, [&](const auto& step) { return step.second.size() != curves.size(); });
  return at;
}

/// One run's own curve; of several, their mean.
std::vector<CurvePoint> meanCurve(Curves curves, Grouping::Spread spread) {
  if (curves.empty()) return {};
  if (curves.size() == 1) return std::move(curves[0]);
  std::vector<CurvePoint> out;
  for (const auto& [step, values] : inCommon(curves)) {
    const Middle middle = middleOf(values, spread);
    out.push_back({step, middle.value, spread == Grouping::Spread::range ? 0 : middle.below});
  }
  return out;
}

CurveRange rangeOfCurves(const Curves& curves, Grouping::Spread spread) {
  CurveRange out;
  if (spread != Grouping::Spread::range || curves.size() < 2) return out;
  for (const auto& [step, values] : inCommon(curves)) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    out.low.push_back({step, *low, 0});
    out.high.push_back({step, *high, 0});
  }
  return out;
}

}  // namespace

std::vector<CurvePoint> curveOf(const ComparedRow& row, const std::string& component,
                                const std::string& task) {
  return meanCurve(curvesOf(row, component, task), row.spread);
}
std::vector<CurvePoint> curveOf(const ComparedRow& row, const SeriesFormula& formula,
                                const std::string& task) {
  return meanCurve(curvesOf(row, formula, task), row.spread);
}
CurveRange rangeOf(const ComparedRow& row, const std::string& component, const std::string& task) {
  return rangeOfCurves(curvesOf(row, component, task), row.spread);
}
CurveRange rangeOf(const ComparedRow& row, const SeriesFormula& formula, const std::string& task) {
  return rangeOfCurves(curvesOf(row, formula, task), row.spread);
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
  const auto number = [difference](double value) {
    const QString text = QString::number(std::abs(value * 100), 'f', 1);
    return text == "0.0" ? text : (value < 0 ? "−" : difference ? "+" : "") + text;
  };
  QString text = number(e.value);
  if (e.above >= 0)
    text += QString(" (%1 to %2)").arg(number(e.value - e.half), number(e.value + e.above));
  else if (e.half > 0)
    text += QString(" ± %1").arg(e.half * 100, 0, 'f', 1);
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

}  // namespace ui
