#include <QApplication>
#include <QButtonGroup>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QStackedWidget>
#include <QTableView>
#include <QToolButton>

#include "ui/forms/smoothing_box.h"
#include "ui/models/table_text.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/empty_state.h"
#include "ui/pages/page_parts.h"
#include "ui/plots/curve_link.h"
#include "ui/plots/curve_plot.h"
#include "ui/plots/scatter_plot.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr char k_no_evaluation[] = "The chosen runs have no evaluation yet.";

void plainTable(QTableView* view, const QString& name) {
  view->setAccessibleName(name);
  view->verticalHeader()->hide();
  view->verticalHeader()->setDefaultSectionSize(QFontMetrics(QApplication::font()).height() + 12);
  view->horizontalHeader()->setHighlightSections(false);
  view->setFrameShape(QFrame::NoFrame);
  view->setSelectionBehavior(QAbstractItemView::SelectRows);
  view->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  view->setTabKeyNavigation(false);
  view->setWordWrap(false);
  view->setCornerButtonEnabled(false);
  view->setShowGrid(false);
}

/// Chips in one line that scrolls sideways where there are many.
class ChipLine : public QScrollArea {
 public:
  explicit ChipLine(QWidget* content) {
    setWidgetResizable(true);
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::NoFocus);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    content->setProperty("role", "canvas");
    setWidget(content);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  }
  QSize sizeHint() const override {
    const QSize inner = widget()->sizeHint();
    const bool over = width() > 0 && inner.width() > width();
    return {inner.width(),
            inner.height() + (over ? horizontalScrollBar()->sizeHint().height() : 0)};
  }
  QSize minimumSizeHint() const override { return {80, sizeHint().height()}; }

 protected:
  void resizeEvent(QResizeEvent* event) override {
    QScrollArea::resizeEvent(event);
    updateGeometry();
  }
};

}  // namespace

