/// How long the window does not answer while 32 series of 10,000 points a second arrive and training
/// takes every core. Not a test; run it under a window system as
/// build/dev/bin/window_flood [seconds] [busy|real] [steps a second] [series].
/// `busy`: a thread a core that only computes; `real`: the engine fine-tunes beside the flood.

#include <QApplication>
#include <QComboBox>
#include <cstdio>
#include <string>
#include <thread>

#include "engine/run_store.h"
#include "tests/support/flood.h"
#include "tests/ui/desk.h"
#include "tests/ui/gap_monitor.h"
#include "ui/pages/run_page.h"
#include "ui/plots/curve_plot.h"
#include "ui/run_panel.h"
#ifdef EQUIPOISE_REAL_ENGINE
#include "engine/execute.h"
#endif

namespace {

engine::Execute besideTraining([[maybe_unused]] const engine::Execute& flood) {
#ifdef EQUIPOISE_REAL_ENGINE
  return [flood](const engine::RunRequest& request, const engine::Emit& tell,
                 const std::stop_token& stop) {
    const std::jthread beside([&](const std::stop_token& end) {
      try {
        flood(request, tell, end);
      } catch (const engine::Cancelled&) {
      }
    });
    return engine::execute(request, tell, stop);
  };
#else
  std::printf("this build has no engine with tensors\n");
  std::exit(2);
#endif
}

engine::Recipe recipe(bool real) {
  engine::Recipe out;
  out.name = "flood";
  if (!real) {
    out.stages.emplace_back().kind = "transfer";
    return out;
  }
  for (const auto& preset : engine::presets())
    if (preset.name == "ssd") out = preset.recipe;
  // The flood's series are those of a transfer; training brings the others.
  std::erase_if(out.stages, [](const auto& stage) { return stage.kind == "transfer"; });
  out.stages.front().epochs = 1000;
  return out;
}

void show(ui::MainWindow& window, const QString& series) {
  for (QComboBox* box : window.runPage()->findChildren<QComboBox*>()) {
    const int at = box->findText(series);
    if (at < 0) continue;
    box->setCurrentIndex(at);
    Q_EMIT box->activated(at);
  }
}

std::size_t shown(ui::MainWindow& window) {
  std::size_t points = 0;
  for (const QString& id : window.runPage()->lossPlot()->curves())
    points += window.runPage()->lossPlot()->points(id).size();
  return points;
}

void report(const test::GapMonitor& gaps, const char* what) {
  std::printf("%s: %zu turns; gap median %.1f, p99 %.1f, max %.1f ms; own computing p99 %.1f, max "
              "%.1f ms; a moment at random falls into a gap below %.1f ms in 99 %% of cases\n",
              what, gaps.count(), gaps.quantile(0.5), gaps.quantile(0.99), gaps.quantile(1),
              gaps.ownQuantile(0.99), gaps.ownQuantile(1), gaps.feltQuantile(0.99));
}

}  // namespace

int main(int argc, char** argv) {
  QApplication app(argc, argv);
  const auto text = [&](int at, const char* otherwise) {
    return std::string(argc > at ? argv[at] : otherwise);
  };
  const int seconds = std::stoi(text(1, "45"));
  const bool real = text(2, "busy") == "real";
  support::Flood what;
  what.steps_per_s = std::stod(text(3, "10000"));
  what.series = std::stoi(text(4, "32"));
  what.busy_threads = real ? 0 : int(std::thread::hardware_concurrency());
  const auto count = std::make_shared<support::FloodCount>();
  const auto flood = support::flood(what, count);

  test::Desk desk;
  auto window = desk.open(real ? besideTraining(flood) : flood);
  window->resize(1280, 800);
  const auto id = window->bridge()->submit(recipe(real));
  if (!id || !QTest::qWaitFor([&] { return window->bridge()->current().has_value(); }, 20'000))
    return 1;
  window->runPanel()->select(*id);
  window->showPage(ui::MainWindow::Run);
  show(*window, "transfer loss by layer");
  test::GapMonitor whole;
  whole.start();
  const double before = test::computed();
  QElapsedTimer clock;
  clock.start();
  for (int at = 0; at < seconds; at += 5) {
    test::GapMonitor part;
    part.start();
    const double computed = test::computed();
    QTest::qWait(5000);
    part.stop();
    std::printf("%3d s, %.2f million points sent, %.2f million in the plot, window computing %.0f %%\n  ",
                at + 5, double(count->steps) * what.series / 1e6, double(shown(*window)) / 1e6,
                20 * (test::computed() - computed));
    report(part, "these 5 s");
    std::fflush(stdout);
  }
  whole.stop();
  const double rate = double(count->steps) * what.series / (double(clock.elapsed()) / 1e3);
  std::printf("%.0f points a second, the slowest took %.1f ms to hand over; window computing %.0f %%\n",
              rate, double(count->slowest_emit_ns) / 1e6,
              100e3 * (test::computed() - before) / double(clock.elapsed()));
  report(whole, "all");
  window->bridge()->stop(*id);
  return QTest::qWaitFor([&] { return window->bridge()->idle(); }, 60'000) ? 0 : 1;
}
