#include "ui/models/ablation_model.h"

#include <QBrush>
#include <algorithm>
#include <cmath>
#include <set>

#include "ui/theme.h"

namespace ui {
namespace {

bool isDelta(const std::string& component) { return component.starts_with("delta_"); }

QString columnTitle(const std::string& component) {
  if (component == "delta_h_swa") return "Δ hybrid − swa";
  if (component == "delta_la_na") return "Δ linear − none";
  return QString::fromStdString(component);
}

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

void AblationModel::setRuns(const std::vector<const RunData*>& runs, const std::string& task) {
  beginResetModel();
  task_ = task;
  columns_.clear();
  rows_.clear();
  std::set<std::string> have;
  for (const RunData* run : runs)
    for (const auto& [key, points] : run->scores) have.insert(key.component);
  for (const std::string& name : engine::component_names())
    if (have.contains(name)) columns_.push_back(name);
  for (const char* delta : {"delta_h_swa", "delta_la_na"})
    if (have.contains(delta)) columns_.emplace_back(delta);
  for (const RunData* run : runs) {
    Row row;
    row.name = QString::fromStdString(run->info.name);
    for (const std::string& component : columns_) {
      row.cells.push_back(run->lastScore(component, task));
      if (row.cells.back()) row.step = std::max(row.step, std::int64_t(row.cells.back()->step));
    }
    rows_.push_back(std::move(row));
  }
  endResetModel();
}

int AblationModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(rows_.size());
}
int AblationModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(columns_.size()) + 2;
}

QString AblationModel::cell(const Row& row, std::size_t column) const {
  const auto& c = row.cells[column];
  if (!c || !std::isfinite(c->value)) return "–";
  const double v = c->value * 100;
  QString text = QString::number(std::abs(v), 'f', 1);
  if (text == "0.0")
    return text +
           (c->stderr_ > 0 ? QString(" ± %1").arg(half95(c->stderr_) * 100, 0, 'f', 1) : QString());
  if (v < 0)
    text = "−" + text;
  else if (isDelta(columns_[column]))
    text = "+" + text;
  if (c->stderr_ > 0) text += QString(" ± %1").arg(half95(c->stderr_) * 100, 0, 'f', 1);
  return text;
}

QVariant AblationModel::data(const QModelIndex& at, int role) const {
  if (!at.isValid() || at.row() >= rowCount()) return {};
  const Row& row = rows_[std::size_t(at.row())];
  if (role == Qt::TextAlignmentRole)
    return int((at.column() == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
  if (at.column() == 0) return role == Qt::DisplayRole ? QVariant(row.name) : QVariant();
  if (at.column() == columnCount() - 1)
    return role == Qt::DisplayRole ? QVariant(qint64(row.step)) : QVariant();
  const auto column = std::size_t(at.column() - 1);
  const auto& c = row.cells[column];
  switch (role) {
    case Qt::DisplayRole:
      return cell(row, column);
    case ComponentRole:
      return QString::fromStdString(columns_[column]);
    case ValueRole:
      return c ? QVariant(c->value) : QVariant();
    case HalfRole:
      return c ? QVariant(half95(c->stderr_)) : QVariant();
    case Qt::ToolTipRole:
      return c ? QString("%1 of %2 on %3: %4, step %5, %6 examples")
                     .arg(columnTitle(columns_[column]), row.name, QString::fromStdString(task_),
                          cell(row, column))
                     .arg(c->step)
                     .arg(c->n)
               : QVariant();
    default:
      return {};
  }
}

QVariant AblationModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  if (role == Qt::TextAlignmentRole)
    return int((section == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
  if (role != Qt::DisplayRole) return {};
  if (section == 0) return "run";
  if (section == columnCount() - 1) return "step";
  const std::string& component = columns_[std::size_t(section - 1)];
  return columnTitle(component) + (isDelta(component) ? "" : ", %");
}

QString AblationModel::text(Format format) const {
  auto joined = [&](const QString& before, const QString& between, const QString& after,
                    auto value) {
    QStringList parts;
    for (int c = 0; c < columnCount(); ++c) parts << value(c);
    return before + parts.join(between) + after;
  };
  auto title = [&](int c) { return headerData(c, Qt::Horizontal, Qt::DisplayRole).toString(); };
  auto shown = [&](int r) {
    return [this, r](int c) { return data(index(r, c), Qt::DisplayRole).toString(); };
  };
  QStringList lines;
  if (format == Format::markdown) {
    lines << joined("| ", " | ", " |", title);
    lines << joined("|", "|", "|", [](int c) { return c == 0 ? QString("---") : QString("--:"); });
    for (int r = 0; r < rowCount(); ++r) lines << joined("| ", " | ", " |", shown(r));
  } else if (format == Format::latex) {
    auto safe = [](QString s) {
      s.replace("_", "\\_")
          .replace("%", "\\%")
          .replace("±", "$\\pm$")
          .replace("−", "$-$")
          .replace("Δ", "$\\Delta$")
          .replace("–", "--");
      return s;
    };
    lines << "\\begin{tabular}{l" + QString(columnCount() - 1, 'r') + "}"
          << "\\toprule";
    lines << safe(joined("", " & ", "", title)) + " \\\\"
          << "\\midrule";
    for (int r = 0; r < rowCount(); ++r) lines << safe(joined("", " & ", "", shown(r))) + " \\\\";
    lines << "\\bottomrule"
          << "\\end{tabular}";
  } else {
    // Numbers to compute with: every digit, the half width in a column of its own.
    const QString sep = format == Format::csv ? "," : "\t";
    QStringList head{"run"};
    for (const std::string& c : columns_)
      head << QString::fromStdString(c) << QString::fromStdString(c) + "_half_width_95";
    lines << (head << "step").join(sep);
    for (const Row& row : rows_) {
      QStringList parts{
          format == Format::csv ? "\"" + QString(row.name).replace("\"", "\"\"") + "\"" : row.name};
      for (const auto& c : row.cells)
        parts << (c ? QString::number(c->value, 'g', 17) : QString())
              << (c ? QString::number(half95(c->stderr_), 'g', 17) : QString());
      lines << (parts << QString::number(row.step)).join(sep);
    }
  }
  return lines.join('\n') + '\n';
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
