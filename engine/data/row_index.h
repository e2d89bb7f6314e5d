#pragma once
/// Rows of a token cache: which documents train, and where row r lies, without a table of rows.

#include <cstdint>
#include <vector>

#include "engine/data/token_cache.h"

namespace engine {

struct RowShape {
  std::int64_t length = 0;    ///< tokens of a row at most
  bool packed = false;        ///< documents joined and cut into full rows; else one document a row, cut at `length`
  double held_out_share = 0;  ///< of documents, chosen by the hash of their text
};

/// Whether a document is held out, by the XXH3 of its text alone: whatever stands around it, the same one always is.
bool held_out_by_hash(std::uint64_t text_hash, double share);

/// Memory is 8 bytes for every 256 documents. Immutable; any thread may read.
class RowIndex {
 public:
  /// Throws InputError where the cache's table is damaged.
  RowIndex(TokenCache cache, RowShape shape);

  std::uint64_t rows() const { return rows_; }
  bool is_held_out(std::uint64_t document) const;
  /// The first `limit` held-out documents of two or more tokens, cut at `length`.
  std::vector<std::vector<std::int64_t>> held_out(std::size_t limit) const;
  /// Tokens of row `row` < rows(), and the positions in it where a document begins.
  void read(std::uint64_t row, std::vector<std::int64_t>& ids, std::vector<std::int64_t>& starts) const;

  const TokenCache& cache() const { return cache_; }

 private:
  std::uint64_t weight(std::uint64_t document) const;
  std::uint64_t find(std::uint64_t at, std::uint64_t& before) const;

  TokenCache cache_;
  RowShape shape_;
  std::vector<std::uint64_t> before_;  ///< sum of weights before each block of documents
  std::uint64_t rows_ = 0;
};

}  // namespace engine
