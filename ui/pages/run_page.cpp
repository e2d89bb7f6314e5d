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

QLabel* heading(const QString& text) {
  auto* label = new QLabel(text);
  QFont font = label->font();
  font.setWeight(QFont::DemiBold);
  label->setFont(font);
  return label;
}

QFrame* panel(QVBoxLayout** layout) {
  auto* frame = new QFrame;
  frame->setProperty("role", "card");
  *layout = new QVBoxLayout(frame);
  (*layout)->setContentsMargins(12, 8, 12, 8);
  (*layout)->setSpacing(4);
  return frame;
}

QToolButton* exportButton(CurvePlot* plot) {
  auto* button = new QToolButton;
  button->setProperty("role", "flat");
  button->setIcon(lineIcon("export"));
  button->setToolTip("Export the figure (SVG, PDF, PNG) or every point (CSV)");
  button->setAccessibleName("Export " + plot->objectName());
  QObject::connect(button, &QToolButton::clicked, plot, &CurvePlot::showExportDialog);
  return button;
}

QToolButton* fitButton(CurvePlot* plot) {
  auto* button = new QToolButton;
  button->setProperty("role", "flat");
  button->setIcon(lineIcon("fit"));
  button->setToolTip("Show all and follow new points (F)");
  button->setAccessibleName("Show all of " + plot->objectName());
  QObject::connect(button, &QToolButton::clicked, plot, &CurvePlot::fit);
  return button;
}

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

RunPage::RunPage(EngineBridge* bridge, QWidget* parent) : QWidget(parent), bridge_(bridge) {
  setProperty("role", "page");
  auto* whole = new QWidget;
  auto* layout = new QVBoxLayout(whole);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  layout->addWidget(buildHeader());
  auto* split = new QSplitter(Qt::Horizontal);
  split->setHandleWidth(12);
  split->setChildrenCollapsible(false);
  split->addWidget(buildPlots());
  split->addWidget(buildSide());
  split->setStretchFactor(0, 1);
  split->setStretchFactor(1, 0);
  split->setSizes({700, 310});
  layout->addWidget(split, 1);

  auto* empty = new EmptyState("No run chosen", "This page shows one run: the accuracy of each component while it trains, and "
                               "whether linear attention is used. Choose a run on the left, or compose one.", "Compose a run");
  connect(empty, &EmptyState::acted, this, &RunPage::composeWanted);
  stack_ = new QStackedWidget;
  stack_->addWidget(empty);
  stack_->addWidget(whole);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(stack_);

  connect(bridge_, &EngineBridge::runUpdated, this, [this](qint64 id) {
    if (id == run_) refresh();
  });
  connect(bridge_, &EngineBridge::runsChanged, this, [this] {
    if (run_ == 0) return;
    if (!bridge_->run(run_)) setRun(0);
    else if (const RunData* shown = bridge_->data(run_)) refreshProgress(*shown);
  });
}

QWidget* RunPage::buildHeader() {
  title_ = new QLabel;
  title_->setFont(titleFont());
  subtitle_ = new QLabel;
  subtitle_->setFont(secondaryFont());
  subtitle_->setProperty("role", "secondary");
  subtitle_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  stop_ = new QPushButton(lineIcon("stop"), " Stop");
  stop_->setToolTip("Ask the run to stop at a checkpoint; it can be resumed");
  resume_ = new QPushButton(lineIcon("resume"), " Resume");
  resume_->setToolTip("Go on from the last good checkpoint");
  compare_ = new QPushButton(lineIcon("compare"), " Compare");
  compare_->setToolTip("Put this run beside others");
  connect(stop_, &QPushButton::clicked, this, &RunPage::stopRun);
  connect(resume_, &QPushButton::clicked, this, &RunPage::resumeRun);
  connect(compare_, &QPushButton::clicked, this, [this] { Q_EMIT compareWanted(run_); });
  auto* clone = new QPushButton(lineIcon("copy"), " Clone");
  clone->setToolTip("Open this run's recipe in Compose, to change and run again");
  connect(clone, &QPushButton::clicked, this, [this] { Q_EMIT cloneWanted(run_); });
  auto* header = new QWidget;
  auto* row = new QHBoxLayout(header);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(8);
  row->addWidget(title_);
  row->addSpacing(4);
  row->addWidget(subtitle_, 1);
  row->addWidget(stop_);
  row->addWidget(resume_);
  row->addWidget(clone);
  row->addWidget(compare_);
  return header;
}

