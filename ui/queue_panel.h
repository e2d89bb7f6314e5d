#pragma once
/// Runs that wait, the next one first: dragged or moved with Alt and an arrow, taken out with
/// Delete. The queue can be held, and a failed run may hold it.

#include <QWidget>

#include "ui/engine_bridge.h"

class QCheckBox;
class QLabel;
class QListWidget;
class QPushButton;
class QToolButton;

namespace ui {

class QueuePanel : public QWidget {
  Q_OBJECT

 public:
  explicit QueuePanel(EngineBridge* bridge, QWidget* parent = nullptr);
  void moveCurrent(int by);
  void removeCurrent();
  void removeAll();
  void holdOrGoOn();
  bool goesOnAfterFailure() const;
  void setGoesOnAfterFailure(bool on);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void refresh();
  void buttons();
  engine::RunId currentRun() const;

  EngineBridge* bridge_;
  QListWidget* list_;
  QLabel* now_;
  QPushButton* hold_;
  QCheckBox* go_on_;
  QToolButton* up_;
  QToolButton* down_;
  QToolButton* remove_;
  std::vector<engine::RunId> shown_;
};

}  // namespace ui
