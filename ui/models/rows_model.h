#pragma once
/// A plain table of texts: titles, alignment, a sort key and a tooltip a cell. Filled whole or from
/// behind; asks for more rows where there are more.

#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <vector>

namespace ui {

struct Column {
  QString title;
  bool number = false;  ///< right-aligned, tabular figures
  QString tip{};
  bool monospace = false;
};

struct Cell {
  enum class Mark { none, good, warning, error, secondary, strong };
  QString text{};
  QVariant sort{};  ///< empty: the text
  QString tip{};    ///< empty: none
  Mark mark = Mark::none;
};

class RowsModel : public QAbstractTableModel {
  Q_OBJECT

 public:
  enum Role { SortRole = Qt::UserRole };

  using QAbstractTableModel::QAbstractTableModel;
  void setColumns(std::vector<Column> columns);
  void setRows(std::vector<std::vector<Cell>> rows, bool more = false);
  void addRows(std::vector<std::vector<Cell>> rows, bool more);
  const Cell& cell(int row, int column) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  bool canFetchMore(const QModelIndex& parent) const override;
  void fetchMore(const QModelIndex& parent) override;

 Q_SIGNALS:
  void moreWanted();

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  bool more_ = false;
};

/// Rows in which every word occurs somewhere; sorted by the cells' keys.
class RowsFilter : public QSortFilterProxyModel {
  Q_OBJECT

 public:
  explicit RowsFilter(RowsModel* model, QObject* parent = nullptr);
  void setWords(const QString& words);

 protected:
  bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

 private:
  QStringList words_;
};

}  // namespace ui
