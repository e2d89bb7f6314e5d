#include "engine/run_import.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "engine/data/json.h"
#include "engine/error.h"
#include "engine/event_rows.h"
#include "engine/recipe.h"
#include "engine/run_store_schema.h"
#include "engine/store_lock.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* k_run_columns =
    "name,state,message,hash,seed,created_ms,started_ms,ended_ms,steps,total_steps,seconds_bits,"
    "device,dtype,host,version,"
    "tags,notes,attempt,last_seq,recipe";
constexpr std::string_view k_run_kinds = "ttttiiiiiiittttttiit";

/// Tables whose keys belong to a run, and the kinds of their columns: i integer, t text, b blob, k
/// a key of the run, f a key of the run or 0, s a series, p the folder of a checkpoint.
struct RunTable {
  const char* name;
  const char* columns;
  std::string_view kinds;
};
constexpr RunTable k_tables[] = {
    {"events", "id,kind,attempt,time_ms,word,text,bits,first,count", "ktiittifi"},
    {"stages", "id,stage,stages,kind,title,first_step,steps,steps_per_epoch", "kiittiii"},
    {"points", "id,attempt,step,series,bits", "kiisi"},
    {"evaluations", "id,attempt,step,window,seconds_bits", "kiiii"},
    {"scores", "id,evaluation,component,task,metric,value_bits,stderr_bits,n,outcomes",
     "kktttiiib"},
    {"checkpoints", "id,attempt,step,stage,path,kind,bytes", "kiiipti"},
};

std::string marks(std::size_t count) {
  std::string text = "?";
  for (std::size_t i = 1; i < count; ++i) text += ",?";
  return text;
}

/// What tells one run from another, wherever it is stored: names, tags and notes may be changed
/// later.
using Identity = std::tuple<std::string, std::int64_t, std::int64_t,
                            std::string>;  // hash, seed, created_ms, host

struct Listed {
  RunId id = 0;
  std::string name, state, recipe;
  std::int64_t last_seq = 0;
  bool trashed = false;
};

std::map<Identity, std::vector<Listed>> list_runs(sqlite::Database& db) {
  sqlite::Statement read(
      db, std::string("SELECT id,hash,seed,created_ms,host,name,state,last_seq,recipe,") +
              (has_trash(db) ? "id IN (SELECT run FROM trash)" : "0") + " FROM runs ORDER BY id");
  std::map<Identity, std::vector<Listed>> runs;
  while (read.step())
    runs[{read.text(1), read.integer(2), read.integer(3), read.text(4)}].push_back(
        {read.integer(0), read.text(5), read.text(6), read.text(8), read.integer(7),
         read.integer(9) != 0});
  return runs;
}

/// Settings tried on a run afterwards are events too, but none of its work.
struct EventCounts {
  std::int64_t work = 0, what_ifs = 0;
};

EventCounts count_events(sqlite::Database& db, RunId run) {
  const KeyRange keys = keys_of(run);
  sqlite::Statement read(
      db,
      "SELECT count(*),count(s.id) FROM events e LEFT JOIN scores s ON e.kind='evaluated' AND "
      "s.id=e.first AND e.count>0 AND substr(s.component,1,length(?3))=?3 WHERE e.id>=?1 AND "
      "e.id<?2");
  read.bind(1, keys.first).bind(2, keys.end).bind(3, k_what_if);
  if (!read.step()) return {};
  return {read.integer(0) - read.integer(1), read.integer(1)};
}

