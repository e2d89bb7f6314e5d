#include "ui/pages/compare_page.h"

#include <QApplication>
#include <QButtonGroup>
#include <QClipboard>
#include <QComboBox>
#include <QEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHeaderView>
#include <QLabel>
#include <QMenu>
#include <QRegularExpression>
#include <QStackedWidget>
#include <QTableView>
#include <QTimer>
#include <QToolButton>
#include <QVBoxLayout>
#include <set>

#include "ui/forms/smoothing_box.h"
#include "ui/models/table_text.h"
#include "ui/plots/curve_plot.h"
#include "ui/plots/scatter_plot.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr char k_nothing[] = "nothing";
const QString k_beneath = "beneath: ";  ///< before the titles of what the second plot may show

}  // namespace

std::string ComparePage::task() const { return tasks_->currentData().toString().toStdString(); }

void ComparePage::setRuns(const std::vector<engine::RunId>& runs) {
  std::vector<engine::RunId> next;
  auto has = [](const std::vector<engine::RunId>& in, engine::RunId id) {
    return std::find(in.begin(), in.end(), id) != in.end();
  };
  for (engine::RunId id : runs_)
    if (has(runs, id)) next.push_back(id);
  for (engine::RunId id : runs)
    if (!has(next, id)) next.push_back(id);
  runs_ = std::move(next);
  refresh();
}

void ComparePage::moveRun(engine::RunId run, int by) {
  const auto at = std::find(runs_.begin(), runs_.end(), run);
  if (at == runs_.end()) return;
  const auto to = std::clamp<long>(at - runs_.begin() + by, 0, long(runs_.size()) - 1);
  runs_.erase(at);
  runs_.insert(runs_.begin() + to, run);
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
    const auto alike = std::count_if(chosen_runs.begin(), chosen_runs.end(), [&](const RunData* r) {
      return r->info.name == run->info.name;
    });
    out << (alike > 1 ? QString("%1 #%2").arg(name).arg(run->info.id) : name);
  }
  return out;
}

std::vector<ComparedRow> ComparePage::printed() const {
  std::vector<ComparedRow> out;
  for (const PaperBlock& block : paperBlocks())
    if (paper_.contains(block.id)) out.push_back(printedRow(block));
  return out;
}

void ComparePage::refresh() {
  const auto chosen_runs = chosen();
  stack_->setCurrentIndex(chosen_runs.empty() ? 0 : 1);
  if (chosen_runs.empty()) return;
  for (QWidget* one : std::initializer_list<QWidget*>{x_, formula_, beneath_, smooth_})
    one->setVisible(view_->currentIndex() == Curves);
  const QStringList names = labels(chosen_runs);
  rows_ = comparedRows(chosen_runs, names, grouping());
  refreshTasks();
  refreshGroups();
  refreshChips(chosen_runs);
  auto table_rows = rows_;
  for (std::size_t i = 0; i < chosen_runs.size(); ++i)
    for (ComparedRow& row : triedRows(*chosen_runs[i], names[qsizetype(i)]))
      table_rows.push_back(std::move(row));
  for (ComparedRow& row : printed()) table_rows.push_back(std::move(row));
  const bool by_task = lowers_->checkedId() == Tasks;
  table_->setRows(table_rows,
                  by_task ? AblationModel::Layout::tasks : AblationModel::Layout::components,
                  task());
  const QString half = spreadText(grouping().by.empty() ? Grouping::Spread::interval : grouping().spread);
  spread_->setVisible(!grouping().by.empty());
  table_note_->setText(lowers_->checkedId() == Paired ? "exact McNemar test on the same examples"
                       : by_task                      ? "last evaluation, in percent, " + half
                                 : "last evaluation on " + taskTitle(task()) + ", " + half);
  refreshBars();
  refreshCurves();
  refreshScatter();
  if (lowers_->checkedId() == Paired) refreshPaired(chosen_runs);
  refreshDifferences(chosen_runs);
}

/// Fills a box only where its entries are not the same, so that an open list stays open.
static void fillBox(QComboBox* box, const QStringList& titles, const QStringList& keys) {
  QStringList shown;
  for (int i = 0; i < box->count(); ++i) shown << box->itemText(i);
  if (shown == titles) return;
  const QVariant before = box->currentData();
  box->clear();
  for (int i = 0; i < titles.size(); ++i) box->addItem(titles[i], keys[i]);
  box->setCurrentIndex(std::max(0, box->findData(before)));
}

void ComparePage::refreshTasks() {
  QStringList titles, keys;
  for (const std::string& t : comparedTasks(rows_)) {
    titles << taskTitle(t);
    keys << QString::fromStdString(t);
  }
  if (!keys.isEmpty()) fillBox(tasks_, titles, keys);
}

