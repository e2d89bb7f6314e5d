#include "engine/data/rows.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/text_source.h"
#include "engine/data/tiny_corpus.h"
#include "engine/data/tokenizer.h"
#include "engine/error.h"
#include "engine/random.h"

namespace engine {
namespace {

std::string hex16(std::uint64_t v) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(v));
  return text;
}

std::vector<std::int64_t> wide(const std::vector<std::int32_t>& row) { return {row.begin(), row.end()}; }

}  // namespace

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
  }
  return b;
}

TextRows TextRows::builtin(const Recipe& recipe) {
  TextRows t;
  t.builtin_ = true;
  t.seed_ = static_cast<std::uint64_t>(recipe.seed);
  t.far_share_ = recipe.data.far_share;
  t.length_ = std::min<std::int64_t>(recipe.data.sequence_length, TinyMix{}.length);
  for (std::size_t i = 0; i < k_held_out_rows && recipe.data.validation_share > 0; ++i) {
    const auto d = tiny_document(t.seed_, TinySplit::validation, i, {.far_share = t.far_share_});
    t.held_out_.emplace_back(d.tokens.begin(), d.tokens.begin() + std::min<std::ptrdiff_t>(t.length_, std::ssize(d.tokens)));
  }
  t.fingerprint_ = hex16(mix64(t.seed_ ^ mix64(static_cast<std::uint64_t>(t.far_share_ * 1e6))));
  return t;
}

TextRows TextRows::from_files(const Recipe& recipe, const Tokenizer& tokenizer, const std::function<bool()>& stop) {
  TextRows t;
  t.seed_ = static_cast<std::uint64_t>(recipe.seed);
  t.length_ = recipe.data.sequence_length;
  const bool packed = recipe.data.packing == "packed";
  const auto length = static_cast<std::size_t>(t.length_);
  std::uint64_t hash = 0;
  std::vector<std::int32_t> stream;  // packed: documents joined, cut into full rows
  for_each_document(recipe.data.path, recipe.data.text_field, [&](std::string_view text) {
    const std::uint64_t own = XXH3_64bits(text.data(), text.size());
    hash = mix64(hash ^ own);
    std::vector<std::int32_t> ids = tokenizer.encode(text, true);
    // Chosen by content, so the same document is held out whatever stands around it.
    const bool held = CounterRng(0, Stream::held_out).uniform(own) < recipe.data.validation_share;
    if (held && t.held_out_.size() < k_held_out_rows && ids.size() >= 2) {
      ids.resize(std::min(ids.size(), length));
      t.held_out_.push_back(wide(ids));
    } else if (!held && packed) {
      stream.insert(stream.end(), ids.begin(), ids.end());
      std::size_t cut = 0;
      for (; stream.size() - cut >= length; cut += length)
        t.rows_.emplace_back(stream.begin() + static_cast<std::ptrdiff_t>(cut), stream.begin() + static_cast<std::ptrdiff_t>(cut + length));
      stream.erase(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(cut));
    } else if (!held && ids.size() >= 2) {
      ids.resize(std::min(ids.size(), length));
      t.rows_.push_back(std::move(ids));
    }
    return !stop();
  });
  if (stop()) throw Cancelled{};
  if (t.rows_.empty())
    throw InputError(recipe.data.path + ": no training row; every document is held out or shorter than two tokens" +
                     (packed ? ", or the whole text is shorter than data.sequence_length" : ""));
  t.fingerprint_ = hex16(hash);
  return t;
}

std::vector<std::int64_t> TextRows::row(std::uint64_t position) const {
  if (builtin_) {
    const auto d = tiny_document(seed_, TinySplit::train, position, {.far_share = far_share_});
    return {d.tokens.begin(), d.tokens.begin() + std::min<std::ptrdiff_t>(length_, std::ssize(d.tokens))};
  }
  const std::uint64_t n = rows_.size(), pass = position / n;
  return wide(rows_[permuted(CounterRng(seed_, Stream::data_order, pass), position % n, n)]);
}

RowBatch TextRows::batch(std::uint64_t position, std::int64_t rows) const {
  std::vector<std::vector<std::int64_t>> list;
  for (std::int64_t i = 0; i < rows; ++i) list.push_back(row(position + static_cast<std::uint64_t>(i)));
  return pack(list);
}

}  // namespace engine
