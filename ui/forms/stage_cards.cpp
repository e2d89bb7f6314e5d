#include "ui/forms/stage_cards.h"

#include <QApplication>
#include <QFrame>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTimer>
#include <QToolButton>
#include <algorithm>

#include "ui/theme.h"

namespace ui {

StageCards::StageCards(RecipeDocument* document, QWidget* parent)
    : QWidget(parent), document_(document), group_(document) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  connect(document_, &RecipeDocument::structureChanged, this, &StageCards::rebuild);
  rebuild();
}

QFrame* StageCards::card(const QString& title, const std::vector<std::string>& paths,
                         const QString& section) {
  auto* frame = new QFrame;
  frame->setProperty("role", "card");
  frame->setMinimumWidth(QFontMetrics(QApplication::font()).horizontalAdvance("attention-weights") +
                         72);
  auto* layout = new QVBoxLayout(frame);
  layout->setContentsMargins(12, 8, 12, 6);
  layout->setSpacing(6);
  auto* header = new QHBoxLayout;
  header->setSpacing(0);
  auto* label = new QLabel(title);
  QFont bold = label->font();
  bold.setWeight(QFont::DemiBold);
  label->setFont(bold);
  label->setFixedHeight(QFontMetrics(bold).height() + 8);
  header->addWidget(label, 1);
  layout->addLayout(header);
  for (const std::string& path : paths) {
    FieldEditor* editor = group_.make(path, frame);
    if (!editor) continue;
    layout->addWidget(editor);
    frame->setMinimumWidth(std::max(frame->minimumWidth(), editor->labelWidth() + 24));
  }
  layout->addStretch();
  auto* more = new QPushButton("More…");
  more->setProperty("role", "link");
  more->setCursor(Qt::PointingHandCursor);
  more->setAccessibleName("More settings: " + title);
  more->setToolTip("Every setting of this part");
  connect(more, &QPushButton::clicked, this, [this, section] { Q_EMIT moreWanted(section); });
  layout->addWidget(more, 0, Qt::AlignLeft);
  return frame;
}

void StageCards::addStageButtons(QHBoxLayout* header, int stage) {
  const int last = int(document_->recipe().stages.size()) - 1;
  auto button = [&](const QString& icon, const QString& text, bool enabled, auto action) {
    auto* b = new QToolButton;
    b->setProperty("role", "flat");
    b->setIcon(lineIcon(icon));
    b->setToolTip(text);
    b->setAccessibleName(text + QString(", stage %1").arg(stage + 1));
    b->setFixedSize(24, 24);
    b->setEnabled(enabled);
    connect(b, &QToolButton::clicked, this, action);
    header->addWidget(b);
  };
  if (last > 0) {
    button("left", "Move this stage earlier", stage > 0, [this, stage] { moveStage(stage, -1); });
    button("right", "Move this stage later", stage < last, [this, stage] { moveStage(stage, 1); });
  }
  button("close", "Remove this stage", true, [this, stage] { removeStage(stage); });
  QWidget* frame = header->parentWidget();
  frame->setMinimumWidth(std::max(frame->minimumWidth(), header->minimumSize().width() + 24));
}

