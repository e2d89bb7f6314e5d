#include "ui/forms/recipe_form.h"

#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QScrollArea>
#include <QScrollBar>
#include <QTimer>
#include <algorithm>

#include "ui/theme.h"

namespace ui {
namespace {

constexpr int k_columns = 4;

QString titleOf(const QString& section, const engine::Recipe& recipe) {
  if (section == "run") return "Run";
  if (section == "model") return "Model and data";
  if (section == "attention") return "Attention";
  if (section == "evaluation") return "Evaluation";
  const int stage = section.mid(7, section.size() - 8).toInt();
  const auto& kind = recipe.stages[std::size_t(stage)].kind;
  return QString("Stage %1: %2")
      .arg(stage + 1)
      .arg(kind == "transfer" ? "attention transfer" : "fine-tuning");
}

}  // namespace

QString sectionOf(const std::string& path) {
  const QString text = QString::fromStdString(path);
  if (text.startsWith("stages[")) return text.section('.', 0, 0);
  if (text.startsWith("attention.")) return "attention";
  if (text.startsWith("evaluation.")) return "evaluation";
  if (text.startsWith("data.") || text == "model") return "model";
  return "run";
}

RecipeForm::RecipeForm(RecipeDocument* document, QWidget* parent)
    : QWidget(parent), document_(document), group_(document) {
  find_ = new QLineEdit;
  find_->setPlaceholderText("Find a setting…");
  find_->setClearButtonEnabled(true);
  find_->setAccessibleName("Find a setting");
  find_->setMaximumWidth(320);
  scroll_ = new QScrollArea;
  scroll_->setWidgetResizable(true);
  scroll_->setFrameShape(QFrame::NoFrame);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->setAccessibleName("All settings");
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(8);
  layout->addWidget(find_);
  layout->addWidget(scroll_, 1);
  connect(find_, &QLineEdit::textChanged, this, &RecipeForm::filter);
  connect(document_, &RecipeDocument::structureChanged, this, &RecipeForm::rebuild);
  rebuild();
}

void RecipeForm::rebuild() {
  std::string focused;
  for (FieldEditor* e : group_.editors())
    if (e->isAncestorOf(focusWidget())) focused = e->path();
  const int scrolled = scroll_->verticalScrollBar() ? scroll_->verticalScrollBar()->value() : 0;
  group_.forget();
  sections_.clear();
  if (QWidget* old = scroll_->takeWidget()) old->deleteLater();

  auto* content = new QWidget;
  content->setProperty("role", "inset");
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 8, 8);
  column->setSpacing(8);
  engine::Recipe recipe = document_->recipe();
  for (const engine::Field& field : engine::fields(recipe)) {
    const QString key = sectionOf(field.info.path);
    auto it = std::find_if(sections_.begin(), sections_.end(),
                           [&](const Section& s) { return s.key == key; });
    if (it == sections_.end()) {
      auto* title = new QLabel(titleOf(key, recipe));
      QFont bold = title->font();
      bold.setWeight(QFont::DemiBold);
      title->setFont(bold);
      auto* grid = new QWidget;
      auto* rows = new QGridLayout(grid);
      rows->setContentsMargins(0, 0, 0, 8);
      rows->setHorizontalSpacing(16);
      rows->setVerticalSpacing(8);
      for (int c = 0; c < k_columns; ++c) rows->setColumnStretch(c, 1);
      sections_.push_back({key, title, grid, {}});
      it = std::prev(sections_.end());
    }
    FieldEditor* editor = group_.make(field.info.path, it->grid);
    const int at = int(it->editors.size());
    static_cast<QGridLayout*>(it->grid->layout())
        ->addWidget(editor, at / k_columns, at % k_columns, Qt::AlignTop);
    it->editors.push_back(editor);
  }
  // The order of reading: what is converted, how, in which stages, how it is judged; the run's own
  // settings last.
  auto rank = [](const QString& key) {
    return key == "model"             ? 0
           : key == "attention"       ? 1
           : key.startsWith("stages") ? 2
           : key == "evaluation"      ? 3
                                      : 4;
  };
  std::stable_sort(sections_.begin(), sections_.end(),
                   [&](const Section& a, const Section& b) { return rank(a.key) < rank(b.key); });
  for (const Section& s : sections_) {
    column->addWidget(s.title);
    column->addWidget(s.grid);
  }
  column->addStretch();
  scroll_->setWidget(content);
  group_.refresh();
  if (!find_->text().isEmpty()) filter(find_->text());
  if (FieldEditor* e = group_.editor(focused)) e->control()->setFocus();
  QTimer::singleShot(0, this,
                     [this, scrolled] { scroll_->verticalScrollBar()->setValue(scrolled); });
}

void RecipeForm::filter(const QString& words) {
  for (const Section& s : sections_) {
    int at = 0;
    auto* rows = static_cast<QGridLayout*>(s.grid->layout());
    for (FieldEditor* e : s.editors) {
      const QString text =
          QString::fromStdString(e->info().label + ' ' + e->info().path + ' ' + e->info().doc);
      const bool shown = words.isEmpty() || text.contains(words, Qt::CaseInsensitive);
      e->setVisible(shown);
      rows->removeWidget(e);
      if (!shown) continue;
      rows->addWidget(e, at / k_columns, at % k_columns, Qt::AlignTop);
      ++at;
    }
    s.title->setVisible(at > 0);
    s.grid->setVisible(at > 0);
  }
}

void RecipeForm::showField(const QString& path) {
  find_->clear();
  if (FieldEditor* e = group_.editor(path.toStdString())) {
    QTimer::singleShot(0, e, [this, e] {
      scroll_->ensureWidgetVisible(e, 20, 60);
      e->control()->setFocus();
    });
    return;
  }
  for (const Section& s : sections_)
    if (s.key == path)
      QTimer::singleShot(0, s.title, [this, title = s.title] {
        scroll_->verticalScrollBar()->setValue(title->y());
      });
}

}  // namespace ui
