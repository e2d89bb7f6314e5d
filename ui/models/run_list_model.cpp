#include "ui/models/run_list_model.h"

#include <QDateTime>
#include <algorithm>
#include <cmath>
#include <set>

#include "engine/tags.h"

namespace ui {
namespace {

const QChar k_group_tail(0x1f);

}  // namespace

QString stateText(engine::RunState state) { return QString::fromLatin1(engine::to_string(state)); }

QString durationText(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "–";
  const auto s = static_cast<long long>(std::llround(seconds));
  if (s < 60) return QString("%1 s").arg(s);
  if (s < 3600) return QString("%1 min %2 s").arg(s / 60).arg(s % 60, 2, 10, QChar('0'));
  if (s < 86400) return QString("%1 h %2 min").arg(s / 3600).arg(s / 60 % 60, 2, 10, QChar('0'));
  return QString("%1 d %2 h").arg(s / 86400).arg(s / 3600 % 24);
}

RunListModel::RunListModel(QObject* parent) : QAbstractListModel(parent) {}

void RunListModel::setRuns(const std::vector<engine::RunInfo>& runs) {
  bool chosen_gone = false;
  for (int i = int(rows_.size()) - 1; i >= 0; --i) {
    const auto id = rows_[std::size_t(i)].info.id;
    if (std::none_of(runs.begin(), runs.end(), [id](const auto& r) { return r.id == id; })) {
      chosen_gone = chosen_gone || rows_[std::size_t(i)].chosen;
      beginRemoveRows({}, i, i);
      rows_.erase(rows_.begin() + i);
      endRemoveRows();
    }
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    auto it = std::find_if(rows_.begin(), rows_.end(),
                           [&](const RunRow& r) { return r.info.id == runs[i].id; });
    if (it == rows_.end()) {
      const int at = int(std::min(i, rows_.size()));
      beginInsertRows({}, at, at);
      rows_.insert(rows_.begin() + at, RunRow{.info = runs[i]});
      endInsertRows();
      it = rows_.begin() + at;
    }
    const engine::RunInfo& now = runs[i];
    const bool same = it->info.state == now.state && it->info.name == now.name &&
                      it->info.steps == now.steps && it->info.total_steps == now.total_steps &&
                      it->info.tags == now.tags && it->info.notes == now.notes &&
                      it->info.message == now.message;
    it->info = now;
    if (now.total_steps > 0) it->progress = double(now.steps) / double(now.total_steps);
    if (!same) {
      const QModelIndex changed = index(int(it - rows_.begin()));
      Q_EMIT dataChanged(changed, changed);
    }
  }
  if (!grouping_.isEmpty()) updateGroups();
  if (chosen_gone) Q_EMIT chosenChanged();
}

void RunListModel::setResults(const RunData& data) {
  const QModelIndex at = indexOf(data.info.id);
  if (!at.isValid()) return;
  RunRow& row = rows_[std::size_t(at.row())];
  row.hybrid = data.lastScore("hybrid", "all");
  row.delta_h_swa = data.lastScore("delta_h_swa", "all");
  row.info.state = data.info.state;
  row.results.clear();
  for (const auto& [key, points] : data.scores)
    if (key.task == "all" && !points.empty())
      row.results[key.component] = points.back().value * 100;
  row.read = true;
  const auto total = std::max<std::int64_t>(data.info.total_steps, 1);
  row.progress = data.progress && data.progress->total_steps > 0
                     ? double(data.progress->total_step) / double(data.progress->total_steps)
                     : std::min(1.0, double(data.info.steps) / double(total));
  Q_EMIT dataChanged(at, at);
}

void RunListModel::setChosen(const std::vector<engine::RunId>& runs) {
  for (RunRow& row : rows_)
    row.chosen = std::find(runs.begin(), runs.end(), row.info.id) != runs.end();
  if (!rows_.empty())
    Q_EMIT dataChanged(index(0), index(int(rows_.size()) - 1), {Qt::CheckStateRole, ChosenRole});
  Q_EMIT chosenChanged();
}

std::vector<engine::RunId> RunListModel::chosen() const {
  std::vector<engine::RunId> out;
  for (const RunRow& row : rows_)
    if (row.chosen) out.push_back(row.info.id);
  return out;
}

engine::RunId RunListModel::idAt(int row) const {
  return row >= 0 && row < int(rows_.size()) ? rows_[std::size_t(row)].info.id : 0;
}

QModelIndex RunListModel::indexOf(engine::RunId id) const {
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (rows_[i].info.id == id) return index(int(i));
  return {};
}

int RunListModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(rows_.size());
}

