#include "ui/models/run_expression.h"

#include <QStringList>
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "engine/tags.h"
#include "ui/models/expression.h"

namespace ui {
namespace {

using Test = std::function<bool(const RunFacts&)>;

using expression::Arithmetic;
using expression::Cursor;
using expression::numberOf;
using expression::Token;
using expression::Unreadable;

/// Signs by which a text is an expression and no plain words.
bool isSign(QChar c) { return QString("=<>!~()&|").contains(c); }

/// A key names a field by its whole path or by its last parts: "window" is attention.window, and
/// schedule.window, and evaluation.window.
bool names(const std::string& path, const std::string& key) {
  if (path == key) return true;
  return path.size() > key.size() && path.ends_with(key) &&
         path[path.size() - key.size() - 1] == '.';
}

bool compareNumbers(double a, const QString& sign, double b) {
  if (sign == "<") return a < b;
  if (sign == "<=") return a <= b;
  if (sign == ">") return a > b;
  if (sign == ">=") return a >= b;
  return a == b;
}

bool compareTexts(const std::string& have, const QString& sign, const QString& want) {
  const QString text = QString::fromStdString(have);
  if (sign == "~") return text.contains(want, Qt::CaseInsensitive);
  const auto a = numberOf(have), b = numberOf(want.toStdString());
  if (a && b) return compareNumbers(*a, sign, *b);
  if (sign == "=") return text.compare(want, Qt::CaseInsensitive) == 0;
  return false;
}

Test comparison(const QString& key, const QString& sign, const QString& want) {
  const bool unequal = sign == "!=";
  const QString same = sign == "==" || unequal ? QString("=") : sign;
  const std::string name = key.toStdString();
  return [=](const RunFacts& facts) {
    if (const auto found = facts.results.find(name); found != facts.results.end()) {
      const auto b = numberOf(want.toStdString());
      return b && std::isfinite(found->second) &&
             compareNumbers(found->second, same, *b) != unequal;
    }
    if (name == "tag") {
      const auto all = facts.words.find("tags");
      const auto tags = engine::tag_list(all == facts.words.end() ? std::string() : all->second);
      return std::any_of(tags.begin(), tags.end(), [&](const auto& tag) {
               return compareTexts(tag, same, want);
             }) != unequal;
    }
    if (const auto found = facts.words.find(name); found != facts.words.end())
      return compareTexts(found->second, same, want) != unequal;
    bool any = false;
    for (const auto& [path, value] : flatSettings(facts.recipe))
      any = any || (names(path, name) && compareTexts(value, same, want));
    return any != unequal;
  };
}

Test containing(const QString& word) {
  return [word](const RunFacts& facts) { return facts.text.contains(word, Qt::CaseInsensitive); };
}

/// What a sum is for a run: results first, then the first number of the recipe of that name. NaN where a name is neither.
double valueFor(const Arithmetic& sum, const RunFacts& facts) {
  std::vector<double> values;
  for (const std::string& name : sum.names) {
    double value = std::nan("");
    if (const auto found = facts.results.find(name); found != facts.results.end()) {
      value = found->second;
    } else {
      for (const auto& [path, text] : flatSettings(facts.recipe))
        if (const auto number = names(path, name) ? numberOf(text) : std::nullopt) {
          value = *number;
          break;
        }
    }
    values.push_back(value);
  }
  return sum.value(values);
}

class Parser {
 public:
  explicit Parser(std::vector<Token> list) : at_(std::move(list)) {}

  Test whole() {
    Test test = either();
    if (at_.now().kind != Token::end)
      throw Unreadable{QString("“%1” was not expected").arg(at_.now().text)};
    return test;
  }

 private:
  Test either() {
    Test left = both();
    while (at_.take({"||", "|", "or"}))
      left = [left, right = both()](const RunFacts& f) { return left(f) || right(f); };
    return left;
  }

  Test both() {
    Test left = negated();
    for (;;) {
      const bool said = at_.take({"&&", "&", "and"});
      const Token& now = at_.now();
      const bool goes_on = now.kind == Token::word || now.kind == Token::quoted ||
                           now.text == "(" || now.text == "!";
      const bool is_or =
          now.kind == Token::word && now.text.compare("or", Qt::CaseInsensitive) == 0;
      if (!said && (!goes_on || is_or)) return left;
      left = [left, right = negated()](const RunFacts& f) { return left(f) && right(f); };
    }
  }

  Test negated() {
    if (at_.take({"!", "not"}))
      return [inner = negated()](const RunFacts& f) { return !inner(f); };
    return single();
  }

  /// The sign of a comparison, if one stands there.
  QString takeSign() {
    static const QStringList k_signs{"=", "==", "!=", "<", "<=", ">", ">=", "~"};
    if (at_.now().kind != Token::sign || !k_signs.contains(at_.now().text)) return {};
    const QString sign = at_.now().text;
    at_.next();
    return sign;
  }

