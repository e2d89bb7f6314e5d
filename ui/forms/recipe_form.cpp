#include "ui/forms/recipe_form.h"

#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTimer>
#include <algorithm>

#include "ui/pages/page_parts.h"
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

bool isBasic(const std::string& path) {
  static const std::set<std::string> k_basic{"model",
                                             "data.path",
                                             "data.sequence_length",
                                             "data.tokens_per_epoch",
                                             "data.packing",
                                             "attention.feature_map.preset",
                                             "attention.feature_map.size",
                                             "attention.window",
                                             "attention.linear_context",
                                             "attention.mixing.kind",
                                             "attention.mixing.weight",
                                             "kind",
                                             "objective",
                                             "component",
                                             "trainable",
                                             "train_feature_maps",
                                             "lora.rank",
                                             "lora.alpha",
                                             "lora.targets",
                                             "epochs",
                                             "tokens_per_epoch",
                                             "batch_size",
                                             "accumulation",
                                             "learning_rate",
                                             "lr_schedule.kind",
                                             "schedule.dropout",
                                             "schedule.window",
                                             "early_stopping.metric",
                                             "evaluation.tasks",
                                             "evaluation.data",
                                             "evaluation.components",
                                             "evaluation.every",
                                             "evaluation.window",
                                             "evaluation.limit",
                                             "evaluation.shots",
                                             "name",
                                             "device",
                                             "dtype",
                                             "start_from",
                                             "seed"};
  const auto stage = path.starts_with("stages[") ? path.find("].") : std::string::npos;
  return k_basic.contains(stage == std::string::npos ? path : path.substr(stage + 2));
}

RecipeForm::RecipeForm(RecipeDocument* document, QWidget* parent)
    : QWidget(parent), document_(document), group_(document) {
  find_ = new QLineEdit;
  find_->setPlaceholderText("Find a setting…");
  find_->setToolTip("Words of a setting's name, key, help or value in the paper");
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
  connect(find_, &QLineEdit::textChanged, this, &RecipeForm::arrangeAll);
  connect(document_, &RecipeDocument::structureChanged, this, &RecipeForm::rebuild);
  rebuild();
  connect(document_, &RecipeDocument::changed, this, &RecipeForm::arrangeAll);
}

RecipeForm::Section& RecipeForm::section(const QString& key) {
  for (Section& s : sections_)
    if (s.key == key) return s;
  auto* title = partHeading(titleOf(key, document_->recipe()));
  auto* grid = new QWidget;
  auto* rows = new QGridLayout(grid);
  rows->setContentsMargins(0, 0, 0, 0);
  rows->setHorizontalSpacing(16);
  rows->setVerticalSpacing(8);
  for (int c = 0; c < k_columns; ++c) rows->setColumnStretch(c, 1);
  auto* fold = new QPushButton;
  fold->setProperty("role", "link");
  fold->setCursor(Qt::PointingHandCursor);
  connect(fold, &QPushButton::clicked, this, [this, key] { unfold(key, !open_.contains(key)); });
  sections_.push_back({key, title, grid, rows, fold, {}, {}});
  return sections_.back();
}

void RecipeForm::rebuild() {
  std::string focused;
  for (FieldEditor* e : group_.editors())
    if (e->isAncestorOf(focusWidget())) focused = e->path();
  const int scrolled = scroll_->verticalScrollBar() ? scroll_->verticalScrollBar()->value() : 0;
  group_.forget();
  sections_.clear();
  kept_.clear();
  if (QWidget* old = scroll_->takeWidget()) old->deleteLater();

  auto* content = new QWidget;
  content->setProperty("role", "inset");
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 8, 8);
  column->setSpacing(8);
  engine::Recipe recipe = document_->recipe();
  for (const engine::Field& field : engine::fields(recipe)) {
    Section& s = section(sectionOf(field.info.path));
    s.editors.push_back(group_.make(field.info.path, s.grid));
    s.editors.back()->hide();
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
    column->addWidget(s.fold, 0, Qt::AlignLeft);
    column->addSpacing(8);
  }
  column->addStretch();
  scroll_->setWidget(content);
  group_.refresh();
  arrangeAll();
  if (FieldEditor* e = group_.editor(focused)) e->control()->setFocus();
  QTimer::singleShot(0, this,
                     [this, scrolled] { scroll_->verticalScrollBar()->setValue(scrolled); });
}

bool RecipeForm::wanted(const Section& section, const FieldEditor* editor) const {
  const QString words = find_->text().simplified();
  if (!words.isEmpty()) {
    const engine::FieldInfo& info = editor->info();
    const QString text =
        QString::fromStdString(info.label + ' ' + info.path + ' ' + info.doc + ' ' + info.paper);
    const QStringList all = words.split(' ');
    return std::all_of(all.begin(), all.end(), [&](const QString& word) {
      return text.contains(word, Qt::CaseInsensitive);
    });
  }
  return open_.contains(section.key) || isBasic(editor->path()) || !editor->isDefault() ||
         editor->hasProblem() || kept_.contains(editor->path());
}

void RecipeForm::arrange(Section& s) {
  std::vector<FieldEditor*> shown;
  for (FieldEditor* e : s.editors) {
    if (!wanted(s, e)) continue;
    shown.push_back(e);
    if (find_->text().isEmpty()) kept_.insert(e->path());
  }
  const bool searching = !find_->text().simplified().isEmpty();
  const auto folded = s.editors.size() - shown.size();
  const bool open = open_.contains(s.key);
  s.fold->setText(
      open ? QString("Fewer settings")
           : QString("%1 more %2").arg(folded).arg(folded == 1 ? "setting" : "settings"));
  s.fold->setAccessibleName(s.fold->text() + ": " + static_cast<QLabel*>(s.title)->text());
  s.fold->setToolTip(open ? "Hide the settings that have their defaults"
                          : "Settings that have their defaults");
  s.fold->setVisible(!searching && (folded > 0 || open));
  s.title->setVisible(!shown.empty());
  s.grid->setVisible(!shown.empty());
  if (shown == s.shown) return;
  for (FieldEditor* e : s.shown) s.rows->removeWidget(e);
  for (FieldEditor* e : s.editors)
    if (std::find(shown.begin(), shown.end(), e) == shown.end()) e->hide();
  for (std::size_t i = 0; i < shown.size(); ++i) {
    s.rows->addWidget(shown[i], int(i) / k_columns, int(i) % k_columns, Qt::AlignTop);
    shown[i]->setVisible(true);
  }
  // Tab goes as the eye does.
  for (std::size_t i = 1; i < shown.size(); ++i)
    QWidget::setTabOrder(shown[i - 1]->control(), shown[i]->control());
  s.shown = std::move(shown);
}

void RecipeForm::arrangeAll() {
  for (Section& s : sections_) arrange(s);
}

void RecipeForm::unfold(const QString& key, bool open) {
  if (open)
    open_.insert(key);
  else
    open_.erase(key);
  for (Section& s : sections_) {
    if (s.key != key) continue;
    if (!open)
      for (FieldEditor* e : s.editors) kept_.erase(e->path());
    arrange(s);
  }
}

bool RecipeForm::isFolded(const std::string& path) const {
  const FieldEditor* e = group_.editor(path);
  return !e || e->isHidden();
}

void RecipeForm::showField(const QString& path) {
  find_->clear();
  if (FieldEditor* e = group_.editor(path.toStdString())) {
    kept_.insert(e->path());
    arrangeAll();
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
