#include "engine/data/token_cache_file.h"

#include <chrono>
#include <cstddef>
#include <cstring>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/tokenize_documents.h"
#include "engine/data/tokenizer.h"
#include "engine/data/whole_file.h"
#include "engine/error.h"
#include "engine/random.h"

namespace engine {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t k_widest_short = 65'536;
constexpr std::chrono::seconds k_note_every{30};

/// Tokens go to the file as they come, the documents' table to a second file that is appended at the end: its size
/// grows with the corpus, so neither may be held.
class Writer {
 public:
  Writer(const fs::path& path, std::uint64_t key, const Tokenizer& tokenizer)
      : file_(path), table_(path.string() + ".table") {
    std::memcpy(header_.magic, k_token_cache_magic, sizeof header_.magic);
    header_.key = key;
    header_.token_bytes = tokenizer.vocab_size() <= k_widest_short ? 2 : 4;
    XXH3_64bits_reset(&body_);
    file_.write(&header_, sizeof header_);
  }

  const TokenCacheHeader& header() const { return header_; }

  void add(const TokenBlock& block) {
    if (header_.token_bytes == 4) {
      body(block.tokens.data(), block.tokens.size() * 4);
    } else {
      short_.assign(block.tokens.begin(), block.tokens.end());
      body(short_.data(), short_.size() * 2);
    }
    std::vector<std::uint64_t> entries;
    entries.reserve(2 * block.ends.size());
    for (std::size_t i = 0; i < block.ends.size(); ++i) {
      entries.push_back(header_.tokens + block.ends[i]);
      entries.push_back(block.hashes[i]);
      header_.fingerprint = mix64(header_.fingerprint ^ block.hashes[i]);
    }
    table_.write(entries.data(), entries.size() * sizeof entries[0]);
    header_.tokens += block.tokens.size();
    header_.documents += block.ends.size();
  }

  void finish(std::uint64_t tokenizer_hash) {
    const char zeros[8] = {};
    body(zeros, header_.table_at() - sizeof header_ - header_.tokens * header_.token_bytes);
    std::vector<char> block(std::size_t{1} << 20);
    std::size_t at = 0;
    while (const std::size_t count = table_.read_at(at, block.data(), block.size())) {
      body(block.data(), count);
      at += count;
    }
    header_.fingerprint = mix64(header_.fingerprint ^ tokenizer_hash);
    header_.body_hash = XXH3_64bits_digest(&body_);
    header_.header_hash = header_.own_hash();
    file_.write_at(0, &header_, sizeof header_);
    file_.publish();
  }

 private:
  void body(const void* data, std::size_t bytes) {
    if (bytes == 0) return;
    XXH3_64bits_update(&body_, data, bytes);
    file_.write(data, bytes);
  }

  WholeFile file_, table_;
  TokenCacheHeader header_;
  XXH3_state_t body_;
  std::vector<std::uint16_t> short_;
};

std::string counts(const TokenCacheHeader& h) {
  return std::to_string(h.documents) + " documents, " + std::to_string(h.tokens) + " tokens";
}

}  // namespace

std::uint64_t TokenCacheHeader::own_hash() const { return XXH3_64bits(this, offsetof(TokenCacheHeader, header_hash)); }

void write_token_cache(const fs::path& path, std::uint64_t key, const fs::path& text, const std::string& text_field,
                       const Tokenizer& tokenizer, const TokenCacheOptions& options,
                       const std::function<void()>& check) {
  const auto start = Clock::now();
  auto noted = start;
  Writer writer(path, key, tokenizer);
  tokenize_documents(text, text_field, tokenizer, options.threads, options.stop, [&](const TokenBlock& block) {
    writer.add(block);
    if (Clock::now() - noted < k_note_every) return;
    noted = Clock::now();
    options.note("tokenising " + text.string() + ": " + counts(writer.header()) + " so far");
  });
  check();
  writer.finish(tokenizer.hash());
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.1f s", std::chrono::duration<double>(Clock::now() - start).count());
  options.note("tokenised " + text.string() + ": " + counts(writer.header()) + " in " + seconds);
}

}  // namespace engine
