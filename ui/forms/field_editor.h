#pragma once
/// One knob as a control, built from its description: label, unit, default, the paper's value and
/// the reason as tooltip and What's This; a mark where it differs from the preset; its problem
/// beneath it, while typing.

#include <QWidget>

#include "ui/models/recipe_document.h"

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;

namespace ui {

class FieldEditor : public QWidget {
  Q_OBJECT

 public:
  FieldEditor(RecipeDocument* document, const engine::Field& field, QWidget* parent = nullptr);
  const std::string& path() const { return info_.path; }
  const engine::FieldInfo& info() const { return info_; }
  /// Shows a value without telling the document.
  void show(const engine::Value& value, bool differs, const QString& preset_text,
            const QString& problem, bool error);
  QWidget* control() const;
  bool isDefault() const { return value_ == fallback_; }
  bool hasProblem() const { return has_problem_; }
  int labelWidth() const;           ///< pixels that the whole label needs
  QString text() const;             ///< what the control holds, as text
  bool enter(const QString& text);  ///< as if typed and confirmed; false where it does not fit

 private:
  void buildControl(const engine::Value& value);
  void addChoiceMenu();
  void typing(const QString& text);
  bool commitText(const QString& text);
  void commit(const engine::Value& value);
  void setProblem(const QString& text, bool error);

  RecipeDocument* document_;
  engine::FieldInfo info_;
  engine::Value fallback_, value_;
  bool has_problem_ = false;
  QLabel* label_ = nullptr;
  QLabel* mark_ = nullptr;
  QLabel* problem_ = nullptr;
  QLineEdit* line_ = nullptr;
  QComboBox* combo_ = nullptr;
  QCheckBox* check_ = nullptr;
};

/// "25M" for 25,000,000; the plain text otherwise. Reads back to the same value.
QString displayText(const engine::Value& value);

/// A group of editors of one document that are refreshed together.
class FieldGroup : public QObject {
  Q_OBJECT

 public:
  explicit FieldGroup(RecipeDocument* document, QObject* parent = nullptr);
  /// The editor of a field, or null where the recipe has none of that path.
  FieldEditor* make(const std::string& path, QWidget* parent = nullptr);
  void forget();  ///< before its widgets are deleted
  void refresh();
  FieldEditor* editor(const std::string& path) const;
  const std::vector<FieldEditor*>& editors() const { return editors_; }

 private:
  RecipeDocument* document_;
  std::vector<FieldEditor*> editors_;
};

}  // namespace ui
