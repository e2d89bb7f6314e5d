#pragma once
/// A model before it is converted: its shape, its tensors and layers, whether its files fit, and
/// what its tokenizer makes of a text. Reads headers only; no weight is loaded.

#include <QTimer>
#include <QWidget>

#include "ui/background.h"

class QCheckBox;
class QGridLayout;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QSettings;
class QStackedWidget;
class QButtonGroup;

namespace ui {

class CopyTable;
class JobLine;
class RowsModel;
class SourceField;
class TokenView;

class ModelPage : public QWidget {
  Q_OBJECT

 public:
  explicit ModelPage(QSettings* settings, QWidget* parent = nullptr);
  void open(const QString& wanted);
  /// What is opened when the page is first seen.
  void setFirst(const QString& source);
  const engine::ModelInfo* info() const { return info_ ? &*info_ : nullptr; }
  SourceField* source() const { return source_; }
  CopyTable* tensors() const { return tensors_; }
  TokenView* tokens() const { return tokens_; }
  bool busy() const { return reading_->busy() || encoding_->busy(); }

 Q_SIGNALS:
  void useWanted(const QString& model);  ///< in the recipe

 protected:
  void showEvent(QShowEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  QWidget* buildHeader(QSettings* settings);
  QWidget* buildFacts();
  QWidget* buildTables();
  QWidget* buildTokenizer();
  void take(engine::ModelInfo info);
  void showFacts();
  void showReport();
  void encode();

  Background* reading_;
  Background* encoding_;
  std::optional<engine::ModelInfo> info_;
  QString first_ = "builtin:tiny";
  SourceField* source_ = nullptr;
  QPushButton* use_ = nullptr;
  JobLine* line_ = nullptr;
  QStackedWidget* stack_ = nullptr;
  QGridLayout* facts_ = nullptr;
  QLabel* verdict_ = nullptr;
  QLabel* verdict_icon_ = nullptr;
  QLabel* counts_ = nullptr;
  QButtonGroup* choice_ = nullptr;
  QStackedWidget* tables_ = nullptr;
  QLineEdit* words_ = nullptr;
  CopyTable* tensors_ = nullptr;
  CopyTable* layers_ = nullptr;
  CopyTable* report_ = nullptr;
  CopyTable* special_ = nullptr;
  QLabel* policy_ = nullptr;
  QPlainTextEdit* text_ = nullptr;
  QCheckBox* with_special_ = nullptr;
  TokenView* tokens_ = nullptr;
  QLabel* count_ = nullptr;
  QLabel* facts_of_token_ = nullptr;
  QTimer soon_;
};

}  // namespace ui
