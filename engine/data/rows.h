#pragma once
/// Training rows: token sequences by position, each a function of (seed, position) alone, so that any position can be
/// resumed. No torch.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/data/token_cache.h"
#include "engine/recipe.h"

namespace engine {

class RowIndex;
class Tokenizer;

/// One micro-batch, rows padded on the right.
struct RowBatch {
  std::int64_t rows = 0, length = 0;  ///< length: the longest row
  std::vector<std::int64_t> ids;      ///< [rows, length], 0 behind a row's end
  std::vector<std::int64_t> lengths;  ///< tokens of each row
  /// For each row the positions where a document begins, ascending. A packed row that goes on with a document of the
  /// row before has no 0.
  std::vector<std::vector<std::int64_t>> starts;
  std::int64_t targets() const;  ///< tokens that are predicted: Σ (length − 1)
};

/// Immutable after construction, cheap to copy; any thread may read.
class TextRows {
 public:
  /// builtin:corpus: an endless text drawn from the recipe's seed.
  static TextRows builtin(const Recipe& recipe);
  /// A file or folder of text, tokenised once with the tokenizer's special tokens into a memory-mapped cache
  /// (token_cache.h). Documents are held out by hash; the rest are rows of at most data.sequence_length tokens. Throws
  /// InputError, Cancelled.
  static TextRows from_files(const Recipe& recipe, const Tokenizer& tokenizer, const TokenCacheOptions& options);

  /// Rows position, position + 1, … The order is a permutation a pass, drawn from the seed.
  RowBatch batch(std::uint64_t position, std::int64_t rows) const;
  std::uint64_t rows_a_pass() const;  ///< 0: endless
  /// At most data.validation_rows held-out rows, always the same ones.
  const std::vector<std::vector<std::int64_t>>& held_out() const { return held_out_; }
  /// 16 hex digits over the text and the tokenizer, or the corpus' settings: other digits, other rows.
  const std::string& fingerprint() const { return fingerprint_; }

 private:
  void read(std::uint64_t position, std::vector<std::int64_t>& ids, std::vector<std::int64_t>& starts) const;

  std::shared_ptr<const RowIndex> index_;  ///< none: builtin:corpus
  double far_share_ = 0;
  std::uint64_t seed_ = 0;
  std::int64_t length_ = 0;
  std::vector<std::vector<std::int64_t>> held_out_;
  std::string fingerprint_;
};

/// Packs rows into one padded block; each is one document.
RowBatch pack(const std::vector<std::vector<std::int64_t>>& rows);

}  // namespace engine
