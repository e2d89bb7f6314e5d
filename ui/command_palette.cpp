#include "ui/command_palette.h"

#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QPainter>
#include <QStyledItemDelegate>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme.h"

namespace ui {
namespace {

class CommandDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  void paint(QPainter* painter, const QStyleOptionViewItem& option,
             const QModelIndex& index) const override {
    QStyledItemDelegate::paint(painter, option, index);
    const QString hint = index.data(Qt::UserRole + 1).toString();
    painter->save();
    painter->setFont(secondaryFont());
    painter->setPen(colorsOf(option.widget).secondary);
    painter->drawText(option.rect.adjusted(0, 0, -10, 0), Qt::AlignRight | Qt::AlignVCenter, hint);
    painter->restore();
  }
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override {
    return {100, option.fontMetrics.height() + 12};
  }
};

}  // namespace

CommandPalette::CommandPalette(std::vector<Command> commands, QWidget* parent)
    : QDialog(parent, Qt::Dialog | Qt::FramelessWindowHint), commands_(std::move(commands)) {
  setWindowTitle("Command palette");
  setAttribute(Qt::WA_DeleteOnClose);
  line_ = new QLineEdit;
  line_->setPlaceholderText("Type a command, a run or a preset");
  line_->setAccessibleName("Command");
  line_->installEventFilter(this);
  list_ = new QListWidget;
  list_->setAccessibleName("Commands");
  list_->setItemDelegate(new CommandDelegate(list_));
  list_->setFocusPolicy(Qt::NoFocus);
  list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->setSpacing(6);
  layout->addWidget(line_);
  layout->addWidget(list_);
  resize(560, 380);
  if (parent) move(parent->mapToGlobal(QPoint((parent->width() - 560) / 2, 60)));
  connect(line_, &QLineEdit::textChanged, this, &CommandPalette::setFilter);
  connect(list_, &QListWidget::itemClicked, this, &CommandPalette::choose);
  setFilter({});
}

void CommandPalette::setFilter(const QString& text) {
  const QStringList words = text.split(' ', Qt::SkipEmptyParts);
  list_->clear();
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    const Command& c = commands_[i];
    if (!std::all_of(words.begin(), words.end(), [&](const QString& w) {
          return c.text.contains(w, Qt::CaseInsensitive) || c.hint.contains(w, Qt::CaseInsensitive);
        }))
      continue;
    auto* item = new QListWidgetItem(c.text, list_);
    item->setData(Qt::UserRole, int(i));
    item->setData(Qt::UserRole + 1, c.hint);
    if (!c.enabled) item->setFlags(Qt::NoItemFlags);
  }
  list_->setCurrentRow(0);
}

int CommandPalette::shown() const { return list_->count(); }

void CommandPalette::choose() {
  QListWidgetItem* item = list_->currentItem();
  if (!item || !(item->flags() & Qt::ItemIsEnabled)) return;
  const auto run = commands_[std::size_t(item->data(Qt::UserRole).toInt())].run;
  close();
  if (run) run();
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
  if (watched == line_ && event->type() == QEvent::KeyPress) {
    const int key = static_cast<QKeyEvent*>(event)->key();
    if (key == Qt::Key_Down || key == Qt::Key_Up) {
      const int next = list_->currentRow() + (key == Qt::Key_Down ? 1 : -1);
      list_->setCurrentRow(std::clamp(next, 0, std::max(0, list_->count() - 1)));
      return true;
    }
    if (key == Qt::Key_Return || key == Qt::Key_Enter) {
      choose();
      return true;
    }
  }
  return QDialog::eventFilter(watched, event);
}

}  // namespace ui
