#pragma once
/// The log with a level choice and a text filter; follows the tail until it is scrolled up.

#include <QWidget>

class QListView;

namespace ui {

class LogModel;

class LogPanel : public QWidget {
  Q_OBJECT

 public:
  explicit LogPanel(LogModel* model, QWidget* parent = nullptr);

 private:
  LogModel* model_;
  QListView* view_;
  bool follow_ = true;
};

}  // namespace ui
