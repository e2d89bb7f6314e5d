#pragma once
/// The line above the pages about runs that waited when the program last ended, by whatever way: they are in the queue again,
/// which is held until one says Start.

#include <QFrame>
#include <deque>

#include "ui/engine_bridge.h"

class QLabel;

namespace ui {

class WaitingLine : public QFrame {
  Q_OBJECT

 public:
  explicit WaitingLine(EngineBridge* bridge, QWidget* parent = nullptr);
  /// Queues them again, those of `order` first and then by their numbers, and shows the line where there are any. Many are
  /// shared out over turns of the event loop. For the start of the program; runs of the trash and archived ones stay as they are.
  void bringBack(const std::vector<engine::RunId>& order);
  void start();
  void remove();  ///< out of the queue: they are cancelled, and can be resumed one by one

 private:
  std::vector<engine::RunId> waiting() const;  ///< of those that were brought back
  void queueSome(int turn_ms);
  void sync();

  EngineBridge* bridge_;
  QLabel* text_;
  std::vector<engine::RunId> back_;
  std::deque<engine::RunId> coming_;  ///< not queued yet
};

}  // namespace ui
