#include "ui/pages/model_page.h"

#include <QButtonGroup>
#include <QCheckBox>
#include <QEvent>
#include <QGridLayout>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QStackedWidget>

#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/forms/source_field.h"
#include "ui/forms/token_view.h"
#include "ui/models/inspect_tables.h"
#include "ui/theme.h"

namespace ui {

void ModelPage::setFirst(const QString& source) {
  if (!info_ && !reading_->busy()) first_ = source;
}

void ModelPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (!info_ && !reading_->busy() && !line_->failed()) open(first_);
}

void ModelPage::open(const QString& wanted) {
  source_->setSource(wanted);
  const QString source = source_->source();
  if (source.isEmpty()) return line_->showProblem("Name a folder with config.json, or builtin:tiny.");
  const std::string name = source.toStdString();
  reading_->start(
      "Reading " + source, [name](const engine::Watch& watch) { return engine::inspect_model(name, watch); },
      [this, source](engine::ModelInfo info) {
        source_->remember(source);
        take(std::move(info));
      });
}

void ModelPage::take(engine::ModelInfo info) {
  info_ = std::move(info);
  stack_->setCurrentIndex(1);
  tensors_->rows()->setRows(tensorRows(*info_));
  layers_->rows()->setRows(layerRows(*info_));
  report_->rows()->setRows(reportRows(*info_));
  special_->rows()->setRows(specialTokenRows(info_->tokenizer_info));
  for (CopyTable* table : {tensors_, layers_, report_, special_}) table->fitColumns();
  showFacts();
  showReport();
  if (!info_->loads()) choice_->button(2)->click();
  const bool has = info_->tokenizer != nullptr;
  const engine::TokenizerInfo& t = info_->tokenizer_info;
  policy_->setText(has ? QString("%1, %2 tokens, %3 of them special; %4")
                             .arg(QString::fromStdString(t.kind), grouped(t.vocabulary), grouped(std::int64_t(t.special.size())),
                                  QString::fromStdString(t.policy))
                       : QString::fromStdString(info_->tokenizer_problem));
  policy_->setToolTip(QString::fromStdString(t.file).toHtmlEscaped());
  policy_->setProperty("role", has ? "secondary" : "problem");
  repolish(policy_);
  text_->setEnabled(has);
  with_special_->setEnabled(has);
  encode();
}

void ModelPage::showFacts() {
  while (QLayoutItem* item = facts_->takeAt(0)) {
    if (item->widget()) item->widget()->deleteLater();
    delete item;
  }
  int row = 0;
  for (const auto& [name, value] : modelFacts(*info_)) {
    auto* label = new QLabel(name);
    label->setProperty("role", "secondary");
    auto* text = new QLabel(value);
    text->setTextFormat(Qt::PlainText);
    text->setWordWrap(true);
    text->setTextInteractionFlags(Qt::TextSelectableByMouse);
    facts_->addWidget(label, row, 0, Qt::AlignTop);
    text->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    facts_->addWidget(text, row++, 1);  // aligned by the layout, it would not get the height of its lines
  }
  facts_->setColumnStretch(1, 1);
}

void ModelPage::showReport() {
  const bool fits = info_->loads();
  const Colors& colors = colorsOf(this);
  verdict_->setText(fits ? "Loads whole" : "Does not load: the files do not fit config.json");
  verdict_->setProperty("role", fits ? "good" : "problem");
  repolish(verdict_);
  verdict_icon_->setPixmap(lineIcon(fits ? "check" : "warning", fits ? colors.good : colors.error)
                               .pixmap(QSize(16, 16), devicePixelRatioF()));
  QStringList parts{QString("%1 matched").arg(grouped(info_->matched))};
  auto part = [&](std::size_t n, const char* what) {
    const QString text = QString("%1 %2").arg(grouped(std::int64_t(n)), what);
    parts << (n == 0 ? text : QString("<span style='color:%1'>%2</span>").arg(colors.error.name(), text));
  };
  part(info_->missing.size(), "missing");
  part(info_->misshaped.size(), "of another shape");
  part(info_->unexpected.size(), "unexpected");
  if (!info_->unsupported.empty()) part(info_->unsupported.size(), "of another type");
  if (!info_->ignored.empty()) parts << QString("%1 not used").arg(grouped(std::int64_t(info_->ignored.size())));
  counts_->setText(parts.join(" · "));
  const auto rows = report_->rows()->rowCount();
  choice_->button(2)->setText(rows == 0 ? QString("Load report") : QString("Load report (%1)").arg(rows));
  use_->setEnabled(fits && info_->tokenizer);
  use_->setToolTip(use_->isEnabled() ? "Make it the recipe's model"
                   : fits            ? "It has no tokenizer that can be read"
                                     : "Its files do not fit config.json; the load report tells which");
}

void ModelPage::encode() {
  if (!info_ || !info_->tokenizer) {
    tokens_->setTokens({});
    count_->clear();
    return;
  }
  const std::string text = text_->toPlainText().toStdString();
  const bool special = with_special_->isChecked();
  encoding_->start(
      "Tokenizing",
      [tokenizer = info_->tokenizer, text, special](const engine::Watch&) {
        return engine::tokenize_text(*tokenizer, text, special);
      },
      [this, text](std::vector<engine::TokenPiece> pieces) {
        count_->setText(QString("%1 tokens of %2 bytes").arg(grouped(std::int64_t(pieces.size())), grouped(std::int64_t(text.size()))));
        tokens_->setTokens(std::move(pieces));
      });
}

void ModelPage::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (!changesLook(event) || !info_) return;
  showReport();
  QTimer::singleShot(0, this, &ModelPage::showFacts);  // their sizes follow the new font
}

}  // namespace ui
