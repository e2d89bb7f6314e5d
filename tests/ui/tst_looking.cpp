/// The Model, Data and Task pages by mouse and keyboard, on builtin:tiny and, where they are, on the
/// models, texts and tasks of ../shared. Pictures go to screenshots/ in the build folder.

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QDropEvent>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTabBar>
#include <QTest>
#include <QTreeWidget>
#include <filesystem>
#include <fstream>

#include "execute_for_test.h"
#include "pictures.h"
#include "tests/support/temp_dir.h"
#include "ui/forms/copy_table.h"
#include "ui/forms/job_line.h"
#include "ui/forms/source_field.h"
#include "ui/forms/token_view.h"
#include "ui/main_window.h"
#include "ui/models/inspect_tables.h"
#include "ui/pages/compose_page.h"
#include "ui/pages/data_page.h"
#include "ui/pages/model_page.h"
#include "ui/pages/task_page.h"
#include "ui/plots/batch_view.h"

namespace fs = std::filesystem;

namespace {

const QString k_shared = EQUIPOISE_SHARED_DIR;
const std::vector<ui::MainWindow::Page> k_looking = {ui::MainWindow::Compose, ui::MainWindow::Model, ui::MainWindow::Data, ui::MainWindow::Task};

/// Knows the answer; the window component prefers the first choice.
std::vector<engine::ComponentScores> scripted_scores(const engine::ScoreQuery& q, const engine::Watch&) {
  std::vector<engine::ComponentScores> out;
  for (const auto& name : q.components) {
    engine::ComponentScores s;
    s.component = name;
    s.best = s.best_norm = name == "swa" ? 0 : q.example.gold;
    s.right = s.best == q.example.gold;
    for (std::size_t i = 0; i < q.example.choices.size(); ++i)
      s.choices.push_back({std::int64_t(i) == s.best ? -1.25 : -3.5 - double(i), std::int64_t(i) == s.best});
    out.push_back(s);
  }
  return out;
}

struct Desk {
  support::TempDir folder;
  std::unique_ptr<ui::MainWindow> window;

  Desk() {
    fs::create_directories(folder / "runs");
    fs::create_directories(folder / "cache");
    engine::Paths paths{folder / "project.db", folder / "runs", folder / "log.txt", folder / "cache"};
    auto bridge = std::make_unique<ui::EngineBridge>(std::make_unique<engine::Session>(paths, test::execute()), paths.store);
    const QString settings = QString::fromStdString((folder / "settings.ini").string());
    window = std::make_unique<ui::MainWindow>(std::move(bridge), std::make_unique<QSettings>(settings, QSettings::IniFormat),
                                              ui::Looking{scripted_scores, folder / "cache"});
    window->resize(1280, 800);
    window->show();
  }
  void click(ui::MainWindow::Page page) {
    auto* tabs = window->findChild<QTabBar*>();
    QTest::mouseClick(tabs, Qt::LeftButton, {}, tabs->tabRect(page).center());
  }
};

void type(ui::SourceField* field, const QString& text) {
  QLineEdit* line = field->combo()->lineEdit();
  line->setFocus();
  line->selectAll();
  QTest::keyClicks(line, text);
  QTest::keyClick(line, Qt::Key_Return);
}

void clickRow(ui::CopyTable* table, int row) {
  const QRect box = table->visualRect(table->model()->index(row, 0));
  QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, box.center());
}

QPushButton* button(QWidget* page, const QString& text) {
  for (auto* b : page->findChildren<QPushButton*>())
    if (b->isVisible() && b->text().trimmed() == text) return b;
  return nullptr;
}

QString problem(QWidget* page) {
  for (auto* line : page->findChildren<ui::JobLine*>())
    if (line->failed()) return line->text();
  return {};
}

}  // namespace

class TestLooking : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void tables_are_sound_models() {
    const auto info = engine::inspect_model("builtin:tiny");
    ui::RowsModel rows;
    ui::RowsFilter filter(&rows);
    QAbstractItemModelTester inner(&rows, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QAbstractItemModelTester outer(&filter, QAbstractItemModelTester::FailureReportingMode::QtTest);
    rows.setColumns(ui::tensorColumns());
    rows.setRows(ui::tensorRows(info));
    QCOMPARE(rows.rowCount(), int(info.tensors.size()));
    rows.addRows(ui::tensorRows(info), false);
    QCOMPARE(rows.rowCount(), 2 * int(info.tensors.size()));
    filter.setWords("layers.1 q_proj");
    QCOMPARE(filter.rowCount(), 2);
    rows.setColumns(ui::layerColumns());
    rows.setRows(ui::layerRows(info));
    QCOMPARE(filter.rowCount(), 0);
    filter.setWords("");
    QCOMPARE(filter.rowCount(), int(info.layers));
    rows.setColumns(ui::specialTokenColumns());
    rows.setRows(ui::specialTokenRows(info.tokenizer_info));
    QCOMPARE(rows.rowCount(), int(info.tokenizer_info.special.size()));
  }

