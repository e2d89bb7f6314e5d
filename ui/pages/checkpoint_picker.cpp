#include "ui/pages/checkpoint_picker.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QSignalBlocker>
#include <filesystem>
#include <set>

#include "ui/engine_bridge.h"

namespace ui {
namespace {

constexpr int k_step_role = Qt::UserRole + 1;

QString text(const std::string& s) { return QString::fromStdString(s); }

struct Entry {
  QString title;
  QVariant data, step;
};

bool shows(const QComboBox* box, const std::vector<Entry>& entries) {
  if (box->count() != int(entries.size())) return false;
  for (int i = 0; i < box->count(); ++i) {
    const Entry& e = entries[std::size_t(i)];
    if (box->itemText(i) != e.title || box->itemData(i) != e.data || box->itemData(i, k_step_role) != e.step) return false;
  }
  return true;
}

void fill(QComboBox* box, const std::vector<Entry>& entries) {
  box->clear();
  for (const Entry& e : entries) {
    box->addItem(e.title, e.data);
    box->setItemData(box->count() - 1, e.step, k_step_role);
  }
}

}  // namespace

CheckpointPicker::CheckpointPicker(EngineBridge* bridge, const QString& purpose, QWidget* parent)
    : QWidget(parent), bridge_(bridge), runs_(new QComboBox), checkpoints_(new QComboBox) {
  runs_->setAccessibleName("Run " + purpose);
  runs_->setToolTip("Run " + purpose);
  runs_->setMinimumContentsLength(12);
  runs_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  checkpoints_->setAccessibleName("Checkpoint " + purpose);
  checkpoints_->setToolTip("Checkpoint " + purpose + ": those that are still on the disk");
  checkpoints_->setMinimumContentsLength(16);
  checkpoints_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  row->addWidget(runs_, 3);
  row->addWidget(checkpoints_, 2);
  connect(runs_, &QComboBox::currentIndexChanged, this, [this] {
    fillCheckpoints();
    Q_EMIT changed();
  });
  connect(checkpoints_, &QComboBox::currentIndexChanged, this, &CheckpointPicker::changed);
  connect(bridge_, &EngineBridge::runsChanged, this, &CheckpointPicker::fillRuns);
  fillRuns();
  fillCheckpoints();
}

qint64 CheckpointPicker::run() const { return runs_->currentData().toLongLong(); }

std::string CheckpointPicker::checkpoint() const { return checkpoints_->currentData().toString().toStdString(); }

std::optional<qint64> CheckpointPicker::step() const {
  const QVariant step = checkpoints_->currentData(k_step_role);
  return step.isValid() ? std::optional(step.toLongLong()) : std::nullopt;
}

QString CheckpointPicker::label() const {
  const auto at = step();
  return at ? QString("%1, step %2").arg(runs_->currentText()).arg(*at) : runs_->currentText();
}

void CheckpointPicker::setRun(qint64 id) {
  const int at = runs_->findData(id);
  if (at >= 0) runs_->setCurrentIndex(at);
}

void CheckpointPicker::fillRuns() {
  const qint64 before = run();
  std::vector<Entry> entries;
  for (const auto& info : bridge_->runs())
    entries.push_back({QString("%1  (run %2)").arg(text(info.name)).arg(qint64(info.id)), qint64(info.id), {}});
  entries.push_back({"builtin:tiny, the conversion's start", qint64(0), {}});
  // An open list keeps its place while nothing changes.
  if (!shows(runs_, entries)) {
    const QSignalBlocker quiet(runs_);
    fill(runs_, entries);
    const int at = runs_->findData(before);
    runs_->setCurrentIndex(at >= 0 ? at : runs_->count() - 1);
  }
  fillCheckpoints();
  if (run() != before) Q_EMIT changed();
}

/// The newest first, then each folder once: one that is written again and again holds what its newest record says.
void CheckpointPicker::fillCheckpoints() {
  std::vector<Entry> entries;
  std::set<std::string> seen;
  const auto all = run() > 0 ? bridge_->checkpoints(run()) : std::vector<engine::StoredCheckpoint>{};
  for (auto c = all.rbegin(); c != all.rend(); ++c) {
    if (!std::filesystem::exists(c->path) || !seen.insert(c->path).second) continue;
    const QString at = QString("step %1, %2").arg(c->step).arg(text(c->kind));
    if (entries.empty()) entries.push_back({"newest: step " + QString::number(c->step), text(c->path), qint64(c->step)});
    entries.push_back({at, text(c->path), qint64(c->step)});
  }
  if (entries.empty()) entries.push_back({"no checkpoint yet", QString(), {}});
  checkpoints_->setVisible(run() > 0);
  checkpoints_->setEnabled(entries.size() > 1);
  if (shows(checkpoints_, entries)) return;
  const QSignalBlocker quiet(checkpoints_);
  const bool newest = checkpoints_->currentIndex() <= 0;
  const QVariant before = checkpoints_->currentData();
  fill(checkpoints_, entries);
  checkpoints_->setCurrentIndex(newest ? 0 : std::max(0, checkpoints_->findData(before)));
}

}  // namespace ui
