#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QtTest>
#include <bit>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>
#include <random>
#include <thread>

#include "engine/run_store.h"
#include "engine/run_store_schema.h"
#include "engine/sqlite.h"
#include "engine/store_lock.h"
#include "tests/support/temp_dir.h"

using namespace engine;
using support::TempDir;

static bool every_disk_is_nfs = false;

/// Stands before libc's own, so that a test can put the store on a network.
extern "C" int statfs(const char* path, struct statfs* info) noexcept {
  const long result = syscall(SYS_statfs, path, info);
  if (result == 0 && every_disk_is_nfs) info->f_type = 0x6969;
  return static_cast<int>(result);
}

namespace {

std::vector<Event> events_of(RunId run, std::vector<EventBody> bodies) {
  std::vector<Event> events;
  for (auto& body : bodies) events.push_back({run, 0, std::move(body)});
  return events;
}

void append(RunWriter& writer, RunId run, std::vector<EventBody> bodies) {
  auto events = events_of(run, std::move(bodies));
  writer.append(events);
}

RunId create(RunWriter& writer, const std::string& name = "n") {
  RunInfo info;
  info.name = name;
  info.recipe = std::string(2000, 'r');
  return writer.create(info);
}

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

std::string read_all(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_all(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

template <class Action>
QString error_of(Action&& action) {
  try {
    action();
  } catch (const StoreError& e) {
    return QString::fromStdString(e.what());
  }
  return {};
}

std::vector<EventBody> one_of_each() {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               inf = std::numeric_limits<double>::infinity();
  return {RunQueued{"a name"},
          RunStarted{"cuda:0", "bfloat16"},
          StageStarted{1, 2, "finetune", "fine-tune: hybrid", 100, 50, 25},
          Points{101, {{"train/loss", 2.5}, {"b", nan}, {"train/loss", -0.0}, {"a", -inf}}},
          Points{102, {}},
          Evaluated{102,
                    64,
                    1.25,
                    {{"hybrid", "recall", "acc", 0.75, 0.01, 4, {1, 0, 1, 1}},
                     {"delta_h_swa", "all", "acc", nan, inf, 0, {}}}},
          CheckpointSaved{102, 1, "/runs/1/step-102", "step", 12345},
          LogLine{LogLine::Level::warning, std::string("\xffnot UTF-8, a NUL \0 and \n", 25)},
          RunEnded{RunState::failed, "It failed.", 3.5}};
}

/// Equal to the last bit: NaN equals itself, 0 and -0 differ.
bool same(const EventBody& a, const EventBody& b) {
  if (a.index() != b.index()) return false;
  if (const auto* x = std::get_if<RunQueued>(&a)) return x->name == std::get<RunQueued>(b).name;
  if (const auto* x = std::get_if<RunStarted>(&a)) {
    const auto& y = std::get<RunStarted>(b);
    return x->device == y.device && x->dtype == y.dtype;
  }
  if (const auto* x = std::get_if<StageStarted>(&a)) {
    const auto& y = std::get<StageStarted>(b);
    return x->stage == y.stage && x->stages == y.stages && x->kind == y.kind &&
           x->title == y.title && x->first_step == y.first_step && x->steps == y.steps &&
           x->steps_per_epoch == y.steps_per_epoch;
  }
  if (const auto* x = std::get_if<Points>(&a)) {
    const auto& y = std::get<Points>(b);
    return x->step == y.step && std::equal(x->values.begin(), x->values.end(), y.values.begin(),
                                           y.values.end(), [](const auto& p, const auto& q) {
                                             return p.first == q.first &&
                                                    bits(p.second) == bits(q.second);
                                           });
  }
  if (const auto* x = std::get_if<Evaluated>(&a)) {
    const auto& y = std::get<Evaluated>(b);
    return x->step == y.step && x->window == y.window && bits(x->seconds) == bits(y.seconds) &&
           std::equal(x->scores.begin(), x->scores.end(), y.scores.begin(), y.scores.end(),
                      [](const Score& p, const Score& q) {
                        return p.component == q.component && p.task == q.task &&
                               p.metric == q.metric && p.n == q.n &&
                               bits(p.value) == bits(q.value) &&
                               bits(p.stderr_) == bits(q.stderr_) && p.outcomes == q.outcomes;
                      });
  }
  if (const auto* x = std::get_if<CheckpointSaved>(&a)) {
    const auto& y = std::get<CheckpointSaved>(b);
    return x->step == y.step && x->stage == y.stage && x->path == y.path && x->kind == y.kind &&
           x->bytes == y.bytes;
  }
  if (const auto* x = std::get_if<LogLine>(&a)) {
    const auto& y = std::get<LogLine>(b);
    return x->level == y.level && x->text == y.text;
  }
  const auto& x = std::get<RunEnded>(a);
  const auto& y = std::get<RunEnded>(b);
  return x.state == y.state && x.message == y.message && bits(x.seconds) == bits(y.seconds);
}

/// Fails writing calls of SQLite from the n-th on, as a full disk does.
struct FailingDisk {
  static inline int calls_until_full = -1;  // -1: never
  static inline int failed = 0;

  static bool full() {
    if (calls_until_full < 0) return false;
    if (calls_until_full > 0) {
      --calls_until_full;
      return false;
    }
    ++failed;
    errno = ENOSPC;
    return true;
  }
  static ssize_t pwrite_call(int fd, const void* data, std::size_t size, off_t at) {
    return full() ? -1 : ::pwrite(fd, data, size, at);
  }
  static int fsync_call(int fd) { return full() ? -1 : ::fsync(fd); }
  static int truncate_call(int fd, off_t size) { return full() ? -1 : ::ftruncate(fd, size); }

  FailingDisk() {
    auto* vfs = sqlite3_vfs_find(nullptr);
    vfs->xSetSystemCall(vfs, "pwrite", reinterpret_cast<sqlite3_syscall_ptr>(&pwrite_call));
    vfs->xSetSystemCall(vfs, "pwrite64", reinterpret_cast<sqlite3_syscall_ptr>(&pwrite_call));
    vfs->xSetSystemCall(vfs, "fsync", reinterpret_cast<sqlite3_syscall_ptr>(&fsync_call));
    vfs->xSetSystemCall(vfs, "ftruncate", reinterpret_cast<sqlite3_syscall_ptr>(&truncate_call));
  }
  ~FailingDisk() {
    calls_until_full = -1;
    auto* vfs = sqlite3_vfs_find(nullptr);
    vfs->xSetSystemCall(vfs, nullptr, nullptr);
  }
};

/// Reads everything a store has; used where only the absence of a crash and the kind of error
/// matter.
void read_everything(const std::filesystem::path& store) {
  const RunReader reader(store);
  for (const RunInfo& run : reader.runs()) {
    reader.series(run.id);
    reader.superseded(run.id);
    for (const auto& e : reader.evaluations(run.id))
      reader.outcomes(run.id, e.step, e.component, e.task);
    reader.checkpoints(run.id);
    reader.events_after(run.id, 0);
  }
  reader.find("a");
  reader.find_in_trash("a");
  reader.integrity();
}

/// A store with two runs, attempts, and one of each kind of event; closed, so without a WAL.
void make_store(const std::filesystem::path& store) {
  RunWriter writer(store);
  for (int i = 0; i < 2; ++i) {
    const RunId run = create(writer, "run " + std::to_string(i));
    append(writer, run, one_of_each());
    for (int step = 0; step < 200; ++step)
      append(writer, run, {Points{step, {{"a", step * 0.5}, {"b", 1.0 / step}}}});
    writer.begin_attempt(run, 50);
    append(writer, run, one_of_each());
  }
}

}  // namespace

class RunStoreTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void every_kind_of_event_comes_back_to_the_last_bit();
  void every_double_comes_back_to_the_last_bit();
  void run_columns_follow_the_events();
  void progress_is_not_stored_but_plans_the_steps();
  void points_behind_a_resume_are_superseded();
  void resume_from_the_start_supersedes_step_zero_too();
  void random_attempts_leave_one_live_value_per_step();
  void outcomes_are_those_of_the_live_evaluation();
  void a_run_is_found_by_id_name_and_unique_beginning();
  void removed_runs_are_gone_and_their_ids_stay_used();
  void steps_have_the_time_of_their_live_points();
  void a_run_in_the_trash_keeps_every_row_but_not_its_name();
  void a_store_of_an_older_program_has_an_empty_trash();
  void runs_of_a_dead_program_are_interrupted();
  void a_reader_follows_a_writer();
  void a_snapshot_sees_one_moment();
  void a_newer_store_is_refused();
  void foreign_files_are_refused();
  void an_older_store_migrates_after_a_backup();
  void a_failed_migration_changes_nothing();
  void a_second_writer_is_told_who_holds_the_store();
  void a_dead_writer_s_lock_is_free();
  void shared_file_systems_are_known();
  void a_store_on_a_shared_file_system_has_no_wal();
  void a_store_in_a_read_only_folder_can_be_read();
  void damaged_bytes_give_errors_not_crashes_data();
  void damaged_bytes_give_errors_not_crashes();
  void rows_that_lie_give_errors_data();
  void rows_that_lie_give_errors();
  void a_killed_writer_loses_no_acknowledged_step();
  void a_full_disk_at_any_write_stores_all_or_nothing();
  void a_size_limit_refuses_and_the_store_goes_on();
  void appending_points_is_fast();
};

void RunStoreTest::every_kind_of_event_comes_back_to_the_last_bit() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  create(writer, "other");
  const RunId run = create(writer, "x");
  const auto bodies = one_of_each();
  auto first = events_of(run, bodies);
  writer.append(first);
  append(writer, 1, {LogLine{LogLine::Level::info, "of another run"}});
  append(writer, run, bodies);
  const RunReader reader(dir / "s.db");
  const auto stored = reader.events_after(run, 0);
  QCOMPARE(stored.size(), 2 * bodies.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    QCOMPARE(stored[i].run, run);
    QCOMPARE(stored[i].seq, static_cast<std::int64_t>(i + 1));
    QVERIFY2(same(stored[i].body, bodies[i % bodies.size()]), std::to_string(i).c_str());
  }
  for (std::size_t i = 0; i < first.size(); ++i)
    QCOMPARE(first[i].seq, static_cast<std::int64_t>(i + 1));
  for (std::int64_t seq : {1, 5, 17, 18, 1000}) {
    const auto later = reader.events_after(run, seq);
    QCOMPARE(later.size(), seq >= 18 ? 0u : static_cast<std::size_t>(18 - seq));
    if (!later.empty())
      QVERIFY(same(later.front().body, stored[static_cast<std::size_t>(seq)].body));
  }
  QCOMPARE(reader.integrity(), std::string("ok"));
}

