#pragma once
/// Tables of the store and how a file comes to have them. Inner header of run_store.h's sources and
/// their tests.
///
/// A row that belongs to a run has the key run·2^40 + n. Rows of a run therefore lie together, are
/// appended at the end and are read as one range without any index. For events n is `seq`. Columns
/// `*_bits` hold the 8 bytes of a double as an integer, so that NaN and infinity keep their bits.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/event.h"
#include "engine/sqlite.h"

namespace engine {

struct Migration {
  std::int64_t from = 0;  ///< user_version it starts at; it ends one higher
  const char* sql = "";
};
struct Schema {
  std::int64_t version = 0;  ///< user_version of a new file
  const char* create = "";
  /// Tables that an older program of this version does without: made where they are missing, absent in a file that it
  /// wrote last.
  const char* additions = "";
  std::vector<Migration> migrations;
};
const Schema& store_schema();

/// Makes the tables in an empty file, or brings an older one up to date in one transaction after
/// writing a backup
/// "<store>.v<old version>.backup" beside it. Throws StoreError: another program's file, newer than
/// `schema`, damaged.
void prepare_for_writing(sqlite::Database& database, const Schema& schema);
/// Which runs are in the trash is a table of its own, which a store of an older program has not.
bool has_trash(sqlite::Database& database);
/// Throws StoreError where the file is not a store of just this version.
void prepare_for_reading(sqlite::Database& database, const Schema& schema);

/// A store that was closed cleanly in a folder where nothing may be written cannot get its WAL files; it also cannot
/// change, so it may be read without them. Throws StoreError where there is no such file.
sqlite::Mode reading_mode(const std::filesystem::path& store);

inline constexpr int k_run_shift = 40;
inline constexpr RunId k_last_run = (RunId{1} << 22) - 1;

/// Keys of a run: first <= key < end. Empty for a number that no run can have.
struct KeyRange {
  std::int64_t first = 0, end = 0;
};
inline KeyRange keys_of(RunId run) {
  if (run < 1 || run > k_last_run) return {};
  return {run << k_run_shift, (run + 1) << k_run_shift};
}

inline std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace engine