  void more_rows_are_asked_for_once() {
    ui::RowsModel rows;
    QSignalSpy more(&rows, &ui::RowsModel::moreWanted);
    rows.setColumns({{"n", true}});
    rows.setRows({{{"1"}}}, true);
    for (int i = 0; i < 2; ++i)
      if (rows.canFetchMore({})) rows.fetchMore({});
    QCOMPARE(more.size(), 1);
    rows.addRows({{{"2"}}}, true);
    QVERIFY(rows.canFetchMore({}));
    rows.addRows({}, false);
    QVERIFY(!rows.canFetchMore({}));
    QCOMPARE(rows.rowCount(), 2);
  }

  void sizes_sort_by_number_not_by_text() {
    ui::RowsModel rows;
    ui::CopyTable table(&rows, "t");
    rows.setColumns({{"n", true}});
    rows.setRows({{{"10 KiB", 10240}}, {{"9 B", 9}}, {{"2 MiB", 2 << 20}}});
    table.sortByColumn(0, Qt::AscendingOrder);
    QCOMPARE(table.model()->index(0, 0).data().toString(), "9 B");
    QCOMPARE(table.model()->index(2, 0).data().toString(), "2 MiB");
  }

  void white_space_and_stray_bytes_are_visible() {
    QCOMPARE(ui::visibleText(" a\n\tb"), QString::fromUtf8("·a↵→b"));
    QCOMPARE(ui::visibleText("\xE2\x82"), "\\xE2\\x82");
    QCOMPARE(ui::visibleText("\xE2\x82\xAC"), QString::fromUtf8("€"));
    QCOMPARE(ui::visibleText("\xF0\x9F\x99\x82"), QString::fromUtf8("\xF0\x9F\x99\x82"));
    QCOMPARE(ui::visibleText(std::string("\0", 1)), "\\x00");
  }

  void chips_wrap_and_none_is_cut_off() {
    ui::TokenView view("tokens");
    view.resize(200, 120);
    view.show();
    std::vector<engine::TokenPiece> tokens;
    for (int i = 0; i < 500; ++i) tokens.push_back({i, "word", "word", 0, 0, false});
    tokens.push_back({500, std::string(400, 'x'), std::string(400, 'x'), 0, 0, false});
    view.setTokens(tokens, {0, 250});
    for (int i = 0; i < 501; ++i) {
      QVERIFY(view.tokenRect(i).left() >= 0);
      QVERIFY2(view.tokenRect(i).right() < view.viewport()->width(), qPrintable(QString::number(i)));
    }
    QVERIFY(view.verticalScrollBar()->maximum() > 0);
    view.select(500);
    QVERIFY(view.viewport()->rect().intersects(view.tokenRect(500)));
    QTest::keyClick(&view, Qt::Key_Home);
    QCOMPARE(view.selected(), 0);
    QTest::keyClick(&view, Qt::Key_Right);
    QCOMPARE(view.selected(), 1);
    QVERIFY(view.selectionText().contains("id 1"));
  }

  void the_newest_job_answers_and_a_stopped_one_is_silent() {
    ui::Background job;
    QSignalSpy cancelled(&job, &ui::Background::cancelled), failed(&job, &ui::Background::failed);
    int answer = 0;
    auto slow = [](const engine::Watch& watch) -> int {
      while (!watch.stop.stop_requested()) std::this_thread::yield();
      throw engine::Cancelled{};
    };
    job.start("slow", slow, [&](int) { answer = -1; });
    job.start("quick", [](const engine::Watch&) { return 7; }, [&](int v) { answer = v; });
    QTRY_COMPARE(answer, 7);
    QVERIFY(cancelled.isEmpty());
    job.start("slow", slow, [&](int) { answer = -1; });
    job.cancel();
    QTRY_COMPARE(cancelled.size(), 1);
    QCOMPARE(answer, 7);
    job.start("bad", [](const engine::Watch&) -> int { throw engine::InputError("no"); }, [&](int) { answer = -1; });
    QTRY_COMPARE(failed.size(), 1);
    QCOMPARE(failed.front().front().toString(), "no");
  }

