/// The list of runs and what stays of it: stars, the archive, sweeps, the queue over an end of the program; and the curves of
/// several runs: a second plot, smoothing, ranges.

#include <qcustomplot.h>

#include <QLabel>

#include "desk.h"
#include "pictures.h"
#include "ui/pages/compare_page.h"
#include "ui/plots/curve_plot.h"
#include "ui/run_panel.h"

using test::Desk;
using test::finishedRun;
using test::shortRecipe;

namespace {

QCustomPlot* plotOf(ui::CurvePlot* plot) { return plot->findChild<QCustomPlot*>(); }

/// The fixed corner with the values at the crosshair.
bool readsOut(ui::CurvePlot* plot) {
  for (QLabel* label : plot->findChildren<QLabel*>())
    if (label->isVisible() && label->text().contains("step")) return true;
  return false;
}

}  // namespace

class TestRunList : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void a_second_plot_shares_the_axis_and_the_crosshair() {
    Desk desk;
    auto window = desk.open();
    const auto a = finishedRun(*window, shortRecipe("a")), b = finishedRun(*window, shortRecipe("b"));
    window->runPanel()->model()->setChosen({a, b});
    window->showPage(ui::MainWindow::Compare);
    ui::ComparePage* page = window->comparePage();
    page->showCurvesOf("hybrid");
    QVERIFY(!page->curvesBeneath()->isVisible());
    page->showBeneath("training loss");
    QVERIFY(page->curvesBeneath()->isVisible());
    QCOMPARE(page->curvesBeneath()->curves().size(), 2);
    QCOMPARE(page->curves()->rangeX(), page->curvesBeneath()->rangeX());
    for (auto [from, to] : {std::pair(page->curves(), page->curvesBeneath()), std::pair(page->curvesBeneath(), page->curves())}) {
      QTest::keyClick(plotOf(from), Qt::Key_Right);
      QVERIFY(readsOut(from) && readsOut(to));
      plotOf(from)->xAxis->setRange(1, 3);
      QCOMPARE(to->rangeX(), std::pair(1.0, 3.0));
      to->fit();
      QCOMPARE(from->rangeX(), to->rangeX());
    }
    QVERIFY(window->saveScreenshots(test::pictures(), "-beneath", {ui::MainWindow::Compare}));
    page->showBeneath({});
    QVERIFY(!page->curvesBeneath()->isVisible());
  }
};

QTEST_MAIN(TestRunList)
#include "tst_run_list.moc"
