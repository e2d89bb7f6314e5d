#pragma once
/// A corpus as tokens in one memory-mapped file, made once for each text, tokenizer and text field.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/data/mapped_file.h"

namespace engine {

class Tokenizer;

struct TokenCacheOptions {
  std::filesystem::path folder;                        ///< Paths::cache; the files lie in its `tokens` folder
  int threads = 0;                                     ///< that tokenise; 0: one per core
  std::function<bool()> stop = [] { return false; };   ///< true ends the building with Cancelled
  std::function<void(const std::string&)> note = [](const std::string&) {};  ///< lines for the log; calling thread
};

/// Immutable; any number of threads may read. Movable, not copyable.
///
/// The file is <folder>/tokens/<key>.tokens, its key the hash of the text (names, contents), of the tokenizer with its
/// special-token policy, and of the text field. Little-endian: a header of 64 bytes, the tokens (uint16 where the
/// vocabulary has at most 65,536 of them, else uint32) padded to 8 bytes, then for each document where its tokens end
/// and the XXH3 of its text (uint64 each). Header and body carry checksums. A file that is damaged, of another version
/// or of another text is never used: it is built again, and `note` says why. After one whole check a file is trusted
/// while its size, times and inode stay as they are (<key>.tokens.checked).
///
/// Built on several threads beside its place, synced and renamed; a second process waits for the first. Building takes
/// memory for a few blocks of text only. The folder may be deleted at any time.
class TokenCache {
 public:
  /// Opens the cache of a file or folder of text, building it where needed. Throws InputError (text, tokenizer, disk),
  /// Cancelled.
  static TokenCache open(const std::filesystem::path& text, const std::string& text_field, const Tokenizer& tokenizer,
                         const TokenCacheOptions& options);

  std::uint64_t documents() const { return documents_; }
  std::uint64_t tokens() const { return tokens_; }
  /// Over the documents' texts in order and the tokenizer: equal where the rows made of it are equal.
  std::uint64_t fingerprint() const { return fingerprint_; }

  std::uint64_t hash(std::uint64_t document) const { return table()[2 * document + 1]; }  ///< XXH3 of its text
  /// Its tokens' begin and end in the whole.
  std::pair<std::uint64_t, std::uint64_t> range(std::uint64_t document) const {
    return {document == 0 ? 0 : table()[2 * document - 2], table()[2 * document]};
  }
  /// Appends the tokens in [begin, end), clamped to what there is.
  void append(std::uint64_t begin, std::uint64_t end, std::vector<std::int64_t>& out) const;

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  TokenCache() = default;
  static TokenCache map(const std::filesystem::path& path, std::uint64_t key);
  const std::uint64_t* table() const {
    return reinterpret_cast<const std::uint64_t*>(file_.bytes().data() + table_at_);
  }

  MappedFile file_;
  std::uint64_t documents_ = 0, tokens_ = 0, fingerprint_ = 0, table_at_ = 0;
  bool wide_ = false;
};

}  // namespace engine
