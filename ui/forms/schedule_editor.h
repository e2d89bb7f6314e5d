#pragma once
/// Dropout and window of one fine-tuning stage, epoch by epoch: two lanes of draggable steps, their
/// values as typed lists, epochs added and removed, and the mask picture of the chosen epoch.

#include <QLineEdit>
#include <QWidget>
#include <optional>

#include "ui/models/recipe_document.h"

class QComboBox;
class QLabel;
class QToolButton;

namespace ui {

class MaskView;
class StepLane;

class ScheduleEditor : public QWidget {
  Q_OBJECT

 public:
  explicit ScheduleEditor(RecipeDocument* document, QWidget* parent = nullptr);
  void setStage(int stage);  ///< index of a fine-tuning stage; −1: none
  int stage() const { return stage_; }
  int epoch() const;
  void setEpoch(int epoch);
  /// What a finished run of this model says; nothing: time is left out.
  void setSecondsPerToken(std::optional<double> seconds);
  QString placeText() const;  ///< of the chosen epoch: steps, tokens and time
  void addEpoch();
  void removeEpoch();

 private:
  void sync();
  void syncMask(const engine::StageSpec& stage);
  void syncPlace(const engine::StageSpec& stage);
  void chooseStage();
  const engine::StageSpec* current() const;
  void commit(const QString& what, const engine::StageSpec& stage);
  void typed(QLineEdit* edit, bool dropout);
  void previewLanes();

  RecipeDocument* document_;
  int stage_ = -1;
  std::optional<double> seconds_per_token_;
  QComboBox* stages_ = nullptr;
  StepLane* dropout_ = nullptr;
  StepLane* window_ = nullptr;
  QLineEdit* dropout_list_ = nullptr;
  QLineEdit* window_list_ = nullptr;
  QLabel* stage_label_ = nullptr;
  QLabel* note_ = nullptr;
  QLabel* place_ = nullptr;
  QLabel* mask_title_ = nullptr;
  QLabel* empty_ = nullptr;
  QWidget* body_ = nullptr;
  QToolButton* more_ = nullptr;
  QToolButton* fewer_ = nullptr;
  MaskView* mask_ = nullptr;
};

}  // namespace ui
