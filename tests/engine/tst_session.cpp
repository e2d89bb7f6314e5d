#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <QtTest>
#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <latch>
#include <thread>

#include "engine/error.h"
#include "engine/log.h"
#include "engine/session.h"
#include "engine/sqlite.h"
#include "tests/support/scripted_run.h"
#include "tests/support/temp_dir.h"

using namespace engine;
using namespace std::chrono_literals;
using support::paths_in;
using support::Script;
using support::scripted;
using support::small_recipe;
using support::TempDir;

namespace {

/// Drains until `done` says so; false after a minute.
bool drain_until(Session& session, std::vector<Event>& events, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    session.wait(20ms);
    for (auto& event : session.drain()) events.push_back(std::move(event));
  }
  return true;
}

std::vector<RunEnded> ends_of(const std::vector<Event>& events, RunId run) {
  std::vector<RunEnded> ends;
  for (const auto& event : events) {
    if (const auto* end = std::get_if<RunEnded>(&event.body); end && event.run == run)
      ends.push_back(*end);
  }
  return ends;
}

bool drain_until_ended(Session& session, std::vector<Event>& events, RunId run,
                       std::size_t times = 1) {
  return drain_until(session, events, [&] { return ends_of(events, run).size() >= times; });
}

template <class Body>
std::ptrdiff_t count_of(const std::vector<Event>& events, RunId run) {
  return std::count_if(events.begin(), events.end(), [&](const Event& event) {
    return event.run == run && std::holds_alternative<Body>(event.body);
  });
}

/// Every stored event of the run came exactly once, in order, from 1 on.
bool without_gaps(const std::vector<Event>& events, RunId run) {
  std::int64_t next = 1;
  for (const auto& event : events) {
    if (event.run != run || event.seq == 0) continue;
    if (event.seq != next++) return false;
  }
  return next > 1;
}

template <class Error, class Action>
QString error_of(Action&& action) {
  try {
    action();
  } catch (const Error& e) {
    return QString::fromStdString(e.what());
  }
  return {};
}

/// Lets a test fill the disk: no file of this process may grow beyond the limit.
struct SmallDisk {
  SmallDisk() { signal(SIGXFSZ, SIG_IGN); }
  ~SmallDisk() { free(); }
  void fill(std::uint64_t bytes) { set(bytes); }
  void free() { set(RLIM_INFINITY); }
  static void set(rlim_t bytes) {
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
};

}  // namespace

class SessionTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void a_run_goes_from_queue_to_done();
  void the_store_holds_what_was_drained();
  void a_throw_at_any_moment_ends_the_run_once_data();
  void a_throw_at_any_moment_ends_the_run_once();
  void a_cancel_at_any_moment_ends_the_run_once_data();
  void a_cancel_at_any_moment_ends_the_run_once();
  void runs_work_in_order_of_submission();
  void a_queued_run_can_be_cancelled();
  void a_paused_run_stands_still_and_goes_on();
  void a_paused_run_can_be_cancelled_and_closed();
  void a_checkpoint_can_be_asked_for();
  void a_setting_tried_later_leaves_the_runs_own_evaluations_alone();
  void the_queue_can_be_reordered();
  void a_held_queue_waits_and_a_failure_may_hold_it();
  void bad_recipes_are_not_queued();
  void progress_is_newest_only_and_never_after_the_end();
  void a_lone_point_is_published_within_a_second();
  void resume_goes_on_from_the_newest_whole_checkpoint();
  void resume_without_a_checkpoint_starts_again();
  void active_and_finished_runs_cannot_be_resumed();
  void an_ended_run_can_be_resumed_at_once();
  void a_closed_session_leaves_runs_to_resume();
  void a_dead_session_leaves_interrupted_runs();
  void a_store_that_fails_stops_the_run_with_a_reason();
  void a_queue_waits_for_a_store_that_fails();
  void removing_deletes_rows_and_checkpoints();
  void the_trash_takes_all_or_none_and_gives_back_what_it_got();
  void annotations_reach_the_store_during_a_run();
  void a_second_session_is_refused();
  void threads_may_call_everything_at_once();
  void the_log_keeps_lines_for_the_faces_and_the_file();
  void a_log_without_a_file_does_not_throw();
};

