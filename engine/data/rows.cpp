#include "engine/data/rows.h"

#include <algorithm>

#include "engine/data/row_index.h"
#include "engine/data/tiny_corpus.h"
#include "engine/data/tokenizer.h"
#include "engine/error.h"
#include "engine/hash_text.h"
#include "engine/random.h"

namespace engine {

std::int64_t RowBatch::targets() const {
  std::int64_t n = 0;
  for (auto length_of_row : lengths) n += length_of_row - 1;
  return n;
}

RowBatch pack(const std::vector<std::vector<std::int64_t>>& rows) {
  RowBatch b;
  b.rows = static_cast<std::int64_t>(rows.size());
  for (const auto& r : rows) b.length = std::max(b.length, static_cast<std::int64_t>(r.size()));
  b.ids.reserve(static_cast<std::size_t>(b.rows * b.length));
  for (const auto& r : rows) {
    b.lengths.push_back(static_cast<std::int64_t>(r.size()));
    b.ids.insert(b.ids.end(), r.begin(), r.end());
    b.ids.resize(b.lengths.size() * static_cast<std::size_t>(b.length), 0);
    b.starts.push_back({0});
  }
  return b;
}

TextRows TextRows::builtin(const Recipe& recipe) {
  TextRows t;
  t.seed_ = static_cast<std::uint64_t>(recipe.seed);
  t.far_share_ = recipe.data.far_share;
  t.length_ = std::min<std::int64_t>(recipe.data.sequence_length, TinyMix{}.length);
  for (std::size_t i = 0; i < static_cast<std::size_t>(recipe.data.validation_rows) && recipe.data.validation_share > 0; ++i) {
    const auto d = tiny_document(t.seed_, TinySplit::validation, i, {.far_share = t.far_share_});
    t.held_out_.emplace_back(d.tokens.begin(),
                             d.tokens.begin() + std::min<std::ptrdiff_t>(t.length_, std::ssize(d.tokens)));
  }
  t.fingerprint_ = hex_digits(mix64(t.seed_ ^ mix64(static_cast<std::uint64_t>(t.far_share_ * 1e6))));
  return t;
}

TextRows TextRows::from_files(const Recipe& recipe, const Tokenizer& given, const TokenCacheOptions& options) {
  const DataSpec& data = recipe.data;
  const bool packed = data.packing == "packed", own_text = data.validation_path.empty();
  const Tokenizer tokenizer = given.with_bos(data.bos);
  const auto index = std::make_shared<const RowIndex>(TokenCache::open(data.path, data.text_field, tokenizer, options),
                                                      RowShape{data.sequence_length, packed, own_text ? data.validation_share : 0});
  if (index->rows() == 0)
    throw InputError(data.path + ": no training row; every document is held out or shorter than two tokens" +
                     (packed ? ", or the whole text is shorter than data.sequence_length" : ""));
  TextRows t;
  t.seed_ = static_cast<std::uint64_t>(recipe.seed);
  const auto held_out_rows = static_cast<std::size_t>(data.validation_rows);
  if (own_text) {
    t.held_out_ = index->held_out(held_out_rows);
  } else {
    const RowIndex other(TokenCache::open(data.validation_path, data.text_field, tokenizer, options), {data.sequence_length, false, 1});
    t.held_out_ = other.held_out(held_out_rows);
    if (t.held_out_.empty()) throw InputError(data.validation_path + ": no document of two or more tokens to validate on");
  }
  t.fingerprint_ = hex_digits(index->cache().fingerprint());
  t.index_ = index;
  return t;
}

std::uint64_t TextRows::rows_a_pass() const { return index_ ? index_->rows() : 0; }

void TextRows::read(std::uint64_t position, std::vector<std::int64_t>& ids, std::vector<std::int64_t>& starts) const {
  if (index_) {
    const std::uint64_t n = index_->rows(), pass = position / n;
    return index_->read(permuted(CounterRng(seed_, Stream::data_order, pass), position % n, n), ids, starts);
  }
  const auto d = tiny_document(seed_, TinySplit::train, position, {.far_share = far_share_});
  ids.assign(d.tokens.begin(), d.tokens.begin() + std::min<std::ptrdiff_t>(length_, std::ssize(d.tokens)));
  starts = {0};
}

RowBatch TextRows::batch(std::uint64_t position, std::int64_t rows) const {
  std::vector<std::vector<std::int64_t>> list(static_cast<std::size_t>(rows)), starts(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) read(position + i, list[i], starts[i]);
  RowBatch b = pack(list);
  b.starts = std::move(starts);
  return b;
}

}  // namespace engine
