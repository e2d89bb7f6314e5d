#include "engine/data/token_cache.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <optional>
#include <span>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/content_hash.h"
#include "engine/data/text_source.h"
#include "engine/data/token_cache_file.h"
#include "engine/data/tokenizer.h"
#include "engine/data/whole_file.h"
#include "engine/error.h"
#include "engine/hash_text.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

/// Thrown inside this file: the cache cannot be used.
struct Unusable {
  std::string why;
};

/// Held while one process builds; others wait. Where the file system knows no locks, both build, each beside its own
/// name, and the last rename wins.
class BuildLock {
 public:
  BuildLock(const fs::path& path, const TokenCacheOptions& options) {
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd_ < 0) throw InputError(path.string() + ": cannot be made: " + std::strerror(errno));
    for (bool told = false; ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; told = true) {
      if (!told) options.note("another process tokenises the same text; waiting for it");
      if (options.stop()) {
        ::close(fd_);
        throw Cancelled{};
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
  ~BuildLock() { ::close(fd_); }
  BuildLock(const BuildLock&) = delete;
  BuildLock& operator=(const BuildLock&) = delete;

 private:
  int fd_ = -1;
};

/// In steps, so that checking a file larger than memory does not fill it.
std::uint64_t hash_and_release(std::span<const std::byte> bytes) {
  constexpr std::size_t k_step = std::size_t{64} << 20;
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (std::size_t at = 0; at < bytes.size(); at += k_step) {
    const auto step = bytes.subspan(at, std::min(k_step, bytes.size() - at));
    XXH3_64bits_update(&state, step.data(), step.size());
    release_pages(step);
  }
  return XXH3_64bits_digest(&state);
}

std::string stamp_text(const fs::path& file) {
  const FileStamp s = file_stamp(file);
  return std::to_string(s.bytes) + ' ' + std::to_string(s.inode) + ' ' + std::to_string(s.modified_ns) + ' ' +
         std::to_string(s.changed_ns);
}

bool was_checked(const fs::path& file) {
  std::ifstream in(file.string() + ".checked");
  std::string line;
  return std::getline(in, line) && line == stamp_text(file);
}

/// What a killed builder left behind; only the lock's holder may call it.
void remove_parts(const fs::path& path) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path.parent_path(), ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(path.filename().string()) && name.ends_with(".part")) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

TokenCache TokenCache::map(const fs::path& path, std::uint64_t key) {
  TokenCache cache;
  const bool checked = was_checked(path);
  try {
    cache.file_ = MappedFile(path);
  } catch (const InputError& error) {
    throw Unusable{error.what()};
  }
  const auto bytes = cache.file_.bytes();
  TokenCacheHeader h;
  if (bytes.size() < sizeof h) throw Unusable{"is cut short"};
  std::memcpy(&h, bytes.data(), sizeof h);
  if (std::memcmp(h.magic, k_token_cache_magic, sizeof h.magic) != 0) throw Unusable{"is no token cache"};
  if (h.version != k_token_cache_version) throw Unusable{"has version " + std::to_string(h.version)};
  if (h.header_hash != h.own_hash() || h.key != key || (h.token_bytes != 2 && h.token_bytes != 4))
    throw Unusable{"is damaged in its header"};
  // The counts are bounded by the size first, so that the sums cannot overflow.
  if (h.tokens > bytes.size() || h.documents > bytes.size() || h.file_bytes() != bytes.size())
    throw Unusable{"has another size than its header says"};
  if (!checked) {
    if (hash_and_release(bytes.subspan(sizeof h)) != h.body_hash) throw Unusable{"is damaged"};
    write_whole(path.string() + ".checked", stamp_text(path));
  }
  cache.documents_ = h.documents;
  cache.tokens_ = h.tokens;
  cache.fingerprint_ = h.fingerprint;
  cache.table_at_ = h.table_at();
  cache.wide_ = h.token_bytes == 4;
  return cache;
}

TokenCache TokenCache::open(const fs::path& text, const std::string& text_field, const Tokenizer& tokenizer,
                            const TokenCacheOptions& options) {
  if (options.folder.empty()) throw InputError(text.string() + ": no folder was given to keep its tokens in");
  const fs::path folder = options.folder / "tokens", whole = fs::absolute(text).lexically_normal();
  const auto files = text_files(whole);
  std::error_code ignored;
  const fs::path root = fs::is_directory(whole, ignored) ? whole : whole.parent_path();
  const fs::path memo = folder / (hex_digits(XXH3_64bits(whole.c_str(), whole.native().size())) + ".hashes");
  const std::uint64_t parts[] = {content_hash(root, files, memo, options.stop), tokenizer.hash(),
                                 XXH3_64bits(text_field.data(), text_field.size())};
  const std::uint64_t key = XXH3_64bits(parts, sizeof parts);
  const fs::path path = folder / (hex_digits(key) + ".tokens");
  auto try_map = [&](bool tell) -> std::optional<TokenCache> {
    if (!fs::exists(path, ignored)) return std::nullopt;
    try {
      return map(path, key);
    } catch (const Unusable& problem) {
      if (tell) options.note(path.string() + " " + problem.why + "; it is built again");
      return std::nullopt;
    }
  };
  if (auto cache = try_map(true)) return std::move(*cache);
  fs::create_directories(folder, ignored);
  const BuildLock lock(folder / (hex_digits(key) + ".lock"), options);
  if (auto cache = try_map(false)) return std::move(*cache);  // built by the process that was waited for
  remove_parts(path);
  options.note("tokenising " + text.string() + " into " + path.string());
  write_token_cache(path, key, whole, text_field, tokenizer, options, [&] {
    // The key was made before the text was read for its tokens.
    if (content_hash(root, text_files(whole), memo, options.stop) != parts[0])
      throw InputError(text.string() + ": changed while it was tokenised; try again");
  });
  try {
    return map(path, key);
  } catch (const Unusable& problem) {
    throw InputError(path.string() + " " + problem.why + " right after it was written; is the disk failing?");
  }
}

void TokenCache::append(std::uint64_t begin, std::uint64_t end, std::vector<std::int64_t>& out) const {
  end = std::min(end, tokens_);
  begin = std::min(begin, end);
  const std::byte* tokens = file_.bytes().data() + sizeof(TokenCacheHeader);
  if (wide_) {
    const auto* all = reinterpret_cast<const std::int32_t*>(tokens);
    out.insert(out.end(), all + begin, all + end);
  } else {
    const auto* all = reinterpret_cast<const std::uint16_t*>(tokens);
    out.insert(out.end(), all + begin, all + end);
  }
}

}  // namespace engine