void SessionTest::a_run_goes_from_queue_to_done() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted());
  QVERIFY(session.idle());
  const Recipe recipe = small_recipe();
  const RunId run = session.submit(recipe);
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, run));
  QVERIFY(session.idle());
  QCOMPARE(ends_of(events, run).size(), 1u);
  QCOMPARE(ends_of(events, run)[0].state, RunState::done);
  QCOMPARE(ends_of(events, run)[0].message, std::string("Done after 48 steps."));
  QVERIFY(ends_of(events, run)[0].seconds > 0);
  QVERIFY(without_gaps(events, run));
  QVERIFY(std::holds_alternative<RunQueued>(events[0].body));
  QCOMPARE(count_of<StageStarted>(events, run), 2);
  QCOMPARE(count_of<CheckpointSaved>(events, run), 6);
  QCOMPARE(count_of<Evaluated>(events, run), 7);

  const auto info = RunReader(session.paths().store).run(run).value();
  QCOMPARE(info.state, RunState::done);
  QCOMPARE(info.name, std::string("scripted"));
  QCOMPARE(info.recipe, to_resolved_yaml(recipe));
  QCOMPARE(info.hash, recipe_hash(recipe));
  QCOMPARE(info.steps, 48);
  QCOMPARE(info.total_steps, 48);
  QCOMPARE(info.device, std::string("cpu"));
  QCOMPARE(info.dtype, std::string("float32"));
  QVERIFY(!info.host.empty() && !info.version.empty());
  QVERIFY(info.created_ms > 0 && info.started_ms >= info.created_ms &&
          info.ended_ms >= info.started_ms);
  QVERIFY(info.seconds > 0);
}

void SessionTest::the_store_holds_what_was_drained() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted());
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, run));
  std::erase_if(events, [](const Event& event) { return event.seq == 0; });
  const RunReader reader(session.paths().store);
  const auto stored = reader.events_after(run, 0);
  QCOMPARE(stored.size(), events.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    QCOMPARE(stored[i].seq, events[i].seq);
    QCOMPARE(stored[i].body.index(), events[i].body.index());
    if (const auto* points = std::get_if<Points>(&events[i].body)) {
      QCOMPARE(std::get<Points>(stored[i].body).values, points->values);
    }
  }
  QCOMPARE(reader.series(run).at("train/loss").size(), 48u);
  QCOMPARE(reader.outcomes(run, 48, "hybrid", "theme").size(), 50u);
}

void SessionTest::a_throw_at_any_moment_ends_the_run_once_data() {
  QTest::addColumn<QString>("moment");
  QTest::addColumn<int>("failure");
  QTest::addColumn<QString>("message");
  for (const char* moment : {"start", "stage", "step", "evaluation", "checkpoint", "end"}) {
    const auto row = [&](const char* what, Script::Failure failure, const QString& message) {
      QTest::addRow("%s, %s", moment, what)
          << QString(moment) << static_cast<int>(failure) << message;
    };
    row("bad input", Script::Failure::input, "data.jsonl: line 3: expected a string");
    row("other", Script::Failure::other,
        QString("The run failed: scripted failure at %1").arg(moment));
    row("memory", Script::Failure::memory,
        "There was not enough memory; a smaller batch_size needs less.");
    row("unknown", Script::Failure::unknown, "The run failed: an error of unknown kind");
  }
}

void SessionTest::a_throw_at_any_moment_ends_the_run_once() {
  QFETCH(QString, moment);
  QFETCH(int, failure);
  QFETCH(QString, message);
  TempDir dir;
  Script script{.steps = 8, .every = 4, .fail_at = moment.toStdString()};
  script.failure = static_cast<Script::Failure>(failure);
  std::vector<Event> events;
  RunId run = 0;
  {
    Session session(paths_in(dir.path()), scripted(script));
    run = session.submit(small_recipe());
    QVERIFY(drain_until_ended(session, events, run));
    QVERIFY(session.idle());
  }
  QCOMPARE(ends_of(events, run).size(), 1u);
  QCOMPARE(ends_of(events, run)[0].state, RunState::failed);
  QCOMPARE(QString::fromStdString(ends_of(events, run)[0].message), message);
  QVERIFY(without_gaps(events, run));
  const auto info = RunReader(dir / "store.db").run(run).value();
  QCOMPARE(info.state, RunState::failed);
  QCOMPARE(QString::fromStdString(info.message), message);
}

void SessionTest::a_cancel_at_any_moment_ends_the_run_once_data() {
  QTest::addColumn<QString>("moment");
  for (const char* moment : {"start", "stage", "step", "evaluation", "checkpoint", "end"})
    QTest::addRow("%s", moment) << QString(moment);
}

