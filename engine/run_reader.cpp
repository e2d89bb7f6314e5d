#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>

#include "engine/event_rows.h"
#include "engine/run_store.h"
#include "engine/run_store_schema.h"
#include "engine/sqlite.h"

namespace engine {

sqlite::Mode reading_mode(const std::filesystem::path& store) {
  std::error_code error;
  const auto status = std::filesystem::status(store, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw StoreError("The store " + store.string() + " does not exist.");
  }
  if (error)
    throw StoreError("Cannot read the store " + store.string() + ": " + error.message() + ".");
  if (!std::filesystem::is_regular_file(status)) {
    throw StoreError("The store " + store.string() + " is not a file.");
  }
  std::filesystem::path wal = store;
  wal += "-wal";
  const auto folder = std::filesystem::absolute(store).parent_path();
  const bool closed = !std::filesystem::exists(wal, error);
  return closed && access(folder.c_str(), W_OK) != 0 ? sqlite::Mode::immutable : sqlite::Mode::read;
}

namespace {

/// `trashed_ms` is a column of the answer.
std::string select_runs(bool with_trash) {
  return std::string(
             "SELECT "
             "id,name,state,message,recipe,hash,seed,started_ms,ended_ms,created_ms,steps,total_steps,"
             "seconds_bits,device,dtype,host,version,tags,notes,attempt,last_seq,") +
         (with_trash ? "ifnull((SELECT since_ms FROM trash WHERE run=runs.id),0)" : "0") +
         " AS trashed_ms FROM runs ";
}

RunInfo run_of(const sqlite::Statement& row) {
  RunInfo info;
  info.id = row.integer(0);
  info.name = row.text(1);
  info.state = run_state_from(row.text(2));
  info.message = row.text(3);
  info.recipe = row.text(4);
  info.hash = row.text(5);
  info.seed = row.integer(6);
  info.started_ms = row.integer(7);
  info.ended_ms = row.integer(8);
  info.created_ms = row.integer(9);
  info.steps = row.integer(10);
  info.total_steps = row.integer(11);
  info.seconds = row.from_bits(12);
  info.device = row.text(13);
  info.dtype = row.text(14);
  info.host = row.text(15);
  info.version = row.text(16);
  info.tags = row.text(17);
  info.notes = row.text(18);
  info.attempt = row.integer(19);
  info.last_seq = row.integer(20);
  info.trashed_ms = row.integer(21);
  return info;
}

/// Up to which step each attempt of a run is live.
class LiveSteps {
 public:
  LiveSteps(sqlite::Database& db, RunId run) {
    sqlite::Statement read(
        db, "SELECT attempt,from_step FROM attempts WHERE run=? ORDER BY attempt DESC");
    read.bind(1, run);
    std::int64_t limit = std::numeric_limits<std::int64_t>::max();
    while (read.step()) {
      limits_.emplace_back(read.integer(0), limit);
      limit = std::min(limit, read.integer(1));
    }
    std::reverse(limits_.begin(), limits_.end());
  }

  bool holds(std::int64_t attempt, std::int64_t step) {
    if (attempt != attempt_) {
      attempt_ = attempt;
      const auto found =
          std::lower_bound(limits_.begin(), limits_.end(), std::pair(attempt, k_lowest));
      limit_ = found != limits_.end() && found->first == attempt ? found->second : k_lowest;
    }
    return step <= limit_;
  }

 private:
  static constexpr std::int64_t k_lowest = std::numeric_limits<std::int64_t>::min();
  std::vector<std::pair<std::int64_t, std::int64_t>> limits_;  // attempt, last live step
  std::int64_t attempt_ = k_lowest, limit_ = k_lowest;
};

using SeriesMap = std::map<std::string, std::vector<SeriesPoint>>;

}  // namespace

struct RunReader::Impl {
  explicit Impl(const std::filesystem::path& store) : db(store, reading_mode(store)) {
    prepare_for_reading(db, store_schema());
  }

  /// A writer may add the trash while this reader is open; it never goes again.
  std::string select() {
    knows_trash = knows_trash || has_trash(db);
    return select_runs(knows_trash);
  }
  std::optional<RunInfo> find(const std::string& text, bool trashed);
  SeriesMap points(RunId run, bool live);
  std::vector<StoredEvaluation> evaluations(RunId run, bool what_if);

