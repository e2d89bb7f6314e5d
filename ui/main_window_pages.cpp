#include <QApplication>
#include <QDir>
#include <QDragEnterEvent>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QMimeData>
#include <QTabWidget>
#include <functional>

#include "ui/forms/ablation_grid.h"
#include "ui/forms/source_field.h"
#include "ui/main_window.h"
#include "ui/pages/compose_page.h"
#include "ui/pages/data_page.h"
#include "ui/pages/diagnose_page.h"
#include "ui/pages/efficiency_page.h"
#include "ui/pages/model_page.h"
#include "ui/pages/task_page.h"

namespace ui {

void MainWindow::buildLookingPages(Looking looking) {
  if (looking.cache.empty()) looking.cache = bridge_->store().parent_path() / "cache";
  cache_ = looking.cache;
  model_ = new ModelPage(settings_.get());
  data_ = new DataPage(settings_.get(), looking.cache.string());
  task_ = new TaskPage(settings_.get(), std::move(looking.score));
  tabs_->addTab(model_, "Model");
  tabs_->addTab(data_, "Data");
  tabs_->addTab(task_, "Task");
  tabs_->addTab(diagnose_ = new DiagnosePage(bridge_.get(), std::move(looking.diagnose)), "Diagnose");
  efficiency_ = new EfficiencyPage(std::move(looking.bench), looking.cache);
  tabs_->addTab(efficiency_, "Efficiency");
  connect(diagnose_, &DiagnosePage::notice, this, &MainWindow::notify);
  connect(efficiency_, &EfficiencyPage::notice, this, &MainWindow::notify);
  // The first look at each is at what the recipe names.
  auto follow = [this] {
    const engine::Recipe& recipe = compose_->document()->recipe();
    model_->setFirst(QString::fromStdString(recipe.model));
    data_->setFirst(recipe);
    task_->setFirst(recipe);
  };
  connect(compose_->document(), &RecipeDocument::changed, this, follow);
  follow();
  connect(model_, &ModelPage::useWanted, this, [this](const QString& model) {
    compose_->document()->setField("model", model.toStdString());
    showPage(Compose);
  });
  connect(data_, &DataPage::useWanted, this, [this](const QString& path, const QString& text_field) {
    engine::Recipe next = compose_->document()->recipe();
    next.data.path = path.toStdString();
    next.data.text_field = text_field.toStdString();
    compose_->document()->change("Train on " + path, next);
    showPage(Compose);
  });
  connect(task_, &TaskPage::useWanted, this, [this](const engine::TaskQuery& query) {
    engine::Recipe next = compose_->document()->recipe();
    next.evaluation.tasks = {query.task};
    if (!query.task.starts_with("builtin:")) next.evaluation.data = query.data;
    next.evaluation.split = query.split;
    next.evaluation.shots = query.shots;
    next.evaluation.sampler = query.sampler;
    compose_->document()->change("Evaluate on " + QString::fromStdString(query.task), next);
    showPage(Compose);
  });
  evaluate_ = std::move(looking.evaluate);
  connect(diagnose_, &DiagnosePage::busyChanged, this, &MainWindow::settleWaiting);
  connect(efficiency_, &EfficiencyPage::busyChanged, this, &MainWindow::settleWaiting);
  connect(bridge_.get(), &EngineBridge::runsChanged, this, &MainWindow::settleWaiting);
}

/// Nothing is measured beside a run, and times are taken beside nothing at all: each says what it waits for.
void MainWindow::settleWaiting() {
  const bool idle = bridge_->idle();
  task_->setScoringBlocked(idle ? QString() : "A run is training; scoring waits for its end");
  const QString training = idle ? QString() : "A run is training; measuring waits for its end";
  diagnose_->setBlocked(training);
  if (!idle) efficiency_->cancel();  // times beside a run would say nothing
  const QString timing = efficiency_->busy() ? "The Efficiency page measures times, which this would disturb; wait for its end or cancel it" : QString();
  diagnose_->setQuiet(timing);
  if (grid_) grid_->setBlocked(idle ? timing : training);
  const bool computing = diagnose_->busy() || (grid_ && grid_->busy());
  efficiency_->setBlocked(!idle       ? training
                          : computing ? "A checkpoint is being measured on the Diagnose page or in the grid, which would disturb the times; wait for its end or cancel it"
                                      : QString());
}

AblationGrid* MainWindow::openGrid(const std::vector<engine::RunId>& runs) {
  if (runs.empty()) {
    notify("Tick the runs whose checkpoints the grid is of in the list first.", true);
    return nullptr;
  }
  if (grid_) grid_->close();
  grid_ = new AblationGrid(bridge_.get(), evaluate_, cache_, runs, this);
  connect(grid_, &AblationGrid::notice, this, &MainWindow::notify);
  connect(grid_, &AblationGrid::busyChanged, this, &MainWindow::settleWaiting);
  connect(grid_, &QObject::destroyed, this, &MainWindow::settleWaiting, Qt::QueuedConnection);
  settleWaiting();
  grid_->show();
  return grid_;
}

namespace {

/// Until a page has read what it shows, as far as that takes no longer than a few seconds.
void settle(const std::function<bool()>& busy) {
  QElapsedTimer clock;
  clock.start();
  for (int quiet = 0; quiet < 3 && clock.elapsed() < 8000;) {
    QApplication::processEvents(QEventLoop::AllEvents, 30);
    quiet = busy() ? 0 : quiet + 1;
  }
}

}  // namespace

bool MainWindow::saveScreenshots(const QString& folder, const QString& suffix,
                                 const std::vector<Page>& pages) {
  if (!QDir().mkpath(folder)) return false;
  const Page before = page();
  const Scheme scheme = scheme_;
  bool done = true;
  for (Scheme s : {Scheme::light, Scheme::dark}) {
    setScheme(s);
    for (Page p : pages) {
      showPage(p);
      settle([this] { return model_->busy() || data_->busy() || task_->busy() || diagnose_->busy(); });
      done = grab().save(QString("%1/%2-%3%4.png")
                             .arg(folder, tabs_->tabText(p).toLower(),
                                  s == Scheme::light ? "light" : "dark", suffix)) &&
             done;
    }
  }
  setScheme(scheme);
  showPage(before);
  return done;
}

void MainWindow::browse(Page page) {
  showPage(page);
  SourceField* field = page == Model ? model_->source() : page == Data ? data_->source() : task_->data();
  field->browse();
}

void MainWindow::lookAt(Page page, const QString& source) {
  showPage(page);
  if (page == Model) model_->open(source);
  if (page == Data) data_->open(source);
  if (page != Task) return;
  if (source.endsWith(".yaml") || source.endsWith(".yml"))
    task_->openFile(source);
  else
    task_->data()->choose(source);
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  for (const QUrl& url : event->mimeData()->urls()) {
    const QFileInfo file(url.toLocalFile());
    const bool model = file.isDir() && QFileInfo::exists(file.filePath() + "/config.json");
    if (file.suffix() == "db" || file.suffix() == "sqlite")
      openStore(file.filePath());
    else if (model && page() == Compose)
      compose_->document()->setField("model", file.filePath().toStdString());
    else if (model)
      lookAt(Model, file.filePath());
    else if (page() >= Model && page() <= Task)
      lookAt(page(), file.filePath());
    else
      openPath(file.filePath());
  }
}

}  // namespace ui
