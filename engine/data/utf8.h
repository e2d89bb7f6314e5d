#pragma once
/// Small UTF-8 tools. Positions and sizes are bytes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace engine {

/// Position of the first byte that is not part of well-formed UTF-8 (no surrogates, no overlong
/// forms), or nothing.
std::optional<std::size_t> first_invalid_utf8(std::string_view text);
inline bool is_valid_utf8(std::string_view text) { return !first_invalid_utf8(text); }

/// Well-formed copy: every maximal ill-formed part becomes U+FFFD, as Rust's from_utf8_lossy and
/// Python's "replace".
std::string utf8_lossy(std::string_view text);

/// Code point that begins at `at`, which moves behind it. The text must be valid.
char32_t next_code_point(std::string_view text, std::size_t& at);
/// Code point that ends at `at`, which moves to its begin. The text must be valid and `at` > 0.
char32_t previous_code_point(std::string_view text, std::size_t& at);
void append_utf8(std::string& out, char32_t code_point);
std::size_t count_code_points(std::string_view text);  ///< what Python's len() says

bool is_unicode_space(char32_t c);    ///< White_Space, as Rust's char::is_whitespace
bool is_unicode_word(char32_t c);     ///< \w of Rust's regex: Alphabetic, M, Nd, Pc, Join_Control
bool is_unicode_numeric(char32_t c);  ///< N*
bool is_unicode_punctuation(char32_t c);  ///< P* of Unicode 8, the reference's tables, and all ASCII signs
bool is_assigned_since(char32_t c, int major);  ///< a character of Unicode <major>.0

}  // namespace engine
