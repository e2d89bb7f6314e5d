#pragma once
/// What a background job does, with Cancel; or why it failed and what to do about it. Takes no room
/// while there is nothing to say.

#include <QFrame>

class QLabel;
class QPushButton;

namespace ui {

class Background;

class JobLine : public QFrame {
  Q_OBJECT

 public:
  explicit JobLine(Background* job, QWidget* parent = nullptr);
  void showProblem(const QString& sentence);
  void clear();
  QString text() const;
  bool failed() const { return failed_; }

 Q_SIGNALS:
  void retried();

 private:
  void say(const QString& sentence, bool error, bool running);

  Background* job_;
  QLabel* icon_;
  QLabel* words_;
  QPushButton* cancel_;
  QPushButton* again_;
  QString what_;
  bool failed_ = false;
};

}  // namespace ui
