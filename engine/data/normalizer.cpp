#include "engine/data/normalizer.h"

#include <algorithm>
#include <array>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uniset.h>

#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

struct ByteLetters {
  std::array<std::string, 256> letter;
  std::array<int, 512> byte;
  ByteLetters() {
    byte.fill(-1);
    char32_t next = 256;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      const char32_t c = printable ? static_cast<char32_t>(b) : next++;
      append_utf8(letter[static_cast<std::size_t>(b)], c);
      byte[c] = b;
    }
  }
};

const ByteLetters& byte_letters() {
  static const ByteLetters table;
  return table;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string unicode_form(const icu::Normalizer2* form, std::string text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::StringPiece piece(text.data(), static_cast<std::int32_t>(text.size()));
  if (form->isNormalizedUTF8(piece, status) && U_SUCCESS(status)) return text;
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<std::int32_t>(text.size()));
  status = U_ZERO_ERROR;
  form->normalizeUTF8(0, piece, sink, nullptr, status);
  if (U_FAILURE(status))
    throw InputError(std::string("text cannot be normalised: ") + u_errorName(status));
  return out;
}

/// The reference's tables are those of Unicode 9: younger characters stay as they are.
std::array<icu::FilteredNormalizer2, 4> old_forms() {
  UErrorCode status = U_ZERO_ERROR;
  static const icu::UnicodeSet known(u"[:age=9.0:]", status);
  const icu::Normalizer2* forms[] = {icu::Normalizer2::getNFCInstance(status), icu::Normalizer2::getNFDInstance(status),
                                     icu::Normalizer2::getNFKCInstance(status), icu::Normalizer2::getNFKDInstance(status)};
  if (U_FAILURE(status)) throw std::runtime_error(std::string("ICU's data is missing: ") + u_errorName(status));
  return {{{*forms[0], known}, {*forms[1], known}, {*forms[2], known}, {*forms[3], known}}};
}

/// 0 NFC, 1 NFD, 2 NFKC, 3 NFKD
std::string normal_form(int form, std::string text) {
  // ASCII text is the same in all four forms. ICU counts in 32 bits, more than any document needs.
  if (is_ascii(text)) return text;
  if (text.size() > (std::size_t{1} << 30))
    throw InputError("text of more than 1 GiB cannot be normalised at once");
  static const std::array<icu::FilteredNormalizer2, 4> forms = old_forms();
  return unicode_form(&forms[static_cast<std::size_t>(form)], std::move(text));
}

template <class Map>
std::string map_code_points(std::string_view text, Map map) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) map(out, next_code_point(text, at));
  return out;
}

std::string lowercase(std::string_view text) {
  return map_code_points(text, [](std::string& out, char32_t c) {
    // The one letter whose lower case is two code points; there is no final-sigma rule letter by
    // letter.
    if (c == 0x130) {
      out += "i\xCC\x87";
    } else {
      append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
    }
  });
}

/// A mark in Unicode 9, as the reference has it; three have changed their class since.
bool is_old_mark(char32_t c) {
  if (c == 0x1CF2 || c == 0x1CF3) return true;
  return c != 0x111C9 && (U_MASK(u_charType(static_cast<UChar32>(c))) & U_GC_M_MASK) != 0 && is_assigned_since(c, 9);
}

std::string strip_accents(std::string_view text) {
  return map_code_points(text, [](std::string& out, char32_t c) {
    if (!is_old_mark(c)) append_utf8(out, c);
  });
}

std::string strip(std::string_view text, bool left, bool right) {
  std::size_t begin = 0, end = text.size();
  while (left && begin < end) {
    std::size_t at = begin;
    if (!is_unicode_space(next_code_point(text, at))) break;
    begin = at;
  }
  while (right && end > begin) {
    std::size_t at = end;
    if (!is_unicode_space(previous_code_point(text, at))) break;
    end = at;
  }
  return std::string(text.substr(begin, end - begin));
}

}  // namespace

std::string bytes_to_letters(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) out += byte_letters().letter[static_cast<unsigned char>(c)];
  return out;
}

int letter_to_byte(char32_t letter) { return letter < 512 ? byte_letters().byte[letter] : -1; }

Pattern::Pattern(const JsonView& view) {
  if (const auto text = view.find("String")) {
    literal_ = text->as_string();
  } else if (const auto regex = view.find("Regex")) {
    regex_.emplace_back(regex->as_string(), regex->place());
  } else {
    view.fail("expected {\"String\": ...} or {\"Regex\": ...}");
  }
}

