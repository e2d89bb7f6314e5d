#pragma once
/// Series by formula: add one, change it, take it away. What is wrong with a formula stands beneath it while it is typed.

#include <QDialog>
#include <functional>

#include "ui/models/series_formula.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QListWidget;
class QPushButton;

namespace ui {

class FormulaDialog : public QDialog {
  Q_OBJECT

 public:
  /// What a formula comes to for the runs shown, as "42 points, the last 3.1".
  using Preview = std::function<QString(const SeriesFormula&)>;

  /// `names`: the metrics of the runs shown, the usual ones first. Deletes itself when it is closed.
  FormulaDialog(DerivedSeriesList* series, QStringList names, Preview preview, QWidget* parent = nullptr);
  QLineEdit* formula() const { return formula_; }
  QLineEdit* name() const { return name_; }
  QLineEdit* unit() const { return unit_; }
  QPushButton* put() const { return put_; }
  QString problem() const;  ///< of the formula; empty: it can be added

 Q_SIGNALS:
  void chosen(const QString& name);  ///< was added, or chosen from those that there are

 private:
  void check();
  void add();
  void choose(const QString& name);
  void fillList();

  DerivedSeriesList* series_;
  QStringList names_;
  Preview preview_;
  std::optional<SeriesFormula> read_;
  QListWidget* list_;
  QLineEdit* name_;
  QLineEdit* formula_;
  QLineEdit* unit_;
  QComboBox* metrics_;
  QLabel* problem_;
  QLabel* found_;
  QPushButton* put_;
  QPushButton* remove_;
};

}  // namespace ui
