#pragma once
/// Every field of the recipe, in sections, three to a row, with a search line. The calm subset is
/// in StageCards.

#include <QWidget>

#include "ui/forms/field_editor.h"

class QLineEdit;
class QScrollArea;

namespace ui {

class RecipeForm : public QWidget {
  Q_OBJECT

 public:
  explicit RecipeForm(RecipeDocument* document, QWidget* parent = nullptr);
  FieldEditor* editor(const std::string& path) const { return group_.editor(path); }
  const std::vector<FieldEditor*>& editors() const { return group_.editors(); }
  /// Scrolls to a section ("model", "attention", "stages[0]", "evaluation", "run") or a field and
  /// focuses it.
  void showField(const QString& path);

 private:
  void rebuild();
  void filter(const QString& words);
  struct Section {
    QString key;
    QWidget* title;
    QWidget* grid;
    std::vector<FieldEditor*> editors;
  };
  RecipeDocument* document_;
  FieldGroup group_;
  QLineEdit* find_ = nullptr;
  QScrollArea* scroll_ = nullptr;
  std::vector<Section> sections_;
};

/// The section a field belongs to.
QString sectionOf(const std::string& path);

}  // namespace ui