void ComparePage::refreshGroups() {
  QStringList titles, keys;
  switch (view_->currentIndex()) {
    case Bars:
      titles << "by run";
      keys << "";
      for (const std::string& c : comparedComponents(rows_, false)) {
        titles << QString::fromStdString(c) + " by task";
        keys << QString::fromStdString(c);
      }
      break;
    case Curves:
      addCurveChoices(titles, keys);
      fillBox(beneath_, QStringList{"nothing beneath"} + QStringList(titles).replaceInStrings(QRegularExpression("^"), k_beneath),
              QStringList{k_nothing} + keys);
      break;
    default:
      titles << "over Δ hybrid − swa"
             << "over Δ linear − none";
      keys << "delta_h_swa"
           << "delta_la_na";
  }
  fillBox(group_, titles, keys);
}

void ComparePage::refreshBars() {
  if (view_->currentIndex() != Bars) return;
  const std::string component = group_->currentData().toString().toStdString();
  const auto paper = printed();
  std::vector<BarSeries> series;
  QStringList groups;
  auto bar = [](const ComparedRow& row, const std::string& c,
                const std::string& t) -> std::optional<Bar> {
    const Estimate* e = row.find(c, t);
    return e ? std::optional(Bar{e->value * 100, e->half * 100, e->up() * 100, e->spread}) : std::nullopt;
  };
  auto percent = [](const Estimate* e) { return e ? std::optional(e->value * 100) : std::nullopt; };
  if (component.empty()) {
    for (const ComparedRow& row : rows_) groups << row.name;
    for (const std::string& c : comparedComponents(rows_, false)) {
      BarSeries s{QString::fromStdString(c),
                  [c](Scheme sc) { return componentStyle(QString::fromStdString(c), sc); },
                  {},
                  {}};
      for (const ComparedRow& row : rows_) s.bars.push_back(bar(row, c, task()));
      for (const ComparedRow& row : paper)
        s.levels.push_back({row.name, std::vector(rows_.size(), percent(row.find(c, task())))});
      series.push_back(std::move(s));
    }
  } else {
    for (int i = 0; i < tasks_->count(); ++i) groups << tasks_->itemData(i).toString();
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      BarSeries s{rows_[r].name,
                  [component, r](Scheme sc) {
                    return runStyle(componentStyle(QString::fromStdString(component), sc), int(r),
                                    sc);
                  },
                  {},
                  {}};
      for (const QString& t : groups) s.bars.push_back(bar(rows_[r], component, t.toStdString()));
      for (const ComparedRow& row : paper) {
        BarSeries::Level level{row.name, {}};
        for (const QString& t : groups)
          level.values.push_back(percent(row.find(component, t.toStdString())));
        s.levels.push_back(std::move(level));
      }
      series.push_back(std::move(s));
    }
  }
  fillLegend(series);
  bars_->setData(groups, std::move(series));
}

void ComparePage::refreshScatter() {
  if (view_->currentIndex() != Scatter) return;
  const std::string use = group_->currentData().toString().toStdString();
  scatter_->setAxes(componentTitle(use) + ", points", "hybrid accuracy, %");
  std::vector<ScatterPoint> points;
  auto add = [&](const ComparedRow& row, const std::function<SeriesStyle(Scheme)>& style) {
    const Estimate* x = row.find(use, task());
    const Estimate* y = row.find("hybrid", task());
    if (x && y)
      points.push_back(
          {row.name, style, x->value * 100, x->half * 100, y->value * 100, y->half * 100,
           x->up() * 100, y->up() * 100, y->spread});
  };
  for (std::size_t r = 0; r < rows_.size(); ++r)
    add(rows_[r], [r](Scheme s) { return runStyle(componentStyle("hybrid", s), int(r), s); });
  for (const ComparedRow& row : printed())
    add(row, [](Scheme s) {
      return SeriesStyle{colorsFor(s).secondary, Qt::DashLine, 1.2, Marker::square, true};
    });
  scatter_->setPoints(std::move(points));
  fillLegend({});
}

void ComparePage::refreshPaired(const std::vector<const RunData*>& chosen_runs) {
  const auto rows = pairedRows(chosen_runs, labels(chosen_runs), task(),
                               [this](const RunData& run, std::int64_t step,
                                      const std::string& component, const std::string& single) {
                                 return bridge_->outcomes(run.info.id, step, component, single);
                               });
  paired_->setRows(pairedCells(rows));
  const bool needs_choice = task() == "local" || task() == "far";
  if (needs_choice)
    table_note_->setText("choose all tasks or a single one");
  else if (chosen_runs.size() < 2)
    table_note_->setText("tick a second run in the list");
}

void ComparePage::refreshDifferences(const std::vector<const RunData*>& chosen_runs) {
  // A run's recipe never changes.
  std::pair<std::vector<engine::RunId>, QStringList> of{runs_, labels(chosen_runs)};
  if (of == differences_of_) return;
  differences_of_ = std::move(of);
  // Hundreds of recipes take a while: the scores are shown before.
  if (chosen_runs.size() > 32)
    QTimer::singleShot(0, this, [this] { showDifferences(chosen()); });
  else
    showDifferences(chosen_runs);
}

