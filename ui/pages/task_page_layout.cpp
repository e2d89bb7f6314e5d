#include <QButtonGroup>
#include <QCheckBox>
#include <QComboBox>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStackedWidget>
#include <QToolButton>
#include <QTreeWidget>
#include <algorithm>

#include "engine/recipe.h"
#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/forms/source_field.h"
#include "ui/forms/token_view.h"
#include "ui/models/inspect_tables.h"
#include "ui/pages/empty_state.h"
#include "ui/pages/page_parts.h"
#include "ui/pages/task_page.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_missing = Qt::UserRole + 1;  ///< the task's records are not in the data folder

}  // namespace

TaskPage::TaskPage(QSettings* settings, engine::ScoreExample score, QWidget* parent)
    : QWidget(parent),
      score_(std::move(score)),
      listing_(new Background(this)),
      reading_(new Background(this)),
      scoring_(new Background(this)) {
  setProperty("role", "page");
  auto* header = buildHeader(settings);
  auto* options = buildSettings();
  auto* upper = plainSplitter(Qt::Horizontal);
  upper->addWidget(buildExamples());
  upper->addWidget(buildPrompt());
  upper->setSizes({310, 510});
  upper->setStretchFactor(1, 1);
  auto* split = plainSplitter(Qt::Vertical);
  split->addWidget(upper);
  split->addWidget(buildChoices());
  split->setSizes({390, 210});
  split->setStretchFactor(0, 1);
  auto* empty = new EmptyState(
      "No task open",
      "This page shows the exact prompt of any example, its choices and what a model makes of them. "
      "Choose a task on the left; tasks in grey need a data folder that holds their records.",
      "Choose a data folder…");
  connect(empty, &EmptyState::acted, this, [this] { data_->browse(); });
  stack_ = new QStackedWidget;
  stack_->addWidget(empty);
  stack_->addWidget(split);
  auto* whole = plainSplitter(Qt::Horizontal);
  whole->addWidget(buildTasks());
  whole->addWidget(stack_);
  whole->setSizes({200, 830});
  whole->setStretchFactor(1, 1);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  layout->addWidget(header);
  layout->addWidget(options);
  layout->addWidget(line_);
  layout->addWidget(whole, 1);
  connect(data_, &SourceField::chosen, this, &TaskPage::list);
  connect(model_, &SourceField::chosen, this, [this] { read(0); });
  connect(line_, &JobLine::retried, this, [this] { read(0); });
  connect(listing_, &Background::failed, line_, &JobLine::showProblem);
  connect(reading_, &Background::failed, this, [this] {
    task_ = {};
    use_->setEnabled(false);
    stack_->setCurrentIndex(0);
  });
  syncScore();
}

QWidget* TaskPage::buildHeader(QSettings* settings) {
  data_ = new SourceField("Data folder", "tasks", {""}, SourceField::Kind::folder, settings);
  data_->combo()->setObjectName("task data");
  model_ = new SourceField("Model", "models", {"builtin:tiny"}, SourceField::Kind::folder, settings);
  use_ = new QPushButton(lineIcon("right"), " Use in Compose");
  use_->setEnabled(false);
  use_->setToolTip("Make it the recipe's task, with this split and these shots");
  connect(use_, &QPushButton::clicked, this, [this] { Q_EMIT useWanted(query()); });
  line_ = new JobLine(reading_);
  return pageHeader("Task", {data_, model_}, {use_});
}

QWidget* TaskPage::buildSettings() {
  split_ = new QComboBox;
  split_->setAccessibleName("Split");
  split_->setToolTip("Which records are scored");
  split_->addItem("the task's own", "");
  for (const char* name : {"test", "validation", "train"}) split_->addItem(name, name);
  shots_ = new QSpinBox;
  shots_->setRange(0, 100);
  shots_->setAccessibleName("Shots");
  shots_->setToolTip("Solved examples before each question");
  shots_->setKeyboardTracking(false);
  sampler_ = new QComboBox;
  sampler_->setAccessibleName("How shots are drawn");
  sampler_->setToolTip("As the LM Evaluation Harness draws them: the first n, or seeded");
  for (auto [name, value] : {std::pair("the task's own", "task"), std::pair("first n", "first-n"), std::pair("seeded", "seeded")})
    sampler_->addItem(name, value);
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
  add("Split", split_);
  add("Shots", shots_);
  add("drawn", sampler_);
  about_ = noteLabel();
  about_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  row->addWidget(about_, 1);
  connect(split_, &QComboBox::currentIndexChanged, this, [this] { read(0); });
  connect(sampler_, &QComboBox::currentIndexChanged, this, [this] { if (shots_->value() > 0) read(0); });
  connect(shots_, &QSpinBox::valueChanged, this, [this] { read(0); });
  return options;
}

