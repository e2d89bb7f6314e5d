#include "ui/pages/run_page.h"

#include <QComboBox>
#include <QLabel>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <set>

#include "ui/forms/run_notes.h"
#include "ui/models/comparison.h"
#include "ui/models/estimate.h"
#include "ui/models/inspect_tables.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/delta_panel.h"
#include "ui/pages/empty_state.h"
#include "ui/pages/gate_line.h"
#include "ui/plots/curve_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/schedule_strip.h"
#include "ui/theme.h"

namespace ui {
namespace {

constexpr qint64 k_heat_ms = 400;  ///< between two pictures of layers while a run is at work

QString sentenceCase(QString text) {
  if (!text.isEmpty()) text[0] = text[0].toUpper();
  return text;
}

QString phaseText(const std::string& phase) {
  if (phase == "train") return "Training";
  if (phase == "evaluate") return "Evaluating";
  if (phase == "checkpoint") return "Keeping a checkpoint";
  return sentenceCase(QString::fromStdString(phase));
}

}  // namespace

std::string RunPage::task() const { return tasks_->currentData().toString().toStdString(); }

void RunPage::setRun(engine::RunId id) {
  run_ = id;
  taken_.clear();
  since_heat_.invalidate();
  heat_due_.stop();
  accuracy_->clearCurves();
  loss_->clearCurves();
  accuracy_->fit();
  loss_->fit();
  const RunData* shown = id ? bridge_->dataWithSeries(id) : nullptr;
  if (!shown) run_ = 0;
  stack_->setCurrentIndex(shown ? 1 : 0);
  if (shown) refresh();
}

void RunPage::refresh() {
  const RunData* shown = run_ ? bridge_->dataWithSeries(run_) : nullptr;
  if (!shown) return;
  const auto tasks = shown->tasks();
  if (int(tasks.size()) != tasks_->count() && !tasks.empty()) {
    const QVariant before = tasks_->currentData();
    tasks_->clear();
    for (const std::string& t : tasks) tasks_->addItem(taskTitle(t), QString::fromStdString(t));
    tasks_->setCurrentIndex(std::max(0, tasks_->findData(before)));
  }
  over_ = StepMap(xAxis(), *shown, xAxis() < XAxis::elapsed ? std::vector<engine::StepTime>() : bridge_->stepTimes(run_));
  refreshMarks(*shown);
  refreshCurves(*shown);
  refreshLoss(*shown);
  if (shown->info.state != engine::RunState::running) {
    heat_due_.stop();
    refreshHeat(*shown);
  } else if (!heat_due_.isActive()) {  // in a turn of its own
    const qint64 rest = since_heat_.isValid() ? k_heat_ms - since_heat_.elapsed() : 0;
    heat_due_.start(int(std::max<qint64>(0, rest)));
  }
  refreshSeries(*shown);
  gates_->show(*shown);
  refreshProgress(*shown);
  refreshSegments(*shown);
  delta_->show(shown, task());
}

void RunPage::refreshCurves(const RunData& shown) {
  accuracy_->setFullX(fullX(shown));
  for (const std::string& component : shown.components()) {
    const QString id = QString::fromStdString(component);
    const auto* points = shown.score(component, task());
    if (!accuracy_->curves().contains(id))
      accuracy_->setCurve(
          {id, id, [id](Scheme s) { return componentStyle(id, s); }, component != "none",
           weight(Smoothing::Accuracy)});
    if (points)
      accuracy_->setPoints(id, over_(asCurve(*points, 100)));
    else
      accuracy_->setPoints(id, {});
  }
}

QStringList RunPage::heatChoices() const {
  QStringList out;
  for (int i = 0; i < heat_->count(); ++i) out << heat_->itemText(i);
  return out;
}

void RunPage::chooseHeat(const QString& title) {
  heat_->setCurrentIndex(std::max(0, heat_->findText(title)));
  heat_chosen_ = true;
  drawHeat();
}

void RunPage::drawHeat() {
  if (const RunData* shown = run_ ? bridge_->dataWithSeries(run_) : nullptr) refreshHeat(*shown);
}

void RunPage::refreshHeat(const RunData& shown) {
  since_heat_.start();
  const auto families = layerFamilies(shown);
  QStringList titles;
  for (const LayerFamily& f : families) titles << f.title;
  if (titles != heatChoices()) {
    const QString before = heat_->currentText();
    heat_->clear();
    heat_->addItems(titles);
    heat_->setCurrentIndex(heat_chosen_ ? std::max(0, heat_->findText(before)) : 0);
  }
  heat_->setVisible(heat_->count() > 1);
  families_ = families;
  const int at = heat_->currentIndex();
  if (at < 0 || at >= int(families_.size())) {
    share_->setValues({}, {}, {});
    return;
  }
  const LayerFamily& family = families_[std::size_t(at)];
  LayerPicture picture = layerPicture(shown, family, std::max(40, share_->width() / 3));
  QStringList rows;
  for (int layer = 0; layer < family.layers; ++layer) rows << QString::number(layer);
  share_->setColumnTitle(family.by_head ? "head" : "step");
  share_->setScale(picture.low, picture.high, picture.share ? "%" : "");
  share_->setValues(std::move(picture.values), std::move(picture.columns), rows);
}

void RunPage::refreshProgress(const RunData& shown) {
  const engine::RunInfo& info = shown.info;
  const engine::RunState state = info.state;
  title_->setText(QString::fromStdString(info.name));
  QStringList facts{QString("run %1").arg(info.id), stateText(state)};
  if (!info.device.empty()) facts << QString::fromStdString(info.device + " " + info.dtype);
  facts << QString("seed %1").arg(info.seed);
  if (!bridge_->isOurs(run_) && state == engine::RunState::running)
    facts << "followed from another process";
  if (!info.tags.empty()) facts << QString::fromStdString(info.tags);
  subtitle_->setText(facts.join(" · "));
  subtitle_->setToolTip(facts.join("\n"));
  const QString notes = QString::fromStdString(info.notes).simplified();
  notes_->setVisible(!notes.isEmpty());
  notes_->setText(
      notes_->fontMetrics().elidedText(notes, Qt::ElideRight, std::max(200, width() - 48)));
  notes_->setToolTip(QString::fromStdString(info.notes));
  refreshButtons(shown);
  const bool active = state == engine::RunState::running || state == engine::RunState::queued;
  const double total = double(std::max<std::int64_t>(1, shown.plannedSteps()));
  if (shown.progress && active) {
    const engine::Progress& p = *shown.progress;
    bar_->setValue(
        int(1000 * double(p.total_step) / double(std::max<std::int64_t>(1, p.total_steps))));
    const QString phase = bridge_->paused(run_) ? QString("Paused") : phaseText(p.phase);
    phase_->setText(p.total_steps > 0  // not known yet while the model is loaded
                        ? QString("%1, step %2 of %3").arg(phase).arg(p.total_step).arg(p.total_steps)
                        : phase);
    QStringList parts;
    if (p.tokens_per_s > 0) parts << QString("%L1 tokens/s").arg(std::llround(p.tokens_per_s));
    if (p.eta_stage_s > 0) parts << "stage " + durationText(p.eta_stage_s);
    if (p.eta_run_s > 0) parts << "run " + durationText(p.eta_run_s) + " left";
    rate_->setText(parts.join(" · "));
  } else if (state == engine::RunState::queued) {
    bar_->setValue(0);
    phase_->setText("Waiting in the queue");
    rate_->setText({});
  } else {
    bar_->setValue(state == engine::RunState::done ? 1000 : int(1000 * double(info.steps) / total));
    phase_->setText(
        state == engine::RunState::running
            ? QString("Running, step %1").arg(info.steps)
            : QString("%1 at step %2").arg(sentenceCase(stateText(state))).arg(info.steps));
    QString text = QString::fromStdString(info.message);
    if (info.seconds > 0)
      text += (text.isEmpty() ? "" : text.endsWith(QChar('.')) ? " " : ". ") + costText(shown);
    rate_->setText(text);
  }
  rate_->setVisible(!rate_->text().isEmpty());
  strip_->setMoment(active ? std::optional(over_(double(info.steps))) : std::nullopt);
}

void RunPage::refreshSegments(const RunData& shown) {
  std::vector<StripSegment> segments;
  for (const PlanStep& step : shown.plan()) {
    const engine::StageSpec& stage = shown.recipe.stages[step.stage];
    StripSegment s;
    s.first = over_(double(step.first));
    s.last = over_(double(step.last));
    if (stage.kind == "transfer")
      s.title = "transfer";
    else {
      s.title = QString("epoch %1").arg(step.epoch + 1);
      s.schedule = stage.component == "hybrid";
      s.dropout = engine::dropout_at(stage, step.epoch);
      s.window = long(engine::window_at(stage, shown.recipe.attention, step.epoch));
    }
    segments.push_back(s);
  }
  strip_->setSegments(std::move(segments));
  syncStrip();
}

void RunPage::syncStrip() {
  const QRect area = loss_->plotArea();
  const auto [low, high] = loss_->rangeX();
  const int offset = loss_->x() - strip_->x();
  strip_->setView(low, high, area.left() + offset, area.right() + offset);
}

void RunPage::refreshButtons(const RunData& shown) {
  const engine::RunState state = shown.info.state;
  const bool active = state == engine::RunState::running || state == engine::RunState::queued;
  const bool at_work = !bridge_->readOnly() && bridge_->current() == run_;
  const bool paused = bridge_->paused(run_);
  pause_->setVisible(active);
  pause_->setEnabled(at_work);
  const QString word = paused ? " Go on" : " Pause";
  if (pause_->text() != word || pause_->icon().isNull()) {
    pause_->setText(word);
    pause_->setIcon(lineIcon(paused ? "play" : "pause"));
    pause_->setToolTip(paused ? "Go on where the run stands (Ctrl+Shift+P)"
                              : "Hold the run between two steps; its memory stays in use "
                                "(Ctrl+Shift+P)");
  }
  stop_->setVisible(active);
  stop_->setEnabled(!bridge_->readOnly() && bridge_->isOurs(run_));
  resume_->setVisible(state == engine::RunState::interrupted || state == engine::RunState::failed ||
                      state == engine::RunState::cancelled);
  resume_->setEnabled(!bridge_->readOnly());
  keep_->setEnabled(at_work);
}

/// What the run took, and what it was expected to take by the runs before it.
QString RunPage::costText(const RunData& shown) {
  QString text = "Took " + durationText(shown.info.seconds) + ".";
  for (const engine::RunInfo& info : bridge_->runs()) {
    if (info.id >= run_ || info.state != engine::RunState::done) continue;
    const RunData* before = bridge_->data(info.id);
    const auto speed = before ? speedOf(*before, shown.recipe) : std::nullopt;
    if (!speed) continue;
    return text + QString(" Expected by run %1: %2.")
                      .arg(speed->run)
                      .arg(durationText(speed->seconds_per_token *
                                        costOf(shown.recipe, nullptr).tokens));
  }
  return text;
}

void RunPage::pauseRun() {
  if (run_ == 0 || bridge_->current() != run_) return;
  bridge_->paused(run_) ? bridge_->goOn(run_) : bridge_->pause(run_);
}

void RunPage::keepCheckpoint() {
  if (run_) bridge_->checkpointNow(run_);
}

void RunPage::editNotes() {
  const engine::RunInfo* info = run_ ? bridge_->run(run_) : nullptr;
  if (!info) return;
  auto* dialog = new RunNotes(*info, bridge_->readOnly(), this);
  connect(dialog, &RunNotes::saved, bridge_, &EngineBridge::annotate);
  dialog->show();
}

/// Checkpoints newest first; one that a later attempt went back behind is not offered.
void RunPage::fillForkMenu() {
  fork_menu_->clear();
  auto kept = bridge_->checkpoints(run_);
  std::reverse(kept.begin(), kept.end());
  std::set<std::int64_t> seen;
  for (const engine::StoredCheckpoint& c : kept) {
    if (!c.live || !seen.insert(c.step).second || seen.size() > 30) continue;
    QString text = QString("Step %L1, %2").arg(c.step).arg(QString::fromStdString(c.kind));
    if (c.bytes > 0) text += ", " + bytesText(std::uint64_t(c.bytes));
    const engine::RunId run = run_;
    fork_menu_->addAction(text, this, [this, run, c] {
      Q_EMIT forkWanted(run, c.step, c.stage, c.kind == "stage-end");
    });
  }
  if (fork_menu_->isEmpty()) fork_menu_->addAction("No checkpoint yet")->setEnabled(false);
}

void RunPage::stopRun() {
  if (run_) bridge_->stop(run_);
}

void RunPage::resumeRun() {
  if (run_) bridge_->resume(run_);
}

void RunPage::exportAccuracy() { accuracy_->showExportDialog(); }

}  // namespace ui
