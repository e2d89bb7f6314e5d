#include "ui/forms/schedule_editor.h"

#include <QBoxLayout>
#include <QComboBox>
#include <QLabel>
#include <QToolButton>
#include <algorithm>

#include "ui/forms/mask_view.h"
#include "ui/forms/step_lane.h"
#include "ui/models/inspect_tables.h"
#include "ui/models/run_list_model.h"
#include "ui/models/x_axis.h"
#include "ui/theme.h"

namespace ui {
namespace {

QLabel* secondary(const QString& text, QWidget* parent) {
  auto* label = new QLabel(text, parent);
  useFont(label, TextRole::secondary);
  label->setProperty("role", "secondary");
  return label;
}

std::vector<double> asDoubles(const std::vector<std::int64_t>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

ScheduleEditor::ScheduleEditor(RecipeDocument* document, QWidget* parent)
    : QWidget(parent), document_(document) {
  setObjectName("schedule editor");
  dropout_ = new StepLane(StepLane::Kind::dropout);
  window_ = new StepLane(StepLane::Kind::window);
  window_->setShowEpochs(true);

  stages_ = new QComboBox;
  stages_->setAccessibleName("Stage whose schedule is shown");
  stages_->setToolTip("Stage whose schedule is shown");
  auto button = [](const QString& icon, const QString& text) {
    auto* b = new QToolButton;
    b->setIcon(lineIcon(icon));
    b->setToolTip(text);
    b->setAccessibleName(text);
    return b;
  };
  fewer_ = button("minus", "Remove the last epoch");
  more_ = button("plus", "Add an epoch");

  auto list = [&](const QString& name, const QString& hint, bool dropout) {
    auto* edit = new QLineEdit;
    edit->setAccessibleName(name);
    edit->setObjectName(name);
    edit->setPlaceholderText(hint);
    edit->setToolTip(name + ", one value an epoch; the last one is held");
    connect(edit, &QLineEdit::editingFinished, this,
            [this, edit, dropout] { typed(edit, dropout); });
    return edit;
  };
  dropout_list_ = list("Dropout list", "never, e.g. 0.9, 0.75, 0.5", true);
  window_list_ = list("Window list", "as in Attention, e.g. 32", false);

  auto* top = new QHBoxLayout;
  top->setSpacing(8);
  stage_label_ = new QLabel;
  top->addWidget(stages_);
  top->addWidget(stage_label_);
  top->addStretch();
  top->addWidget(secondary("Epochs", this));
  top->addWidget(fewer_);
  top->addWidget(more_);

  auto* lists = new QHBoxLayout;
  lists->setSpacing(8);
  lists->addWidget(secondary("Dropout", this));
  lists->addWidget(dropout_list_, 3);
  lists->addSpacing(8);
  lists->addWidget(secondary("Window", this));
  lists->addWidget(window_list_, 2);

  place_ = secondary({}, this);
  place_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  place_->setWordWrap(true);
  note_ = secondary({}, this);
  note_->setProperty("role", "problem");
  note_->hide();

  auto* left = new QVBoxLayout;
  left->setSpacing(4);
  left->addLayout(top);
  left->addWidget(dropout_, 1);
  left->addWidget(window_, 1);
  left->addLayout(lists);
  left->addWidget(note_);

  mask_title_ = new QLabel;
  mask_title_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  mask_title_->setWordWrap(true);
  mask_ = new MaskView;
  auto* right = new QVBoxLayout;
  right->setSpacing(6);
  right->addWidget(mask_title_);
  right->addWidget(mask_, 1);
  right->addWidget(place_);  // here is room: beneath the lists it would push the estimates off a small window

  body_ = new QWidget;
  auto* row = new QHBoxLayout(body_);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(32);
  row->addLayout(left, 3);
  row->addLayout(right, 2);
  empty_ = secondary(
      "A schedule belongs to a fine-tuning stage. Add one to set window dropout and window by "
      "epoch.",
      this);
  empty_->setAlignment(Qt::AlignCenter);
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(0, 0, 0, 0);
  all->addWidget(body_);
  all->addWidget(empty_);

  for (StepLane* lane : {dropout_, window_}) {
    connect(lane, &StepLane::epochChosen, this, &ScheduleEditor::setEpoch);
    connect(lane, &StepLane::previewed, this, &ScheduleEditor::previewLanes);
    connect(lane, &StepLane::edited, this, [this, lane](const std::vector<double>& values) {
      const engine::StageSpec* stage = current();
      if (!stage) return;
      engine::StageSpec next = *stage;
      if (lane == dropout_)
        next.schedule.dropout = values;
      else
        next.schedule.window.assign(values.begin(), values.end());
      commit(QString("Change %1 of epoch %2")
                 .arg(lane == dropout_ ? "dropout" : "window")
                 .arg(epoch() + 1),
             next);
    });
  }
  connect(more_, &QToolButton::clicked, this, &ScheduleEditor::addEpoch);
  connect(fewer_, &QToolButton::clicked, this, &ScheduleEditor::removeEpoch);
  connect(stages_, &QComboBox::activated, this,
          [this](int i) { setStage(stages_->itemData(i).toInt()); });
  connect(document_, &RecipeDocument::changed, this, &ScheduleEditor::sync);
  sync();
}

const engine::StageSpec* ScheduleEditor::current() const {
  const auto& stages = document_->recipe().stages;
  if (stage_ < 0 || stage_ >= int(stages.size()) || stages[std::size_t(stage_)].kind != "finetune")
    return nullptr;
  return &stages[std::size_t(stage_)];
}

void ScheduleEditor::chooseStage() {
  const auto& stages = document_->recipe().stages;
  if (!current()) {
    stage_ = -1;
    for (std::size_t i = 0; i < stages.size() && stage_ < 0; ++i)
      if (stages[i].kind == "finetune") stage_ = int(i);
  }
  stages_->clear();
  for (std::size_t i = 0; i < stages.size(); ++i)
    if (stages[i].kind == "finetune")
      stages_->addItem(QString("Stage %1: fine-tune %2")
                           .arg(i + 1)
                           .arg(QString::fromStdString(stages[i].component)),
                       int(i));
  stages_->setCurrentIndex(stages_->findData(stage_));
  stages_->setVisible(stages_->count() > 1);
  stage_label_->setVisible(stages_->count() == 1);
  stage_label_->setText(stages_->currentText());
}

void ScheduleEditor::setStage(int stage) {
  stage_ = stage;
  sync();
}

int ScheduleEditor::epoch() const { return dropout_->epoch(); }

void ScheduleEditor::setEpoch(int epoch) {
  dropout_->setEpoch(epoch);
  window_->setEpoch(epoch);
  if (const auto* stage = current()) {
    syncMask(*stage);
    syncPlace(*stage);
  }
}

void ScheduleEditor::setSecondsPerToken(std::optional<double> seconds) {
  seconds_per_token_ = seconds;
  if (const auto* stage = current()) syncPlace(*stage);
}

QString ScheduleEditor::placeText() const { return place_->text(); }

/// Where the epochs lie in the whole run: beneath the lanes for the chosen one, along them for all.
void ScheduleEditor::syncPlace(const engine::StageSpec& stage) {
  RunData planned;
  planned.recipe = document_->recipe();
  const StepMap tokens(XAxis::tokens, planned, {});
  double first = 0;
  for (const PlanStep& part : planned.plan())
    if (int(part.stage) < stage_) first = double(part.last);
  const double per_epoch = double(engine::steps_per_epoch(planned.recipe, stage));
  const double all = double(planned.plannedSteps());
  QStringList ends;
  for (std::int64_t e = 0; e < stage.epochs; ++e)
    ends << QString("%L1").arg(qint64(first + double(e + 1) * per_epoch));
  window_->setEpochEnds(ends);
  const double from = first + epoch() * per_epoch, to = from + per_epoch;
  auto million = [&](double step) { return tokens(step) * 1e6; };
  QString text = QString("Epoch %1: steps %L2–%L3 of %L4, tokens %5–%6 of %7")
                     .arg(epoch() + 1)
                     .arg(qint64(from) + 1)
                     .arg(qint64(to))
                     .arg(qint64(all))
                     .arg(countText(million(from)), countText(million(to)), countText(million(all)));
  if (seconds_per_token_) {
    auto time = [&](double step) { return durationText(million(step) * *seconds_per_token_); };
    text += QString(", about %1 to %2 of %3").arg(time(from), time(to), time(all));
  }
  place_->setText(epoch() < stage.epochs ? text : QString("Epoch %1 is beyond the stage's end").arg(epoch() + 1));
  place_->setToolTip(place_->text() + "\nBeneath the lanes: the step at which each epoch ends.");
}

void ScheduleEditor::commit(const QString& what, const engine::StageSpec& stage) {
  engine::Recipe next = document_->recipe();
  next.stages[std::size_t(stage_)] = stage;
  document_->change(what, next);
  sync();
}

void ScheduleEditor::addEpoch() {
  if (const auto* stage = current()) {
    engine::StageSpec next = *stage;
    ++next.epochs;
    commit("Add an epoch", next);
  }
}

void ScheduleEditor::removeEpoch() {
  const auto* stage = current();
  if (!stage || stage->epochs <= 1) return;
  engine::StageSpec next = *stage;
  --next.epochs;
  const auto most = std::size_t(next.epochs);
  if (next.schedule.dropout.size() > most) next.schedule.dropout.resize(most);
  if (next.schedule.window.size() > most) next.schedule.window.resize(most);
  commit("Remove the last epoch", next);
}

void ScheduleEditor::typed(QLineEdit* edit, bool dropout) {
  const engine::StageSpec* stage = current();
  if (!stage || !edit->isModified()) return;
  engine::StageSpec next = *stage;
  const engine::Value like =
      dropout ? engine::Value(next.schedule.dropout) : engine::Value(next.schedule.window);
  const auto value = engine::from_text(edit->text().toStdString(), like);
  edit->setProperty("problem", !value);
  repolish(edit);
  if (!value) {
    note_->setText(
        dropout ? "Dropout takes numbers from 0 to 1 with commas between, e.g. 0.9, 0.75, 0.5."
                : "Window takes whole numbers of tokens with commas between, e.g. 4, 8, 16, 32.");
    note_->show();
    return;
  }
  edit->setModified(false);
  if (dropout)
    next.schedule.dropout = std::get<std::vector<double>>(*value);
  else
    next.schedule.window = std::get<std::vector<std::int64_t>>(*value);
  commit(dropout ? "Type dropout list" : "Type window list", next);
}

void ScheduleEditor::previewLanes() {
  const engine::StageSpec* stage = current();
  if (!stage) return;
  engine::StageSpec next = *stage;
  next.schedule.dropout = dropout_->values();
  next.schedule.window.assign(window_->values().begin(), window_->values().end());
  dropout_list_->setText(QString::fromStdString(engine::to_text(next.schedule.dropout)));
  window_list_->setText(QString::fromStdString(engine::to_text(next.schedule.window)));
  syncMask(next);
}

void ScheduleEditor::sync() {
  chooseStage();
  const engine::StageSpec* stage = current();
  body_->setVisible(stage != nullptr);
  empty_->setVisible(stage == nullptr);
  if (!stage) return;
  const engine::Recipe& recipe = document_->recipe();
  const auto windows = asDoubles(stage->schedule.window);
  double top = std::max<double>(64, double(recipe.attention.window));
  for (double w : windows) top = std::max(top, w);
  window_->setTop(std::exp2(std::ceil(std::log2(top))) * (top > 64 ? 1 : 2));
  dropout_->setValues(stage->schedule.dropout, 0, int(stage->epochs));
  window_->setValues(windows, double(recipe.attention.window), int(stage->epochs));
  fewer_->setEnabled(stage->epochs > 1);
  const std::string prefix = "stages[" + std::to_string(stage_) + "].schedule.";
  QStringList notes;
  for (auto [edit, key, text] :
       {std::tuple(dropout_list_, "dropout", engine::to_text(stage->schedule.dropout)),
        std::tuple(window_list_, "window", engine::to_text(stage->schedule.window))}) {
    const QString shown = QString::fromStdString(text);
    if (edit->text() != shown) edit->setText(shown);
    const QString problem = document_->problemAt(prefix + key);
    edit->setProperty("problem", document_->isErrorAt(prefix + key));
    repolish(edit);
    if (!problem.isEmpty()) notes << problem;
  }
  note_->setText(notes.join(' '));
  note_->setVisible(!notes.isEmpty());
  syncMask(*stage);
  syncPlace(*stage);
}

void ScheduleEditor::syncMask(const engine::StageSpec& stage) {
  const engine::Recipe& recipe = document_->recipe();
  MaskPicture m;
  m.tokens = int(std::min<std::int64_t>(recipe.data.sequence_length, 1 << 30));
  m.window =
      int(std::min<std::int64_t>(engine::window_at(stage, recipe.attention, epoch()), 1 << 30));
  m.dropout = engine::dropout_at(stage, epoch());
  m.overlap = recipe.attention.linear_context == "overlap";
  m.all_when_dropped = stage.schedule.linear_when_dropped == "all";
  m.linear_only = stage.component == "linear";
  m.epoch = epoch();
  m.drop_unit = QString::fromStdString(stage.schedule.drop);
  mask_->setPicture(m);
  mask_title_->setText(QString("Keys each branch sees: epoch %1, window %2, dropout %3")
                           .arg(epoch() + 1)
                           .arg(m.window)
                           .arg(m.dropout));
}

}  // namespace ui
