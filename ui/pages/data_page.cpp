#include "ui/pages/data_page.h"

#include <QButtonGroup>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStackedWidget>

#include "engine/recipe.h"
#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/forms/source_field.h"
#include "ui/forms/token_view.h"
#include "ui/models/inspect_tables.h"
#include "ui/pages/data_page.h"
#include "ui/plots/batch_view.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr std::int64_t k_page = 200;  ///< documents read at a time

struct Read {
  engine::TokenizerHandle tokenizer;
  std::vector<engine::DocumentInfo> documents;
};

struct Packed {
  engine::TokenizerHandle tokenizer;
  engine::PackedBatch batch;
};

bool isBuiltIn(const QString& path) { return path.startsWith("builtin:"); }

}  // namespace

void DataPage::setFirst(const engine::Recipe& recipe) {
  if (opened_) return;
  source_->setSource(QString::fromStdString(recipe.data.path));
  tokenizer_field_->setSource(QString::fromStdString(recipe.model));
  for (QWidget* w : std::initializer_list<QWidget*>{field_, length_, packing_choice_}) w->blockSignals(true);
  field_->setText(QString::fromStdString(recipe.data.text_field));
  length_->setValue(int(recipe.data.sequence_length));
  packing_choice_->setCurrentText(QString::fromStdString(recipe.data.packing));
  for (QWidget* w : std::initializer_list<QWidget*>{field_, length_, packing_choice_}) w->blockSignals(false);
  far_share_ = recipe.data.far_share;
  validation_share_ = recipe.data.validation_share;
  seed_ = recipe.seed;
}

void DataPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (!opened_) open(source_->source());
}

engine::TextQuery DataPage::query() const {
  engine::TextQuery q;
  q.path = source_->source().toStdString();
  q.text_field = field_->text().toStdString();
  q.sequence_length = length_->value();
  q.packing = packing_choice_->currentText().toStdString();
  q.far_share = far_share_;
  q.validation_share = validation_share_;
  q.seed = seed_;
  q.cache = cache_;
  if (tokenizer_name_ == tokenizer_field_->source()) q.tokenizer = tokenizer_;
  return q;
}

void DataPage::open(const QString& wanted) {
  opened_ = true;
  source_->setSource(wanted);
  const QString path = source_->source();
  const bool builtin = isBuiltIn(path);
  field_->setEnabled(!builtin);
  packing_choice_->setEnabled(!builtin);
  tokenizer_field_->setEnabled(!builtin);
  tokenizer_field_->setToolTip(builtin ? "builtin:corpus is written for builtin:tiny's tokenizer" : QString());
  if (path.isEmpty()) return line_->showProblem("Name a file or a folder of text, or builtin:corpus.");
  read(0);
  settingsChanged();
}

/// What rows are made of has changed; they are made again when they are in sight.
void DataPage::settingsChanged() {
  batch_is_old_ = true;
  if (views_->currentIndex() == Batch && isVisible()) readBatch();
}

void DataPage::read(std::int64_t first) {
  const QString path = source_->source(), name = isBuiltIn(path) ? QString("builtin:tiny") : tokenizer_field_->source();
  reading_->start(
      "Reading " + path,
      [asked = query(), name = name.toStdString(), first](const engine::Watch& watch) {
        engine::TextQuery q = asked;
        if (!q.tokenizer && !name.empty()) q.tokenizer = engine::open_tokenizer(name);
        auto found = engine::documents(q, first, k_page, watch);
        return Read{q.tokenizer, std::move(found)};
      },
      [this, path, name, first](Read found) {
        tokenizer_ = found.tokenizer;
        tokenizer_name_ = tokenizer_ ? tokenizer_field_->source() : QString();
        source_->remember(path);
        if (!isBuiltIn(path)) tokenizer_field_->remember(name);
        const bool more = std::ssize(found.documents) == k_page;
        if (first == 0) {
          documents_ = std::move(found.documents);
          table_->rows()->setRows(documentRows(documents_), more);
          table_->fitColumns();
          stack_->setCurrentIndex(documents_.empty() ? 0 : 1);
          if (!documents_.empty()) table_->chooseRow(0);
        } else {
          table_->rows()->addRows(documentRows(found.documents), more);
          std::move(found.documents.begin(), found.documents.end(), std::back_inserter(documents_));
        }
        std::int64_t bytes = 0, tokens = 0;
        for (const auto& d : documents_) bytes += std::int64_t(d.text.size()), tokens += std::max<std::int64_t>(0, d.tokens);
        sizes_->setText(QString("%1%2 documents · %3 tokens · %4")
                            .arg(more ? "first " : "", grouped(std::ssize(documents_)), grouped(tokens), bytesText(std::uint64_t(bytes))));
        use_->setEnabled(true);
      });
}

void DataPage::readBatch() {
  batch_is_old_ = false;
  const QString path = source_->source(), name = isBuiltIn(path) ? QString("builtin:tiny") : tokenizer_field_->source();
  const bool held_out = set_->currentIndex() == 1;
  const auto position = std::uint64_t(position_->value());
  packing_->start(
      "Packing " + path,
      [asked = query(), name = name.toStdString(), position, rows = rows_->value(), held_out](const engine::Watch& watch) {
        engine::TextQuery q = asked;
        if (!q.tokenizer) q.tokenizer = engine::open_tokenizer(name);
        auto batch = engine::packed_batch(q, position, rows, held_out, watch);
        return Packed{q.tokenizer, std::move(batch)};
      },
      [this, position](Packed made) { batch_->setBatch(std::move(made.batch), position); });
}

void DataPage::showView(View view) {
  choice_->button(view)->setChecked(true);
  views_->setCurrentIndex(view);
  if (view == Batch && batch_is_old_) readBatch();
  if (view == Tokens) showDocument(table_->currentRow());
}

void DataPage::showDocument(int row) {
  if (row < 0 || row >= int(documents_.size())) {
    reader_->clear();
    tokens_->setTokens({});
    return;
  }
  const engine::DocumentInfo& document = documents_[std::size_t(row)];
  reader_->setPlainText(QString::fromStdString(document.text));
  if (views_->currentIndex() != Tokens || !tokenizer_) return;
  encoding_->start(
      "Tokenizing the document",
      [tokenizer = tokenizer_, text = document.text](const engine::Watch&) { return engine::tokenize_text(*tokenizer, text, true); },
      [this](std::vector<engine::TokenPiece> pieces) { tokens_->setTokens(std::move(pieces)); });
}

void DataPage::showRow(int row, int token) {
  const auto& shown = batch_->batch().rows;
  if (row < 0 || row >= int(shown.size())) return;
  const auto& r = shown[std::size_t(row)];
  if (row_tokens_->property("row").toInt() != row + 1 || row_tokens_->tokens().size() != r.tokens.size())
    row_tokens_->setTokens(r.tokens, r.starts);
  row_tokens_->setProperty("row", row + 1);
  row_tokens_->select(token);
}

}  // namespace ui
