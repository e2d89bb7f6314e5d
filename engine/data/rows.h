#pragma once
/// Training rows: token sequences by position, each a function of (seed, position) alone, so that any position can be
/// resumed. No torch.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/recipe.h"

namespace engine {

class Tokenizer;

/// One micro-batch, rows padded on the right.
struct RowBatch {
  std::int64_t rows = 0, length = 0;       ///< length: the longest row
  std::vector<std::int64_t> ids;           ///< [rows, length], 0 behind a row's end
  std::vector<std::int64_t> lengths;       ///< tokens of each row
  std::int64_t targets() const;            ///< tokens that are predicted: Σ (length − 1)
};

/// Immutable after construction; any thread may read.
class TextRows {
 public:
  /// builtin:corpus: an endless text drawn from the recipe's seed.
  static TextRows builtin(const Recipe& recipe);
  /// A file or folder of text, tokenised whole with the tokenizer's special tokens. Documents are held out by hash; the
  /// rest are rows of at most data.sequence_length tokens. `stop` is asked between documents. Throws InputError.
  static TextRows from_files(const Recipe& recipe, const Tokenizer& tokenizer, const std::function<bool()>& stop);

  /// Rows position, position + 1, … The order is a permutation a pass, drawn from the seed.
  RowBatch batch(std::uint64_t position, std::int64_t rows) const;
  /// At most `limit` held-out rows, always the same ones.
  const std::vector<std::vector<std::int64_t>>& held_out() const { return held_out_; }
  std::string fingerprint() const { return fingerprint_; }  ///< 16 hex digits over all tokens, or the corpus' settings

 private:
  std::vector<std::int64_t> row(std::uint64_t position) const;

  bool builtin_ = false;
  double far_share_ = 0;
  std::uint64_t seed_ = 0;
  std::int64_t length_ = 0;
  std::vector<std::vector<std::int32_t>> rows_;
  std::vector<std::vector<std::int64_t>> held_out_;
  std::string fingerprint_;
};

/// Packs rows into one padded block.
RowBatch pack(const std::vector<std::vector<std::int64_t>>& rows);

constexpr std::size_t k_held_out_rows = 64;

}  // namespace engine
