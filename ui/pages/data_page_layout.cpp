#include <QButtonGroup>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStackedWidget>

#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/forms/source_field.h"
#include "ui/forms/token_view.h"
#include "ui/models/inspect_tables.h"
#include "ui/pages/data_page.h"
#include "ui/pages/empty_state.h"
#include "ui/pages/page_parts.h"
#include "ui/plots/batch_view.h"
#include "ui/theme.h"

namespace ui {

DataPage::DataPage(QSettings* settings, std::string cache, QWidget* parent)
    : QWidget(parent),
      reading_(new Background(this)),
      packing_(new Background(this)),
      encoding_(new Background(this)),
      cache_(std::move(cache)) {
  setProperty("role", "page");
  auto* header = buildHeader(settings);
  auto* options = buildSettings();
  auto* split = plainSplitter(Qt::Horizontal);
  split->addWidget(buildDocuments());
  split->addWidget(buildReader());
  split->setStretchFactor(1, 1);
  split->setSizes({470, 560});
  auto* empty = new EmptyState(
      "No text open",
      "This page shows training text before a run: its documents with their sizes in tokens, and "
      "the rows that a run would be fed. Choose a file or a folder of .parquet, .jsonl or .txt.",
      "Choose a folder…");
  connect(empty, &EmptyState::acted, this, [this] { source_->browse(); });
  stack_ = new QStackedWidget;
  stack_->addWidget(empty);
  stack_->addWidget(split);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  layout->addWidget(header);
  layout->addWidget(options);
  layout->addWidget(line_);
  layout->addWidget(stack_, 1);
  connect(source_, &SourceField::chosen, this, &DataPage::open);
  connect(line_, &JobLine::retried, this, [this] { open(source_->source()); });
  connect(tokenizer_field_, &SourceField::chosen, this, [this] { open(source_->source()); });
}

QWidget* DataPage::buildHeader(QSettings* settings) {
  source_ = new SourceField("Text", "texts", {"builtin:corpus"}, SourceField::Kind::file_or_folder, settings);
  source_->combo()->setObjectName("data source");
  tokenizer_field_ = new SourceField("Tokenizer", "models", {"builtin:tiny"}, SourceField::Kind::folder, settings);
  use_ = new QPushButton(lineIcon("right"), " Use in Compose");
  use_->setEnabled(false);
  use_->setToolTip("Make it the recipe's text");
  connect(use_, &QPushButton::clicked, this, [this] { Q_EMIT useWanted(source_->source(), field_->text()); });
  line_ = new JobLine(reading_);
  return pageHeader("Data", {source_, tokenizer_field_}, {use_});
}

QWidget* DataPage::buildSettings() {
  field_ = new QLineEdit("text");
  field_->setObjectName("text field");
  field_->setMaximumWidth(120);
  field_->setAccessibleName("Field that holds the text");
  field_->setToolTip("JSON Lines and Parquet: the field or column that holds a document");
  length_ = new QSpinBox;
  length_->setObjectName("row length");
  length_->setRange(2, 1 << 20);
  length_->setValue(256);
  length_->setGroupSeparatorShown(true);
  length_->setAccessibleName("Row length, tokens");
  length_->setToolTip("data.sequence_length: tokens of a training row");
  length_->setKeyboardTracking(false);
  packing_choice_ = new QComboBox;
  packing_choice_->setObjectName("packing");
  packing_choice_->addItems({"documents", "packed"});
  packing_choice_->setAccessibleName("Packing");
  packing_choice_->setToolTip("data.packing. documents: one document a row, cut at the row's length; packed: documents joined and cut into full rows");
  auto* options = new QWidget;
  auto* row = new QHBoxLayout(options);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  auto add = [&](const QString& name, QWidget* control) {
    auto* label = new QLabel(name);
    label->setProperty("role", "secondary");
    label->setBuddy(control);
    row->addWidget(label);
    row->addWidget(control);
    row->addSpacing(8);
  };
  add("Field", field_);
  add("Row length, tokens", length_);
  add("Packing", packing_choice_);
  row->addStretch();
  connect(field_, &QLineEdit::editingFinished, this, [this] {
    if (field_->isModified()) open(source_->source());
    field_->setModified(false);
  });
  connect(length_, &QSpinBox::valueChanged, this, &DataPage::settingsChanged);
  connect(packing_choice_, &QComboBox::currentIndexChanged, this, &DataPage::settingsChanged);
  return options;
}

QWidget* DataPage::buildDocuments() {
  table_ = new CopyTable(newRows(this, documentColumns()), "Documents");
  table_->setElasticColumn(4);
  auto* words = new QLineEdit;
  words->setPlaceholderText("Filter documents…");
  words->setAccessibleName("Filter documents");
  words->setToolTip("Words that must occur in the beginning of a document");
  words->setClearButtonEnabled(true);
  words->setMaximumWidth(200);
  connect(words, &QLineEdit::textChanged, table_->filter(), &RowsFilter::setWords);
  auto* card = newCard();
  card->setMinimumWidth(260);
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(16, 8, 16, 8);
  layout->setSpacing(6);
  auto* row = new QHBoxLayout;
  row->addWidget(partHeading("Documents"));
  row->addStretch();
  row->addWidget(words);
  layout->addLayout(row);
  layout->addWidget(table_, 1);
  sizes_ = noteLabel();
  layout->addWidget(sizes_);
  connect(table_, &CopyTable::rowChosen, this, &DataPage::showDocument);
  connect(table_->rows(), &RowsModel::moreWanted, this, [this] { read(std::ssize(documents_)); });
  return card;
}

QWidget* DataPage::buildReader() {
  reader_ = new QPlainTextEdit;
  reader_->setProperty("role", "plain");
  reader_->setReadOnly(true);
  reader_->setAccessibleName("Text of the document");
  reader_->setFrameShape(QFrame::NoFrame);
  reader_->setTabChangesFocus(true);
  tokens_ = new TokenView("Tokens of the document");
  tokens_->setPlaceholder("Choose a tokenizer to see tokens.");
  token_facts_ = noteLabel();
  token_facts_->setMinimumHeight(token_facts_->fontMetrics().height());
  connect(tokens_, &TokenView::tokenChosen, this, [this] { token_facts_->setText(tokens_->selectionText()); });
  connect(encoding_, &Background::failed, this, [this](const QString& sentence) {
    tokens_->setTokens({});
    token_facts_->setText(sentence);
  });
  auto* with_facts = new QWidget;
  auto* inside = new QVBoxLayout(with_facts);
  inside->setContentsMargins(0, 0, 0, 0);
  inside->addWidget(tokens_, 1);
  inside->addWidget(token_facts_);
  views_ = new QStackedWidget;
  views_->addWidget(reader_);
  views_->addWidget(with_facts);
  views_->addWidget(buildBatch());
  choice_ = new QButtonGroup(this);
  auto* card = newCard();
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(16, 8, 16, 8);
  layout->setSpacing(6);
  layout->addLayout(segmentRow(choice_, {"Document", "Its tokens", "Packed batch"}, {}));
  layout->addWidget(views_, 1);
  connect(choice_, &QButtonGroup::idClicked, this, [this](int id) { showView(View(id)); });
  return card;
}

QWidget* DataPage::buildBatch() {
  set_ = new QComboBox;
  set_->addItems({"training rows", "held-out rows"});
  set_->setAccessibleName("Which rows");
  set_->setToolTip("Held out: documents kept for the validation loss, chosen by the hash of their text");
  position_ = new QSpinBox;
  position_->setRange(0, 2'000'000'000);
  position_->setGroupSeparatorShown(true);
  position_->setAccessibleName("First row");
  position_->setToolTip("Position in the order of the first epoch; the order follows the seed");
  rows_ = new QSpinBox;
  rows_->setRange(1, 64);
  rows_->setValue(8);
  rows_->setAccessibleName("Rows of the batch");
  batch_ = new BatchView;
  batch_->setObjectName("batch view");
  row_tokens_ = new TokenView("Tokens of the row");
  row_tokens_->setPlaceholder("Choose a row to read it.");
  row_facts_ = noteLabel();
  row_facts_->setMinimumHeight(2 * row_facts_->fontMetrics().height());
  row_facts_->setAlignment(Qt::AlignTop | Qt::AlignLeft);
  batch_line_ = new JobLine(packing_);

  auto* controls = new QHBoxLayout;
  controls->setSpacing(8);
  controls->addWidget(set_);
  for (auto [name, box] : {std::pair("from", position_), std::pair("rows", rows_)}) {
    auto* label = new QLabel(name);
    label->setProperty("role", "secondary");
    label->setBuddy(box);
    box->setKeyboardTracking(false);
    controls->addWidget(label);
    controls->addWidget(box);
    connect(box, &QSpinBox::valueChanged, this, &DataPage::readBatch);
  }
  controls->addStretch();
  connect(set_, &QComboBox::currentIndexChanged, this, &DataPage::readBatch);
  connect(batch_line_, &JobLine::retried, this, &DataPage::readBatch);
  connect(batch_, &BatchView::chosen, this, &DataPage::showRow);
  connect(batch_, &BatchView::hovered, row_facts_, &QLabel::setText);
  connect(row_tokens_, &TokenView::tokenChosen, this, [this](int token) {
    if (token >= 0) row_facts_->setText(row_tokens_->selectionText());
  });

  auto* page = new QWidget;
  auto* layout = new QVBoxLayout(page);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(6);
  layout->addLayout(controls);
  layout->addWidget(batch_line_);
  auto* split = plainSplitter(Qt::Vertical);
  auto* bars = scrolled(batch_, "Rows of the batch");
  bars->setFocusPolicy(Qt::NoFocus);
  split->addWidget(bars);
  split->addWidget(row_tokens_);
  split->setSizes({215, 300});
  split->setStretchFactor(1, 1);
  layout->addWidget(split, 1);
  layout->addWidget(row_facts_);
  return page;
}

}  // namespace ui