void RunStoreTest::every_double_comes_back_to_the_last_bit() {
  TempDir dir;
  std::vector<double> values = {0.0,
                                -0.0,
                                1e-320,
                                5e-324,
                                -5e-324,
                                1.7976931348623157e308,
                                0.1,
                                2.0 / 3,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN(),
                                -std::numeric_limits<double>::quiet_NaN(),
                                std::bit_cast<double>(std::uint64_t{0x7FF8DEADBEEF0001})};
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) values.push_back(std::bit_cast<double>(random()));
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  for (std::size_t i = 0; i < values.size(); ++i) {
    append(writer, run, {Points{static_cast<std::int64_t>(i), {{"v", values[i]}}}});
  }
  const auto series = RunReader(dir / "s.db").series(run).at("v");
  QCOMPARE(series.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) QCOMPARE(bits(series[i].value), bits(values[i]));
}

void RunStoreTest::run_columns_follow_the_events() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  RunInfo given;
  given.name = "n";
  given.recipe = "r: 1";
  given.seed = -5;
  given.total_steps = 7;
  const RunId run = writer.create(given);
  const RunReader reader(dir / "s.db");
  auto info = reader.run(run).value();
  QCOMPARE(info.state, RunState::queued);
  QCOMPARE(info.attempt, 1);
  QCOMPARE(info.seed, -5);
  QCOMPARE(info.recipe, std::string("r: 1"));
  QCOMPARE(info.total_steps, 7);
  QVERIFY(info.created_ms > 0 && info.started_ms == 0 && info.ended_ms == 0);

  append(
      writer, run,
      {RunQueued{"n"}, RunStarted{"cpu", "float32"}, StageStarted{0, 1, "finetune", "t", 10, 20, 5},
       Points{12, {{"a", 1}}}, Points{13, {{"a", 2}}}});
  info = reader.run(run).value();
  QCOMPARE(info.state, RunState::running);
  QCOMPARE(info.device, std::string("cpu"));
  QCOMPARE(info.dtype, std::string("float32"));
  QCOMPARE(info.steps, 13);
  QCOMPARE(info.total_steps, 30);
  QCOMPARE(info.last_seq, 5);
  QVERIFY(info.started_ms > 0);

  append(writer, run, {RunEnded{RunState::cancelled, "Stopped.", 2.5}});
  writer.begin_attempt(run, 12);
  append(writer, run, {RunQueued{"n"}});
  info = reader.run(run).value();
  QCOMPARE(info.state, RunState::queued);
  QCOMPARE(info.steps, 12);
  QCOMPARE(info.attempt, 2);
  QCOMPARE(info.ended_ms, 0);
  append(writer, run, {RunEnded{RunState::done, "Done.", 1.5}});
  writer.annotate(run, "new name", "a, b", "some notes");
  info = reader.run(run).value();
  QCOMPARE(info.state, RunState::done);
  QCOMPARE(info.message, std::string("Done."));
  QCOMPARE(info.seconds, 4.0);
  QCOMPARE(info.name, std::string("new name"));
  QCOMPARE(info.tags, std::string("a, b"));
  QCOMPARE(info.notes, std::string("some notes"));
}

