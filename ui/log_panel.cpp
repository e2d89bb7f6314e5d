#include "ui/log_panel.h"

#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QListView>
#include <QPushButton>
#include <QScrollBar>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include "ui/models/log_model.h"
#include "ui/theme.h"

namespace ui {
namespace {

class LogDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
    QStyledItemDelegate::initStyleOption(option, index);
    const Colors& c = colorsOf(option->widget);
    const int level = index.data(LogModel::LevelRole).toInt();
    option->palette.setColor(QPalette::Text, level == 3   ? c.error
                                             : level == 2 ? c.warning
                                             : level == 0 ? c.secondary
                                                          : c.text);
  }
};

}  // namespace

LogPanel::LogPanel(LogModel* model, QWidget* parent) : QWidget(parent), model_(model) {
  auto* level = new QComboBox;
  level->setAccessibleName("Lowest level shown");
  level->addItems({"debug and above", "info and above", "warnings and errors", "errors"});
  level->setCurrentIndex(1);
  auto* words = new QLineEdit;
  words->setPlaceholderText("Filter lines…");
  words->setAccessibleName("Filter lines of the log");
  words->setClearButtonEnabled(true);
  auto* copy = new QPushButton(lineIcon("copy"), " Copy");
  auto* clear = new QPushButton("Clear");
  view_ = new QListView;
  view_->setModel(model);
  view_->setUniformItemSizes(true);
  useFont(view_, TextRole::monospace);
  view_->setItemDelegate(new LogDelegate(view_));
  view_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  view_->setAccessibleName("Log lines");
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  row->addWidget(level);
  row->addWidget(words, 1);
  row->addWidget(copy);
  row->addWidget(clear);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(12, 4, 12, 8);
  layout->setSpacing(6);
  layout->addLayout(row);
  layout->addWidget(view_, 1);
  auto filter = [this, level, words] { model_->setFilter(level->currentIndex(), words->text()); };
  connect(level, &QComboBox::currentIndexChanged, this, filter);
  connect(words, &QLineEdit::textChanged, this, filter);
  connect(copy, &QPushButton::clicked, this,
          [this] { QApplication::clipboard()->setText(model_->allText()); });
  connect(clear, &QPushButton::clicked, model_, &LogModel::clear);
  connect(view_->verticalScrollBar(), &QScrollBar::valueChanged, this,
          [this](int value) { follow_ = value >= view_->verticalScrollBar()->maximum() - 2; });
  connect(model_, &LogModel::rowsInserted, this, [this] {
    if (follow_) QMetaObject::invokeMethod(view_, &QListView::scrollToBottom, Qt::QueuedConnection);
  });
}

}  // namespace ui
