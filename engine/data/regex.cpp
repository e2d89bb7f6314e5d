#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/data/regex.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>

#include <pcre2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>

#include "engine/error.h"

namespace engine {
namespace {

constexpr std::size_t k_max_pattern_bytes = 16 << 10;
constexpr std::uint32_t k_match_limit = 10'000'000;
constexpr std::uint32_t k_depth_limit = 100'000;
constexpr std::size_t k_jit_stack_bytes = 8 << 20;

// White_Space and its complement as class members: PCRE2's own \s counts U+180E in.
constexpr const char* k_space =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr const char* k_not_space =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{d7ff}\x{e000}-\x{10ffff})";
// A word's characters in a set. Alone, \w also takes the six numbers of Latin-1.
constexpr const char* k_word = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr const char* k_lone_word = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";

/// [:name:] as Oniguruma takes it, as members of a set; the others mean the same to PCRE2.
constexpr const char* k_posix_sets[][2] = {
    {"[:alpha:]", R"(\p{Alphabetic})"}, {"[:alnum:]", R"(\p{Alphabetic}\p{Nd})"}, {"[:upper:]", R"(\p{Uppercase})"},
    {"[:lower:]", R"(\p{Lowercase})"},  {"[:punct:]", R"(\p{P}\p{S})"},           {"[:space:]", k_space},
    {"[:word:]", k_word}};

/// What is no part of a word, as members of a set: a set inside a set PCRE2 does not know.
const std::string& not_word() {
  static const std::string members = [] {
    UErrorCode status = U_ZERO_ERROR;
    const icu::UnicodeSet set(u"[^[:Alphabetic:][:M:][:Nd:][:Pc:][:Cs:]]", status);
    std::string out;
    for (std::int32_t i = 0; i < set.getRangeCount(); ++i) {
      char text[40];
      std::snprintf(text, sizeof text, "\\x{%x}-\\x{%x}", static_cast<unsigned>(set.getRangeStart(i)),
                    static_cast<unsigned>(set.getRangeEnd(i)));
      out += text;
    }
    return out;
  }();
  return members;
}

using Clock = std::chrono::steady_clock;

// The JIT's step limit does not count repeats of single characters, so a pattern could run for
// hours within it. Patterns are therefore compiled with a call-out before each item, which watches
// the clock. These need none: whatever the text, they take linear time (a factor of two faster).
constexpr const char* k_linear_patterns[] = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Rewrites the pattern from Oniguruma's dialect to PCRE2's.
class Translator {
 public:
  Translator(const std::string& pattern, const std::string& place) : in_(pattern), place_(place) {}

