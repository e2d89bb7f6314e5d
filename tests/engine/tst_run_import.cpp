#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QtTest>
#include <bit>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>

#include "engine/recipe.h"
#include "engine/run_store.h"
#include "engine/run_store_schema.h"
#include "engine/sqlite.h"
#include "tests/support/temp_dir.h"

using namespace engine;
using support::TempDir;
namespace fs = std::filesystem;

namespace {

/// Writing calls of SQLite fail from the n-th on, as on a full disk, or kill the process there.
struct Disk {
  static inline int calls_left = -1;  // -1: all succeed
  static inline bool kills = false;

  static bool full() {
    if (calls_left < 0) return false;
    if (calls_left > 0) return --calls_left, false;
    if (kills) ::kill(::getpid(), SIGKILL);
    errno = ENOSPC;
    return true;
  }
  static ssize_t pwrite_call(int fd, const void* data, std::size_t size, off_t at) {
    return full() ? -1 : ::pwrite(fd, data, size, at);
  }
  static int fsync_call(int fd) { return full() ? -1 : ::fsync(fd); }

  Disk(int calls, bool kill) {
    auto* vfs = sqlite3_vfs_find(nullptr);
    vfs->xSetSystemCall(vfs, "pwrite", reinterpret_cast<sqlite3_syscall_ptr>(&pwrite_call));
    vfs->xSetSystemCall(vfs, "pwrite64", reinterpret_cast<sqlite3_syscall_ptr>(&pwrite_call));
    vfs->xSetSystemCall(vfs, "fsync", reinterpret_cast<sqlite3_syscall_ptr>(&fsync_call));
    calls_left = calls;
    kills = kill;
  }
  ~Disk() {
    calls_left = -1;
    auto* vfs = sqlite3_vfs_find(nullptr);
    vfs->xSetSystemCall(vfs, nullptr, nullptr);
  }
};

fs::path runs_of(const fs::path& store) { return store.string() + ".runs"; }

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A checkpoint as train/checkpoint.cpp leaves it: files and a manifest with their sizes.
void make_checkpoint(const fs::path& folder, const std::string& content) {
  write(folder / "trained.safetensors", content);
  write(folder / "state.json", "{}");
  write(folder / "manifest.json", R"({"format":1,"files":{"trained.safetensors":{"bytes":)" +
                                      std::to_string(content.size()) +
                                      R"(,"xxh3":"0"},"state.json":{"bytes":2,"xxh3":"0"}}})");
}

void append(RunWriter& writer, RunId run, std::vector<EventBody> bodies) {
  std::vector<Event> events;
  for (auto& body : bodies) events.push_back({run, 0, std::move(body)});
  writer.append(events);
}

RunInfo info_of(const std::string& name, std::int64_t created) {
  RunInfo info;
  info.name = name;
  info.recipe = to_resolved_yaml(presets()[0].recipe);
  info.hash = "hash of " + name;
  info.seed = 3;
  info.host = "node7";
  info.version = "1";
  info.created_ms = created;
  return info;
}

/// A run with two attempts, every kind of event, odd doubles and one checkpoint.
RunId make_run(RunWriter& writer, const fs::path& store, const std::string& name,
               std::int64_t created) {
  const RunId run = writer.create(info_of(name, created));
  const fs::path checkpoint = runs_of(store) / std::to_string(run) / "step-2";
  const double nan = std::bit_cast<double>(std::uint64_t{0x7FF8DEADBEEF0001});
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (attempt > 0) writer.begin_attempt(run, 1);
    append(writer, run,
           {RunQueued{name}, RunStarted{"cpu", "float32"},
            StageStarted{0, 1, "finetune", "t", 0, 20, 5},
            Points{1, {{"train/loss", 2.5 + attempt}, {name + "/own", nan}}},
            Points{2, {{"train/loss", -0.0}}},
            Evaluated{2,
                      64,
                      1.25,
                      {{"hybrid", "recall", "acc", 0.75, 0.01, 4, {1, 0, 1, 1}},
                       {"swa", "recall", "acc", nan, 1, 4, {}}}},
            CheckpointSaved{2, 0, checkpoint.string(), "step", 12},
            LogLine{LogLine::Level::warning, "a word"}, RunEnded{RunState::done, "good", 3.5}});
  }
  make_checkpoint(checkpoint, "weights of " + name);
  return run;
}