QVariant RunListModel::data(const QModelIndex& at, int role) const {
  if (!at.isValid() || at.row() >= int(rows_.size())) return {};
  const RunRow& row = rows_[std::size_t(at.row())];
  switch (role) {
    case Qt::DisplayRole:
      return QString::fromStdString(row.info.name);
    case Qt::CheckStateRole:
      if (!tickable_) return {};
      return row.chosen ? Qt::Checked : Qt::Unchecked;
    case IdRole:
      return qint64(row.info.id);
    case StateRole:
      return int(row.info.state);
    case ProgressRole:
      return std::clamp(row.progress, 0.0, 1.0);
    case ChosenRole:
      return tickable_ ? QVariant(row.chosen) : QVariant();
    case ReadRole:
      return row.read;
    case ResultRole:
      return row.hybrid ? QString("%1 %").arg(row.hybrid->value * 100, 0, 'f', 1) : QString();
    case DetailRole: {
      QString text = stateText(row.info.state);
      if (row.info.trashed_ms != 0)
        return QDateTime::fromMSecsSinceEpoch(row.info.trashed_ms).toString("'deleted' d MMM HH:mm · ") + text;
      if (row.info.state == engine::RunState::running)
        text += QString(" %1 %").arg(int(row.progress * 100));
      if (row.delta_h_swa) {
        const double d = row.delta_h_swa->value * 100;
        const QString digits = QString::number(std::abs(d), 'f', 1);
        text += " · Δ " + QString(digits == "0.0" ? "" : d < 0 ? "−" : "+") + digits;
      }
      if (data(at, ArchivedRole).toBool()) text += " · archived";
      return text;
    }
    case GroupRole:
      return row.group;
    case StarRole:
      return tickable_ ? QVariant(engine::has_tag(row.info.tags, engine::k_star_tag)) : QVariant();
    case ArchivedRole:
      return engine::has_tag(row.info.tags, engine::k_archived_tag);
    case FilterRole:
      return QString::fromStdString(row.info.name + '\n' + row.info.tags + '\n' + row.info.notes +
                                    '\n' + engine::to_string(row.info.state) + '\n' +
                                    row.info.recipe);
    case Qt::ToolTipRole: {
      QString text = QString("%1 — run %2, %3")
                         .arg(QString::fromStdString(row.info.name))
                         .arg(row.info.id)
                         .arg(stateText(row.info.state));
      if (row.info.seconds > 0) text += ", " + durationText(row.info.seconds);
      if (!row.info.message.empty()) text += "\n" + QString::fromStdString(row.info.message);
      if (!row.info.tags.empty()) text += "\ntags: " + QString::fromStdString(row.info.tags);
      if (!row.info.notes.empty()) text += "\n" + QString::fromStdString(row.info.notes);
      return text;
    }
    case Qt::AccessibleTextRole:
      return QString("%1, %2 %3%4")
          .arg(QString::fromStdString(row.info.name), data(at, DetailRole).toString(),
               data(at, ResultRole).toString(), data(at, StarRole).toBool() ? ", starred" : "");
    default:
      return {};
  }
}

bool RunListModel::setData(const QModelIndex& at, const QVariant& value, int role) {
  if (!at.isValid() || !tickable_) return false;
  if (role == StarRole) Q_EMIT starAsked(qint64(idAt(at.row())), value.toBool());
  if (role != Qt::CheckStateRole) return role == StarRole;
  rows_[std::size_t(at.row())].chosen = value.toInt() == Qt::Checked;
  Q_EMIT dataChanged(at, at, {Qt::CheckStateRole, ChosenRole});
  Q_EMIT chosenChanged();
  return true;
}

Qt::ItemFlags RunListModel::flags(const QModelIndex& at) const {
  if (!at.isValid()) return Qt::NoItemFlags;
  const Qt::ItemFlags flags = Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemNeverHasChildren;
  return tickable_ ? flags | Qt::ItemIsUserCheckable : flags;
}

