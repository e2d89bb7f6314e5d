#include "ui/models/run_expression.h"

#include <QStringList>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

namespace ui {
namespace {

using Test = std::function<bool(const RunFacts&)>;

struct Token {
  enum Kind { word, quoted, sign, end } kind = end;
  QString text;
};

struct Unreadable {
  QString why;
};

bool isSign(QChar c) { return QString("=<>!~()&|").contains(c); }

std::vector<Token> tokens(const QString& text) {
  std::vector<Token> out;
  for (qsizetype i = 0; i < text.size();) {
    const QChar c = text[i];
    if (c.isSpace()) {
      ++i;
    } else if (c == '"' || c == '\'') {
      const qsizetype end = text.indexOf(c, i + 1);
      if (end < 0) throw Unreadable{"a quotation mark is not closed"};
      out.push_back({Token::quoted, text.mid(i + 1, end - i - 1)});
      i = end + 1;
    } else if (isSign(c)) {
      static const QStringList k_pairs{"==", "!=", "<=", ">=", "&&", "||"};
      const QString two = text.mid(i, 2);
      const bool pair = k_pairs.contains(two);
      out.push_back({Token::sign, pair ? two : QString(c)});
      i += pair ? 2 : 1;
    } else {
      qsizetype end = i;
      while (end < text.size() && !text[end].isSpace() && !isSign(text[end]) && text[end] != '"')
        ++end;
      out.push_back({Token::word, text.mid(i, end - i)});
      i = end;
    }
  }
  out.push_back({});
  return out;
}

/// "64", "25M", "1e-3", "71 %".
std::optional<double> numberOf(std::string text) {
  double factor = 1;
  if (!text.empty() && (text.back() == 'k' || text.back() == 'M' || text.back() == 'G')) {
    factor = text.back() == 'k' ? 1e3 : text.back() == 'M' ? 1e6 : 1e9;
    text.pop_back();
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value * factor;
}

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

class Parser {
 public:
  explicit Parser(std::vector<Token> list) : list_(std::move(list)) {}

  Test whole() {
    Test test = either();
    if (now().kind != Token::end)
      throw Unreadable{QString("“%1” was not expected").arg(now().text)};
    return test;
  }

 private:
  const Token& now() const { return list_[at_]; }
  bool take(std::initializer_list<const char*> words) {
    if (now().kind == Token::end || now().kind == Token::quoted) return false;
    for (const char* word : words)
      if (now().text.compare(QLatin1String(word), Qt::CaseInsensitive) == 0) {
        ++at_;
        return true;
      }
    return false;
  }

  Test either() {
    Test left = both();
    while (take({"||", "|", "or"}))
      left = [left, right = both()](const RunFacts& f) { return left(f) || right(f); };
    return left;
  }

  Test both() {
    Test left = negated();
    for (;;) {
      const bool said = take({"&&", "&", "and"});
      const bool goes_on = now().kind == Token::word || now().kind == Token::quoted ||
                           now().text == "(" || now().text == "!";
      const bool is_or =
          now().kind == Token::word && now().text.compare("or", Qt::CaseInsensitive) == 0;
      if (!said && (!goes_on || is_or)) return left;
      left = [left, right = negated()](const RunFacts& f) { return left(f) && right(f); };
    }
  }

  Test negated() {
    if (take({"!", "not"})) return [inner = negated()](const RunFacts& f) { return !inner(f); };
    return single();
  }

  Test single() {
    if (take({"("})) {
      Test inner = either();
      if (!take({")"})) throw Unreadable{"a bracket is not closed"};
      return inner;
    }
    const Token first = now();
    if (first.kind != Token::word && first.kind != Token::quoted)
      throw Unreadable{first.kind == Token::end ? QString("something is missing at the end")
                                                : QString("“%1” was not expected").arg(first.text)};
    ++at_;
    static const QStringList k_signs{"=", "==", "!=", "<", "<=", ">", ">=", "~"};
    if (first.kind == Token::word && now().kind == Token::sign && k_signs.contains(now().text)) {
      const QString sign = now().text;
      ++at_;
      const Token value = now();
      if (value.kind != Token::word && value.kind != Token::quoted)
        throw Unreadable{QString("“%1 %2” needs a value").arg(first.text, sign)};
      ++at_;
      return comparison(first.text, sign, value.text);
    }
    if (first.kind == Token::word && first.text.size() > 1 && first.text.startsWith('-'))
      return [inner = containing(first.text.mid(1))](const RunFacts& f) { return !inner(f); };
    return containing(first.text);
  }

  std::vector<Token> list_;
  std::size_t at_ = 0;
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
      out.test_ = Parser(tokens(text)).whole();
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
