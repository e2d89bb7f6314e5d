#include <QButtonGroup>
#include <QCheckBox>
#include <QComboBox>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QSplitter>
#include <QStackedWidget>

#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/forms/source_field.h"
#include "ui/forms/token_view.h"
#include "ui/models/inspect_tables.h"
#include "ui/pages/empty_state.h"
#include "ui/pages/model_page.h"
#include "ui/pages/page_parts.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr char k_sample[] = "The cat sat on the mat.\nNa\u00efve caf\u00e9, 3.14 \u2192 \u03c0";

constexpr char k_hint[] = "Point at a token, or walk with the arrow keys, to see its id and bytes.";

}  // namespace

ModelPage::ModelPage(QSettings* settings, QWidget* parent)
    : QWidget(parent), reading_(new Background(this)), encoding_(new Background(this)) {
  setProperty("role", "page");
  auto* split = plainSplitter(Qt::Horizontal);
  auto* right = plainSplitter(Qt::Vertical);
  right->addWidget(buildTables());
  right->addWidget(buildTokenizer());
  right->setStretchFactor(0, 3);
  right->setStretchFactor(1, 2);
  right->setSizes({340, 300});
  split->addWidget(buildFacts());
  split->addWidget(right);
  split->setStretchFactor(1, 1);
  split->setSizes({310, 720});

  auto* empty = new EmptyState(
      "No model open",
      "This page shows a model before it is converted: its shape, every tensor, whether the files "
      "fit, and what its tokenizer makes of a text. Choose a Hugging Face folder, or drop one here.",
      "Choose a folder…");
  connect(empty, &EmptyState::acted, this, [this] { source_->browse(); });
  stack_ = new QStackedWidget;
  stack_->addWidget(empty);
  stack_->addWidget(split);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  layout->addWidget(buildHeader(settings));
  layout->addWidget(line_);
  layout->addWidget(stack_, 1);
  connect(source_, &SourceField::chosen, this, &ModelPage::open);
  connect(line_, &JobLine::retried, this, [this] { open(source_->source()); });
}

QWidget* ModelPage::buildHeader(QSettings* settings) {
  source_ = new SourceField("Folder", "models", {"builtin:tiny"}, SourceField::Kind::folder, settings);
  source_->combo()->setObjectName("model source");
  use_ = new QPushButton(lineIcon("right"), " Use in Compose");
  use_->setEnabled(false);
  connect(use_, &QPushButton::clicked, this, [this] { Q_EMIT useWanted(QString::fromStdString(info_->source)); });
  line_ = new JobLine(reading_);
  return pageHeader("Model", {source_}, {use_});
}

QWidget* ModelPage::buildFacts() {
  auto* card = newCard();
  verdict_icon_ = new QLabel;
  verdict_ = new QLabel;
  verdict_->setWordWrap(true);
  counts_ = new QLabel;
  counts_->setWordWrap(true);
  counts_->setProperty("role", "secondary");
  useFont(counts_, TextRole::secondary);
  counts_->setToolTip("Tensors in the files against those that config.json asks for");
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  row->addWidget(verdict_icon_, 0, Qt::AlignTop);
  row->addWidget(verdict_, 1);
  auto* content = new QWidget;
  content->setProperty("role", "inset");
  facts_ = new QGridLayout;
  facts_->setContentsMargins(0, 0, 0, 0);
  facts_->setHorizontalSpacing(12);
  facts_->setVerticalSpacing(5);
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(16, 12, 16, 12);
  column->setSpacing(4);
  column->addLayout(row);
  column->addWidget(counts_);
  column->addSpacing(8);
  column->addLayout(facts_);
  column->addStretch();
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(1, 1, 1, 1);
  layout->addWidget(scrolled(content, "Facts about the model"));
  return card;
}