  std::string run() {
    while (at_ < in_.size()) step();
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw InputError(place_ + ": pattern not supported: " + what + " at character " +
                     std::to_string(at_));
  }
  void step() {
    const char c = in_[at_];
    if (c == '\\') {
      escape();
    } else if (depth_ > 0) {
      class_member(c);
    } else if (c == '[') {
      depth_ = 1;
      out_ += in_[at_++];
      if (at_ < in_.size() && in_[at_] == '^') out_ += in_[at_++];
      // A bracket that comes first stands for itself in both dialects.
      if (at_ < in_.size() && in_[at_] == ']') out_ += "\\]", ++at_;
    } else if (c == '(' && in_.compare(at_, 2, "(*") == 0) {
      refuse("(*");
    } else if (c == '(' && (in_.compare(at_, 3, "(?C") == 0 || in_.compare(at_, 3, "(?R") == 0)) {
      refuse("(?C or (?R");
    } else if (c == '(' && in_.compare(at_, 2, "(?") == 0) {
      flags();
    } else {
      out_ += in_[at_++];
    }
  }
  void flags() {
    std::size_t end = at_ + 2;
    while (end < in_.size() && (in_[end] == '-' || (in_[end] >= 'a' && in_[end] <= 'z'))) ++end;
    const bool are_flags = end < in_.size() && (in_[end] == ':' || in_[end] == ')');
    for (std::size_t i = at_; i < end; ++i) out_ += are_flags && in_[i] == 'm' ? 's' : in_[i];
    at_ = end;
  }
  void class_member(char c) {
    if (c == '&' && in_.compare(at_, 2, "&&") == 0) refuse("&& inside a set");
    if (c == '[' && in_.compare(at_, 2, "[:") == 0) return posix_set();
    if (c == '[') {  // a set inside a set adds its members
      if (in_.compare(at_, 2, "[^") == 0) refuse("a negated set inside a set");
      ++depth_;
    } else if (c != ']' || --depth_ == 0) {
      out_ += c;
    }
    ++at_;
  }
  void posix_set() {
    const auto end = in_.find(":]", at_);
    if (end == std::string::npos) refuse("[: without :]");
    std::string members = in_.substr(at_, end + 2 - at_);
    for (const auto& [name, own] : k_posix_sets)
      if (members == name) members = own;
    out_ += members;
    at_ = end + 2;
  }
  /// \p{Han}: PCRE2 would take a script's name for its wider extensions, and knows no long names of categories.
  void property(char letter) {
    const auto end = in_.find('}', at_);
    if (end == std::string::npos) refuse("\\p{ without }");
    std::string name = in_.substr(at_ + 3, end - at_ - 3);
    if (name.starts_with('^')) {
      name.erase(0, 1);
      letter = letter == 'p' ? 'P' : 'p';
    }
    constexpr const char* k_posix[][2] = {{"Alpha", "Alphabetic"}, {"Digit", "Nd"}, {"Upper", "Uppercase"}, {"Lower", "Lowercase"}};
    for (const auto& [posix, own] : k_posix)
      if (name == posix) name = own;
    const auto category = u_getPropertyValueEnum(UCHAR_GENERAL_CATEGORY_MASK, name.c_str());
    if (category != UCHAR_INVALID_CODE) {
      name = u_getPropertyValueName(UCHAR_GENERAL_CATEGORY_MASK, category, U_SHORT_PROPERTY_NAME);
      if (name == "LC") name = "L&";
    } else if (u_getPropertyValueEnum(UCHAR_SCRIPT, name.c_str()) != UCHAR_INVALID_CODE) {
      name = "sc:" + name;
    }
    out_ += std::string("\\") + letter + "{" + name + "}";
    at_ = end + 1;
  }
  void escape() {
    const char next = at_ + 1 < in_.size() ? in_[at_ + 1] : '\0';
    const auto in_set = [&](const char* members) {
      out_ += depth_ > 0 ? members : std::string("[") + members + "]";
    };
    if ((next == 'p' || next == 'P') && at_ + 2 < in_.size() && in_[at_ + 2] == '{') return property(next);
    if (next == 's') {
      in_set(k_space);
    } else if (next == 'S') {
      in_set(k_not_space);
    } else if (next == 'w') {
      in_set(depth_ > 0 ? k_word : k_lone_word);
    } else if (next == 'W') {
      out_ += depth_ > 0 ? not_word() : std::string("[^") + k_lone_word + "]";
    } else if ((next == 'b' || next == 'B') && depth_ == 0) {
      // PCRE2's own boundary does not count marks as parts of a word.
      const std::string w = std::string("[") + k_lone_word + "]", edge = next == 'b' ? "(?!" : "(?=", same = next == 'b' ? "(?=" : "(?!";
      out_ += "(?:(?<=" + w + ")" + edge + w + ")|(?<!" + w + ")" + same + w + "))";
    } else if (next == 'h' || next == 'H') {
      if (depth_ > 0 && next == 'H') refuse("\\H inside a set");
      in_set(next == 'h' ? "0-9a-fA-F" : "^0-9a-fA-F");
    } else if (next == 'C' || next == 'K' || next == 'g') {
      refuse(std::string("\\") + next);
    } else {
      out_.append(in_, at_, 2);
    }
    at_ += 2;
  }

