#include "ui/pages/diagnose_page.h"

#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QSpinBox>
#include <QStackedWidget>

#include "ui/engine_bridge.h"
#include "ui/forms/job_line.h"
#include "ui/pages/checkpoint_picker.h"
#include "ui/pages/diagnose_beside.h"
#include "ui/pages/diagnose_tile.h"
#include "ui/pages/diagnose_views.h"
#include "ui/pages/diagnose_what_if.h"
#include "ui/report_diagnosis.h"
#include "ui/whole_file.h"

namespace ui {
namespace {

QString text(const std::string& s) { return QString::fromStdString(s); }

}  // namespace

DiagnosisSource DiagnosePage::asked(const CheckpointPicker& of) const {
  DiagnosisSource source;
  source.run = of.run();
  source.checkpoint = of.checkpoint();
  source.store = bridge_->store();
  source.options.limit = limit_->value();
  source.options.tasks.clear();
  for (const QString& task : tasks_->text().split(QRegularExpression("[,\\s]+"), Qt::SkipEmptyParts)) source.options.tasks.push_back(task.toStdString());
  if (source.options.tasks.empty()) source.options.tasks = {"builtin:all"};
  if (const RunData* found = source.run ? bridge_->data(source.run) : nullptr) source.options.data = found->recipe.evaluation.data;
  return source;
}

void DiagnosePage::setRun(qint64 id) { subject_->setRun(id); }

/// Other examples: what stands beside is no longer comparable.
void DiagnosePage::askOthers() {
  beside_job_->cancel();
  beside_.clear();
  look();
}

/// What was measured of it before is shown at once.
void DiagnosePage::look() {
  map_job_->cancel();
  try_job_->cancel();
  line_->clear();
  shown_.reset();
  whole_->setCurrentIndex(0);
  sync();
  if (!isVisible()) return;
  job_->start(
      "Looking for a diagnosis kept from before",
      [source = asked(*subject_)](const engine::Watch&) -> std::optional<engine::Diagnosis> {
        try {
          return keptDiagnosis(source);
        } catch (const engine::InputError&) {
          return std::nullopt;  // said when it is to be measured
        }
      },
      [this, source = asked(*subject_), step = subject_->step()](std::optional<engine::Diagnosis> found) {
        if (found) setDiagnosis(std::move(*found), source, step);
        sync();
      });
}

void DiagnosePage::start() {
  if (!diagnose_ || !whyWait().isEmpty()) return;
  job_->start(
      "Diagnosing " + subject_->label(),
      [source = asked(*subject_), diagnose = diagnose_](const engine::Watch& watch) { return measuredDiagnosis(source, diagnose, watch); },
      [this, source = asked(*subject_), step = subject_->step()](engine::Diagnosis d) {
        setDiagnosis(std::move(d), source, step);
        sync();
      });
  sync();
}

void DiagnosePage::showMaps(const engine::MapQuery& query) {
  if (!diagnose_ || !shown_ || !mayCompute(map_line_)) return;
  DiagnosisSource source = source_;
  source.options.what = {"maps"};
  source.options.map = query;
  map_job_->start(
      "Computing the maps", [source, diagnose = diagnose_](const engine::Watch& watch) { return diagnose(source.subject(), source.options, watch); },
      [this](engine::Diagnosis d) {
        if (shown_) shown_->maps = d.maps;
        if (d.maps) maps_->setMaps(*d.maps);
        map_line_->clear();
      });
}

/// Only the chosen probe is scored, in the stored setting and in this one.
void DiagnosePage::tryOut(const engine::WhatIf& setting) {
  if (!diagnose_ || !shown_ || !mayCompute(try_line_)) return;
  DiagnosisSource source = source_;
  source.options.what = {"whatif"};
  source.options.what_if = {setting};
  source.options.probe = what_if_->probe();
  try_job_->start(
      "Evaluating " + text(setting.text()), [source, diagnose = diagnose_](const engine::Watch& watch) { return diagnose(source.subject(), source.options, watch); },
      [this](engine::Diagnosis d) {
        if (!d.what_if.empty() && !d.components.empty()) what_if_->setTried(d.what_if.front(), d.components.front());
        try_line_->clear();
      });
}

void DiagnosePage::saveTried(const engine::WhatIfResult& tried) {
  if (!step_ || !shown_) return;
  if (bridge_->record(source_.run, engine::what_if_evaluation(tried, *step_, shown_->window)))
    Q_EMIT notice("Saved with the run: " + text(tried.text), false);
}

void DiagnosePage::showSaved(qint64 run) {
  if (run != subject_->run()) return;
  const RunData* found = run ? bridge_->data(run) : nullptr;
  what_if_->setSaved(found ? found->what_ifs : decltype(found->what_ifs){});
}

QString DiagnosePage::whySavingWaits() const {
  if (subject_->run() == 0) return "This model comes from no run: there is nothing to store an evaluation with";
  if (bridge_->readOnly()) return "The store is read-only: " + bridge_->readOnlyReason();
  return blocked_;
}

void DiagnosePage::addBeside() {
  const DiagnosisSource source = asked(*beside_view_->picker());
  const engine::Diagnose measure = whyWait().isEmpty() ? diagnose_ : engine::Diagnose();
  beside_job_->start(
      "Diagnosing " + beside_view_->picker()->label(),
      [source, measure](const engine::Watch& watch) {
        if (auto kept = keptDiagnosis(source)) return std::move(*kept);
        if (!measure) throw engine::InputError("This checkpoint was not diagnosed with these tasks yet, and measuring must wait: add it when nothing else is at work");
        return measuredDiagnosis(source, measure, watch);
      },
      [this](engine::Diagnosis d) {
        beside_.push_back(std::move(d));
        beside_line_->clear();
        showBeside();
      });
}

void DiagnosePage::setBlocked(const QString& reason) {
  blocked_ = reason;
  sync();
}

void DiagnosePage::setQuiet(const QString& reason) {
  quiet_ = reason;
  sync();
}

bool DiagnosePage::mayCompute(JobLine* line) {
  if (!quiet_.isEmpty()) line->showProblem(quiet_);
  return quiet_.isEmpty();
}

void DiagnosePage::sync() {
  const QString why = !diagnose_ ? "This build measures nothing: it has no tensor part" : whyWait();
  start_->setEnabled(why.isEmpty() && !job_->busy());
  start_->setText(shown_ ? "Measure again" : "Diagnose");
  start_->setToolTip(why.isEmpty() ? "Measure every part with the newest checkpoint, beside whatever else you do" : why);
  export_->setEnabled(shown_.has_value());
  what_if_->setSavingBlocked(whySavingWaits());
}

bool DiagnosePage::exportTo(const QString& file) {
  if (!shown_) return false;
  std::vector<engine::Diagnosis> all{*shown_};
  all.insert(all.end(), beside_.begin(), beside_.end());
  bool done = false;
  try {
    if (file.endsWith(".pdf")) writePdfDiagnosis(all, file), done = true;
    else if (file.endsWith(".png")) done = views_->grab().save(file);
    else done = writeWhole(file, file.endsWith(".html") ? engine::diagnosis_html(all) : file.endsWith(".csv") ? engine::diagnosis_csv(*shown_) : engine::to_json(*shown_));
  } catch (const engine::InputError& error) {
    Q_EMIT notice(text(error.what()), true);
    return false;
  }
  Q_EMIT notice(done ? "Written: " + file : file + " cannot be written", !done);
  return done;
}

void DiagnosePage::askExport() {
  const QString file = QFileDialog::getSaveFileName(this, "Export the diagnosis", "diagnosis.html",
                                                    "Report, one page (*.html);;Report to print (*.pdf);;Every figure (*.csv);;As data (*.json);;The view as a picture (*.png)");
  if (!file.isEmpty()) exportTo(file);
}

void DiagnosePage::showView(View view) {
  tiles_[std::size_t(view)]->setChecked(true);
  views_->setCurrentIndex(view);
}

DiagnosePage::View DiagnosePage::view() const { return View(views_->currentIndex()); }

QString DiagnosePage::verdictText() const { return headline_->text() + ". " + paragraph_->text(); }

void DiagnosePage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (!shown_ && !job_->busy()) look();
}

}  // namespace ui
