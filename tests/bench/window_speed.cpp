/// How long the window takes until it can be used, and to change its theme (medians of `repeats`
/// openings), and how long it keeps a user waiting with many runs in the store. Not a test; run it
/// as build/dev/bin/window_speed [repeats] [runs] [series] [points].

#include <QApplication>
#include <QElapsedTimer>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "engine/run_store.h"
#include "tests/ui/desk.h"
#include "ui/models/run_list_model.h"
#include "ui/pages/compare_page.h"
#include "ui/pages/run_page.h"
#include "ui/run_panel.h"

namespace {

struct Times {
  const char* what;
  std::vector<double> ms = {};
};

double milliseconds(QElapsedTimer& clock) { return double(clock.nsecsElapsed()) / 1e6; }

void settle() {
  for (int i = 0; i < 3; ++i) QApplication::processEvents();
}

void fillStore(const std::filesystem::path& store, int runs, int series, int points) {
  engine::RunWriter writer(store);
  for (int r = 0; r < runs; ++r) {
    engine::RunInfo info;
    engine::Recipe recipe = engine::presets()[std::size_t(r) % engine::presets().size()].recipe;
    recipe.name = "run-" + std::to_string(r);
    recipe.seed = r % 3;
    info.name = recipe.name;
    info.recipe = engine::to_yaml(recipe);
    info.hash = engine::recipe_hash(recipe);
    info.seed = recipe.seed;
    const engine::RunId id = writer.create(info);
    writer.begin_attempt(id, -1);
    std::vector<engine::Event> events;
    for (int step = 1; step <= points; ++step) {
      engine::Points p{step, {}};
      for (int s = 0; s < series; ++s)
        p.values.emplace_back("series/" + std::to_string(s), std::sin(step * 0.01 + s));
      events.push_back({id, 0, std::move(p)});
    }
    engine::Evaluated evaluated{points, 32, 1, {}};
    for (const char* component : {"teacher", "hybrid", "swa", "linear", "none"})
      for (const char* task : {"all", "local", "far", "recall", "theme", "agreement"})
        evaluated.scores.push_back(
            {component, task, "acc", 0.5 + 0.001 * (r % 300), 0.01, 100, {}});
    events.push_back({id, 0, std::move(evaluated)});
    events.push_back({id, 0, engine::RunEnded{engine::RunState::done, "Done.", 1}});
    writer.append(events);
    writer.set_state(id, engine::RunState::done, "Done.");
  }
}

void manyRuns(int runs, int series, int points) {
  test::Desk desk;
  QElapsedTimer clock;
  clock.start();
  fillStore(desk.paths.store, runs, series, points);
  std::printf("%d runs of %d series of %d points, written in %.1f s\n", runs, series, points,
              milliseconds(clock) / 1000);
  clock.restart();
  auto window = desk.open();
  settle();
  std::printf("open                           %8.1f ms\n", milliseconds(clock));
  // Until every run shows its result: the longest single turn is what a user could feel.
  ui::RunListModel* list = window->runPanel()->model();
  double longest = 0;
  QElapsedTimer turn;
  clock.restart();
  while (!list->index(list->rowCount() - 1).data(ui::RunListModel::ReadRole).toBool()) {
    turn.start();
    QApplication::processEvents();
    longest = std::max(longest, milliseconds(turn));
  }
  std::printf("every result listed            %8.1f ms, longest turn %.1f ms\n",
              milliseconds(clock), longest);
  auto timed = [&](const char* what, auto&& action) {
    clock.restart();
    action();
    double worst = milliseconds(clock);
    const double whole = [&] {
      for (int i = 0; i < 3; ++i) {
        turn.start();
        QApplication::processEvents();
        worst = std::max(worst, milliseconds(turn));
      }
      return milliseconds(clock);
    }();
    std::printf("%-30s %8.1f ms, longest turn %.1f ms\n", what, whole, worst);
  };
  timed("show a run", [&] {
    window->runPanel()->select(list->idAt(runs / 2));
    window->showPage(ui::MainWindow::Run);
  });
  timed("filter", [&] { window->runPanel()->setFilterText("run-1"); });
  timed("no filter", [&] { window->runPanel()->setFilterText(""); });
  timed("group by setting", [&] { window->runPanel()->groupBy("setting"); });
  std::vector<engine::RunId> ids;
  for (int i = 0; i < list->rowCount(); ++i) ids.push_back(list->idAt(i));
  window->showPage(ui::MainWindow::Compare);
  timed("compare 8 runs", [&] { list->setChosen({ids.begin(), ids.begin() + std::min(8, runs)}); });
  timed("compare all runs", [&] { list->setChosen(ids); });
  timed("their curves", [&] { window->comparePage()->showView(ui::ComparePage::Curves); });
  timed("their scatter", [&] { window->comparePage()->showView(ui::ComparePage::Scatter); });
}

}  // namespace

int main(int argc, char** argv) {
  QApplication app(argc, argv);
  const auto number = [&](int at, int otherwise) {
    return argc > at ? std::stoi(argv[at]) : otherwise;
  };
  const int repeats = number(1, 7);
  Times opening{"open to the first picture"}, theme{"theme change with its picture"},
      page{"first visit of a page"}, closing{"close"};
  qsizetype widgets = 0;
  for (int i = 0; i < repeats; ++i) {
    test::Desk desk;
    QElapsedTimer clock;
    clock.start();
    auto window = desk.open();
    settle();
    opening.ms.push_back(milliseconds(clock));
    widgets = QApplication::allWidgets().size();
    for (ui::Scheme scheme : {ui::Scheme::dark, ui::Scheme::light}) {
      clock.restart();
      window->setScheme(scheme);
      settle();
      theme.ms.push_back(milliseconds(clock));
    }
    for (auto p : {ui::MainWindow::Run, ui::MainWindow::Compare, ui::MainWindow::Diagnose}) {
      clock.restart();
      window->showPage(p);
      settle();
      page.ms.push_back(milliseconds(clock));
    }
    clock.restart();
    window.reset();
    settle();
    closing.ms.push_back(milliseconds(clock));
  }
  std::printf("%lld widgets; milliseconds: first, median, largest\n", (long long)widgets);
  for (Times* t : {&opening, &theme, &page, &closing}) {
    const double first = t->ms.front();
    std::sort(t->ms.begin(), t->ms.end());
    std::printf("%-30s %8.1f %8.1f %8.1f\n", t->what, first, t->ms[t->ms.size() / 2], t->ms.back());
  }
  manyRuns(number(2, 500), number(3, 50), number(4, 1000));
}
