#pragma once
/// Parts that the looking pages share: the header row, cards, splitters, segments, scrolled content.

#include <QButtonGroup>
#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QEvent>
#include <QScrollArea>
#include <QScrollBar>
#include <QSplitter>
#include <QVBoxLayout>
#include <vector>

#include "ui/models/rows_model.h"
#include "ui/theme.h"

namespace ui {

inline QFrame* newCard() {
  auto* card = new QFrame;
  card->setProperty("role", "card");
  return card;
}

inline QSplitter* plainSplitter(Qt::Orientation orientation) {
  auto* splitter = new QSplitter(orientation);
  splitter->setHandleWidth(12);
  splitter->setChildrenCollapsible(false);
  return splitter;
}

/// Secondary words that come from files: never read as markup; wrapped.
inline QLabel* noteLabel() {
  auto* label = new QLabel;
  label->setTextFormat(Qt::PlainText);
  label->setWordWrap(true);
  label->setProperty("role", "secondary");
  useFont(label, TextRole::secondary);
  return label;
}

inline QLabel* partHeading(const QString& text) {
  auto* label = new QLabel(text);
  QFont font = label->font();
  font.setWeight(QFont::DemiBold);
  label->setFont(font);
  return label;
}

/// Title, fields that share the room, buttons at the right.
inline QWidget* pageHeader(const QString& title, const std::vector<QWidget*>& fields,
                           const std::vector<QWidget*>& buttons) {
  auto* header = new QWidget;
  auto* row = new QHBoxLayout(header);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(12);
  auto* label = new QLabel(title);
  useFont(label, TextRole::title);
  row->addWidget(label);
  row->addSpacing(4);
  for (QWidget* field : fields) row->addWidget(field, 1);
  for (QWidget* button : buttons) row->addWidget(button);
  return header;
}

/// Segment buttons at the left, other controls at the right.
inline QHBoxLayout* segmentRow(QButtonGroup* group, const QStringList& names,
                               const std::vector<QWidget*>& right) {
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  int id = 0;
  for (const QString& name : names) {
    auto* button = new QPushButton(name);
    button->setCheckable(true);
    button->setProperty("role", "segment");
    group->addButton(button, id++);
    row->addWidget(button);
  }
  group->button(0)->setChecked(true);
  row->addStretch();
  for (QWidget* one : right) row->addWidget(one);
  return row;
}

inline void clearLayout(QHBoxLayout* layout) {
  while (QLayoutItem* item = layout->takeAt(0)) {
    if (QWidget* w = item->widget()) {
      w->hide();
      w->deleteLater();
    }
    delete item;
  }
}

/// Never narrower than its content, so that it scrolls downwards only.
class TallScroll : public QScrollArea {
 public:
  QSize minimumSizeHint() const override {
    const QSize own = QScrollArea::minimumSizeHint();
    return {(widget() ? widget()->minimumSizeHint().width() : 0) + verticalScrollBar()->sizeHint().width() + 2, own.height()};
  }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override {
    if (watched == widget() && event->type() == QEvent::LayoutRequest) updateGeometry();
    return QScrollArea::eventFilter(watched, event);
  }
};

inline QScrollArea* scrolled(QWidget* content, const QString& name) {
  auto* scroll = new TallScroll;
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setAccessibleName(name);
  scroll->setWidget(content);
  return scroll;
}

inline RowsModel* newRows(QObject* parent, std::vector<Column> columns) {
  auto* rows = new RowsModel(parent);
  rows->setColumns(std::move(columns));
  return rows;
}

}  // namespace ui
