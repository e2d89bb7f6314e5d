#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "engine/data/row_index.h"
#include "engine/data/rows.h"
#include "engine/data/text_source.h"
#include "engine/data/tiny_corpus.h"
#include "engine/inspect.h"
#include "engine/inspect_tokens.h"
#include "engine/recipe.h"

namespace engine {
namespace {

constexpr char k_builtin[] = "builtin:corpus";

Recipe recipe_of(const TextQuery& query) {
  Recipe r;
  r.seed = query.seed;
  r.data.path = query.path;
  r.data.text_field = query.text_field;
  r.data.sequence_length = query.sequence_length;
  r.data.packing = query.packing;
  r.data.far_share = query.far_share;
  r.data.validation_share = query.validation_share;
  return r;
}

/// The corpus is endless: as many as are asked for.
std::vector<DocumentInfo> builtin_documents(const TextQuery& query, std::int64_t first, std::int64_t count) {
  std::vector<DocumentInfo> out;
  for (std::int64_t i = first; i < first + count; ++i) {
    const auto d = tiny_document(static_cast<std::uint64_t>(query.seed), TinySplit::train, static_cast<std::uint64_t>(i),
                                 {.far_share = query.far_share});
    out.push_back({i, tiny_text(d.tokens), std::ssize(d.tokens), false});
  }
  return out;
}

PackedRow packed_row(const Tokenizer& tokenizer, const RowBatch& batch, std::int64_t row) {
  PackedRow out;
  const bool words = tokenizer.kind() == "whole words";  // a space stands between them, in no token
  const auto* ids = batch.ids.data() + row * batch.length;
  for (std::int64_t i = 0; i < batch.lengths[static_cast<std::size_t>(row)]; ++i) {
    out.tokens.push_back(token_piece(tokenizer, static_cast<std::int32_t>(ids[i])));
    if (words && i > 0 && !out.tokens.back().special) out.tokens.back().bytes.insert(0, " ");
  }
  out.starts = batch.starts[static_cast<std::size_t>(row)];
  return out;
}

/// Rows position, position + 1, … of those held out; fewer at the end.
RowBatch held_out_rows(const TextRows& rows, std::uint64_t position, std::int64_t count) {
  const auto& all = rows.held_out();
  const auto begin = std::min<std::uint64_t>(position, all.size());
  const auto end = std::min<std::uint64_t>(begin + static_cast<std::uint64_t>(count), all.size());
  return pack({all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)});
}

}  // namespace

std::vector<DocumentInfo> documents(const TextQuery& query, std::int64_t first, std::int64_t count, const Watch& watch) {
  if (query.path == k_builtin) return builtin_documents(query, first, count);
  std::vector<DocumentInfo> out;
  std::int64_t index = 0;
  for_each_document(query.path, query.text_field, [&](std::string_view text) {
    report(watch, index, "documents");
    if (index++ < first) return true;
    if (std::ssize(out) == count) return false;
    DocumentInfo d{index - 1, std::string(text), -1, held_out_by_hash(XXH3_64bits(text.data(), text.size()), query.validation_share)};
    if (query.tokenizer) d.tokens = std::ssize(query.tokenizer->encode(text, true));
    out.push_back(std::move(d));
    return true;
  });
  return out;
}

PackedBatch packed_batch(const TextQuery& query, std::uint64_t position, std::int64_t rows, bool held_out, const Watch& watch) {
  const bool builtin = query.path == k_builtin;
  const TokenizerHandle tokenizer = builtin ? open_tokenizer("builtin:tiny") : query.tokenizer;
  if (!tokenizer) throw InputError("a packed batch needs a tokenizer; name a model");
  const Recipe recipe = recipe_of(query);
  report(watch, 0, "documents");
  TokenCacheOptions options;
  options.folder = query.cache;
  options.stop = [&] { return watch.stop.stop_requested(); };
  options.note = [](const std::string&) {};
  const TextRows text = builtin ? TextRows::builtin(recipe) : TextRows::from_files(recipe, *tokenizer, options);
  const RowBatch batch = held_out ? held_out_rows(text, position, rows) : text.batch(position, rows);
  if (batch.rows == 0)
    throw InputError(query.path + ": no held-out row from " + std::to_string(position) + " on; there are " +
                     std::to_string(text.held_out().size()) + " (data.validation_share is " + std::to_string(query.validation_share) + ")");
  PackedBatch out{batch.length, {}, held_out, text.fingerprint()};
  for (std::int64_t r = 0; r < batch.rows; ++r) out.rows.push_back(packed_row(*tokenizer, batch, r));
  return out;
}

}  // namespace engine
