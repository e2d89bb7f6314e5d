#pragma once
/// Files that are there whole or not at all.

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace engine {

/// A file that is written beside its place under a name of its own, synced and then renamed into place. Destroyed
/// before publish(), it leaves nothing. Every member throws InputError with the path and the system's reason (a full
/// disk, a folder that cannot be written).
class WholeFile {
 public:
  explicit WholeFile(const std::filesystem::path& path);  ///< makes its folder
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;

  void write(const void* data, std::size_t bytes);  ///< at the end
  void write_at(std::size_t offset, const void* data, std::size_t bytes);
  std::size_t read_at(std::size_t offset, void* data,
                      std::size_t bytes);  ///< of what was written; less only at the end
  void publish();

 private:
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path path_, part_;
  int fd_ = -1;
};

/// The same for a small text; trouble is passed over, since the file is only a convenience.
void write_whole(const std::filesystem::path& path, std::string_view text);

}  // namespace engine