  mutable sqlite::Database db;
  bool knows_trash = false;
};

RunReader::RunReader(const std::filesystem::path& store) : impl_(std::make_unique<Impl>(store)) {}
RunReader::~RunReader() = default;
RunReader::RunReader(RunReader&&) noexcept = default;

struct RunReader::Snapshot::Hold {
  explicit Hold(sqlite::Database& db) : transaction(db) { db.integer("PRAGMA schema_version"); }
  sqlite::ReadTransaction transaction;
};
RunReader::Snapshot::Snapshot(const RunReader& reader)
    : hold_(std::make_unique<Hold>(reader.impl_->db)) {}
RunReader::Snapshot::~Snapshot() = default;

std::vector<RunInfo> RunReader::runs() const {
  sqlite::Statement read(impl_->db, impl_->select() + "ORDER BY id DESC");
  std::vector<RunInfo> runs;
  while (read.step()) {
    runs.push_back(run_of(read));
    if (runs.size() > 1 && runs.back().id >= runs[runs.size() - 2].id) {
      impl_->db.damaged("its rows are out of order");
    }
  }
  return runs;
}

std::optional<RunInfo> RunReader::run(RunId run) const {
  sqlite::Statement read(impl_->db, impl_->select() + "WHERE id=?");
  if (!read.bind(1, run).step()) return std::nullopt;
  return run_of(read);
}

std::optional<RunInfo> RunReader::Impl::find(const std::string& text, bool trashed) {
  if (text.empty()) return std::nullopt;
  const sqlite::ReadTransaction transaction(db);
  const std::string from = select();
  const auto first = [&](const std::string& rest, const auto& value) -> std::optional<RunInfo> {
    sqlite::Statement read(db, from + "WHERE (trashed_ms<>0)=?1 AND " + rest);
    if (!read.bind(1, std::int64_t{trashed}).bind(2, value).step()) return std::nullopt;
    return run_of(read);
  };
  RunId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc() && end == text.data() + text.size()) {
    if (auto found = first("id=?2", id)) return found;
  }
  if (auto found = first("name=?2 ORDER BY id DESC LIMIT 1", text)) return found;
  sqlite::Statement beginning(db, "SELECT max(id) FROM (" + from +
                                      ") WHERE (trashed_ms<>0)=?1 AND substr(name,1,length(?2))=?2 "
                                      "GROUP BY name LIMIT 2");
  if (!beginning.bind(1, std::int64_t{trashed}).bind(2, text).step()) return std::nullopt;
  id = beginning.integer(0);
  if (beginning.step()) return std::nullopt;
  return first("id=?2", id);
}

std::optional<RunInfo> RunReader::find(const std::string& text) const {
  return impl_->find(text, false);
}
std::optional<RunInfo> RunReader::find_in_trash(const std::string& text) const {
  return impl_->find(text, true);
}

SeriesMap RunReader::Impl::points(RunId run, bool live) {
  const sqlite::ReadTransaction transaction(db);
  const auto names = series_names(db);
  LiveSteps steps(db, run);
  const KeyRange keys = keys_of(run);
  OrderedRows rows(db, "SELECT id,attempt,step,series,bits FROM points", keys.first, keys.end);
  SeriesMap series;
  std::unordered_map<std::int64_t, std::vector<SeriesPoint>*> by_number;
  while (rows.step()) {
    const auto& row = rows.row();
    if (steps.holds(row.integer(1), row.integer(2)) != live) continue;
    auto& points = by_number[row.integer(3)];
    if (points == nullptr) {
      const auto name = names.find(row.integer(3));
      if (name == names.end()) db.damaged("a series has no name");
      points = &series[name->second];
    }
    points->push_back({row.integer(2), row.from_bits(4)});
  }
  const auto earlier = [](const SeriesPoint& a, const SeriesPoint& b) { return a.step < b.step; };
  for (auto& [name, points] : series) {
    if (!std::is_sorted(points.begin(), points.end(), earlier)) {
      std::stable_sort(points.begin(), points.end(), earlier);
    }
  }
  return series;
}

SeriesMap RunReader::series(RunId run) const { return impl_->points(run, true); }
SeriesMap RunReader::superseded(RunId run) const { return impl_->points(run, false); }

std::vector<StepTime> RunReader::step_times(RunId run) const {
  const sqlite::ReadTransaction transaction(impl_->db);
  LiveSteps steps(impl_->db, run);
  const KeyRange keys = keys_of(run);
  OrderedRows rows(impl_->db, "SELECT id,kind,attempt,bits,time_ms FROM events", keys.first, keys.end);
  std::vector<StepTime> times;
  while (rows.step()) {
    const auto& row = rows.row();
    if (row.text(1) != "points" || !steps.holds(row.integer(2), row.integer(3))) continue;
    const StepTime now{row.integer(3), row.integer(4)};
    if (times.empty() || (now.step > times.back().step && now.time_ms >= times.back().time_ms))
      times.push_back(now);
  }
  return times;
}