/// Everything that a store says about a run, but for numbers that change with the store.
std::string all_of(const RunReader& reader, RunId run) {
  const RunInfo i = reader.run(run).value();
  std::string text = i.name + to_string(i.state) + i.message + i.recipe + i.hash + i.device +
                     i.dtype + i.host + i.version + i.tags + i.notes;
  auto number = [&](auto v) { text += " " + std::to_string(std::bit_cast<std::int64_t>(v)); };
  for (std::int64_t v : {i.seed, i.created_ms, i.started_ms, i.ended_ms, i.steps, i.total_steps,
                         i.attempt, i.last_seq})
    number(v);
  number(i.seconds);
  for (const auto& series : {reader.series(run), reader.superseded(run)})
    for (const auto& [name, points] : series) {
      text += name;
      for (const auto& p : points) number(p.step), number(p.value);
    }
  for (const auto& e : reader.evaluations(run)) {
    text += e.component + e.task + e.metric;
    number(e.value), number(e.stderr_), number(e.n), number(e.step), number(e.window);
    for (auto o : reader.outcomes(run, e.step, e.component, e.task)) number(std::int64_t{o});
  }
  for (const auto& c : reader.checkpoints(run))
    text += fs::path(c.path).filename().string() + c.kind + (c.live ? "live" : "");
  for (const auto& event : reader.events_after(run, 0))
    text += "#" + std::to_string(event.seq) + std::to_string(event.body.index());
  return text;
}

QString error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const StoreError& e) {
    return QString::fromStdString(e.what());
  }
  return {};
}

/// What the store and its folder hold, to show that a refused import changes neither.
QStringList contents(const fs::path& store) {
  QStringList list;
  const RunReader reader(store);
  for (const auto& run : reader.runs()) list << QString::fromStdString(all_of(reader, run.id));
  if (fs::exists(runs_of(store)))
    for (const auto& entry : fs::recursive_directory_iterator(runs_of(store)))
      list << QString::fromStdString(entry.path().string());
  list.sort();
  return list;
}

/// One store with a run, and another with two; made once, since making them syncs the disk hundreds
/// of times.
struct TwoStores {
  TempDir dir;
  fs::path ours = dir / "ours.db", other = dir / "job/other.db";

  TwoStores() {
    static const TempDir made;
    if (!fs::exists(made / "job")) make(made.path());
    fs::copy(made.path(), dir.path(), fs::copy_options::recursive);
  }
  static void make(const fs::path& folder) {
    RunWriter there(folder / "job/other.db");
    for (int i = 0; i < 3; ++i)
      make_run(there, folder / "job/other.db", "run" + std::to_string(i), 1000 + i);
    there.remove(1);  // so that numbers differ from the first one on
    RunWriter here(folder / "ours.db");
    make_run(here, folder / "ours.db", "mine", 5);
  }
  StoreImport import() const {
    RunWriter here(ours);
    return here.take_over(other, runs_of(ours));
  }
};

}  // namespace

class TstRunImport : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everything_of_a_run_arrives_under_a_new_number();
  void what_is_here_already_stays();
  void a_run_that_went_on_is_said();
  void a_setting_tried_there_is_not_work();
  void the_trash_stays_where_it_is();
  void runs_at_work_are_left_out_and_dead_ones_can_be_resumed();
  void bad_stores_are_refused_and_nothing_changes_data();
  void bad_stores_are_refused_and_nothing_changes();
  void a_checkpoint_that_is_not_whole_is_left_out();
  void paths_of_a_foreign_store_are_not_followed();
  void a_failed_copy_leaves_nothing();
  void a_full_disk_along_the_way_leaves_nothing();
  void a_kill_along_the_way_leaves_all_or_nothing();
};

