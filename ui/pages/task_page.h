#pragma once
/// Tasks before a run: the exact prompt of any example, its choices, the tokens that are scored, and
/// what a model's components make of them.

#include <QWidget>

#include "ui/background.h"

class QButtonGroup;
class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QMenu;
class QPlainTextEdit;
class QPushButton;
class QSettings;
class QSpinBox;
class QStackedWidget;
class QTreeWidget;
class QTreeWidgetItem;

namespace engine {
struct Recipe;
}

namespace ui {

class CopyTable;
class JobLine;
class SourceField;
class TokenView;

class TaskPage : public QWidget {
  Q_OBJECT

 public:
  /// `score` empty: this build scores nothing.
  TaskPage(QSettings* settings, engine::ScoreExample score, QWidget* parent = nullptr);
  /// What is chosen when the page is first seen: the recipe's task, data and model.
  void setFirst(const engine::Recipe& recipe);
  /// Why scoring must wait; empty: it need not.
  void setScoringBlocked(const QString& reason);
  void openFile(const QString& file);  ///< a .yaml task
  void chooseTask(const QString& name);
  SourceField* data() const { return data_; }
  SourceField* model() const { return model_; }
  QTreeWidget* tasks() const { return tasks_; }
  CopyTable* examples() const { return examples_; }
  CopyTable* choices() const { return choices_; }
  QString promptShown() const;
  const engine::TaskExamples& shown() const { return task_; }
  bool busy() const { return listing_->busy() || reading_->busy() || scoring_->busy(); }

 Q_SIGNALS:
  void useWanted(const engine::TaskQuery& query);  ///< in the recipe's evaluation

 protected:
  void showEvent(QShowEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  QWidget* buildHeader(QSettings* settings);
  QWidget* buildSettings();
  QWidget* buildTasks();
  QWidget* buildExamples();
  QWidget* buildPrompt();
  QWidget* buildChoices();
  void list();
  void fillTasks(const std::vector<engine::TaskEntry>& entries);
  void filterTasks(const QString& words);
  void colourTasks();
  engine::TaskQuery query() const;
  void read(std::int64_t first);
  void showExample(int row);
  void showPrompt();
  void showChoices();
  void score();
  void syncScore();
  const engine::TaskExampleInfo* example() const;
  QStringList components() const;

  engine::ScoreExample score_;
  Background* listing_;
  Background* reading_;
  Background* scoring_;
  engine::TaskExamples task_;
  std::vector<engine::ComponentScores> scores_;
  engine::TokenizerHandle tokenizer_;
  QString tokenizer_name_, blocked_, wanted_ = "builtin:agreement";
  QStringList files_;  ///< of a user's own tasks
  bool opened_ = false;
  std::int64_t window_ = 64;
  SourceField* data_ = nullptr;
  SourceField* model_ = nullptr;
  QPushButton* use_ = nullptr;
  JobLine* line_ = nullptr;
  JobLine* score_line_ = nullptr;
  QComboBox* split_ = nullptr;
  QSpinBox* shots_ = nullptr;
  QComboBox* sampler_ = nullptr;
  QLabel* about_ = nullptr;
  QTreeWidget* tasks_ = nullptr;
  QStackedWidget* stack_ = nullptr;
  CopyTable* examples_ = nullptr;
  QButtonGroup* view_choice_ = nullptr;
  QStackedWidget* views_ = nullptr;
  QPlainTextEdit* prompt_ = nullptr;
  QCheckBox* marks_ = nullptr;
  TokenView* tokens_ = nullptr;
  QLabel* token_facts_ = nullptr;
  QMenu* component_menu_ = nullptr;
  QPushButton* component_button_ = nullptr;
  QPushButton* score_button_ = nullptr;
  CopyTable* choices_ = nullptr;
  QLabel* verdict_ = nullptr;
};

}  // namespace ui
