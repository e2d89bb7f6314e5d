#include "ui/models/ablation_model.h"

#include <QBrush>
#include <algorithm>
#include <cmath>
#include <set>

#include "ui/models/table_text.h"
#include "ui/theme.h"

namespace ui {
namespace {

/// "stages[1].schedule.dropout" → "2 dropout": short, yet not to be mistaken; the tooltip has the
/// whole path.
QString shortPath(const std::string& path) {
  QString text = QString::fromStdString(path);
  QString stage;
  if (text.startsWith("stages[")) {
    stage = QString("stage %1 ").arg(text.mid(7).section(']', 0, 0).toInt() + 1);
    text = text.section("].", 1);
  }
  for (const char* prefix : {"attention.", "schedule.", "data.", "lora."})
    if (text.startsWith(QLatin1String(prefix))) text = text.mid(int(qstrlen(prefix)));
  if (text.startsWith("feature_map.")) text = "map " + text.mid(12);
  return stage + text;
}

}  // namespace

void AblationModel::setRows(const std::vector<ComparedRow>& rows, Layout layout,
                            const std::string& task) {
  beginResetModel();
  task_ = task;
  heads_.clear();
  rows_.clear();
  if (layout == Layout::components) {
    lead_ = {"run"};
    for (const std::string& c : comparedComponents(rows, true))
      heads_.push_back({componentTitle(c) + (isDifference(c) ? "" : ", %"), c, isDifference(c)});
    for (const ComparedRow& from : rows) {
      Row row{{from.name}, {}, {}, 0, from.isPrinted()};
      for (const Head& head : heads_) {
        const Estimate* e = from.find(head.key, task);
        row.cells.push_back(e ? std::optional(*e) : std::nullopt);
        if (e) row.step = std::max(row.step, std::int64_t(e->step));
      }
      rows_.push_back(std::move(row));
    }
  } else {
    lead_ = {"run", "component"};
    auto tasks = comparedTasks(rows);
    std::erase(tasks, "all");
    for (const std::string& t : tasks)
      heads_.push_back({QString::fromStdString(t) + ", %", t, false});
    heads_.push_back({"average, %", "all", false});
    heads_.push_back({"recovered, %", "recovered", false});
    tasks.emplace_back("all");
    for (const ComparedRow& row : rows) addTaskRows(row, tasks);
  }
  endResetModel();
}

void AblationModel::addTaskRows(const ComparedRow& from, const std::vector<std::string>& tasks) {
  const Estimate* base = from.find("teacher", "all");
  auto components = comparedComponents({from}, false);
  if (std::any_of(from.cells.begin(), from.cells.end(),
                  [](const auto& cell) { return cell.first.component == "exposure"; }))
    components.emplace_back("exposure");
  for (const std::string& component : components) {
    Row row{{from.name, QString::fromStdString(component)}, component, {}, 0, from.isPrinted()};
    for (const std::string& task : tasks) {
      const Estimate* e = from.find(component, task);
      row.cells.push_back(e ? std::optional(*e) : std::nullopt);
      if (e) row.step = std::max(row.step, std::int64_t(e->step));
    }
    const Estimate* average = from.find(component, "all");
    std::optional<Estimate> recovered;
    if (const Estimate* printed = from.find(component, "recovered"))
      recovered = *printed;
    else if (base && average && base->value > 0 && component != "exposure")
      recovered = Estimate{average->value / base->value, 0, average->step, average->n, {},
                           "100 · average / teacher's average"};
    row.cells.push_back(recovered);
    rows_.push_back(std::move(row));
  }
}

int AblationModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(rows_.size());
}
int AblationModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(lead_.size()) + int(heads_.size()) + 1;
}

std::string AblationModel::componentAt(const Row& row, std::size_t cell) const {
  return row.component.empty() ? heads_[cell].key : row.component;
}

QString AblationModel::shown(const Row& row, int column) const {
  if (column < int(lead_.size())) return row.words.value(column);
  if (column == columnCount() - 1)
    return row.printed ? QString("as printed") : QString::number(row.step);
  const auto at = std::size_t(column) - std::size_t(lead_.size());
  return row.cells[at] ? estimateText(*row.cells[at], heads_[at].difference) : QString("–");
}