  /// Two sums compared, as "hybrid - swa > 1". Nothing, and nothing read, where no side computes anything.
  std::optional<Test> arithmetic() {
    const std::size_t start = at_.place();
    try {
      const Arithmetic left = expression::readSum(at_);
      const QString sign = takeSign();
      if (!sign.isEmpty() && sign != "~") {
        const Arithmetic right = expression::readSum(at_);
        if (left.computes || right.computes) {
          const bool unequal = sign == "!=";
          const QString same = sign == "==" || unequal ? QString("=") : sign;
          return [=](const RunFacts& facts) {
            const double a = valueFor(left, facts), b = valueFor(right, facts);
            return std::isfinite(a) && std::isfinite(b) && compareNumbers(a, same, b) != unequal;
          };
        }
      }
    } catch (const Unreadable&) {
      // read as words and comparisons instead, whose complaint fits what most people write
    }
    at_.goTo(start);
    return std::nullopt;
  }

  Test single() {
    if (auto compared = arithmetic()) return *compared;
    if (at_.take({"("})) {
      Test inner = either();
      if (!at_.take({")"})) throw Unreadable{"a bracket is not closed"};
      return inner;
    }
    const Token first = at_.now();
    if (first.kind != Token::word && first.kind != Token::quoted)
      throw Unreadable{first.kind == Token::end ? QString("something is missing at the end")
                                                : QString("“%1” was not expected").arg(first.text)};
    at_.next();
    const QString sign = first.kind == Token::word ? takeSign() : QString();
    if (!sign.isEmpty()) {
      const Token value = at_.now();
      if (value.kind != Token::word && value.kind != Token::quoted)
        throw Unreadable{QString("“%1 %2” needs a value").arg(first.text, sign)};
      at_.next();
      return comparison(first.text, sign, value.text);
    }
    if (first.kind == Token::word && first.text.size() > 1 && first.text.startsWith('-'))
      return [inner = containing(first.text.mid(1))](const RunFacts& f) { return !inner(f); };
    return containing(first.text);
  }

  Cursor at_;
};

std::string plainValue(const std::string& text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return text.substr(1, text.size() - 2);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
    return text.substr(1, text.size() - 2);
  return text;
}

}  // namespace

RunExpression RunExpression::parse(const QString& text, QString* problem) {
  RunExpression out;
  if (problem) problem->clear();
  if (text.trimmed().isEmpty()) return out;
  // What people type into a search box is words: "seed: 1" and "a/b" too.
  const bool plain =
      std::none_of(text.begin(), text.end(), [](QChar c) { return isSign(c) || c == '"'; }) &&
      !QString(" " + text + " ").contains(" or ") && !QString(" " + text + " ").contains(" not ");
  try {
    if (!plain) {
      out.test_ = Parser(expression::tokens(text)).whole();
      return out;
    }
    std::vector<Test> all;
    for (const QString& word : text.split(' ', Qt::SkipEmptyParts)) {
      const bool without = word.size() > 1 && word.startsWith('-');
      const Test test = containing(without ? word.mid(1) : word);
      all.push_back([test, without](const RunFacts& f) { return test(f) != without; });
    }
    out.test_ = [all](const RunFacts& f) {
      return std::all_of(all.begin(), all.end(), [&](const Test& t) { return t(f); });
    };
  } catch (const Unreadable& error) {
    if (problem) *problem = error.why;
    out.test_ = nullptr;
  }
  return out;
}

std::multimap<std::string, std::string> flatSettings(const std::string& yaml) {
  std::multimap<std::string, std::string> out;
  std::vector<std::pair<std::size_t, std::string>> open;  // indent and key of the sections above
  int stage = -1;
  for (std::size_t at = 0; at < yaml.size();) {
    const std::size_t end = std::min(yaml.find('\n', at), yaml.size());
    std::string line = yaml.substr(at, end - at);
    at = end + 1;
    std::size_t indent = line.find_first_not_of(' ');
    if (indent == std::string::npos || line[indent] == '#') continue;
    if (line.compare(indent, 2, "- ") == 0) {
      ++stage;
      while (!open.empty() && open.back().first >= indent) open.pop_back();
      if (!open.empty()) open.back().second = "stages[" + std::to_string(stage) + "]";
      indent += 2;
    }
    const std::size_t colon = line.find(':', indent);
    if (colon == std::string::npos) continue;
    while (!open.empty() && open.back().first >= indent) open.pop_back();
    const std::string key = line.substr(indent, colon - indent);
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    if (value == std::string::npos) {
      open.emplace_back(indent, key);
      continue;
    }
    std::string path;
    for (const auto& [depth, part] : open) path += part + ".";
    out.emplace(path + key, plainValue(line.substr(value)));
  }
  return out;
}

}  // namespace ui
