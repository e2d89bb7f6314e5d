#pragma once
/// Several runs from the recipe in Compose: values of any fields, and seeds. Says how many runs
/// that is and what they are called before anything is queued.

#include <QDialog>

#include "engine/sweep.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QListWidget;
class QPushButton;
class QVBoxLayout;

namespace ui {

/// "8, 16, 32" of a single value, "0.9, 0.5; 0.5" of a list (its own commas stay).
std::vector<std::string> sweepValues(const QString& text, bool list);

class SweepDialog : public QDialog {
  Q_OBJECT

 public:
  explicit SweepDialog(engine::Recipe base, QWidget* parent = nullptr);
  void addAxis(const QString& path = {}, const QString& values = {});
  void setSeeds(const QString& text);
  const engine::Sweep& sweep() const { return sweep_; }

 Q_SIGNALS:
  void queued(const std::vector<engine::Recipe>& recipes);

 private:
  struct Axis {
    QWidget* row;
    QComboBox* field;
    QLineEdit* values;
  };
  void refresh();
  bool isList(const QString& path) const;

  engine::Recipe base_;
  engine::Sweep sweep_;
  std::vector<Axis> axes_;
  QVBoxLayout* rows_;
  QLineEdit* seeds_;
  QLabel* problem_;
  QListWidget* names_;
  QPushButton* queue_;
};

}  // namespace ui