void StageCards::rebuild() {
  std::string focused;
  for (FieldEditor* e : group_.editors())
    if (e->isAncestorOf(focusWidget())) focused = e->path();
  group_.forget();
  if (row_) {
    layout()->removeWidget(row_);
    row_->hide();
    row_->deleteLater();
  }
  auto* scroll = new QScrollArea;
  scroll->setWidgetResizable(true);
  scroll->setFrameShape(QFrame::NoFrame);
  scroll->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll->setFocusPolicy(Qt::NoFocus);
  auto* content = new QWidget;
  content->setProperty("role", "canvas");
  auto* row = new QHBoxLayout(content);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  row->addWidget(
      card("Model and data",
           {"model", "data.path", "data.sequence_length", "data.tokens_per_epoch"}, "model"),
      1);
  row->addWidget(card("Attention",
                      {"attention.feature_map.preset", "attention.window",
                       "attention.linear_context", "attention.mixing.kind"},
                      "attention"),
                 1);
  const auto& stages = document_->recipe().stages;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::string p = "stages[" + std::to_string(i) + "].";
    const bool transfer = stages[i].kind == "transfer";
    QFrame* frame =
        transfer
            ? card(QString("%1  Transfer").arg(i + 1),
                   {p + "objective", p + "epochs", p + "tokens_per_epoch", p + "learning_rate"},
                   QString("stages[%1]").arg(i))
            : card(QString("%1  Fine-tune").arg(i + 1),
                   {p + "component", p + "trainable", p + "epochs", p + "learning_rate"},
                   QString("stages[%1]").arg(i));
    addStageButtons(static_cast<QHBoxLayout*>(frame->layout()->itemAt(0)->layout()), int(i));
    row->addWidget(frame, 1);
  }
  auto* add = new QToolButton;
  add->setIcon(lineIcon("plus"));
  add->setToolTip("Add a stage");
  add->setAccessibleName("Add a stage");
  add->setPopupMode(QToolButton::InstantPopup);
  auto* menu = new QMenu(add);
  menu->addAction("Attention transfer", this, [this] { addStage("transfer"); });
  menu->addAction("Fine-tuning", this, [this] { addStage("finetune"); });
  add->setMenu(menu);
  row->addWidget(add);
  row->addWidget(
      card("Evaluation",
           {"evaluation.tasks", "evaluation.components", "evaluation.every", "evaluation.limit"},
           "evaluation"),
      1);
  scroll->setWidget(content);
  row_ = scroll;
  layout()->addWidget(scroll);
  group_.refresh();
  fitHeight();
  if (FieldEditor* e = group_.editor(focused)) e->control()->setFocus();
}

void StageCards::fitHeight() {
  auto* scroll = static_cast<QScrollArea*>(row_);
  QWidget* content = scroll->widget();
  // Sizes are right only once the style has seen every control.
  content->ensurePolished();
  for (QWidget* w : content->findChildren<QWidget*>()) w->ensurePolished();
  content->layout()->activate();
  const bool wide = content->minimumSizeHint().width() > width();
  setFixedHeight(content->sizeHint().height() +
                 (wide ? scroll->horizontalScrollBar()->sizeHint().height() + 2 : 0));
}

void StageCards::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  fitHeight();
}

bool StageCards::event(QEvent* event) {
  if (event->type() == QEvent::LayoutRequest || event->type() == QEvent::Polish) fitHeight();
  if (changesLook(event)) QTimer::singleShot(0, this, &StageCards::rebuild);
  return QWidget::event(event);
}

void StageCards::addStage(const QString& kind) {
  engine::Recipe next = document_->recipe();
  engine::StageSpec stage;
  stage.kind = kind.toStdString();
  if (stage.kind == "transfer") stage.learning_rate = 1e-2;
  if (!next.stages.empty()) {
    stage.tokens_per_epoch = next.stages.back().tokens_per_epoch;
    stage.batch_size = next.stages.back().batch_size;
    stage.accumulation = next.stages.back().accumulation;
  }
  next.stages.push_back(stage);
  document_->change("Add a stage", next);
}

void StageCards::removeStage(int stage) {
  engine::Recipe next = document_->recipe();
  next.stages.erase(next.stages.begin() + stage);
  document_->change("Remove stage " + QString::number(stage + 1), next);
}

void StageCards::moveStage(int stage, int by) {
  engine::Recipe next = document_->recipe();
  const int to = stage + by;
  if (to < 0 || to >= int(next.stages.size())) return;
  std::swap(next.stages[std::size_t(stage)], next.stages[std::size_t(to)]);
  document_->change("Move stage " + QString::number(stage + 1), next);
}

}  // namespace ui