QWidget* RunPage::buildPlots() {
  accuracy_ = new CurvePlot("accuracy of each component", "optimizer step", "accuracy, %");
  accuracy_->setScaleY(1, 2);
  accuracy_->setPlaceholder("The first evaluation is on its way.");
  loss_ = new CurvePlot("training series", "optimizer step", "loss");
  loss_->setPlaceholder("No training step yet.");
  strip_ = new ScheduleStrip;
  tasks_ = new QComboBox;
  tasks_->setAccessibleName("Tasks averaged");
  tasks_->setToolTip("Tasks over which accuracy and both differences are taken");
  tasks_->addItem("all tasks", "all");
  tasks_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  series_ = new QComboBox;
  series_->setAccessibleName("Training series shown");
  for (auto [label, key] : {std::pair("loss", "loss"), std::pair("learning rate", "train/learning_rate"),
                            std::pair("gradient norm", "train/grad_norm"), std::pair("tokens per second", "train/tokens_per_s"),
                            std::pair("transfer loss by layer", "transfer/")})
    series_->addItem(label, key);

  QVBoxLayout* layout = nullptr;
  QFrame* frame = panel(&layout);
  auto* head = new QHBoxLayout;
  head->setSpacing(4);
  head->addWidget(heading("Accuracy of each component"));
  head->addStretch();
  head->addWidget(tasks_);
  head->addWidget(fitButton(accuracy_));
  head->addWidget(exportButton(accuracy_));
  layout->addLayout(head);
  layout->addWidget(accuracy_, 5);
  auto* middle = new QHBoxLayout;
  middle->setSpacing(4);
  middle->addWidget(heading("Training"));
  middle->addStretch();
  middle->addWidget(series_);
  middle->addWidget(fitButton(loss_));
  middle->addWidget(exportButton(loss_));
  layout->addLayout(middle);
  layout->addWidget(loss_, 3);
  layout->addWidget(strip_);

  connect(tasks_, &QComboBox::activated, this, [this] { taken_.clear(); refresh(); });
  connect(series_, &QComboBox::activated, this, [this] {
    loss_->clearCurves();
    taken_.clear();
    loss_->setAccessibleName(series_->currentText());
    refresh();
  });
  auto link = [this](CurvePlot* from, CurvePlot* to) {
    connect(from, &CurvePlot::crosshairMoved, this, [this, to](std::optional<double> x) {
      to->setCrosshair(x);
      strip_->setCrosshair(x);
    });
    connect(from, &CurvePlot::rangeXChanged, this, [this, from, to](double low, double high, bool by_user) {
      if (by_user) to->setRangeX(low, high, true);
      else if (from->following() && !to->following()) to->fit();
      syncStrip();
    });
  };
  link(accuracy_, loss_);
  link(loss_, accuracy_);
  return frame;
}

QWidget* RunPage::buildSide() {
  delta_ = new DeltaPanel;
  share_ = new HeatMap("linear share by layer", "layer");
  share_->setScale(0, 1, "%");
  share_->setPlaceholder("The share of each layer's output that comes from linear attention appears with the first evaluation.");
  bar_ = new QProgressBar;
  bar_->setTextVisible(false);
  bar_->setRange(0, 1000);
  bar_->setAccessibleName("Progress of the run");
  phase_ = new QLabel;
  phase_->setWordWrap(true);
  rate_ = new QLabel;
  rate_->setFont(secondaryFont());
  rate_->setProperty("role", "secondary");
  rate_->setWordWrap(true);

  QVBoxLayout* heat = nullptr;
  QFrame* heat_panel = panel(&heat);
  heat->setContentsMargins(16, 12, 16, 12);
  heat->addWidget(heading("Linear share by layer"));
  heat->addWidget(share_, 1);
  QVBoxLayout* progress = nullptr;
  QFrame* progress_panel = panel(&progress);
  progress->setContentsMargins(16, 12, 16, 12);
  progress->setSpacing(6);
  progress->addWidget(phase_);
  progress->addWidget(bar_);
  progress->addWidget(rate_);

  auto* side = new QWidget;
  side->setMinimumWidth(260);
  auto* layout = new QVBoxLayout(side);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(12);
  layout->addWidget(delta_);
  layout->addWidget(heat_panel, 1);
  layout->addWidget(progress_panel);
  return side;
}

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
      accuracy_->setCurve({id, id, [id](Scheme s) { return componentStyle(id, s); }, component != "none", 0});
    if (points) accuracy_->setPoints(id, asCurve(*points, 100));
    else accuracy_->setPoints(id, {});
  }
}

