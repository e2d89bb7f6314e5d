#include "engine/data/difflib.h"

#include <algorithm>
#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/data/utf8.h"

namespace engine {
namespace {

std::u32string code_points(const std::string& text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) out += next_code_point(text, at);
  return out;
}

/// Half-open ranges of both texts.
struct Range {
  std::size_t a_begin, a_end, b_begin, b_end;
};

class Matcher {
 public:
  Matcher(std::u32string a, std::u32string b)
      : a_(std::move(a)), b_(std::move(b)), lengths_(b_.size() + 1, 0) {
    for (std::size_t j = 0; j < b_.size(); ++j) places_[b_[j]].push_back(j);
    const std::size_t most = b_.size() / 100 + 1;
    if (b_.size() >= 200)
      std::erase_if(places_, [&](const auto& place) { return place.second.size() > most; });
  }

  std::size_t matches() {
    std::size_t total = 0;
    std::vector<Range> open{{0, a_.size(), 0, b_.size()}};
    while (!open.empty()) {
      const Range range = open.back();
      open.pop_back();
      const Range found = longest(range);
      if (found.a_begin == found.a_end) continue;
      total += found.a_end - found.a_begin;
      if (range.a_begin < found.a_begin && range.b_begin < found.b_begin)
        open.push_back({range.a_begin, found.a_begin, range.b_begin, found.b_begin});
      if (found.a_end < range.a_end && found.b_end < range.b_end)
        open.push_back({found.a_end, range.a_end, found.b_end, range.b_end});
    }
    return total;
  }

 private:
  /// The longest match; of several the one that begins first in a, then in b.
  Range longest(const Range& range) {
    Range best{range.a_begin, range.a_begin, range.b_begin, range.b_begin};
    std::size_t size = 0;
    // lengths_[j + 1]: of the match that ends at the character before in a and at j in b.
    std::vector<std::pair<std::size_t, std::size_t>> before, now;
    for (std::size_t i = range.a_begin; i < range.a_end; ++i) {
      now.clear();
      if (const auto found = places_.find(a_[i]); found != places_.end()) {
        const auto& list = found->second;
        for (auto at = std::lower_bound(list.begin(), list.end(), range.b_begin);
             at != list.end() && *at < range.b_end; ++at) {
          const std::size_t length = lengths_[*at] + 1;
          now.emplace_back(*at, length);
          if (length <= size) continue;
          size = length;
          best = {i + 1 - length, i + 1, *at + 1 - length, *at + 1};
        }
      }
      for (const auto& [j, length] : before) lengths_[j + 1] = 0;
      for (const auto& [j, length] : now) lengths_[j + 1] = length;
      std::swap(before, now);
    }
    for (const auto& [j, length] : before) lengths_[j + 1] = 0;
    return extended(best, range);
  }

  Range extended(Range best, const Range& range) const {
    while (best.a_begin > range.a_begin && best.b_begin > range.b_begin &&
           a_[best.a_begin - 1] == b_[best.b_begin - 1]) {
      --best.a_begin;
      --best.b_begin;
    }
    while (best.a_end < range.a_end && best.b_end < range.b_end &&
           a_[best.a_end] == b_[best.b_end]) {
      ++best.a_end;
      ++best.b_end;
    }
    return best;
  }

  std::u32string a_, b_;
  std::unordered_map<char32_t, std::vector<std::size_t>> places_;
  std::vector<std::size_t> lengths_;
};

}  // namespace

double difflib_ratio(const std::string& a, const std::string& b) {
  std::u32string left = code_points(a), right = code_points(b);
  const std::size_t total = left.size() + right.size();
  if (total == 0) return 1;
  return 2.0 * static_cast<double>(Matcher(std::move(left), std::move(right)).matches()) /
         static_cast<double>(total);
}

}  // namespace engine
