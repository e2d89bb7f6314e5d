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

#include "ui/forms/smoothing_box.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/delta_panel.h"
#include "ui/pages/empty_state.h"
#include "ui/pages/gate_line.h"
#include "ui/pages/page_parts.h"
#include "ui/plots/curve_link.h"
#include "ui/plots/curve_plot.h"
#include "ui/plots/heat_map.h"
#include "ui/plots/schedule_strip.h"
#include "ui/theme.h"

namespace ui {
namespace {

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

  auto* empty =
      new EmptyState("No run chosen",
                     "This page shows one run: the accuracy of each component while it trains, and "
                     "whether linear attention is used. Choose a run on the left, or compose one.",
                     "Compose a run");
  connect(empty, &EmptyState::acted, this, &RunPage::composeWanted);
  stack_ = new QStackedWidget;
  stack_->addWidget(empty);
  stack_->addWidget(whole);
  auto* outer = new QVBoxLayout(this);
  outer->setContentsMargins(0, 0, 0, 0);
  outer->addWidget(stack_);

  heat_due_.setSingleShot(true);
  connect(&heat_due_, &QTimer::timeout, this, &RunPage::drawHeat);
  connect(bridge_, &EngineBridge::runUpdated, this, [this](qint64 id) {
    if (id == run_) refresh();
  });
  connect(bridge_, &EngineBridge::runsChanged, this, [this] {
    if (run_ == 0) return;
    if (!bridge_->run(run_)) {
      setRun(0);
    } else if (const RunData* shown = bridge_->dataWithSeries(run_)) {
      refreshProgress(*shown);
      refreshMarks(*shown);
    }
  });
}

QWidget* RunPage::buildHeader() {
  title_ = new QLabel;
  useFont(title_, TextRole::title);
  subtitle_ = new QLabel;
  useFont(subtitle_, TextRole::secondary);
  subtitle_->setProperty("role", "secondary");
  subtitle_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  pause_ = new QPushButton(" Pause");
  pause_->setAccessibleName("Pause the run, or go on");
  connect(pause_, &QPushButton::clicked, this, &RunPage::pauseRun);
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
  buildMore();
  for (QWidget* one : {pause_, stop_, resume_, clone, compare_, more_}) row->addWidget(one);
  notes_ = noteLabel();
  notes_->setWordWrap(false);
  notes_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  auto* both = new QWidget;
  auto* column = new QVBoxLayout(both);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(2);
  column->addWidget(header);
  column->addWidget(notes_);
  return both;
}

void RunPage::buildMore() {
  more_ = new QPushButton("More");
  more_->setProperty("role", "menu");
  more_->setToolTip("Checkpoints, notes and files of this run");
  more_menu_ = new QMenu(more_);
  keep_ = more_menu_->addAction(lineIcon("save"), "Keep a checkpoint now", this,
                                &RunPage::keepCheckpoint);
  fork_menu_ = more_menu_->addMenu("Fork from a checkpoint");
  connect(fork_menu_, &QMenu::aboutToShow, this, &RunPage::fillForkMenu);
  more_menu_->addSeparator();
  more_menu_->addAction(lineIcon("edit"), "Name, tags and notes…", this, &RunPage::editNotes);
  more_menu_->addSeparator();
  more_menu_->addAction(lineIcon("export"), "Export accuracy curves…", this,
                        &RunPage::exportAccuracy);
  more_menu_->addAction(lineIcon("export"), "Report of this run…", this,
                        [this] { Q_EMIT reportWanted(run_); });
  more_->setMenu(more_menu_);
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
  for (auto [label, key] :
       {std::pair("loss", "loss"), std::pair("learning rate", "train/learning_rate"),
        std::pair("gradient norm", "train/grad_norm"),
        std::pair("tokens per second", "train/tokens_per_s"),
        std::pair("transfer loss by layer", "transfer/")})
    series_->addItem(label, key);

  x_ = new QComboBox;
  x_->setAccessibleName("What the curves are drawn over");
  x_->setToolTip("Steps, epochs, tokens seen, or the time at which a step was logged");
  for (const XAxisInfo& axis : xAxes()) x_->addItem(axis.choice);
  auto* formula = new QToolButton;
  formula->setProperty("role", "flat");
  formula->setText("ƒ…");
  formula->setToolTip("A series by formula, such as hybrid - swa");
  formula->setAccessibleName("Series by formula");
  smooth_accuracy_ = new SmoothingBox("accuracy curves");
  smooth_accuracy_->setKind(Smoothing::Accuracy);
  smooth_loss_ = new SmoothingBox("training series");
  series_note_ = noteLabel();
  series_note_->setProperty("role", "problem");
  series_note_->hide();

  QVBoxLayout* layout = nullptr;
  QFrame* frame = panel(&layout);
  auto* head = new QHBoxLayout;
  head->setSpacing(4);
  head->addWidget(partHeading("Accuracy of each component"));
  head->addStretch();
  head->addWidget(x_);
  head->addWidget(tasks_);
  head->addWidget(smooth_accuracy_);
  head->addWidget(fitButton(accuracy_));
  head->addWidget(exportButton(accuracy_));
  layout->addLayout(head);
  layout->addWidget(accuracy_, 5);
  auto* middle = new QHBoxLayout;
  middle->setSpacing(4);
  middle->addWidget(partHeading("Training"));
  middle->addStretch();
  middle->addWidget(series_note_);
  middle->addWidget(series_);
  middle->addWidget(formula);
  middle->addWidget(smooth_loss_);
  middle->addWidget(fitButton(loss_));
  middle->addWidget(exportButton(loss_));
  layout->addLayout(middle);
  layout->addWidget(loss_, 3);
  layout->addWidget(strip_);

  connect(x_, &QComboBox::activated, this, &RunPage::showAxis);
  connect(formula, &QToolButton::clicked, this, &RunPage::editFormulas);
  connect(tasks_, &QComboBox::activated, this, [this] {
    taken_.clear();
    refresh();
  });
  connect(series_, &QComboBox::activated, this, [this] {
    loss_->clearCurves();
    taken_.clear();
    loss_->setAccessibleName(series_->currentText());
    refresh();
  });
  linkCurves({accuracy_, loss_});
  for (CurvePlot* plot : {accuracy_, loss_}) {
    connect(plot, &CurvePlot::noteWanted, this, &RunPage::askNote);
    connect(plot, &CurvePlot::crosshairMoved, strip_, &ScheduleStrip::setCrosshair);
    connect(plot, &CurvePlot::rangeXChanged, this, &RunPage::syncStrip);
  }
  return frame;
}

QWidget* RunPage::buildSide() {
  delta_ = new DeltaPanel;
  share_ = new HeatMap("values by layer", "layer");
  share_->setScale(0, 1, "%");
  heat_ = new QComboBox;
  heat_->setAccessibleName("What the picture of layers shows");
  heat_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  connect(heat_, &QComboBox::activated, this, [this](int i) { chooseHeat(heat_->itemText(i)); });
  share_->setPlaceholder(
      "The share of each layer's output that comes from linear attention appears with the first "
      "evaluation.");
  bar_ = new QProgressBar;
  bar_->setTextVisible(false);
  bar_->setFixedHeight(6);
  bar_->setRange(0, 1000);
  bar_->setAccessibleName("Progress of the run");
  phase_ = new QLabel;
  phase_->setWordWrap(true);
  rate_ = new QLabel;
  useFont(rate_, TextRole::secondary);
  rate_->setProperty("role", "secondary");
  rate_->setWordWrap(true);

  QVBoxLayout* heat = nullptr;
  QFrame* heat_panel = panel(&heat);
  heat->setContentsMargins(16, 12, 16, 12);
  auto* heat_head = new QHBoxLayout;
  heat_head->setSpacing(8);
  heat_head->addWidget(partHeading("Layers"));
  heat_head->addStretch();
  heat_head->addWidget(heat_);
  heat->addLayout(heat_head);
  heat->addWidget(share_, 1);
  QVBoxLayout* progress = nullptr;
  QFrame* progress_panel = panel(&progress);
  progress->setContentsMargins(16, 12, 16, 12);
  progress->setSpacing(6);
  progress->addWidget(phase_);
  progress->addWidget(bar_);
  progress->addWidget(rate_);
  gates_ = new GateLine;
  progress->addWidget(gates_);

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

}  // namespace ui
