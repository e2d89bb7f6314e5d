#include "ui/pages/delta_panel.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QVBoxLayout>

#include "ui/plots/sparkline.h"
#include "ui/theme.h"

namespace ui {

DeltaPanel::DeltaPanel(QWidget* parent) : QFrame(parent) {
  setProperty("role", "card");
  setObjectName("verdict");
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 12, 16, 12);
  layout->setSpacing(4);
  headline_ = new QLabel;
  useFont(headline_, TextRole::title);
  headline_->setWordWrap(true);
  headline_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  sentence_ = new QLabel;
  sentence_->setWordWrap(true);
  useFont(sentence_, TextRole::secondary);
  sentence_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  sentence_->setAlignment(Qt::AlignTop);
  sentence_->setMinimumHeight(3 * QFontMetrics(secondaryFont()).lineSpacing());
  layout->addWidget(headline_);
  layout->addWidget(sentence_);
  layout->addSpacing(4);
  hybrid_ =
      makeNumber("Δ hybrid − swa",
                 "What the linear half adds: accuracy of the hybrid less that of the window alone, "
                 "in points, with a paired 95 % interval.",
                 layout);
  layout->addSpacing(6);
  linear_ = makeNumber("Δ linear − none",
                       "What linear attention carries alone: its accuracy less that without any "
                       "attention, in points, with a paired 95 % interval.",
                       layout);
  exposure_ = new QLabel;
  exposure_->setWordWrap(true);
  exposure_->setToolTip(
      "Exposure: the share of scored tokens that have any key outside the window. Where it is "
      "small, linear attention has nothing to add, and Δ says nothing about it.");
  useFont(exposure_, TextRole::secondary);
  layout->addSpacing(4);
  layout->addWidget(exposure_);
  show(nullptr, "all");
}

void DeltaPanel::showExposure(const RunData* run, const std::string& task) {
  const auto share = run ? exposure(*run, task) : std::nullopt;
  exposure_->setVisible(share.has_value());
  if (!share) return;
  const bool little = *share < 0.05;
  exposure_->setText(QString("%1 % of scored tokens have a key outside the window%2")
                         .arg(*share * 100, 0, 'f', *share < 0.1 ? 1 : 0)
                         .arg(little ? ": too few for Δ to say much." : "."));
  const char* role = little ? "warning" : "secondary";
  if (exposure_->property("role").toString() == QLatin1String(role)) return;
  exposure_->setProperty("role", role);
  repolish(exposure_);
}

DeltaPanel::Number DeltaPanel::makeNumber(const QString& title, const QString& help,
                                          QVBoxLayout* into) {
  Number n{};
  n.title = new QLabel(title + ", points");
  useFont(n.title, TextRole::secondary);
  n.title->setProperty("role", "secondary");
  n.value = new QLabel;
  useFont(n.value, TextRole::figure);
  n.value->setMinimumWidth(QFontMetrics(figureFont()).horizontalAdvance("+00.0"));
  n.value->setAccessibleName(title);
  n.interval = new QLabel;
  useFont(n.interval, TextRole::secondary);
  n.interval->setProperty("role", "secondary");
  n.interval->setContentsMargins(0, 0, 0, QFontMetrics(figureFont()).descent() - 1);
  n.interval->setMinimumWidth(QFontMetrics(secondaryFont()).horizontalAdvance("± 00.0"));
  n.history = new Sparkline("History of " + title);
  for (QWidget* w : {static_cast<QWidget*>(n.title), static_cast<QWidget*>(n.value),
                     static_cast<QWidget*>(n.interval)})
    w->setToolTip(help);
  auto* row = new QHBoxLayout;
  row->setSpacing(8);
  row->addWidget(n.value);
  row->addWidget(n.interval, 0, Qt::AlignBottom);
  row->addWidget(n.history, 1);
  into->addWidget(n.title);
  into->addLayout(row);
  return n;
}

void DeltaPanel::fill(Number& n, const RunData* run, const std::string& component,
                      const std::string& task) {
  const auto* history = run ? run->score(component, task) : nullptr;
  if (!history) {
    n.value->setText("–");
    n.interval->setText({});
    n.history->setPoints({});
    return;
  }
  n.value->setText(points(history->back().value));
  n.interval->setText(QString("± %1").arg(half95(history->back().stderr_) * 100, 0, 'f', 1));
  n.history->setPoints(asCurve(*history, 100));
}

void DeltaPanel::show(const RunData* run, const std::string& task) {
  fill(hybrid_, run, "delta_h_swa", task);
  fill(linear_, run, "delta_la_na", task);
  showExposure(run, task);
  const bool finished = run && run->info.state != engine::RunState::running &&
                        run->info.state != engine::RunState::queued;
  verdict_ = judge(run, task, finished);
  headline_->setText(verdict_.headline);
  sentence_->setText(verdict_.sentence);
  sentence_->setToolTip(
      QString("Used: the 95 % interval of Δ hybrid − swa lies above 0. Harmful: below 0. Ignored: "
              "within ±%1 points.")
          .arg(engine::k_verdict_margin_points));
  paintVerdict();
}

void DeltaPanel::paintVerdict() {
  const char* role = verdict_.use == Use::used      ? "good"
                     : verdict_.use == Use::harmful ? "problem"
                     : verdict_.use == Use::ignored ? "warning"
                                                    : "";
  if (headline_->property("role").toString() != QLatin1String(role)) {
    headline_->setProperty("role", role);
    repolish(headline_);
  }
  hybrid_.history->setColor(componentStyle("hybrid", schemeOf(this)).color);
  linear_.history->setColor(componentStyle("linear", schemeOf(this)).color);
}

void DeltaPanel::changeEvent(QEvent* event) {
  QFrame::changeEvent(event);
  if (changesLook(event))
    paintVerdict();
}

}  // namespace ui
