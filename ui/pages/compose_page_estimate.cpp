/// What the recipe on the page will cost.

#include <QLabel>

#include "ui/forms/schedule_editor.h"
#include "ui/models/inspect_tables.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/compose_page.h"

namespace ui {

/// The model's shape is read from its headers beside the event loop, once a model.
void ComposePage::lookAtModel() {
  const std::string source = document_->recipe().model;
  if (source == looked_at_) return;
  looked_at_ = source;
  model_.reset();
  model_problem_.clear();
  look_.start(
      "Reading the model",
      [source](const engine::Watch& watch) { return engine::inspect_model(source, watch); },
      [this](engine::ModelInfo info) {
        info.tensors.clear();
        model_ = std::move(info);
        syncEstimate();
      });
}

/// The newest finished run of this model on this device says how fast the machine is.
std::optional<MeasuredSpeed> ComposePage::speed() {
  const engine::Recipe& r = document_->recipe();
  const std::string key = r.model + '\n' + r.device + '\n' + std::to_string(r.threads);
  if (key == speed_of_) return speed_;
  speed_of_ = key;
  speed_.reset();
  int budget = 8;
  for (const engine::RunInfo& info : bridge_->runs()) {
    if (info.state != engine::RunState::done || budget-- == 0) continue;
    const RunData* run = bridge_->data(info.id);
    if (speed_ = run ? speedOf(*run, r) : std::nullopt; speed_) break;
  }
  return speed_;
}

QString ComposePage::costLine(const RecipeCost& cost) {
  QStringList parts;
  if (model_) {
    QStringList each;
    for (std::size_t i = 0; i < cost.stages.size(); ++i)
      each << QString("stage %1: %2").arg(i + 1).arg(countText(double(cost.stages[i].trainable)));
    parts << "trainable parameters: " + each.join(", ")
          << "about " + bytesText(std::uint64_t(peakBytes(document_->recipe(), *model_))) +
                 " at the peak";
  } else {
    parts << (model_problem_.isEmpty() ? QString("reading the model…") : model_problem_);
  }
  if (const auto measured = speed())
    parts << QString("about %1, going by run %2")
                 .arg(durationText(measured->seconds_per_token * cost.tokens))
                 .arg(measured->run);
  else
    parts << "time: known after the first run of this model";
  return parts.join(" · ");
}

QString ComposePage::estimateText() const { return estimate_->text() + "\n" + cost_->text(); }

void ComposePage::syncEstimate() {
  lookAtModel();
  const auto measured = speed();
  schedule_->setSecondsPerToken(measured ? std::optional(measured->seconds_per_token) : std::nullopt);
  const engine::Recipe& r = document_->recipe();
  const RecipeCost cost = costOf(r, model_ ? &*model_ : nullptr);
  cost_->setVisible(!r.stages.empty());
  if (r.stages.empty()) {
    estimate_->setText("No stage: the model is converted and evaluated as it is.");
    return;
  }
  QStringList stages;
  for (std::size_t i = 0; i < r.stages.size(); ++i)
    stages << QString("%1 %2 × %L3")
                  .arg(r.stages[i].kind == "transfer" ? "transfer" : "fine-tune")
                  .arg(r.stages[i].epochs)
                  .arg(engine::steps_per_epoch(r, r.stages[i]));
  estimate_->setText(QString("%L1 steps (%2) · %3 tokens · %4 evaluations of %5 components")
                         .arg(qint64(cost.steps))
                         .arg(stages.join(", "), countText(cost.tokens))
                         .arg(cost.evaluations)
                         .arg(r.evaluation.components.size()));
  cost_->setText(costLine(cost));
  estimate_->setToolTip(estimate_->text());
  cost_->setToolTip(
      cost_->text() +
      "\nMemory: weights, gradients, AdamW's moments, one micro-batch's activations and "
      "logits; a rough sum, not a measurement.");
}

}  // namespace ui