void SessionTest::a_cancel_at_any_moment_ends_the_run_once() {
  QFETCH(QString, moment);
  TempDir dir;
  Session session(paths_in(dir.path()),
                  scripted({.steps = 8, .every = 4, .wait_at = moment.toStdString()}));
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until(session, events, [&] { return session.current().has_value(); }));
  QCOMPARE(session.current().value(), run);
  session.cancel(run);
  session.cancel(run);
  session.cancel(run + 100);
  QVERIFY(drain_until_ended(session, events, run));
  QVERIFY(!session.current());
  session.cancel(run);
  QCOMPARE(ends_of(events, run).size(), 1u);
  QCOMPARE(ends_of(events, run)[0].state, RunState::cancelled);
  QVERIFY(without_gaps(events, run));
  QCOMPARE(RunReader(dir / "store.db").run(run)->state, RunState::cancelled);
}

void SessionTest::runs_work_in_order_of_submission() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.steps = 4, .every = 4}));
  std::vector<RunId> runs;
  for (int i = 0; i < 5; ++i)
    runs.push_back(session.submit(small_recipe("run " + std::to_string(i))));
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, runs.back()));
  std::vector<RunId> started;
  std::optional<RunId> at_work;
  for (const auto& event : events) {
    if (std::holds_alternative<RunStarted>(event.body)) {
      QVERIFY(!at_work);
      at_work = event.run;
      started.push_back(event.run);
    }
    if (std::holds_alternative<RunEnded>(event.body)) at_work.reset();
  }
  QCOMPARE(started, runs);
  for (RunId run : runs) QVERIFY(without_gaps(events, run));
}

void SessionTest::a_queued_run_can_be_cancelled() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.wait_at = "stage"}));
  const RunId first = session.submit(small_recipe()), second = session.submit(small_recipe());
  session.cancel(second);
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, second));
  QVERIFY(ends_of(events, first).empty());
  QCOMPARE(count_of<RunStarted>(events, second), 0);
  QCOMPARE(ends_of(events, second)[0].state, RunState::cancelled);
  session.cancel(first);
  QVERIFY(drain_until_ended(session, events, first));
  QVERIFY(session.idle());
  QCOMPARE(RunReader(dir / "store.db").run(second)->state, RunState::cancelled);
}

/// Points of a run that were published so far.
static std::size_t points_of(const std::vector<Event>& events, RunId run) {
  return static_cast<std::size_t>(count_of<Points>(events, run));
}

void SessionTest::a_paused_run_stands_still_and_goes_on() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.steps = 60, .every = 60, .delay_ms = 5}));
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until(session, events, [&] { return points_of(events, run) > 2; }));
  session.pause(run);
  QVERIFY(session.paused(run));
  const auto says = [&](const char* text) {
    return std::any_of(events.begin(), events.end(), [&](const Event& event) {
      const auto* line = std::get_if<LogLine>(&event.body);
      return line && line->text == text;
    });
  };
  // The line is written when the run stands still; what it did before has a smaller seq.
  QVERIFY(drain_until(session, events, [&] { return says("paused"); }));
  const std::size_t still = points_of(events, run);
  for (int i = 0; i < 20; ++i) {
    session.wait(10ms);
    for (auto& event : session.drain()) events.push_back(std::move(event));
  }
  QCOMPARE(points_of(events, run), still);
  QVERIFY(!session.idle());
  session.go_on(run);
  QVERIFY(drain_until_ended(session, events, run));
  QVERIFY(says("goes on after a pause"));
  QVERIFY(points_of(events, run) > still);
  QVERIFY(without_gaps(events, run));
  const RunEnded end = ends_of(events, run)[0];
  QCOMPARE(end.state, RunState::done);
  QVERIFY(!session.paused(run));
  QVERIFY(!error_of<InputError>([&] { session.pause(run); }).isEmpty());
}

void SessionTest::a_paused_run_can_be_cancelled_and_closed() {
  TempDir dir;
  std::vector<Event> events;
  RunId second = 0;
  {
    Session session(paths_in(dir.path()), scripted({.steps = 60, .every = 60, .delay_ms = 5}));
    const RunId first = session.submit(small_recipe());
    second = session.submit(small_recipe());
    QVERIFY(drain_until(session, events, [&] { return points_of(events, first) > 0; }));
    session.pause(first);
    session.cancel(first);
    QVERIFY(drain_until_ended(session, events, first));
    QCOMPARE(ends_of(events, first)[0].state, RunState::cancelled);
    QVERIFY(drain_until(session, events, [&] { return points_of(events, second) > 0; }));
    session.pause(second);
  }
  QCOMPARE(RunReader(dir / "store.db").run(second)->state, RunState::cancelled);
}

