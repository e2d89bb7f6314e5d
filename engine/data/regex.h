#pragma once
/// Patterns out of tokenizer files, run with limits.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engine {

/// A compiled pattern in the dialect of tokenizer.json files (Oniguruma's, as Hugging Face's
/// tokenizers use it), run by PCRE2 with JIT. Immutable, thread-safe, cheap to copy.
///
/// Differences of dialect that are bridged: \s \S \w \W \b and [:alpha:] mean the Unicode properties that Oniguruma
/// uses, a set inside a set adds its members, ^ and $ match at lines, (?m) is dot-all, \p{Han} is the script itself, long
/// names of categories are known. Letters are those of PCRE2's Unicode version (14 in 10.42), so characters newer than that
/// may be classed differently. Refused with InputError: intersections of sets (&&), negated sets inside sets, back-tracking
/// verbs, call-outs, patterns beyond 16 KB.
class Regex {
 public:
  /// While one lives, all patterns that this thread runs share its processor time: max(1.5 s, 1 µs a byte of the text).
  /// Without it each find_all has that much of its own.
  class SharedTime {
   public:
    explicit SharedTime(std::size_t text_bytes);
    ~SharedTime();
    SharedTime(const SharedTime&) = delete;
    SharedTime& operator=(const SharedTime&) = delete;
  };

  /// `place` names file and pointer for messages.
  Regex(const std::string& pattern, const std::string& place);

  using Span = std::pair<std::size_t, std::size_t>;  ///< begin, end in bytes
  /// All matches, leftmost first, not overlapping. `text` must be valid UTF-8. Throws InputError
  /// when one match takes more than ten million steps, the back-tracking stack grows beyond 8 MB,
  /// or the whole call takes longer than max(1.5 s, 1 µs a byte) of processor time.
  std::vector<Span> find_all(std::string_view text) const;

 private:
  struct Code;
  std::shared_ptr<const Code> code_;
};

}  // namespace engine
