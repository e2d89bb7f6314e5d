#include <QButtonGroup>
#include <QComboBox>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStackedWidget>

#include "engine/paper.h"
#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/pages/efficiency_page.h"
#include "ui/pages/empty_state.h"
#include "ui/pages/page_parts.h"
#include "ui/plots/log_plot.h"

namespace ui {
namespace {

QSpinBox* numberField(const QString& name, const QString& tip, int low, int high, int value) {
  auto* box = new QSpinBox;
  box->setRange(low, high);
  box->setValue(value);
  box->setAccessibleName(name);
  box->setToolTip(tip);
  box->setKeyboardTracking(false);
  return box;
}

}  // namespace

EfficiencyPage::EfficiencyPage(engine::MeasureAttention measure, std::filesystem::path cache, QWidget* parent)
    : QWidget(parent), measure_(std::move(measure)), cache_(std::move(cache)), job_(new Background(this)) {
  setProperty("role", "page");
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  layout->addWidget(buildHeader());
  layout->addWidget(buildForm());
  layout->addWidget(line_ = new JobLine(job_));
  auto* empty = new EmptyState("Not measured on this machine yet",
                               "This page measures one attention layer at growing lengths: hybrid, its window alone, and softmax over the whole past. It shows "
                               "from which length on the hybrid pays, beside what the paper reports. The lengths above take a minute or two.",
                               "Measure");
  connect(empty, &EmptyState::acted, this, &EfficiencyPage::start);
  whole_ = new QStackedWidget;
  whole_->addWidget(empty);
  whole_->addWidget(buildFound());
  layout->addWidget(whole_, 1);
  connect(line_, &JobLine::retried, this, &EfficiencyPage::start);
  for (auto end : {&Background::finished, &Background::cancelled}) connect(job_, end, this, &EfficiencyPage::sync);
  connect(job_, &Background::failed, this, &EfficiencyPage::sync);
  connect(job_, &Background::started, this, &EfficiencyPage::busyChanged);
  for (auto end : {&Background::finished, &Background::cancelled}) connect(job_, end, this, &EfficiencyPage::busyChanged);
  connect(job_, &Background::failed, this, &EfficiencyPage::busyChanged);
  readKept();
  sync();
}

QWidget* EfficiencyPage::buildHeader() {
  start_ = new QPushButton("Measure");
  start_->setProperty("role", "primary");
  connect(start_, &QPushButton::clicked, this, &EfficiencyPage::start);
  export_ = new QPushButton(lineIcon("export"), " Export…");
  export_->setToolTip("The plot (PNG, SVG, PDF), its points (CSV), the whole measurement (JSON)");
  connect(export_, &QPushButton::clicked, this, &EfficiencyPage::askExport);
  auto* what = new QLabel("one attention layer, batch 1, on this machine's processor");
  what->setProperty("role", "secondary");
  return pageHeader("Efficiency", {what}, {export_, start_});
}

QWidget* EfficiencyPage::buildForm() {
  lengths_ = new QLineEdit("512, 1024, 2048, 4096, 8192");
  lengths_->setAccessibleName("Lengths");
  lengths_->setToolTip("Tokens, separated by commas; softmax is left out where one call would take longer than ten seconds");
  dtype_ = new QComboBox;
  dtype_->addItems({"float32", "bfloat16"});
  dtype_->setAccessibleName("Numbers");
  dtype_->setToolTip("What queries, keys and values are stored in; the processor's kernels compute in float32");
  threads_ = numberField("Threads", "0: a core each", 0, 1024, 0);
  threads_->setSpecialValueText("a core each");
  heads_ = numberField("Heads", "Query heads, with as many key/value heads", 1, 256, 8);
  head_dim_ = numberField("Head size", "D, channels of one head", 8, 512, 64);
  columns_ = numberField("Columns", "F, columns of the feature map's W; features are twice as many", 4, 1024, 64);
  window_ = numberField("Window", "Keys that softmax sees in the hybrid, the query itself included", 1, 65536, 64);
  repeats_ = numberField("Repeats", "Calls of each; the median counts", 1, 1000, 5);
  auto* form = new QWidget;
  auto* grid = new QGridLayout(form);
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setHorizontalSpacing(12);
  grid->setVerticalSpacing(4);
  int column = 0;
  for (auto [name, control, stretch] : {std::tuple<const char*, QWidget*, int>{"Lengths, tokens", lengths_, 4}, {"Numbers", dtype_, 1}, {"Threads", threads_, 1},
                                        {"Heads", heads_, 1}, {"Head size", head_dim_, 1}, {"Columns", columns_, 1}, {"Window, tokens", window_, 1}, {"Repeats", repeats_, 1}}) {
    auto* label = noteLabel();
    label->setWordWrap(false);
    label->setText(name);
    grid->addWidget(label, 0, column);
    grid->addWidget(control, 1, column);
    grid->setColumnStretch(column++, stretch);
  }
  problem_ = noteLabel();
  problem_->setProperty("role", "problem");
  grid->addWidget(problem_, 2, 0, 1, column);
  connect(lengths_, &QLineEdit::textChanged, this, &EfficiencyPage::sync);
  return form;
}

QWidget* EfficiencyPage::buildFound() {
  plot_ = new LogPlot("efficiency", "length, tokens");
  table_ = new CopyTable(newRows(this, efficiencyColumns()), "Measured here");
  quantity_ = new QButtonGroup(this);
  QStringList names;
  for (const Quantity& q : quantities()) names << q.title;
  auto* left = new QWidget;
  auto* column = new QVBoxLayout(left);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(8);
  column->addLayout(segmentRow(quantity_, names, {}));
  column->addWidget(plot_, 1);
  connect(quantity_, &QButtonGroup::idClicked, this, &EfficiencyPage::refresh);
  auto* top = plainSplitter(Qt::Horizontal);
  top->addWidget(left);
  top->addWidget(buildSide());
  top->setSizes({580, 440});
  auto* split = plainSplitter(Qt::Vertical);
  split->addWidget(top);
  split->addWidget(table_);
  split->setSizes({380, 200});
  return split;
}

/// What it comes to, and what the paper printed.
QWidget* EfficiencyPage::buildSide() {
  const engine::PaperTable* table6 = engine::find_paper_table("table6");
  verdict_ = partHeading({});
  verdict_->setWordWrap(true);
  verdict_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  origin_ = noteLabel();
  origin_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  auto* caption = noteLabel();
  caption->setText(QString::fromStdString(table6->caption));
  paper_ = new CopyTable(newRows(this, paperEfficiencyColumns()), "The paper's Table 6");
  paper_->rows()->setRows(paperEfficiencyRows());
  paper_->fitColumns();
  paper_->setSortingEnabled(false);  // the models' lines stand above theirs
  auto* side = new QWidget;
  auto* column = new QVBoxLayout(side);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(8);
  column->addWidget(verdict_);
  column->addWidget(origin_);
  column->addSpacing(8);
  column->addWidget(partHeading("The paper's " + QString::fromStdString(table6->title()) + ", as printed"));
  column->addWidget(caption);
  column->addWidget(paper_, 1);
  return side;
}

}  // namespace ui