std::vector<StoredEvaluation> RunReader::Impl::evaluations(RunId run, bool what_if) {
  const sqlite::ReadTransaction transaction(db);
  LiveSteps steps(db, run);
  const KeyRange keys = keys_of(run);
  struct Head {
    std::int64_t step, window;
  };
  std::unordered_map<std::int64_t, Head> live;
  OrderedRows heads(db, "SELECT id,attempt,step,window FROM evaluations", keys.first, keys.end);
  while (heads.step()) {
    const auto& row = heads.row();
    if (steps.holds(row.integer(1), row.integer(2))) {
      live.emplace(row.integer(0), Head{row.integer(2), row.integer(3)});
    }
  }
  std::vector<StoredEvaluation> evaluations;
  OrderedRows scores(
      db, "SELECT id,evaluation,component,task,metric,value_bits,stderr_bits,n FROM scores",
      keys.first, keys.end);
  while (scores.step()) {
    const auto& row = scores.row();
    const auto head = live.find(row.integer(1));
    if (head == live.end() || is_what_if(row.text(2)) != what_if) continue;
    evaluations.push_back({head->second.step, head->second.window, row.text(2), row.text(3),
                           row.text(4), row.from_bits(5), row.from_bits(6), row.integer(7)});
  }
  std::stable_sort(evaluations.begin(), evaluations.end(),
                   [](const auto& a, const auto& b) { return a.step < b.step; });
  return evaluations;
}

std::vector<StoredEvaluation> RunReader::evaluations(RunId run) const {
  return impl_->evaluations(run, false);
}
std::vector<StoredEvaluation> RunReader::what_ifs(RunId run) const {
  return impl_->evaluations(run, true);
}

std::vector<std::uint8_t> RunReader::outcomes(RunId run, std::int64_t step,
                                              const std::string& component,
                                              const std::string& task) const {
  const sqlite::ReadTransaction transaction(impl_->db);
  LiveSteps steps(impl_->db, run);
  const KeyRange keys = keys_of(run);
  std::vector<std::int64_t> evaluations;  // a what-if may follow the run's own at its step
  OrderedRows heads(impl_->db, "SELECT id,attempt,step FROM evaluations", keys.first, keys.end);
  while (heads.step()) {
    const auto& row = heads.row();
    if (row.integer(2) == step && steps.holds(row.integer(1), step)) evaluations.push_back(row.integer(0));
  }
  sqlite::Statement read(
      impl_->db,
      "SELECT outcomes FROM scores WHERE id>=? AND id<? AND evaluation=? AND component=? AND "
      "task=? AND length(outcomes)>0 LIMIT 1");
  read.bind(1, keys.first).bind(2, keys.end).bind(4, component).bind(5, task);
  for (auto evaluation = evaluations.rbegin(); evaluation != evaluations.rend(); ++evaluation) {
    if (read.bind(3, *evaluation).step()) return read.bytes(0);
    read.reset();
  }
  return {};
}

std::vector<StoredCheckpoint> RunReader::checkpoints(RunId run) const {
  const sqlite::ReadTransaction transaction(impl_->db);
  LiveSteps steps(impl_->db, run);
  const KeyRange keys = keys_of(run);
  OrderedRows rows(impl_->db, "SELECT id,step,stage,attempt,bytes,path,kind FROM checkpoints",
                   keys.first, keys.end);
  std::vector<StoredCheckpoint> checkpoints;
  while (rows.step()) {
    const auto& row = rows.row();
    checkpoints.push_back({row.integer(1), row.integer(2), row.integer(3), row.integer(4),
                           row.text(5), row.text(6), steps.holds(row.integer(3), row.integer(1))});
  }
  return checkpoints;
}

std::vector<Event> RunReader::events_after(RunId run, std::int64_t seq) const {
  const KeyRange keys = keys_of(run);
  std::vector<Event> events;
  if (seq >= keys.end - keys.first) return events;
  const sqlite::ReadTransaction transaction(impl_->db);
  OrderedRows rows(impl_->db, EventRebuilder::k_select,
                   keys.first + std::max<std::int64_t>(seq, 0) + 1, keys.end);
  // Made only when there is something: following a run asks often for nothing.
  std::optional<EventRebuilder> rebuilder;
  while (rows.step()) {
    if (!rebuilder) rebuilder.emplace(impl_->db, keys);
    events.push_back({run, rows.row().integer(0) - keys.first, rebuilder->body(rows.row())});
  }
  return events;
}

std::string RunReader::integrity() const {
  std::string found;
  sqlite::Statement check(impl_->db, "PRAGMA quick_check(20)");
  while (check.step()) found += (found.empty() ? "" : "\n") + check.text(0);
  return found;
}

}  // namespace engine