void ComparePage::showDifferences(const std::vector<const RunData*>& chosen_runs) {
  std::vector<engine::Recipe> recipes;
  for (const RunData* run : chosen_runs) recipes.push_back(run->recipe);
  differences_->setRecipes(labels(chosen_runs), recipes);
  fillGrouping();
  const bool any = differences_->rowCount() > 0;
  difference_view_->setVisible(any);
  same_->setVisible(!any);
  same_->setText(chosen_runs.size() < 2 ? "Tick a second run in the list to see what differs."
                                        : "The recipes are equal but for the name.");
  if (!any) return;
  auto* header = difference_view_->horizontalHeader();
  header->setMinimumSectionSize(60);
  header->setSectionResizeMode(chosen_runs.size() > 3 ? QHeaderView::Interactive
                                                      : QHeaderView::Stretch);
  header->setSectionResizeMode(0, QHeaderView::ResizeToContents);
  // Values wrap where a few columns share the room; many columns scroll instead.
  if (chosen_runs.size() <= 8)
    QTimer::singleShot(0, difference_view_, &QTableView::resizeRowsToContents);
}

void ComparePage::showPaper(const QStringList& ids) {
  paper_.clear();
  for (const PaperBlock& block : paperBlocks())
    if (ids.contains(block.id)) paper_ << block.id;
  for (QAction* action : paper_menu_->findChildren<QAction*>())
    if (action->isCheckable()) action->setChecked(paper_.contains(action->data().toString()));
  refresh();
}

void ComparePage::showView(View view) {
  views_->button(view)->setChecked(true);
  view_->setCurrentIndex(view);
  refresh();
}

void ComparePage::showLower(Lower what) {
  lowers_->button(what)->setChecked(true);
  tables_->setCurrentIndex(what == Paired ? 1 : 0);
  refresh();
}

void ComparePage::groupBy(const Grouping& grouping) {
  const QString by = QString::fromStdString(grouping.by);
  if (by_->findData(by) < 0) by_->addItem("by " + by, by);
  by_->setCurrentIndex(by_->findData(by));
  spread_->setCurrentIndex(int(grouping.spread));
  redrawCurves();
}

Grouping ComparePage::grouping() const {
  return {by_->currentData().toString().toStdString(), Grouping::Spread(spread_->currentIndex())};
}

/// Beside seeds, every setting in which the runs differ.
void ComparePage::fillGrouping() {
  QStringList titles{"each run", "seeds together"}, keys{"", "setting"};
  auto add = [&](const QString& path) {
    if (keys.contains(path) || path == "name" || path == "seed") return;
    titles << "by " + path;
    keys << path;
  };
  add(by_->currentData().toString());
  for (int row = 0; row < differences_->rowCount(); ++row)
    add(differences_->index(row, 0).data(Qt::ToolTipRole).toString());
  fillBox(by_, titles, keys);
}

void ComparePage::showBeneath(const QString& title) {
  if (view_->currentIndex() != Curves) showView(Curves);
  beneath_->setCurrentIndex(std::max(0, beneath_->findText(k_beneath + title)));
  refresh();
  fitCurves();
}

QString ComparePage::beneath() const {
  return beneath_->currentIndex() > 0 ? beneath_->currentText().mid(k_beneath.size()) : QString();
}

QString ComparePage::tableText(AblationModel::Format format) const {
  return lowers_->checkedId() == Paired ? rowsText(*paired_, format) : table_->text(format);
}

void ComparePage::copyTable(AblationModel::Format format) {
  QApplication::clipboard()->setText(tableText(format));
  Q_EMIT notice("The table is on the clipboard.", false);
}

bool ComparePage::exportFigureTo(const QString& file) {
  const bool done = view_->currentIndex() == Bars     ? bars_->exportTo(file)
                    : view_->currentIndex() == Curves ? curves_->exportTo(file)
                                                      : scatter_->exportTo(file);
  Q_EMIT notice(done ? "Exported " + file : file + " cannot be written.", !done);
  return done;
}

void ComparePage::exportFigure() {
  auto* dialog = new QFileDialog(
      this, "Export the figure", "comparison.svg",
      "SVG figure (*.svg);;PDF figure (*.pdf);;PNG figure (*.png);;Every number as CSV (*.csv)");
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setDefaultSuffix("svg");
  connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) {
    dialog->setDefaultSuffix(filter.section("*.", 1, 1).section(')', 0, 0));
  });
  connect(dialog, &QFileDialog::fileSelected, this, &ComparePage::exportFigureTo);
  dialog->open();
}

void ComparePage::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (!changesLook(event) || !stack_) return;
  differences_of_ = {};  // their rows are as high as the text
  refresh();
}

}  // namespace ui
