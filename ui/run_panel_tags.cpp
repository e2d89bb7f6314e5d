/// Starred and archived runs: tags of the run, so that `equipoise runs`, reports and exports carry them too.

#include <QListView>
#include <QToolButton>
#include <QUndoStack>
#include <algorithm>

#include "engine/tags.h"
#include "ui/models/run_list_model.h"
#include "ui/run_panel.h"
#include "ui/theme.h"

namespace ui {
namespace {

/// Puts one tag on some runs or takes it off; whatever else is changed about them meanwhile stays.
void setTag(EngineBridge* bridge, const std::vector<engine::RunId>& runs, std::string_view tag, bool on) {
  std::map<engine::RunId, std::string> tags;
  for (engine::RunId id : runs)
    if (const engine::RunInfo* info = bridge->run(id)) tags[id] = engine::with_tag(info->tags, tag, on);
  bridge->setTags(tags);
}

class ArchiveCommand : public QUndoCommand {
 public:
  ArchiveCommand(EngineBridge* bridge, std::vector<engine::RunId> runs, bool on)
      : QUndoCommand(QString(on ? "Archive %1" : "Unarchive %1")
                         .arg(runs.size() == 1 ? QString("1 run") : QString("%1 runs").arg(runs.size()))),
        bridge_(bridge),
        runs_(std::move(runs)),
        on_(on) {}
  void redo() override { setTag(bridge_, runs_, engine::k_archived_tag, on_); }
  void undo() override { setTag(bridge_, runs_, engine::k_archived_tag, !on_); }

 private:
  EngineBridge* bridge_;
  std::vector<engine::RunId> runs_;
  bool on_;
};

}  // namespace

bool RunPanel::allSelected(std::string_view tag) const {
  const auto runs = selectedRuns();
  return std::all_of(runs.begin(), runs.end(), [&](engine::RunId id) {
    const engine::RunInfo* info = bridge_->run(id);
    return info && engine::has_tag(info->tags, tag);
  });
}

void RunPanel::starSelected() {
  if (!shows_trash_ && !selectedRuns().empty())
    setTag(bridge_, selectedRuns(), engine::k_star_tag, !allSelected(engine::k_star_tag));
}

void RunPanel::star(engine::RunId id, bool on) { setTag(bridge_, {id}, engine::k_star_tag, on); }

void RunPanel::archiveSelected() {
  const auto runs = selectedRuns();
  if (shows_trash_ || runs.empty() || bridge_->readOnly()) return;
  undo_->push(new ArchiveCommand(bridge_, runs, !allSelected(engine::k_archived_tag)));
}

void RunPanel::showStarredOnly(bool on) {
  starred_only_ = on;
  showWanted();
}

void RunPanel::showArchived(bool on) {
  shows_archived_ = on;
  showWanted();
}

int RunPanel::archivedCount() const {
  const auto& runs = bridge_->runs();
  return int(std::count_if(runs.begin(), runs.end(), [](const engine::RunInfo& info) {
    return engine::has_tag(info.tags, engine::k_archived_tag);
  }));
}

/// The trash shows all that is in it.
void RunPanel::showWanted() {
  filter_->show(shows_archived_ || shows_trash_, starred_only_ && !shows_trash_);
  star_button_->setChecked(starred_only_);
  star_button_->setEnabled(!shows_trash_);
  refreshEmpty();
  refreshFooter();
}

QToolButton* RunPanel::buildStarButton() {
  star_button_ = new QToolButton;
  star_button_->setIcon(lineIcon("star"));
  star_button_->setCheckable(true);
  star_button_->setToolTip(
      "Starred runs only. A star (Ctrl+B, or a click at the end of a run's second line) is the tag “star” of the "
      "run: `equipoise runs` and exports have it too.");
  star_button_->setAccessibleName("Starred runs only");
  connect(star_button_, &QToolButton::clicked, this, &RunPanel::showStarredOnly);
  return star_button_;
}

QToolButton* RunPanel::buildArchivedButton() {
  archived_button_ = new QToolButton;
  archived_button_->setProperty("role", "flat");
  archived_button_->setIcon(lineIcon("archive"));
  archived_button_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  archived_button_->setCheckable(true);
  archived_button_->setAccessibleName("Show archived runs");
  archived_button_->setToolTip(
      "Archived runs in the list, or not. To archive (Ctrl+Shift+A) puts the tag “archived” on a run: it is kept "
      "whole, and `equipoise runs` and exports still have it.");
  useFont(archived_button_, TextRole::secondary);
  connect(archived_button_, &QToolButton::clicked, this, &RunPanel::showArchived);
  return archived_button_;
}

}  // namespace ui
