#include "ui/forms/field_editor.h"

#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QCompleter>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QVBoxLayout>
#include <algorithm>
#include <map>

#include "ui/theme.h"

namespace ui {
namespace {

QString q(const std::string& text) { return QString::fromStdString(text); }

QString kindOf(const engine::Value& value) {
  static const char* const names[] = {"yes or no",
                                      "a whole number",
                                      "a number",
                                      "text",
                                      "whole numbers with commas between",
                                      "numbers with commas between",
                                      "words with commas between"};
  return names[value.index()];
}

QString help(const engine::FieldInfo& info, const engine::Value& fallback) {
  QString text = "<b>" + q(info.label).toHtmlEscaped() + "</b>";
  if (!info.unit.empty()) text += " (" + q(info.unit).toHtmlEscaped() + ")";
  text += "<br>" + q(info.doc).toHtmlEscaped();
  const QString standard = displayText(fallback);
  text += "<br>Default: " + (standard.isEmpty() ? QString("none") : standard.toHtmlEscaped());
  if (!info.paper.empty()) text += "<br>Paper: " + q(info.paper).toHtmlEscaped();
  text += "<br><code>" + q(info.path).toHtmlEscaped() + "</code>";
  return text;
}

/// Label and unit; the unit is left out where the label says it or it would not fit.
QString titleOf(const engine::FieldInfo& info) {
  const QString label = q(info.label), unit = q(info.unit);
  if (unit.isEmpty() || unit.size() > 16 || label.contains(unit, Qt::CaseInsensitive)) return label;
  return label + ", " + unit;
}

}  // namespace

QString displayText(const engine::Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    if (*number != 0 && *number % 1'000'000 == 0) return QString("%1M").arg(*number / 1'000'000);
    return QString::number(*number);
  }
  return q(engine::to_text(value));
}

FieldEditor::FieldEditor(RecipeDocument* document, const engine::Field& field, QWidget* parent)
    : QWidget(parent),
      document_(document),
      info_(field.info),
      fallback_(field.fallback),
      value_(field.get()) {
  setObjectName(q(info_.path));
  mark_ = new QLabel;
  mark_->setFixedSize(6, 6);
  mark_->setAccessibleName(q(info_.label) + " differs from the preset");
  buildControl(value_);
  problem_ = new QLabel;
  useFont(problem_, TextRole::secondary);
  problem_->setWordWrap(true);
  problem_->hide();

  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(2);
  if (check_) {
    // A check box carries its own label; the empty line above keeps its box level with its
    // neighbours'.
    auto* row = new QHBoxLayout;
    row->setSpacing(5);
    row->addWidget(check_);
    row->addWidget(mark_);
    row->addStretch();
    auto* above = new QLabel(" ");
    useFont(above, TextRole::secondary);
    layout->addWidget(above);
    layout->addLayout(row);
  } else {
    label_ = new QLabel(titleOf(info_));
    useFont(label_, TextRole::secondary);
    label_->setProperty("role", "secondary");
    label_->setBuddy(control());
    label_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    auto* head = new QHBoxLayout;
    head->setSpacing(5);
    head->addWidget(label_, 1);
    head->addWidget(mark_, 0, Qt::AlignVCenter);
    layout->addLayout(head);
    layout->addWidget(control());
  }
  layout->addWidget(problem_);
  const QString tip = help(info_, fallback_);
  setToolTip(tip);
  control()->setToolTip(tip);
  control()->setWhatsThis(tip);
  control()->setAccessibleName(q(info_.label));
  control()->setAccessibleDescription(q(info_.doc));
}

void FieldEditor::buildControl(const engine::Value& value) {
  if (std::holds_alternative<bool>(value)) {
    check_ = new QCheckBox(q(info_.label));
    connect(check_, &QCheckBox::toggled, this, [this](bool on) { commit(on); });
    return;
  }
  if (std::holds_alternative<std::string>(value) && !info_.choices.empty()) {
    combo_ = new QComboBox;
    combo_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    combo_->setMinimumContentsLength(6);
    for (const std::string& choice : info_.choices)
      combo_->addItem(choice.empty() ? QString("off") : q(choice), q(choice));
    combo_->setEditable(info_.open_choice);
    if (info_.open_choice) {
      combo_->setInsertPolicy(QComboBox::NoInsert);
      combo_->completer()->setCompletionMode(QCompleter::PopupCompletion);
      combo_->lineEdit()->setAccessibleName(q(info_.label));
      connect(combo_->lineEdit(), &QLineEdit::editingFinished, this, [this] {
        const QString text = combo_->currentText();
        commitText(text == "off" ? QString() : text);
      });
    }
    connect(combo_, &QComboBox::activated, this,
            [this](int i) { commit(combo_->itemData(i).toString().toStdString()); });
    combo_->setFocusPolicy(Qt::StrongFocus);
    return;
  }
  line_ = new QLineEdit;
  line_->setMinimumWidth(40);
  connect(line_, &QLineEdit::textEdited, this, &FieldEditor::typing);
  connect(line_, &QLineEdit::editingFinished, this, [this] {
    if (line_->isModified()) commitText(line_->text());
  });
  if (std::holds_alternative<std::vector<std::string>>(value) && !info_.choices.empty())
    addChoiceMenu();
}

