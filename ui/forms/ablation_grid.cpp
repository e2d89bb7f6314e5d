#include "ui/forms/ablation_grid.h"

#include <QApplication>
#include <QClipboard>
#include <QFormLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QMenu>
#include <QPushButton>
#include <QRegularExpression>
#include <QSpinBox>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>
#include <set>

#include "ui/engine_bridge.h"
#include "ui/forms/job_line.h"
#include "ui/models/table_text.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_run_role = Qt::UserRole, k_step_role = Qt::UserRole + 1, k_path_role = Qt::UserRole + 2;

QString text(const std::string& s) { return QString::fromStdString(s); }

QListWidget* checkList(const QString& name) {
  auto* list = new QListWidget;
  list->setAccessibleName(name);
  list->setSpacing(2);
  list->setToolTip("Space, or a click on the box, takes one in or out");
  return list;
}

QListWidgetItem* addCheck(QListWidget* list, const QString& words, bool on) {
  auto* item = new QListWidgetItem(words, list);
  item->setFlags(item->flags() | Qt::ItemIsUserCheckable);
  item->setCheckState(on ? Qt::Checked : Qt::Unchecked);
  return item;
}

std::vector<std::string> wordsOf(const QString& line) {
  std::vector<std::string> out;
  for (const QString& word : line.split(QRegularExpression("[,;\\s]+"), Qt::SkipEmptyParts))
    out.push_back(word.toStdString());
  return out;
}

std::filesystem::path folderOf(const engine::Subject& subject) { return subject.checkpoint->parent_path(); }

}  // namespace

AblationGrid::AblationGrid(EngineBridge* bridge, engine::EvaluateSubject evaluate, std::filesystem::path cache,
                           const std::vector<engine::RunId>& runs, QWidget* parent)
    : QDialog(parent), bridge_(bridge), evaluate_(std::move(evaluate)), cache_(std::move(cache)), job_(new Background(this)),
      table_(new AblationModel(this)) {
  setObjectName("ablation grid");
  setAttribute(Qt::WA_DeleteOnClose);
  setWindowTitle("Ablation grid");
  line_ = new JobLine(job_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 16, 16, 16);
  layout->setSpacing(12);
  layout->addWidget(buildChoice());
  layout->addWidget(line_);
  layout->addWidget(buildTable(), 1);
  resize(860, 680);
  fillCheckpoints(runs);
  for (auto* list : {checkpoints_, components_})
    connect(list, &QListWidget::itemChanged, this, &AblationGrid::sync);
  connect(tasks_, &QLineEdit::textChanged, this, &AblationGrid::sync);
  connect(limit_, &QSpinBox::valueChanged, this, &AblationGrid::sync);
  connect(start_, &QPushButton::clicked, this, &AblationGrid::start);
  connect(line_, &JobLine::retried, this, &AblationGrid::start);
  connect(job_, &Background::started, this, &AblationGrid::busyChanged);
  const auto stopped = [this] {
    left_.clear();
    sync();
    Q_EMIT busyChanged();
  };
  connect(job_, &Background::cancelled, this, stopped);
  connect(job_, &Background::failed, this, stopped);
  sync();
}