void SessionTest::a_setting_tried_later_leaves_the_runs_own_evaluations_alone() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted());
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, run));
  const RunReader reader(session.paths().store);
  const auto own = reader.evaluations(run);
  const std::int64_t last = own.back().step;
  const auto outcomes = reader.outcomes(run, last, "hybrid", "all");
  Evaluated tried{last, 16, 0.5, {{"what if: hybrid, window 16", "all", "acc", 0.5, 0.01, 50, {}}}};
  session.record(run, tried);
  tried.step = last + 1;
  session.record(run, tried);
  QCOMPARE(reader.evaluations(run).size(), own.size());
  QCOMPARE(reader.evaluations(run).back().step, last);
  QCOMPARE(reader.what_ifs(run).size(), std::size_t(2));
  QCOMPARE(reader.what_ifs(run)[0].window, std::int64_t(16));
  QVERIFY(reader.outcomes(run, last, "hybrid", "all") == outcomes);
  const auto before = count_of<Evaluated>(events, run);
  for (auto& event : session.drain()) events.push_back(std::move(event));
  QCOMPARE(count_of<Evaluated>(events, run), before + 2);
  QVERIFY(without_gaps(events, run));
  QVERIFY(!error_of<InputError>([&] { session.record(run + 1, tried); }).isEmpty());
}

void SessionTest::a_checkpoint_can_be_asked_for() {
  TempDir dir;
  std::atomic<int> kept{0};
  Session session(paths_in(dir.path()),
                  [&](const RunRequest& request, const Emit& tell, std::stop_token stop) {
                    for (std::int64_t step = 1; kept == 0; ++step) {
                      if (stop.stop_requested()) throw Cancelled{};
                      tell(Points{step, {{"train/loss", 1.0}}});
                      if (request.checkpoint_asked->exchange(false)) {
                        tell(CheckpointSaved{step, 0, request.folder.string(), "asked", 1});
                        ++kept;
                      }
                      std::this_thread::sleep_for(2ms);
                    }
                    return std::string("done");
                  });
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until(session, events, [&] { return points_of(events, run) > 0; }));
  session.checkpoint_now(run);
  QVERIFY(drain_until_ended(session, events, run));
  QCOMPARE(count_of<CheckpointSaved>(events, run), 1);
  QVERIFY(!error_of<InputError>([&] { session.checkpoint_now(run); }).isEmpty());
}

void SessionTest::the_queue_can_be_reordered() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.wait_at = "stage"}));
  std::vector<RunId> runs;
  for (int i = 0; i < 4; ++i) runs.push_back(session.submit(small_recipe()));
  std::vector<Event> events;
  QVERIFY(drain_until(session, events, [&] { return session.current() == runs[0]; }));
  QCOMPARE(session.queue(), (std::vector<RunId>{runs[1], runs[2], runs[3]}));
  session.move_in_queue(runs[3], 0);
  QCOMPARE(session.queue(), (std::vector<RunId>{runs[3], runs[1], runs[2]}));
  session.move_in_queue(runs[3], 99);
  session.move_in_queue(runs[1], 1);
  QCOMPARE(session.queue(), (std::vector<RunId>{runs[2], runs[1], runs[3]}));
  session.move_in_queue(runs[0], 2);  // it is at work already
  session.cancel(runs[0]);
  QVERIFY(drain_until(session, events, [&] { return session.current() == runs[2]; }));
  for (RunId run : runs) session.cancel(run);
  QVERIFY(drain_until_ended(session, events, runs[2]));
}

void SessionTest::a_held_queue_waits_and_a_failure_may_hold_it() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.steps = 4, .every = 4, .fail_at = "end"}));
  std::vector<Event> events;
  session.hold_queue(true);
  const RunId first = session.submit(small_recipe()), second = session.submit(small_recipe());
  QVERIFY(!session.current());
  QCOMPARE(session.queue().size(), std::size_t(2));
  session.hold_queue_on_failure(true);
  session.hold_queue(false);
  QVERIFY(drain_until_ended(session, events, first));
  QCOMPARE(ends_of(events, first)[0].state, RunState::failed);
  QVERIFY(session.queue_held());
  QCOMPARE(session.queue(), std::vector<RunId>{second});
  session.hold_queue_on_failure(false);
  session.hold_queue(false);
  QVERIFY(drain_until_ended(session, events, second));
  QVERIFY(!session.queue_held());
  QVERIFY(drain_until(session, events, [&] { return session.idle(); }));
}

void SessionTest::bad_recipes_are_not_queued() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted());
  Recipe recipe = small_recipe();
  recipe.attention.window = -3;
  QVERIFY(!session.check(recipe).empty());
  const QString error = error_of<InputError>([&] { session.submit(recipe); });
  QVERIFY2(error.contains("attention.window"), qPrintable(error));
  QVERIFY(session.idle());
  QVERIFY(RunReader(dir / "store.db").runs().empty());
}

