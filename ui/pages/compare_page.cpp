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

void clearLayout(QHBoxLayout* layout) {
  while (QLayoutItem* item = layout->takeAt(0)) {
    if (QWidget* w = item->widget()) {
      w->hide();
      w->deleteLater();
    }
    delete item;
  }
}

}  // namespace

ComparePage::ComparePage(EngineBridge* bridge, QWidget* parent)
    : QWidget(parent), bridge_(bridge), table_(new AblationModel(this)), differences_(new DifferenceModel(this)) {
  setProperty("role", "page");
  auto* whole = new QWidget;
  auto* layout = new QVBoxLayout(whole);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  auto* title = new QLabel("Compare");
  title->setFont(titleFont());
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
  for (auto [text, format] : {std::pair("Markdown", AblationModel::Format::markdown), std::pair("LaTeX", AblationModel::Format::latex),
                              std::pair("CSV, every digit", AblationModel::Format::csv), std::pair("TSV, every digit", AblationModel::Format::tsv)})
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
  upper->setSizes({680, 350});
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

  auto* empty = new EmptyState("Nothing to compare yet",
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

std::string ComparePage::task() const { return tasks_->currentData().toString().toStdString(); }

void ComparePage::setRuns(const std::vector<engine::RunId>& runs) {
  runs_ = runs;
  refresh();
}

std::vector<const RunData*> ComparePage::chosen() {
  std::vector<const RunData*> out;
  for (engine::RunId id : runs_)
    if (const RunData* one = bridge_->data(id)) out.push_back(one);
  return out;
}

QStringList ComparePage::labels(const std::vector<const RunData*>& chosen_runs) const {
  QStringList out;
  for (const RunData* run : chosen_runs) {
    QString name = QString::fromStdString(run->info.name);
    const auto alike = std::count_if(chosen_runs.begin(), chosen_runs.end(), [&](const RunData* r) { return r->info.name == run->info.name; });
    out << (alike > 1 ? QString("%1 #%2").arg(name).arg(run->info.id) : name);
  }
  return out;
}

void ComparePage::refresh() {
  const auto chosen_runs = chosen();
  stack_->setCurrentIndex(chosen_runs.empty() ? 0 : 1);
  if (chosen_runs.empty()) return;
  QStringList tasks, names;
  std::set<std::string> seen;
  for (const RunData* run : chosen_runs)
    for (const std::string& t : run->tasks())
      if (seen.insert(t).second) tasks << QString::fromStdString(t);
  QStringList have;
  for (int i = 0; i < tasks_->count(); ++i) have << tasks_->itemData(i).toString();
  if (!tasks.isEmpty() && tasks != have) {
    const QVariant before = tasks_->currentData();
    tasks_->clear();
    for (const QString& t : tasks) tasks_->addItem(t == "all" || t == "local" || t == "far" ? t + " tasks" : t, t);
    tasks_->setCurrentIndex(std::max(0, tasks_->findData(before)));
  }
  const bool curves = view_->currentIndex() == 1;
  QStringList groups{curves ? "" : ""};
  QStringList titles{curves ? "hybrid and swa" : "by run"};
  for (const RunData* run : chosen_runs)
    for (const std::string& c : run->components())
      if (const QString q = QString::fromStdString(c); !groups.contains(q)) {
        groups << q;
        titles << (curves ? q : q + " by task");
      }
  QStringList shown;
  for (int i = 0; i < group_->count(); ++i) shown << group_->itemText(i);
  if (shown != titles) {
    const QVariant before = group_->currentData();
    group_->clear();
    for (int i = 0; i < groups.size(); ++i) group_->addItem(titles[i], groups[i]);
    group_->setCurrentIndex(std::max(0, group_->findData(before)));
  }
  refreshChips(chosen_runs);
  table_->setRuns(chosen_runs, task());
  refreshBars(chosen_runs);
  refreshCurves(chosen_runs);
  std::vector<engine::Recipe> recipes;
  for (const RunData* run : chosen_runs) recipes.push_back(run->recipe);
  differences_->setRecipes(labels(chosen_runs), recipes);
  const bool any = differences_->rowCount() > 0;
  difference_view_->setVisible(any);
  same_->setVisible(!any);
  same_->setText(chosen_runs.size() < 2 ? "Tick a second run in the list to see what differs." : "The recipes are equal but for the name.");
  if (any) {
    auto* header = difference_view_->horizontalHeader();
    header->setMinimumSectionSize(80);
    header->setSectionResizeMode(chosen_runs.size() > 3 ? QHeaderView::Interactive : QHeaderView::Stretch);
    header->setSectionResizeMode(0, QHeaderView::ResizeToContents);
  }
}

void ComparePage::refreshChips(const std::vector<const RunData*>& chosen_runs) {
  clearLayout(chips_);
  const QStringList names = labels(chosen_runs);
  for (std::size_t i = 0; i < chosen_runs.size(); ++i) {
    auto* chip = new QPushButton(lineIcon("close"), names[int(i)]);
    chip->setLayoutDirection(Qt::RightToLeft);
    chip->setToolTip(QString("%1, %2. Press to take it out of the comparison.").arg(names[int(i)], stateText(chosen_runs[i]->info.state)));
    chip->setAccessibleName("Remove " + names[int(i)] + " from the comparison");
    const engine::RunId id = chosen_runs[i]->info.id;
    connect(chip, &QPushButton::clicked, this, [this, id] { Q_EMIT removed(id); });
    chips_->addWidget(chip);
  }
}

void ComparePage::refreshBars(const std::vector<const RunData*>& chosen_runs) {
  const Scheme scheme = schemeOf(this);
  const std::string component = group_->currentData().toString().toStdString();
  std::vector<BarSeries> series;
  QStringList groups;
  auto bar = [](const RunData* run, const std::string& c, const std::string& t) -> std::optional<Bar> {
    const auto score = run->lastScore(c, t);
    return score ? std::optional(Bar{score->value * 100, half95(score->stderr_) * 100}) : std::nullopt;
  };
  const QStringList names = labels(chosen_runs);
  if (component.empty() || view_->currentIndex() == 1) {
    groups = names;
    std::set<std::string> have;
    for (const RunData* run : chosen_runs)
      for (const std::string& c : run->components()) have.insert(c);
    for (const std::string& c : engine::component_names()) {
      if (!have.contains(c)) continue;
      BarSeries s{QString::fromStdString(c), [c](Scheme sc) { return componentStyle(QString::fromStdString(c), sc); }, {}};
      for (const RunData* run : chosen_runs) s.bars.push_back(bar(run, c, task()));
      series.push_back(std::move(s));
    }
  } else {
    for (int i = 0; i < tasks_->count(); ++i) groups << tasks_->itemData(i).toString();
    for (std::size_t r = 0; r < chosen_runs.size(); ++r) {
      BarSeries s{names[int(r)], [component, r](Scheme sc) { return runStyle(componentStyle(QString::fromStdString(component), sc), int(r), sc); }, {}};
      for (const QString& t : groups) s.bars.push_back(bar(chosen_runs[r], component, t.toStdString()));
      series.push_back(std::move(s));
    }
  }
  clearLayout(legend_);
  legend_->addStretch();
  for (const BarSeries& s : series) {
    auto* picture = new QLabel;
    picture->setPixmap(legendPixmap(s.style(scheme), {26, 14}, devicePixelRatioF()));
    auto* text = new QLabel(s.label);
    text->setFont(secondaryFont());
    legend_->addWidget(picture);
    legend_->addWidget(text);
    legend_->addSpacing(10);
  }
  legend_->addStretch();
  bars_->setData(groups, std::move(series));
}

void ComparePage::refreshCurves(const std::vector<const RunData*>& chosen_runs) {
  const std::string wanted = group_->currentData().toString().toStdString();
  const std::vector<std::string> components = wanted.empty() ? std::vector<std::string>{"hybrid", "swa"} : std::vector{wanted};
  const QStringList names = labels(chosen_runs);
  QStringList keep;
  for (std::size_t r = 0; r < chosen_runs.size(); ++r)
    for (const std::string& c : components) {
      const QString id = QString("%1/%2").arg(chosen_runs[r]->info.id).arg(QString::fromStdString(c));
      keep << id;
      const auto* points = chosen_runs[r]->score(c, task());
      if (!curves_->curves().contains(id))
        curves_->setCurve({id, components.size() > 1 && c != "hybrid" ? names[int(r)] + " swa" : names[int(r)],
                           [c, r](Scheme s) { return runStyle(componentStyle(QString::fromStdString(c), s), int(r), s); }, true, 0});
      curves_->setPoints(id, points ? asCurve(*points, 100) : std::vector<CurvePoint>{});
    }
  for (const QString& id : curves_->curves())
    if (!keep.contains(id)) curves_->removeCurve(id);
}

void ComparePage::copyTable(AblationModel::Format format) {
  QApplication::clipboard()->setText(table_->text(format));
  Q_EMIT notice("The table is on the clipboard.", false);
}

void ComparePage::exportFigure() {
  auto* dialog = new QFileDialog(this, "Export the figure", "comparison.svg", "Figures and data (*.svg *.pdf *.png *.csv)");
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setDefaultSuffix("svg");
  connect(dialog, &QFileDialog::fileSelected, this, [this](const QString& file) {
    const bool done = view_->currentIndex() == 1 ? curves_->exportTo(file) : bars_->exportTo(file);
    Q_EMIT notice(done ? "Exported " + file : file + " cannot be written.", !done);
  });
  dialog->open();
}

void ComparePage::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::StyleChange && bars_) refresh();
}

}  // namespace ui