void FieldEditor::addChoiceMenu() {
  auto* action = line_->addAction(lineIcon("chevron-down", QColor(0x80, 0x80, 0x80)),
                                  QLineEdit::TrailingPosition);
  action->setToolTip("Choose " + q(info_.label).toLower());
  connect(action, &QAction::triggered, this, [this] {
    QMenu menu(this);
    const auto chosen = std::get<std::vector<std::string>>(value_);
    for (const std::string& choice : info_.choices) {
      QAction* item = menu.addAction(q(choice));
      item->setCheckable(true);
      item->setChecked(std::find(chosen.begin(), chosen.end(), choice) != chosen.end());
    }
    if (QAction* picked = menu.exec(line_->mapToGlobal(QPoint(0, line_->height())))) {
      std::vector<std::string> next;
      for (std::size_t i = 0; i < info_.choices.size(); ++i)
        if (menu.actions()[qsizetype(i)]->isChecked()) next.push_back(info_.choices[i]);
      Q_UNUSED(picked)
      commit(next);
    }
  });
}

QWidget* FieldEditor::control() const {
  if (check_) return check_;
  if (combo_) return combo_;
  return line_;
}

int FieldEditor::labelWidth() const {
  return label_ ? label_->sizeHint().width() + mark_->width() + 8 : sizeHint().width();
}

QString FieldEditor::text() const {
  if (check_) return check_->isChecked() ? "true" : "false";
  if (combo_) return combo_->currentText() == "off" ? QString() : combo_->currentText();
  return line_->text();
}

bool FieldEditor::enter(const QString& text) { return commitText(text); }

void FieldEditor::typing(const QString& text) {
  const auto value = engine::from_text(text.toStdString(), value_);
  if (!value) {
    setProblem("Takes " + kindOf(value_) + ".", true);
    return;
  }
  engine::Recipe trial = document_->recipe();
  for (engine::Field& field : engine::fields(trial))
    if (field.info.path == info_.path) field.set(*value);
  QString sentence;
  bool error = false;
  for (const auto& problem : engine::check(trial)) {
    if (problem.path != info_.path) continue;
    sentence += (sentence.isEmpty() ? "" : " ") + q(problem.message);
    error = error || !problem.warning;
  }
  setProblem(sentence, error);
}

bool FieldEditor::commitText(const QString& text) {
  const auto value = engine::from_text(text.toStdString(), value_);
  if (!value) {
    setProblem("Takes " + kindOf(value_) + ".", true);
    return false;
  }
  if (line_) line_->setModified(false);
  commit(*value);
  return true;
}

void FieldEditor::commit(const engine::Value& value) {
  if (value == value_) return;
  value_ = value;
  document_->setField(info_.path, value);
}

void FieldEditor::setProblem(const QString& text, bool error) {
  has_problem_ = !text.isEmpty();
  problem_->setText(text);
  problem_->setVisible(!text.isEmpty());
  const char* role = error ? "problem" : "warning";
  if (problem_->property("role") != QLatin1String(role)) {
    problem_->setProperty("role", role);
    repolish(problem_);
  }
  const bool marked = error && !text.isEmpty();
  if (control()->property("problem").toBool() != marked) {
    control()->setProperty("problem", marked);
    repolish(control());
  }
}

void FieldEditor::show(const engine::Value& value, bool differs, const QString& preset_text,
                       const QString& problem, bool error) {
  value_ = value;
  const QString shown = displayText(value);
  if (check_) {
    const QSignalBlocker quiet(check_);
    check_->setChecked(std::get<bool>(value));
  } else if (combo_) {
    const QSignalBlocker quiet(combo_);
    const int at = combo_->findData(shown);
    if (at >= 0)
      combo_->setCurrentIndex(at);
    else if (info_.open_choice)
      combo_->setEditText(shown);
    else {
      combo_->addItem(shown, shown);
      combo_->setCurrentIndex(combo_->count() - 1);
    }
  } else if (!(line_->hasFocus() && line_->isModified()) && line_->text() != shown) {
    line_->setText(shown);
    line_->setCursorPosition(0);
  }
  mark_->setProperty("role", differs ? "mark" : "");
  mark_->update();
  mark_->setToolTip(differs ? "Differs from the preset: " +
                                  (preset_text.isEmpty() ? QString("empty") : preset_text)
                            : QString());
  setProblem(problem, error);
}

FieldGroup::FieldGroup(RecipeDocument* document, QObject* parent)
    : QObject(parent), document_(document) {
  connect(document_, &RecipeDocument::changed, this, &FieldGroup::refresh);
}

FieldEditor* FieldGroup::make(const std::string& path, QWidget* parent) {
  engine::Recipe recipe = document_->recipe();
  for (const engine::Field& field : engine::fields(recipe)) {
    if (field.info.path != path) continue;
    editors_.push_back(new FieldEditor(document_, field, parent));
    return editors_.back();
  }
  return nullptr;
}

void FieldGroup::forget() { editors_.clear(); }

FieldEditor* FieldGroup::editor(const std::string& path) const {
  auto it = std::find_if(editors_.begin(), editors_.end(),
                         [&](const FieldEditor* e) { return e->path() == path; });
  return it == editors_.end() ? nullptr : *it;
}

void FieldGroup::refresh() {
  engine::Recipe recipe = document_->recipe();
  engine::Recipe preset = document_->preset();
  std::map<std::string, engine::Value> now, then;
  for (const engine::Field& field : engine::fields(recipe))
    now.emplace(field.info.path, field.get());
  for (const engine::Field& field : engine::fields(preset))
    then.emplace(field.info.path, field.get());
  for (FieldEditor* editor : editors_) {
    auto value = now.find(editor->path());
    if (value == now.end()) continue;
    auto old = then.find(editor->path());
    const bool differs = old == then.end() || old->second != value->second;
    editor->show(value->second, differs,
                 old == then.end() ? QString("not in the preset") : displayText(old->second),
                 document_->problemAt(editor->path()), document_->isErrorAt(editor->path()));
  }
}

}  // namespace ui
