#include "ui/queue_panel.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme.h"

namespace ui {

QueuePanel::QueuePanel(EngineBridge* bridge, QWidget* parent)
    : QWidget(parent), bridge_(bridge), list_(new QListWidget), now_(new QLabel) {
  list_->setAccessibleName("Queue");
  list_->setProperty("role", "plain");
  list_->setDragDropMode(QAbstractItemView::InternalMove);
  list_->setDefaultDropAction(Qt::MoveAction);
  list_->setWhatsThis(
      "Runs that wait, the next one first. Drag to order, or Alt and an arrow key; Delete takes "
      "one "
      "out.");
  list_->installEventFilter(this);
  now_->setProperty("role", "secondary");
  useFont(now_, TextRole::secondary);
  now_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  hold_ = new QPushButton;
  go_on_ = new QCheckBox("Go on after a failed run");
  go_on_->setChecked(true);
  go_on_->setToolTip("Off: a run that fails holds the queue until you let it go on");
  auto button = [](const QString& icon, const QString& text) {
    auto* b = new QToolButton;
    b->setProperty("role", "flat");
    b->setIcon(lineIcon(icon));
    b->setToolTip(text);
    b->setAccessibleName(text);
    return b;
  };
  up_ = button("up", "Earlier (Alt+Up)");
  down_ = button("down", "Later (Alt+Down)");
  remove_ = button("close", "Take out of the queue (Delete)");
  auto* head = new QHBoxLayout;
  head->setContentsMargins(16, 4, 12, 0);
  head->setSpacing(8);
  head->addWidget(now_, 1);
  head->addWidget(go_on_);
  head->addWidget(up_);
  head->addWidget(down_);
  head->addWidget(remove_);
  head->addWidget(hold_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(4);
  layout->addLayout(head);
  layout->addWidget(list_, 1);
  connect(hold_, &QPushButton::clicked, this, &QueuePanel::holdOrGoOn);
  connect(go_on_, &QCheckBox::toggled, this, [this](bool on) { bridge_->holdQueueOnFailure(!on); });
  connect(up_, &QToolButton::clicked, this, [this] { moveCurrent(-1); });
  connect(down_, &QToolButton::clicked, this, [this] { moveCurrent(1); });
  connect(remove_, &QToolButton::clicked, this, &QueuePanel::removeCurrent);
  connect(list_, &QListWidget::currentRowChanged, this, &QueuePanel::buttons);
  // The model tells of a drop before the row has left its old place; what stands is read after it.
  connect(
      list_->model(), &QAbstractItemModel::rowsMoved, this,
      [this] {
        std::vector<engine::RunId> order;
        for (int i = 0; i < list_->count(); ++i)
          order.push_back(list_->item(i)->data(Qt::UserRole).toLongLong());
        for (std::size_t i = 0; i < order.size(); ++i) bridge_->moveInQueue(order[i], i);
      },
      Qt::QueuedConnection);
  connect(bridge_, &EngineBridge::runsChanged, this, &QueuePanel::refresh);
  connect(bridge_, &EngineBridge::queueChanged, this, &QueuePanel::refresh);
  refresh();
}

bool QueuePanel::goesOnAfterFailure() const { return go_on_->isChecked(); }
void QueuePanel::setGoesOnAfterFailure(bool on) { go_on_->setChecked(on); }

engine::RunId QueuePanel::currentRun() const {
  const QListWidgetItem* item = list_->currentItem();
  return item ? item->data(Qt::UserRole).toLongLong() : 0;
}

void QueuePanel::refresh() {
  const auto queue = bridge_->queue();
  const bool held = bridge_->queueHeld();
  hold_->setText(held ? "Let the queue go on" : "Hold the queue");
  hold_->setToolTip(held ? "Start the next run as soon as the engine is free"
                         : "No run of the queue begins; the one at work goes on");
  hold_->setEnabled(!bridge_->readOnly());
  go_on_->setEnabled(!bridge_->readOnly());
  const auto current = bridge_->current();
  const engine::RunInfo* info = current ? bridge_->run(*current) : nullptr;
  QString text =
      queue.empty()
          ? QString("Nothing waits.")
          : QString("%1 %2.").arg(queue.size()).arg(queue.size() == 1 ? "run waits" : "runs wait");
  if (held) text += " The queue is held.";
  if (info) text += " At work: " + QString::fromStdString(info->name) + ".";
  now_->setText(text);
  if (queue != shown_) {
    const engine::RunId before = currentRun();
    shown_ = queue;
    const QSignalBlocker quiet(list_);
    list_->clear();
    for (engine::RunId id : queue) {
      const engine::RunInfo* run = bridge_->run(id);
      auto* item = new QListWidgetItem(
          QString("%1  ·  run %2").arg(run ? QString::fromStdString(run->name) : "?").arg(id),
          list_);
      item->setData(Qt::UserRole, qint64(id));
      if (id == before) list_->setCurrentItem(item);
    }
  }
  buttons();
}

void QueuePanel::buttons() {
  const int at = list_->currentRow();
  const bool can = at >= 0 && !bridge_->readOnly();
  up_->setEnabled(can && at > 0);
  down_->setEnabled(can && at + 1 < list_->count());
  remove_->setEnabled(can);
}

void QueuePanel::moveCurrent(int by) {
  const int to = list_->currentRow() + by;
  if (currentRun() == 0 || to < 0 || to >= list_->count()) return;
  bridge_->moveInQueue(currentRun(), std::size_t(to));
}

void QueuePanel::removeCurrent() {
  if (const engine::RunId id = currentRun()) bridge_->stop(id);
}

void QueuePanel::removeAll() {
  for (engine::RunId id : bridge_->queue()) bridge_->stop(id);
}

void QueuePanel::holdOrGoOn() { bridge_->holdQueue(!bridge_->queueHeld()); }

bool QueuePanel::eventFilter(QObject* watched, QEvent* event) {
  if (watched == list_ && event->type() == QEvent::KeyPress) {
    const auto* key = static_cast<QKeyEvent*>(event);
    if (key->modifiers() == Qt::AltModifier &&
        (key->key() == Qt::Key_Up || key->key() == Qt::Key_Down)) {
      moveCurrent(key->key() == Qt::Key_Up ? -1 : 1);
      return true;
    }
    if (key->key() == Qt::Key_Delete) {
      removeCurrent();
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace ui
