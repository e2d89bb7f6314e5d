#include "ui/waiting_line.h"

#include <QElapsedTimer>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QTimer>
#include <QToolButton>
#include <algorithm>

#include "engine/tags.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_turn_ms = 20;  ///< for what is queued again before the window goes on

/// The last that is known of it is that it was queued: it never began, or never went on.
bool waited(const engine::RunReader& reader, const engine::RunInfo& info) {
  if (info.state != engine::RunState::interrupted || engine::has_tag(info.tags, engine::k_archived_tag))
    return false;
  const auto last = reader.events_after(info.id, info.last_seq - 1);
  return !last.empty() && std::holds_alternative<engine::RunQueued>(last.back().body);
}

}  // namespace

WaitingLine::WaitingLine(EngineBridge* bridge, QWidget* parent)
    : QFrame(parent), bridge_(bridge), text_(new QLabel) {
  setObjectName("waiting runs");
  setProperty("role", "banner");
  setProperty("level", "note");
  auto* start = new QPushButton("Start");
  start->setToolTip("Let the queue go on (Ctrl+Shift+H)");
  start->setAccessibleName("Start the runs that were waiting");
  auto* remove = new QPushButton("Remove");
  remove->setToolTip("Take them out of the queue; each can be resumed later");
  remove->setAccessibleName("Remove the runs that were waiting from the queue");
  auto* close = new QToolButton;
  close->setProperty("role", "flat");
  close->setIcon(lineIcon("close"));
  close->setToolTip("Dismiss; they stay in the queue, held");
  close->setAccessibleName("Dismiss the line");
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(16, 4, 8, 4);
  row->setSpacing(8);
  row->addWidget(text_, 1);
  row->addWidget(start);
  row->addWidget(remove);
  row->addWidget(close);
  hide();
  connect(start, &QPushButton::clicked, this, &WaitingLine::start);
  connect(remove, &QPushButton::clicked, this, &WaitingLine::remove);
  connect(close, &QToolButton::clicked, this, &QWidget::hide);
  connect(bridge_, &EngineBridge::queueChanged, this, &WaitingLine::sync);
  connect(bridge_, &EngineBridge::runsChanged, this, &WaitingLine::sync);
}

void WaitingLine::bringBack(const std::vector<engine::RunId>& order) {
  if (bridge_->readOnly()) return;
  std::vector<engine::RunId> found;
  try {
    const engine::RunReader reader(bridge_->store());
    for (const engine::RunInfo& info : bridge_->runs())
      if (waited(reader, info)) found.push_back(info.id);
  } catch (const engine::StoreError&) {
    return;  // the window tells of a store that cannot be read
  }
  if (found.empty()) return;
  const auto place = [&](engine::RunId id) {
    return std::pair(std::find(order.begin(), order.end(), id) - order.begin(), id);
  };
  std::sort(found.begin(), found.end(), [&](auto a, auto b) { return place(a) < place(b); });
  text_->setText(found.size() == 1
                     ? QString("1 run was waiting. It is in the queue again, which is held.")
                     : QString("%1 runs were waiting. They are in the queue again, which is held.").arg(found.size()));
  coming_.assign(found.begin(), found.end());
  back_ = std::move(found);
  show();
  bridge_->holdQueue(true);
  queueSome(k_turn_ms);
}

/// Each is written to disk.
void WaitingLine::queueSome(int turn_ms) {
  QElapsedTimer turn;
  turn.start();
  if (bridge_->readOnly()) coming_.clear();  // the session has ended meanwhile
  while (!coming_.empty() && (turn_ms == 0 || turn.elapsed() < turn_ms)) {
    const engine::RunId id = coming_.front();
    coming_.pop_front();
    bridge_->resume(id);
  }
  if (!coming_.empty())
    QTimer::singleShot(0, this, [this] { queueSome(k_turn_ms); });
  else if (waiting().empty())
    remove();  // none of them could be queued, which was told
}

std::vector<engine::RunId> WaitingLine::waiting() const {
  std::vector<engine::RunId> out;
  for (engine::RunId id : bridge_->queue())
    if (std::find(back_.begin(), back_.end(), id) != back_.end()) out.push_back(id);
  return out;
}

void WaitingLine::start() { bridge_->holdQueue(false); }

void WaitingLine::remove() {
  if (!coming_.empty()) queueSome(0);
  const bool alone = waiting().size() == bridge_->queue().size();
  for (engine::RunId id : waiting()) bridge_->stop(id);
  if (alone) bridge_->holdQueue(false);
  sync();
}

void WaitingLine::sync() {
  if (!isHidden() && coming_.empty() && (!bridge_->queueHeld() || waiting().empty())) hide();
}

}  // namespace ui
