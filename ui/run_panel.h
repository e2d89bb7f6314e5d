#pragma once
/// The list of runs with its filter: choose one to see it, tick several to compare them. Deleted runs go to the trash,
/// which the same list shows on demand, until they are restored or deleted for good. Archived ones are left out on demand.

#include <QTimer>
#include <QWidget>
#include <set>

#include "ui/engine_bridge.h"

class QLabel;
class QLineEdit;
class QListView;
class QMenu;
class QPushButton;
class QToolButton;
class QUndoStack;

namespace ui {

class RunFilter;
class RunListModel;

class RunPanel : public QWidget {
  Q_OBJECT

 public:
  explicit RunPanel(EngineBridge* bridge, QWidget* parent = nullptr);
  ~RunPanel() override;
  RunListModel* model() const { return model_; }  ///< without those in the trash
  QListView* view() const { return view_; }
  engine::RunId currentRun() const;
  void select(engine::RunId id);
  void focusFilter();
  void renameCurrent();
  void tagCurrent();
  void editCurrent();  ///< name, tags and notes together
  QString filterText() const;
  void setFilterText(const QString& text);
  QString grouping() const;
  void groupBy(const QString& key);
  std::vector<engine::RunId> selectedRuns() const;
  void deleteSelected();   ///< into the trash; in the trash, for good after a question
  void restoreSelected();  ///< of those in the trash
  void emptyTrash();       ///< for good, after a question
  void showTrash(bool on);
  void starSelected();     ///< or takes the star from them, where all have one
  void archiveSelected();  ///< or brings them back, where all are archived
  void showStarredOnly(bool on);
  void showArchived(bool on);
  bool starredOnly() const { return starred_only_; }
  bool showsArchived() const { return shows_archived_; }
  bool showsTrash() const { return shows_trash_; }
  QUndoStack* undoStack() const { return undo_; }  ///< deleting runs, restoring and archiving them

 Q_SIGNALS:
  void chosen(qint64 run);
  void ticked();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void refresh();
  void readResults();
  void showMenu(const QPoint& at);
  void showTrashMenu(const QPoint& at);
  QWidget* buildFooter();
  void refreshFooter();
  void refreshEmpty();
  QToolButton* buildStarButton();
  QToolButton* buildArchivedButton();
  void star(engine::RunId id, bool on);
  bool allSelected(std::string_view tag) const;
  void showWanted();
  int archivedCount() const;
  void askPurge(const std::vector<engine::RunId>& ids);
  RunListModel* shown() const { return shows_trash_ ? trashed_ : model_; }
  void applyFilter();
  void fillGroupMenu();
  EngineBridge* bridge_;
  RunListModel* model_;
  RunListModel* trashed_;
  QUndoStack* undo_;
  bool shows_trash_ = false, shows_archived_ = false, starred_only_ = false;
  RunFilter* filter_;
  QTimer reading_;
  std::set<engine::RunId> unreadable_;  ///< said once; not read again
  QLineEdit* words_;
  QListView* view_;
  QLabel* empty_;
  QLabel* problem_;
  QToolButton* group_;
  QMenu* group_menu_;
  QWidget* footer_ = nullptr;
  QToolButton* trash_button_ = nullptr;
  QToolButton* archived_button_ = nullptr;
  QToolButton* star_button_ = nullptr;
  QPushButton* undo_button_ = nullptr;
  QPushButton* restore_button_ = nullptr;
  QPushButton* empty_button_ = nullptr;
};

}  // namespace ui
