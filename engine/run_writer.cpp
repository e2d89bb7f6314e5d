#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include "engine/run_import.h"
#include "engine/run_store.h"
#include "engine/run_store_schema.h"
#include "engine/sqlite.h"
#include "engine/store_lock.h"

namespace engine {
namespace {

/// What the writer must know of a run to append to it: its changing columns and the next free keys.
struct RunRow {
  std::string state, message, device, dtype;
  std::int64_t started_ms = 0, ended_ms = 0, steps = 0, total_steps = 0;
  std::int64_t attempt = 0, last_seq = 0, attempt_started_ms = 0;
  double seconds = 0;
  std::int64_t next_point = 0, next_score = 0;
};

bool must_be_durable(const Event& event) {
  return std::holds_alternative<RunQueued>(event.body) ||
         std::holds_alternative<RunStarted>(event.body) ||
         std::holds_alternative<CheckpointSaved>(event.body) ||
         std::holds_alternative<RunEnded>(event.body);
}

/// The fixed columns of one row of `events`; what a kind does not use stays empty.
struct EventRow {
  const char* kind = "";
  std::string_view word = {}, text = {};
  std::int64_t bits = 0;  ///< seconds of an end as bits; the step of points
  std::int64_t first = 0, count = 0;
};

/// Where an event goes.
struct Place {
  RunId run = 0;
  std::int64_t key = 0, time_ms = 0;
  RunRow& row;
};

}  // namespace

struct RunWriter::Impl {
  explicit Impl(const std::filesystem::path& store) : lock(store), db(store, sqlite::Mode::write) {
    prepare_for_writing(db, store_schema());
    const bool shared = on_shared_file_system(store);
    const std::string mode =
        db.text(shared ? "PRAGMA journal_mode=DELETE" : "PRAGMA journal_mode=WAL");
    if (shared && mode != "delete") {
      throw StoreError("Cannot use the store " + store.string() +
                       " on a file system shared by hosts while another program reads it.");
    }
    db.run("PRAGMA journal_size_limit=16777216");
    inserts.emplace(db);
  }

  struct Inserts {
    explicit Inserts(sqlite::Database& d)
        : event(d, "INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?)"),
          point(d, "INSERT INTO points VALUES(?,?,?,?,?)"),
          score(d, "INSERT INTO scores VALUES(?,?,?,?,?,?,?,?,?)") {}
    sqlite::Statement event, point, score;
  };

  StoreLock lock;
  sqlite::Database db;
  std::optional<Inserts> inserts;
  std::map<RunId, RunRow> rows;                          ///< as committed
  std::unordered_map<std::string, std::int64_t> series;  ///< name to id, as committed

