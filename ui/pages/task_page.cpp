#include "ui/pages/task_page.h"

#include <QButtonGroup>
#include <QCheckBox>
#include <QComboBox>
#include <QEvent>
#include <QLabel>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QScrollBar>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTextBlock>
#include <QTextEdit>
#include <QTreeWidget>

#include "engine/recipe.h"
#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/forms/source_field.h"
#include "ui/forms/token_view.h"
#include "ui/models/inspect_tables.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr std::int64_t k_page = 200;  ///< examples read at a time

struct Read {
  engine::TokenizerHandle tokenizer;
  engine::TaskExamples task;
};

QString text(const std::string& s) { return QString::fromStdString(s); }

}  // namespace

void TaskPage::setFirst(const engine::Recipe& recipe) {
  if (opened_) return;
  data_->setSource(text(recipe.evaluation.data));
  model_->setSource(text(recipe.model));
  window_ = engine::evaluation_window(recipe);
  const QSignalBlocker quiet_split(split_), quiet_shots(shots_), quiet_sampler(sampler_);
  split_->setCurrentIndex(std::max(0, split_->findData(text(recipe.evaluation.split))));
  shots_->setValue(int(recipe.evaluation.shots));
  sampler_->setCurrentIndex(std::max(0, sampler_->findData(text(recipe.evaluation.sampler))));
  for (const std::string& name : recipe.evaluation.tasks)
    if (name != "builtin:all" && name != "builtin:local" && name != "builtin:far" && name != "perplexity") {
      wanted_ = text(name);
      break;
    }
}

void TaskPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (!opened_) list();
}

void TaskPage::list() {
  opened_ = true;
  const std::string data = data_->source().toStdString();
  listing_->start(
      "Looking for tasks",
      [data, files = files_](const engine::Watch& watch) {
        auto entries = engine::task_entries(data, watch);
        for (const QString& file : files) {
          auto own = engine::task_entries_of_file(file.toStdString(), data, watch);
          entries.insert(entries.begin(), own.begin(), own.end());
        }
        return entries;
      },
      [this, data](std::vector<engine::TaskEntry> entries) {
        data_->remember(text(data));
        fillTasks(entries);
        chooseTask(wanted_);
      });
}

void TaskPage::openFile(const QString& file) {
  files_.removeAll(file);
  files_.append(file);
  wanted_ = file;
  list();
}

void TaskPage::chooseTask(const QString& name) {
  wanted_ = name;
  QTreeWidgetItem* found = nullptr;
  for (QTreeWidgetItemIterator it(tasks_); *it && !found; ++it) {
    const QString own = (*it)->data(0, Qt::UserRole).toString();
    if (own == name || (name.endsWith(".yaml") && own.startsWith(name))) found = *it;
  }
  if (!found) return;
  tasks_->setCurrentItem(found);
  tasks_->scrollToItem(found);
}

engine::TaskQuery TaskPage::query() const {
  engine::TaskQuery q;
  q.task = wanted_.toStdString();
  q.data = data_->source().toStdString();
  q.split = split_->currentData().toString().toStdString();
  q.shots = shots_->value();
  q.sampler = sampler_->currentData().toString().toStdString();
  return q;
}

void TaskPage::read(std::int64_t first) {
  engine::TaskQuery q = query();
  q.first = first;
  q.count = k_page;
  const QString model = wanted_.startsWith("builtin:") ? QString("builtin:tiny") : model_->source();
  if (tokenizer_name_ == model) q.tokenizer = tokenizer_;
  reading_->start(
      "Reading " + wanted_,
      [asked = q, model = model.toStdString()](const engine::Watch& watch) {
        engine::TaskQuery query = asked;
        if (!query.tokenizer && !model.empty()) query.tokenizer = engine::open_tokenizer(model);
        if (!model.empty()) query.max_length = engine::model_positions(model);
        auto found = engine::task_examples(query, watch);
        return Read{query.tokenizer, std::move(found)};
      },
      [this, first, model](Read found) {
        tokenizer_ = found.tokenizer;
        tokenizer_name_ = model;
        model_->remember(model);
        if (first > 0) {
          examples_->rows()->addRows(exampleRows(found.task.examples), found.task.more);
          std::move(found.task.examples.begin(), found.task.examples.end(), std::back_inserter(task_.examples));
          return;
        }
        task_ = std::move(found.task);
        stack_->setCurrentIndex(1);
        examples_->rows()->setRows(exampleRows(task_.examples), task_.more);
        examples_->fitColumns();
        about_->setText(QStringList{text(task_.kind), text(task_.split), task_.hash.empty() ? QString() : "task " + text(task_.hash)}
                            .filter(QRegularExpression("."))
                            .join(" · "));
        about_->setToolTip(text(task_.file));
        use_->setEnabled(true);
        examples_->chooseRow(0);
        if (task_.examples.empty()) showExample(-1);
      });
}

const engine::TaskExampleInfo* TaskPage::example() const {
  const int row = examples_->currentRow();
  return row < 0 || row >= int(task_.examples.size()) ? nullptr : &task_.examples[std::size_t(row)];
}

