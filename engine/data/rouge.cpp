#include "engine/data/rouge.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include <unicode/ustring.h>

#include "engine/data/task_prepare.h"
#include "engine/data/utf8.h"

namespace engine {
namespace {

using Ids = std::vector<std::size_t>;

/// Words as numbers, equal for equal words.
class WordNumbers {
 public:
  std::size_t of(const std::string& word) {
    return numbers_.emplace(word, numbers_.size()).first->second;
  }

 private:
  std::unordered_map<std::string, std::size_t> numbers_;
};

/// " ".join(sentence.split()).split(" ") of every non-empty part between full stops. A part of
/// white space alone is one empty word.
std::vector<Ids> sentences(const std::string& text, WordNumbers& numbers) {
  std::vector<Ids> out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('.', begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (part.empty()) continue;
    Ids words;
    std::string word;
    const auto close = [&] {
      if (!word.empty()) words.push_back(numbers.of(word));
      word.clear();
    };
    for (std::size_t at = 0; at < part.size();) {
      const char32_t c = next_code_point(part, at);
      if (is_python_space(c)) {
        close();
      } else {
        append_utf8(word, c);
      }
    }
    close();
    if (words.empty()) words.push_back(numbers.of(""));
    out.push_back(std::move(words));
  }
  return out;
}

/// The words of one longest common subsequence, of several the one the package takes.
void add_common(const Ids& answer, const Ids& output, std::set<std::size_t>& united) {
  const std::size_t n = answer.size(), m = output.size();
  std::vector<bool> up(n * m);  // the way back leads to the word before in the answer
  std::vector<std::uint32_t> above(m + 1, 0), row(m + 1, 0);
  for (std::size_t i = 1; i <= n; ++i) {
    for (std::size_t j = 1; j <= m; ++j) {
      row[j] = answer[i - 1] == output[j - 1] ? above[j - 1] + 1 : std::max(above[j], row[j - 1]);
      up[(i - 1) * m + j - 1] = above[j] > row[j - 1];
    }
    std::swap(above, row);
  }
  for (std::size_t i = n, j = m; i > 0 && j > 0;) {
    if (answer[i - 1] == output[j - 1]) {
      united.insert(answer[i - 1]);
      --i;
      --j;
    } else if (up[(i - 1) * m + j - 1]) {
      --i;
    } else {
      --j;
    }
  }
}

std::set<std::size_t> all_words(const std::vector<Ids>& text) {
  std::set<std::size_t> out;
  for (const auto& sentence : text) out.insert(sentence.begin(), sentence.end());
  return out;
}

/// Runs of a-z and 0-9 after str.lower().
std::vector<std::string> ascii_words(const std::string& text) {
  std::vector<std::string> out;
  bool open = false;
  for (const char c : python_lower(text)) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (word && !open) out.emplace_back();
    if (word) out.back() += c;
    open = word;
  }
  return out;
}

double f_measure(double precision, double recall) {
  return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}

}  // namespace

std::string python_lower(const std::string& text) {
  std::u16string wide(text.size() + 1, u'\0');
  UErrorCode error = U_ZERO_ERROR;
  std::int32_t size = 0;
  u_strFromUTF8(wide.data(), static_cast<std::int32_t>(wide.size()), &size, text.data(),
                static_cast<std::int32_t>(text.size()), &error);
  std::u16string lower(static_cast<std::size_t>(size) * 3 + 1, u'\0');
  const std::int32_t lower_size = u_strToLower(
      lower.data(), static_cast<std::int32_t>(lower.size()), wide.data(), size, "", &error);
  std::string out(static_cast<std::size_t>(lower_size) * 3 + 1, '\0');
  std::int32_t out_size = 0;
  u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &out_size, lower.data(),
              lower_size, &error);
  if (U_FAILURE(error)) throw std::runtime_error("a text could not be changed to lower case");
  out.resize(static_cast<std::size_t>(out_size));
  return out;
}

double rouge_package_l(const std::string& output, const std::string& answer) {
  WordNumbers numbers;
  const auto found = sentences(output, numbers), wanted = sentences(answer, numbers);
  if (found.empty() || wanted.empty()) return 0;
  std::set<std::size_t> united;
  for (const auto& sentence : wanted) {
    for (const auto& other : found) add_common(sentence, other, united);
  }
  const auto common = static_cast<double>(united.size());
  const double recall = common / static_cast<double>(all_words(wanted).size());
  const double precision = common / static_cast<double>(all_words(found).size());
  return 2.0 * (precision * recall / (precision + recall + 1e-8));
}

double rouge_score_n(const std::string& output, const std::string& answer, std::size_t n) {
  using Gram = std::vector<std::string>;
  const auto grams = [n](const std::string& text, std::size_t& total) {
    const auto words = ascii_words(text);
    std::map<Gram, std::int64_t> out;
    total = words.size() >= n ? words.size() - n + 1 : 0;
    for (std::size_t i = 0; i < total; ++i)
      ++out[Gram(words.begin() + static_cast<std::ptrdiff_t>(i),
                 words.begin() + static_cast<std::ptrdiff_t>(i + n))];
    return out;
  };
  std::size_t found_total = 0, wanted_total = 0;
  const auto found = grams(output, found_total), wanted = grams(answer, wanted_total);
  std::int64_t same = 0;
  for (const auto& [gram, count] : wanted) {
    const auto at = found.find(gram);
    if (at != found.end()) same += std::min(count, at->second);
  }
  const auto hits = static_cast<double>(same);
  return f_measure(hits / static_cast<double>(std::max<std::size_t>(found_total, 1)),
                   hits / static_cast<double>(std::max<std::size_t>(wanted_total, 1)));
}

double rouge_score_l(const std::string& output, const std::string& answer) {
  const auto found = ascii_words(output), wanted = ascii_words(answer);
  if (found.empty() || wanted.empty()) return 0;
  std::vector<std::uint32_t> above(found.size() + 1, 0), row(found.size() + 1, 0);
  for (const auto& word : wanted) {
    for (std::size_t j = 1; j <= found.size(); ++j)
      row[j] = word == found[j - 1] ? above[j - 1] + 1 : std::max(above[j], row[j - 1]);
    std::swap(above, row);
  }
  const double common = above.back();
  return f_measure(common / static_cast<double>(found.size()),
                   common / static_cast<double>(wanted.size()));
}

}  // namespace engine