  void a_model_is_looked_at_by_mouse() {
    Desk desk;
    desk.click(ui::MainWindow::Model);
    ui::ModelPage* page = desk.window->modelPage();
    QTRY_VERIFY(page->info() && !page->busy());
    QCOMPARE(page->tensors()->model()->rowCount(), int(page->info()->tensors.size()));
    QTRY_VERIFY(page->tokens()->tokens().size() > 3);
    auto* text = page->findChild<QPlainTextEdit*>("text to tokenize");
    QTest::mouseClick(text->viewport(), Qt::LeftButton);
    QTest::keyClick(text, Qt::Key_A, Qt::ControlModifier);
    QTest::keyClicks(text, "the cat");
    QTRY_COMPARE(page->tokens()->tokens().size(), std::size_t(3));
    QTest::mouseClick(page->tokens()->viewport(), Qt::LeftButton, {}, page->tokens()->tokenRect(2).center());
    QCOMPARE(page->tokens()->selected(), 2);
    QCOMPARE(text->textCursor().selectedText(), "cat");
    QTest::mouseClick(button(page, "Layers"), Qt::LeftButton);
    clickRow(page->tensors(), 0);
    QTest::mouseClick(button(page, "Tensors"), Qt::LeftButton);
    clickRow(page->tensors(), 1);
    QTest::keyClick(page->tensors(), Qt::Key_C, Qt::ControlModifier);
    QVERIFY(QApplication::clipboard()->text().startsWith(QString::fromStdString(page->info()->tensors[1].name)));
    QTest::mouseClick(button(page, "Use in Compose"), Qt::LeftButton);
    QCOMPARE(desk.window->page(), ui::MainWindow::Compose);
  }

