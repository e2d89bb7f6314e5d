#include "ui/pages/compare_page.h"

#include <QApplication>
#include <QButtonGroup>
#include <QClipboard>
#include <QComboBox>
#include <QEvent>
#include <QFileDialog>
#include <QHeaderView>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <set>

#include "ui/models/run_list_model.h"
#include "ui/pages/empty_state.h"
#include "ui/plots/bar_plot.h"
#include "ui/plots/curve_plot.h"
#include "ui/theme.h"

namespace ui {
namespace {

QLabel* heading(const QString& text) {
  auto* label = new QLabel(text);
  QFont font = label->font();
  font.setWeight(QFont::DemiBold);
  label->setFont(font);
  return label;
}

void plainTable(QTableView* view, const QString& name) {
  view->setAccessibleName(name);
  view->verticalHeader()->hide();
  view->verticalHeader()->setDefaultSectionSize(QFontMetrics(QApplication::font()).height() + 12);
  view->horizontalHeader()->setHighlightSections(false);
  view->setFrameShape(QFrame::NoFrame);
  view->setStyleSheet("QTableView { border: none; border-radius: 0px; }");
  view->setSelectionBehavior(QAbstractItemView::SelectRows);
  view->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  view->setTabKeyNavigation(false);
  view->setWordWrap(false);
  view->setCornerButtonEnabled(false);
}

}  // namespace

ComparePage::ComparePage(EngineBridge* bridge, QWidget* parent)
    : QWidget(parent),
      bridge_(bridge),
      table_(new AblationModel(this)),
      differences_(new DifferenceModel(this)) {
  setProperty("role", "page");
  auto* whole = new QWidget;
  auto* layout = new QVBoxLayout(whole);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  auto* title = new QLabel("Compare");
  useFont(title, TextRole::title);
  chips_ = new QHBoxLayout;
  chips_->setSpacing(8);
  auto* top = new QHBoxLayout;
  top->setSpacing(16);
  top->addWidget(title);
  top->addLayout(chips_);
  top->addStretch();
  auto* copy = new QPushButton(lineIcon("copy"), " Copy table");
  copy->setToolTip("Copy the ablation table");
  auto* copy_menu = new QMenu(copy);
  for (auto [text, format] : {std::pair("Markdown", AblationModel::Format::markdown),
                              std::pair("LaTeX", AblationModel::Format::latex),
                              std::pair("CSV, every digit", AblationModel::Format::csv),
                              std::pair("TSV, every digit", AblationModel::Format::tsv)})
    copy_menu->addAction(text, this, [this, format] { copyTable(format); });
  copy->setMenu(copy_menu);
  auto* save = new QPushButton(lineIcon("export"), " Export figure…");
  copy->setProperty("role", "menu");
  save->setToolTip("SVG, PDF, PNG, or the numbers as CSV");
  connect(save, &QPushButton::clicked, this, &ComparePage::exportFigure);
  top->addWidget(copy);
  top->addWidget(save);
  layout->addLayout(top);

  auto* upper = new QSplitter(Qt::Horizontal);
  upper->addWidget(buildView());
  upper->addWidget(buildDifferences());
  upper->setStretchFactor(0, 1);
  upper->setSizes({590, 430});
  auto* split = new QSplitter(Qt::Vertical);
  split->addWidget(upper);
  split->addWidget(buildTable());
  split->setStretchFactor(0, 1);
  split->setSizes({460, 170});
  for (QSplitter* s : {upper, split}) {
    s->setHandleWidth(12);
    s->setChildrenCollapsible(false);
  }
  layout->addWidget(split, 1);

  auto* empty = new EmptyState(
      "Nothing to compare yet",
      "This page lays runs side by side: each component's accuracy with intervals, the ablation "
      "table, and what differs in their settings. Tick runs in the list on the left.",
      "Compose a run");
  connect(empty, &EmptyState::acted, this, &ComparePage::composeWanted);
  stack_ = new QStackedWidget;
  stack_->addWidget(empty);
  stack_->addWidget(whole);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(stack_);
  connect(bridge_, &EngineBridge::runUpdated, this, [this](qint64 id) {
    if (isVisible() && std::find(runs_.begin(), runs_.end(), id) != runs_.end()) refresh();
  });
}

QWidget* ComparePage::buildView() {
  bars_ = new BarPlot("accuracy by component", "accuracy, %");
  bars_->setPlaceholder("The chosen runs have no evaluation yet.");
  curves_ = new CurvePlot("accuracy over training", "optimizer step", "accuracy, %");
  curves_->setScaleY(1, 2);
  curves_->setPlaceholder("The chosen runs have no evaluation yet.");
  tasks_ = new QComboBox;
  tasks_->setAccessibleName("Tasks shown");
  tasks_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  tasks_->addItem("all tasks", "all");
  group_ = new QComboBox;
  group_->setAccessibleName("What the bars or curves show");
  group_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  group_->addItem("by run", "");
  views_ = new QButtonGroup(this);
  view_ = new QStackedWidget;
  view_->addWidget(bars_);
  view_->addWidget(curves_);
  legend_ = new QHBoxLayout;
  legend_->setSpacing(6);

  auto* top = new QFrame;
  top->setProperty("role", "card");
  auto* inside = new QVBoxLayout(top);
  inside->setContentsMargins(16, 8, 16, 8);
  inside->setSpacing(6);
  auto* head = new QHBoxLayout;
  head->setSpacing(8);
  int id = 0;
  for (const char* text : {"Bars", "Curves"}) {
    auto* button = new QPushButton(text);
    button->setCheckable(true);
    button->setProperty("role", "segment");
    views_->addButton(button, id++);
    head->addWidget(button);
  }
  views_->button(0)->setChecked(true);
  head->addStretch();
  head->addWidget(group_);
  head->addWidget(tasks_);
  inside->addLayout(head);
  inside->addWidget(view_, 1);
  inside->addLayout(legend_);
  connect(views_, &QButtonGroup::idClicked, this, [this](int i) {
    view_->setCurrentIndex(i);
    refresh();
  });
  connect(tasks_, &QComboBox::activated, this, &ComparePage::refresh);
  connect(group_, &QComboBox::activated, this, &ComparePage::refresh);

  return top;
}

QWidget* ComparePage::buildTable() {
  auto* bottom = new QFrame;
  bottom->setProperty("role", "card");
  auto* under = new QVBoxLayout(bottom);
  under->setContentsMargins(8, 8, 8, 8);
  under->setSpacing(4);
  auto* label = heading("Component ablation, last evaluation, ± 95 %");
  label->setContentsMargins(8, 0, 0, 0);
  under->addWidget(label);
  table_view_ = new QTableView;
  table_view_->setModel(table_);
  plainTable(table_view_, "Component ablation table");
  table_view_->setShowGrid(false);
  table_view_->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  under->addWidget(table_view_);
  return bottom;
}

QWidget* ComparePage::buildDifferences() {
  auto* frame = new QFrame;
  frame->setProperty("role", "card");
  frame->setMinimumWidth(220);
  auto* layout = new QVBoxLayout(frame);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->setSpacing(4);
  auto* label = heading("What differs");
  label->setContentsMargins(8, 0, 0, 0);
  layout->addWidget(label);
  difference_view_ = new QTableView;
  difference_view_->setModel(differences_);
  plainTable(difference_view_, "Configuration difference");
  difference_view_->setTextElideMode(Qt::ElideRight);
  difference_view_->setWordWrap(true);
  connect(difference_view_->horizontalHeader(), &QHeaderView::sectionResized, difference_view_,
          &QTableView::resizeRowsToContents);
  difference_view_->setShowGrid(false);
  difference_view_->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
  same_ = new QLabel;
  same_->setProperty("role", "secondary");
  same_->setWordWrap(true);
  same_->setContentsMargins(8, 0, 8, 0);
  layout->addWidget(difference_view_, 1);
  layout->addWidget(same_);
  layout->addStretch();
  return frame;
}

}  // namespace ui