ComparePage::ComparePage(EngineBridge* bridge, QWidget* parent)
    : QWidget(parent),
      bridge_(bridge),
      table_(new AblationModel(this)),
      paired_(newRows(this, pairedColumns())),
      differences_(new DifferenceModel(this)) {
  setProperty("role", "page");
  auto* whole = new QWidget;
  auto* layout = new QVBoxLayout(whole);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  layout->addWidget(buildHeader());
  auto* upper = plainSplitter(Qt::Horizontal);
  upper->addWidget(buildView());
  upper->addWidget(buildDifferences());
  upper->setStretchFactor(0, 1);
  upper->setSizes({640, 380});
  auto* split = plainSplitter(Qt::Vertical);
  split->addWidget(upper);
  split->addWidget(buildTable());
  split->setStretchFactor(0, 1);
  split->setSizes({430, 200});
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

QWidget* ComparePage::buildHeader() {
  auto* title = new QLabel("Compare");
  useFont(title, TextRole::title);
  auto* chips = new QWidget;
  chips_ = new QHBoxLayout(chips);
  chips_->setContentsMargins(0, 0, 0, 0);
  chips_->setSpacing(8);
  auto menuButton = [](const QString& icon, const QString& text, const QString& tip) {
    auto* button = new QPushButton(lineIcon(icon), " " + text);
    button->setProperty("role", "menu");
    button->setToolTip(tip);
    return button;
  };
  buildPaperMenu();
  auto* paper = menuButton("info", "Paper", "Rows that the paper prints, beside your own");
  paper->setMenu(paper_menu_);
  auto* copy = menuButton("copy", "Copy table", "Copy the table that is shown");
  auto* copy_menu = new QMenu(copy);
  for (const auto& [text, format] : tableFormats())
    copy_menu->addAction(text, this, [this, format] { copyTable(format); });
  copy->setMenu(copy_menu);
  auto* save = menuButton("export", "Export", "The figure or a report as a file");
  auto* save_menu = new QMenu(save);
  save_menu->addAction("Figure…", this, &ComparePage::exportFigure)
      ->setToolTip("SVG, PDF, PNG, or the numbers as CSV");
  save_menu->addAction("Report of these runs…", this, &ComparePage::reportWanted)
      ->setToolTip("One self-contained HTML or PDF file");
  save->setMenu(save_menu);
  auto* grid = new QPushButton(lineIcon("sweep"), " Grid…");
  grid->setToolTip("Evaluate components on tasks for any checkpoints of these runs");
  connect(grid, &QPushButton::clicked, this, &ComparePage::gridWanted);
  auto* header = new QWidget;
  auto* row = new QHBoxLayout(header);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  row->addWidget(title);
  row->addSpacing(8);
  row->addWidget(new ChipLine(chips), 1);
  row->addWidget(grid);
  row->addWidget(paper);
  row->addWidget(copy);
  row->addWidget(save);
  return header;
}

void ComparePage::buildPaperMenu() {
  paper_menu_ = new QMenu("Rows of the paper", this);
  paper_menu_->setToolTipsVisible(true);
  paper_menu_->addAction("Show none", this, [this] { showPaper({}); });
  paper_menu_->addSeparator();
  QMenu* table = nullptr;
  for (const PaperBlock& block : paperBlocks()) {
    if (!table || table->property("table").toString() != block.table) {
      const QString caption = QString::fromStdString(block.source->caption);
      table = paper_menu_->addMenu(
          block.table + "  " +
          (caption.size() > 64 ? caption.left(63).section(' ', 0, -2) + "…" : caption));
      table->setProperty("table", block.table);
      table->setToolTip(caption);
    }
    QAction* action = table->addAction(block.title);
    action->setCheckable(true);
    action->setData(block.id);
    connect(action, &QAction::triggered, this, [this, id = block.id](bool on) {
      QStringList ids = paper_;
      on ? ids.append(id) : void(ids.removeAll(id));
      showPaper(ids);
    });
  }
}

QWidget* ComparePage::buildView() {
  bars_ = new BarPlot("accuracy by component", "accuracy, %");
  bars_->setPlaceholder(k_no_evaluation);
  scatter_ = new ScatterPlot("accuracy against linear use");
  scatter_->setPlaceholder("No run has both a hybrid accuracy and this difference yet.");
  view_ = new QStackedWidget;
  view_->addWidget(bars_);
  view_->addWidget(buildCurves());
  view_->addWidget(scatter_);
  tasks_ = new QComboBox;
  tasks_->setAccessibleName("Tasks shown");
  tasks_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  tasks_->addItem("all tasks", "all");
  group_ = new QComboBox;
  group_->setAccessibleName("What the figure shows");
  group_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  group_->addItem("by run", "");
  x_ = new QComboBox;
  x_->setAccessibleName("What the curves are drawn over");
  x_->setToolTip("Steps, epochs, tokens seen, or the time at which a step was logged");
  for (const XAxisInfo& axis : xAxes()) x_->addItem(axis.choice);
  formula_ = new QToolButton;
  formula_->setProperty("role", "flat");
  formula_->setText("ƒ…");
  formula_->setToolTip("A series by formula, such as hybrid - swa");
  formula_->setAccessibleName("Series by formula");
  smooth_ = new SmoothingBox("curves");
  missing_ = noteLabel();
  missing_->setObjectName("missing series");
  missing_->hide();
  by_ = new QComboBox;
  by_->setAccessibleName("How runs are grouped");
  by_->setToolTip("A row a run; runs of one setting (equal but for name and seed) as their mean; or runs with "
                  "one value of a setting as their mean");
  by_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  by_->setMaximumWidth(180);
  by_->addItem("each run", "");
  by_->addItem("seeds together", "setting");
  spread_ = new QComboBox;
  spread_->setAccessibleName("What stands behind a mean");
  spread_->setToolTip("Student's 95 % interval of the mean, the runs' standard deviation, the mean's standard error, or the least and "
                      "the greatest of the runs. A run that stands alone keeps its 95 % interval over examples");
  for (auto spread : {Grouping::Spread::interval, Grouping::Spread::deviation, Grouping::Spread::error, Grouping::Spread::range})
    spread_->addItem(spreadText(spread));
  views_ = new QButtonGroup(this);
  legend_ = new QHBoxLayout;
  legend_->setSpacing(6);

  QFrame* card = newCard();
  auto* inside = new QVBoxLayout(card);
  inside->setContentsMargins(16, 8, 16, 8);
  inside->setSpacing(6);
  inside->addLayout(segmentRow(views_, {"Bars", "Curves", "Scatter"}, {smooth_, group_, formula_, tasks_}));
  auto* second = new QHBoxLayout;
  second->setSpacing(8);
  second->addWidget(beneath_);
  second->addStretch();
  for (QWidget* one : std::initializer_list<QWidget*>{x_, by_, spread_}) second->addWidget(one);
  inside->addLayout(second);
  inside->addWidget(view_, 1);
  inside->addLayout(legend_);
  inside->addWidget(missing_);
  connect(views_, &QButtonGroup::idClicked, this, [this](int i) { showView(View(i)); });
  connect(by_, &QComboBox::activated, this, &ComparePage::refresh);
  connect(spread_, &QComboBox::activated, this, &ComparePage::redrawCurves);
  connect(tasks_, &QComboBox::activated, this, &ComparePage::refresh);
  for (QComboBox* box : {group_, beneath_})
    connect(box, &QComboBox::activated, this, [this] {
      refresh();
      fitCurves();
    });
  connect(x_, &QComboBox::activated, this, &ComparePage::showAxis);
  connect(formula_, &QToolButton::clicked, this, &ComparePage::editFormulas);
  return card;
}

/// Two plots over one x axis; the second one on demand.
QWidget* ComparePage::buildCurves() {
  curves_ = new CurvePlot("accuracy over training", "optimizer step", "accuracy, %");
  beneath_plot_ = new CurvePlot("curves beneath", "optimizer step", "loss");
  auto* both = plainSplitter(Qt::Vertical);
  for (CurvePlot* plot : {curves_, beneath_plot_}) {
    plot->setScaleY(1, 2);
    plot->setPlaceholder(k_no_evaluation);
    both->addWidget(plot);
  }
  both->setSizes({250, 250});
  beneath_plot_->hide();
  linkCurves({curves_, beneath_plot_});
  beneath_ = new QComboBox;
  beneath_->setAccessibleName("What a second plot beneath shows");
  beneath_->setToolTip("Other curves of the same runs, over the same axis and under the same crosshair");
  beneath_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  beneath_->setMaximumWidth(190);
  beneath_->addItem("nothing beneath");
  return both;
}

QWidget* ComparePage::buildTable() {
  lowers_ = new QButtonGroup(this);
  table_note_ = noteLabel();
  table_note_->setWordWrap(false);
  table_view_ = new QTableView;
  table_view_->setModel(table_);
  plainTable(table_view_, "Component ablation table");
  table_view_->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  table_view_->horizontalHeader()->setMaximumSectionSize(
      26 * QFontMetrics(QApplication::font()).averageCharWidth());
  paired_view_ = new QTableView;
  paired_view_->setModel(paired_);
  plainTable(paired_view_, "Paired tests");
  paired_view_->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  tables_ = new QStackedWidget;
  tables_->addWidget(table_view_);
  tables_->addWidget(paired_view_);
  QFrame* card = newCard();
  auto* under = new QVBoxLayout(card);
  under->setContentsMargins(8, 4, 8, 8);
  under->setSpacing(4);
  auto* head = segmentRow(lowers_, {"Components", "Tasks", "Paired tests"}, {table_note_});
  head->setContentsMargins(8, 0, 8, 0);
  under->addLayout(head);
  under->addWidget(tables_);
  connect(lowers_, &QButtonGroup::idClicked, this, [this](int i) { showLower(Lower(i)); });
  return card;
}

QWidget* ComparePage::buildDifferences() {
  QFrame* frame = newCard();
  frame->setMinimumWidth(220);
  auto* layout = new QVBoxLayout(frame);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->setSpacing(4);
  auto* label = partHeading("What differs");
  label->setContentsMargins(8, 0, 0, 0);
  layout->addWidget(label);
  difference_view_ = new QTableView;
  difference_view_->setModel(differences_);
  plainTable(difference_view_, "Configuration difference");
  difference_view_->setTextElideMode(Qt::ElideRight);
  difference_view_->setWordWrap(true);
  connect(difference_view_->horizontalHeader(), &QHeaderView::sectionResized, difference_view_,
          &QTableView::resizeRowsToContents);
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

void ComparePage::fillLegend(const std::vector<BarSeries>& series) {
  clearLayout(legend_);
  legend_->addStretch();
  auto add = [this](const SeriesStyle& style, const QString& label) {
    auto* picture = new QLabel;
    picture->setPixmap(legendPixmap(style, {26, 14}, devicePixelRatioF()));
    auto* text = new QLabel(label);
    useFont(text, TextRole::secondary);
    legend_->addWidget(picture);
    legend_->addWidget(text);
    legend_->addSpacing(10);
  };
  for (const BarSeries& s : series) add(s.style(schemeOf(this)), s.label);
  if (std::any_of(rows_.begin(), rows_.end(), [](const ComparedRow& r) { return r.runs.size() > 1; })) {
    auto* text = new QLabel(QString(view_->currentIndex() == Curves ? "bands of groups: " : "whiskers of groups: ") +
                            spreadText(grouping().spread));
    text->setProperty("role", "secondary");
    useFont(text, TextRole::secondary);
    legend_->addWidget(text);
    legend_->addSpacing(10);
  }
  if (!paper_.isEmpty()) {
    const Colors& c = colorsOf(this);
    add({view_->currentIndex() == Scatter ? c.secondary : c.text, Qt::DashLine, 1.6,
         view_->currentIndex() == Scatter ? Marker::square : Marker::none, true},
        "the paper, as printed");
  }
  legend_->addStretch();
}

}  // namespace ui