std::vector<Regex::Span> Pattern::find_all(std::string_view text) const {
  if (!regex_.empty()) return regex_.front().find_all(text);
  std::vector<Regex::Span> out;
  if (literal_.empty()) return out;
  for (auto at = text.find(literal_); at != text.npos;
       at = text.find(literal_, at + literal_.size())) {
    out.emplace_back(at, at + literal_.size());
  }
  return out;
}

std::string Pattern::replace(std::string_view text, std::string_view content) const {
  std::string out;
  out.reserve(text.size());
  std::size_t last = 0;
  const std::size_t most = std::max(std::size_t{1} << 20, 100 * text.size());
  for (const auto& [begin, end] : find_all(text)) {
    if (out.size() + content.size() > most)
      throw InputError("a Replace step of the tokenizer makes the text more than a hundred times as long");
    out.append(text, last, begin - last);
    out += content;
    last = end;
  }
  out.append(text, last);
  return out;
}

Normalizer::Normalizer(const JsonView& view) { add(view, 0); }

void Normalizer::add(const JsonView& view, int depth) {
  const std::string& type = view.at("type").as_string();
  Step step{};
  if (type == "Sequence") {
    if (depth > 8) view.fail("sequences nested too deeply");
    for (const auto& item : view.at("normalizers").items()) add(item, depth + 1);
    return;
  }
  if (type == "NFC") {
    step.kind = Kind::nfc;
  } else if (type == "NFD") {
    step.kind = Kind::nfd;
  } else if (type == "NFKC") {
    step.kind = Kind::nfkc;
  } else if (type == "NFKD") {
    step.kind = Kind::nfkd;
  } else if (type == "Lowercase") {
    step.kind = Kind::lowercase;
  } else if (type == "StripAccents") {
    step.kind = Kind::strip_accents;
  } else if (type == "ByteLevel") {
    step.kind = Kind::byte_level;
  } else if (type == "Strip") {
    step.kind = Kind::strip;
    step.left = view.bool_or("strip_left", true);
    step.right = view.bool_or("strip_right", true);
  } else if (type == "Prepend") {
    step.kind = Kind::prepend;
    step.content = view.at("prepend").as_string();
  } else if (type == "Replace") {
    step.kind = Kind::replace;
    step.pattern.emplace_back(view.at("pattern"));
    step.content = view.at("content").as_string();
  } else {
    view.fail("normalizer \"" + type.substr(0, 60) + "\" is not supported");
  }
  if (steps_.size() == k_max_steps) view.fail("more than 64 normalizers");
  steps_.push_back(std::move(step));
}

bool Normalizer::drops_first(const Step& step, std::string_view text) {
  if (text.empty()) return false;
  std::size_t at = 0;
  const char32_t first = next_code_point(text, at);
  if (step.kind == Kind::strip) return step.left && is_unicode_space(first);
  if (step.kind == Kind::strip_accents) return is_old_mark(first);
  if (step.kind != Kind::replace || !step.content.empty()) return false;
  const auto spans = step.pattern.front().find_all(text);
  return !spans.empty() && spans.front().first == 0 && spans.front().second > 0;
}

std::string Normalizer::apply(std::string text, bool* kept_start) const {
  const std::size_t most = std::max(std::size_t{1} << 20, 100 * text.size());
  for (const Step& step : steps_) {
    if (kept_start != nullptr && drops_first(step, text)) *kept_start = false;
    text = apply(step, std::move(text));
    if (text.size() > most) throw InputError("the tokenizer's normalizers make the text more than a hundred times as long");
  }
  return text;
}

std::string Normalizer::apply(const Step& step, std::string text) {
  switch (step.kind) {
    case Kind::nfc:
      return normal_form(0, std::move(text));
    case Kind::nfd:
      return normal_form(1, std::move(text));
    case Kind::nfkc:
      return normal_form(2, std::move(text));
    case Kind::nfkd:
      return normal_form(3, std::move(text));
    case Kind::lowercase:
      return lowercase(text);
    case Kind::strip_accents:
      return strip_accents(text);
    case Kind::byte_level:
      return bytes_to_letters(text);
    case Kind::strip:
      return strip(text, step.left, step.right);
    case Kind::prepend:
      return text.empty() ? text : step.content + text;
    case Kind::replace:
      return step.pattern.front().replace(text, step.content);
  }
  return text;
}

}  // namespace engine
