/// equipoise-gui: the session, the window, nothing else.

#include <QApplication>
#include <QCommandLineParser>
#include <QMessageBox>
#include <QSettings>
#include <QTimer>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/paths.h"
#include "engine/apply.h"
#include "engine/bench.h"
#include "engine/diagnose.h"
#include "engine/execute.h"
#include "engine/inspect.h"
#include "engine/log.h"
#include "engine/session.h"
#include "ui/engine_bridge.h"
#include "ui/main_window.h"
#include "ui/pages/compose_page.h"

namespace {

struct Options {
  std::optional<std::filesystem::path> store;
  QString recipe, theme, screenshots;
  bool run_example = false;
};

Options read_options(const QCoreApplication& app) {
  QCommandLineParser parser;
  parser.setApplicationDescription(
      "Converts pretrained Transformers to hybrid attention and shows whether the linear half is "
      "used.");
  parser.addHelpOption();
  parser.addVersionOption();
  parser.addOptions(
      {{"store", "The store to open: one SQLite file.", "file"},
       {"recipe", "Open this recipe in Compose.", "file"},
       {"run-example", "Open the SSD example and start it."},
       {"theme", "light or dark.", "name"},
       {"screenshot-dir", "Save every page as PNG, light and dark, and end.", "folder"}});
  parser.addPositionalArgument("recipe", "A recipe to open.", "[recipe]");
  parser.process(app);
  Options o;
  if (parser.isSet("store")) o.store = parser.value("store").toStdString();
  o.recipe =
      parser.isSet("recipe") ? parser.value("recipe") : parser.positionalArguments().value(0);
  o.theme = parser.value("theme");
  o.screenshots = parser.value("screenshot-dir");
  o.run_example = parser.isSet("run-example");
  return o;
}

/// --help and --version are answered without a display.
void answer_without_display(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto asks = [](const std::string& w) {
    return w == "-h" || w == "--help" || w == "--help-all" || w == "-v" || w == "--version";
  };
  if (std::none_of(words.begin(), words.end(), asks)) return;
  QCoreApplication app(argc, argv);
  read_options(app);
}

engine::Evaluated evaluate(const engine::Subject& subject, const std::filesystem::path& journal, const engine::Watch& watch) {
  engine::EvaluateOptions options;
  options.samples = journal;
  options.stop = [&] { return watch.stop.stop_requested(); };
  options.progress = [&](const std::string& component, std::int64_t done, std::int64_t all) {
    watch.progress(done, "of " + std::to_string(all) + " requests, " + component);
  };
  return engine::evaluate_subject(subject, options).scores;
}

}  // namespace

int main(int argc, char** argv) {
  QCoreApplication::setApplicationName("equipoise");
  QCoreApplication::setOrganizationName("equipoise");
  QCoreApplication::setApplicationVersion(EQUIPOISE_VERSION);
  answer_without_display(argc, argv);
  QApplication app(argc, argv);
  QApplication::setApplicationDisplayName("");
  const Options options = read_options(app);

  std::unique_ptr<ui::EngineBridge> bridge;
  ui::Looking looking{engine::score_example, {}, app::write_report, engine::diagnose, engine::bench_attention, evaluate};
  try {
    const engine::Paths paths = app::default_paths(options.store);
    engine::open_log(paths.log);
    looking.cache = paths.cache;
    try {
      bridge = std::make_unique<ui::EngineBridge>(
          std::make_unique<engine::Session>(paths, engine::execute), paths.store);
    } catch (const engine::StoreBusy& busy) {
      bridge =
          std::make_unique<ui::EngineBridge>(nullptr, paths.store, QString::fromUtf8(busy.what()));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "equipoise-gui: %s\n", error.what());
    QMessageBox::critical(nullptr, "Equipoise", QString::fromUtf8(error.what()));
    return 1;
  }

  ui::MainWindow window(std::move(bridge), std::make_unique<QSettings>(), looking);
  if (!options.theme.isEmpty())
    window.setScheme(options.theme == "dark" ? ui::Scheme::dark : ui::Scheme::light);
  if (!options.recipe.isEmpty()) window.openPath(options.recipe);
  window.show();
  if (options.run_example) {
    QTimer::singleShot(0, &window, [&window] {
      window.composePage()->choosePreset("ssd");
      window.composePage()->submit();
    });
  }
  if (!options.screenshots.isEmpty()) {
    QTimer::singleShot(1000, &window, [&window, &app, folder = options.screenshots] {
      app.exit(window.saveScreenshots(folder) ? 0 : 1);
    });
  }
  return QApplication::exec();
}