RunFacts RunListModel::facts(int at) const {
  const RunRow& row = rows_[std::size_t(at)];
  const engine::RunInfo& info = row.info;
  RunFacts out;
  out.text = index(at).data(FilterRole).toString();
  out.words = {{"name", info.name},     {"state", engine::to_string(info.state)},
               {"tags", info.tags},
               {"notes", info.notes},   {"device", info.device},
               {"dtype", info.dtype},   {"host", info.host},
               {"message", info.message}};
  out.results = row.results;
  out.results["id"] = double(info.id);
  out.results["seed"] = double(info.seed);
  out.results["steps"] = double(info.steps);
  out.results["seconds"] = info.seconds;
  out.recipe = info.recipe;
  return out;
}

void RunListModel::setGrouping(const QString& key) {
  grouping_ = key;
  updateGroups();
}

void RunListModel::updateGroups() {
  // The name of a setting's newest run stands for it; the hash keeps equal names apart.
  std::map<std::string, QString> settings;
  const std::string key = grouping_.toStdString();
  int first = -1, last = -1;
  for (int i = 0; i < int(rows_.size()); ++i) {
    RunRow& row = rows_[std::size_t(i)];
    const engine::RunInfo& info = row.info;
    QString group;
    if (grouping_ == "state") {
      group = stateText(info.state);
    } else if (grouping_ == "tags") {
      group = info.tags.empty() ? "no tags" : QString::fromStdString(info.tags);
    } else if (grouping_ == "sweep") {
      const std::string sweep = engine::sweep_of(info.tags);
      group = sweep.empty() ? "from no sweep" : QString::fromStdString(sweep);
    } else if (grouping_ == "device") {
      group = info.device.empty() ? "no device yet" : QString::fromStdString(info.device);
    } else if (grouping_ == "setting") {
      const std::string hash = info.hash.empty() ? "#" + std::to_string(info.id) : info.hash;
      const auto [at, fresh] = settings.try_emplace(hash, QString::fromStdString(info.name));
      group = at->second + k_group_tail + QString::fromStdString(hash);
    } else if (!grouping_.isEmpty()) {
      QStringList values;
      for (const auto& [path, value] : flatSettings(info.recipe))
        if (path == key) values << (value.empty() ? "empty" : QString::fromStdString(value));
      group = grouping_ + " " + (values.isEmpty() ? "absent" : values.join(", "));
    }
    if (group == row.group) continue;
    row.group = group;
    if (first < 0) first = i;
    last = i;
  }
  if (first >= 0) Q_EMIT dataChanged(index(first), index(last));
}

QStringList RunListModel::differingSettings() const {
  std::map<std::string, std::string> seen;
  std::set<std::string> differ;
  for (const RunRow& row : rows_)
    for (const auto& [path, value] : flatSettings(row.info.recipe)) {
      if (path == "name" || path == "seed") continue;
      const auto [at, fresh] = seen.try_emplace(path, value);
      if (!fresh && at->second != value) differ.insert(path);
    }
  QStringList out;
  for (const std::string& path : differ) out << QString::fromStdString(path);
  return out;
}

QString groupTitle(const QString& group) { return group.section(k_group_tail, 0, 0); }

RunFilter::RunFilter(QObject* parent) : QSortFilterProxyModel(parent) {
  setDynamicSortFilter(true);
}

void RunFilter::setWords(const QString& text) {
  expression_ = RunExpression::parse(text, &problem_);
  invalidateFilter();
}

void RunFilter::show(bool archived, bool starred_only) {
  archived_ = archived;
  starred_only_ = starred_only;
  invalidateFilter();
}

void RunFilter::regroup() {
  const auto* model = qobject_cast<const RunListModel*>(sourceModel());
  sort(model && !model->grouping().isEmpty() ? 0 : -1);
  invalidate();
}

bool RunFilter::filterAcceptsRow(int row, const QModelIndex&) const {
  const auto* model = static_cast<const RunListModel*>(sourceModel());
  const QModelIndex at = model->index(row);
  if (!archived_ && at.data(RunListModel::ArchivedRole).toBool()) return false;
  if (starred_only_ && !at.data(RunListModel::StarRole).toBool()) return false;
  return expression_.matches(model->facts(row));
}

/// Groups by their names; within a group the model's own order, newest first.
bool RunFilter::lessThan(const QModelIndex& left, const QModelIndex& right) const {
  const QString a = left.data(RunListModel::GroupRole).toString();
  const QString b = right.data(RunListModel::GroupRole).toString();
  const int order = QString::localeAwareCompare(a, b);
  return order != 0 ? order < 0 : left.row() < right.row();
}

}  // namespace ui