void RunStoreTest::progress_is_not_stored_but_plans_the_steps() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  auto events =
      events_of(run, {LogLine{}, Progress{.phase = "train", .total_steps = 99}, LogLine{}});
  writer.append(events);
  QCOMPARE(events[0].seq, 1);
  QCOMPARE(events[1].seq, 0);
  QCOMPARE(events[2].seq, 2);
  const RunReader reader(dir / "s.db");
  QCOMPARE(reader.events_after(run, 0).size(), 2u);
  QCOMPARE(reader.run(run)->total_steps, 99);
}

void RunStoreTest::points_behind_a_resume_are_superseded() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  const auto work = [&](std::int64_t from, std::int64_t to, double value) {
    for (std::int64_t step = from; step <= to; ++step)
      append(writer, run, {Points{step, {{"a", value}}}});
    append(writer, run,
           {Evaluated{to, 64, 0, {{"hybrid", "all", "acc", value, 0, 1, {}}}},
            CheckpointSaved{to, 0, "c" + std::to_string(to), "step", 1}});
  };
  work(1, 10, 1);
  writer.begin_attempt(run, 6);
  work(7, 8, 2);
  writer.begin_attempt(run, 7);
  work(8, 12, 3);

  const RunReader reader(dir / "s.db");
  std::vector<double> live;
  const auto series = reader.series(run), superseded = reader.superseded(run);
  for (const auto& p : series.at("a")) {
    QCOMPARE(p.step, static_cast<std::int64_t>(live.size() + 1));
    live.push_back(p.value);
  }
  QCOMPARE(live, (std::vector<double>{1, 1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3}));
  std::vector<std::pair<std::int64_t, double>> behind;
  for (const auto& p : superseded.at("a")) behind.emplace_back(p.step, p.value);
  QCOMPARE(behind,
           (std::vector<std::pair<std::int64_t, double>>{{7, 1}, {8, 1}, {8, 2}, {9, 1}, {10, 1}}));
  const auto evaluations = reader.evaluations(run);
  QCOMPARE(evaluations.size(), 1u);
  QCOMPARE(evaluations[0].step, 12);
  const auto checkpoints = reader.checkpoints(run);
  QCOMPARE(checkpoints.size(), 3u);
  QCOMPARE(checkpoints[0].live, false);
  QCOMPARE(checkpoints[1].live, false);
  QCOMPARE(checkpoints[2].live, true);
  QCOMPARE(checkpoints[2].attempt, 3);
}

void RunStoreTest::resume_from_the_start_supersedes_step_zero_too() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  append(writer, run, {Points{0, {{"a", 1}}}, Points{1, {{"a", 1}}}});
  writer.begin_attempt(run, -1);
  const RunReader reader(dir / "s.db");
  QVERIFY(reader.series(run).empty());
  append(writer, run, {Points{0, {{"a", 2}}}});
  QCOMPARE(reader.series(run).at("a").size(), 1u);
  QCOMPARE(reader.series(run).at("a")[0].value, 2.0);
  QCOMPARE(reader.superseded(run).at("a").size(), 2u);
}

