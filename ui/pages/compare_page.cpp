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
    const auto alike = std::count_if(chosen_runs.begin(), chosen_runs.end(), [&](const RunData* r) {
      return r->info.name == run->info.name;
    });
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
    for (const QString& t : tasks)
      tasks_->addItem(t == "all" || t == "local" || t == "far" ? t + " tasks" : t, t);
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
  same_->setText(chosen_runs.size() < 2 ? "Tick a second run in the list to see what differs."
                                        : "The recipes are equal but for the name.");
  if (any) {
    auto* header = difference_view_->horizontalHeader();
    header->setMinimumSectionSize(60);
    header->setSectionResizeMode(chosen_runs.size() > 3 ? QHeaderView::Interactive
                                                        : QHeaderView::Stretch);
    header->setSectionResizeMode(0, QHeaderView::ResizeToContents);
    QTimer::singleShot(0, difference_view_, &QTableView::resizeRowsToContents);
  }
}

void ComparePage::refreshChips(const std::vector<const RunData*>& chosen_runs) {
  clearLayout(chips_);
  const QStringList names = labels(chosen_runs);
  for (std::size_t i = 0; i < chosen_runs.size(); ++i) {
    auto* chip = new QPushButton(lineIcon("close"), names[int(i)]);
    chip->setLayoutDirection(Qt::RightToLeft);
    chip->setToolTip(QString("%1, %2. Press to take it out of the comparison.")
                         .arg(names[int(i)], stateText(chosen_runs[i]->info.state)));
    chip->setAccessibleName("Remove " + names[int(i)] + " from the comparison");
    const engine::RunId id = chosen_runs[i]->info.id;
    connect(chip, &QPushButton::clicked, this, [this, id] { Q_EMIT removed(id); });
    chips_->addWidget(chip);
  }
}

void ComparePage::refreshBars(const std::vector<const RunData*>& chosen_runs) {
  const std::string component = group_->currentData().toString().toStdString();
  std::vector<BarSeries> series;
  QStringList groups;
  auto bar = [](const RunData* run, const std::string& c,
                const std::string& t) -> std::optional<Bar> {
    const auto score = run->lastScore(c, t);
    return score ? std::optional(Bar{score->value * 100, half95(score->stderr_) * 100})
                 : std::nullopt;
  };
  const QStringList names = labels(chosen_runs);
  if (component.empty() || view_->currentIndex() == 1) {
    groups = names;
    std::set<std::string> have;
    for (const RunData* run : chosen_runs)
      for (const std::string& c : run->components()) have.insert(c);
    for (const std::string& c : engine::component_names()) {
      if (!have.contains(c)) continue;
      BarSeries s{QString::fromStdString(c),
                  [c](Scheme sc) { return componentStyle(QString::fromStdString(c), sc); },
                  {}};
      for (const RunData* run : chosen_runs) s.bars.push_back(bar(run, c, task()));
      series.push_back(std::move(s));
    }
  } else {
    for (int i = 0; i < tasks_->count(); ++i) groups << tasks_->itemData(i).toString();
    for (std::size_t r = 0; r < chosen_runs.size(); ++r) {
      BarSeries s{names[int(r)],
                  [component, r](Scheme sc) {
                    return runStyle(componentStyle(QString::fromStdString(component), sc), int(r),
                                    sc);
                  },
                  {}};
      for (const QString& t : groups)
        s.bars.push_back(bar(chosen_runs[r], component, t.toStdString()));
      series.push_back(std::move(s));
    }
  }
  if (view_->currentIndex() == 0) fillLegend(series);
  bars_->setData(groups, std::move(series));
}

void ComparePage::fillLegend(const std::vector<BarSeries>& series) {
  clearLayout(legend_);
  legend_->addStretch();
  for (const BarSeries& s : series) {
    auto* picture = new QLabel;
    picture->setPixmap(legendPixmap(s.style(schemeOf(this)), {26, 14}, devicePixelRatioF()));
    auto* text = new QLabel(s.label);
    useFont(text, TextRole::secondary);
    legend_->addWidget(picture);
    legend_->addWidget(text);
    legend_->addSpacing(10);
  }
  legend_->addStretch();
}

void ComparePage::refreshCurves(const std::vector<const RunData*>& chosen_runs) {
  const std::string wanted = group_->currentData().toString().toStdString();
  const std::vector<std::string> components =
      wanted.empty() ? std::vector<std::string>{"hybrid", "swa"} : std::vector{wanted};
  const QStringList names = labels(chosen_runs);
  QStringList keep;
  for (std::size_t r = 0; r < chosen_runs.size(); ++r)
    for (const std::string& c : components) {
      const QString id =
          QString("%1/%2").arg(chosen_runs[r]->info.id).arg(QString::fromStdString(c));
      keep << id;
      const auto* points = chosen_runs[r]->score(c, task());
      if (!curves_->curves().contains(id))
        curves_->setCurve(
            {id, components.size() > 1 && c != "hybrid" ? names[int(r)] + " swa" : names[int(r)],
             [c, r](Scheme s) {
               return runStyle(componentStyle(QString::fromStdString(c), s), int(r), s);
             },
             true, 0});
      curves_->setPoints(id, points ? asCurve(*points, 100) : std::vector<CurvePoint>{});
    }
  if (view_->currentIndex() == 1) {
    std::vector<BarSeries> shown;
    for (const std::string& c : components)
      shown.push_back({QString::fromStdString(c),
                       [c](Scheme sc) { return componentStyle(QString::fromStdString(c), sc); },
                       {}});
    fillLegend(shown);
  }
  for (const QString& id : curves_->curves())
    if (!keep.contains(id)) curves_->removeCurve(id);
}

void ComparePage::copyTable(AblationModel::Format format) {
  QApplication::clipboard()->setText(table_->text(format));
  Q_EMIT notice("The table is on the clipboard.", false);
}

void ComparePage::exportFigure() {
  auto* dialog = new QFileDialog(this, "Export the figure", "comparison.svg",
                                 "Figures and data (*.svg *.pdf *.png *.csv)");
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
