#pragma once
/// The store: one SQLite file that holds every run, every point with its exact bits, every evaluation, and where the
/// checkpoints lie. One connection of one process writes and checkpoints the WAL; all others are read-only.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engine/event.h"

namespace engine {

struct StoreError : std::runtime_error { using std::runtime_error::runtime_error; };
/// Another process holds the store's writing lock; what() says which (pid, host) and how to go on.
struct StoreBusy : StoreError { using StoreError::StoreError; };

struct RunInfo {
  RunId id = 0;
  std::string name;
  RunState state = RunState::queued;
  std::string message;           ///< closing sentence
  std::string recipe;            ///< resolved YAML, as frozen
  std::string hash;              ///< recipe_hash: equal for seeds of one setting
  std::int64_t seed = 0;
  std::int64_t started_ms = 0, ended_ms = 0;  ///< UTC, milliseconds since 1970; 0: not yet
  std::int64_t created_ms = 0;
  std::int64_t steps = 0;        ///< last live step
  std::int64_t total_steps = 0;  ///< planned
  double seconds = 0;            ///< time at work, over all attempts
  std::string device, dtype, host, version;
  std::string tags, notes;
  std::int64_t attempt = 0;
  std::int64_t last_seq = 0;
  std::int64_t trashed_ms = 0;   ///< when it went to the trash; 0: it is not there
};

struct SeriesPoint { std::int64_t step = 0; double value = 0; };
struct StepTime { std::int64_t step = 0, time_ms = 0; };  ///< when points of a step were stored, UTC
struct StoredEvaluation {
  std::int64_t step = 0, window = 0;
  std::string component, task, metric;
  double value = 0, stderr_ = 0;
  std::int64_t n = 0;
};
/// A setting that was tried on a checkpoint is stored as an evaluation whose components begin with this. It stands apart
/// from the run's own: neither its curves nor its verdict know it.
inline constexpr std::string_view k_what_if = "what if: ";
inline bool is_what_if(std::string_view component) { return component.starts_with(k_what_if); }

struct StoredCheckpoint {
  std::int64_t step = 0, stage = 0, attempt = 0, bytes = 0;
  std::string path, kind;
  bool live = true;  ///< false: a later attempt went back behind it
};

/// What RunWriter::take_over did.
struct ImportedRun {
  RunId there = 0, here = 0;
  std::string name;
};
struct StoreImport {
  std::vector<ImportedRun> taken;   ///< by number there
  std::vector<ImportedRun> known;   ///< were here already and stay as they are
  std::vector<std::string> notes;   ///< a sentence each: left out, gone on since, …
};

/// Read-only view; its own connection, automatic WAL checkpoints off, short reads. Cheap to make; one thread each.
/// Every read throws StoreError with the file's name where the file is damaged.
class RunReader {
 public:
  explicit RunReader(const std::filesystem::path& store);  ///< throws StoreError: missing, not a store, too new, damaged
  ~RunReader();
  RunReader(RunReader&&) noexcept;

  std::vector<RunInfo> runs() const;                 ///< newest first, with those in the trash
  std::optional<RunInfo> run(RunId run) const;
  /// By id, by exact name (newest of that name), or by a unique beginning of the name; none that is in the trash.
  std::optional<RunInfo> find(const std::string& text) const;
  std::optional<RunInfo> find_in_trash(const std::string& text) const;  ///< the same among those in the trash
  std::map<std::string, std::vector<SeriesPoint>> series(RunId run) const;  ///< live points only, every one, by step
  std::map<std::string, std::vector<SeriesPoint>> superseded(RunId run) const;  ///< points of attempts gone back behind
  std::vector<StepTime> step_times(RunId run) const;                        ///< of the live points; both rise
  std::vector<StoredEvaluation> evaluations(RunId run) const;               ///< live ones, by step
  std::vector<StoredEvaluation> what_ifs(RunId run) const;                  ///< live ones, by step, as they were stored
  std::vector<std::uint8_t> outcomes(RunId run, std::int64_t step, const std::string& component,
                                     const std::string& task) const;        ///< empty where none are stored
  std::vector<StoredCheckpoint> checkpoints(RunId run) const;               ///< oldest first
  /// Stored events with a greater seq, oldest first, rebuilt as they were: how a run of another process is followed.
  std::vector<Event> events_after(RunId run, std::int64_t seq) const;
  std::string integrity() const;                     ///< "ok", or what is wrong

  /// While it lives, all reads of this reader see the store at one moment: points and `last_seq` then fit together.
  /// Keep it short, since the WAL cannot shrink meanwhile. The reader must outlive it and stay where it is.
  class Snapshot {
   public:
    explicit Snapshot(const RunReader& reader);
    ~Snapshot();
    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;

   private:
    struct Hold;
    std::unique_ptr<Hold> hold_;
  };

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The one writer. Not thread-safe: owned by Session behind its lock. Holds <store>.lock for its life.
class RunWriter {
 public:
  /// Makes or opens and migrates the file. `read_only_hint` is the sentence's second half when busy.
  explicit RunWriter(const std::filesystem::path& store);
  ~RunWriter();
  RunWriter(RunWriter&&) noexcept;

  RunId create(const RunInfo& info);                     ///< durable when it returns
  /// Next attempt: live points are those of earlier attempts up to `from_step`, then this attempt's. -1: from the
  /// start, nothing of earlier attempts stays live.
  void begin_attempt(RunId run, std::int64_t from_step);
  /// Appends in one transaction and gives each its seq; durable against kill -9 when it returns, and against power loss
  /// where the events start or end a run or record a checkpoint. On a full disk throws StoreError and stores none of
  /// them. Of Progress only `total_steps` is kept; its seq stays 0.
  void append(std::vector<Event>& events);
  void set_state(RunId run, RunState state, const std::string& message);
  void annotate(RunId run, const std::string& name, const std::string& tags, const std::string& notes);
  /// Into the trash or back, all of them in one transaction. Rows and checkpoints stay as they are. Throws StoreError where
  /// one is not in the store; nothing is changed then.
  void set_trashed(const std::vector<RunId>& runs, bool trashed);
  void remove(RunId run);                                ///< every row, for good
  std::vector<RunId> mark_interrupted();                 ///< runs left running or queued by a process that died
  /// Copies every run of the store `other` that is not here, with all rows, and its checkpoints from "<other>.runs/<run>"
  /// to "<runs>/<number here>", whose paths the rows then have. One transaction: all of them or none, files included. A run
  /// is known by recipe hash, seed, creation time and host, since name, tags and notes may be changed later. Runs in the
  /// other's trash, or that another program is working on there, are left out; those whose program died come as
  /// interrupted. Throws StoreError:
  /// `other` is missing, this store, newer, older, damaged; a file cannot be copied.
  StoreImport take_over(const std::filesystem::path& other, const std::filesystem::path& runs);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engine