void RunStoreTest::random_attempts_leave_one_live_value_per_step() {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    TempDir dir;
    RunWriter writer(dir / "s.db");
    const RunId run = create(writer);
    std::int64_t step = 0;
    std::size_t written = 0;
    for (int attempt = 0; attempt < 6; ++attempt) {
      const std::int64_t until = step + random() % 30;
      std::vector<EventBody> points;
      while (step < until) points.push_back(Points{++step, {{"a", attempt}, {"b", attempt}}});
      written += points.size();
      append(writer, run, std::move(points));
      if (attempt == 5) break;
      step = static_cast<std::int64_t>(random() % static_cast<unsigned>(step + 1));
      writer.begin_attempt(run, step);
    }
    const RunReader reader(dir / "s.db");
    const auto live = reader.series(run), behind = reader.superseded(run);
    for (const char* name : {"a", "b"}) {
      const auto points = live.count(name) ? live.at(name) : std::vector<SeriesPoint>();
      QCOMPARE(points.size(), static_cast<std::size_t>(step));
      for (std::size_t i = 0; i < points.size(); ++i)
        QCOMPARE(points[i].step, static_cast<std::int64_t>(i + 1));
      QCOMPARE(points.size() + (behind.count(name) ? behind.at(name).size() : 0), written);
    }
  }
}

void RunStoreTest::outcomes_are_those_of_the_live_evaluation() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  const auto evaluated = [&](std::int64_t step, std::vector<std::uint8_t> outcomes) {
    append(writer, run,
           {Evaluated{step,
                      64,
                      0,
                      {{"hybrid", "recall", "acc", 0, 0, 3, std::move(outcomes)},
                       {"hybrid", "recall", "acc_norm", 0, 0, 3, {}}}}});
  };
  evaluated(10, {1, 1, 1});
  evaluated(20, {0, 0, 0});
  writer.begin_attempt(run, 10);
  evaluated(20, {0, 1, 0});
  const RunReader reader(dir / "s.db");
  using Bytes = std::vector<std::uint8_t>;
  QCOMPARE(reader.outcomes(run, 10, "hybrid", "recall"), (Bytes{1, 1, 1}));
  QCOMPARE(reader.outcomes(run, 20, "hybrid", "recall"), (Bytes{0, 1, 0}));
  QCOMPARE(reader.outcomes(run, 20, "hybrid", "other"), Bytes());
  QCOMPARE(reader.outcomes(run, 30, "hybrid", "recall"), Bytes());
}

void RunStoreTest::a_run_is_found_by_id_name_and_unique_beginning() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId ssd = create(writer, "ssd-32"), newer = create(writer, "ssd-32");
  const RunId lolcats = create(writer, "lolcats"), ssd64 = create(writer, "ssd-64");
  const RunId number = create(writer, "77");
  const RunReader reader(dir / "s.db");
  const auto id = [&](const char* text) { return reader.find(text) ? reader.find(text)->id : 0; };
  QCOMPARE(id("1"), ssd);
  QCOMPARE(id("ssd-32"), newer);
  QCOMPARE(id("ssd-3"), newer);
  QCOMPARE(id("ssd"), 0);
  QCOMPARE(id("lo"), lolcats);
  QCOMPARE(id("ssd-64"), ssd64);
  QCOMPARE(id("77"), number);
  QCOMPARE(id(""), 0);
  QCOMPARE(id("%"), 0);
  const auto runs = reader.runs();
  QCOMPARE(runs.size(), 5u);
  QCOMPARE(runs.front().id, number);
}

void RunStoreTest::removed_runs_are_gone_and_their_ids_stay_used() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId first = create(writer), second = create(writer);
  append(writer, first, one_of_each());
  append(writer, second, one_of_each());
  writer.remove(second);
  const RunReader reader(dir / "s.db");
  QVERIFY(!reader.run(second));
  QVERIFY(reader.events_after(second, 0).empty());
  QCOMPARE(reader.events_after(first, 0).size(), one_of_each().size());
  QVERIFY(create(writer) > second);
  QVERIFY(error_of([&] { append(writer, second, {LogLine{}}); }).contains("no run 2"));
}

void RunStoreTest::steps_have_the_time_of_their_live_points() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  for (int step : {1, 2, 3}) append(writer, run, {Points{step, {{"a", 1}}}});
  writer.begin_attempt(run, 1);
  const auto before = RunReader(dir / "s.db").step_times(run);
  QCOMPARE(before.size(), 1u);
  for (int step : {2, 5}) append(writer, run, {Points{step, {{"a", 1}}}});
  const auto times = RunReader(dir / "s.db").step_times(run);
  QCOMPARE(times.size(), 3u);
  QCOMPARE(times.back().step, 5);
  QVERIFY(times[0].time_ms > 1'500'000'000'000 && times[0].time_ms <= times[2].time_ms);
}

void RunStoreTest::a_run_in_the_trash_keeps_every_row_but_not_its_name() {
  TempDir dir;
  make_store(dir / "s.db");
  RunWriter writer(dir / "s.db");
  const RunId other = create(writer, "run 1");
  const RunReader reader(dir / "s.db");
  const auto series = reader.series(2);
  const auto events = reader.events_after(2, 0);
  writer.set_trashed({2, 1}, true);
  QVERIFY(reader.run(2)->trashed_ms > 0);
  QCOMPARE(reader.runs().size(), 3u);
  QCOMPARE(reader.series(2).size(), series.size());
  QVERIFY(!reader.find("2") && !reader.find("run 0"));
  QCOMPARE(reader.find("run")->id, other);  // those in the trash make no beginning ambiguous
  QCOMPARE(reader.find_in_trash("2")->id, 2);
  QCOMPARE(reader.find_in_trash("run 0")->id, 1);
  QVERIFY(!reader.find_in_trash("run") && !reader.find_in_trash(std::to_string(other)));
  QVERIFY(error_of([&] { writer.set_trashed({other, 99}, true); }).contains("no run 99"));
  QCOMPARE(reader.run(other)->trashed_ms, 0);
  const std::int64_t since = reader.run(1)->trashed_ms;
  writer.set_trashed({1}, true);
  QCOMPARE(reader.run(1)->trashed_ms, since);
  writer.set_trashed({2}, false);
  QCOMPARE(reader.find("2")->trashed_ms, 0);
  QCOMPARE(reader.events_after(2, 0).size(), events.size());
  for (const auto& [name, points] : series) {
    const auto now = reader.series(2).at(name);
    QCOMPARE(now.size(), points.size());
    for (std::size_t i = 0; i < now.size(); ++i)
      QVERIFY(now[i].step == points[i].step && bits(now[i].value) == bits(points[i].value));
  }
  writer.remove(1);
  QVERIFY(!reader.run(1) && !reader.find_in_trash("1"));
}