QWidget* TaskPage::buildTasks() {
  tasks_ = new QTreeWidget;
  tasks_->setHeaderHidden(true);
  tasks_->setAccessibleName("Tasks");
  tasks_->setFrameShape(QFrame::NoFrame);
  tasks_->setIndentation(14);
  auto* words = new QLineEdit;
  words->setPlaceholderText("Filter tasks…");
  words->setAccessibleName("Filter tasks");
  words->setClearButtonEnabled(true);
  connect(words, &QLineEdit::textChanged, this, &TaskPage::filterTasks);
  auto* file = new QToolButton;
  file->setIcon(lineIcon("open"));
  file->setToolTip("Open a task of your own: a .yaml file");
  file->setAccessibleName("Open a task file");
  connect(file, &QToolButton::clicked, this, [this] {
    const QString name = QFileDialog::getOpenFileName(this, "Open a task", {}, "Tasks (*.yaml *.yml)");
    if (!name.isEmpty()) openFile(name);
  });
  auto* card = newCard();
  card->setMinimumWidth(150);
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->setSpacing(6);
  auto* row = new QHBoxLayout;
  row->setSpacing(6);
  row->addWidget(words, 1);
  row->addWidget(file);
  layout->addLayout(row);
  layout->addWidget(tasks_, 1);
  connect(tasks_, &QTreeWidget::currentItemChanged, this, [this](QTreeWidgetItem* item) {
    const QString name = item ? item->data(0, Qt::UserRole).toString() : QString();
    if (name.isEmpty()) return;
    wanted_ = name;
    read(0);
  });
  return card;
}

void TaskPage::fillTasks(const std::vector<engine::TaskEntry>& entries) {
  const QSignalBlocker quiet(tasks_);
  tasks_->clear();
  QMap<QString, QTreeWidgetItem*> groups;
  for (const auto& entry : entries) {
    const QString group = QString::fromStdString(entry.group), name = QString::fromStdString(entry.name);
    QTreeWidgetItem*& parent = groups[group];
    if (!parent && !group.isEmpty()) {
      parent = new QTreeWidgetItem(tasks_, {group});
      parent->setFlags(Qt::ItemIsEnabled);
    }
    const QString shown = group.isEmpty() || !name.startsWith("builtin:") ? name : name.mid(8);
    auto* item = group.isEmpty() ? new QTreeWidgetItem(tasks_, {shown}) : new QTreeWidgetItem(parent, {shown});
    item->setData(0, Qt::UserRole, name);
    QString tip = QString::fromStdString(entry.about);
    if (!entry.problem.empty()) {
      tip += "\n" + QString::fromStdString(entry.problem);
      item->setData(0, k_missing, true);
    }
    item->setToolTip(0, tip.toHtmlEscaped());
  }
  for (QTreeWidgetItem* parent : groups)
    if (parent) parent->setExpanded(parent->text(0).startsWith("builtin"));
  colourTasks();
}

/// Those without records stand back.
void TaskPage::colourTasks() {
  for (QTreeWidgetItemIterator it(tasks_); *it; ++it)
    if ((*it)->data(0, k_missing).toBool()) (*it)->setForeground(0, colorsOf(this).secondary);
}

void TaskPage::filterTasks(const QString& words) {
  for (int i = 0; i < tasks_->topLevelItemCount(); ++i) {
    QTreeWidgetItem* top = tasks_->topLevelItem(i);
    const bool whole = top->text(0).contains(words, Qt::CaseInsensitive);
    bool any = whole;
    for (int k = 0; k < top->childCount(); ++k) {
      const bool fits = whole || top->child(k)->text(0).contains(words, Qt::CaseInsensitive);
      top->child(k)->setHidden(!fits);
      any = any || fits;
    }
    top->setHidden(!any);
    if (!words.isEmpty() && any) top->setExpanded(true);
  }
}

