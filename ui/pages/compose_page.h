#pragma once
/// Setting up a run: preset, stage cards, schedule, all settings or YAML, estimate, Run.

#include <QWidget>

#include "ui/background.h"
#include "ui/engine_bridge.h"
#include "ui/models/estimate.h"
#include "ui/models/recipe_document.h"

class QButtonGroup;
class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QStackedWidget;

namespace ui {

class RecipeForm;
class ScheduleEditor;
class StageCards;
class YamlView;

class ComposePage : public QWidget {
  Q_OBJECT

 public:
  enum Lower { Schedule, Settings, Yaml };

  ComposePage(EngineBridge* bridge, QWidget* parent = nullptr);
  RecipeDocument* document() const { return document_; }
  ScheduleEditor* schedule() const { return schedule_; }
  RecipeForm* form() const { return form_; }
  StageCards* cards() const { return cards_; }
  YamlView* yaml() const { return yaml_; }
  void choosePreset(const QString& name);
  void openRecipe(const engine::Recipe& recipe, const QString& from);
  bool openFile(const QString& file);
  void openExperiment(const QString& id);  ///< of experiments()
  void chooseExperiment();
  void sweep();
  QString estimateText() const;
  bool saveFile(const QString& file);
  void askOpen();
  void askSave();
  void showLower(Lower what);
  void submit();

 Q_SIGNALS:
  void submitted(qint64 run);
  void notice(const QString& sentence, bool error);
  void fileOpened(const QString& file);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  QWidget* buildHeader();
  void sync();
  void syncSource();
  void syncEstimate();
  void lookAtModel();
  std::optional<MeasuredSpeed> speed();
  QString costLine(const RecipeCost& cost);

  EngineBridge* bridge_;
  RecipeDocument* document_;
  QComboBox* presets_ = nullptr;
  QLineEdit* name_ = nullptr;
  QPushButton* open_ = nullptr;
  QPushButton* save_ = nullptr;
  QPushButton* sweep_ = nullptr;
  QPushButton* run_ = nullptr;
  StageCards* cards_ = nullptr;
  QButtonGroup* choice_ = nullptr;
  QStackedWidget* lower_ = nullptr;
  ScheduleEditor* schedule_ = nullptr;
  RecipeForm* form_ = nullptr;
  YamlView* yaml_ = nullptr;
  QLabel* estimate_ = nullptr;
  QLabel* cost_ = nullptr;
  Background look_;
  std::string looked_at_;                   ///< the model that `model_` is of, or that is looked at
  std::optional<engine::ModelInfo> model_;  ///< empty: not looked at yet, or unreadable
  QString model_problem_;
  std::string speed_of_;  ///< the key that `speed_` was found for
  std::optional<MeasuredSpeed> speed_;
  QPushButton* problem_ = nullptr;
};

}  // namespace ui
