#pragma once
/// The only door into the engine for both faces.

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/event.h"
#include "engine/recipe.h"
#include "engine/run_store.h"

namespace engine {

/// Where things lie; filled by app/paths.cpp.
struct Paths {
  std::filesystem::path store;        ///< the SQLite file
  std::filesystem::path checkpoints;  ///< a folder a run below it: <store>.runs/<run>/
  std::filesystem::path log;          ///< rotating log file
  std::filesystem::path cache;        ///< tokenised text and the like; may be deleted at any time
};

/// What `execute` gets. The recipe is frozen.
struct RunRequest {
  RunId run = 0;
  Recipe recipe;
  std::filesystem::path folder;                      ///< the run's checkpoint folder, made already
  std::filesystem::path cache;
  std::optional<std::filesystem::path> resume_from;  ///< checkpoint folder to go on from
  std::optional<std::filesystem::path> start_from;   ///< checkpoint folder or file whose tensors it begins with
  /// Set by Session::checkpoint_now: the next step's end is a checkpoint of kind "asked"; execute clears it.
  std::shared_ptr<std::atomic<bool>> checkpoint_asked = std::make_shared<std::atomic<bool>>(false);
};

using Emit = std::function<void(EventBody)>;
/// Runs the recipe to its end. Returns the closing sentence; throws Cancelled when the token asked for it, InputError
/// or any other exception when it failed. Lives in execute.h; tests hand in a scripted one.
using Execute = std::function<std::string(const RunRequest&, const Emit&, std::stop_token)>;

/// All members are thread-safe; it never calls back. One drainer.
class Session {
 public:
  /// Opens the store for writing, marks runs found "running" as interrupted, starts the worker.
  /// Throws StoreBusy where another process writes to it, StoreError where it cannot be opened.
  Session(Paths paths, Execute execute);
  ~Session();  ///< asks the current run to stop (its checkpoint is kept) and joins; queued runs stay queued as interrupted
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  std::vector<Problem> check(const Recipe& recipe) const;  ///< empty of errors: the recipe can be submitted
  RunId submit(Recipe recipe);                             ///< queues; freezes the recipe; throws InputError on problems
  /// Queues an interrupted, failed or cancelled run again, from its last good checkpoint (or its start). Points behind
  /// that checkpoint stay in the store as a superseded attempt. Throws InputError where the run is active, done or in the trash.
  void resume(RunId run);
  void cancel(RunId run);                       ///< asks; the run answers with RunEnded{cancelled}
  std::vector<Event> drain();                   ///< all events since the last call, oldest first
  bool wait(std::chrono::milliseconds timeout); ///< true when there is something to drain
  bool idle() const;                            ///< nothing runs and nothing is queued
  std::optional<RunId> current() const;

  /// Holds the current run where it next reports something, until `go_on`, `cancel` or the session's end. Its memory
  /// stays in use and nothing is computed twice. Throws InputError where the run is not the current one.
  void pause(RunId run);
  void go_on(RunId run);                        ///< no effect where it is not paused
  bool paused(RunId run) const;
  /// Asks the current run for a checkpoint at its next step's end. Throws InputError where it is not the current one.
  void checkpoint_now(RunId run);

  std::vector<RunId> queue() const;             ///< runs that wait, the next one first
  void move_in_queue(RunId run, std::size_t place);  ///< 0: next; beyond the end: last; no effect where it does not wait
  void hold_queue(bool on);                     ///< while on, no queued run begins; the current one goes on
  bool queue_held() const;
  void hold_queue_on_failure(bool on);          ///< a failed run holds the queue; off at the start: the next one begins

  // Changes to the store that are not runs. Thread-safe; the store's one writing connection does them.
  /// Into the trash: out of every list and search, with its rows and checkpoints kept as they are. All of them or none:
  /// throws InputError where one is running or queued or not in the store.
  void trash(const std::vector<RunId>& runs);
  void restore(const std::vector<RunId>& runs);  ///< out of the trash again, as they were; throws InputError as `trash`
  void remove(RunId run);                       ///< deletes rows and checkpoints for good; throws InputError while it runs
  void annotate(RunId run, const std::string& name, const std::string& tags, const std::string& notes);

  /// Stores what was evaluated on a checkpoint of a run that is not at work, and publishes it as any event. Throws
  /// InputError where the run is running, queued, in the trash or not in the store.
  void record(RunId run, Evaluated evaluation);

  /// Takes over the runs of another store: RunWriter::take_over.
  StoreImport take_over(const std::filesystem::path& other);

  const Paths& paths() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engine
