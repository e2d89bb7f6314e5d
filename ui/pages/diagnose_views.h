#pragma once
/// The full views of the Diagnose page, one a part of a diagnosis.

#include <QWidget>
#include <optional>

#include "engine/diagnose.h"

class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;
class QTextBrowser;

namespace ui {

class BarPlot;
struct Bar;
class CopyTable;
class MatrixView;

/// An accuracy in percent with its interval, which need not be symmetric.
Bar accuracyBar(const engine::Estimate& accuracy);

class DiagnosisView : public QWidget {
  Q_OBJECT

 public:
  using QWidget::QWidget;
  virtual void setDiagnosis(const engine::Diagnosis& d) = 0;
};

class ExposureView : public DiagnosisView {
 public:
  explicit ExposureView(QWidget* parent = nullptr);
  void setDiagnosis(const engine::Diagnosis& d) override;

 private:
  CopyTable* table_;
};

/// Accuracy of the components by distance or by length.
class ProfileView : public DiagnosisView {
 public:
  enum class Axis { distance, length };
  explicit ProfileView(Axis axis, QWidget* parent = nullptr);
  void setDiagnosis(const engine::Diagnosis& d) override;

 private:
  void showProfile();
  Axis axis_;
  std::vector<engine::Profile> profiles_;
  QComboBox* choice_;
  QLabel* note_;
  BarPlot* bars_;
  CopyTable* table_;
};

/// One measure of every head, and all of them in a table.
class LayersView : public DiagnosisView {
 public:
  explicit LayersView(QWidget* parent = nullptr);
  void setDiagnosis(const engine::Diagnosis& d) override;

 private:
  void showMeasure();
  engine::Diagnosis d_;
  QComboBox* measure_;
  MatrixView* matrix_;
  CopyTable* table_;
};

class KnockoutView : public DiagnosisView {
 public:
  explicit KnockoutView(QWidget* parent = nullptr);
  void setDiagnosis(const engine::Diagnosis& d) override;

 private:
  void showBranch();
  engine::Diagnosis d_;
  QComboBox* branch_;
  MatrixView* matrix_;
  CopyTable* table_;
};

class FeaturesView : public DiagnosisView {
 public:
  explicit FeaturesView(QWidget* parent = nullptr);
  void setDiagnosis(const engine::Diagnosis& d) override;

 private:
  CopyTable* maps_;
  CopyTable* denominators_;
  BarPlot* histogram_;
};

/// Teacher, linear and hybrid side by side, of a prompt typed in.
class MapsView : public DiagnosisView {
  Q_OBJECT

 public:
  explicit MapsView(QWidget* parent = nullptr);
  void setDiagnosis(const engine::Diagnosis& d) override;
  void setMaps(const engine::AttentionMaps& maps);
  MatrixView* view(int index) const { return views_[index]; }
  QSpinBox* layer() const { return layer_; }
  QSpinBox* head() const { return head_; }
  QLineEdit* prompt() const { return prompt_; }
  void ask();  ///< for the maps of what the controls say

 Q_SIGNALS:
  void wanted(const engine::MapQuery& query);

 private:
  QString words(int view, int row, int column) const;
  void showRow(int row, int column);
  engine::AttentionMaps maps_;
  QLineEdit* prompt_;
  QSpinBox* layer_;
  QSpinBox* head_;
  MatrixView* views_[3];
  QLabel* titles_[3];
  QLabel* pair_;
};

class ExamplesView : public DiagnosisView {
 public:
  explicit ExamplesView(QWidget* parent = nullptr);
  void setDiagnosis(const engine::Diagnosis& d) override;
  CopyTable* examples() const { return examples_; }

 protected:
  void changeEvent(QEvent* event) override;

 private:
  void showExample(int row);
  std::vector<engine::ExampleReport> reports_;
  CopyTable* examples_;
  QTextBrowser* prompt_;
  CopyTable* answers_;
  QLabel* continued_;
  CopyTable* continuations_;
};

}  // namespace ui
