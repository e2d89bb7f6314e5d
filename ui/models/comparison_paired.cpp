/// Paired tests between runs: the same examples, one by one.

#include <algorithm>
#include <cmath>
#include <set>

#include "ui/models/comparison.h"

namespace ui {
namespace {

QString q(const std::string& text) { return QString::fromStdString(text); }

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