void TstRunImport::everything_of_a_run_arrives_under_a_new_number() {
  const TwoStores stores;
  const StoreImport report = stores.import();
  QCOMPARE(report.taken.size(), 2u);
  QVERIFY(report.known.empty() && report.notes.empty());
  const RunReader here(stores.ours), there(stores.other);
  QCOMPARE(here.integrity(), std::string("ok"));
  for (const auto& run : report.taken) {
    QCOMPARE(all_of(here, run.here), all_of(there, run.there));
    const fs::path place = runs_of(stores.ours) / std::to_string(run.here) / "step-2";
    for (const auto& c : here.checkpoints(run.here)) QCOMPARE(fs::path(c.path), place);
    for (const char* file : {"manifest.json", "trained.safetensors", "state.json"})
      QCOMPARE(read(place / file),
               read(runs_of(stores.other) / std::to_string(run.there) / "step-2" / file));
  }
  QCOMPARE(report.taken[0].there, 2);
  QCOMPARE(report.taken[0].here, 2);
  QCOMPARE(here.run(1).value().name, std::string("mine"));
  QVERIFY(!fs::exists(runs_of(stores.ours) / ".import"));
  // The writer goes on with a run that came from elsewhere.
  RunWriter writer(stores.ours);
  writer.begin_attempt(2, 2);
  append(writer, 2, {Points{3, {{"train/loss", 1}}}});
  QCOMPARE(here.series(2).at("train/loss").back().step, 3);
}

void TstRunImport::what_is_here_already_stays() {
  const TwoStores stores;
  stores.import();
  {
    RunWriter here(stores.ours);
    here.annotate(2, "renamed", "tag", "note");
  }
  const auto before = contents(stores.ours);
  const StoreImport again = stores.import();
  QVERIFY(again.taken.empty());
  QCOMPARE(again.known.size(), 2u);
  QCOMPARE(again.known[0].here, 2);
  QCOMPARE(contents(stores.ours), before);
  // Back into the other store: only what it does not have.
  RunWriter there(stores.other);
  const StoreImport back = there.take_over(stores.ours, runs_of(stores.other));
  QCOMPARE(back.taken.size(), 1u);
  QCOMPARE(back.taken[0].name, std::string("mine"));
}

void TstRunImport::a_run_that_went_on_is_said() {
  const TwoStores stores;
  stores.import();
  {
    RunWriter there(stores.other);
    there.begin_attempt(2, 2);
    append(there, 2, {Points{3, {{"train/loss", 1}}}});
  }
  const StoreImport again = stores.import();
  QCOMPARE(again.notes.size(), 1u);
  QVERIFY(again.notes[0].find("run1") != std::string::npos &&
          again.notes[0].find("gone on") != std::string::npos &&
          again.notes[0].find("delete run 2") != std::string::npos);
}

void TstRunImport::a_setting_tried_there_is_not_work() {
  const TwoStores stores;
  stores.import();
  RunWriter there(stores.other);
  const std::string tried = std::string(k_what_if) + "window 8";
  append(there, 2, {Evaluated{2, 8, 0.1, {{tried, "all", "acc", 0.5, 0.1, 9, {}}}}});
  const StoreImport again = stores.import();
  QCOMPARE(again.notes.size(), 1u);
  QVERIFY(again.notes[0].find("gone on") == std::string::npos);
  QVERIFY(again.notes[0].find("what-if") != std::string::npos);
}