/// The trash came without a new store format: such a store is read as it is, and an older program reads a newer one.
void RunStoreTest::a_store_of_an_older_program_has_an_empty_trash() {
  TempDir dir;
  make_store(dir / "s.db");
  { sqlite::Database(dir / "s.db", sqlite::Mode::write).run("DROP TABLE trash"); }
  const RunReader reader(dir / "s.db");
  QCOMPARE(reader.runs().size(), 2u);
  QCOMPARE(reader.find("run 1")->trashed_ms, 0);
  QVERIFY(!reader.find_in_trash("run 1"));
  RunWriter writer(dir / "s.db");
  writer.set_trashed({2}, true);
  QVERIFY(reader.run(2)->trashed_ms > 0);  // a reader from before sees it too
  QVERIFY(!std::filesystem::exists(dir / "s.db.v1.backup"));
  sqlite::Database db(dir / "s.db", sqlite::Mode::read);
  QCOMPARE(db.integer("PRAGMA user_version"), 1);
}

void RunStoreTest::runs_of_a_dead_program_are_interrupted() {
  TempDir dir;
  RunId running = 0, queued = 0, done = 0;
  {
    RunWriter writer(dir / "s.db");
    running = create(writer), queued = create(writer), done = create(writer);
    append(writer, running, {RunStarted{"cpu", "float32"}, Points{3, {{"a", 1}}}});
    append(writer, done, {RunEnded{RunState::done, "Done.", 1}});
  }
  RunWriter writer(dir / "s.db");
  QCOMPARE(writer.mark_interrupted(), (std::vector<RunId>{running, queued}));
  QVERIFY(writer.mark_interrupted().empty());
  const RunReader reader(dir / "s.db");
  QCOMPARE(reader.run(running)->state, RunState::interrupted);
  QVERIFY(QString::fromStdString(reader.run(running)->message).contains("at work"));
  QCOMPARE(reader.run(queued)->state, RunState::interrupted);
  QCOMPARE(reader.run(done)->state, RunState::done);
  append(writer, running, {LogLine{}});
  QCOMPARE(reader.run(running)->last_seq, 3);
}

void RunStoreTest::a_reader_follows_a_writer() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  constexpr std::int64_t k_steps = 300;
  std::thread worker([&] {
    for (std::int64_t step = 1; step <= k_steps; ++step)
      append(writer, run, {Points{step, {{"a", 0.5 * static_cast<double>(step)}, {"b", 1}}}});
    append(writer, run, {RunEnded{RunState::done, "Done.", 1}});
  });
  const RunReader reader(dir / "s.db");
  std::vector<Event> seen;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while ((seen.empty() || !std::holds_alternative<RunEnded>(seen.back().body)) &&
         std::chrono::steady_clock::now() < deadline) {
    for (auto& event : reader.events_after(run, seen.empty() ? 0 : seen.back().seq))
      seen.push_back(std::move(event));
  }
  worker.join();
  QCOMPARE(seen.size(), static_cast<std::size_t>(k_steps + 1));
  for (std::size_t i = 0; i < seen.size(); ++i)
    QCOMPARE(seen[i].seq, static_cast<std::int64_t>(i + 1));
}

void RunStoreTest::a_snapshot_sees_one_moment() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  append(writer, run, {Points{1, {{"a", 1}}}});
  const RunReader reader(dir / "s.db");
  {
    const RunReader::Snapshot snapshot(reader);
    append(writer, run, {Points{2, {{"a", 1}}}});
    QCOMPARE(reader.run(run)->last_seq, 1);
    QCOMPARE(reader.series(run).at("a").size(), 1u);
  }
  QCOMPARE(reader.run(run)->last_seq, 2);
  QCOMPARE(reader.series(run).at("a").size(), 2u);
}

void RunStoreTest::a_newer_store_is_refused() {
  TempDir dir;
  { RunWriter writer(dir / "s.db"); }
  { sqlite::Database(dir / "s.db", sqlite::Mode::write).run("PRAGMA user_version=99"); }
  const std::string before = read_all(dir / "s.db");
  for (const QString& error : {error_of([&] { RunWriter writer(dir / "s.db"); }),
                               error_of([&] { RunReader reader(dir / "s.db"); })}) {
    QVERIFY2(error.contains("newer Equipoise (store format 99"), qPrintable(error));
    QVERIFY(error.contains("s.db"));
  }
  QCOMPARE(read_all(dir / "s.db"), before);
}

