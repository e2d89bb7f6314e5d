#pragma once
/// The `model` of a tokenizer.json: words to ids. Byte-pair encoding and whole words.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/data/json.h"

namespace engine {

inline constexpr std::int64_t k_max_token_id =
    (std::int64_t{1} << 22) - 1;  ///< vocabularies of up to 4 Mi tokens

/// Token texts and ids, both ways.
class Vocabulary {
 public:
  Vocabulary() = default;
  explicit Vocabulary(const JsonView& vocab);  ///< an object of text -> id; throws InputError
  Vocabulary(Vocabulary&&) = default;          // no copies: texts_ points into ids_
  Vocabulary& operator=(Vocabulary&&) = default;

  std::optional<std::int32_t> id(std::string_view text) const;
  const std::string* text(std::int32_t id) const;  ///< nullptr for a hole
  std::int64_t end_id() const {
    return static_cast<std::int64_t>(texts_.size());
  }                                                                             ///< highest id + 1
  std::int64_t size() const { return static_cast<std::int64_t>(ids_.size()); }  ///< entries

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::vector<const std::string*>
      texts_;  ///< keys of ids_, whose nodes stay where they are, also when it moves
};

/// Pair of ids -> rank and id of the merged token; open addressing, since encoding asks it for
/// every neighbour pair.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank;
    std::int32_t id;
  };
  void build(const std::vector<std::pair<std::uint64_t, Merge>>&
                 merges);  ///< of equal pairs the last one counts
  const Merge* find(std::int32_t left, std::int32_t right) const;
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }

 private:
  struct Slot {
    std::uint64_t key = UINT64_MAX;
    Merge merge{};
  };
  std::vector<Slot> slots_;
  int shift_ = 64;
};

/// Immutable after construction; thread-safe.
class TokenModel {
 public:
  /// BPE or WordLevel; throws InputError for other types, merges whose parts or result are not in
  /// the vocabulary, an unk_token that is missing from it, dropout.
  explicit TokenModel(const JsonView& model);

  /// Appends the ids of one word (for byte-level models in their letters). O(n log n) in its
  /// length. Characters without any token and without unk_token vanish, as in the reference;
  /// WordLevel without unk_token throws InputError.
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  bool word_level() const { return word_level_; }
  bool byte_fallback() const { return byte_fallback_; }

  /// Non-empty: cutting a word before each such character that does not follow another one changes
  /// no id, so that a model without pre-tokeniser can still work word by word (no token holds it
  /// behind another character).
  const std::string& safe_cut() const { return safe_cut_; }

 private:
  void load_bpe(const JsonView& model);
  void load_merges(const JsonView& model);
  void find_safe_cut();
  void split_characters(std::string_view word, std::vector<std::int32_t>& out) const;
  bool append_bytes(std::string_view text, std::vector<std::int32_t>& out) const;
  void merge_short(std::vector<std::int32_t>& symbols) const;
  void merge_long(std::vector<std::int32_t>& symbols) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  bool word_level_ = false, byte_fallback_ = false, fuse_unk_ = false, ignore_merges_ = false;
  std::string prefix_, suffix_;  ///< continuing_subword_prefix, end_of_word_suffix
  std::optional<std::int32_t> unk_;
  std::vector<std::int32_t> byte_ids_;  ///< of <0x00> to <0xFF>, -1 where absent
  std::vector<std::int32_t>
      plain_ids_;  ///< of code points below 2048 where prefix and suffix are empty, else -1
  std::string safe_cut_;
};

}  // namespace engine
