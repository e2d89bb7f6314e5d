#pragma once
/// Who may write to a store, and on what kind of file system it lies.

#include <cstdint>
#include <filesystem>

namespace engine {

/// Holds `<store>.lock` for its life, so that a store has one writing process. The file names the
/// holder (pid, host) and is removed at the end; a killed holder's lock is free at once, whatever
/// the file says.
class StoreLock {
 public:
  /// Makes the folder if need be. Throws StoreBusy where another holder lives, StoreError where the lock cannot be made.
  explicit StoreLock(const std::filesystem::path& store);
  ~StoreLock();
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

/// Whether a living process holds the store's writing lock. False where it cannot be told.
bool store_is_held(const std::filesystem::path& store);

/// True for `f_type` of statfs(2) of a file system that other hosts may share (NFS, SMB, Lustre,
/// GPFS, FUSE, ...): SQLite's WAL needs memory shared by all readers and would be damaged there.
bool shared_file_system(std::uint64_t f_type);
/// The same for the file system that holds `path`; false where it cannot be told.
bool on_shared_file_system(const std::filesystem::path& path);

}  // namespace engine
