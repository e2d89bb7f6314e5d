#pragma once
/// A thin owner of SQLite's C handles, for the store's own files only. Every failure is a
/// StoreError whose text names the file and what went wrong.

#include <bit>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace engine::sqlite {

enum class Mode { write, read, immutable };

/// One connection. One thread at a time. Nothing from the file is trusted: no triggers, views,
/// extensions or mmap.
class Database {
 public:
  Database(const std::filesystem::path& file, Mode mode);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const std::string& sql);  ///< statements without parameters or results
  std::int64_t integer(
      const std::string& sql);  ///< first column of the first row; 0 where there is none
  std::string text(const std::string& sql);
  std::int64_t last_id() const;
  bool in_transaction() const;
  const std::filesystem::path& file() const { return file_; }
  sqlite3* handle() const { return db_; }

  /// Throws for the last failed call.
  [[noreturn]] void fail(int code) const;
  /// Throws "The store <file> is damaged: <what>."
  [[noreturn]] void damaged(const std::string& what) const;

  /// Work one statement may do, in SQLite's virtual instructions: enough to read the whole file
  /// several times, so that only a file made to loop meets it. Called before each statement of a
  /// reading connection.
  void refill_budget();

 private:
  static int spend(void* self);

  std::filesystem::path file_;
  sqlite3* db_ = nullptr;
  std::int64_t budget_ = 0;
  bool limited_ = false;
};

/// A prepared statement. Parameters and columns count from 1 and 0, as SQLite does.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::string_view value);
  Statement& bind(int index, const std::vector<std::uint8_t>& value);  ///< a BLOB
  Statement& bind_bits(int index, double value) {
    return bind(index, std::bit_cast<std::int64_t>(value));
  }

  bool step();   ///< true: a row is there
  void reset();  ///< ready to be bound and stepped again
  void execute() {
    step();
    reset();
  }

  std::int64_t integer(int column) const;
  double from_bits(int column) const { return std::bit_cast<double>(integer(column)); }
  std::string text(int column) const;
  std::vector<std::uint8_t> bytes(int column) const;

 private:
  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
};

/// Rolls back unless committed. `durable`: on the disk, not only with the operating system, when
/// commit returns.
class WriteTransaction {
 public:
  WriteTransaction(Database& database, bool durable);
  ~WriteTransaction();
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

/// All reads in its life see one moment of the file. Does nothing inside another one.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database);
  ~ReadTransaction();
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Database& database_;
  bool outermost_;
};

}  // namespace engine::sqlite
