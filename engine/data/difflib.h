#pragma once
/// Python's difflib.SequenceMatcher(None, a, b).ratio().

#include <string>

namespace engine {

/// 2 × matching characters / all characters, in code points of valid UTF-8, with difflib's
/// heuristic (characters that make up more than 1 % of a `b` of 200 or more do not begin a match);
/// 1 for two empty texts.
double difflib_ratio(const std::string& a, const std::string& b);

}  // namespace engine