void SessionTest::progress_is_newest_only_and_never_after_the_end() {
  TempDir dir;
  std::latch emitted(1), go(1);
  Session session(paths_in(dir.path()), [&](const RunRequest&, const Emit& tell, std::stop_token) {
    tell(RunStarted{"cpu", "float32"});
    for (std::int64_t i = 1; i <= 1000; ++i)
      tell(Progress{.phase = "train", .total_step = i, .total_steps = 1000});
    emitted.count_down();
    go.wait();
    tell(Progress{.phase = "train", .total_step = 1001, .total_steps = 1000});
    return std::string("Done.");
  });
  const RunId run = session.submit(small_recipe());
  emitted.wait();
  std::vector<Event> events = session.drain();
  QCOMPARE(count_of<Progress>(events, run), 1);
  QCOMPARE(std::get<Progress>(events.back().body).total_step, 1000);
  go.count_down();
  QVERIFY(drain_until_ended(session, events, run));
  QVERIFY(std::holds_alternative<RunEnded>(events.back().body));
  QVERIFY(session.drain().empty());
  QCOMPARE(RunReader(dir / "store.db").run(run)->total_steps, 1000);
}

void SessionTest::a_lone_point_is_published_within_a_second() {
  TempDir dir;
  std::latch go(1);
  Session session(paths_in(dir.path()), [&](const RunRequest&, const Emit& tell, std::stop_token) {
    tell(Points{1, {{"a", 1}}});
    go.wait();
    return std::string("Done.");
  });
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QElapsedTimer timer;
  timer.start();
  const bool came =
      drain_until(session, events, [&] { return count_of<Points>(events, run) == 1; });
  const auto elapsed = timer.elapsed();
  go.count_down();
  QVERIFY(came);
  QVERIFY2(elapsed < 1000, std::to_string(elapsed).c_str());
  QVERIFY(drain_until_ended(session, events, run));
}

void SessionTest::resume_goes_on_from_the_newest_whole_checkpoint() {
  TempDir dir;
  RunId run = 0;
  std::vector<Event> events;
  {
    Session session(paths_in(dir.path()), scripted({.steps = 24, .every = 8, .fail_at = "end"}));
    run = session.submit(small_recipe());
    QVERIFY(drain_until_ended(session, events, run));
  }
  const auto folder = dir / ("store.db.runs/" + std::to_string(run));
  std::filesystem::remove_all(folder / "step-48");                // deleted by hand
  std::filesystem::remove(folder / "step-40" / "manifest.json");  // not whole
  const std::int64_t before = RunReader(dir / "store.db").run(run)->last_seq;

  Session session(paths_in(dir.path()), scripted());
  session.resume(run);
  std::vector<Event> later;
  QVERIFY(drain_until_ended(session, later, run));
  QCOMPARE(ends_of(later, run)[0].state, RunState::done);
  for (const auto& event : later) {
    if (const auto* points = std::get_if<Points>(&event.body)) QVERIFY(points->step > 32);
    if (event.seq != 0) {
      QVERIFY(event.seq > before);
    }
  }
  const RunReader reader(dir / "store.db");
  const auto live = reader.series(run).at("train/loss");
  QCOMPARE(live.size(), 48u);
  for (std::size_t i = 0; i < live.size(); ++i)
    QCOMPARE(live[i].step, static_cast<std::int64_t>(i + 1));
  QCOMPARE(reader.superseded(run).at("train/loss").size(), 16u);
  const auto info = reader.run(run).value();
  QCOMPARE(info.attempt, 2);
  QCOMPARE(info.steps, 48);
  const double both = ends_of(events, run)[0].seconds + ends_of(later, run)[0].seconds;
  QVERIFY(std::abs(info.seconds - both) < 1e-9);
}

void SessionTest::resume_without_a_checkpoint_starts_again() {
  TempDir dir;
  Session session(paths_in(dir.path()),
                  scripted({.steps = 8, .every = 8, .fail_at = "checkpoint"}));
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, run));
  session.resume(run);
  QVERIFY(drain_until_ended(session, events, run, 2));
  QVERIFY(without_gaps(events, run));
  const RunReader reader(dir / "store.db");
  QCOMPARE(reader.series(run).at("train/loss").size(), 8u);
  QCOMPARE(reader.superseded(run).at("train/loss").size(), 8u);
  QCOMPARE(reader.series(run).at("validation/loss").front().step, 0);
  QCOMPARE(reader.series(run).at("validation/loss").size(), 2u);
}

