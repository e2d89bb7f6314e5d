#pragma once
/// The layout of a token cache, and writing one; private to token_cache*.cpp.

#include <bit>
#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/data/token_cache.h"

namespace engine {

static_assert(std::endian::native == std::endian::little, "token caches are little-endian");

constexpr char k_token_cache_magic[8] = {'E', 'Q', 'T', 'O', 'K', 'E', 'N', 'S'};
/// Goes up when the layout changes, or when the tokenizer gives other ids for the same file.
constexpr std::uint32_t k_token_cache_version = 1;

struct TokenCacheHeader {
  char magic[8] = {};
  std::uint32_t version = k_token_cache_version, token_bytes = 0;
  std::uint64_t key = 0, documents = 0, tokens = 0, fingerprint = 0;
  std::uint64_t body_hash = 0;    ///< XXH3 of all behind the header
  std::uint64_t header_hash = 0;  ///< XXH3 of the header before it

  std::uint64_t table_at() const { return sizeof(TokenCacheHeader) + (tokens * token_bytes + 7) / 8 * 8; }
  std::uint64_t file_bytes() const { return table_at() + documents * 16; }
  std::uint64_t own_hash() const;
};
static_assert(sizeof(TokenCacheHeader) == 64);

/// Writes the cache `path` of the text; returns when it is in its place. `check` is called before it gets there and may
/// throw, which leaves nothing.
void write_token_cache(const std::filesystem::path& path, std::uint64_t key, const std::filesystem::path& text,
                       const std::string& text_field, const Tokenizer& tokenizer, const TokenCacheOptions& options,
                       const std::function<void()>& check);

}  // namespace engine
