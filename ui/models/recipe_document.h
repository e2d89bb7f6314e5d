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

  const QString& source() const { return source_; }  ///< a preset's name, a file, a run
  /// Starts over from a recipe. What was there before comes back by undo where it had unsaved
  /// changes; else undo is emptied.
  void open(const engine::Recipe& recipe, const QString& source = {});
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
  /// The recipe, what it is measured against, where it came from.
  struct State {
    engine::Recipe recipe, preset;
    QString source;
  };
  void assign(const State& state);
  engine::Recipe recipe_, preset_;
  QString source_;
  std::vector<engine::Problem> problems_;
  std::vector<std::string> paths_;
  QUndoStack undo_;
};

}  // namespace ui
