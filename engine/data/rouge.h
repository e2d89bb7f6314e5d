#pragma once
/// ROUGE as two Python packages compute it; they differ in what a word is and in what they count.

#include <cstddef>
#include <string>
#include <vector>

namespace engine {

/// str.lower() of valid UTF-8.
std::string python_lower(const std::string& text);

/// ROUGE-L F of `rouge` 1.0.1: texts are cut at full stops; of each answer sentence the longest
/// common subsequences with all output sentences are united, as sets of words; 0 where a text is
/// empty. Long sentences, at which the package fails with a recursion error, are computed as well.
double rouge_package_l(const std::string& output, const std::string& answer);

/// ROUGE-N and ROUGE-L F of `rouge_score` 0.1.2 without stemming: words are runs of a-z and 0-9.
double rouge_score_n(const std::string& output, const std::string& answer, std::size_t n);
double rouge_score_l(const std::string& output, const std::string& answer);

}  // namespace engine
