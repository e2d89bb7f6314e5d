#include "ui/pages/run_page.h"

#include <QComboBox>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/models/run_list_model.h"
#include "ui/pages/delta_panel.h"
#include "ui/pages/empty_state.h"
#include "ui/plots/curve_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/schedule_strip.h"
#include "ui/theme.h"

namespace ui {
namespace {

QString taskLabel(const std::string& task) {
  if (task == "all") return "all tasks";
  if (task == "local") return "local tasks";
  if (task == "far") return "far tasks";
  return QString::fromStdString(task);
}

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
  accuracy_->clearCurves();
  loss_->clearCurves();
  accuracy_->fit();
  loss_->fit();
  const RunData* shown = id ? bridge_->data(id) : nullptr;
  if (!shown) run_ = 0;
  stack_->setCurrentIndex(shown ? 1 : 0);
  if (shown) refresh();
}

void RunPage::refresh() {
  const RunData* shown = run_ ? bridge_->data(run_) : nullptr;
  if (!shown) return;
  const auto tasks = shown->tasks();
  if (int(tasks.size()) != tasks_->count() && !tasks.empty()) {
    const QVariant before = tasks_->currentData();
    tasks_->clear();
    for (const std::string& t : tasks) tasks_->addItem(taskLabel(t), QString::fromStdString(t));
    tasks_->setCurrentIndex(std::max(0, tasks_->findData(before)));
  }
  refreshCurves(*shown);
  refreshLoss(*shown);
  refreshHeat(*shown);
  refreshProgress(*shown);
  refreshSegments(*shown);
  delta_->show(shown, task());
}

void RunPage::refreshCurves(const RunData& shown) {
  accuracy_->setFullX(double(shown.plannedSteps()));
  for (const std::string& component : shown.components()) {
    const QString id = QString::fromStdString(component);
    const auto* points = shown.score(component, task());
    if (!accuracy_->curves().contains(id))
      accuracy_->setCurve(
          {id, id, [id](Scheme s) { return componentStyle(id, s); }, component != "none", 0});
    if (points)
      accuracy_->setPoints(id, asCurve(*points, 100));
    else
      accuracy_->setPoints(id, {});
  }
}

void RunPage::refreshLoss(const RunData& shown) {
  loss_->setFullX(double(shown.plannedSteps()));
  const QString what = series_->currentData().toString();
  auto add = [&](const std::string& name, const QString& label,
                 std::function<SeriesStyle(Scheme)> style, double smoothing) {
    const auto it = shown.series.find(name);
    if (it == shown.series.end()) return;
    const QString id = QString::fromStdString(name);
    if (!loss_->curves().contains(id))
      loss_->setCurve({id, label, std::move(style), false, smoothing});
    std::size_t& taken = taken_[id];
    if (it->second.size() < taken || taken == 0)
      loss_->setPoints(id, it->second);
    else if (it->second.size() > taken)
      loss_->append(id, {it->second.begin() + long(taken), it->second.end()});
    taken = it->second.size();
  };
  auto plain = [](double mixed, Qt::PenStyle dash, double width) {
    return [=](Scheme s) {
      const Colors& c = colorsFor(s);
      return SeriesStyle{mix(c.accent, c.secondary, mixed), dash, width,
                         dash == Qt::SolidLine ? Marker::none : Marker::disc, true};
    };
  };
  if (what == "loss") {
    add("train/loss", "training", plain(0, Qt::SolidLine, 1.5), 0.85);
    add("validation/loss", "validation", plain(1, Qt::DashLine, 1.5), 0);
  } else if (what == "transfer/") {
    int layers = 0;
    for (const auto& [name, points] : shown.series)
      layers += name.starts_with("transfer/layer.") ? 1 : 0;
    for (int i = 0; i < layers; ++i)
      add(
          "transfer/layer." + std::to_string(i), QString("layer %1").arg(i),
          [i, layers](Scheme) {
            return SeriesStyle{sequentialColor(layers > 1 ? 0.15 + 0.75 * i / (layers - 1) : 0.5),
                               Qt::SolidLine, 1.5, Marker::none, false};
          },
          0.85);
  } else {
    add(what.toStdString(), series_->currentText(), plain(0, Qt::SolidLine, 1.5), 0);
  }
}

void RunPage::refreshHeat(const RunData& shown) {
  std::vector<std::vector<double>> rows;
  std::vector<double> columns;
  QStringList names;
  for (int layer = 0;; ++layer) {
    const auto it = shown.series.find("share/layer." + std::to_string(layer));
    if (it == shown.series.end()) break;
    if (layer == 0)
      for (const CurvePoint& p : it->second) columns.push_back(p.x);
    std::vector<double> row;
    for (const CurvePoint& p : it->second) row.push_back(p.y);
    rows.push_back(std::move(row));
    names << QString::number(layer);
  }
  share_->setValues(std::move(rows), std::move(columns), names);
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
  subtitle_->setText(facts.join(" · "));
  const bool active = state == engine::RunState::running || state == engine::RunState::queued;
  stop_->setVisible(active);
  stop_->setEnabled(!bridge_->readOnly() && bridge_->isOurs(run_));
  const bool can_resume = state == engine::RunState::interrupted ||
                          state == engine::RunState::failed || state == engine::RunState::cancelled;
  resume_->setVisible(can_resume);
  resume_->setEnabled(!bridge_->readOnly());

  const double total = double(std::max<std::int64_t>(1, shown.plannedSteps()));
  if (shown.progress && active) {
    const engine::Progress& p = *shown.progress;
    bar_->setValue(
        int(1000 * double(p.total_step) / double(std::max<std::int64_t>(1, p.total_steps))));
    phase_->setText(
        QString("%1, step %2 of %3").arg(phaseText(p.phase)).arg(p.total_step).arg(p.total_steps));
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
      text += (text.isEmpty() ? "" : text.endsWith(QChar(0x2e)) ? " " : ". ") + ("Took " + durationText(info.seconds) + ".");
    rate_->setText(text);
  }
  rate_->setVisible(!rate_->text().isEmpty());
  strip_->setMoment(active ? std::optional(double(info.steps)) : std::nullopt);
}

void RunPage::refreshSegments(const RunData& shown) {
  std::vector<StripSegment> segments;
  for (const PlanStep& step : shown.plan()) {
    const engine::StageSpec& stage = shown.recipe.stages[step.stage];
    StripSegment s;
    s.first = double(step.first);
    s.last = double(step.last);
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

void RunPage::stopRun() {
  if (run_) bridge_->stop(run_);
}

void RunPage::resumeRun() {
  if (run_) bridge_->resume(run_);
}

void RunPage::exportAccuracy() { accuracy_->showExportDialog(); }

}  // namespace ui
