#pragma once
/// The `pre_tokenizer` of a tokenizer.json: cuts text into the words that the model sees one by
/// one.

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/json.h"
#include "engine/data/normalizer.h"

namespace engine {

/// Words of one text, in order. Views point into the caller's text or into `kept`.
struct Words {
  std::vector<std::string_view> views;
  std::deque<std::string> kept;
};

/// A list of steps, sequences flattened. Immutable, thread-safe.
class PreTokenizer {
 public:
  PreTokenizer() = default;  ///< one word
  /// Throws InputError for an unknown type or a wrong field.
  explicit PreTokenizer(const JsonView& view);

  /// Cuts `text` (valid UTF-8); `at_start` says that it begins where the whole input begins. The
  /// words are raw bytes where byte_level() holds, otherwise valid UTF-8. Throws InputError where a
  /// pattern exceeds its limits.
  void cut(std::string_view text, bool at_start, Words& words) const;

  /// The last step is ByteLevel: the model must see bytes_to_letters(word). Left to the caller, so
  /// that a cache of words can be asked first.
  bool byte_level() const { return byte_level_; }

 private:
  enum class Kind { split, byte_letters, prefix_space, metaspace, whitespace, digits, punctuation };
  enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };
  enum class Prepend { always, first, never };
  struct Step {
    Kind kind = Kind::split;
    Behavior behavior = Behavior::isolated;
    bool invert = false;
    std::vector<Pattern> pattern;  ///< split: one
    Prepend prepend = Prepend::always;
    std::string replacement;  ///< metaspace
  };
  struct Cut {
    std::size_t begin, end;
    bool match;
  };
  void add(const JsonView& view, int depth);
  void add_byte_level(const JsonView& view);
  void add_metaspace(const JsonView& view);
  static Behavior behavior_of(const JsonView& view);
  static std::vector<Cut> find(const Step& step, std::string_view text);
  static void split(const Step& step, std::string_view text, std::vector<std::string_view>& out);
  static void apply(const Step& step, bool& at_start, Words& words);

  std::vector<Step> steps_;
  bool byte_level_ = false;
};

}  // namespace engine
