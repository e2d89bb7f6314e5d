#pragma once
/// The `normalizer` of a tokenizer.json: text to text before it is cut.

#include <string>
#include <string_view>
#include <vector>

#include "engine/data/json.h"
#include "engine/data/regex.h"

namespace engine {

/// The byte-level alphabet of GPT-2: each byte as one printable code point, in UTF-8.
std::string bytes_to_letters(std::string_view bytes);
/// The byte a letter of that alphabet stands for, or -1.
int letter_to_byte(char32_t letter);

inline constexpr std::size_t k_max_steps = 64;  ///< of a normalizer, pre_tokenizer or decoder, sequences flattened

/// A pattern as tokenizer.json writes it: {"String": "..."} or {"Regex": "..."}.
class Pattern {
 public:
  explicit Pattern(const JsonView& view);
  explicit Pattern(Regex regex) : regex_{std::move(regex)} {}
  std::vector<Regex::Span> find_all(std::string_view text) const;
  /// `content` is taken as it is. Throws InputError where the text would grow a hundredfold (and beyond 1 MiB).
  std::string replace(std::string_view text, std::string_view content) const;

 private:
  std::string literal_;
  std::vector<Regex> regex_;  ///< one or none
};

/// A list of steps, sequences flattened. Immutable, thread-safe.
class Normalizer {
 public:
  Normalizer() = default;  ///< changes nothing
  /// Throws InputError for an unknown type or a wrong field.
  explicit Normalizer(const JsonView& view);

  bool empty() const { return steps_.empty(); }
  /// `text` must be valid UTF-8; so is the result. Sets *kept_start to false where the first character is taken away.
  std::string apply(std::string text, bool* kept_start = nullptr) const;

 private:
  enum class Kind {
    nfc,
    nfd,
    nfkc,
    nfkd,
    lowercase,
    replace,
    strip,
    strip_accents,
    prepend,
    byte_level
  };
  struct Step {
    Kind kind;
    std::string content;             ///< replace, prepend
    std::vector<Pattern> pattern;    ///< replace: one
    bool left = true, right = true;  ///< strip
  };
  void add(const JsonView& view, int depth);
  static std::string apply(const Step& step, std::string text);
  static bool drops_first(const Step& step, std::string_view text);

  std::vector<Step> steps_;
};

}  // namespace engine