QWidget* AblationGrid::buildChoice() {
  checkpoints_ = checkList("Checkpoints");
  components_ = checkList("Components");
  for (const std::string& c : engine::component_names())
    addCheck(components_, text(c), c == "teacher" || c == "hybrid" || c == "swa" || c == "linear" || c == "none");
  tasks_ = new QLineEdit("builtin:all");
  tasks_->setAccessibleName("Tasks");
  tasks_->setToolTip("Separated by commas: builtin:all, piqa, arc_easy, … (from each run's data folder)");
  limit_ = new QSpinBox;
  limit_->setRange(0, 1000000);
  limit_->setSpecialValueText("all");
  limit_->setAccessibleName("Examples a task");
  limit_->setToolTip("First examples of each task (builtin tasks: documents); 0: all");
  limit_->setKeyboardTracking(false);
  start_ = new QPushButton("Evaluate");
  start_->setDefault(true);
  start_->setProperty("role", "primary");
  plan_ = new QLabel;
  plan_->setProperty("role", "secondary");
  plan_->setWordWrap(true);
  useFont(plan_, TextRole::secondary);
  auto* form = new QFormLayout;
  form->setHorizontalSpacing(12);
  form->setVerticalSpacing(8);
  form->addRow("Tasks", tasks_);
  form->addRow("Examples a task", limit_);
  form->addRow(plan_);
  auto* last = new QHBoxLayout;
  last->addStretch();
  last->addWidget(start_);
  form->addRow(last);
  auto column = [](const QString& title, QWidget* list) {
    auto* c = new QVBoxLayout;
    c->setSpacing(4);
    c->addWidget(new QLabel(title));
    c->addWidget(list);
    return c;
  };
  auto* choice = new QWidget;
  choice->setMaximumHeight(14 * fontMetrics().height());
  auto* row = new QHBoxLayout(choice);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(16);
  row->addLayout(column("Checkpoints", checkpoints_), 4);
  row->addLayout(column("Components", components_), 2);
  row->addLayout(form, 4);
  return choice;
}

QWidget* AblationGrid::buildTable() {
  auto* view = new QTableView;
  view->setModel(table_);
  view->setAccessibleName("Scores of the grid");
  view->verticalHeader()->hide();
  view->setShowGrid(false);
  view->setTabKeyNavigation(false);
  view->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
  view->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
  copy_ = new QPushButton(lineIcon("copy"), " Copy table");
  copy_->setProperty("role", "menu");
  auto* menu = new QMenu(copy_);
  for (const auto& [words, format] : tableFormats())
    menu->addAction(words, this, [this, format] { copy(format); });
  copy_->setMenu(menu);
  auto* close = new QPushButton("Close");
  connect(close, &QPushButton::clicked, this, &QDialog::close);
  auto* buttons = new QHBoxLayout;
  buttons->addWidget(copy_);
  buttons->addStretch();
  buttons->addWidget(close);
  auto* whole = new QWidget;
  auto* layout = new QVBoxLayout(whole);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(view, 1);
  layout->addLayout(buttons);
  return whole;
}

/// Newest first; a folder that is written again and again holds what its newest record says.
void AblationGrid::fillCheckpoints(const std::vector<engine::RunId>& runs) {
  const engine::Recipe* first = nullptr;
  for (engine::RunId id : runs) {
    const RunData* run = bridge_->data(id);
    if (!run) continue;
    if (!first) first = &run->recipe;
    std::set<std::string> seen;
    bool newest = true;
    const auto all = bridge_->checkpoints(id);
    for (auto c = all.rbegin(); c != all.rend(); ++c) {
      if (!c->live || !std::filesystem::exists(c->path) || !seen.insert(c->path).second) continue;
      auto* item = addCheck(checkpoints_, QString("%1, step %2 (%3)").arg(text(run->info.name)).arg(c->step).arg(text(c->kind)), newest);
      item->setData(k_run_role, qint64(id));
      item->setData(k_step_role, qint64(c->step));
      item->setData(k_path_role, text(c->path));
      newest = false;
    }
  }
  if (!first) return;
  QStringList tasks;
  for (const std::string& t : first->evaluation.tasks) tasks << text(t);
  tasks_->setText(tasks.join(", "));
  limit_->setValue(int(std::clamp<std::int64_t>(first->evaluation.limit, 0, limit_->maximum())));
}

