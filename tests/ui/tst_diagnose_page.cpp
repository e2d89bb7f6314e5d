/// The Diagnose page by mouse and keyboard, with the real engine on the embedded model. Pictures of every view, light and
/// dark, go to screenshots/ in the build folder.

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QElapsedTimer>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSettings>
#include <QSpinBox>
#include <QTabBar>
#include <QTest>
#include <QTimer>
#include <algorithm>
#include <filesystem>

#include "engine/diagnose.h"
#include "engine/session.h"
#include "execute_for_test.h"
#include "pictures.h"
#include "tests/support/temp_dir.h"
#include "ui/forms/copy_table.h"
#include "ui/main_window.h"
#include "ui/pages/diagnose_page.h"
#include "ui/pages/diagnose_tile.h"
#include "ui/pages/diagnose_beside.h"
#include "ui/pages/diagnose_views.h"
#include "ui/pages/diagnose_what_if.h"
#include "ui/plots/matrix_view.h"

namespace fs = std::filesystem;
using ui::DiagnosePage;

namespace {

struct Desk {
  support::TempDir folder;
  std::unique_ptr<ui::MainWindow> window;
  int measured = 0;

  Desk() {
    fs::create_directories(folder / "runs");
    fs::create_directories(folder / "cache");
    engine::Paths paths{folder / "project.db", folder / "runs", folder / "log.txt", folder / "cache"};
    auto bridge = std::make_unique<ui::EngineBridge>(std::make_unique<engine::Session>(paths, test::execute()), paths.store);
    ui::Looking looking;
    looking.cache = folder / "cache";
    looking.diagnose = [this](const engine::Subject& s, const engine::DiagnoseOptions& o, const engine::Watch& w) {
      ++measured;
      engine::DiagnoseOptions few = o;
      few.probe_sequences = 4, few.max_distance = 64, few.rows = 2, few.generated = 12;
      return engine::diagnose(s, few, w);
    };
    const QString settings = QString::fromStdString((folder / "settings.ini").string());
    window = std::make_unique<ui::MainWindow>(std::move(bridge), std::make_unique<QSettings>(settings, QSettings::IniFormat), std::move(looking));
    window->resize(1280, 800);
    window->show();
    auto* tabs = window->findChild<QTabBar*>();
    QTest::mouseClick(tabs, Qt::LeftButton, {}, tabs->tabRect(ui::MainWindow::Diagnose).center());
  }
  DiagnosePage* page() { return window->diagnosePage(); }
  QPushButton* button(const QString& text) {
    for (auto* b : page()->findChildren<QPushButton*>())
      if (b->text().trimmed() == text && b->isVisible() && b->isEnabled()) return b;
    return nullptr;
  }
  void measure(int documents = 4) {
    page()->documents()->setValue(documents);
    QTRY_VERIFY(!page()->busy());
    QVERIFY(button("Diagnose"));
    QTest::mouseClick(button("Diagnose"), Qt::LeftButton);
    QTRY_VERIFY_WITH_TIMEOUT(page()->shown() && !page()->busy(), 240000);
  }
};

}  // namespace