void RunPage::refreshLoss(const RunData& shown) {
  loss_->setFullX(double(shown.plannedSteps()));
  const QString what = series_->currentData().toString();
  auto add = [&](const std::string& name, const QString& label, std::function<SeriesStyle(Scheme)> style, double smoothing) {
    const auto it = shown.series.find(name);
    if (it == shown.series.end()) return;
    const QString id = QString::fromStdString(name);
    if (!loss_->curves().contains(id)) loss_->setCurve({id, label, std::move(style), false, smoothing});
    std::size_t& taken = taken_[id];
    if (it->second.size() < taken || taken == 0) loss_->setPoints(id, it->second);
    else if (it->second.size() > taken) loss_->append(id, {it->second.begin() + long(taken), it->second.end()});
    taken = it->second.size();
  };
  auto plain = [](double mixed, Qt::PenStyle dash, double width) {
    return [=](Scheme s) {
      const Colors& c = colorsFor(s);
      return SeriesStyle{mix(c.accent, c.secondary, mixed), dash, width, dash == Qt::SolidLine ? Marker::none : Marker::disc, true};
    };
  };
  if (what == "loss") {
    add("train/loss", "training", plain(0, Qt::SolidLine, 1.5), 0.85);
    add("validation/loss", "validation", plain(1, Qt::DashLine, 1.5), 0);
  } else if (what == "transfer/") {
    int layers = 0;
    for (const auto& [name, points] : shown.series) layers += name.starts_with("transfer/layer.") ? 1 : 0;
    for (int i = 0; i < layers; ++i)
      add("transfer/layer." + std::to_string(i), QString("layer %1").arg(i),
          [i, layers](Scheme) { return SeriesStyle{sequentialColor(layers > 1 ? 0.15 + 0.75 * i / (layers - 1) : 0.5), Qt::SolidLine, 1.5, Marker::none, false}; }, 0.85);
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
  if (!bridge_->isOurs(run_) && state == engine::RunState::running) facts << "followed from another process";
  subtitle_->setText(facts.join(" · "));
  const bool active = state == engine::RunState::running || state == engine::RunState::queued;
  stop_->setVisible(active);
  stop_->setEnabled(!bridge_->readOnly() && bridge_->isOurs(run_));
  const bool can_resume = state == engine::RunState::interrupted || state == engine::RunState::failed || state == engine::RunState::cancelled;
  resume_->setVisible(can_resume);
  resume_->setEnabled(!bridge_->readOnly());

  const double total = double(std::max<std::int64_t>(1, shown.plannedSteps()));
  if (shown.progress && active) {
    const engine::Progress& p = *shown.progress;
    bar_->setValue(int(1000 * double(p.total_step) / double(std::max<std::int64_t>(1, p.total_steps))));
    phase_->setText(QString("%1, step %2 of %3").arg(phaseText(p.phase)).arg(p.total_step).arg(p.total_steps));
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
    phase_->setText(state == engine::RunState::running ? QString("Running, step %1").arg(info.steps)
                                                       : QString("%1 at step %2").arg(sentenceCase(stateText(state))).arg(info.steps));
    QString text = QString::fromStdString(info.message);
    if (info.seconds > 0) text += (text.isEmpty() ? "" : " ") + ("Took " + durationText(info.seconds) + ".");
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
    if (stage.kind == "transfer") s.title = "transfer";
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
