#pragma once
/// The list of runs with its filter: choose one to see it, tick several to compare them.

#include <QTimer>
#include <QWidget>
#include <set>

#include "ui/engine_bridge.h"

class QLabel;
class QLineEdit;
class QListView;
class QMenu;
class QToolButton;

namespace ui {

class RunFilter;
class RunListModel;

class RunPanel : public QWidget {
  Q_OBJECT

 public:
  explicit RunPanel(EngineBridge* bridge, QWidget* parent = nullptr);
  RunListModel* model() const { return model_; }
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
  void removeCurrent();

 Q_SIGNALS:
  void chosen(qint64 run);
  void ticked();

 private:
  void refresh();
  void readResults();
  void showMenu(const QPoint& at);
  void applyFilter();
  void fillGroupMenu();
  EngineBridge* bridge_;
  RunListModel* model_;
  RunFilter* filter_;
  QTimer reading_;
  std::set<engine::RunId> unreadable_;  ///< said once; not read again
  QLineEdit* words_;
  QListView* view_;
  QLabel* empty_;
  QLabel* problem_;
  QToolButton* group_;
  QMenu* group_menu_;
};

}  // namespace ui