class TestDiagnosePage : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { ui::applyTheme(ui::Scheme::light); }

  void a_model_is_diagnosed_kept_and_shown_again() {
    Desk desk;
    QVector<qint64> gaps;
    QElapsedTimer clock;
    QTimer beat;
    connect(&beat, &QTimer::timeout, this, [&] { gaps.append(clock.restart()); });
    clock.start();
    beat.start(5);
    desk.measure();
    beat.stop();
    std::sort(gaps.begin(), gaps.end());
    qInfo("event loop while measuring: %d beats, p99 gap %lld ms, largest %lld ms", int(gaps.size()), gaps[gaps.size() * 99 / 100], gaps.back());
    DiagnosePage* page = desk.page();
    QVERIFY(page->verdictText().contains("."));
    QVERIFY(page->tile(DiagnosePage::Exposure)->figure().endsWith("%"));
    QCOMPARE(desk.measured, 1);
    // Looked at again, nothing is measured.
    page->documents()->setValue(5);
    QTRY_VERIFY(!page->shown() && !page->busy());
    page->documents()->setValue(4);
    QTRY_VERIFY(page->shown().has_value());
    QCOMPARE(desk.measured, 1);
    for (const char* suffix : {"html", "pdf", "csv", "json", "png"}) {
      const fs::path file = desk.folder / (std::string("out.") + suffix);
      QVERIFY(page->exportTo(QString::fromStdString(file.string())));
      QVERIFY(fs::file_size(file) > 500);
    }
    QVERIFY(!page->exportTo("/nowhere/at/all.html"));
  }

  void every_view_opens_from_its_tile_and_is_pictured() {
    Desk desk;
    desk.measure();
    DiagnosePage* page = desk.page();
    for (auto* table : page->findChildren<ui::CopyTable*>()) new QAbstractItemModelTester(table->rows(), QAbstractItemModelTester::FailureReportingMode::QtTest, table);
    const QStringList names{"exposure", "distance", "length", "layers", "knockout", "maps", "features", "whatif", "examples", "beside"};
    const QString folder = test::pictures();
    page->whatIf()->weight()->setValue(1.0);
    QTRY_VERIFY_WITH_TIMEOUT(!page->busy() && page->whatIf()->tried(), 60000);
    QTest::mouseClick(page->beside()->add(), Qt::LeftButton);
    QTRY_VERIFY(!page->busy());
    for (auto scheme : {ui::Scheme::light, ui::Scheme::dark}) {
      desk.window->setScheme(scheme);
      for (int v = DiagnosePage::Exposure; v <= DiagnosePage::Beside; ++v) {
        QTest::mouseClick(page->tile(DiagnosePage::View(v)), Qt::LeftButton);
        QCOMPARE(page->view(), DiagnosePage::View(v));
        QTest::qWait(80);
        QVERIFY(desk.window->grab().save(QString("%1/diagnose-%2-%3.png").arg(folder, names[v], scheme == ui::Scheme::light ? "light" : "dark")));
      }
    }
    desk.window->setScheme(ui::Scheme::light);
  }

  void maps_follow_layer_head_and_prompt() {
    Desk desk;
    desk.measure();
    DiagnosePage* page = desk.page();
    QTest::mouseClick(page->tile(DiagnosePage::Maps), Qt::LeftButton);
    page->maps()->head()->setValue(2);
    QTRY_VERIFY_WITH_TIMEOUT(!page->busy() && page->shown()->maps->head == 2, 60000);
    auto* prompt = page->maps()->prompt();
    QTest::mouseClick(prompt, Qt::LeftButton);
    QTest::keyClicks(prompt, "the cat the cat the cat");
    QTest::keyClick(prompt, Qt::Key_Return);
    QTRY_VERIFY_WITH_TIMEOUT(!page->busy() && page->shown()->maps->tokens < 12, 60000);
    auto* view = page->maps()->view(0);
    const int last = view->matrix().rows - 1;
    QTest::mouseClick(view, Qt::LeftButton, {}, view->cellRect(last, 0).center());
    QTest::keyClick(view, Qt::Key_Right);
    bool told = false;
    for (auto* label : page->maps()->findChildren<QLabel*>()) told = told || (label->text().contains("entropy") && label->text().contains("query"));
    QVERIFY(told);
  }

  void what_if_is_evaluated_beside_the_stored_setting() {
    Desk desk;
    desk.measure(24);  // as many as the page asks for by itself
    DiagnosePage* page = desk.page();
    QTest::mouseClick(page->tile(DiagnosePage::WhatIf), Qt::LeftButton);
    const int before = page->whatIf()->table()->rows()->rowCount();
    page->whatIf()->weight()->setValue(1.0);
    QTRY_VERIFY_WITH_TIMEOUT(!page->busy() && page->whatIf()->tried(), 60000);
    QCOMPARE(page->whatIf()->tried()->setting.weight, 1.0);
    QCOMPARE(page->whatIf()->table()->rows()->rowCount(), before + 1);
    QElapsedTimer clock;
    QVector<qint64> waits;
    for (double g : {0.9, 0.7, 0.5, 0.3, 0.1}) {
      clock.start();
      page->whatIf()->weight()->setValue(g);
      QTRY_VERIFY_WITH_TIMEOUT(!page->busy() && page->whatIf()->tried()->setting.weight == g, 60000);
      waits.append(clock.elapsed());
    }
    std::sort(waits.begin(), waits.end());
    qInfo("what if, all tasks: median %lld ms from the change to the answer, slowest %lld ms", waits[2], waits.back());
  }

  void a_subject_that_cannot_be_measured_says_why() {
    Desk desk;
    for (auto* t : desk.page()->findChildren<QLineEdit*>())
      if (t->accessibleName() == "Tasks") {
        t->setText("builtin:nonsense");
        QTest::keyClick(t, Qt::Key_Return);
      }
    QTRY_VERIFY(!desk.page()->busy());
    desk.page()->start();
    QTRY_VERIFY_WITH_TIMEOUT(!desk.page()->busy(), 60000);
    bool told = false;
    for (auto* label : desk.page()->findChildren<QLabel*>()) told = told || (label->isVisible() && label->text().contains("builtin:nonsense"));
    QVERIFY(told);
    QVERIFY(!desk.page()->shown());
    desk.page()->setBlocked("A run is training");
    for (auto* b : desk.page()->findChildren<QPushButton*>())
      if (b->toolTip() == "A run is training") QVERIFY(!b->isEnabled());
  }
};

QTEST_MAIN(TestDiagnosePage)
#include "tst_diagnose_page.moc"