void RunStoreTest::foreign_files_are_refused() {
  TempDir dir;
  write_all(dir / "text.db", "this is no database, but it is long enough to be looked at as one. " +
                                 std::string(2000, '.'));
  QVERIFY(
      error_of([&] { RunReader reader(dir / "text.db"); }).contains("is not an Equipoise store"));
  QVERIFY(
      error_of([&] { RunWriter writer(dir / "text.db"); }).contains("is not an Equipoise store"));
  { sqlite::Database(dir / "other.db", sqlite::Mode::write).run("CREATE TABLE t(x)"); }
  QVERIFY(error_of([&] { RunReader reader(dir / "other.db"); }).contains("another program"));
  QVERIFY(error_of([&] { RunWriter writer(dir / "other.db"); }).contains("another program"));
  write_all(dir / "empty.db", "");
  QVERIFY(!error_of([&] { RunReader reader(dir / "empty.db"); }).isEmpty());
  QVERIFY(error_of([&] { RunReader reader(dir / "missing.db"); }).contains("does not exist"));
  QVERIFY(!std::filesystem::exists(dir / "missing.db"));
  QVERIFY(error_of([&] { RunReader reader(dir.path()); }).contains("is not a file"));
  QVERIFY(error_of([&] { RunWriter writer(dir.path()); }).contains("is a folder"));
  { RunWriter writer(dir / "empty.db"); }
  { RunWriter writer(dir / "odd ?#% name.db"); }
  QVERIFY(std::filesystem::exists(dir / "odd ?#% name.db"));
  { RunWriter writer(dir.path() / "new" / "folder" / "s.db"); }
  QVERIFY(RunReader(dir.path() / "new" / "folder" / "s.db").runs().empty());
}

void RunStoreTest::an_older_store_migrates_after_a_backup() {
  TempDir dir;
  make_store(dir / "s.db");
  Schema next = store_schema();
  next.version = 3;
  next.migrations = {{1, "ALTER TABLE runs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'"},
                     {2, "UPDATE runs SET colour='blue' WHERE id=2"}};
  sqlite::Database db(dir / "s.db", sqlite::Mode::write);
  prepare_for_writing(db, next);
  QCOMPARE(db.integer("PRAGMA user_version"), 3);
  QCOMPARE(db.text("SELECT colour FROM runs WHERE id=1"), std::string("red"));
  QCOMPARE(db.text("SELECT colour FROM runs WHERE id=2"), std::string("blue"));
  QCOMPARE(RunReader(dir / "s.db.v1.backup").runs().size(), 2u);
  QCOMPARE(RunReader(dir / "s.db.v1.backup").integrity(), std::string("ok"));
  prepare_for_writing(db, next);
  QVERIFY(!std::filesystem::exists(dir / "s.db.v3.backup"));
}

void RunStoreTest::a_failed_migration_changes_nothing() {
  TempDir dir;
  make_store(dir / "s.db");
  Schema next = store_schema();
  next.version = 3;
  next.migrations = {{1, "DELETE FROM points"}, {2, "UPDATE no_such_table SET x=1"}};
  {
    sqlite::Database db(dir / "s.db", sqlite::Mode::write);
    QVERIFY(!error_of([&] { prepare_for_writing(db, next); }).isEmpty());
    next.migrations.pop_back();
    QVERIFY(error_of([&] { prepare_for_writing(db, next); }).contains("no way"));
  }
  QVERIFY(!RunReader(dir / "s.db").series(1).empty());
  QVERIFY(std::filesystem::exists(dir / "s.db.v1.backup2"));
  RunWriter writer(dir / "s.db");
}

void RunStoreTest::a_second_writer_is_told_who_holds_the_store() {
  TempDir dir;
  int ready[2], go[2];
  QVERIFY(pipe(ready) == 0 && pipe(go) == 0);
  const pid_t child = fork();
  if (child == 0) {
    RunWriter writer(dir / "s.db");
    char byte = 1;
    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
    _exit(0);  // as a crash would: the lock file stays
  }
  char byte = 0;
  QCOMPARE(read(ready[0], &byte, 1), 1);
  QString busy;
  try {
    RunWriter writer(dir / "s.db");
  } catch (const StoreBusy& e) {
    busy = e.what();
  }
  QVERIFY2(busy.contains(QString("process %1 on ").arg(child)), qPrintable(busy));
  QVERIFY(busy.contains("--store OTHER.db") && busy.contains("equipoise import"));
  QVERIFY(RunReader(dir / "s.db").runs().empty());
  QCOMPARE(write(go[1], &byte, 1), 1);
  int status = 0;
  waitpid(child, &status, 0);
  QCOMPARE(WEXITSTATUS(status), 0);
  RunWriter writer(dir / "s.db");
  for (int fd : {ready[0], ready[1], go[0], go[1]}) ::close(fd);
}

void RunStoreTest::a_dead_writer_s_lock_is_free() {
  TempDir dir;
  write_all(dir / "s.db.lock", "1 some-host\n");
  { RunWriter writer(dir / "s.db"); }
  QVERIFY(!std::filesystem::exists(dir / "s.db.lock"));
}

void RunStoreTest::shared_file_systems_are_known() {
  for (std::uint64_t type : {0x6969u, 0xFE534D42u, 0x0BD00BD0u, 0x47504653u, 0x65735546u})
    QVERIFY(shared_file_system(type));
  for (std::uint64_t type : {0xEF53u, 0x58465342u, 0x9123683Eu, 0x01021994u})
    QVERIFY(!shared_file_system(type));              // ext4, XFS, btrfs, tmpfs
  QVERIFY(shared_file_system(0xFFFFFFFFFF534D42u));  // CIFS where f_type is signed
}

void RunStoreTest::a_store_on_a_shared_file_system_has_no_wal() {
  TempDir dir;
  const auto journal = [&] {
    return sqlite::Database(dir / "s.db", sqlite::Mode::read).text("PRAGMA journal_mode");
  };
  make_store(dir / "s.db");
  QCOMPARE(journal(), std::string("wal"));
  every_disk_is_nfs = true;
  {
    RunWriter writer(dir / "s.db");
    const RunReader reader(dir / "s.db");
    for (std::int64_t step = 1; step <= 20; ++step) {
      append(writer, 1, {Points{step, {{"n", 1}}}});
      QCOMPARE(reader.series(1).at("n").size(), static_cast<std::size_t>(step));
      QVERIFY(!std::filesystem::exists(dir / "s.db-wal"));
    }
  }
  every_disk_is_nfs = false;
  QCOMPARE(journal(), std::string("delete"));
  QCOMPARE(RunReader(dir / "s.db").integrity(), std::string("ok"));
  { RunWriter writer(dir / "s.db"); }
  QCOMPARE(journal(), std::string("wal"));
}

