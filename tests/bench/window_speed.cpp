/// How long the window takes until it can be used, and to change its theme: medians of `repeats`
/// openings in one process. Not a test; run it as build/dev/bin/window_speed [repeats].

#include <QApplication>
#include <QElapsedTimer>
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/ui/desk.h"

namespace {

struct Times {
  const char* what;
  std::vector<double> ms = {};
};

double milliseconds(QElapsedTimer& clock) { return double(clock.nsecsElapsed()) / 1e6; }

void settle() {
  for (int i = 0; i < 3; ++i) QApplication::processEvents();
}

}  // namespace

int main(int argc, char** argv) {
  QApplication app(argc, argv);
  const int repeats = argc > 1 ? std::stoi(argv[1]) : 7;
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
    std::printf("%-30s %8.1f %8.1f %8.1f\n", t->what, first, t->ms[t->ms.size() / 2],
                t->ms.back());
  }
}
