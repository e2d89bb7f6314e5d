#include "engine/data/content_hash.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <unordered_map>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/whole_file.h"
#include "engine/error.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

struct Remembered {
  FileStamp stamp;
  std::uint64_t hash = 0;
};
/// By the hash of the absolute path, so that any name fits a line.
using Memo = std::unordered_map<std::uint64_t, Remembered>;

std::uint64_t path_key(const fs::path& file) {
  const std::string name = fs::absolute(file).lexically_normal().string();
  return XXH3_64bits(name.data(), name.size());
}

Memo read_memo(const fs::path& path) {
  Memo memo;
  std::ifstream in(path);
  std::uint64_t key = 0;
  Remembered r;
  while (in >> key >> r.stamp.bytes >> r.stamp.inode >> r.stamp.modified_ns >> r.stamp.changed_ns >> r.hash)
    memo[key] = r;
  return memo;
}

void write_memo(const fs::path& path, const Memo& memo) {
  std::string text;
  for (const auto& [key, r] : memo) {
    for (const auto v : {key, r.stamp.bytes, r.stamp.inode}) text += std::to_string(v) + ' ';
    for (const auto v : {r.stamp.modified_ns, r.stamp.changed_ns}) text += std::to_string(v) + ' ';
    text += std::to_string(r.hash) + '\n';
  }
  write_whole(path, text);
}

std::uint64_t hash_file(const fs::path& file, const std::function<bool()>& stop) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw InputError(file.string() + ": cannot open: " + std::strerror(errno));
  const std::unique_ptr<const int, void (*)(const int*)> closing(&fd, [](const int* f) { ::close(*f); });
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  std::vector<char> block(std::size_t{1} << 20);
  while (true) {
    if (stop()) throw Cancelled{};
    const ssize_t count = ::read(fd, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw InputError(file.string() + ": cannot read: " + std::strerror(errno));
    if (count == 0) return XXH3_64bits_digest(&state);
    XXH3_64bits_update(&state, block.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

FileStamp file_stamp(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) throw InputError(file.string() + ": cannot open: " + std::strerror(errno));
  const auto ns = [](const timespec& t) { return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; };
  return {static_cast<std::uint64_t>(info.st_size), info.st_ino, ns(info.st_mtim), ns(info.st_ctim)};
}

std::uint64_t content_hash(const fs::path& root, const std::vector<fs::path>& files, const fs::path& memo_path,
                           const std::function<bool()>& stop) {
  const Memo known = read_memo(memo_path);
  Memo now;
  bool read_any = false;
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const auto& file : files) {
    const FileStamp stamp = file_stamp(file);
    const std::uint64_t key = path_key(file);
    const auto found = known.find(key);
    const bool fresh = found == known.end() || found->second.stamp != stamp;
    const std::uint64_t hash = fresh ? hash_file(file, stop) : found->second.hash;
    if (fresh && file_stamp(file) != stamp) throw InputError(file.string() + ": changed while it was read; try again");
    read_any = read_any || fresh;
    now[key] = {stamp, hash};
    const std::string name = file.lexically_relative(root).string();
    XXH3_64bits_update(&state, name.c_str(), name.size() + 1);
    XXH3_64bits_update(&state, &hash, sizeof hash);
  }
  if (read_any) write_memo(memo_path, now);
  return XXH3_64bits_digest(&state);
}

}  // namespace engine
