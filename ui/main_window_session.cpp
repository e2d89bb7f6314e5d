/// What the window brings back at the next start: the unfinished recipe, the page, the runs that
/// were looked at; and what it hands out of runs: forks and reports.

#include <QCoreApplication>
#include <QCryptographicHash>
#include <QFileDialog>
#include <QFileInfo>
#include <QProcess>
#include <algorithm>

#include "ui/main_window.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/compose_page.h"
#include "ui/pages/run_page.h"
#include "ui/queue_panel.h"
#include "ui/report_pdf.h"
#include "ui/run_panel.h"
#include "ui/waiting_line.h"

namespace ui {
namespace {

constexpr int k_autosave_ms = 700;  ///< after the last change

}  // namespace

QString MainWindow::sessionKey(const QString& key) const {
  const QByteArray store = QByteArray::fromStdString(bridge_->store().string());
  return "session/" + QCryptographicHash::hash(store, QCryptographicHash::Sha1).toHex().left(12) +
         "/" + key;
}

void MainWindow::startAutosave() {
  autosave_.setSingleShot(true);
  autosave_.setInterval(k_autosave_ms);
  connect(&autosave_, &QTimer::timeout, this, &MainWindow::saveUnfinished);
  connect(compose_->document(), &RecipeDocument::changed, &autosave_, qOverload<>(&QTimer::start));
}

void MainWindow::saveUnfinished() {
  autosave_.stop();
  const RecipeDocument* document = compose_->document();
  settings_->setValue("unfinished/recipe",
                      QString::fromStdString(engine::to_yaml(document->recipe())));
  settings_->setValue("unfinished/preset",
                      QString::fromStdString(engine::to_yaml(document->preset())));
  settings_->setValue("unfinished/source", document->source());
  settings_->sync();
}

/// What was read back but is no recipe any more is passed over.
void MainWindow::restoreUnfinished() {
  const QString text = settings_->value("unfinished/recipe").toString();
  if (!text.contains("name:")) return;  // every saved recipe says its name
  const auto recipe = engine::parse_recipe(text.toStdString());
  const auto preset =
      engine::parse_recipe(settings_->value("unfinished/preset").toString().toStdString());
  if (!recipe.problems.empty() || !preset.problems.empty()) return;
  compose_->document()->open(preset.recipe, settings_->value("unfinished/source").toString());
  compose_->document()->change("Changes of the last session", recipe.recipe);
  if (compose_->document()->undoStack()->count() > 0)
    say("the unfinished recipe of the last session is open");
}

void MainWindow::restoreSession() {
  restoreUnfinished();
  auto value = [this](const QString& key) { return settings_->value(sessionKey(key)); };
  runs_->groupBy(value("grouping").toString());
  runs_->showStarredOnly(value("starred only").toBool());
  runs_->showArchived(value("archived").toBool());
  queue_panel_->setGoesOnAfterFailure(value("go on").isNull() || value("go on").toBool());
  compare_->showPaper(value("paper").toStringList());
  compare_->groupBy({value("group by").toString().toStdString(), Grouping::Spread(std::clamp(value("spread").toInt(), 0, 3))});
  derived_->restore(value("formulas").toStringList());
  smoothing_->restore(settings_->value("smoothing").toList());
  std::vector<engine::RunId> ticked;
  for (const QVariant& id : value("ticked").toList())
    if (bridge_->run(id.toLongLong())) ticked.push_back(id.toLongLong());
  if (!ticked.empty()) runs_->model()->setChosen(ticked);
  const engine::RunId run = value("run").toLongLong();
  if (bridge_->run(run)) {
    runs_->select(run);
    run_->setRun(run);
  }
  std::vector<engine::RunId> order;
  for (const QVariant& id : value("queue").toList()) order.push_back(id.toLongLong());
  waiting_->bringBack(order);
  keepQueue();
  for (auto changed : {&EngineBridge::queueChanged, &EngineBridge::runsChanged})
    connect(bridge_.get(), changed, this, &MainWindow::keepQueue);
  const int page = value("page").toInt();
  showPage(page >= Compose && page < tabs_->count() ? Page(page) : Compose);
}

/// The store knows which runs wait, but not in which order; written at once, for a crash.
void MainWindow::keepQueue() {
  if (bridge_->readOnly() || bridge_->queue() == kept_queue_) return;
  kept_queue_ = bridge_->queue();
  QVariantList ids;
  for (engine::RunId id : kept_queue_) ids << qint64(id);
  settings_->setValue(sessionKey("queue"), ids);
}

void MainWindow::rememberSession() {
  saveUnfinished();
  auto keep = [this](const QString& key, const QVariant& value) {
    settings_->setValue(sessionKey(key), value);
  };
  QVariantList ticked;
  for (engine::RunId id : runs_->model()->chosen()) ticked << qint64(id);
  keep("ticked", ticked);
  keep("run", qint64(run_->run()));
  keep("page", int(page()));
  keep("grouping", runs_->grouping());
  keep("starred only", runs_->starredOnly());
  keep("archived", runs_->showsArchived());
  keep("paper", compare_->shownPaper());
  keep("group by", QString::fromStdString(compare_->grouping().by));
  keep("spread", int(compare_->grouping().spread));
  keep("formulas", derived_->toSettings());
  settings_->setValue("smoothing", smoothing_->toSettings());
  keep("go on", queue_panel_->goesOnAfterFailure());
}

namespace {

bool isStore(const QString& file) {
  QFile in(file);
  return in.open(QIODevice::ReadOnly) && in.read(16) == QByteArray("SQLite format 3\0", 16);
}

}  // namespace

bool MainWindow::openStore(const QString& file) {
  if (!isStore(file)) {
    notify(QString("%1 is no store: expected an SQLite file of this program.").arg(file), true);
    return false;
  }
  if (!QProcess::startDetached(QCoreApplication::applicationFilePath(), {"--store", file})) {
    notify("A second window could not be started.", true);
    return false;
  }
  say("opening " + QFileInfo(file).fileName() + " in a window of its own");
  return true;
}

void MainWindow::askStore() {
  auto* dialog = new QFileDialog(this, "Open a store in a new window", {},
                                 "Stores (*.db *.sqlite);;All files (*)");
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  connect(dialog, &QFileDialog::fileSelected, this, &MainWindow::openStore);
  dialog->open();
}

/// The fork keeps the recipe's stages from the checkpoint's on; one undo brings back the others.
void MainWindow::forkRun(engine::RunId id, std::int64_t step, std::int64_t stage, bool stage_done) {
  const RunData* shown = bridge_->data(id);
  if (!shown) return;
  engine::Recipe recipe = shown->recipe;
  recipe.name = shown->info.name;
  compose_->openRecipe(recipe, QString("fork of %1").arg(QString::fromStdString(recipe.name)));
  const auto gone = std::min(recipe.stages.size(), std::size_t(stage + (stage_done ? 1 : 0)));
  recipe.stages.erase(recipe.stages.begin(), recipe.stages.begin() + std::ptrdiff_t(gone));
  recipe.start_from = std::to_string(id) + "@" + std::to_string(step);
  recipe.name += "-from-" + std::to_string(step);
  compose_->document()->change(QString("Fork from step %1").arg(step), recipe);
  showPage(Compose);
  say(gone > 0 ? QString("the stages before step %1 are left out; undo brings them back").arg(step)
               : QString("starts from step %1 of run %2").arg(step).arg(id));
}

void MainWindow::askReport(const std::vector<engine::RunId>& runs) {
  if (runs.empty()) {
    notify("Tick the runs of the report in the list first.", false);
    return;
  }
  auto* dialog =
      new QFileDialog(this, "Report", "report.html", "One HTML file (*.html);;PDF (*.pdf)");
  dialog->setObjectName("report");
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setDefaultSuffix("html");
  connect(dialog, &QFileDialog::filterSelected, dialog, [dialog](const QString& filter) {
    dialog->setDefaultSuffix(filter.contains("pdf") ? "pdf" : "html");
  });
  connect(dialog, &QFileDialog::fileSelected, this,
          [this, runs](const QString& file) { writeReport(runs, file); });
  dialog->open();
}

bool MainWindow::writeReport(const std::vector<engine::RunId>& runs, const QString& file) {
  try {
    if (QFileInfo(file).suffix().compare("pdf", Qt::CaseInsensitive) == 0) {
      std::vector<const RunData*> chosen;
      for (engine::RunId id : runs)
        if (const RunData* one = bridge_->data(id)) chosen.push_back(one);
      writePdfReport(chosen, file);
    } else {
      if (!report_) throw engine::InputError("This build writes no HTML reports; PDF works.");
      const engine::RunReader reader(bridge_->store());
      std::vector<engine::RunInfo> infos;
      for (engine::RunId id : runs)
        if (const auto info = reader.run(id)) infos.push_back(*info);
      report_(reader, infos, file.toStdString());
    }
  } catch (const std::exception& error) {
    notify(QString::fromUtf8(error.what()), true);
    return false;
  }
  say("report written to " + file);
  return true;
}

}  // namespace ui
