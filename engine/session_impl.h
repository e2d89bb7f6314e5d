#pragma once
/// What a Session is made of. Inner header of session.cpp and session_worker.cpp.

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "engine/session.h"

namespace engine {

/// The run at work.
struct CurrentRun {
  RunId run = 0;
  std::stop_source stop;
  std::int64_t total_steps = 0;
  std::string store_problem;  ///< why the run was stopped, where the store could not be written
  std::shared_ptr<std::atomic<bool>> checkpoint_asked;
  bool paused = false;
  std::chrono::steady_clock::duration held{};  ///< time spent paused
};

struct Session::Impl {
  Impl(Paths p, Execute e) : paths(std::move(p)), execute(std::move(e)), writer(paths.store) {}

  const Paths paths;
  const Execute execute;

  /// Held by whoever changes which runs are active from outside; taken before the others.
  std::mutex door;
  /// Guards the writer and the order in which what it committed is published. Taken before `mutex`.
  std::mutex store_mutex;
  RunWriter writer;

  /// Guards all below; never held while the disk is at work, so drain() does not wait for it.
  mutable std::mutex mutex;
  std::condition_variable_any work, to_store, to_drain;
  std::deque<RunRequest> queue;
  std::optional<CurrentRun> current;
  std::vector<Event> pending;       ///< not stored yet
  std::vector<Event> outbox;        ///< stored, not drained yet
  std::map<RunId, Event> progress;  ///< the newest of each run
  std::set<RunId> told;             ///< their RunEnded was published before it could be stored
  std::string store_problem;        ///< why the last write failed; empty: it did not
  bool closing = false;
  bool queue_held = false, hold_on_failure = false;

  std::jthread flusher, worker;

  bool active(RunId run) const;
  void enqueue(RunRequest request, const std::string& name);
  void emit(RunId run, EventBody body);
  void emit_progress(RunId run, const Progress& newest);
  void flush();
  std::optional<std::stop_source> flush_locked();
  void publish(std::vector<Event> batch);
  void keep_flushing(const std::stop_token& stop);
  void keep_working(const std::stop_token& stop);
  void wait_while_paused(RunId run, const std::stop_token& stop);
  void set_paused(RunId run, bool on);
  void set_trashed(const std::vector<RunId>& runs, bool trashed);
  RunEnded attempt(const RunRequest& request, const std::stop_token& stop);
  RunEnded answer(const RunRequest& request, const std::stop_token& stop);
  void end(RunId run, RunEnded ended);
};

}  // namespace engine