void RunStoreTest::a_store_in_a_read_only_folder_can_be_read() {
  TempDir dir;
  const auto folder = dir / "shared";
  std::filesystem::create_directory(folder);
  make_store(folder / "s.db");
  using std::filesystem::perms;
  const auto readable = perms::owner_read | perms::owner_exec | perms::group_read |
                        perms::group_exec | perms::others_read | perms::others_exec;
  std::filesystem::permissions(dir.path(), readable);
  std::filesystem::permissions(folder, readable);
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && setuid(65534) != 0) _exit(3);  // root may write everywhere
    bool read = false;
    error_of([&] { read = RunReader(folder / "s.db").runs().size() == 2; });
    const QString error = error_of([&] { RunWriter writer(folder / "s.db"); });
    _exit(!read ? 1 : !error.contains("s.db") ? 2 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  std::filesystem::permissions(dir.path(), perms::owner_all);
  std::filesystem::permissions(folder, perms::owner_all);
  QCOMPARE(WEXITSTATUS(status), 0);
}

void RunStoreTest::damaged_bytes_give_errors_not_crashes_data() {
  QTest::addColumn<int>("changes");
  QTest::addColumn<int>("rounds");
  QTest::newRow("one byte") << 1 << 150;
  QTest::newRow("32 bytes") << 32 << 150;
  QTest::newRow("cut off") << 0 << 60;
  QTest::newRow("page moved") << -1 << 60;
}

void RunStoreTest::damaged_bytes_give_errors_not_crashes() {
  QFETCH(int, changes);
  QFETCH(int, rounds);
  TempDir dir;
  make_store(dir / "good.db");
  const std::string good = read_all(dir / "good.db");
  std::mt19937 random(static_cast<unsigned>(changes + 100));
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    std::string bad = good;
    for (int i = 0; i < changes; ++i) bad[random() % bad.size()] = static_cast<char>(random());
    if (changes == 0) bad.resize(random() % bad.size());
    if (changes < 0)
      bad.replace(4096 * (random() % (bad.size() / 4096)), 4096,
                  good.substr(4096 * (random() % (good.size() / 4096)), 4096));
    write_all(dir / "bad.db", bad);
    const QString error = error_of([&] { read_everything(dir / "bad.db"); });
    if (!error.isEmpty()) {
      ++refused;
      QVERIFY2(error.contains("bad.db"), qPrintable(error));
    }
    error_of([&] {
      RunWriter writer(dir / "bad.db");
      writer.mark_interrupted();
      append(writer, 1, one_of_each());
      writer.remove(2);
    });
    for (const char* name : {"bad.db", "bad.db-wal", "bad.db-shm"})
      std::filesystem::remove(dir / name);
  }
  QVERIFY(refused > rounds / 20);
}

void RunStoreTest::rows_that_lie_give_errors_data() {
  QTest::addColumn<QString>("sql");
  QTest::newRow("count without end")
      << "UPDATE events SET count=9223372036854775807 WHERE kind='points'";
  QTest::newRow("negative count") << "UPDATE events SET count=-1 WHERE kind='points'";
  QTest::newRow("rows of another run")
      << "UPDATE events SET first=first+(1<<40) WHERE kind='points'";
  QTest::newRow("the same rows twice")
      << "UPDATE events SET first=(1<<40)+1 WHERE kind='points' AND id>(1<<40)+4";
  QTest::newRow("unknown kind") << "UPDATE events SET kind='x' WHERE kind='log'";
  QTest::newRow("no detail") << "DELETE FROM checkpoints";
  QTest::newRow("no points") << "DELETE FROM points WHERE id%7=0";
  QTest::newRow("no series") << "DELETE FROM series";
  QTest::newRow("no scores") << "DELETE FROM scores";
  QTest::newRow("no table") << "DROP TABLE scores";
  QTest::newRow("a view")
      << "ALTER TABLE points RENAME TO p; CREATE VIEW points AS SELECT * FROM p";
}

void RunStoreTest::rows_that_lie_give_errors() {
  QFETCH(QString, sql);
  TempDir dir;
  make_store(dir / "s.db");
  { sqlite::Database(dir / "s.db", sqlite::Mode::write).run(sql.toStdString()); }
  const QString error = error_of([&] { read_everything(dir / "s.db"); });
  QVERIFY2(error.contains("damaged"), qPrintable(error));
}

