#include "engine/data/added_tokens.h"

#include <algorithm>

#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {

void WordTrie::add(std::string_view word, std::uint32_t value) {
  if (word.empty()) return;
  if (nodes_.empty()) nodes_.push_back(k_none);
  std::uint32_t node = 0;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    const auto fresh = static_cast<std::uint32_t>(nodes_.size());
    std::uint32_t& next = node == 0 ? first_[byte] : edges_[std::uint64_t{node} << 8 | byte];
    if (next == 0) {
      next = fresh;
      nodes_.push_back(k_none);
    }
    node = next;
  }
  if (nodes_[node] == k_none) nodes_[node] = value;
}

std::uint32_t WordTrie::child(std::uint32_t node, unsigned char byte) const {
  const auto it = edges_.find(std::uint64_t{node} << 8 | byte);
  return it == edges_.end() ? 0 : it->second;
}

std::optional<WordTrie::Match> WordTrie::find(std::string_view text, std::size_t from, std::uint64_t& steps) const {
  if (nodes_.empty()) return std::nullopt;
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    std::uint32_t node = first_[static_cast<unsigned char>(text[begin])];
    std::optional<Match> best;
    for (std::size_t at = begin + 1; node != 0; ++at) {
      if (nodes_[node] != k_none) best = Match{begin, at, nodes_[node]};
      if (at >= text.size()) break;
      if (steps-- == 0) throw InputError("the tokenizer's added tokens take too long to find in this text");
      node = child(node, static_cast<unsigned char>(text[at]));
    }
    if (best) return best;
  }
  return std::nullopt;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens,
                         const std::vector<std::string>& normalized_contents)
    : tokens_(std::move(tokens)) {
  for (std::uint32_t i = 0; i < tokens_.size(); ++i) {
    if (tokens_[i].normalized) {
      normalized_.add(normalized_contents[i], i);
    } else {
      raw_.add(tokens_[i].content, i);
    }
  }
}

std::vector<AddedPiece> AddedTokens::cut(std::string_view text, bool normalized) const {
  std::vector<AddedPiece> out;
  const WordTrie& trie = normalized ? normalized_ : raw_;
  std::size_t done = 0;
  std::size_t from = 0;
  std::uint64_t steps = 1'000'000 + 20 * std::uint64_t{text.size()};  // real tokenizers need about one a byte
  while (const auto found = trie.find(text, from, steps)) {
    const AddedToken& token = tokens_[found->value];
    std::size_t begin = found->begin, end = found->end;
    from = end;
    if (token.single_word) {
      std::size_t before = begin, after = end;
      if (begin > 0 && is_unicode_word(previous_code_point(text, before))) continue;
      if (end < text.size() && is_unicode_word(next_code_point(text, after))) continue;
    }
    // As the reference does it, down to tokens inside the white space that the one before has taken: they count again,
    // unless they reach for white space on their left and find nothing left.
    if (token.lstrip) {
      std::size_t left = begin;
      for (std::size_t at = begin; at > 0 && is_unicode_space(previous_code_point(text, at));) left = at;
      begin = std::max(left, done);
    }
    for (std::size_t at = end;
         token.rstrip && at < text.size() && is_unicode_space(next_code_point(text, at));)
      end = at;
    if (begin > done) out.push_back({text.substr(done, begin - done), std::nullopt});
    if (begin < end) out.push_back({text.substr(begin, end - begin), token.id});
    done = std::max(begin, end);
  }
  if (done < text.size()) out.push_back({text.substr(done), std::nullopt});
  return out;
}

}  // namespace engine