QWidget* TaskPage::buildExamples() {
  examples_ = new CopyTable(newRows(this, exampleColumns()), "Examples");
  examples_->setSelectionMode(QAbstractItemView::ExtendedSelection);
  examples_->setElasticColumn(2);
  auto* words = new QLineEdit;
  words->setPlaceholderText("Filter examples…");
  words->setAccessibleName("Filter examples");
  words->setClearButtonEnabled(true);
  connect(words, &QLineEdit::textChanged, examples_->filter(), &RowsFilter::setWords);
  auto* card = newCard();
  card->setMinimumWidth(180);
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(8, 8, 8, 8);
  layout->setSpacing(6);
  layout->addWidget(words);
  layout->addWidget(examples_, 1);
  connect(examples_, &CopyTable::rowChosen, this, &TaskPage::showExample);
  connect(examples_->rows(), &RowsModel::moreWanted, this, [this] { read(std::ssize(task_.examples)); });
  return card;
}

QWidget* TaskPage::buildPrompt() {
  prompt_ = new QPlainTextEdit;
  prompt_->setProperty("role", "plain");
  prompt_->setReadOnly(true);
  prompt_->setAccessibleName("Prompt, what is scored marked");
  prompt_->setFrameShape(QFrame::NoFrame);
  prompt_->setTabChangesFocus(true);
  prompt_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  useFont(prompt_, TextRole::monospace);
  marks_ = new QCheckBox("spaces and line ends");
  marks_->setChecked(true);
  marks_->setToolTip("Show spaces, tabs and line ends as marks; what is copied is the text itself");
  connect(marks_, &QCheckBox::toggled, this, &TaskPage::showPrompt);
  tokens_ = new TokenView("Tokens of context and continuation");
  tokens_->setPlaceholder("Choose a model to see tokens.");
  token_facts_ = noteLabel();
  connect(tokens_, &TokenView::tokenChosen, this, [this](int token) {
    if (token >= 0) token_facts_->setText(tokens_->selectionText());
  });
  views_ = new QStackedWidget;
  views_->addWidget(prompt_);
  views_->addWidget(tokens_);
  view_choice_ = new QButtonGroup(this);
  connect(view_choice_, &QButtonGroup::idClicked, views_, &QStackedWidget::setCurrentIndex);
  auto* card = newCard();
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(16, 8, 16, 8);
  layout->setSpacing(4);
  layout->addLayout(segmentRow(view_choice_, {"Prompt", "Tokens"}, {marks_}));
  layout->addWidget(views_, 1);
  layout->addWidget(token_facts_);
  return card;
}

QWidget* TaskPage::buildChoices() {
  choices_ = new CopyTable(newRows(this, choiceColumns({}, false)), "Choices");
  choices_->setElasticColumn(1);
  connect(choices_, &CopyTable::rowChosen, this, [this](int row) {
    if (row >= 0) showPrompt();
  });
  component_button_ = new QPushButton;
  component_button_->setProperty("role", "menu");
  component_button_->setAccessibleName("Components that are scored");
  component_menu_ = new QMenu(component_button_);
  for (const std::string& name : engine::component_names()) {
    QAction* action = component_menu_->addAction(QString::fromStdString(name));
    action->setCheckable(true);
    action->setChecked(name == "teacher" || name == "swa");
    connect(action, &QAction::toggled, this, &TaskPage::syncScore);
  }
  component_button_->setMenu(component_menu_);
  score_button_ = new QPushButton("Score");
  score_button_->setObjectName("score");
  connect(score_button_, &QPushButton::clicked, this, &TaskPage::score);
  score_line_ = new JobLine(scoring_);
  connect(score_line_, &JobLine::retried, this, &TaskPage::score);
  for (auto signal : {&Background::finished, &Background::cancelled})
    connect(scoring_, signal, this, &TaskPage::syncScore);
  connect(scoring_, &Background::failed, this, &TaskPage::syncScore);
  verdict_ = noteLabel();
  auto* card = newCard();
  auto* layout = new QVBoxLayout(card);
  layout->setContentsMargins(16, 8, 16, 8);
  layout->setSpacing(4);
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  row->addWidget(partHeading("Choices"));
  row->addWidget(verdict_, 1);
  row->addWidget(component_button_);
  row->addWidget(score_button_);
  layout->addLayout(row);
  layout->addWidget(score_line_);
  layout->addWidget(choices_, 1);
  return card;
}

}  // namespace ui