/// Files that come into their place together with the rows, or go.
class Staging {
 public:
  explicit Staging(fs::path runs) : runs_(std::move(runs)), folder_(runs_ / ".import") {
    fs::remove_all(folder_);  // of an import that was killed; the store's lock is ours
  }
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    if (!kept_)
      for (const auto& place : placed_) fs::remove_all(place, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  fs::path of(RunId there) const { return folder_ / std::to_string(there); }
  fs::path place_of(RunId here) const { return fs::absolute(runs_ / std::to_string(here)); }
  void place(RunId there, RunId here) {
    if (!fs::exists(of(there))) return;
    fs::remove_all(place_of(here));  // no row has this number, so what lies there is a leftover
    placed_.push_back(place_of(here));
    fs::rename(of(there), place_of(here));
  }
  void keep() { kept_ = true; }

 private:
  const fs::path runs_, folder_;
  std::vector<fs::path> placed_;
  bool kept_ = false;
};

void copy_synced(const fs::path& from, const fs::path& to) {
  fs::copy_file(from, to);
  const int fd = ::open(to.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

/// The files that the checkpoint's manifest names, with their sizes; empty where it is not whole.
std::vector<std::string> whole_checkpoint(const fs::path& folder) {
  try {
    std::vector<std::string> files = {"manifest.json"};
    const JsonDocument manifest = read_json(folder / "manifest.json", k_config_limits);
    for (const auto& [name, entry] : manifest.view().at("files").fields()) {
      const fs::path file = folder / name;
      if (fs::path(name).filename() != name || name.starts_with('.') || fs::is_symlink(file) ||
          !fs::is_regular_file(file) ||
          static_cast<std::int64_t>(fs::file_size(file)) != entry.at("bytes").as_integer(0))
        return {};
      files.push_back(name);
    }
    return files;
  } catch (const std::exception&) {
    return {};
  }
}

class Import {
 public:
  Import(sqlite::Database& to, const fs::path& other, const fs::path& runs)
      : to_(to), other_(other), from_(other, reading_mode(other)), staging_(runs) {
    prepare_for_reading(from_, store_schema());
  }

  StoreImport run() {
    const sqlite::ReadTransaction one_moment(from_);
    check_other();
    choose();
    for (const auto& run : chosen_) copy_checkpoints(run.id);
    sqlite::WriteTransaction transaction(to_, true);
    for (const auto& run : chosen_) {
      const RunId here = copy_run(run);
      staging_.place(run.id, here);
      report_.taken.push_back({run.id, here, run.name});
    }
    transaction.commit();
    staging_.keep();
    return std::move(report_);
  }

 private:
  void check_other() {
    const std::string found = from_.text("PRAGMA quick_check(1)");
    if (found != "ok") from_.damaged(found);
  }

  /// Runs that are not here yet. Where the other store has several of one identity, as many of them
  /// as are missing here.
  void choose() {
    const auto here = list_runs(to_);
    const bool at_work = store_is_held(other_);
    for (const auto& [identity, there] : list_runs(from_)) {
      const auto known = here.find(identity);
      for (std::size_t i = 0; i < there.size(); ++i) {
        const Listed& run = there[i];
        if (known != here.end() && i < known->second.size()) {
          const Listed& own = known->second[i];
          report_.known.push_back({run.id, own.id, run.name});
          note_known(run, own);
        } else if (run.trashed) {
          report_.notes.push_back(run.name + " (" + std::to_string(run.id) +
                                  ") is in the trash there and was left out");
        } else if (at_work && (run.state == "running" || run.state == "queued")) {
          report_.notes.push_back(run.name + " (" + std::to_string(run.id) + ") is still " +
                                  run.state + " there and was left out");
        } else {
          chosen_.push_back(run);
        }
      }
    }
    std::ranges::sort(chosen_, {}, &Listed::id);
    std::ranges::sort(report_.known, {}, &ImportedRun::there);
  }

  /// What a run that is here has in the other store only.
  void note_known(const Listed& there, const Listed& own) {
    const std::string here = "run " + std::to_string(own.id);
    if (own.trashed)
      report_.notes.push_back(there.name + " is " + here + " in the trash here; restore it");
    if (there.last_seq == own.last_seq) return;
    const EventCounts theirs = count_events(from_, there.id), ours = count_events(to_, own.id);
    if (theirs.work > ours.work)
      report_.notes.push_back(there.name +
                              " has gone on in the other store since it was taken over; delete " +
                              here + " here for good to take it over again");
    else if (theirs.what_ifs > ours.what_ifs)
      report_.notes.push_back(there.name + " has what-if settings in the other store that " + here +
                              " here has not");
  }

  /// Only from <other>.runs/<id>/<its name>: what a foreign file names as a path is not followed
  /// anywhere else.
  void copy_checkpoints(RunId run) {
    const KeyRange keys = keys_of(run);
    OrderedRows rows(from_, "SELECT id,path FROM checkpoints", keys.first, keys.end);
    std::set<std::string> seen;
    while (rows.step()) {
      const std::string name = fs::path(rows.row().text(1)).filename().string();
      const fs::path folder = fs::path(other_.string() + ".runs") / std::to_string(run) / name;
      if (name.empty() || name.starts_with('.') || !seen.insert(name).second ||
          !fs::is_directory(folder))
        continue;
      const auto files = whole_checkpoint(folder);
      if (files.empty()) {
        report_.notes.push_back(folder.string() + " is not a whole checkpoint and was left out");
        continue;
      }
      fs::create_directories(staging_.of(run) / name);
      for (const auto& file : files) copy_synced(folder / file, staging_.of(run) / name / file);
    }
  }

  RunId copy_run(const Listed& run) {
    sqlite::Statement read(from_, std::string("SELECT ") + k_run_columns + " FROM runs WHERE id=?");
    sqlite::Statement write(to_, std::string("INSERT INTO runs(") + k_run_columns + ") VALUES(" +
                                     marks(k_run_kinds.size()) + ")");
    if (!read.bind(1, run.id).step()) from_.damaged("a run is missing");
    for (std::size_t i = 0; i < k_run_kinds.size(); ++i) {
      const int column = static_cast<int>(i);
      k_run_kinds[i] == 't' ? write.bind(column + 1, read.text(column))
                            : write.bind(column + 1, read.integer(column));
    }
    // A number or a name means a run of its own store; a path may be gone.
    const std::string start = parse_recipe(run.recipe).recipe.start_from;
    if (!start.empty())
      report_.notes.push_back(run.name + " started from \"" + start +
                              "\" of the other store; resume it only after its first checkpoint");
    const bool died = run.state == "running" || run.state == "queued";
    if (died) {
      write.bind(2, std::string_view(to_string(RunState::interrupted)));
      write.bind(3, std::string_view("Its program ended before the run did; it can be resumed."));
    }
    write.execute();
    const RunId here = to_.last_id();
    if (here > k_last_run)
      throw StoreError("The store " + to_.file().string() + " has no run numbers left.");
    copy_attempts(run.id, here);
    for (const auto& table : k_tables) {
      const std::int64_t count = copy_rows(table, run.id, here);
      if (std::string_view(table.name) == "events" && count != run.last_seq)
        from_.damaged("events of run " + std::to_string(run.id) + " are missing");
    }
    return here;
  }

  void copy_attempts(RunId there, RunId here) {
    sqlite::Statement read(
        from_, "SELECT attempt,from_step,started_ms FROM attempts WHERE run=? ORDER BY attempt");
    sqlite::Statement write(to_, "INSERT INTO attempts VALUES(?,?,?,?)");
    read.bind(1, there);
    while (read.step())
      write.bind(1, here)
          .bind(2, read.integer(0))
          .bind(3, read.integer(1))
          .bind(4, read.integer(2))
          .execute();
  }

  std::int64_t copy_rows(const RunTable& table, RunId there, RunId here) {
    const KeyRange keys = keys_of(there);
    OrderedRows rows(from_, std::string("SELECT ") + table.columns + " FROM " + table.name,
                     keys.first, keys.end);
    sqlite::Statement write(to_, std::string("INSERT INTO ") + table.name + "(" + table.columns +
                                     ") VALUES(" + marks(table.kinds.size()) + ")");
    std::int64_t count = 0;
    for (; rows.step(); ++count) {
      for (std::size_t i = 0; i < table.kinds.size(); ++i)
        bind(write, static_cast<int>(i), table.kinds[i], rows.row(), there, here);
      write.execute();
    }
    return count;
  }

  void bind(sqlite::Statement& write, int column, char kind, const sqlite::Statement& row,
            RunId there, RunId here) {
    const int to = column + 1;
    switch (kind) {
      case 't':
        write.bind(to, row.text(column));
        break;
      case 'b':
        write.bind(to, row.bytes(column));
        break;
      case 's':
        write.bind(to, series_here(row.integer(column)));
        break;
      case 'p':
        write.bind(to, (staging_.place_of(here) / fs::path(row.text(column)).filename()).string());
        break;
      case 'k':
        write.bind(to, key_here(row.integer(column), there, here));
        break;
      case 'f':
        write.bind(to, row.integer(column) == 0 ? 0 : key_here(row.integer(column), there, here));
        break;
      default:
        write.bind(to, row.integer(column));
    }
  }

  std::int64_t key_here(std::int64_t key, RunId there, RunId here) {
    const KeyRange keys = keys_of(there);
    if (key < keys.first || key >= keys.end)
      from_.damaged("a row of run " + std::to_string(there) + " belongs to another run");
    return key - keys.first + keys_of(here).first;
  }

  std::int64_t series_here(std::int64_t there) {
    if (names_.empty()) names_ = series_names(from_);
    const auto known = series_.find(there);
    if (known != series_.end()) return known->second;
    const auto name = names_.find(there);
    if (name == names_.end()) from_.damaged("a series has no name");
    sqlite::Statement(to_, "INSERT OR IGNORE INTO series(name) VALUES(?)")
        .bind(1, name->second)
        .execute();
    sqlite::Statement read(to_, "SELECT id FROM series WHERE name=?");
    if (!read.bind(1, name->second).step()) to_.damaged("a series has no number");
    return series_.emplace(there, read.integer(0)).first->second;
  }

  sqlite::Database& to_;
  const fs::path other_;
  sqlite::Database from_;
  Staging staging_;
  std::vector<Listed> chosen_;
  std::unordered_map<std::int64_t, std::string> names_;
  std::map<std::int64_t, std::int64_t> series_;
  StoreImport report_;
};

}  // namespace

StoreImport import_runs(sqlite::Database& to, const fs::path& other, const fs::path& runs) {
  std::error_code error;
  if (fs::equivalent(other, to.file(), error))
    throw StoreError("The store " + other.string() + " is this store itself.");
  try {
    return Import(to, other, runs).run();
  } catch (const fs::filesystem_error& e) {
    throw StoreError("Nothing was taken over from " + other.string() + ": " + e.what() + ".");
  }
}

}  // namespace engine
