#include "ui/pages/compose_page.h"

#include <QButtonGroup>
#include <QComboBox>
#include <QFileDialog>
#include <QFrame>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSaveFile>
#include <QScrollArea>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include "engine/tags.h"
#include "ui/forms/experiment_chooser.h"
#include "ui/forms/recipe_form.h"
#include "ui/forms/schedule_editor.h"
#include "ui/forms/stage_cards.h"
#include "ui/forms/sweep_dialog.h"
#include "ui/forms/yaml_view.h"
#include "ui/models/experiments.h"
#include "ui/theme.h"

namespace ui {
ComposePage::ComposePage(EngineBridge* bridge, QWidget* parent)
    : QWidget(parent), bridge_(bridge), document_(new RecipeDocument(this)) {
  setProperty("role", "page");
  cards_ = new StageCards(document_);
  schedule_ = new ScheduleEditor(document_);
  form_ = new RecipeForm(document_);
  yaml_ = new YamlView(document_);
  lower_ = new QStackedWidget;
  for (QWidget* w : {static_cast<QWidget*>(schedule_), static_cast<QWidget*>(form_),
                     static_cast<QWidget*>(yaml_)})
    lower_->addWidget(w);

  auto* segments = new QHBoxLayout;
  segments->setSpacing(0);
  choice_ = new QButtonGroup(this);
  int id = 0;
  for (const char* text : {"Schedule", "All settings", "YAML"}) {
    auto* button = new QPushButton(text);
    button->setCheckable(true);
    button->setProperty("role", "segment");
    choice_->addButton(button, id++);
    segments->addWidget(button);
  }
  choice_->button(Schedule)->setChecked(true);
  segments->addStretch();
  connect(choice_, &QButtonGroup::idClicked, this, [this](int i) { showLower(Lower(i)); });

  auto* panel = new QFrame;
  panel->setProperty("role", "card");
  auto* inside = new QVBoxLayout(panel);
  inside->setContentsMargins(16, 8, 16, 12);
  inside->setSpacing(10);
  inside->addLayout(segments);
  inside->addWidget(lower_, 1);

  estimate_ = new QLabel;
  useFont(estimate_, TextRole::secondary);
  estimate_->setProperty("role", "secondary");
  estimate_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  cost_ = new QLabel;
  useFont(cost_, TextRole::secondary);
  cost_->setProperty("role", "secondary");
  cost_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  problem_ = new QPushButton;
  problem_->setAccessibleName("Problems of the recipe: go to the first field");
  problem_->setProperty("role", "warning");
  useFont(problem_, TextRole::secondary);
  problem_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
  connect(problem_, &QPushButton::clicked, this, [this] {
    if (document_->problems().empty()) return;
    showLower(Settings);
    form_->showField(QString::fromStdString(document_->problems().front().path));
  });
  auto* foot = new QVBoxLayout;
  foot->setSpacing(0);
  foot->addWidget(estimate_);
  foot->addWidget(cost_);
  foot->addWidget(problem_);

  auto* content = new QWidget;
  content->setProperty("role", "canvas");
  auto* layout = new QVBoxLayout(content);
  layout->setContentsMargins(16, 0, 16, 4);
  layout->setSpacing(8);
  layout->addWidget(cards_);
  layout->addWidget(panel, 1);
  layout->addLayout(foot);
  auto* scroll = new QScrollArea;
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setFocusPolicy(Qt::NoFocus);
  scroll->setWidget(content);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->setSpacing(0);
  outer->addWidget(buildHeader());  // above what scrolls: Run is always in sight
  outer->addWidget(scroll);

  connect(cards_, &StageCards::moreWanted, this, [this](const QString& section) {
    showLower(Settings);
    form_->showField(section);
  });
  connect(document_, &RecipeDocument::changed, this, &ComposePage::sync);
  connect(&look_, &Background::failed, this, [this](const QString& sentence) {
    model_problem_ = sentence;
    syncEstimate();
  });
  connect(bridge_, &EngineBridge::runEnded, this, [this] {
    speed_of_.clear();
    syncEstimate();
  });
  choosePreset(QString::fromStdString(engine::presets().front().name));
}

QWidget* ComposePage::buildHeader() {
  auto* title = new QLabel("Compose");
  useFont(title, TextRole::title);
  presets_ = new QComboBox;
  presets_->setAccessibleName("Preset");
  presets_->setObjectName("preset");
  for (const engine::Preset& preset : engine::presets()) {
    presets_->addItem(QString::fromStdString(preset.title), QString::fromStdString(preset.name));
    presets_->setItemData(presets_->count() - 1, QString::fromStdString(preset.doc),
                          Qt::ToolTipRole);
  }
  presets_->setMinimumWidth(180);
  presets_->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  presets_->setMaximumWidth(360);
  presets_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  presets_->insertSeparator(presets_->count());
  presets_->addItem("From the paper…", "paper");
  presets_->setItemData(presets_->count() - 1, "Every table and figure of the paper as a recipe",
                        Qt::ToolTipRole);
  connect(presets_, &QComboBox::activated, this, [this](int i) {
    const QString name = presets_->itemData(i).toString();
    if (name != "paper") return choosePreset(name);
    sync();
    chooseExperiment();
  });
  name_ = new QLineEdit;
  name_->setAccessibleName("Name of the run");
  name_->setPlaceholderText("name of the run");
  name_->setMinimumWidth(90);
  name_->setMaximumWidth(180);
  connect(name_, &QLineEdit::editingFinished, this, [this] {
    if (name_->isModified()) document_->setField("name", name_->text().toStdString());
  });
  QPushButton* open = open_ = new QPushButton(lineIcon("open"), " Open…");
  open->setToolTip("Open a recipe from a YAML file");
  QPushButton* save = save_ = new QPushButton(lineIcon("save"), " Save…");
  save->setToolTip("Save the recipe as YAML; `equipoise run` takes the file");
  open->setAccessibleName("Open a recipe");
  save->setAccessibleName("Save the recipe");
  connect(open, &QPushButton::clicked, this, &ComposePage::askOpen);
  connect(save, &QPushButton::clicked, this, &ComposePage::askSave);
  sweep_ = new QPushButton(lineIcon("sweep"), " Sweep…");
  sweep_->setToolTip("Several runs: values of any fields, and seeds (Ctrl+Shift+Return)");
  sweep_->setAccessibleName("Sweep over fields and seeds");
  connect(sweep_, &QPushButton::clicked, this, &ComposePage::sweep);
  run_ = new QPushButton(lineIcon("play-primary"), " Run");
  run_->setObjectName("run");
  run_->setProperty("role", "primary");
  run_->setAccessibleName("Run this recipe");
  connect(run_, &QPushButton::clicked, this, &ComposePage::submit);
  auto* header = new QWidget;
  auto* row = new QHBoxLayout(header);
  row->setContentsMargins(16, 12, 16, 10);
  row->setSpacing(8);
  row->addWidget(title);
  row->addSpacing(8);
  row->addWidget(presets_, 4);
  auto* label = new QLabel("Name");
  label->setProperty("role", "secondary");
  row->addSpacing(8);
  row->addWidget(label);
  row->addWidget(name_);
  row->addStretch();
  row->addWidget(open);
  row->addWidget(save);
  row->addWidget(sweep_);
  row->addWidget(run_);
  return header;
}

void ComposePage::choosePreset(const QString& name) {
  for (const engine::Preset& preset : engine::presets()) {
    if (QString::fromStdString(preset.name) != name) continue;
    document_->open(preset.recipe, name);
    return;
  }
}

void ComposePage::openRecipe(const engine::Recipe& recipe, const QString& from) {
  document_->open(recipe, from);
}

/// The box shows where the recipe came from: a preset, or a file, run or experiment in an entry of
/// its own.
void ComposePage::syncSource() {
  const QString& source = document_->source();
  int at = presets_->findData(source);
  if (at < 0) {
    at = presets_->findData("file");
    if (at < 0) {
      presets_->addItem(QString(), "file");
      at = presets_->count() - 1;
    }
    presets_->setItemText(at, source);
  }
  presets_->setCurrentIndex(at);
  const QString tip = presets_->itemData(at, Qt::ToolTipRole).toString();
  presets_->setToolTip(tip.isEmpty() ? presets_->itemText(at) : tip);
}

void ComposePage::chooseExperiment() {
  auto* chooser = new ExperimentChooser(this);
  connect(chooser, &ExperimentChooser::picked, this, &ComposePage::openExperiment);
  chooser->open();
}

void ComposePage::openExperiment(const QString& id) {
  for (const Experiment& e : experiments())
    if (e.id == id) openRecipe(experimentRecipe(e).recipe, e.group + ": " + e.title);
}

void ComposePage::sweep() {
  auto* dialog = new SweepDialog(document_->recipe(), this);
  connect(dialog, &SweepDialog::queued, this, [this](const std::vector<engine::Recipe>& recipes) {
    auto known = bridge_->runs();
    known.insert(known.end(), bridge_->trash().begin(), bridge_->trash().end());
    const std::string tag = engine::new_sweep_tag(document_->recipe().name, known);
    std::map<engine::RunId, std::string> queued;
    std::optional<engine::RunId> first;
    for (const engine::Recipe& recipe : recipes) {
      const auto id = bridge_->submit(recipe);
      if (!id) break;
      queued[*id] = tag;
      if (!first) first = id;
    }
    bridge_->setTags(queued);
    if (first) Q_EMIT submitted(*first);
    if (queued.size() == recipes.size())
      Q_EMIT notice(QString("%1 runs queued, tagged “%2”").arg(recipes.size()).arg(QString::fromStdString(tag)), false);
  });
  dialog->open();
}

bool ComposePage::openFile(const QString& file) {
  const engine::ParsedRecipe parsed = engine::load_recipe(file.toStdString());
  for (const auto& p : parsed.problems) {
    if (p.warning) continue;
    Q_EMIT notice(QString("%1: %2%3")
                      .arg(QFileInfo(file).fileName(),
                           p.path.empty() ? QString() : QString::fromStdString(p.path) + ": ",
                           QString::fromStdString(p.message)),
                  true);
    return false;
  }
  openRecipe(parsed.recipe, QFileInfo(file).fileName());
  Q_EMIT fileOpened(file);
  return true;
}

bool ComposePage::saveFile(const QString& file) {
  QSaveFile out(file);
  const QByteArray text = QByteArray::fromStdString(engine::to_yaml(document_->recipe()));
  if (!out.open(QIODevice::WriteOnly) || out.write(text) != text.size() || !out.commit()) {
    Q_EMIT notice(QString("%1 cannot be written: %2").arg(file, out.errorString()), true);
    return false;
  }
  document_->undoStack()->setClean();
  Q_EMIT notice("Saved " + file, false);
  Q_EMIT fileOpened(file);
  return true;
}

void ComposePage::askOpen() {
  auto* dialog =
      new QFileDialog(this, "Open a recipe", {}, "Recipes (*.yaml *.yml);;All files (*)");
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  connect(dialog, &QFileDialog::fileSelected, this, &ComposePage::openFile);
  dialog->open();
}

void ComposePage::askSave() {
  auto* dialog = new QFileDialog(this, "Save the recipe",
                                 QString::fromStdString(document_->recipe().name) + ".yaml",
                                 "Recipes (*.yaml)");
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setDefaultSuffix("yaml");
  connect(dialog, &QFileDialog::fileSelected, this, &ComposePage::saveFile);
  dialog->open();
}

void ComposePage::showLower(Lower what) {
  lower_->setCurrentIndex(what);
  choice_->button(what)->setChecked(true);
  // The whole form and the text hold what the cards hold; they get the room.
  cards_->setVisible(what == Schedule);
}

void ComposePage::sync() {
  syncSource();
  const QString name = QString::fromStdString(document_->recipe().name);
  if (!(name_->hasFocus() && name_->isModified()) && name_->text() != name) name_->setText(name);
  const bool blocked = document_->hasErrors() || bridge_->readOnly();
  run_->setEnabled(!blocked);
  sweep_->setEnabled(!blocked);
  run_->setToolTip(bridge_->readOnly() ? bridge_->readOnlyReason()
                   : document_->hasErrors()
                       ? "The recipe has a problem: " +
                             QString::fromStdString(document_->problems().front().message)
                   : bridge_->idle() ? "Start this run (Ctrl+Return)"
                                     : "Queue this run (Ctrl+Return)");
  const auto& problems = document_->problems();
  problem_->setVisible(!problems.empty());
  if (!problems.empty()) {
    const auto& p = problems.front();
    QString text = QString::fromStdString((p.path.empty() ? "" : p.path + ": ") + p.message);
    problem_->setToolTip(text + "\nPress to see the field.");
    if (problems.size() > 1) text += QString(" (and %1 more)").arg(problems.size() - 1);
    problem_->setText(QFontMetrics(problem_->font())
                          .elidedText(text, Qt::ElideRight, std::max(300, width() - 40)));
    problem_->setProperty("level", p.warning ? "warning" : "error");
    repolish(problem_);
  }
  syncEstimate();
}

void ComposePage::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  // Where words do not fit, the two icons say it with their tooltips.
  const bool narrow = width() < 62 * fontMetrics().averageCharWidth() + 420;
  open_->setText(narrow ? QString() : " Open…");
  save_->setText(narrow ? QString() : " Save…");
  sweep_->setText(narrow ? QString() : " Sweep…");
}

void ComposePage::submit() {
  for (const auto& problem : bridge_->check(document_->recipe())) {
    if (problem.warning) continue;
    Q_EMIT notice(
        QString::fromStdString((problem.path.empty() ? "" : problem.path + ": ") + problem.message),
        true);
    return;
  }
  if (const auto id = bridge_->submit(document_->recipe())) Q_EMIT submitted(*id);
}

}  // namespace ui