std::vector<AblationGrid::Cell> AblationGrid::chosen() const {
  std::vector<std::string> components;
  for (int i = 0; i < components_->count(); ++i)
    if (components_->item(i)->checkState() == Qt::Checked)
      components.push_back(components_->item(i)->text().toStdString());
  std::vector<Cell> out;
  if (components.empty() || wordsOf(tasks_->text()).empty()) return out;
  for (int i = 0; i < checkpoints_->count(); ++i) {
    const QListWidgetItem* item = checkpoints_->item(i);
    const RunData* run = item->checkState() == Qt::Checked ? bridge_->data(item->data(k_run_role).toLongLong()) : nullptr;
    if (!run) continue;
    Cell cell{item->text().section(" (", 0, -2), item->data(k_step_role).toLongLong(), {}};
    cell.subject.recipe = run->recipe;
    cell.subject.recipe.evaluation.tasks = wordsOf(tasks_->text());
    cell.subject.recipe.evaluation.components = components;
    cell.subject.recipe.evaluation.limit = limit_->value();
    cell.subject.checkpoint = item->data(k_path_role).toString().toStdString();
    cell.subject.cache = cache_;
    out.push_back(std::move(cell));
  }
  return out;
}

void AblationGrid::start() {
  if (busy() || !start_->isEnabled()) return;
  left_ = chosen();
  asked_ = left_.size();
  std::reverse(left_.begin(), left_.end());
  rows_.clear();
  table_->setRows(rows_, AblationModel::Layout::tasks, "all");
  next();
}

void AblationGrid::next() {
  if (left_.empty()) {
    line_->clear();
    sync();
    Q_EMIT busyChanged();
    return;
  }
  const Cell cell = left_.back();
  left_.pop_back();
  job_->start(
      QString("%1 of %2, %3").arg(asked_ - left_.size()).arg(asked_).arg(cell.name),
      [cell, evaluate = evaluate_](const engine::Watch& watch) {
        return engine::scores_of(folderOf(cell.subject), cell.subject, evaluate, watch);
      },
      [this, cell](const engine::Evaluated& found) {
        addRow(cell, found);
        next();
      });
  sync();
}

void AblationGrid::cancel() { job_->cancel(); }

/// The first metric of a task is its own.
void AblationGrid::addRow(const Cell& cell, const engine::Evaluated& found) {
  ComparedRow row;
  row.name = cell.name;
  row.tried = true;
  for (const engine::Score& s : found.scores)
    if (engine::is_share(s.metric)) row.cells.try_emplace({s.component, s.task},
                          Estimate{s.value, half95(s.stderr_), double(cell.step), s.n});
  rows_.push_back(std::move(row));
  table_->setRows(rows_, AblationModel::Layout::tasks, "all");
}

void AblationGrid::setBlocked(const QString& reason) {
  blocked_ = reason;
  sync();
}

QString AblationGrid::planText() const { return plan_->text(); }

void AblationGrid::sync() {
  const auto cells = chosen();
  const auto known = std::count_if(cells.begin(), cells.end(), [](const Cell& c) {
    return engine::kept_scores(folderOf(c.subject), c.subject).has_value();
  });
  QString why = !evaluate_                       ? "This build evaluates nothing: it has no tensor part."
                : checkpoints_->count() == 0     ? "The runs have no checkpoint yet."
                : wordsOf(tasks_->text()).empty() ? "Name a task."
                : cells.empty()                  ? "Choose a checkpoint and a component."
                                                 : blocked_;
  plan_->setText(!why.isEmpty() ? why
                                : QString("%1 %2, %3 known already. What is evaluated is kept: a grid that is cancelled goes on where it was.")
                                      .arg(cells.size())
                                      .arg(cells.size() == 1 ? "checkpoint" : "checkpoints")
                                      .arg(known));
  start_->setEnabled(why.isEmpty() && !busy());
  start_->setToolTip(why);
  copy_->setEnabled(!rows_.empty());
}

void AblationGrid::copy(AblationModel::Format format) {
  QApplication::clipboard()->setText(table_->text(format));
  Q_EMIT notice("The table is on the clipboard.", false);
}

}  // namespace ui