void TaskPage::showExample(int) {
  scoring_->cancel();
  scores_.clear();
  verdict_->clear();
  score_line_->clear();
  showChoices();
  choices_->chooseRow(int(example() ? std::max<std::int64_t>(0, example()->gold) : 0));
  showPrompt();
  syncScore();
}

/// The prompt and tokens of the chosen choice: contexts may differ (WinoGrande).
void TaskPage::showPrompt() {
  const auto* e = example();
  const int row = std::max(0, choices_->currentRow());
  if (!e || row >= int(e->choices.size())) {
    prompt_->clear();
    tokens_->setTokens({});
    return;
  }
  const auto& choice = e->choices[std::size_t(row)];
  const QString context = text(choice.context);
  QTextOption option = prompt_->document()->defaultTextOption();
  option.setFlags(marks_->isChecked() ? QTextOption::ShowTabsAndSpaces | QTextOption::ShowLineAndParagraphSeparators : QTextOption::Flags());
  prompt_->document()->setDefaultTextOption(option);
  prompt_->setPlainText(context + text(choice.continuation));
  // What is scored stands out from what is given.
  QTextEdit::ExtraSelection scored;
  scored.cursor = QTextCursor(prompt_->document());
  scored.cursor.setPosition(int(context.size()));
  scored.cursor.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
  const Colors& c = colorsOf(this);
  scored.format.setBackground(mix(c.panel, c.accent, 0.24));
  prompt_->setExtraSelections({scored});
  prompt_->moveCursor(QTextCursor::End);
  prompt_->ensureCursorVisible();
  tokens_->setTokens(choice.tokens, {}, std::int64_t(choice.first_scored));
  tokens_->verticalScrollBar()->setValue(tokens_->verticalScrollBar()->maximum());
  token_facts_->setText(choice.tokens.empty()
                            ? QString("Choose a model to see tokens.")
                            : QString("%1 tokens, %2 of them scored%3")
                                  .arg(grouped(std::ssize(choice.tokens)), grouped(std::int64_t(choice.tokens.size() - choice.first_scored)),
                                       choice.dropped ? QString("; %1 cut off on the left").arg(grouped(std::int64_t(choice.dropped))) : QString()));
}

QString TaskPage::promptShown() const { return prompt_->toPlainText(); }

void TaskPage::showChoices() {
  const auto* e = example();
  const int row = choices_->currentRow();
  choices_->rows()->setColumns(choiceColumns(scores_, e && lengthNormalised(*e)));
  choices_->rows()->setRows(e ? choiceRows(*e, scores_) : Rows{});
  choices_->fitColumns();
  if (row >= 0) choices_->chooseRow(row);
}

QStringList TaskPage::components() const {
  QStringList chosen;
  for (const QAction* action : component_menu_->actions())
    if (action->isChecked()) chosen << action->text();
  return chosen;
}

void TaskPage::setScoringBlocked(const QString& reason) {
  blocked_ = reason;
  syncScore();
}

void TaskPage::syncScore() {
  const QStringList chosen = components();
  component_button_->setText(chosen.isEmpty() ? "no component" : chosen.size() > 2 ? QString("%1 components").arg(chosen.size()) : chosen.join(", "));
  component_button_->setToolTip("Components that are scored: " + (chosen.isEmpty() ? QString("none") : chosen.join(", ")));
  const auto* e = example();
  QString why;
  if (!score_)
    why = "This build scores nothing: it has no tensor part";
  else if (!e)
    why = "Choose an example first";
  else if (task_.kind == "generation")
    why = "Its answer is generated; there is no choice to score";
  else if (e->choices.empty() || e->choices.front().tokens.empty())
    why = "Choose a model first";
  else if (chosen.isEmpty())
    why = "Choose a component first";
  else
    why = blocked_;
  score_button_->setEnabled(why.isEmpty() && !scoring_->busy());
  score_button_->setToolTip(why.isEmpty() ? "Score every choice with the model in these components" : why);
}

void TaskPage::score() {
  const auto* e = example();
  if (!e || !score_) return;
  engine::ScoreQuery q;
  q.model = model_->source().toStdString();
  q.window = window_;
  q.components.clear();
  for (const QString& c : components()) q.components.push_back(c.toStdString());
  q.kind = task_.kind;
  q.example = *e;
  scoring_->start(
      "Scoring with " + model_->source(), [q, score = score_](const engine::Watch& watch) { return score(q, watch); },
      [this](std::vector<engine::ComponentScores> scores) {
        scores_ = std::move(scores);
        showChoices();
        QStringList right, wrong;
        for (const auto& s : scores_) (s.right ? right : wrong) << text(s.component);
        QStringList parts;
        if (!right.isEmpty()) parts << "right: " + right.join(", ");
        if (!wrong.isEmpty()) parts << "wrong: " + wrong.join(", ");
        verdict_->setText(task_.kind == "whole text" ? QString() : parts.join(" · "));
        syncScore();
      });
  syncScore();
}

void TaskPage::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (!changesLook(event) || !tasks_) return;
  showPrompt();
  colourTasks();
}

}  // namespace ui
