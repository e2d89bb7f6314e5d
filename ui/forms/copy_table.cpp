#include "ui/forms/copy_table.h"

#include <QApplication>
#include <QClipboard>
#include <QContextMenuEvent>
#include <QHeaderView>
#include <QMenu>
#include <algorithm>

#include "ui/theme.h"

namespace ui {

CopyTable::CopyTable(RowsModel* model, const QString& name, QWidget* parent)
    : QTableView(parent), model_(model), filter_(new RowsFilter(model, this)) {
  setModel(filter_);
  setAccessibleName(name);
  setFrameShape(QFrame::NoFrame);
  setSelectionBehavior(QAbstractItemView::SelectRows);
  setSelectionMode(QAbstractItemView::ExtendedSelection);
  setEditTriggers(QAbstractItemView::NoEditTriggers);
  setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  setTabKeyNavigation(false);
  setWordWrap(false);
  setShowGrid(false);
  setCornerButtonEnabled(false);
  setSortingEnabled(true);
  sortByColumn(-1, Qt::AscendingOrder);
  verticalHeader()->hide();
  horizontalHeader()->setHighlightSections(false);
  horizontalHeader()->setSortIndicatorClearable(true);
  horizontalHeader()->setResizeContentsPrecision(200);
  fitRows();
}

void CopyTable::fitRows() {
  verticalHeader()->setDefaultSectionSize(QFontMetrics(QApplication::font()).height() + 10);
}

void CopyTable::fitColumns() {
  const int most = 60 * fontMetrics().averageCharWidth();
  for (int c = 0; c < filter_->columnCount(); ++c) {
    if (c == elastic_) continue;
    resizeColumnToContents(c);
    if (columnWidth(c) > most) setColumnWidth(c, most);
  }
  stretchElastic();
}

void CopyTable::setElasticColumn(int column) { elastic_ = column; }

void CopyTable::stretchElastic() {
  if (elastic_ < 0 || elastic_ >= filter_->columnCount()) return;
  int left = viewport()->width();
  for (int c = 0; c < filter_->columnCount(); ++c) left -= c == elastic_ ? 0 : columnWidth(c);
  setColumnWidth(elastic_, std::max(12 * fontMetrics().averageCharWidth(), left));
}

void CopyTable::resizeEvent(QResizeEvent* event) {
  QTableView::resizeEvent(event);
  stretchElastic();
}

bool CopyTable::event(QEvent* event) {
  if (changesLook(event)) {
    fitRows();
    fitColumns();
  }
  return QTableView::event(event);
}

int CopyTable::currentRow() const {
  const QModelIndex at = filter_->mapToSource(currentIndex());
  return at.isValid() ? at.row() : -1;
}

void CopyTable::chooseRow(int row) {
  const QModelIndex at = filter_->mapFromSource(model_->index(row, 0));
  if (!at.isValid()) return;
  setCurrentIndex(at);
  scrollTo(at);
}

void CopyTable::currentChanged(const QModelIndex& now, const QModelIndex& before) {
  QTableView::currentChanged(now, before);
  if (now.row() != before.row() || !now.isValid() || !before.isValid())
    Q_EMIT rowChosen(filter_->mapToSource(now).isValid() ? filter_->mapToSource(now).row() : -1);
}

QString CopyTable::selectedText() const {
  QModelIndexList chosen = selectionModel()->selectedRows();
  std::sort(chosen.begin(), chosen.end(),
            [](const QModelIndex& a, const QModelIndex& b) { return a.row() < b.row(); });
  const int columns = filter_->columnCount();
  QStringList lines;
  auto line = [&](auto text) {
    QStringList cells;
    for (int c = 0; c < columns; ++c)
      if (!isColumnHidden(c)) cells << QString(text(c)).replace('\t', ' ').replace('\n', ' ');
    lines << cells.join('\t');
  };
  if (chosen.size() > 1)
    line([&](int c) { return filter_->headerData(c, Qt::Horizontal, Qt::DisplayRole).toString(); });
  for (const QModelIndex& row : chosen)
    line([&](int c) { return row.siblingAtColumn(c).data().toString(); });
  return lines.join('\n');
}

void CopyTable::copy() {
  if (const QString text = selectedText(); !text.isEmpty()) QApplication::clipboard()->setText(text);
}

void CopyTable::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Copy)) return copy();
  QTableView::keyPressEvent(event);
}

void CopyTable::contextMenuEvent(QContextMenuEvent* event) {
  QMenu menu(this);
  menu.addAction(lineIcon("copy"), "Copy rows", QKeySequence::Copy, this, &CopyTable::copy)
      ->setEnabled(selectionModel()->hasSelection());
  menu.addAction("Choose all rows", QKeySequence::SelectAll, this, &QTableView::selectAll);
  menu.exec(event->globalPos());
}

}  // namespace ui
