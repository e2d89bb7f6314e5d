#pragma once
/// What files hold, as a number, without reading them again each time.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace engine {

/// What changes whenever a file is written. Equal stamps: the same bytes (but for a failing disk).
struct FileStamp {
  std::uint64_t bytes = 0, inode = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
FileStamp file_stamp(const std::filesystem::path& file);  ///< throws InputError where it cannot be asked

/// XXH3 over the files' names below `root` and their contents, in the order given.
///
/// `memo` is a small text file that remembers each file's hash with its stamp, so that a corpus is read once and not at
/// every start; it is written where something was read, and a damaged or missing one only costs the reading. `stop` is
/// asked while reading. Throws InputError for a file that cannot be read, Cancelled.
std::uint64_t content_hash(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                           const std::filesystem::path& memo, const std::function<bool()>& stop);

}  // namespace engine
