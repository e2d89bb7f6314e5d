/// A window opened, a run started, the window closed while it trains, again and again on one store,
/// by each of the three choices in turn. EQUIPOISE_CYCLES says how often; made for sanitizers.

#include <QAbstractButton>
#include <QMessageBox>

#include "desk.h"
#include "engine/run_store.h"
#include "ui/run_panel.h"

namespace {

constexpr int k_wait_ms = 240'000;  ///< sanitizers are slow
enum Choice { keep, stop, cancel };

/// Ends by itself where it is to be waited for, else not within the test.
engine::Recipe recipe(Choice choice) {
  engine::Recipe out;
  out.name = "cycle";
  out.data.sequence_length = 64;
  out.attention.window = 16;
  engine::StageSpec stage;
  stage.batch_size = 2;
  stage.accumulation = 1;
  const std::int64_t step = out.data.sequence_length * stage.batch_size;
  stage.kind = "transfer";
  stage.tokens_per_epoch = step;
  out.stages.push_back(stage);
  stage.kind = "finetune";
  stage.tokens_per_epoch = step * (choice == keep ? 40 : 2000);
  out.stages.push_back(stage);
  out.evaluation.components = {"hybrid", "swa"};
  out.evaluation.limit = 2;
  out.evaluation.every = 0;
  return out;
}

void press(ui::MainWindow& window, const QString& beginning) {
  const auto question = [&]() -> QMessageBox* {
    for (auto* box : window.findChildren<QMessageBox*>("closing question"))
      if (box->isVisible()) return box;
    return nullptr;
  };
  QTRY_VERIFY(question());
  for (QAbstractButton* button : question()->buttons())
    if (button->text().startsWith(beginning)) return button->click();
  QFAIL(qPrintable("no button " + beginning));
}

}  // namespace

class TestCycles : public QObject {
  Q_OBJECT

  test::Desk desk_;

 private Q_SLOTS:
  void closed_while_a_run_trains_data() {
    QTest::addColumn<int>("choice");
    const int cycles = std::max(3, qEnvironmentVariableIntValue("EQUIPOISE_CYCLES"));
    const char* const words[] = {"keep training", "stop", "cancel, then stop"};
    for (int i = 0; i < cycles; ++i)
      QTest::addRow("%d %s", i + 1, words[i % 3]) << i % 3;
  }
  void closed_while_a_run_trains() {
    QFETCH(int, choice);
    auto window = desk_.open();
    const auto id = window->bridge()->submit(recipe(Choice(choice)));
    QVERIFY(id);
    window->runPanel()->select(*id);
    window->showPage(ui::MainWindow::Run);
    QTRY_VERIFY_WITH_TIMEOUT(window->bridge()->data(*id)->info.steps > 0, k_wait_ms);
    QVERIFY(window->bridge()->current() == *id);
    window->close();
    QVERIFY(window->isVisible());
    if (choice == cancel) {
      press(*window, "Cancel");
      QVERIFY(window->isVisible());
      QVERIFY(window->bridge()->current() == *id);
      window->close();
    }
    press(*window, choice == keep ? "Keep" : "Stop");
    QTRY_VERIFY_WITH_TIMEOUT(!window->isVisible(), k_wait_ms);
    window.reset();
    const engine::RunReader reader(desk_.paths.store);
    const auto info = reader.run(*id);
    QVERIFY(info && info->steps > 0);
    QCOMPARE(int(info->state),
             int(choice == keep ? engine::RunState::done : engine::RunState::cancelled));
    QCOMPARE(reader.integrity(), std::string("ok"));
  }
};

QTEST_MAIN(TestCycles)
#include "tst_cycles.moc"