void TstRunImport::the_trash_stays_where_it_is() {
  const TwoStores stores;
  {
    RunWriter there(stores.other);
    there.set_trashed({2}, true);
  }
  const StoreImport first = stores.import();
  QCOMPARE(first.taken.size(), 1u);
  QCOMPARE(first.notes.size(), 1u);
  QVERIFY(first.notes[0].find("in the trash there") != std::string::npos);
  {
    RunWriter here(stores.ours);
    here.set_trashed({first.taken[0].here}, true);
  }
  const StoreImport again = stores.import();
  QVERIFY(again.taken.empty());
  QVERIFY(std::ranges::any_of(again.notes, [](const std::string& note) {
    return note.find("in the trash here") != std::string::npos;
  }));
}

void TstRunImport::runs_at_work_are_left_out_and_dead_ones_can_be_resumed() {
  const TwoStores stores;
  {
    RunWriter there(stores.other);
    const RunId run = there.create(info_of("alive", 77));
    append(there, run, {RunQueued{"alive"}, RunStarted{"cpu", "float32"}, Points{1, {{"a", 1}}}});
    const StoreImport report = stores.import();
    QCOMPARE(report.taken.size(), 2u);
    QCOMPARE(report.notes.size(), 1u);
    QVERIFY(report.notes[0].find("alive") != std::string::npos);
  }
  const StoreImport report = stores.import();  // its program has ended without a word
  QCOMPARE(report.taken.size(), 1u);
  const auto info = RunReader(stores.ours).run(report.taken[0].here).value();
  QCOMPARE(info.state, RunState::interrupted);
  QVERIFY(info.message.find("resumed") != std::string::npos);
}

void TstRunImport::bad_stores_are_refused_and_nothing_changes_data() {
  QTest::addColumn<QString>("sql");
  QTest::addColumn<QString>("words");
  QTest::newRow("newer") << "PRAGMA user_version=99"
                         << "newer";
  QTest::newRow("of another program") << "PRAGMA application_id=7"
                                      << "another program";
  QTest::newRow("an event is missing") << "DELETE FROM events WHERE id=(2<<40)+3"
                                       << "damaged";
  QTest::newRow("a score of another run")
      << "UPDATE scores SET evaluation=(3<<40)+6 WHERE id=(2<<40)+1"
      << "damaged";
  QTest::newRow("points of another run") << "UPDATE events SET first=(3<<40)+1 WHERE id=(2<<40)+4"
                                         << "damaged";
  QTest::newRow("a series without a name") << "DELETE FROM series"
                                           << "damaged";
  QTest::newRow("bytes") << ""
                         << "other.db";
  QTest::newRow("missing") << "-"
                           << "does not exist";
  QTest::newRow("itself") << "="
                          << "this store itself";
}

void TstRunImport::bad_stores_are_refused_and_nothing_changes() {
  QFETCH(QString, sql);
  QFETCH(QString, words);
  const TwoStores stores;
  const auto before = contents(stores.ours);
  fs::path other = stores.other;
  if (sql == "=") {
    other = stores.ours;
  } else if (sql == "-") {
    other = stores.dir / "none.db";
  } else if (sql.isEmpty()) {
    std::string bytes = read(other);
    for (std::size_t i = 8192; i < bytes.size(); i += 97) bytes[i] = '\x55';
    write(other, bytes);
  } else {
    sqlite::Database(other, sqlite::Mode::write).run(sql.toStdString());
  }
  const QString error = error_of([&] {
    RunWriter here(stores.ours);
    here.take_over(other, runs_of(stores.ours));
  });
  QVERIFY2(error.contains(words), qPrintable(error));
  QCOMPARE(contents(stores.ours), before);
}

void TstRunImport::a_checkpoint_that_is_not_whole_is_left_out() {
  const TwoStores stores;
  write(runs_of(stores.other) / "2/step-2/trained.safetensors", "cut");
  const StoreImport report = stores.import();
  QCOMPARE(report.taken.size(), 2u);
  QCOMPARE(report.notes.size(), 1u);
  QVERIFY(report.notes[0].find("2/step-2") != std::string::npos);
  QVERIFY(!fs::exists(runs_of(stores.ours) / "2"));
  QVERIFY(fs::exists(runs_of(stores.ours) / "3/step-2/manifest.json"));
}