void SessionTest::active_and_finished_runs_cannot_be_resumed() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.wait_at = "stage"}));
  const RunId first = session.submit(small_recipe()), second = session.submit(small_recipe());
  QVERIFY(error_of<InputError>([&] { session.resume(first); }).contains("already"));
  QVERIFY(error_of<InputError>([&] { session.resume(second); }).contains("already"));
  QVERIFY(error_of<InputError>([&] { session.remove(second); }).contains("cancel it first"));
  QVERIFY(error_of<InputError>([&] { session.resume(99); }).contains("not in the store"));
  session.cancel(second);
  session.cancel(first);
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, first));
  {
    sqlite::Database other(dir / "store.db", sqlite::Mode::write);
    other.run("UPDATE runs SET state='done' WHERE id=1");
  }
  QVERIFY(error_of<InputError>([&] { session.resume(first); }).contains("is done"));
}

void SessionTest::an_ended_run_can_be_resumed_at_once() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.steps = 2, .every = 2, .fail_at = "end"}));
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  for (std::size_t times = 1; times <= 30; ++times) {
    QVERIFY(drain_until_ended(session, events, run, times));
    QCOMPARE(ends_of(events, run).size(), times);
    if (times < 30) session.resume(run);
  }
  QVERIFY(without_gaps(events, run));
  QCOMPARE(RunReader(dir / "store.db").run(run)->attempt, 30);
}

void SessionTest::a_closed_session_leaves_runs_to_resume() {
  TempDir dir;
  RunId running = 0, queued = 0;
  {
    Session session(paths_in(dir.path()), scripted({.wait_at = "step"}));
    running = session.submit(small_recipe());
    queued = session.submit(small_recipe());
    std::vector<Event> events;
    QVERIFY(
        drain_until(session, events, [&] { return count_of<StageStarted>(events, running) == 1; }));
  }
  {
    const RunReader reader(dir / "store.db");
    QCOMPARE(reader.run(running)->state, RunState::cancelled);
    QVERIFY(QString::fromStdString(reader.run(running)->message).contains("closed"));
    QCOMPARE(reader.run(queued)->state, RunState::interrupted);
    QVERIFY(QString::fromStdString(reader.run(queued)->message).contains("closed"));
    const auto stored = reader.events_after(running, 0);
    QCOMPARE(ends_of(stored, running).size(), 1u);
  }
  Session session(paths_in(dir.path()), scripted());
  session.resume(queued);
  session.resume(running);
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, running));
  QCOMPARE(ends_of(events, running)[0].state, RunState::done);
  QCOMPARE(ends_of(events, queued)[0].state, RunState::done);
}

void SessionTest::a_dead_session_leaves_interrupted_runs() {
  TempDir dir;
  RunId run = 0;
  {
    RunWriter writer(dir / "store.db");  // as a killed session leaves it
    RunInfo info;
    info.name = "killed";
    info.recipe = to_resolved_yaml(small_recipe("killed"));
    run = writer.create(info);
    const auto checkpoint = dir / "elsewhere/step-8";
    std::filesystem::create_directories(dir / ("store.db.runs/" + std::to_string(run) + "/step-8"));
    std::ofstream(dir / ("store.db.runs/" + std::to_string(run) + "/step-8/manifest.json")) << 8;
    std::vector<Event> events = {{run, 0, RunStarted{"cpu", "float32"}}};
    for (std::int64_t step = 1; step <= 11; ++step)
      events.push_back({run, 0, Points{step, {{"train/loss", 1}}}});
    events.push_back(
        {run, 0,
         CheckpointSaved{8, 0, checkpoint.string(), "step", 1}});  // the store was moved since
    writer.append(events);
  }
  Session session(paths_in(dir.path()), scripted());
  QCOMPARE(RunReader(dir / "store.db").run(run)->state, RunState::interrupted);
  session.resume(run);
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, run));
  const RunReader reader(dir / "store.db");
  QCOMPARE(reader.run(run)->state, RunState::done);
  QCOMPARE(reader.series(run).at("train/loss").size(), 48u);
  QCOMPARE(reader.superseded(run).at("train/loss").size(), 3u);
}