void RunStoreTest::a_killed_writer_loses_no_acknowledged_step() {
  TempDir dir;
  std::mt19937 random(11);
  std::map<RunId, std::int64_t> acknowledged;
  for (int round = 0; round < 50; ++round) {
    int ends[2];
    QVERIFY(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
      ::close(ends[0]);
      RunWriter writer(dir / "s.db");
      writer.mark_interrupted();
      const RunId run = create(writer, "round " + std::to_string(round));
      for (std::int64_t step = 1;; ++step) {
        std::vector<EventBody> bodies;
        bodies.push_back(Points{step, {{"a", 1}, {"b", 2}, {"c", 3}}});
        if (step % 20 == 0) bodies.push_back(CheckpointSaved{step, 0, "c", "step", 1});
        append(writer, run, std::move(bodies));
        const std::int64_t message[2] = {run, step};
        if (write(ends[1], message, sizeof message) != static_cast<ssize_t>(sizeof message))
          _exit(1);
      }
    }
    ::close(ends[1]);
    std::int64_t message[2] = {0, 0};
    bool asked = false;
    std::thread killer;
    while (read(ends[0], message, sizeof message) == static_cast<ssize_t>(sizeof message)) {
      acknowledged[message[0]] = message[1];
      if (asked) continue;
      asked = true;
      killer = std::thread([child, delay = random() % 30'000] {
        std::this_thread::sleep_for(std::chrono::microseconds(delay));
        kill(child, SIGKILL);
      });
    }
    if (killer.joinable()) killer.join();
    ::close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    QVERIFY(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    const RunReader reader(dir / "s.db");
    QCOMPARE(reader.integrity(), std::string("ok"));
    const RunId run = message[0];
    const auto info = reader.run(run).value();
    QVERIFY(info.steps >= acknowledged[run]);
    const auto series = reader.series(run);
    for (const char* name : {"a", "b", "c"}) {
      QCOMPARE(series.at(name).size(),
               static_cast<std::size_t>(info.steps));  // no step is stored in part
    }
    QCOMPARE(reader.events_after(run, 0).size(), static_cast<std::size_t>(info.last_seq));
  }
  RunWriter writer(dir / "s.db");
  const RunReader reader(dir / "s.db");
  QCOMPARE(acknowledged.size(), 50u);
  for (const auto& [run, step] : acknowledged)
    QVERIFY(static_cast<std::int64_t>(reader.series(run).at("a").size()) >= step);
}

void RunStoreTest::a_full_disk_at_any_write_stores_all_or_nothing() {
  int n = 0, failures = 0;
  for (bool whole = false; !whole; ++n) {
    QVERIFY(n < 500);
    TempDir dir;
    RunId run = 0;
    std::int64_t acknowledged = 0;
    FailingDisk disk;
    FailingDisk::failed = 0;
    FailingDisk::calls_until_full = n;
    std::optional<RunWriter> writer;
    const QString error = error_of([&] {
      writer.emplace(dir / "s.db");
      run = create(*writer);
      for (std::int64_t step = 1; step <= 3; ++step) {
        append(*writer, run,
               {Points{step, {{"a", 1}, {"b", 2}}},
                Evaluated{step, 1, 1, {{"h", "t", "acc", 1, 0, 1, {1}}}}});
        acknowledged = 2 * step;
      }
      append(*writer, run, {CheckpointSaved{3, 0, "c", "step", 1}});
      acknowledged = 7;
      writer->begin_attempt(run, 2);
      append(*writer, run, {RunEnded{RunState::done, "", 1}});
      acknowledged = 8;
    });
    whole = FailingDisk::failed == 0;
    failures += whole ? 0 : 1;
    FailingDisk::calls_until_full = -1;
    if (whole) QVERIFY2(error.isEmpty(), qPrintable(error));
    if (!error.isEmpty()) QVERIFY2(error.contains("s.db"), qPrintable(error));
    if (!writer) writer.emplace(dir / "s.db");
    if (run == 0) run = create(*writer);
    const RunReader reader(dir / "s.db");
    QCOMPARE(reader.integrity(), std::string("ok"));
    QCOMPARE(reader.run(run)->last_seq, acknowledged);
    QCOMPARE(reader.events_after(run, 0).size(), static_cast<std::size_t>(acknowledged));
    append(*writer, run, one_of_each());  // goes on after space was freed
    QCOMPARE(reader.events_after(run, acknowledged).size(), one_of_each().size());
    QCOMPARE(reader.integrity(), std::string("ok"));
  }
  QVERIFY(failures > 10);
}

void RunStoreTest::a_size_limit_refuses_and_the_store_goes_on() {
  TempDir dir;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    RunWriter writer(dir / "s.db");
    const RunId run = create(writer);
    const rlimit small{200'000, RLIM_INFINITY}, large{RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &small);
    std::int64_t step = 0;
    bool refused = false;
    std::vector<Event> events;
    while (!refused && step < 10'000) {
      events = events_of(run, {Points{step + 1, {{"a", 1}, {"b", 2}}}});
      try {
        writer.append(events);
        ++step;
      } catch (const StoreError&) {
        refused = events[0].seq == 0;
      }
    }
    setrlimit(RLIMIT_FSIZE, &large);
    writer.append(events);
    ++step;
    const RunReader reader(dir / "s.db");
    const bool whole = static_cast<std::int64_t>(reader.series(run).at("a").size()) == step &&
                       reader.run(run)->last_seq == step && reader.integrity() == "ok";
    _exit(refused && whole ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  QVERIFY(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

void RunStoreTest::appending_points_is_fast() {
  TempDir dir;
  RunWriter writer(dir / "s.db");
  const RunId run = create(writer);
  QElapsedTimer timer;
  timer.start();
  constexpr int k_batches = 100;
  for (int batch = 0; batch < k_batches; ++batch) {
    std::vector<Event> events;
    for (int i = 0; i < 100; ++i) {
      Points points{batch * 100 + i, {}};
      for (int s = 0; s < 10; ++s) points.values.emplace_back("series/" + std::to_string(s), s);
      events.push_back({run, 0, std::move(points)});
    }
    writer.append(events);
  }
  const double seconds = static_cast<double>(timer.elapsed()) / 1000;
  timer.restart();
  const auto series = RunReader(dir / "s.db").series(run);
  qInfo("wrote %.0f points/s, read %.0f points/s", k_batches * 1000 / seconds,
        k_batches * 1000 / (static_cast<double>(timer.nsecsElapsed()) / 1e9));
  QCOMPARE(series.size(), 10u);
  QVERIFY(seconds < 10);
}

QTEST_GUILESS_MAIN(RunStoreTest)
#include "tst_run_store.moc"