void TstRunImport::paths_of_a_foreign_store_are_not_followed() {
  const TwoStores stores;
  const fs::path secret = stores.dir / "secret";
  make_checkpoint(secret, "not yours");
  const fs::path folder = runs_of(stores.other) / "2/step-2";
  fs::remove(folder / "trained.safetensors");
  fs::create_symlink(secret / "trained.safetensors", folder / "trained.safetensors");
  sqlite::Database(stores.other, sqlite::Mode::write)
      .run("UPDATE checkpoints SET path='" + secret.string() + "' WHERE id>=(3<<40)");
  stores.import();
  for (const auto& entry : fs::recursive_directory_iterator(runs_of(stores.ours)))
    QVERIFY(!entry.is_regular_file() || read(entry.path()).find("not yours") == std::string::npos);
  QVERIFY(!fs::exists(runs_of(stores.ours) / "2") && !fs::exists(runs_of(stores.ours) / "3"));
}

void TstRunImport::a_failed_copy_leaves_nothing() {
  const TwoStores stores;
  // Nothing can be made where the checkpoints go.
  fs::rename(runs_of(stores.ours), stores.dir / "aside");
  write(runs_of(stores.ours), "a file");
  const QString error = error_of([&] { stores.import(); });
  QVERIFY2(error.contains("Nothing was taken over"), qPrintable(error));
  QCOMPARE(RunReader(stores.ours).runs().size(), 1u);
  fs::remove(runs_of(stores.ours));
  QCOMPARE(stores.import().taken.size(), 2u);
}

void TstRunImport::a_full_disk_along_the_way_leaves_nothing() {
  int failures = 0;
  for (int n = 0; n < 400; n += n < 6 ? 1 : 5) {  // some of the writes
    const TwoStores stores;
    const auto before = contents(stores.ours);
    RunWriter here(stores.ours);
    QString error;
    {
      const Disk disk(n, false);
      error = error_of([&] { here.take_over(stores.other, runs_of(stores.ours)); });
    }
    if (error.isEmpty()) break;
    ++failures;
    QCOMPARE(contents(stores.ours), before);
    QCOMPARE(here.take_over(stores.other, runs_of(stores.ours)).taken.size(), 2u);
  }
  QVERIFY(failures > 3);
}

void TstRunImport::a_kill_along_the_way_leaves_all_or_nothing() {
  int killed = 0;
  for (int n = 0; n < 400; n += n < 6 ? 1 : 5) {  // some of the writes
    const TwoStores stores;
    const pid_t child = fork();
    if (child == 0) {
      try {
        RunWriter here(stores.ours);
        const Disk disk(n, true);
        here.take_over(stores.other, runs_of(stores.ours));
        ::_exit(0);
      } catch (...) {
        ::_exit(1);
      }
    }
    int status = 0;
    QCOMPARE(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status)) {
      QCOMPARE(WEXITSTATUS(status), 0);
      break;
    }
    ++killed;
    {
      const RunReader reader(stores.ours);
      QCOMPARE(reader.integrity(), std::string("ok"));
      const auto count = reader.runs().size();
      QVERIFY(count == 1 || count == 3);
      for (const auto& run : reader.runs())
        QVERIFY(fs::exists(runs_of(stores.ours) / std::to_string(run.id) / "step-2/manifest.json"));
    }
    const StoreImport again = stores.import();
    QCOMPARE(again.taken.size() + again.known.size(), 2u);
    QVERIFY(!fs::exists(runs_of(stores.ours) / ".import"));
    QCOMPARE(std::distance(fs::directory_iterator(runs_of(stores.ours)), {}), 3);
  }
  QVERIFY(killed > 3);
}

QTEST_APPLESS_MAIN(TstRunImport)
#include "tst_run_import.moc"
