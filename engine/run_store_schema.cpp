#include "engine/run_store_schema.h"

#include <filesystem>
#include <string>

#include "engine/run_store.h"

namespace engine {
namespace {

constexpr std::int64_t k_application_id = 0x4571706F;  // "Eqpo"

constexpr const char* k_tables = R"sql(
CREATE TABLE runs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL,
  hash TEXT NOT NULL, seed INTEGER NOT NULL,
  created_ms INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
  steps INTEGER NOT NULL, total_steps INTEGER NOT NULL, seconds_bits INTEGER NOT NULL,
  device TEXT NOT NULL, dtype TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL,
  tags TEXT NOT NULL, notes TEXT NOT NULL,
  attempt INTEGER NOT NULL, last_seq INTEGER NOT NULL,
  recipe TEXT NOT NULL) STRICT;
CREATE INDEX runs_by_name ON runs(name);
-- A point of attempt a is live where its step <= from_step of every later attempt.
CREATE TABLE attempts(
  run INTEGER NOT NULL, attempt INTEGER NOT NULL,
  from_step INTEGER NOT NULL, started_ms INTEGER NOT NULL,
  PRIMARY KEY(run, attempt)) STRICT, WITHOUT ROWID;
-- kind: queued(text=name) started(word=device, text=dtype) stage points(bits=step, first, count)
--       evaluated(first, count) checkpoint log(word=level, text) ended(word=state, text, bits=seconds)
-- first, count: the rows of points or scores that belong to the event.
CREATE TABLE events(
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, attempt INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  word TEXT NOT NULL, text TEXT NOT NULL, bits INTEGER NOT NULL,
  first INTEGER NOT NULL, count INTEGER NOT NULL) STRICT;
CREATE TABLE stages(
  id INTEGER PRIMARY KEY, stage INTEGER NOT NULL, stages INTEGER NOT NULL,
  kind TEXT NOT NULL, title TEXT NOT NULL, first_step INTEGER NOT NULL, steps INTEGER NOT NULL,
  steps_per_epoch INTEGER NOT NULL) STRICT;
CREATE TABLE series(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE points(
  id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, step INTEGER NOT NULL,
  series INTEGER NOT NULL, bits INTEGER NOT NULL) STRICT;
CREATE TABLE evaluations(
  id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, step INTEGER NOT NULL, window INTEGER NOT NULL,
  seconds_bits INTEGER NOT NULL) STRICT;
CREATE TABLE scores(
  id INTEGER PRIMARY KEY, evaluation INTEGER NOT NULL,
  component TEXT NOT NULL, task TEXT NOT NULL, metric TEXT NOT NULL,
  value_bits INTEGER NOT NULL, stderr_bits INTEGER NOT NULL, n INTEGER NOT NULL,
  outcomes BLOB NOT NULL) STRICT;
CREATE TABLE checkpoints(
  id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, step INTEGER NOT NULL, stage INTEGER NOT NULL,
  path TEXT NOT NULL, kind TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT;
)sql";

constexpr const char* k_additions = R"sql(
CREATE TABLE IF NOT EXISTS trash(run INTEGER PRIMARY KEY, since_ms INTEGER NOT NULL) STRICT;
)sql";

[[noreturn]] void refuse(const sqlite::Database& database, const std::string& why) {
  throw StoreError("The file " + database.file().string() + " " + why + ".");
}

/// user_version of one of our files; throws for another program's, a newer one and a stripped one.
std::int64_t checked_version(sqlite::Database& database, const Schema& schema) {
  if (database.integer("PRAGMA application_id") != k_application_id) {
    refuse(database, "is not an Equipoise store: it is an SQLite database of another program");
  }
  const std::int64_t version = database.integer("PRAGMA user_version");
  if (version > schema.version) {
    refuse(database, "was written by a newer Equipoise (store format " + std::to_string(version) +
                         ", this program knows up to " + std::to_string(schema.version) +
                         "); open it with that one");
  }
  if (version < 1) database.damaged("it has no store format");
  return version;
}

void check_tables(sqlite::Database& database) {
  const std::int64_t found = database.integer(
      "SELECT count(*) FROM sqlite_schema WHERE type='table' AND sql NOT LIKE 'CREATE VIRTUAL%' "
      "AND name IN ('runs','attempts','events','stages','series','points','evaluations','scores',"
      "'checkpoints')");
  if (found != 9) database.damaged("tables are missing");
}

void set_version(sqlite::Database& database, std::int64_t version) {
  database.run("PRAGMA user_version=" + std::to_string(version));
}

void create(sqlite::Database& database, const Schema& schema) {
  sqlite::WriteTransaction transaction(database, true);
  database.run("PRAGMA application_id=" + std::to_string(k_application_id));
  set_version(database, schema.version);
  database.run(schema.create);
  transaction.commit();
}

/// A whole copy beside the store; an earlier backup of that name is kept.
void back_up(sqlite::Database& database, std::int64_t version) {
  const std::string stem = database.file().string() + ".v" + std::to_string(version) + ".backup";
  std::string target = stem;
  for (int i = 2; std::filesystem::exists(target); ++i) target = stem + std::to_string(i);
  try {
    sqlite::Statement copy(database, "VACUUM INTO ?");
    copy.bind(1, target).execute();
  } catch (const StoreError&) {
    std::error_code ignored;
    std::filesystem::remove(target, ignored);
    throw;
  }
}

void migrate(sqlite::Database& database, const Schema& schema, std::int64_t version) {
  back_up(database, version);
  sqlite::WriteTransaction transaction(database, true);
  for (const Migration& step : schema.migrations) {
    if (step.from != version) continue;
    database.run(step.sql);
    set_version(database, ++version);
  }
  if (version != schema.version) {
    refuse(database, "has store format " + std::to_string(version) +
                         ", from which this program knows no way to its own");
  }
  transaction.commit();
}

}  // namespace

const Schema& store_schema() {
  static const Schema schema{.version = 1, .create = k_tables, .additions = k_additions, .migrations = {}};
  return schema;
}

void prepare_for_writing(sqlite::Database& database, const Schema& schema) {
  const bool empty = database.integer("SELECT count(*) FROM sqlite_schema") == 0 &&
                     database.integer("PRAGMA application_id") == 0 &&
                     database.integer("PRAGMA user_version") == 0;
  if (empty) create(database, schema);
  const std::int64_t version = checked_version(database, schema);
  if (version < schema.version) migrate(database, schema, version);
  check_tables(database);
  if (has_trash(database)) return;
  sqlite::WriteTransaction transaction(database, true);
  database.run(schema.additions);
  transaction.commit();
}

bool has_trash(sqlite::Database& database) {
  return database.integer(
             "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name='trash' "
             "AND sql NOT LIKE 'CREATE VIRTUAL%'") == 1;
}

void prepare_for_reading(sqlite::Database& database, const Schema& schema) {
  const std::int64_t version = checked_version(database, schema);
  if (version < schema.version) {
    refuse(database, "has an older store format (" + std::to_string(version) +
                         "); open it once for writing to bring it up to date");
  }
  check_tables(database);
}

}  // namespace engine
