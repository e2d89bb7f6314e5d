#include "engine/data/row_index.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "engine/random.h"

namespace engine {
namespace {

constexpr std::uint64_t k_block = 256;   ///< documents
constexpr std::uint64_t k_shortest = 2;  ///< a row must predict something

}  // namespace

RowIndex::RowIndex(TokenCache cache, RowShape shape) : cache_(std::move(cache)), shape_(shape) {
  std::uint64_t sum = 0;
  for (std::uint64_t d = 0; d < cache_.documents(); ++d) {
    const auto [begin, end] = cache_.range(d);
    if (begin > end || end > cache_.tokens())
      throw InputError(cache_.path().string() + ": damaged; delete it and try again");
    if (d % k_block == 0) before_.push_back(sum);
    sum += weight(d);
  }
  rows_ = shape_.packed ? sum / static_cast<std::uint64_t>(shape_.length) : sum;
}

bool held_out_by_hash(std::uint64_t text_hash, double share) {
  return CounterRng(0, Stream::held_out).uniform(text_hash) < share;
}

bool RowIndex::is_held_out(std::uint64_t document) const {
  return held_out_by_hash(cache_.hash(document), shape_.held_out_share);
}

/// What a document adds to the count of rows, or in packed rows to the count of tokens.
std::uint64_t RowIndex::weight(std::uint64_t document) const {
  if (is_held_out(document)) return 0;
  const auto [begin, end] = cache_.range(document);
  return shape_.packed ? end - begin : end - begin >= k_shortest;
}

/// The document that holds the `at`-th row or token; `before` gets the sum of weights before it.
std::uint64_t RowIndex::find(std::uint64_t at, std::uint64_t& before) const {
  const auto block = std::upper_bound(before_.begin(), before_.end(), at) - before_.begin() - 1;
  before = before_[static_cast<std::size_t>(block)];
  std::uint64_t document = static_cast<std::uint64_t>(block) * k_block;
  for (std::uint64_t own = weight(document); before + own <= at; own = weight(++document)) before += own;
  return document;
}

std::vector<std::vector<std::int64_t>> RowIndex::held_out(std::size_t limit) const {
  std::vector<std::vector<std::int64_t>> out;
  for (std::uint64_t d = 0; d < cache_.documents() && out.size() < limit; ++d) {
    const auto [begin, end] = cache_.range(d);
    if (!is_held_out(d) || end - begin < k_shortest) continue;
    cache_.append(begin, std::min(end, begin + static_cast<std::uint64_t>(shape_.length)), out.emplace_back());
  }
  return out;
}

void RowIndex::read(std::uint64_t row, std::vector<std::int64_t>& ids, std::vector<std::int64_t>& starts) const {
  const auto length = static_cast<std::uint64_t>(shape_.length);
  ids.clear();
  starts.clear();
  std::uint64_t before = 0;
  if (!shape_.packed) {
    const auto [begin, end] = cache_.range(find(row, before));
    starts.push_back(0);
    return cache_.append(begin, std::min(end, begin + length), ids);
  }
  std::uint64_t at = row * length;
  for (std::uint64_t document = find(at, before); ids.size() < length; ++document) {
    const std::uint64_t own = weight(document);
    if (own == 0) continue;
    const std::uint64_t skip = at - before, count = std::min(own - skip, length - ids.size());
    if (skip == 0) starts.push_back(static_cast<std::int64_t>(ids.size()));
    const std::uint64_t begin = cache_.range(document).first + skip;
    cache_.append(begin, begin + count, ids);
    at += count;
    before += own;
  }
}

}  // namespace engine
