#include "engine/event_rows.h"

#include <algorithm>

namespace engine {

OrderedRows::OrderedRows(sqlite::Database& database, const std::string& select, std::int64_t first,
                         std::int64_t end)
    : database_(database),
      rows_(database, select + " WHERE id>=? AND id<? ORDER BY id"),
      last_(first - 1) {
  rows_.bind(1, first).bind(2, end);
}

bool OrderedRows::step() {
  if (!rows_.step()) return false;
  if (rows_.integer(0) <= last_) database_.damaged("its rows are out of order");
  last_ = rows_.integer(0);
  return true;
}

void EventRows::open(std::int64_t first, std::int64_t count) {
  if (count == 0) return;
  if (count < 0 || first < std::max(next_, keys_.first) || first >= keys_.end) {
    database_.damaged("an event names rows that are not its own");
  }
  if (!rows_ || first != next_) rows_.emplace(database_, select_, first, keys_.end);
  next_ = first;
}

const sqlite::Statement& EventRows::step() {
  if (!rows_->step() || rows_->row().integer(0) != next_++) {
    database_.damaged("rows of an event are missing");
  }
  return rows_->row();
}

std::unordered_map<std::int64_t, std::string> series_names(sqlite::Database& database) {
  std::unordered_map<std::int64_t, std::string> names;
  sqlite::Statement read(database, "SELECT id,name FROM series");
  while (read.step()) names.emplace(read.integer(0), read.text(1));
  return names;
}

EventRebuilder::EventRebuilder(sqlite::Database& database, KeyRange keys)
    : database_(database),
      points_(database, "SELECT id,series,bits FROM points", keys),
      scores_(database,
              "SELECT id,component,task,metric,value_bits,stderr_bits,n,outcomes FROM scores",
              keys),
      names_(series_names(database)) {}

EventBody EventRebuilder::body(const sqlite::Statement& event) {
  const std::int64_t key = event.integer(0);
  const std::string kind = event.text(1);
  if (kind == "points") return points(event);
  if (kind == "log") return LogLine{log_level_from(event.text(2)), event.text(3)};
  if (kind == "evaluated") return evaluated(event);
  if (kind == "checkpoint") return checkpoint(key);
  if (kind == "stage") return stage(key);
  if (kind == "queued") return RunQueued{event.text(3)};
  if (kind == "started") return RunStarted{event.text(2), event.text(3)};
  if (kind == "ended") {
    return RunEnded{run_state_from(event.text(2)), event.text(3), event.from_bits(4)};
  }
  database_.damaged("an event is of unknown kind");
}

Points EventRebuilder::points(const sqlite::Statement& event) {
  Points points{event.integer(4), {}};
  const std::int64_t count = event.integer(6);
  points_.open(event.integer(5), count);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& row = points_.step();
    const auto name = names_.find(row.integer(1));
    if (name == names_.end()) database_.damaged("a series has no name");
    points.values.emplace_back(name->second, row.from_bits(2));
  }
  return points;
}

Evaluated EventRebuilder::evaluated(const sqlite::Statement& event) {
  sqlite::Statement read(database_, "SELECT step,window,seconds_bits FROM evaluations WHERE id=?");
  const auto& head = only(read, event.integer(0));
  Evaluated evaluated{head.integer(0), head.integer(1), head.from_bits(2), {}};
  const std::int64_t count = event.integer(6);
  scores_.open(event.integer(5), count);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& row = scores_.step();
    evaluated.scores.push_back({row.text(1), row.text(2), row.text(3), row.from_bits(4),
                                row.from_bits(5), row.integer(6), row.bytes(7)});
  }
  return evaluated;
}

StageStarted EventRebuilder::stage(std::int64_t key) {
  sqlite::Statement read(database_,
                         "SELECT stage,stages,kind,title,first_step,steps,steps_per_epoch "
                         "FROM stages WHERE id=?");
  const auto& row = only(read, key);
  return {row.integer(0), row.integer(1), row.text(2),   row.text(3),
          row.integer(4), row.integer(5), row.integer(6)};
}

CheckpointSaved EventRebuilder::checkpoint(std::int64_t key) {
  sqlite::Statement read(database_,
                         "SELECT step,stage,path,kind,bytes FROM checkpoints WHERE id=?");
  const auto& row = only(read, key);
  return {row.integer(0), row.integer(1), row.text(2), row.text(3), row.integer(4)};
}

const sqlite::Statement& EventRebuilder::only(sqlite::Statement& read, std::int64_t key) {
  if (!read.bind(1, key).step()) database_.damaged("rows of an event are missing");
  return read;
}

}  // namespace engine