  const std::string& in_;
  const std::string& place_;
  std::string out_;
  std::size_t at_ = 0;
  int depth_ = 0;  ///< of sets inside sets
};

/// Processor time for one find_all.
class Budget {
 public:
  explicit Budget(double seconds)
      : deadline_(thread_seconds() + seconds),
        suspect_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(seconds))) {}
  /// The wall clock is cheap to read; the processor's decides, so that a busy machine refuses
  /// nothing.
  bool spent() {
    return (++calls_ & 31) == 0 && Clock::now() > suspect_ && thread_seconds() > deadline_;
  }

 private:
  double deadline_;
  Clock::time_point suspect_;
  unsigned calls_ = 0;
};

double seconds_for(std::size_t text_bytes) { return std::max(1.5, 1e-6 * static_cast<double>(text_bytes)); }

thread_local std::optional<Budget> shared_budget;

int watch_clock(pcre2_callout_block*, void* budget) {
  return static_cast<Budget*>(budget)->spent() ? PCRE2_ERROR_CALLOUT : 0;
}

/// What one thread needs to match; reused over calls.
struct Scratch {
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, k_jit_stack_bytes, nullptr);
  pcre2_match_data* data = pcre2_match_data_create(64, nullptr);
  Scratch() {
    pcre2_set_match_limit(context, k_match_limit);
    pcre2_set_depth_limit(context, k_depth_limit);
    pcre2_set_heap_limit(context, 64 << 10);  // KiB
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Scratch() {
    pcre2_match_data_free(data);
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
};

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool jit = false;
  std::string place;
  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(code); }
};

Regex::SharedTime::SharedTime(std::size_t text_bytes) { shared_budget.emplace(seconds_for(text_bytes)); }
Regex::SharedTime::~SharedTime() { shared_budget.reset(); }

Regex::Regex(const std::string& pattern, const std::string& place) {
  if (pattern.size() > k_max_pattern_bytes)
    throw InputError(place + ": expected a pattern of at most 16 KB");
  const std::string translated = Translator(pattern, place).run();
  auto code = std::make_shared<Code>();
  code->place = place;
  int error = 0;
  PCRE2_SIZE offset = 0;
  const bool linear = std::find(std::begin(k_linear_patterns), std::end(k_linear_patterns),
                                pattern) != std::end(k_linear_patterns);
  const std::uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C |
                                (linear ? 0u : static_cast<std::uint32_t>(PCRE2_AUTO_CALLOUT));
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                             options, &error, &offset, nullptr);
  if (code->code == nullptr) {
    unsigned char text[256] = {};
    pcre2_get_error_message(error, text, sizeof text);
    throw InputError(place + ": pattern: " + reinterpret_cast<const char*>(text));
  }
  code->jit = pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE) == 0;
  code_ = std::move(code);
}

std::vector<Regex::Span> Regex::find_all(std::string_view text) const {
  thread_local Scratch scratch;
  std::vector<Span> out;
  out.reserve(text.size() / 5 + 1);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::optional<Budget> own;
  if (!shared_budget) own.emplace(seconds_for(text.size()));
  Budget& budget = own ? *own : *shared_budget;
  pcre2_set_callout(scratch.context, watch_clock, &budget);
  std::size_t at = 0;
  while (at <= text.size()) {
    const int found = code_->jit
                          ? pcre2_jit_match(code_->code, subject, text.size(), at,
                                            PCRE2_NO_UTF_CHECK, scratch.data, scratch.context)
                          : pcre2_match(code_->code, subject, text.size(), at, PCRE2_NO_UTF_CHECK,
                                        scratch.data, scratch.context);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found == PCRE2_ERROR_CALLOUT || budget.spent()) {
      throw InputError(code_->place + ": the pattern takes too long on this text (at byte " +
                       std::to_string(at) + " of " + std::to_string(text.size()) + ")");
    }
    if (found < 0) {
      throw InputError(
          code_->place +
          ": the pattern takes too many steps or too much memory on this text (at byte " +
          std::to_string(at) + " of " + std::to_string(text.size()) + ")");
    }
    const PCRE2_SIZE* span = pcre2_get_ovector_pointer(scratch.data);
    // \K and look-behinds with it are refused, so begin <= end and begin >= at.
    out.emplace_back(span[0], span[1]);
    at = span[1];
    if (span[0] == span[1]) {
      ++at;
      while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    }
  }
  return out;
}

}  // namespace engine
