#include "ui/pages/diagnose_page.h"

#include <QComboBox>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpression>
#include <QSaveFile>
#include <QSpinBox>
#include <QStackedWidget>
#include <fstream>
#include <sstream>

#include "engine/run_store.h"
#include "ui/engine_bridge.h"
#include "ui/forms/job_line.h"
#include "ui/pages/diagnose_tile.h"
#include "ui/pages/diagnose_views.h"

namespace ui {
namespace {

namespace fs = std::filesystem;

QString text(const std::string& s) { return QString::fromStdString(s); }

/// A diagnosis kept earlier; nothing where there is none or it cannot be read (it is measured again then).
std::optional<engine::Diagnosis> readKept(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  std::stringstream all;
  all << in.rdbuf();
  try {
    return engine::diagnosis_from_json(all.str(), file.string());
  } catch (const engine::InputError&) {
    return std::nullopt;
  }
}

/// Kept whole or not at all; a read-only folder costs a new measurement next time, nothing else.
void keep(const fs::path& file, const engine::Diagnosis& d) {
  std::error_code ignored;
  fs::create_directories(file.parent_path(), ignored);
  QSaveFile out(text(file.string()));
  const std::string json = engine::to_json(d);
  if (out.open(QIODevice::WriteOnly) && out.write(json.data(), qint64(json.size())) == qint64(json.size())) out.commit();
}

}  // namespace

/// The run's recipe with its newest checkpoint that is still there; run 0: the embedded model at the conversion's start.
engine::Subject DiagnosePage::subjectOf(const Asked& asked) {
  engine::Subject s;
  if (asked.run == 0) {
    s.recipe.name = "builtin:tiny, the conversion's start";
    return s;
  }
  const engine::RunReader reader(asked.store);
  const auto run = reader.run(asked.run);
  if (!run) throw engine::InputError("the run is no longer in the store");
  s.recipe = engine::parse_recipe(run->recipe).recipe;
  s.recipe.name = run->name;
  for (const auto& c : reader.checkpoints(asked.run))
    if (fs::exists(c.path)) s.checkpoint = c.path;
  if (!s.checkpoint) throw engine::InputError("run " + run->name + " has no checkpoint yet");
  return s;
}

fs::path DiagnosePage::keptAt(const Asked& asked, const engine::Subject& subject) {
  const std::string name = "diagnosis-" + engine::diagnosis_key(subject, asked.options) + ".json";
  return subject.checkpoint ? subject.checkpoint->parent_path() / name : fs::path(asked.store.string() + ".diagnosis") / name;
}

DiagnosePage::Asked DiagnosePage::asked() const {
  Asked a;
  a.run = subject_->currentData().toLongLong();
  a.store = bridge_->store();
  a.options.limit = limit_->value();
  a.options.tasks.clear();
  for (const QString& task : tasks_->text().split(QRegularExpression("[,\\s]+"), Qt::SkipEmptyParts)) a.options.tasks.push_back(task.toStdString());
  if (a.options.tasks.empty()) a.options.tasks = {"builtin:all"};
  if (const RunData* found = a.run ? bridge_->data(a.run) : nullptr) a.options.data = found->recipe.evaluation.data;
  return a;
}

void DiagnosePage::fillSubjects() {
  const qint64 before = subject_->currentData().toLongLong();
  {
    const QSignalBlocker quiet(subject_);
    subject_->clear();
    for (const auto& run : bridge_->runs()) subject_->addItem(QString("%1  (run %2)").arg(text(run.name)).arg(qint64(run.id)), qint64(run.id));
    subject_->addItem("builtin:tiny, the conversion's start", qint64(0));
    const int at = subject_->findData(before);
    subject_->setCurrentIndex(at >= 0 ? at : subject_->count() - 1);
  }
  if (subject_->currentData().toLongLong() != before) look();
}

void DiagnosePage::setRun(qint64 id) {
  const int at = subject_->findData(id);
  if (at >= 0) subject_->setCurrentIndex(at);
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
      [a = asked()](const engine::Watch&) -> std::optional<engine::Diagnosis> {
        try {
          return readKept(keptAt(a, subjectOf(a)));
        } catch (const engine::InputError&) {
          return std::nullopt;  // said when it is to be measured
        }
      },
      [this](std::optional<engine::Diagnosis> found) {
        if (found) setDiagnosis(std::move(*found));
        sync();
      });
}

void DiagnosePage::start() {
  if (!diagnose_ || !blocked_.isEmpty()) return;
  job_->start(
      "Diagnosing " + subject_->currentText(),
      [a = asked(), diagnose = diagnose_](const engine::Watch& watch) {
        const engine::Subject subject = subjectOf(a);
        const fs::path file = keptAt(a, subject);
        engine::Diagnosis d = diagnose(subject, a.options, watch);
        keep(file, d);
        return d;
      },
      [this](engine::Diagnosis d) {
        setDiagnosis(std::move(d));
        sync();
      });
  sync();
}

void DiagnosePage::showMaps(const engine::MapQuery& query) {
  if (!diagnose_ || !shown_) return;
  Asked a = asked();
  a.options.what = {"maps"};
  a.options.map = query;
  map_job_->start(
      "Computing the maps", [a, diagnose = diagnose_](const engine::Watch& watch) { return diagnose(subjectOf(a), a.options, watch); },
      [this](engine::Diagnosis d) {
        if (shown_) shown_->maps = d.maps;
        if (d.maps) maps_->setMaps(*d.maps);
        small_line_->clear();
      });
}

void DiagnosePage::tryOut(const engine::WhatIf& setting) {
  if (!diagnose_ || !shown_) return;
  Asked a = asked();
  a.options.what = {"whatif"};
  a.options.what_if = {setting};
  try_job_->start(
      "Evaluating " + text(setting.text()), [a, diagnose = diagnose_](const engine::Watch& watch) { return diagnose(subjectOf(a), a.options, watch); },
      [this](engine::Diagnosis d) {
        if (!d.what_if.empty()) what_if_->setTried(d.what_if.front());
        small_line_->clear();
      });
}

void DiagnosePage::setBlocked(const QString& reason) {
  blocked_ = reason;
  sync();
}

void DiagnosePage::sync() {
  const QString why = !diagnose_ ? "This build measures nothing: it has no tensor part" : blocked_;
  start_->setEnabled(why.isEmpty() && !job_->busy());
  start_->setText(shown_ ? "Measure again" : "Diagnose");
  start_->setToolTip(why.isEmpty() ? "Measure every part with the newest checkpoint, beside whatever else you do" : why);
  export_->setEnabled(shown_.has_value());
}

bool DiagnosePage::exportTo(const QString& file) {
  if (!shown_) return false;
  bool done = false;
  if (file.endsWith(".png")) {
    done = views_->grab().save(file);
  } else {
    const std::string content = file.endsWith(".html") ? engine::diagnosis_html({*shown_}) : file.endsWith(".csv") ? engine::diagnosis_csv(*shown_) : engine::to_json(*shown_);
    QSaveFile out(file);
    done = out.open(QIODevice::WriteOnly) && out.write(content.data(), qint64(content.size())) == qint64(content.size()) && out.commit();
  }
  Q_EMIT notice(done ? "Written: " + file : file + " cannot be written", !done);
  return done;
}

void DiagnosePage::askExport() {
  const QString file = QFileDialog::getSaveFileName(this, "Export the diagnosis", "diagnosis.html",
                                                    "Report, one page (*.html);;Every figure (*.csv);;As data (*.json);;The view as a picture (*.png)");
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
