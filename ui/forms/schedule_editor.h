#pragma once
/// Dropout and window of one fine-tuning stage, epoch by epoch: two lanes of draggable steps, their
/// values as typed lists, epochs added and removed, and the mask picture of the chosen epoch.

#include <QLineEdit>
#include <QWidget>

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
  void addEpoch();
  void removeEpoch();

 private:
  void sync();
  void syncMask(const engine::StageSpec& stage);
  void chooseStage();
  const engine::StageSpec* current() const;
  void commit(const QString& what, const engine::StageSpec& stage);
  void typed(QLineEdit* edit, bool dropout);
  void previewLanes();

  RecipeDocument* document_;
  int stage_ = -1;
  QComboBox* stages_ = nullptr;
  StepLane* dropout_ = nullptr;
  StepLane* window_ = nullptr;
  QLineEdit* dropout_list_ = nullptr;
  QLineEdit* window_list_ = nullptr;
  QLabel* stage_label_ = nullptr;
  QLabel* note_ = nullptr;
  QLabel* mask_title_ = nullptr;
  QLabel* empty_ = nullptr;
  QWidget* body_ = nullptr;
  QToolButton* more_ = nullptr;
  QToolButton* fewer_ = nullptr;
  MaskView* mask_ = nullptr;
};

}  // namespace ui