  void a_folder_that_is_none_is_told_and_another_one_read() {
    Desk desk;
    desk.click(ui::MainWindow::Model);
    ui::ModelPage* page = desk.window->modelPage();
    QTRY_VERIFY(page->info() && !page->busy());
    type(page->source(), "/nowhere/at/all");
    QTRY_VERIFY(problem(page).contains("/nowhere/at/all"));
    QCOMPARE(page->info()->source, std::string("builtin:tiny"));
    QMimeData mime;
    mime.setUrls({QUrl::fromLocalFile(QString::fromStdString(page->info()->folder))});
    QDragEnterEvent enter(QPoint(5, 5), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(page->source(), &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent drop(QPointF(5, 5), Qt::CopyAction, &mime, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(page->source(), &drop);
    QTRY_COMPARE(page->info()->source, page->info()->folder);
    QVERIFY(problem(page).isEmpty());
    QVERIFY(page->source()->combo()->findText(QString::fromStdString(page->info()->folder)) > 0);
  }

  void a_folder_that_does_not_load_shows_its_report() {
    Desk desk;
    const fs::path bad = desk.folder / "bad";
    fs::copy(engine::inspect_model("builtin:tiny").folder, bad);
    std::ifstream in(bad / "config.json");
    std::string config((std::istreambuf_iterator<char>(in)), {});
    in.close();
    config.replace(config.find("\"num_hidden_layers\": 2"), 22, "\"num_hidden_layers\": 3");
    std::ofstream(bad / "config.json") << config;
    desk.window->lookAt(ui::MainWindow::Model, QString::fromStdString(bad.string()));
    ui::ModelPage* page = desk.window->modelPage();
    QTRY_VERIFY(page->info() && !page->info()->loads());
    auto tables = page->findChildren<ui::CopyTable*>();
    const auto report = std::find_if(tables.begin(), tables.end(), [](auto* t) { return t->accessibleName() == "Load report"; });
    QVERIFY(report != tables.end() && (*report)->isVisible());
    QCOMPARE((*report)->model()->rowCount(), 9);
    QVERIFY(!button(page, "Use in Compose")->isEnabled());
  }

  void text_is_looked_at_by_mouse() {
    Desk desk;
    desk.click(ui::MainWindow::Data);
    ui::DataPage* page = desk.window->dataPage();
    QTRY_COMPARE(page->shown().size(), std::size_t(200));
    clickRow(page->table(), 3);
    QCOMPARE(page->table()->currentRow(), 3);
    QTest::mouseClick(button(page, "Packed batch"), Qt::LeftButton);
    QTRY_COMPARE(page->batch()->batch().rows.size(), std::size_t(8));
    QTest::mouseClick(page->batch(), Qt::LeftButton, {}, page->batch()->rowRect(2).center());
    QCOMPARE(page->batch()->row(), 2);
    QVERIFY(page->rowTokens()->selected() > 10);
    QTest::keyClick(page->batch(), Qt::Key_Down);
    QCOMPARE(page->batch()->row(), 3);
  }

  void packed_rows_show_their_documents() {
    Desk desk;
    {
      std::ofstream out(desk.folder / "a.jsonl");
      for (int i = 0; i < 60; ++i) out << "{\"body\": \"the cat the cat the cat " << i << "\"}\n";
    }
    desk.click(ui::MainWindow::Data);
    ui::DataPage* page = desk.window->dataPage();
    QTRY_VERIFY(!page->busy());
    type(page->source(), QString::fromStdString((desk.folder / "a.jsonl").string()));
    QTRY_VERIFY(problem(page).contains("body"));  // the field is named
    auto* field = page->findChild<QLineEdit*>("text field");
    QTest::mouseClick(field, Qt::LeftButton);
    field->selectAll();
    QTest::keyClicks(field, "body");
    QTest::keyClick(field, Qt::Key_Return);
    QTRY_COMPARE(page->shown().size(), std::size_t(60));
    QVERIFY(problem(page).isEmpty());
    auto* packing = page->findChild<QComboBox*>("packing");
    packing->setCurrentText("packed");
    auto* length = page->findChild<QSpinBox*>("row length");
    length->setValue(24);
    QTest::mouseClick(button(page, "Packed batch"), Qt::LeftButton);
    QTRY_VERIFY(!page->batch()->batch().rows.empty() && page->batch()->batch().length == 24);
    QVERIFY(page->batch()->documents(0) >= 2);
  }

  void an_example_is_scored_by_mouse() {
    Desk desk;
    desk.click(ui::MainWindow::Task);
    ui::TaskPage* page = desk.window->taskPage();
    QTRY_VERIFY(page->examples()->model()->rowCount() > 5);
    QTRY_VERIFY(!page->busy());
    clickRow(page->examples(), 2);
    const auto& example = page->shown().examples[2].choices[std::size_t(page->shown().examples[2].gold)];
    QCOMPARE(page->promptShown(), QString::fromStdString(example.context + example.continuation));
    const int columns = page->choices()->model()->columnCount();
    auto* score = page->findChild<QPushButton*>("score");
    QVERIFY2(score->isEnabled(), qPrintable(score->toolTip()));
    QTest::mouseClick(score, Qt::LeftButton);
    QTRY_COMPARE(page->choices()->model()->columnCount(), columns + 2);  // teacher and swa; no acc_norm here
    bool best = false;
    for (int r = 0; r < page->choices()->model()->rowCount(); ++r)
      best = best || page->choices()->model()->index(r, columns).data().toString().contains(QString::fromUtf8("▸ -1.2500"));
    QVERIFY(best);
    page->setScoringBlocked("A run is training");
    QVERIFY(!score->isEnabled());
    QCOMPARE(score->toolTip(), "A run is training");
  }

  void a_task_without_its_data_says_what_to_do() {
    Desk desk;
    desk.click(ui::MainWindow::Task);
    ui::TaskPage* page = desk.window->taskPage();
    QTRY_VERIFY(page->examples()->model()->rowCount() > 5);
    page->chooseTask("piqa");
    QTRY_VERIFY(!problem(page).isEmpty());
    QVERIFY(button(page, QString::fromUtf8("Choose a data folder…")));
  }

  void real_models_texts_and_tasks_are_shown() {
    if (!fs::exists(k_shared.toStdString())) QSKIP("../shared is not here");
    Desk desk;
    const QString model = k_shared + "/data/models/stories260K";
    desk.window->lookAt(ui::MainWindow::Model, model);
    QTRY_VERIFY(desk.window->modelPage()->info() && !desk.window->modelPage()->busy());
    QVERIFY(desk.window->modelPage()->info()->loads());
    ui::DataPage* data = desk.window->dataPage();
    desk.window->showPage(ui::MainWindow::Data);
    data->tokenizer()->choose(model);
    data->open(k_shared + "/data/text/tinystories");
    QTRY_VERIFY_WITH_TIMEOUT(!data->busy() && !data->shown().empty() && data->shown().front().tokens > 0, 20000);
    data->findChild<QComboBox*>("packing")->setCurrentText("packed");
    data->showView(ui::DataPage::Batch);
    QTRY_VERIFY_WITH_TIMEOUT(!data->busy() && !data->batch()->batch().rows.empty(), 30000);
    ui::TaskPage* task = desk.window->taskPage();
    desk.window->showPage(ui::MainWindow::Task);
    task->data()->choose(k_shared + "/data/tasks");
    task->model()->choose(model);
    task->chooseTask("hellaswag");
    QTRY_VERIFY_WITH_TIMEOUT(!task->busy() && task->choices()->model()->rowCount() == 4, 20000);
    QTest::mouseClick(task->findChild<QPushButton*>("score"), Qt::LeftButton);
    QTRY_VERIFY(task->choices()->model()->columnCount() == 7);  // with per-character columns
    QVERIFY(desk.window->saveScreenshots(test::pictures(), "-real", k_looking));
    desk.window->setZoom(1.5);
    QVERIFY(desk.window->saveScreenshots(test::pictures(), "-text150", k_looking));
    desk.window->setZoom(1);
  }
};

QTEST_MAIN(TestLooking)
#include "tst_looking.moc"