void SessionTest::a_store_that_fails_stops_the_run_with_a_reason() {
  TempDir dir;
  SmallDisk disk;
  std::latch full(1), told(1);
  std::atomic<bool> stopped = false;
  std::vector<Event> events;
  RunId run = 0;
  {
    Session session(paths_in(dir.path()),
                    [&](const RunRequest&, const Emit& tell, std::stop_token stop) -> std::string {
                      tell(RunStarted{"cpu", "float32"});
                      tell(Points{1, {{"a", 1}}});
                      tell(CheckpointSaved{1, 0, "nowhere", "step", 1});
                      full.wait();
                      for (std::int64_t step = 2; !stop.stop_requested(); ++step) {
                        tell(Points{step, {{"a", 1}}});
                        std::this_thread::sleep_for(1ms);
                      }
                      stopped = true;
                      throw Cancelled{};
                    });
    run = session.submit(small_recipe());
    QVERIFY(
        drain_until(session, events, [&] { return count_of<CheckpointSaved>(events, run) == 1; }));
    disk.fill(1);
    full.count_down();
    QVERIFY(drain_until_ended(session, events, run));
    QVERIFY(stopped);
    QCOMPARE(ends_of(events, run)[0].state, RunState::failed);
    const QString message = QString::fromStdString(ends_of(events, run)[0].message);
    QVERIFY2(message.contains("store.db"), qPrintable(message));
    QCOMPARE(RunReader(dir / "store.db").run(run)->state,
             RunState::running);  // nothing half stored
    QCOMPARE(RunReader(dir / "store.db").run(run)->steps, 1);
    QVERIFY(!session.current());

    disk.free();  // what was kept back is stored when there is room again
    QVERIFY(drain_until(session, events, [&] {
      return RunReader(dir / "store.db").run(run)->state == RunState::failed;
    }));
    QVERIFY(drain_until(session, events, [&] { return count_of<Points>(events, run) > 1; }));
  }
  QCOMPARE(ends_of(events, run).size(), 1u);
  const RunReader reader(dir / "store.db");
  QCOMPARE(static_cast<std::ptrdiff_t>(reader.series(run).at("a").size()),
           count_of<Points>(events, run));
  QCOMPARE(reader.integrity(), std::string("ok"));
  QCOMPARE(ends_of(reader.events_after(run, 0), run).size(), 1u);
}

void SessionTest::a_queue_waits_for_a_store_that_fails() {
  TempDir dir;
  SmallDisk disk;
  Session session(paths_in(dir.path()), scripted({.steps = 4, .every = 4, .wait_at = "end"}));
  const RunId first = session.submit(small_recipe()), second = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(
      drain_until(session, events, [&] { return count_of<CheckpointSaved>(events, first) == 2; }));
  disk.fill(1);
  session.cancel(first);
  QVERIFY(drain_until_ended(session, events, first));
  QVERIFY(!session.wait(300ms));
  QVERIFY(!session.current());
  QVERIFY(!session.idle());
  QVERIFY(!error_of<StoreError>([&] { session.submit(small_recipe()); }).isEmpty());
  disk.free();
  QVERIFY(
      drain_until(session, events, [&] { return count_of<CheckpointSaved>(events, second) == 2; }));
  session.cancel(second);
  QVERIFY(drain_until_ended(session, events, second));
  QCOMPARE(ends_of(events, first).size(), 1u);
  QCOMPARE(ends_of(events, second).size(), 1u);
  QCOMPARE(ends_of(events, second)[0].state, RunState::cancelled);
}

void SessionTest::removing_deletes_rows_and_checkpoints() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.steps = 4, .every = 4}));
  const RunId run = session.submit(small_recipe()), other = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, other));
  const auto runs = session.paths().checkpoints;
  QVERIFY(std::filesystem::exists(runs / std::to_string(run)));
  session.remove(run);
  QVERIFY(!std::filesystem::exists(runs / std::to_string(run)));
  QVERIFY(std::filesystem::exists(runs / std::to_string(other)));
  const RunReader reader(dir / "store.db");
  QVERIFY(!reader.run(run));
  QVERIFY(reader.run(other));
  QVERIFY(error_of<StoreError>([&] { session.remove(run); }).contains("no run"));
}

void SessionTest::the_trash_takes_all_or_none_and_gives_back_what_it_got() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.steps = 4, .every = 4}));
  const RunId run = session.submit(small_recipe()), other = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, other));
  const RunReader reader(dir / "store.db");
  const auto before = reader.series(run);
  session.trash({run, other});
  QVERIFY(reader.run(run)->trashed_ms > 0 && reader.run(other)->trashed_ms > 0);
  QVERIFY(std::filesystem::exists(session.paths().checkpoints / std::to_string(run)));
  QVERIFY(error_of<InputError>([&] { session.resume(run); }).contains("restore it first"));
  QVERIFY(error_of<InputError>([&] { session.record(run, {}); }).contains("restore it first"));
  Recipe from = small_recipe();
  from.start_from = std::to_string(run);
  QVERIFY(error_of<InputError>([&] { session.submit(from); }).contains("in the trash"));
  session.restore({run, other});
  QCOMPARE(reader.run(run)->trashed_ms, 0);
  QCOMPARE(reader.series(run).size(), before.size());

  session.hold_queue(true);
  const RunId queued = session.submit(small_recipe());
  const QString why = error_of<InputError>([&] { session.trash({run, queued}); });
  QVERIFY(why.contains(QString("Run %1").arg(queued)) && why.contains("stop it first"));
  QCOMPARE(reader.run(run)->trashed_ms, 0);
  QVERIFY(error_of<InputError>([&] { session.trash({99}); }).contains("not in the store"));
}

