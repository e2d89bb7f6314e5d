#pragma once
/// Chooses one of the paper's experiments: tables and figures on the left, what the chosen one is
/// on the right.

#include <QDialog>

class QLabel;
class QLineEdit;
class QPushButton;
class QTreeWidget;
class QTreeWidgetItem;

namespace ui {

class ExperimentChooser : public QDialog {
  Q_OBJECT

 public:
  explicit ExperimentChooser(QWidget* parent = nullptr);
  int shown() const;  ///< experiments that pass the filter

 Q_SIGNALS:
  void picked(const QString& id);

 private:
  void filter(const QString& words);
  void describe(QTreeWidgetItem* item);
  void pick();

  QLineEdit* words_;
  QTreeWidget* tree_;
  QLabel* title_;
  QLabel* about_;
  QLabel* notes_;
  QPushButton* open_;
};

}  // namespace ui
