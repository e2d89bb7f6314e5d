#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStackedWidget>
#include <algorithm>
#include <cmath>

#include "engine/verdict.h"
#include "ui/engine_bridge.h"
#include "ui/forms/job_line.h"
#include "ui/models/diagnosis_tables.h"
#include "ui/pages/checkpoint_picker.h"
#include "ui/pages/diagnose_beside.h"
#include "ui/pages/diagnose_page.h"
#include "ui/pages/diagnose_tile.h"
#include "ui/pages/diagnose_views.h"
#include "ui/pages/diagnose_what_if.h"
#include "ui/pages/empty_state.h"
#include "ui/pages/page_parts.h"

namespace ui {
namespace {

QString text(const std::string& s) { return QString::fromStdString(s); }
QString points(double accuracy) { return text(engine::points_text(accuracy)); }

void exposureTile(DiagnoseTile* tile, const engine::Diagnosis& d) {
  if (d.exposure.empty()) return tile->setContent("–", "not measured");
  const auto& all = d.exposure.size() > 1 ? *std::find_if(d.exposure.begin(), d.exposure.end(), [](const auto& e) { return e.task == "all" || !e.scored; }) : d.exposure.front();
  std::vector<double> strip;
  for (const auto& e : d.exposure)
    if (e.task != "all") strip.push_back(e.examples ? double(e.exposed_examples) / double(e.examples) : 0);
  tile->setContent(QString("%1 %").arg(100.0 * double(all.exposed_examples) / double(std::max<std::int64_t>(1, all.examples)), 0, 'f', 0),
                   QString("of %1 cases").arg(all.examples), strip);
}

/// The bin with the largest difference, and the hybrid's accuracy along the first profile that has bins.
void profileTile(DiagnoseTile* tile, const std::vector<engine::Profile>& profiles) {
  const engine::Bin* best = nullptr;
  std::vector<double> strip;
  for (const auto& p : profiles) {
    for (const auto& b : p.bins)
      if (!best || b.delta_h_swa.difference.value > best->delta_h_swa.difference.value) best = &b;
    if (!strip.empty()) continue;
    for (const auto& b : p.bins)
      for (const auto& s : b.scores)
        if (s.component == "hybrid") strip.push_back(s.accuracy.value);
  }
  if (!best) return tile->setContent("–", "not measured");
  tile->setContent("Δ " + points(best->delta_h_swa.difference.value), QString("at %1–%2").arg(best->low).arg(best->high - 1), strip);
}

void layersTile(DiagnoseTile* tile, const engine::Diagnosis& d) {
  double sum = 0, n = 0;
  std::vector<double> strip;
  for (const auto& r : d.inside) {
    if (r.head < 0) sum += r.exposed_share, n += 1;
    else strip.push_back(r.exposed_share);
  }
  if (n == 0) return tile->setContent("–", "not measured");
  if (strip.size() > 64) {
    strip.clear();
    for (const auto& r : d.inside)
      if (r.head < 0) strip.push_back(r.exposed_share);
  }
  tile->setContent(QString("%1 %").arg(100 * sum / n, 0, 'f', 0), "linear share", strip, true);
}

void knockoutTile(DiagnoseTile* tile, const engine::Diagnosis& d) {
  const auto worst = std::find_if(d.knockouts.begin(), d.knockouts.end(), [](const auto& k) { return k.branch == "linear"; });
  if (worst == d.knockouts.end()) return tile->setContent("–", "not measured");
  std::vector<double> strip;
  for (const auto& k : d.knockouts)
    if (k.branch == "linear" && strip.size() < 24) strip.push_back(k.damage.value / std::max(1e-9, worst->damage.value));
  tile->setContent(QString("%1").arg(worst->damage.value, 0, 'f', 3),
                   QString("nats, layer %1").arg(worst->layer), strip);
}

void mapsTile(DiagnoseTile* tile, const engine::Diagnosis& d) {
  if (!d.no_mass.empty()) return tile->setContent("–", "teacher only");
  if (!d.maps || d.maps->views.size() < 3) return tile->setContent("–", "not measured");
  tile->setContent(QString::number(d.maps->views[2].mean_divergence, 'f', 2), "nats apart");
}

void featuresTile(DiagnoseTile* tile, const engine::Diagnosis& d) {
  if (!d.features || d.features->maps.empty()) return tile->setContent("–", "not measured");
  double rank = 0, dead = 0;
  std::vector<double> strip;
  for (const auto& m : d.features->maps) {
    rank += m.effective_rank, dead += m.dead;
    if (strip.size() < 64) strip.push_back(m.effective_rank / double(std::max<std::int64_t>(1, m.features)));
  }
  const double n = double(d.features->maps.size());
  tile->setContent(QString("rank %1").arg(rank / n, 0, 'f', 0), QString("%1 % dead").arg(100 * dead / n, 0, 'f', 0), strip, true);
}

void whatIfTile(DiagnoseTile* tile, const engine::Diagnosis& d) {
  if (d.what_if.empty()) return tile->setContent("–", "not measured");
  const auto best = std::max_element(d.what_if.begin(), d.what_if.end(), [](const auto& a, const auto& b) { return a.all.accuracy.value < b.all.accuracy.value; });
  std::vector<double> strip;
  for (const auto& w : d.what_if) strip.push_back(w.all.accuracy.value);
  tile->setContent(QString("%1 %").arg(100 * best->all.accuracy.value, 0, 'f', 1), text(best->text).remove("hybrid, "), strip);
}

void examplesTile(DiagnoseTile* tile, const engine::Diagnosis& d) {
  std::int64_t more = 0, less = 0;
  for (const auto& e : d.exposure)
    if (e.task != "all") more += e.delta_h_swa.only_a + e.never_h_swa.only_a, less += e.delta_h_swa.only_b + e.never_h_swa.only_b;
  tile->setContent(QString("+%1 −%2").arg(more).arg(less), "in one only");
}

}  // namespace

DiagnosePage::DiagnosePage(EngineBridge* bridge, engine::Diagnose diagnose, QWidget* parent)
    : QWidget(parent), bridge_(bridge), diagnose_(std::move(diagnose)), job_(new Background(this)), map_job_(new Background(this)), try_job_(new Background(this)),
      beside_job_(new Background(this)) {
  setProperty("role", "page");
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(16, 12, 16, 16);
  layout->setSpacing(10);
  layout->addWidget(buildHeader());
  layout->addWidget(line_);
  auto* empty = new EmptyState("Not diagnosed yet",
                               "This page opens one checkpoint: whether its linear half is used, in which layers and heads, at which distances, and on "
                               "which examples. Choose a run above; the embedded model takes under a minute.",
                               "Diagnose");
  connect(empty, &EmptyState::acted, this, &DiagnosePage::start);
  auto* found = new QWidget;
  auto* column = new QVBoxLayout(found);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(10);
  headline_ = partHeading({});
  paragraph_ = new QLabel;
  paragraph_->setWordWrap(true);
  paragraph_->setTextFormat(Qt::PlainText);
  paragraph_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  no_mass_ = noteLabel();
  for (QLabel* label : {headline_, paragraph_, no_mass_}) column->addWidget(label);
  column->addWidget(buildTiles());
  for (auto [line, job] : {std::pair{&map_line_, map_job_}, {&try_line_, try_job_}, {&beside_line_, beside_job_}}) column->addWidget(*line = new JobLine(job));
  column->addWidget(buildViews(), 1);
  whole_ = new QStackedWidget;
  whole_->addWidget(empty);
  whole_->addWidget(found);
  layout->addWidget(whole_, 1);
  connectViews();
  showView(Exposure);
  sync();
}

void DiagnosePage::connectViews() {
  connect(subject_, &CheckpointPicker::changed, this, &DiagnosePage::look);
  connect(line_, &JobLine::retried, this, &DiagnosePage::start);
  for (auto end : {&Background::finished, &Background::cancelled}) connect(job_, end, this, &DiagnosePage::sync);
  connect(job_, &Background::failed, this, &DiagnosePage::sync);
  for (Background* one : {job_, map_job_, try_job_, beside_job_}) {
    connect(one, &Background::started, this, &DiagnosePage::busyChanged);
    for (auto end : {&Background::finished, &Background::cancelled}) connect(one, end, this, &DiagnosePage::busyChanged);
    connect(one, &Background::failed, this, &DiagnosePage::busyChanged);
  }
  connect(maps_, &MapsView::wanted, this, &DiagnosePage::showMaps);
  connect(map_line_, &JobLine::retried, maps_, &MapsView::ask);
  connect(what_if_, &WhatIfView::wanted, this, &DiagnosePage::tryOut);
  connect(what_if_, &WhatIfView::saveWanted, this, &DiagnosePage::saveTried);
  connect(try_line_, &JobLine::retried, what_if_, &WhatIfView::ask);
  connect(bridge_, &EngineBridge::runUpdated, this, &DiagnosePage::showSaved);
  connect(beside_view_, &BesideView::addWanted, this, &DiagnosePage::addBeside);
  connect(beside_line_, &JobLine::retried, this, &DiagnosePage::addBeside);
  connect(beside_view_, &BesideView::removeWanted, this, [this](int index) {
    beside_.erase(beside_.begin() + index - 1);
    showBeside();
  });
}

QWidget* DiagnosePage::buildHeader() {
  subject_ = new CheckpointPicker(bridge_, "to diagnose");
  tasks_ = new QLineEdit("builtin:all");
  tasks_->setAccessibleName("Tasks");
  tasks_->setToolTip("Tasks with choices, separated by commas: builtin:all, piqa, arc_easy, … (from the run's data folder)");
  tasks_->setMaximumWidth(150);
  limit_ = new QSpinBox;
  limit_->setRange(1, 100000);
  limit_->setValue(24);
  limit_->setSuffix(" a task");
  limit_->setAccessibleName("Examples a task");
  limit_->setToolTip("First examples of each task (builtin tasks: documents of some fifty questions)");
  limit_->setKeyboardTracking(false);
  connect(tasks_, &QLineEdit::editingFinished, this, [this] {
    if (tasks_->isModified()) askOthers();
    tasks_->setModified(false);
  });
  connect(limit_, &QSpinBox::valueChanged, this, &DiagnosePage::askOthers);
  start_ = new QPushButton("Diagnose");
  start_->setProperty("role", "primary");
  connect(start_, &QPushButton::clicked, this, &DiagnosePage::start);
  export_ = new QPushButton(lineIcon("export"), " Export…");
  export_->setToolTip("Report (HTML, PDF), every figure (CSV, JSON), the view as a picture (PNG)");
  connect(export_, &QPushButton::clicked, this, &DiagnosePage::askExport);
  line_ = new JobLine(job_);
  return pageHeader("Diagnose", {subject_}, {tasks_, limit_, export_, start_});
}

QWidget* DiagnosePage::buildTiles() {
  auto* row = new QWidget;
  row->setAccessibleName("Small views");
  auto* layout = new QHBoxLayout(row);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(8);
  for (const char* name : {"Exposure", "Distance", "Length", "Layers", "Knock-outs", "Maps", "Features", "What if", "Examples", "Beside"}) {
    auto* tile = new DiagnoseTile(name);
    const auto index = View(tiles_.size());
    connect(tile, &QAbstractButton::clicked, this, [this, index] { showView(index); });
    layout->addWidget(tile, 1);
    tiles_.push_back(tile);
  }
  return row;
}

QWidget* DiagnosePage::buildViews() {
  views_ = new QStackedWidget;
  maps_ = new MapsView;
  what_if_ = new WhatIfView;
  examples_ = new ExamplesView;
  parts_ = {new ExposureView, new ProfileView(ProfileView::Axis::distance), new ProfileView(ProfileView::Axis::length), new LayersView, new KnockoutView,
            maps_, new FeaturesView, what_if_, examples_};
  for (DiagnosisView* part : parts_) views_->addWidget(part);
  views_->addWidget(beside_view_ = new BesideView(bridge_));
  return views_;
}

void DiagnosePage::setDiagnosis(engine::Diagnosis d, const DiagnosisSource& source, std::optional<qint64> step) {
  source_ = source;
  shown_ = std::move(d);
  step_ = step;
  const engine::Diagnosis& now = *shown_;
  headline_->setText(now.verdict ? text(now.verdict->headline) : "No verdict");
  paragraph_->setText(now.verdict ? text(now.verdict->paragraph) : QString());
  paragraph_->setToolTip(QString("%1, %2, window %3, seed %4; measured in %5 s").arg(text(now.model), text(now.checkpoint)).arg(now.window).arg(now.seed).arg(now.seconds, 0, 'f', 1));
  exposureTile(tiles_[Exposure], now);
  profileTile(tiles_[Distance], now.distance);
  profileTile(tiles_[Length], now.length);
  layersTile(tiles_[Layers], now);
  knockoutTile(tiles_[Knockout], now);
  mapsTile(tiles_[Maps], now);
  featuresTile(tiles_[Features], now);
  whatIfTile(tiles_[WhatIf], now);
  examplesTile(tiles_[Examples], now);
  no_mass_->setText(text(now.no_mass));
  no_mass_->setVisible(!now.no_mass.empty());
  for (DiagnosisView* part : parts_) part->setDiagnosis(now);
  showSaved(subject_->run());
  showBeside();
  whole_->setCurrentIndex(1);
}

void DiagnosePage::showBeside() {
  if (!shown_) return;
  std::vector<engine::Diagnosis> all{*shown_};
  all.insert(all.end(), beside_.begin(), beside_.end());
  tiles_[Beside]->setContent(QString::number(all.size()), all.size() == 1 ? "checkpoint; add more" : "checkpoints");
  beside_view_->setDiagnoses(std::move(all));
}

}  // namespace ui