QVariant AblationModel::data(const QModelIndex& at, int role) const {
  if (!at.isValid() || at.row() >= rowCount()) return {};
  const Row& row = rows_[std::size_t(at.row())];
  const bool word = at.column() < int(lead_.size());
  if (role == Qt::TextAlignmentRole)
    return int((word ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
  if (role == Qt::DisplayRole) {
    // A run's name stands once, above its components.
    const bool again = lead_.size() > 1 && at.column() == 0 && at.row() > 0 &&
                       rows_[std::size_t(at.row()) - 1].words[0] == row.words[0];
    return again ? QString() : shown(row, at.column());
  }
  if (role == PrintedRole) return row.printed;
  if (role == Qt::ForegroundRole && (row.printed || row.component == "exposure"))
    return QBrush(colorsOf(nullptr).secondary);
  if (word) return role == Qt::ToolTipRole ? QVariant(row.words.value(at.column())) : QVariant();
  if (at.column() == columnCount() - 1) return {};
  const auto cell = std::size_t(at.column()) - std::size_t(lead_.size());
  const auto& e = row.cells[cell];
  if (!e) return {};
  switch (role) {
    case ComponentRole:
      return QString::fromStdString(componentAt(row, cell));
    case ValueRole:
      return e->value;
    case HalfRole:
      return e->half;
    case Qt::ToolTipRole: {
      const QString where =
          row.component.empty() ? taskTitle(task_) : QString::fromStdString(heads_[cell].key);
      QString text = QString("%1 of %2 on %3: %4")
                         .arg(componentTitle(componentAt(row, cell)), row.words[0], where,
                              shown(row, at.column()));
      if (e->step > 0) text += QString(", step %1").arg(e->step);
      if (e->n > 0) text += QString(", %1 examples").arg(e->n);
      return e->note.isEmpty() ? text : text + "\n" + e->note;
    }
    default:
      return {};
  }
}

QVariant AblationModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  const bool word = section < int(lead_.size());
  if (role == Qt::TextAlignmentRole)
    return int((word ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
  if (role != Qt::DisplayRole) return {};
  if (word) return lead_[section];
  if (section == columnCount() - 1) return "step";
  return heads_[std::size_t(section) - std::size_t(lead_.size())].title;
}

QString AblationModel::text(Format format) const {
  QList<QStringList> lines;
  const bool data = format == Format::csv || format == Format::tsv;
  lines << (data ? dataHead() : QStringList());
  for (int c = 0; !data && c < columnCount(); ++c)
    lines[0] << headerData(c, Qt::Horizontal, Qt::DisplayRole).toString();
  for (const Row& row : rows_) {
    QStringList line;
    for (int c = 0; !data && c < columnCount(); ++c) line << shown(row, c);
    lines << (data ? dataLine(row) : line);
  }
  return tableText(lines, int(lead_.size()), format);
}

/// Of the row's cells; empty where they have their 95 % intervals.
QString AblationModel::spreadOf(const Row& row) const {
  for (const auto& e : row.cells)
    if (e && !e->spread.isEmpty()) return e->spread;
  return {};
}

/// Another spread than the interval has columns for both of its sides, and one that says what it is.
bool AblationModel::otherSpread() const {
  return std::any_of(rows_.begin(), rows_.end(), [this](const Row& r) { return !spreadOf(r).isEmpty(); });
}

QStringList AblationModel::dataHead() const {
  QStringList head = lead_;
  const bool other = otherSpread();
  for (const Head& h : heads_) {
    const QString key = QString::fromStdString(h.key);
    head << key;
    if (other)
      head << key + "_spread_below" << key + "_spread_above";
    else
      head << key + "_half_width_95";
  }
  if (other) head << "spread";
  return head << "step";
}

QStringList AblationModel::dataLine(const Row& row) const {
  QStringList parts = row.words;
  const bool other = otherSpread();
  const auto exact = [](double value) { return QString::number(value, 'g', 17); };
  for (const auto& e : row.cells) {
    parts << (e ? exact(e->value) : QString()) << (e ? exact(e->half) : QString());
    if (other) parts << (e ? exact(e->up()) : QString());
  }
  if (other) parts << (spreadOf(row).isEmpty() ? QString("95 % interval") : spreadOf(row));
  return parts << (row.printed ? QString("as printed") : QString::number(row.step));
}

void DifferenceModel::setRecipes(const QStringList& names,
                                 const std::vector<engine::Recipe>& recipes) {
  beginResetModel();
  names_ = names;
  rows_ = recipes.size() > 1 ? engine::differences(recipes) : std::vector<engine::Difference>{};
  std::erase_if(rows_, [](const auto& d) { return d.path == "name"; });
  endResetModel();
}

int DifferenceModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(rows_.size());
}
int DifferenceModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(names_.size()) + 1;
}

QVariant DifferenceModel::data(const QModelIndex& at, int role) const {
  if (!at.isValid() || at.row() >= rowCount()) return {};
  const engine::Difference& d = rows_[std::size_t(at.row())];
  const bool key = at.column() == 0;
  const auto value = key || std::size_t(at.column()) > d.values.size()
                         ? std::nullopt
                         : d.values[std::size_t(at.column() - 1)];
  if (role == Qt::DisplayRole || role == Qt::ToolTipRole) {
    if (key) return role == Qt::DisplayRole ? shortPath(d.path) : QString::fromStdString(d.path);
    if (!value) return "absent";
    return value->empty() ? QString("empty") : QString::fromStdString(*value);
  }
  // Absent and empty are said in grey words, so that they are not taken for values.
  if (role == Qt::ForegroundRole && (key || !value || value->empty()))
    return QBrush(colorsOf(nullptr).secondary);
  return {};
}

QVariant DifferenceModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
  return section == 0 ? QString("setting") : names_.value(section - 1);
}

}  // namespace ui
