#pragma once
/// A read-only table over a RowsModel: sorted by its headers, filtered by words, copied as text
/// (Ctrl+C or the context menu).

#include <QTableView>

#include "ui/models/rows_model.h"

namespace ui {

class CopyTable : public QTableView {
  Q_OBJECT

 public:
  CopyTable(RowsModel* model, const QString& name, QWidget* parent = nullptr);
  RowsModel* rows() const { return model_; }
  RowsFilter* filter() const { return filter_; }
  int currentRow() const;      ///< row of the model behind the filter; −1: none
  void chooseRow(int row);     ///< of the model
  QString selectedText() const;  ///< tab-separated; the header first where several rows are chosen
  void copy();
  /// Columns as wide as their texts, within reason; the elastic one takes what they leave.
  void fitColumns();
  void setElasticColumn(int column);

 Q_SIGNALS:
  void rowChosen(int row);  ///< −1: none

 protected:
  void keyPressEvent(QKeyEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;
  void currentChanged(const QModelIndex& now, const QModelIndex& before) override;
  bool event(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void fitRows();
  void stretchElastic();
  RowsModel* model_;
  RowsFilter* filter_;
  int elastic_ = -1;
};

}  // namespace ui