  RunRow load(RunId run);
  const RunRow& row(RunId run);
  void save(RunId run, const RunRow& row);
  std::int64_t next_key(const char* table, KeyRange keys);
  std::int64_t series_id(const std::string& name);
  void store(Event& event, RunRow& row, std::int64_t time_ms);
  EventRow put(const RunQueued& queued, Place at);
  EventRow put(const RunStarted& started, Place at);
  EventRow put(const StageStarted& stage, Place at);
  EventRow put(const Points& points, Place at);
  EventRow put(const Progress& progress, Place at);
  EventRow put(const Evaluated& evaluated, Place at);
  EventRow put(const CheckpointSaved& saved, Place at);
  EventRow put(const LogLine& line, Place at);
  EventRow put(const RunEnded& ended, Place at);
  void attempt_starts(RunId run, RunRow& row, std::int64_t time_ms);
};

RunRow RunWriter::Impl::load(RunId run) {
  const KeyRange keys = keys_of(run);
  sqlite::Statement read(
      db,
      "SELECT state,message,device,dtype,started_ms,ended_ms,steps,total_steps,"
      "attempt,last_seq,seconds_bits,"
      "(SELECT started_ms FROM attempts a WHERE a.run=r.id AND a.attempt=r.attempt)"
      " FROM runs r WHERE id=?");
  if (!read.bind(1, run).step()) {
    throw StoreError("The store " + db.file().string() + " has no run " + std::to_string(run) +
                     ".");
  }
  RunRow row{.state = read.text(0),
             .message = read.text(1),
             .device = read.text(2),
             .dtype = read.text(3)};
  row.started_ms = read.integer(4);
  row.ended_ms = read.integer(5);
  row.steps = read.integer(6);
  row.total_steps = read.integer(7);
  row.attempt = read.integer(8);
  row.last_seq = read.integer(9);
  row.seconds = read.from_bits(10);
  row.attempt_started_ms = read.integer(11);
  row.next_point = next_key("points", keys);
  row.next_score = next_key("scores", keys);
  if (row.last_seq < 0 || row.last_seq != next_key("events", keys) - 1 - keys.first) {
    db.damaged("events of run " + std::to_string(run) + " are missing");
  }
  return row;
}

const RunRow& RunWriter::Impl::row(RunId run) {
  const auto found = rows.find(run);
  return found != rows.end() ? found->second : rows.emplace(run, load(run)).first->second;
}

void RunWriter::Impl::save(RunId run, const RunRow& row) {
  sqlite::Statement write(
      db,
      "UPDATE runs SET state=?,message=?,device=?,dtype=?,started_ms=?,ended_ms=?,"
      "steps=?,total_steps=?,attempt=?,last_seq=?,seconds_bits=? WHERE id=?");
  write.bind(1, row.state).bind(2, row.message).bind(3, row.device).bind(4, row.dtype);
  write.bind(5, row.started_ms).bind(6, row.ended_ms).bind(7, row.steps).bind(8, row.total_steps);
  write.bind(9, row.attempt).bind(10, row.last_seq).bind_bits(11, row.seconds).bind(12, run);
  write.execute();
}

std::int64_t RunWriter::Impl::next_key(const char* table, KeyRange keys) {
  sqlite::Statement read(db, std::string("SELECT id FROM ") + table +
                                 " WHERE id>=? AND id<? ORDER BY id DESC LIMIT 1");
  return read.bind(1, keys.first).bind(2, keys.end).step() ? read.integer(0) + 1 : keys.first + 1;
}

std::int64_t RunWriter::Impl::series_id(const std::string& name) {
  const auto known = series.find(name);
  if (known != series.end()) return known->second;
  sqlite::Statement(db, "INSERT OR IGNORE INTO series(name) VALUES(?)").bind(1, name).execute();
  sqlite::Statement read(db, "SELECT id FROM series WHERE name=?");
  if (!read.bind(1, name).step()) db.damaged("a series has no number");
  return series.emplace(name, read.integer(0)).first->second;
}

void RunWriter::Impl::attempt_starts(RunId run, RunRow& row, std::int64_t time_ms) {
  row.state = to_string(RunState::running);
  row.message.clear();
  row.ended_ms = 0;
  if (row.started_ms == 0) row.started_ms = time_ms;
  if (row.attempt_started_ms != 0) return;
  row.attempt_started_ms = time_ms;
  sqlite::Statement write(db, "UPDATE attempts SET started_ms=? WHERE run=? AND attempt=?");
  write.bind(1, time_ms).bind(2, run).bind(3, row.attempt).execute();
}

EventRow RunWriter::Impl::put(const RunQueued& queued, Place at) {
  at.row.state = to_string(RunState::queued);
  at.row.message.clear();
  at.row.ended_ms = 0;
  return {.kind = "queued", .text = queued.name};
}

EventRow RunWriter::Impl::put(const RunStarted& started, Place at) {
  attempt_starts(at.run, at.row, at.time_ms);
  at.row.device = started.device;
  at.row.dtype = started.dtype;
  return {.kind = "started", .word = started.device, .text = started.dtype};
}

EventRow RunWriter::Impl::put(const StageStarted& stage, Place at) {
  sqlite::Statement s(db, "INSERT INTO stages VALUES(?,?,?,?,?,?,?,?)");
  s.bind(1, at.key).bind(2, stage.stage).bind(3, stage.stages).bind(4, stage.kind);
  s.bind(5, stage.title).bind(6, stage.first_step).bind(7, stage.steps);
  s.bind(8, stage.steps_per_epoch).execute();
  std::int64_t end = 0;
  if (!__builtin_add_overflow(stage.first_step, stage.steps, &end)) {
    at.row.total_steps = std::max(at.row.total_steps, end);
  }
  return {.kind = "stage"};
}

EventRow RunWriter::Impl::put(const Points& points, Place at) {
  const std::int64_t first = at.row.next_point;
  sqlite::Statement& p = inserts->point;
  for (const auto& [name, value] : points.values) {
    p.bind(1, at.row.next_point++).bind(2, at.row.attempt).bind(3, points.step);
    p.bind(4, series_id(name)).bind_bits(5, value).execute();
  }
  at.row.steps = std::max(at.row.steps, points.step);
  const std::int64_t count = at.row.next_point - first;
  return {.kind = "points", .bits = points.step, .first = first, .count = count};
}

EventRow RunWriter::Impl::put(const Evaluated& evaluated, Place at) {
  sqlite::Statement e(db, "INSERT INTO evaluations VALUES(?,?,?,?,?)");
  e.bind(1, at.key).bind(2, at.row.attempt).bind(3, evaluated.step).bind(4, evaluated.window);
  e.bind_bits(5, evaluated.seconds).execute();
  const std::int64_t first = at.row.next_score;
  sqlite::Statement& s = inserts->score;
  for (const Score& score : evaluated.scores) {
    s.bind(1, at.row.next_score++).bind(2, at.key);
    s.bind(3, score.component).bind(4, score.task).bind(5, score.metric);
    s.bind_bits(6, score.value).bind_bits(7, score.stderr_).bind(8, score.n);
    s.bind(9, score.outcomes).execute();
  }
  return {.kind = "evaluated", .first = first, .count = at.row.next_score - first};
}

EventRow RunWriter::Impl::put(const CheckpointSaved& saved, Place at) {
  sqlite::Statement s(db, "INSERT INTO checkpoints VALUES(?,?,?,?,?,?,?)");
  s.bind(1, at.key).bind(2, at.row.attempt).bind(3, saved.step).bind(4, saved.stage);
  s.bind(5, saved.path).bind(6, saved.kind).bind(7, saved.bytes).execute();
  return {.kind = "checkpoint"};
}

EventRow RunWriter::Impl::put(const LogLine& line, Place) {
  return {.kind = "log", .word = to_string(line.level), .text = line.text};
}

EventRow RunWriter::Impl::put(const RunEnded& ended, Place at) {
  at.row.state = to_string(ended.state);
  at.row.message = ended.message;
  at.row.ended_ms = at.time_ms;
  at.row.seconds += ended.seconds;
  return {.kind = "ended",
          .word = to_string(ended.state),
          .text = ended.message,
          .bits = std::bit_cast<std::int64_t>(ended.seconds)};
}

EventRow RunWriter::Impl::put(const Progress&, Place) { return {}; }

void RunWriter::Impl::store(Event& event, RunRow& row, std::int64_t time_ms) {
  if (const auto* progress = std::get_if<Progress>(&event.body)) {
    if (progress->total_steps > 0) row.total_steps = progress->total_steps;
    event.seq = 0;
    return;
  }
  const std::int64_t seq = row.last_seq + 1;
  const std::int64_t key = keys_of(event.run).first + seq;
  const Place place{event.run, key, time_ms, row};
  const EventRow fields =
      std::visit([&](const auto& body) { return put(body, place); }, event.body);
  sqlite::Statement& e = inserts->event;
  e.bind(1, key).bind(2, std::string_view(fields.kind)).bind(3, row.attempt).bind(4, time_ms);
  e.bind(5, fields.word).bind(6, fields.text).bind(7, fields.bits);
  e.bind(8, fields.first).bind(9, fields.count).execute();
  row.last_seq = seq;
  event.seq = seq;
}

RunWriter::RunWriter(const std::filesystem::path& store) : impl_(std::make_unique<Impl>(store)) {}
RunWriter::~RunWriter() = default;
RunWriter::RunWriter(RunWriter&&) noexcept = default;

RunId RunWriter::create(const RunInfo& info) {
  sqlite::Database& db = impl_->db;
  sqlite::WriteTransaction transaction(db, true);
  sqlite::Statement write(
      db,
      "INSERT INTO runs(name,state,message,hash,seed,created_ms,started_ms,ended_ms,"
      "steps,total_steps,seconds_bits,device,dtype,host,version,tags,notes,attempt,"
      "last_seq,recipe) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,1,0,?)");
  write.bind(1, info.name).bind(2, std::string_view(to_string(info.state))).bind(3, info.message);
  write.bind(4, info.hash)
      .bind(5, info.seed)
      .bind(6, info.created_ms != 0 ? info.created_ms : now_ms());
  write.bind(7, info.started_ms)
      .bind(8, info.ended_ms)
      .bind(9, info.steps)
      .bind(10, info.total_steps);
  write.bind_bits(11, info.seconds).bind(12, info.device).bind(13, info.dtype).bind(14, info.host);
  write.bind(15, info.version).bind(16, info.tags).bind(17, info.notes).bind(18, info.recipe);
  write.execute();
  const RunId run = db.last_id();
  if (run > k_last_run) {
    throw StoreError("The store " + db.file().string() +
                     " has no run numbers left; use another one with --store OTHER.db.");
  }
  sqlite::Statement(db, "INSERT INTO attempts VALUES(?,1,-1,0)").bind(1, run).execute();
  transaction.commit();
  return run;
}

void RunWriter::begin_attempt(RunId run, std::int64_t from_step) {
  RunRow row = impl_->row(run);
  sqlite::WriteTransaction transaction(impl_->db, true);
  ++row.attempt;
  row.attempt_started_ms = 0;
  row.steps = std::clamp<std::int64_t>(from_step, 0, std::max<std::int64_t>(row.steps, 0));
  sqlite::Statement write(impl_->db, "INSERT INTO attempts VALUES(?,?,?,0)");
  write.bind(1, run).bind(2, row.attempt).bind(3, from_step).execute();
  impl_->save(run, row);
  transaction.commit();
  impl_->rows[run] = row;
}

void RunWriter::append(std::vector<Event>& events) {
  if (events.empty()) return;
  const bool durable = std::any_of(events.begin(), events.end(), must_be_durable);
  const std::int64_t time_ms = now_ms();
  std::map<RunId, RunRow> changed;
  try {
    sqlite::WriteTransaction transaction(impl_->db, durable);
    for (Event& event : events) {
      auto found = changed.find(event.run);
      if (found == changed.end()) found = changed.emplace(event.run, impl_->row(event.run)).first;
      impl_->store(event, found->second, time_ms);
    }
    for (const auto& [run, row] : changed) impl_->save(run, row);
    transaction.commit();
  } catch (...) {
    for (Event& event : events) event.seq = 0;
    impl_->series.clear();  // numbers given in this transaction are gone with it
    throw;
  }
  for (auto& [run, row] : changed) impl_->rows[run] = std::move(row);
}

void RunWriter::set_state(RunId run, RunState state, const std::string& message) {
  RunRow row = impl_->row(run);
  const std::int64_t time_ms = now_ms();
  sqlite::WriteTransaction transaction(impl_->db, true);
  if (state == RunState::running) {
    impl_->attempt_starts(run, row, time_ms);
  } else {
    row.ended_ms = state == RunState::queued ? 0 : time_ms;
  }
  row.state = to_string(state);
  row.message = message;
  impl_->save(run, row);
  transaction.commit();
  impl_->rows[run] = row;
}

void RunWriter::annotate(RunId run, const std::string& name, const std::string& tags,
                         const std::string& notes) {
  impl_->row(run);
  sqlite::WriteTransaction transaction(impl_->db, true);
  sqlite::Statement write(impl_->db, "UPDATE runs SET name=?,tags=?,notes=? WHERE id=?");
  write.bind(1, name).bind(2, tags).bind(3, notes).bind(4, run).execute();
  transaction.commit();
}

void RunWriter::set_trashed(const std::vector<RunId>& runs, bool trashed) {
  for (RunId run : runs) impl_->row(run);
  sqlite::WriteTransaction transaction(impl_->db, true);
  for (RunId run : runs) {
    sqlite::Statement write(impl_->db, trashed ? "INSERT OR IGNORE INTO trash VALUES(?,?)"
                                               : "DELETE FROM trash WHERE run=?");
    write.bind(1, run);
    if (trashed) write.bind(2, now_ms());
    write.execute();
  }
  transaction.commit();
}

void RunWriter::remove(RunId run) {
  impl_->row(run);
  const KeyRange keys = keys_of(run);
  sqlite::WriteTransaction transaction(impl_->db, true);
  for (const char* table : {"events", "stages", "points", "evaluations", "scores", "checkpoints"}) {
    sqlite::Statement erase(impl_->db,
                            std::string("DELETE FROM ") + table + " WHERE id>=? AND id<?");
    erase.bind(1, keys.first).bind(2, keys.end).execute();
  }
  for (const char* erase : {"DELETE FROM attempts WHERE run=?", "DELETE FROM trash WHERE run=?"})
    sqlite::Statement(impl_->db, erase).bind(1, run).execute();
  sqlite::Statement(impl_->db, "DELETE FROM runs WHERE id=?").bind(1, run).execute();
  transaction.commit();
  impl_->rows.erase(run);
}

StoreImport RunWriter::take_over(const std::filesystem::path& other, const std::filesystem::path& runs) {
  return import_runs(impl_->db, other, runs);
}

std::vector<RunId> RunWriter::mark_interrupted() {
  sqlite::Database& db = impl_->db;
  std::vector<RunId> runs;
  {
    sqlite::Statement read(db,
                           "SELECT id FROM runs WHERE state IN ('running','queued') ORDER BY id");
    while (read.step()) runs.push_back(read.integer(0));
  }
  if (runs.empty()) return runs;
  std::map<RunId, RunRow> changed;
  sqlite::WriteTransaction transaction(db, true);
  for (RunId run : runs) {
    RunRow row = impl_->row(run);
    const bool worked = row.state == to_string(RunState::running);
    sqlite::Statement read(db, "SELECT time_ms FROM events WHERE id=?");
    row.ended_ms =
        read.bind(1, keys_of(run).first + row.last_seq).step() ? read.integer(0) : now_ms();
    if (worked && row.attempt_started_ms > 0 && row.ended_ms > row.attempt_started_ms) {
      row.seconds += static_cast<double>(row.ended_ms - row.attempt_started_ms) / 1000;
    }
    row.state = to_string(RunState::interrupted);
    row.message = worked ? "The program ended while this run was at work; it can be resumed."
                         : "The program ended before this run began; it can be resumed.";
    impl_->save(run, row);
    changed.emplace(run, std::move(row));
  }
  transaction.commit();
  for (auto& [run, row] : changed) impl_->rows[run] = std::move(row);
  return runs;
}

}  // namespace engine
