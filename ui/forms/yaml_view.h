#pragma once
/// The recipe as YAML: typing changes the recipe once the text reads without problems; changes
/// elsewhere rewrite it.

#include <QWidget>

#include "ui/models/recipe_document.h"

class QCheckBox;
class QLabel;
class QPlainTextEdit;
class QTimer;

namespace ui {

class YamlView : public QWidget {
  Q_OBJECT

 public:
  explicit YamlView(RecipeDocument* document, QWidget* parent = nullptr);
  QPlainTextEdit* editor() const { return text_; }
  void apply();  ///< reads the text now

 protected:
  void changeEvent(QEvent* event) override;

 private:
  void showRecipe();
  void report(const std::vector<engine::Problem>& problems);
  RecipeDocument* document_;
  QPlainTextEdit* text_ = nullptr;
  QCheckBox* all_ = nullptr;
  QLabel* report_ = nullptr;
  QTimer* wait_ = nullptr;
  bool writing_ = false, applying_ = false;
};

}  // namespace ui
