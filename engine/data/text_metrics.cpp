#include "engine/data/text_metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>

#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include "engine/data/difflib.h"
#include "engine/data/rouge.h"
#include "engine/data/task_prepare.h"
#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

using Words = std::vector<std::string>;

/// re's \w: letters, numbers and the underscore.
bool is_python_word(char32_t c) {
  const auto type = static_cast<std::uint32_t>(U_GET_GC_MASK(static_cast<UChar32>(c)));
  return (type & (U_GC_L_MASK | U_GC_N_MASK)) != 0 || c == U'_';
}

bool is_digit(char32_t c) { return u_charType(static_cast<UChar32>(c)) == U_DECIMAL_DIGIT_NUMBER; }

/// str.split()
Words split_words(std::string_view text) {
  Words out;
  bool open = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (is_python_space(c)) {
      open = false;
      continue;
    }
    if (!open) out.emplace_back();
    open = true;
    append_utf8(out.back(), c);
  }
  return out;
}

/// SQuAD's normalisation, as words: lower case, without punctuation and articles.
Words normalised(const std::string& text) {
  std::string plain;
  for (const char c : python_lower(text)) {
    if (std::ispunct(static_cast<unsigned char>(c)) == 0 || static_cast<unsigned char>(c) >= 0x80)
      plain += c;
  }
  std::string out, run;
  const auto close_run = [&] {
    out += run == "a" || run == "an" || run == "the" ? " " : run;
    run.clear();
  };
  for (std::size_t at = 0; at < plain.size();) {
    const char32_t c = next_code_point(plain, at);
    if (is_python_word(c)) {
      append_utf8(run, c);
    } else {
      close_run();
      append_utf8(out, c);
    }
  }
  close_run();
  return split_words(out);
}

double f1(const std::string& output, const std::string& answer) {
  const Words found = normalised(output), wanted = normalised(answer);
  std::map<std::string, std::int64_t> counts;
  for (const auto& word : wanted) ++counts[word];
  std::int64_t same = 0;
  for (const auto& word : found) {
    const auto at = counts.find(word);
    if (at == counts.end() || at->second == 0) continue;
    --at->second;
    ++same;
  }
  if (same == 0) return 0;
  const double precision = static_cast<double>(same) / static_cast<double>(found.size());
  const double recall = static_cast<double>(same) / static_cast<double>(wanted.size());
  return 2 * precision * recall / (precision + recall);
}

double em(const std::string& output, const std::string& answer) {
  return normalised(output) == normalised(answer) ? 1 : 0;
}

/// re.findall(r"\d+", text)
Words numbers_in(std::string_view text) {
  Words out;
  bool open = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (!is_digit(c)) {
      open = false;
      continue;
    }
    if (!open) out.emplace_back();
    open = true;
    append_utf8(out.back(), c);
  }
  return out;
}

double share_of(const Words& numbers, const std::string& wanted) {
  if (numbers.empty()) return 0;
  return static_cast<double>(std::count(numbers.begin(), numbers.end(), wanted)) /
         static_cast<double>(numbers.size());
}

double count_score(const std::string& output, const std::string& answer) {
  return share_of(numbers_in(python_strip(output)), answer);
}

double retrieval_by(const std::string& mark, const std::string& output, const std::string& answer) {
  for (auto at = answer.find(mark); at != answer.npos; at = answer.find(mark, at + 1)) {
    const std::string_view rest = std::string_view(answer).substr(at + mark.size());
    std::size_t next = 0;
    if (!rest.empty() && is_digit(next_code_point(rest, next)))
      return share_of(numbers_in(python_strip(output)), numbers_in(rest).front());
  }
  throw InputError("the metric retrieval needs answers such as \"" + mark + "7\", found \"" +
                   answer.substr(0, 60) + "\"");
}

/// The output's first line that is neither blank nor a comment or quotation.
double code_similarity(const std::string& output, const std::string& answer) {
  std::string code;
  for (std::size_t at = 0; at <= output.size();) {
    const auto end = std::min(output.find('\n', at), output.size());
    const std::string line = output.substr(at, end - at);
    at = end + 1;
    if (python_strip(line).empty() || line.find_first_of("`#") != line.npos ||
        line.find("//") != line.npos)
      continue;
    code = line;
    break;
  }
  if (code == answer) return 1;
  if (code.empty() || answer.empty()) return 0;
  return std::nearbyint(100 * difflib_ratio(code, answer)) / 100;
}

double classification(const std::string& raw, const std::string& answer, const Words& classes) {
  const std::string output = python_strip(raw);
  Words found;
  for (const auto& name : classes) {
    if (output.find(name) != output.npos) found.push_back(name);
  }
  // The harness takes entries out of the list that it walks along, and so passes over the next one.
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::string name = found[i];
    if (answer.find(name) != answer.npos && name != answer)
      found.erase(std::find(found.begin(), found.end(), name));
  }
  const bool right = std::find(found.begin(), found.end(), answer) != found.end();
  return right ? 1.0 / static_cast<double>(found.size()) : 0;
}

using Metric = std::function<double(const std::string& output, const std::string& answer,
                                    const Words& classes)>;

template <class Score>
Metric without_classes(Score score) {
  return [score](const std::string& output, const std::string& answer, const Words&) {
    return score(output, answer);
  };
}

const std::map<std::string, Metric>& metrics() {
  using std::string;
  static const std::map<string, Metric> all{
      {"f1", without_classes(f1)},
      {"em", without_classes(em)},
      {"rouge_l", without_classes([](const string& o, const string& a) {
         return rouge_package_l(python_strip(o), a);
       })},
      {"rouge1",
       without_classes([](const string& o, const string& a) { return rouge_score_n(o, a, 1); })},
      {"rouge2",
       without_classes([](const string& o, const string& a) { return rouge_score_n(o, a, 2); })},
      {"rougeL", without_classes(rouge_score_l)},
      {"classification", classification},
      {"retrieval", without_classes([](const string& o, const string& a) {
         return retrieval_by("Paragraph ", o, a);
       })},
      {"retrieval_zh", without_classes([](const string& o, const string& a) {
         return retrieval_by("段落", o, a);
       })},
      {"count", without_classes(count_score)},
      {"code_similarity", without_classes(code_similarity)}};
  return all;
}

}  // namespace

const std::vector<std::string>& generation_metrics() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const auto& [name, score] : metrics()) out.push_back(name);
    return out;
  }();
  return names;
}

double generation_score(const std::string& metric, const std::string& output,
                        const TaskExample& example) {
  const auto found = metrics().find(metric);
  if (found == metrics().end()) throw InputError("unknown metric \"" + metric.substr(0, 60) + "\"");
  const std::string text = is_valid_utf8(output) ? output : utf8_lossy(output);
  double best = 0;
  for (const auto& answer : example.answers)
    best = std::max(best, found->second(text, answer, example.classes));
  return best;
}

std::string scored_output(const TaskDefinition& task, const std::string& generated) {
  std::string out = generated;
  for (const auto& stop : task.until) {
    if (!stop.empty()) out = out.substr(0, out.find(stop));
  }
  if (!task.if_empty.empty() && python_strip(is_valid_utf8(out) ? out : utf8_lossy(out)).empty())
    return task.if_empty;
  return out;
}

}  // namespace engine
