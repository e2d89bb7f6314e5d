#include "ui/models/recipe_document.h"

#include <QUndoCommand>
#include <algorithm>

namespace ui {

class RecipeCommand : public QUndoCommand {
 public:
  RecipeCommand(RecipeDocument* document, const QString& what, RecipeDocument::State after,
                QString key)
      : QUndoCommand(what),
        document_(document),
        before_{document->recipe_, document->preset_, document->source_},
        after_(std::move(after)),
        key_(std::move(key)) {}
  void undo() override { document_->assign(before_); }
  void redo() override { document_->assign(after_); }
  int id() const override { return 1; }
  bool mergeWith(const QUndoCommand* other) override {
    const auto* next = static_cast<const RecipeCommand*>(other);
    if (key_.isEmpty() || key_ != next->key_) return false;
    after_ = next->after_;
    return true;
  }

 private:
  RecipeDocument* document_;
  RecipeDocument::State before_, after_;
  QString key_;
};

RecipeDocument::RecipeDocument(QObject* parent) : QObject(parent) { open(engine::Recipe{}); }

bool RecipeDocument::hasErrors() const {
  return std::any_of(problems_.begin(), problems_.end(), [](const auto& p) { return !p.warning; });
}

QString RecipeDocument::problemAt(const std::string& path) const {
  QStringList errors, warnings;
  for (const auto& p : problems_)
    if (p.path == path) (p.warning ? warnings : errors) << QString::fromStdString(p.message);
  return (errors + warnings).join(' ');
}

bool RecipeDocument::isErrorAt(const std::string& path) const {
  return std::any_of(problems_.begin(), problems_.end(),
                     [&](const auto& p) { return p.path == path && !p.warning; });
}

void RecipeDocument::open(const engine::Recipe& recipe, const QString& source) {
  const State next{recipe, recipe, source};
  if (!undo_.isClean()) {
    undo_.push(new RecipeCommand(this, "Open " + (source.isEmpty() ? QString("a recipe") : source),
                                 next, {}));
    undo_.setClean();
    return;
  }
  undo_.clear();
  assign(next);
}

void RecipeDocument::change(const QString& what, const engine::Recipe& recipe,
                            const QString& merge_key) {
  if (engine::to_resolved_yaml(recipe) == engine::to_resolved_yaml(recipe_)) return;
  undo_.push(new RecipeCommand(this, what, {recipe, preset_, source_}, merge_key));
}

bool RecipeDocument::setField(const std::string& path, const engine::Value& value) {
  engine::Recipe next = recipe_;
  for (engine::Field& field : engine::fields(next)) {
    if (field.info.path != path) continue;
    if (field.get() == value || value.index() != field.get().index()) return false;
    field.set(value);
    undo_.push(new RecipeCommand(this, QString::fromStdString("Change " + field.info.label),
                                 {next, preset_, source_}, {}));
    return true;
  }
  return false;
}

namespace {

std::optional<engine::Value> find(engine::Recipe recipe, const std::string& path) {
  for (engine::Field& field : engine::fields(recipe))
    if (field.info.path == path) return field.get();
  return std::nullopt;
}

}  // namespace

std::optional<engine::Value> RecipeDocument::field(const std::string& path) const {
  return find(recipe_, path);
}
std::optional<engine::Value> RecipeDocument::presetField(const std::string& path) const {
  return find(preset_, path);
}

void RecipeDocument::assign(const State& state) {
  recipe_ = state.recipe;
  preset_ = state.preset;
  source_ = state.source;
  problems_ = engine::check(recipe_);
  std::vector<std::string> paths;
  for (const engine::Field& field : engine::fields(recipe_)) paths.push_back(field.info.path);
  if (paths != paths_) {
    paths_ = std::move(paths);
    Q_EMIT structureChanged();
  }
  Q_EMIT changed();
}

}  // namespace ui
