#include "engine/sqlite.h"

#include <sqlite3.h>

#include <cstring>
#include <system_error>

#include "engine/run_store.h"

namespace engine::sqlite {
namespace {

constexpr int k_busy_write_ms = 10'000;
constexpr int k_busy_read_ms = 2'000;
constexpr int k_longest_value = 256 << 20;
constexpr int k_budget_step = 10'000;

/// The path as SQLite's URI form wants it; a name may hold '?', '#' or '%'.
std::string uri(const std::filesystem::path& file, std::string_view query) {
  static const char* hex = "0123456789ABCDEF";
  std::string out = "file:";
  for (unsigned char c : std::filesystem::absolute(file).string()) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::strchr("/-_.~", c) != nullptr;
    if (plain) {
      out += static_cast<char>(c);
    } else {
      out += {'%', hex[c >> 4], hex[c & 15]};
    }
  }
  return out.append(query);
}

const char* query_of(Mode mode) {
  switch (mode) {
    case Mode::write:
      return "?mode=rwc";
    case Mode::read:
      return "?mode=ro";
    case Mode::immutable:
      return "?mode=ro&immutable=1";
  }
  return "?mode=ro";
}

void harden(sqlite3* db) {
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, k_longest_value);
  sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 1);
  sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
}

}  // namespace

Database::Database(const std::filesystem::path& file, Mode mode) : file_(file) {
  int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= mode == Mode::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(uri(file, query_of(mode)).c_str(), &db_, flags, nullptr);
  try {
    if (db_ == nullptr) throw StoreError("Cannot open the store " + file.string() + ": no memory.");
    if (code != SQLITE_OK) fail(code);
    harden(db_);
    sqlite3_busy_timeout(db_, mode == Mode::write ? k_busy_write_ms : k_busy_read_ms);
    run("PRAGMA cell_size_check=ON");
    run("PRAGMA mmap_size=0");
    if (mode != Mode::write) {
      // Only the writer may touch the WAL: two connections that checkpoint at once can damage the
      // file in SQLite up to 3.51.2.
      sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
      sqlite3_wal_autocheckpoint(db_, 0);
      limited_ = true;
      sqlite3_progress_handler(db_, k_budget_step, &Database::spend, this);
    }
  } catch (...) {
    sqlite3_close_v2(db_);
    throw;
  }
}

Database::~Database() { sqlite3_close_v2(db_); }

int Database::spend(void* self) {
  auto* database = static_cast<Database*>(self);
  database->budget_ -= k_budget_step;
  return database->budget_ < 0 ? 1 : 0;
}

void Database::refill_budget() {
  if (!limited_) return;
  std::error_code ignored;
  std::int64_t bytes = 0;
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::path part = file_;
    part += suffix;
    const auto size = std::filesystem::file_size(part, ignored);
    if (!ignored) bytes += static_cast<std::int64_t>(size);
  }
  budget_ = 20'000'000 + 32 * bytes;
}

void Database::run(const std::string& sql) {
  refill_budget();
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

std::int64_t Database::integer(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.text(0) : std::string();
}

std::int64_t Database::last_id() const { return sqlite3_last_insert_rowid(db_); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }

void Database::damaged(const std::string& what) const {
  throw StoreError("The store " + file_.string() + " is damaged: " + what + ".");
}

void Database::fail(int code) const {
  const std::string store = "the store " + file_.string();
  const std::string said = sqlite3_errmsg(db_);
  const int errno_value = sqlite3_system_errno(db_);
  const std::string system = errno_value != 0 ? std::generic_category().message(errno_value) : said;
  switch (code & 0xff) {
    case SQLITE_FULL:
      throw StoreError("Cannot write to " + store +
                       ": the disk or quota is full; free some space and go on.");
    case SQLITE_IOERR:
      throw StoreError("Cannot read or write " + store + ": " + system + ".");
    case SQLITE_CANTOPEN:
      throw StoreError("Cannot open " + store + ": " + system + ".");
    case SQLITE_PERM:
    case SQLITE_READONLY:
      throw StoreError("Cannot write to " + store +
                       ": no permission to write this file or its folder.");
    case SQLITE_NOTADB:
      throw StoreError("The file " + file_.string() +
                       " is not an Equipoise store: expected an SQLite 3 database.");
    case SQLITE_CORRUPT:
      damaged(said);
    case SQLITE_INTERRUPT:
      damaged("reading it does not come to an end");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw StoreError("Cannot use " + store + ": another program keeps it locked.");
    case SQLITE_NOMEM:
      throw StoreError("Cannot use " + store + ": no memory.");
    case SQLITE_TOOBIG:
      throw StoreError("Cannot use " + store + ": a value is too large.");
    default:
      throw StoreError("Cannot use " + store + ": " + said + ".");
  }
}

Statement::Statement(Database& database, std::string_view sql) : database_(database) {
  database.refill_budget();
  const int code = sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()),
                                      &statement_, nullptr);
  if (code != SQLITE_OK) database.fail(code);
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int index, std::int64_t value) {
  const int code = sqlite3_bind_int64(statement_, index, value);
  if (code != SQLITE_OK) database_.fail(code);
  return *this;
}

Statement& Statement::bind(int index, std::string_view value) {
  const char* data = value.data() != nullptr ? value.data() : "";
  const int code =
      sqlite3_bind_text64(statement_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) database_.fail(code);
  return *this;
}

Statement& Statement::bind(int index, const std::vector<std::uint8_t>& value) {
  const int code = value.empty() ? sqlite3_bind_zeroblob(statement_, index, 0)
                                 : sqlite3_bind_blob64(statement_, index, value.data(),
                                                       value.size(), SQLITE_TRANSIENT);
  if (code != SQLITE_OK) database_.fail(code);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  database_.fail(code);
}

void Statement::reset() { sqlite3_reset(statement_); }

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string Statement::text(int column) const {
  const unsigned char* data = sqlite3_column_text(statement_, column);
  if (data == nullptr) return {};
  const int size = sqlite3_column_bytes(statement_, column);
  return {reinterpret_cast<const char*>(data), static_cast<std::size_t>(size)};
}

std::vector<std::uint8_t> Statement::bytes(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  if (data == nullptr) return {};
  return {data, data + sqlite3_column_bytes(statement_, column)};
}

WriteTransaction::WriteTransaction(Database& database, bool durable) : database_(database) {
  // A WAL needs no flush to survive a killed program; with a rollback journal less than FULL
  // could damage the file itself when power fails.
  const bool wal = database.text("PRAGMA journal_mode") == "wal";
  database.run(durable || !wal ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  database.run("BEGIN IMMEDIATE");
}

void WriteTransaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

WriteTransaction::~WriteTransaction() {
  if (open_ && database_.in_transaction()) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

ReadTransaction::ReadTransaction(Database& database)
    : database_(database), outermost_(!database.in_transaction()) {
  if (outermost_) database_.run("BEGIN");
}

ReadTransaction::~ReadTransaction() {
  if (outermost_ && database_.in_transaction()) {
    sqlite3_exec(database_.handle(), "COMMIT", nullptr, nullptr, nullptr);
  }
}

}  // namespace engine::sqlite
