/// The trash of the run list: deleting and restoring are undone like any change; only emptying it is for good.

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMessageBox>
#include <QPushButton>
#include <QToolButton>
#include <QUndoStack>

#include "ui/models/inspect_tables.h"
#include "ui/models/run_list_model.h"
#include "ui/run_panel.h"
#include "ui/theme.h"

namespace ui {
namespace {

QString countText(std::size_t count) {
  return count == 1 ? QString("1 run") : QString("%1 runs").arg(count);
}

/// Runs into the trash, or out of it.
class TrashCommand : public QUndoCommand {
 public:
  TrashCommand(EngineBridge* bridge, std::vector<engine::RunId> runs, bool into)
      : QUndoCommand((into ? "Delete " : "Restore ") + countText(runs.size())),
        bridge_(bridge),
        runs_(std::move(runs)),
        into_(into) {}
  void redo() override { move(into_); }
  void undo() override { move(!into_); }

 private:
  void move(bool into) {
    if (!(into ? bridge_->trashRuns(runs_) : bridge_->restoreRuns(runs_))) setObsolete(true);
  }
  EngineBridge* bridge_;
  std::vector<engine::RunId> runs_;
  bool into_;
};

}  // namespace

QWidget* RunPanel::buildFooter() {
  auto button = [](const QString& text, const QString& tip) {
    auto* b = new QPushButton(text);
    b->setProperty("role", "quiet");
    b->setToolTip(tip);
    useFont(b, TextRole::secondary);
    return b;
  };
  trash_button_ = new QToolButton;
  trash_button_->setProperty("role", "flat");
  trash_button_->setIcon(lineIcon("trash"));
  trash_button_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  trash_button_->setCheckable(true);
  trash_button_->setAccessibleName("Show the trash");
  trash_button_->setToolTip("Deleted runs, until they are restored or the trash is emptied");
  useFont(trash_button_, TextRole::secondary);
  undo_button_ = button("Undo", "Bring back what was deleted last (Ctrl+Z)");
  undo_button_->setObjectName("undo delete");
  restore_button_ = button("Restore", "The selected runs come back as they were");
  empty_button_ = button("Empty…", "Delete every run in the trash for good");
  footer_ = new QWidget;
  auto* row = new QHBoxLayout(footer_);
  row->setContentsMargins(8, 0, 8, 8);
  row->setSpacing(4);
  row->addWidget(trash_button_);
  row->addWidget(buildArchivedButton());
  row->addStretch();
  for (QWidget* one : {undo_button_, restore_button_, empty_button_}) row->addWidget(one);
  connect(trash_button_, &QToolButton::clicked, this, &RunPanel::showTrash);
  connect(undo_button_, &QPushButton::clicked, undo_, &QUndoStack::undo);
  connect(restore_button_, &QPushButton::clicked, this, &RunPanel::restoreSelected);
  connect(empty_button_, &QPushButton::clicked, this, &RunPanel::emptyTrash);
  connect(undo_, &QUndoStack::indexChanged, this, &RunPanel::refreshFooter);
  return footer_;
}

void RunPanel::refreshFooter() {
  const std::size_t count = bridge_->trash().size();
  // Beside Restore and Empty there is no room for the word, which the filter's line then says.
  trash_button_->setText(shows_trash_ ? QString(" %1").arg(count)
                         : count > 0  ? QString(" Trash  %1").arg(count)
                                      : " Trash");
  trash_button_->setChecked(shows_trash_);
  const int archived = archivedCount();
  archived_button_->setText(QString(" %1").arg(archived));
  archived_button_->setChecked(shows_archived_);
  archived_button_->setVisible(!shows_trash_ && archived > 0);
  undo_button_->setVisible(!shows_trash_ && undo_->canUndo());
  undo_button_->setToolTip(undo_->undoText() + ": take it back (Ctrl+Z)");
  restore_button_->setVisible(shows_trash_ && count > 0);
  empty_button_->setVisible(shows_trash_ && count > 0);
  for (QWidget* one : {undo_button_, restore_button_, empty_button_})
    one->setEnabled(!bridge_->readOnly());
  footer_->setVisible(count > 0 || archived > 0 || shows_trash_ || undo_->canUndo());
}

void RunPanel::refreshEmpty() {
  const bool any = filter_->rowCount() > 0;
  view_->setVisible(any);
  empty_->setVisible(!any);
  if (any) return;
  QString text = shows_trash_ ? "The trash is empty.\nRuns that you delete wait here."
                              : "No runs yet.\nCompose one and press Run.";
  if (shown()->rowCount() > 0) {
    const bool starred = starred_only_ && !shows_trash_, filtered = !words_->text().isEmpty();
    text = filtered ? QString("No %1run passes the filter.").arg(starred ? "starred " : "")
                    : starred ? "No run has a star." : "Every run is archived.";
    if (const int hidden = shows_archived_ || shows_trash_ ? 0 : archivedCount(); hidden > 0 && (filtered || starred))
      text += QString("\n%1 archived %2 not shown.").arg(hidden).arg(hidden == 1 ? "run is" : "runs are");
  }
  empty_->setText(text);
}

void RunPanel::showTrash(bool on) {
  if (on != shows_trash_) {
    shows_trash_ = on;
    filter_->setSourceModel(shown());
    filter_->regroup();
    view_->setAccessibleName(on ? "Runs in the trash" : "Runs");
    words_->setPlaceholderText(on ? "Filter trash…" : "Filter runs…");
    showWanted();
    readResults();
  }
  refreshFooter();
}

std::vector<engine::RunId> RunPanel::selectedRuns() const {
  std::vector<engine::RunId> out;
  for (const QModelIndex& at : view_->selectionModel()->selectedRows())
    out.push_back(at.data(RunListModel::IdRole).toLongLong());
  return out;
}

void RunPanel::deleteSelected() {
  const auto runs = selectedRuns();
  if (runs.empty()) return;
  if (shows_trash_)
    askPurge(runs);
  else
    undo_->push(new TrashCommand(bridge_, runs, true));
}

void RunPanel::restoreSelected() {
  const auto runs = selectedRuns();
  if (shows_trash_ && !runs.empty()) undo_->push(new TrashCommand(bridge_, runs, false));
}

void RunPanel::emptyTrash() {
  std::vector<engine::RunId> runs;
  for (const engine::RunInfo& info : bridge_->trash()) runs.push_back(info.id);
  if (!runs.empty()) askPurge(runs);
}

/// The one question of the list: what it asks about cannot be undone.
void RunPanel::askPurge(const std::vector<engine::RunId>& runs) {
  std::int64_t bytes = 0;
  for (engine::RunId id : runs)
    for (const auto& checkpoint : bridge_->checkpoints(id)) bytes += checkpoint.bytes;
  auto* box = new QMessageBox(QMessageBox::NoIcon, "Delete for good",
                              QString("Delete %1 for good?").arg(countText(runs.size())),
                              QMessageBox::NoButton, this);
  box->setObjectName("purge question");
  box->setAttribute(Qt::WA_DeleteOnClose);
  box->setInformativeText(
      (bytes > 0 ? "Every point and " + bytesText(std::uint64_t(bytes)) + " of checkpoints go."
                 : QString("Every point goes.")) +
      " This cannot be undone.");
  QPushButton* go = box->addButton("Delete for good", QMessageBox::DestructiveRole);
  box->setDefaultButton(box->addButton("Cancel", QMessageBox::RejectRole));
  connect(go, &QPushButton::clicked, this, [this, runs] {
    undo_->clear();  // what is gone cannot come back
    bridge_->purge(runs);
  });
  box->open();
}

void RunPanel::showTrashMenu(const QPoint& at) {
  if (selectedRuns().empty()) return;
  QMenu menu(this);
  menu.addAction(lineIcon("undo"), "Restore", this, &RunPanel::restoreSelected)
      ->setEnabled(!bridge_->readOnly());
  menu.addAction(lineIcon("trash"), "Delete for good…", this, &RunPanel::deleteSelected)
      ->setEnabled(!bridge_->readOnly());
  menu.exec(view_->viewport()->mapToGlobal(at));
}

bool RunPanel::eventFilter(QObject* watched, QEvent* event) {
  if (watched == view_ && event->type() == QEvent::KeyPress &&
      static_cast<QKeyEvent*>(event)->key() == Qt::Key_Delete) {
    deleteSelected();
    return true;
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace ui