void SessionTest::annotations_reach_the_store_during_a_run() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted({.wait_at = "stage"}));
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until(session, events, [&] { return count_of<StageStarted>(events, run) == 1; }));
  session.annotate(run, "renamed", "good", "notes");
  session.cancel(run);
  QVERIFY(drain_until_ended(session, events, run));
  const auto info = RunReader(dir / "store.db").find("renamed").value();
  QCOMPARE(info.id, run);
  QCOMPARE(info.tags, std::string("good"));
  QCOMPARE(info.state, RunState::cancelled);
}

void SessionTest::a_second_session_is_refused() {
  TempDir dir;
  Session session(paths_in(dir.path()), scripted());
  QVERIFY(error_of<StoreBusy>([&] {
            Session other(paths_in(dir.path()), scripted());
          }).contains("--store"));
  const RunId run = session.submit(small_recipe());
  std::vector<Event> events;
  QVERIFY(drain_until_ended(session, events, run));
}

void SessionTest::threads_may_call_everything_at_once() {
  TempDir dir;
  std::vector<Event> events;
  std::vector<RunId> runs;
  {
    Session session(paths_in(dir.path()), scripted({.steps = 4, .every = 2}));
    std::mutex mutex;
    std::atomic<int> working = 4;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 5; ++i) {
          const RunId run =
              session.submit(small_recipe(std::to_string(t) + "/" + std::to_string(i)));
          {
            const std::lock_guard lock(mutex);
            runs.push_back(run);
          }
          if (i % 3 == 1) session.cancel(run);
          session.annotate(run, "named", "", "");
          session.idle();
          session.current();
          RunReader(session.paths().store).series(run);
        }
        --working;
      });
    }
    QVERIFY(drain_until(session, events, [&] { return working == 0 && session.idle(); }));
    for (auto& event : session.drain()) events.push_back(std::move(event));
    for (auto& thread : threads) thread.join();
  }
  QCOMPARE(runs.size(), 20u);
  for (RunId run : runs) {
    QCOMPARE(ends_of(events, run).size(), 1u);
    QVERIFY(without_gaps(events, run));
  }
}

void SessionTest::the_log_keeps_lines_for_the_faces_and_the_file() {
  TempDir dir;
  take_log_lines();
  open_log(dir / "logs/equipoise.log");
  engine::log(LogLine::Level::warning, "braces {} and %s stay");
  log_to_file(LogLine::Level::info, "only in the file");
  const auto lines = take_log_lines();
  QCOMPARE(lines.size(), 1u);
  QCOMPARE(lines[0].text, std::string("braces {} and %s stay"));
  QVERIFY(take_log_lines().empty());
  std::ifstream in(dir / "logs/equipoise.log");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  QVERIFY(text.find("[warning] braces {} and %s stay\n") != std::string::npos);
  QVERIFY(text.find("[info] only in the file\n") != std::string::npos);
  for (int i = 0; i < 12'000; ++i) engine::log(LogLine::Level::debug, std::to_string(i));
  const auto kept = take_log_lines();
  QCOMPARE(kept.size(), 10'000u);
  QCOMPARE(kept.back().text, std::string("11999"));
}

void SessionTest::a_log_without_a_file_does_not_throw() {
  TempDir dir;
  std::ofstream(dir / "file") << "x";
  take_log_lines();
  open_log(dir / "file/log");
  const auto lines = take_log_lines();
  QCOMPARE(lines.size(), 1u);
  QVERIFY(QString::fromStdString(lines[0].text).startsWith("No log file is written"));
  engine::log(LogLine::Level::info, "x");
  QCOMPARE(take_log_lines().size(), 1u);
  SmallDisk disk;
  open_log(dir / "full.log");
  disk.fill(100);
  for (int i = 0; i < 100; ++i) engine::log(LogLine::Level::info, "a line on a full disk");
  disk.free();
  QCOMPARE(take_log_lines().size(), 100u);
}

QTEST_GUILESS_MAIN(SessionTest)
#include "tst_session.moc"
