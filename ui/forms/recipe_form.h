#pragma once
/// Every field of the recipe, in sections, four to a row, with a search line. Each section shows
/// the fields that most runs set; the others are folded away, but for those that differ from their
/// default or have a problem. The calm subset is in StageCards.

#include <QWidget>
#include <set>

#include "ui/forms/field_editor.h"

class QGridLayout;
class QLineEdit;
class QPushButton;
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
  /// Whether a field is in sight or folded away.
  bool isFolded(const std::string& path) const;
  void unfold(const QString& section, bool open);

 private:
  void rebuild();
  struct Section {
    QString key;
    QWidget* title;
    QWidget* grid;
    QGridLayout* rows;
    QPushButton* fold;
    std::vector<FieldEditor*> editors;
    std::vector<FieldEditor*> shown;
  };
  Section& section(const QString& key);
  void arrange(Section& section);
  void arrangeAll();
  bool wanted(const Section& section, const FieldEditor* editor) const;
  RecipeDocument* document_;
  FieldGroup group_;
  QLineEdit* find_ = nullptr;
  QScrollArea* scroll_ = nullptr;
  std::vector<Section> sections_;
  std::set<QString> open_;             ///< sections unfolded by the person
  std::set<std::string> kept_;         ///< folded fields once shown stay until the fold is closed
};

/// Whether most runs set this field, so that it is always in sight.
bool isBasic(const std::string& path);

/// The section a field belongs to.
QString sectionOf(const std::string& path);

}  // namespace ui
