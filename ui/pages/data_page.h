#pragma once
/// Training text before a run: its documents with their sizes in tokens, and the rows that a run
/// would be fed, decoded, with the places where documents begin.

#include <QWidget>

#include "ui/background.h"

class QButtonGroup;
class QComboBox;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QSettings;
class QSpinBox;
class QStackedWidget;

namespace engine {
struct Recipe;
}

namespace ui {

class BatchView;
class CopyTable;
class JobLine;
class SourceField;
class TokenView;

class DataPage : public QWidget {
  Q_OBJECT

 public:
  enum View { Document, Tokens, Batch };

  /// `cache`: folder for tokenised text.
  DataPage(QSettings* settings, std::string cache, QWidget* parent = nullptr);
  /// What is opened when the page is first seen: the recipe's text, tokenizer and packing.
  void setFirst(const engine::Recipe& recipe);
  void open(const QString& wanted);
  void showView(View view);
  SourceField* source() const { return source_; }
  SourceField* tokenizer() const { return tokenizer_field_; }
  CopyTable* table() const { return table_; }
  BatchView* batch() const { return batch_; }
  TokenView* rowTokens() const { return row_tokens_; }
  const std::vector<engine::DocumentInfo>& shown() const { return documents_; }
  bool busy() const { return reading_->busy() || packing_->busy() || encoding_->busy(); }

 Q_SIGNALS:
  void useWanted(const QString& path, const QString& text_field);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  QWidget* buildHeader(QSettings* settings);
  QWidget* buildSettings();
  QWidget* buildDocuments();
  QWidget* buildReader();
  QWidget* buildBatch();
  engine::TextQuery query() const;
  void read(std::int64_t first);
  void readBatch();
  void showDocument(int row);
  void showRow(int row, int token);
  void settingsChanged();

  Background* reading_;
  Background* packing_;
  Background* encoding_;
  std::vector<engine::DocumentInfo> documents_;
  engine::TokenizerHandle tokenizer_;
  QString tokenizer_name_;  ///< of the one that is loaded
  bool opened_ = false, batch_is_old_ = true;
  std::string cache_;
  double far_share_ = 0.5, validation_share_ = 0.02;
  std::int64_t seed_ = 0;
  SourceField* source_ = nullptr;
  SourceField* tokenizer_field_ = nullptr;
  QPushButton* use_ = nullptr;
  QLineEdit* field_ = nullptr;
  QSpinBox* length_ = nullptr;
  QComboBox* packing_choice_ = nullptr;
  JobLine* line_ = nullptr;
  JobLine* batch_line_ = nullptr;
  QStackedWidget* stack_ = nullptr;
  CopyTable* table_ = nullptr;
  QLabel* sizes_ = nullptr;
  QButtonGroup* choice_ = nullptr;
  QStackedWidget* views_ = nullptr;
  QPlainTextEdit* reader_ = nullptr;
  TokenView* tokens_ = nullptr;
  QLabel* token_facts_ = nullptr;
  QComboBox* set_ = nullptr;
  QSpinBox* position_ = nullptr;
  QSpinBox* rows_ = nullptr;
  BatchView* batch_ = nullptr;
  TokenView* row_tokens_ = nullptr;
  QLabel* row_facts_ = nullptr;
};

}  // namespace ui
