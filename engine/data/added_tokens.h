#pragma once
/// The `added_tokens` of a tokenizer.json: words that are cut out before anything else looks at the
/// text.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace engine {

struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool single_word = false, lstrip = false, rstrip = false, normalized = false, special = false;
  std::string shown{};   ///< as decoding writes it: normalised where the token is (tokenizers 0.23)
  bool skipped = false;  ///< decoding without special tokens leaves it out
};

/// A piece of text, or an added token in it.
struct AddedPiece {
  std::string_view text;
  std::optional<std::int32_t> id;  ///< nothing: plain text
};

/// Finds the leftmost, longest of a set of words (a trie of bytes). Immutable after the last add().
class WordTrie {
 public:
  void add(std::string_view word,
           std::uint32_t value);  ///< the first value of a word stays; empty words are ignored
  bool empty() const { return nodes_.empty(); }
  struct Match {
    std::size_t begin, end;
    std::uint32_t value;
  };
  /// Takes the bytes looked at, some more than once, from `steps`; throws InputError where none are left.
  std::optional<Match> find(std::string_view text, std::size_t from, std::uint64_t& steps) const;

 private:
  static constexpr std::uint32_t k_none = UINT32_MAX;
  std::uint32_t child(std::uint32_t node, unsigned char byte) const;

  std::array<std::uint32_t, 256> first_{};  ///< children of the root; 0: none
  std::unordered_map<std::uint64_t, std::uint32_t> edges_;
  std::vector<std::uint32_t> nodes_;  ///< value per node or k_none; node 0 is the root
};

/// Two sets: words searched in the raw text and words searched in the normalised text. Immutable,
/// thread-safe.
class AddedTokens {
 public:
  /// `normalized_contents[i]` is the normalised content of tokens[i].
  AddedTokens() = default;
  AddedTokens(std::vector<AddedToken> tokens, const std::vector<std::string>& normalized_contents);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  /// Cuts raw text at tokens with normalized = false, or normalised text at those with normalized =
  /// true. Empty text gives no piece. Throws InputError where long, similar tokens would take time out of proportion.
  std::vector<AddedPiece> cut(std::string_view text, bool normalized) const;

 private:
  std::vector<AddedToken> tokens_;
  WordTrie raw_, normalized_;
};

}  // namespace engine
