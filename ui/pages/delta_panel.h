#pragma once
/// The verdict and the two differences as large numbers with their intervals and a small history.

#include <QFrame>

#include "ui/pages/verdict.h"

class QLabel;
class QVBoxLayout;

namespace ui {

class Sparkline;

class DeltaPanel : public QFrame {
  Q_OBJECT

 public:
  explicit DeltaPanel(QWidget* parent = nullptr);
  void show(const RunData* run, const std::string& task);
  const Verdict& verdict() const { return verdict_; }

 protected:
  void changeEvent(QEvent* event) override;

 private:
  struct Number {
    QLabel* title;
    QLabel* value;
    QLabel* interval;
    Sparkline* history;
  };
  Number makeNumber(const QString& title, const QString& help, QVBoxLayout* into);
  void fill(Number& number, const RunData* run, const std::string& component,
            const std::string& task);
  void paintVerdict();
  void showExposure(const RunData* run, const std::string& task);
  QLabel* headline_;
  QLabel* sentence_;
  Number hybrid_, linear_;
  QLabel* exposure_;
  Verdict verdict_;
};

}  // namespace ui
