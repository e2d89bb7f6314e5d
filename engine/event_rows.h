#pragma once
/// Reads events back from the tables they were spread over. Inner header of run_reader.cpp.

#include <optional>
#include <string>
#include <unordered_map>

#include "engine/event.h"
#include "engine/run_store_schema.h"
#include "engine/sqlite.h"

namespace engine {

/// Rows with first <= id < end, by id; `select` names id as its first column. A damaged tree could
/// give rows twice or without end, so each id must be greater than the one before.
class OrderedRows {
 public:
  OrderedRows(sqlite::Database& database, const std::string& select, std::int64_t first,
              std::int64_t end);
  bool step();
  const sqlite::Statement& row() const { return rows_; }

 private:
  sqlite::Database& database_;
  sqlite::Statement rows_;
  std::int64_t last_;
};

/// The rows of `points` or `scores` that belong to the events read, one event after another. Events
/// and rows rise together, so a whole run is one pass, whatever counts a file claims.
class EventRows {
 public:
  EventRows(sqlite::Database& database, const char* select, KeyRange keys)
      : database_(database), select_(select), keys_(keys) {}
  void open(std::int64_t first, std::int64_t count);
  const sqlite::Statement& step();

 private:
  sqlite::Database& database_;
  const char* select_;
  KeyRange keys_;
  std::optional<OrderedRows> rows_;
  std::int64_t next_ = 0;
};

std::unordered_map<std::int64_t, std::string> series_names(sqlite::Database& database);

/// Makes the events of one run again, in order of seq.
class EventRebuilder {
 public:
  static constexpr const char* k_select = "SELECT id,kind,word,text,bits,first,count FROM events";

  EventRebuilder(sqlite::Database& database, KeyRange keys);
  EventBody body(const sqlite::Statement& event);  ///< a row of k_select

 private:
  Points points(const sqlite::Statement& event);
  Evaluated evaluated(const sqlite::Statement& event);
  StageStarted stage(std::int64_t key);
  CheckpointSaved checkpoint(std::int64_t key);
  const sqlite::Statement& only(sqlite::Statement& read, std::int64_t key);

  sqlite::Database& database_;
  EventRows points_, scores_;
  std::unordered_map<std::int64_t, std::string> names_;
};

}  // namespace engine
