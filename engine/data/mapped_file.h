#pragma once
/// A file seen as bytes in memory.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace engine {

/// Maps a regular file read-only for its lifetime (POSIX mmap, private). Movable, not copyable; any
/// number of threads may read. Throws InputError with the path and the system's reason where the
/// file is missing, unreadable or not a regular file. Another process that truncates the file
/// meanwhile makes reads beyond its new end fail with SIGBUS.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  std::size_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }

  void advise_sequential()
      const;  ///< a hint to the kernel that the bytes are read once, front to back

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::filesystem::path path_;
};

/// Reads the whole pages around a part of a mapped file into memory and makes them ready for use. May be called for
/// disjoint parts from several threads.
void fetch_pages(std::span<const std::byte> mapped);
/// Lets this process write to the whole pages around a part of a mapped file; each is copied at its first write, the file
/// never changes. Throws std::system_error where memory does not suffice.
void allow_own_writes(std::span<const std::byte> mapped);
/// Gives back the memory of the whole pages inside a part of a mapped file that will not be read again soon; reading it
/// later brings them back from the file.
void release_pages(std::span<const std::byte> mapped);

}  // namespace engine
