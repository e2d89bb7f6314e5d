#pragma once
/// What the comparison lays side by side, as values: runs, settings over their seeds, rows that the
/// paper prints, and paired tests between runs.

#include <QString>
#include <QStringList>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "engine/eval/intervals.h"
#include "engine/paper.h"
#include "ui/models/run_data.h"
#include "ui/models/series_formula.h"

namespace ui {

/// A score or a difference as it is shown.
struct Estimate {
  double value = 0;  ///< accuracy or difference, 0…1
  double half = 0;   ///< half width of the 95 % interval, or of another `spread`; 0: none
  double step = 0;
  std::int64_t n = 0;  ///< examples
  QString printed{};   ///< the paper's own text; empty where it was measured here
  QString note{};      ///< where the number comes from, for the tooltip
  QString spread{};    ///< what `half` is; empty: the 95 % interval
  double above = -1;   ///< the spread's part above the value where `half` is the one below; negative: both are `half`

  double up() const { return above < 0 ? half : above; }
};

/// How runs become rows.
struct Grouping {
  /// What stands behind a mean: its 95 % Student interval, the runs' standard deviation, the mean's standard error, or the
  /// least and the greatest of the runs.
  enum class Spread { interval, deviation, error, range };
  std::string by{};  ///< empty: a row a run; "setting": equal recipes but for name and seed; else a path of the recipe
  Spread spread = Spread::interval;
  bool operator==(const Grouping&) const = default;
};
QString spreadText(Grouping::Spread spread);  ///< "± 95 %", "± standard deviation", "± standard error", "min–max"

/// One line of the comparison.
struct ComparedRow {
  QString name;
  std::vector<const RunData*> runs;  ///< one, or a group; empty: printed
  std::map<ScoreKey, Estimate> cells;
  bool tried = false;  ///< a setting or checkpoint tried apart, which is no run of its own
  Grouping::Spread spread{};  ///< of a group

  bool isPrinted() const { return runs.empty() && !tried; }
  const Estimate* find(const std::string& component, const std::string& task) const;
};

/// One row a run, or a group: the mean of its runs' last values. One run alone keeps its own interval over examples.
std::vector<ComparedRow> comparedRows(const std::vector<const RunData*>& runs,
                                      const QStringList& names, const Grouping& grouping = {});

/// A row a setting that was tried on a run's checkpoint and saved with it.
std::vector<ComparedRow> triedRows(const RunData& run, const QString& name);

/// Accuracy of one component over training, averaged over the row's runs at the steps that all
/// have.
std::vector<CurvePoint> curveOf(const ComparedRow& row, const std::string& component,
                                const std::string& task);
/// The same of a formula.
std::vector<CurvePoint> curveOf(const ComparedRow& row, const SeriesFormula& formula,
                                const std::string& task);

/// The least and the greatest at the same steps, where the row is a group whose spread is that; else nothing.
struct CurveRange {
  std::vector<CurvePoint> low, high;
};
CurveRange rangeOf(const ComparedRow& row, const std::string& component, const std::string& task);
CurveRange rangeOf(const ComparedRow& row, const SeriesFormula& formula, const std::string& task);

/// Rows of the paper that belong together: one model at one time of one table, by component.
struct PaperBlock {
  QString id;     ///< "table12/mistral-7b-instruct/1 epoch"; stable, for settings
  QString table;  ///< "Table 12"
  QString title;  ///< "Mistral-7B-Instruct, 1 epoch"
  const engine::PaperTable* source = nullptr;
  std::vector<const engine::PaperRow*> rows;  ///< the base model's first
};
/// Every block with component rows, in the paper's order.
const std::vector<PaperBlock>& paperBlocks();
/// Its printed numbers: the averages under task "all", single tasks under their names, and the
/// differences of printed numbers, which say so.
ComparedRow printedRow(const PaperBlock& block);

/// Components that have a value in any row, in the order of METHODS; the two differences last.
std::vector<std::string> comparedComponents(const std::vector<ComparedRow>& rows, bool differences);
/// Tasks that have a value in any row: all, local, far first.
std::vector<std::string> comparedTasks(const std::vector<ComparedRow>& rows);

/// "71.2 ± 1.3" in percent; a difference carries its sign; what the paper prints stays as printed.
QString estimateText(const Estimate& estimate, bool difference);
bool isDifference(const std::string& component);
QString componentTitle(const std::string& component);  ///< "Δ hybrid − swa" or the name
QString taskTitle(const std::string& task);            ///< "all tasks" or the name

// ---- paired tests
// ---------------------------------------------------------------------------------

/// One run against another, example by example.
struct PairedRow {
  QString first, second;
  std::string component, task;
  std::size_t n = 0;
  std::size_t first_only = 0, second_only = 0;  ///< right in one and wrong in the other
  double difference = 0;  ///< accuracy of the first less the second's, −1…1
  double half = 0;        ///< half width of its 95 % interval (normal, paired)
  double p = 1;           ///< exact McNemar test, two-sided
  double adjusted = 1;    ///< Holm, over all rows
  QString problem;        ///< why there is no test; empty: there is one
};
using Outcomes = std::function<std::vector<std::uint8_t>(
    const RunData& run, std::int64_t step, const std::string& component, const std::string& task)>;
/// Every other run against the first one, on the same examples, each component of both; task "all"
/// pools every task that both have answered.
std::vector<PairedRow> pairedRows(const std::vector<const RunData*>& runs, const QStringList& names,
                                  const std::string& task, const Outcomes& outcomes);

}  // namespace ui
