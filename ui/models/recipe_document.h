#pragma once
/// The recipe being composed. Every change is one undo command that holds the value before and
/// after; form, schedule editor and YAML are views of this one value.

#include <QObject>
#include <QUndoStack>
#include <optional>

#include "engine/recipe.h"

namespace ui {

class RecipeDocument : public QObject {
  Q_OBJECT

 public:
  explicit RecipeDocument(QObject* parent = nullptr);

  const engine::Recipe& recipe() const { return recipe_; }
  const engine::Recipe& preset() const { return preset_; }  ///< what "differs" is measured against
  QUndoStack* undoStack() { return &undo_; }
  const std::vector<engine::Problem>& problems() const { return problems_; }
  bool hasErrors() const;
  QString problemAt(const std::string& path) const;  ///< sentences for one field, errors first
  bool isErrorAt(const std::string& path) const;

  /// Starts over from a recipe; undo is emptied.
  void open(const engine::Recipe& recipe);
  /// One undo step. Changes with the same non-empty `merge_key` in a row become one.
  void change(const QString& what, const engine::Recipe& recipe, const QString& merge_key = {});
  /// Sets one field from its value. False where it already has it.
  bool setField(const std::string& path, const engine::Value& value);
  std::optional<engine::Value> field(const std::string& path) const;
  std::optional<engine::Value> presetField(const std::string& path) const;

 Q_SIGNALS:
  void changed();           ///< any value
  void structureChanged();  ///< other fields than before; `changed` follows

 private:
  friend class RecipeCommand;
  void assign(const engine::Recipe& recipe);
  engine::Recipe recipe_, preset_;
  std::vector<engine::Problem> problems_;
  std::vector<std::string> paths_;
  QUndoStack undo_;
};

}  // namespace ui
