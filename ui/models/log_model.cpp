#include "ui/models/log_model.h"

#include <QTimer>
#include <algorithm>

namespace ui {

LogModel::LogModel(int capacity, QObject* parent)
    : QAbstractListModel(parent), capacity_(capacity) {}

void LogModel::add(qint64 run, int level, const QString& text) {
  waiting_.push_back({QDateTime::currentDateTime(), run, level, text});
  if (std::exchange(queued_, true)) return;
  QTimer::singleShot(0, this, &LogModel::flush);
}

void LogModel::flush() {
  queued_ = false;
  if (waiting_.empty()) return;
  std::vector<Line> fresh = std::exchange(waiting_, {});
  if (int(fresh.size()) > capacity_) fresh.erase(fresh.begin(), fresh.end() - capacity_);

  const auto drop = std::max<long>(0, long(lines_.size() + fresh.size()) - capacity_);
  const auto hidden =
      std::lower_bound(shown_.begin(), shown_.end(), first_ + std::size_t(drop)) - shown_.begin();
  if (hidden > 0) {
    beginRemoveRows({}, 0, int(hidden) - 1);
    shown_.erase(shown_.begin(), shown_.begin() + hidden);
    endRemoveRows();
  }
  lines_.erase(lines_.begin(), lines_.begin() + drop);
  first_ += std::size_t(drop);

  std::vector<std::size_t> added;
  for (Line& line : fresh) {
    if (passes(line)) added.push_back(first_ + lines_.size());
    lines_.push_back(std::move(line));
  }
  if (added.empty()) return;
  beginInsertRows({}, int(shown_.size()), int(shown_.size() + added.size()) - 1);
  shown_.insert(shown_.end(), added.begin(), added.end());
  endInsertRows();
}

bool LogModel::passes(const Line& line) const {
  return line.level >= level_ &&
         (words_.isEmpty() || line.text.contains(words_, Qt::CaseInsensitive));
}

void LogModel::refilter() {
  beginResetModel();
  shown_.clear();
  for (std::size_t i = 0; i < lines_.size(); ++i)
    if (passes(lines_[i])) shown_.push_back(first_ + i);
  endResetModel();
}

void LogModel::setFilter(int lowest_level, const QString& text) {
  level_ = lowest_level;
  words_ = text;
  refilter();
}

void LogModel::clear() {
  first_ += lines_.size();
  lines_.clear();
  refilter();
}

QString LogModel::lineText(const Line& line) const {
  static const char* const names[] = {"debug", "info", "warning", "error"};
  const QString who = line.run ? QString("run %1  ").arg(line.run) : QString();
  return line.at.toString("HH:mm:ss.zzz") + "  " +
         QString(names[std::clamp(line.level, 0, 3)]).leftJustified(7) + "  " + who + line.text;
}

QString LogModel::allText() const {
  QStringList out;
  for (std::size_t serial : shown_) out << lineText(lines_[serial - first_]);
  return out.join('\n');
}

int LogModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(shown_.size());
}

QVariant LogModel::data(const QModelIndex& at, int role) const {
  if (!at.isValid() || at.row() >= int(shown_.size())) return {};
  const Line& line = lines_[shown_[std::size_t(at.row())] - first_];
  if (role == Qt::DisplayRole) return lineText(line);
  if (role == Qt::ToolTipRole) return line.text;
  if (role == LevelRole) return line.level;
  return {};
}

}  // namespace ui
