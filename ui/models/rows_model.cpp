#include "ui/models/rows_model.h"

#include <QApplication>
#include <algorithm>

#include "ui/theme.h"

namespace ui {

void RowsModel::setColumns(std::vector<Column> columns) {
  beginResetModel();
  columns_ = std::move(columns);
  rows_.clear();
  more_ = false;
  endResetModel();
}

void RowsModel::setRows(std::vector<std::vector<Cell>> rows, bool more) {
  beginResetModel();
  rows_ = std::move(rows);
  more_ = more;
  endResetModel();
}

void RowsModel::addRows(std::vector<std::vector<Cell>> rows, bool more) {
  more_ = more;
  if (rows.empty()) return;
  const int first = int(rows_.size());
  beginInsertRows({}, first, first + int(rows.size()) - 1);
  std::move(rows.begin(), rows.end(), std::back_inserter(rows_));
  endInsertRows();
}

const Cell& RowsModel::cell(int row, int column) const {
  static const Cell empty;
  if (row < 0 || row >= int(rows_.size())) return empty;
  const auto& cells = rows_[std::size_t(row)];
  return column >= 0 && column < int(cells.size()) ? cells[std::size_t(column)] : empty;
}

int RowsModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(rows_.size());
}

int RowsModel::columnCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : int(columns_.size());
}

QVariant RowsModel::data(const QModelIndex& index, int role) const {
  if (!checkIndex(index, CheckIndexOption::IndexIsValid | CheckIndexOption::ParentIsInvalid))
    return {};
  const Cell& c = cell(index.row(), index.column());
  const Column& column = columns_[std::size_t(index.column())];
  switch (role) {
    case Qt::DisplayRole:
      return c.text;
    case SortRole:
      return c.sort.isValid() ? c.sort : QVariant(c.text);
    case Qt::ToolTipRole:
      return c.tip.isEmpty() ? QVariant() : QVariant(c.tip);
    case Qt::TextAlignmentRole:
      return int((column.number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
    case Qt::ForegroundRole: {
      const Colors& colors = colorsFor(schemeOf(QApplication::palette()));
      switch (c.mark) {
        case Cell::Mark::good:
          return colors.good;
        case Cell::Mark::warning:
          return colors.warning;
        case Cell::Mark::error:
          return colors.error;
        case Cell::Mark::secondary:
          return colors.secondary;
        default:
          return {};
      }
    }
    case Qt::FontRole: {
      if (!column.monospace && c.mark != Cell::Mark::strong) return {};
      QFont font = column.monospace ? monospaceFont() : QApplication::font();
      if (c.mark == Cell::Mark::strong) font.setWeight(QFont::DemiBold);
      return font;
    }
    default:
      return {};
  }
}

QVariant RowsModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal || section < 0 || section >= int(columns_.size())) return {};
  const Column& column = columns_[std::size_t(section)];
  if (role == Qt::DisplayRole) return column.title;
  if (role == Qt::ToolTipRole && !column.tip.isEmpty()) return column.tip;
  if (role == Qt::TextAlignmentRole)
    return int((column.number ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter);
  return {};
}

bool RowsModel::canFetchMore(const QModelIndex& parent) const { return !parent.isValid() && more_; }

/// One wish at a time; the answer says whether there is still more.
void RowsModel::fetchMore(const QModelIndex& parent) {
  if (!canFetchMore(parent)) return;
  more_ = false;
  Q_EMIT moreWanted();
}

RowsFilter::RowsFilter(RowsModel* model, QObject* parent) : QSortFilterProxyModel(parent) {
  setSourceModel(model);
  setSortRole(RowsModel::SortRole);
  setSortCaseSensitivity(Qt::CaseInsensitive);
}

void RowsFilter::setWords(const QString& words) {
  words_ = words.split(' ', Qt::SkipEmptyParts);
  invalidateFilter();
}

bool RowsFilter::filterAcceptsRow(int row, const QModelIndex& parent) const {
  return std::all_of(words_.begin(), words_.end(), [&](const QString& word) {
    for (int column = 0; column < sourceModel()->columnCount(parent); ++column)
      if (sourceModel()->index(row, column, parent).data().toString().contains(word, Qt::CaseInsensitive))
        return true;
    return false;
  });
}

}  // namespace ui
