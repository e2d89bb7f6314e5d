#pragma once
/// A run of the list in two lines: tick, name, result; state and difference beneath, and a star at the end. Running ones
/// carry a thin progress line; the first of a group has the group's name above it.

#include <QStyledItemDelegate>

namespace ui {

class RunDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  /// The places that a click turns on and off, in the run's own rectangle: below its group's name.
  static QRect tick(const QRect& row);
  static QRect star(const QRect& row);

  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
  void paint(QPainter* p, const QStyleOptionViewItem& whole, const QModelIndex& index) const override;
  bool editorEvent(QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option,
                   const QModelIndex& index) override;
  bool helpEvent(QHelpEvent* event, QAbstractItemView* view, const QStyleOptionViewItem& option,
                 const QModelIndex& index) override;
};

}  // namespace ui
