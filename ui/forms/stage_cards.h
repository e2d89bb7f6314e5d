#pragma once
/// The recipe as a row of cards with the few fields that matter most: model and data, attention,
/// each stage, evaluation. Stages are added, removed and moved here.

#include <QWidget>

#include "ui/forms/field_editor.h"

class QFrame;
class QHBoxLayout;
class QVBoxLayout;

namespace ui {

class StageCards : public QWidget {
  Q_OBJECT

 public:
  explicit StageCards(RecipeDocument* document, QWidget* parent = nullptr);
  FieldEditor* editor(const std::string& path) const { return group_.editor(path); }
  void addStage(const QString& kind);
  void removeStage(int stage);
  void moveStage(int stage, int by);

 Q_SIGNALS:
  void moreWanted(const QString& section);
  void stageChosen(int stage);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  bool event(QEvent* event) override;

 private:
  void rebuild();
  void fitHeight();
  QFrame* card(const QString& title, const std::vector<std::string>& paths, const QString& section);
  void addStageButtons(QHBoxLayout* header, int stage);

  RecipeDocument* document_;
  FieldGroup group_;
  QWidget* row_ = nullptr;
};

}  // namespace ui