QWidget* ModelPage::buildTables() {
  tensors_ = new CopyTable(newRows(this, tensorColumns()), "Tensors");
  tensors_->setElasticColumn(4);
  layers_ = new CopyTable(newRows(this, layerColumns()), "Layers");
  report_ = new CopyTable(newRows(this, reportColumns()), "Load report");
  report_->setElasticColumn(2);
  tables_ = new QStackedWidget;
  tables_->addWidget(tensors_);
  tables_->addWidget(layers_);
  auto* fine = new EmptyState("Nothing to report", "Every tensor that config.json asks for is in the files, in the shape it asks for, and there is none besides.", "");
  auto* report = new QStackedWidget;
  report->addWidget(fine);
  report->addWidget(report_);
  connect(report_->rows(), &QAbstractItemModel::modelReset, report,
          [this, report] { report->setCurrentIndex(report_->rows()->rowCount() > 0 ? 1 : 0); });
  tables_->addWidget(report);
  words_ = new QLineEdit;
  words_->setPlaceholderText("Filter tensors…");
  words_->setAccessibleName("Filter tensors");
  words_->setToolTip("Words that must occur in name, shape, type or file");
  words_->setClearButtonEnabled(true);
  words_->setMaximumWidth(240);
  connect(words_, &QLineEdit::textChanged, this, [this](const QString& words) {
    for (CopyTable* table : {tensors_, layers_, report_}) table->filter()->setWords(words);
  });
  auto* card = newCard();
  choice_ = new QButtonGroup(this);
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(16, 8, 16, 8);
  layout->setSpacing(6);
  layout->addLayout(segmentRow(choice_, {"Tensors", "Layers", "Load report"}, {words_}));
  layout->addWidget(tables_, 1);
  connect(choice_, &QButtonGroup::idClicked, tables_, &QStackedWidget::setCurrentIndex);
  return card;
}

QWidget* ModelPage::buildTokenizer() {
  policy_ = noteLabel();
  policy_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  with_special_ = new QCheckBox("special tokens");
  with_special_->setChecked(true);
  with_special_->setToolTip("With the tokens that the tokenizer puts around a text (BOS, EOS)");
  text_ = new QPlainTextEdit(QString::fromUtf8(k_sample));
  text_->setObjectName("text to tokenize");
  text_->setAccessibleName("Text to tokenize");
  text_->setPlaceholderText("Type a text to see its ids");
  text_->setTabChangesFocus(true);
  text_->setMinimumHeight(44);
  tokens_ = new TokenView("Tokens of the text");
  tokens_->setPlaceholder("Ids appear here.");
  special_ = new CopyTable(newRows(this, specialTokenColumns()), "Special tokens");
  special_->setElasticColumn(2);
  count_ = new QLabel;
  count_->setProperty("role", "secondary");
  useFont(count_, TextRole::secondary);
  facts_of_token_ = noteLabel();
  facts_of_token_->setText(k_hint);

  auto* pages = new QStackedWidget;
  auto* typing = new QWidget;
  auto* inside = new QVBoxLayout(typing);
  inside->setContentsMargins(0, 0, 0, 0);
  inside->setSpacing(4);
  auto* both = plainSplitter(Qt::Horizontal);
  both->addWidget(text_);
  both->addWidget(tokens_);
  both->setSizes({230, 470});
  both->setStretchFactor(1, 1);
  inside->addWidget(both, 1);
  auto* foot = new QHBoxLayout;
  foot->addWidget(facts_of_token_, 1);
  foot->addWidget(count_, 0, Qt::AlignTop);
  inside->addLayout(foot);
  pages->addWidget(typing);
  pages->addWidget(special_);
  auto* choice = new QButtonGroup(this);
  connect(choice, &QButtonGroup::idClicked, pages, &QStackedWidget::setCurrentIndex);

  auto* card = newCard();
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(16, 8, 16, 8);
  layout->setSpacing(4);
  layout->addLayout(segmentRow(choice, {"Tokenizer", "Special tokens"}, {with_special_}));
  layout->addWidget(policy_);
  layout->addWidget(pages, 1);
  soon_.setSingleShot(true);
  soon_.setInterval(120);
  connect(&soon_, &QTimer::timeout, this, &ModelPage::encode);
  connect(text_, &QPlainTextEdit::textChanged, &soon_, qOverload<>(&QTimer::start));
  connect(with_special_, &QCheckBox::toggled, this, &ModelPage::encode);
  connect(encoding_, &Background::failed, this, [this](const QString& sentence) {
    tokens_->setTokens({});
    count_->clear();
    facts_of_token_->setText(sentence);
  });
  connect(tokens_, &TokenView::tokenChosen, this, [this](int token) {
    facts_of_token_->setText(token < 0 ? k_hint : tokens_->selectionText());
    // The text that it came from is marked.
    if (token < 0) return;
    const auto& piece = tokens_->tokens()[std::size_t(token)];
    if (piece.end <= piece.begin) return;
    const QByteArray bytes = text_->toPlainText().toUtf8();
    QTextCursor cursor(text_->document());
    cursor.setPosition(int(QString::fromUtf8(bytes.left(qsizetype(piece.begin))).size()));
    cursor.setPosition(int(QString::fromUtf8(bytes.left(qsizetype(piece.end))).size()), QTextCursor::KeepAnchor);
    text_->setTextCursor(cursor);
  });
  return card;
}

}  // namespace ui
