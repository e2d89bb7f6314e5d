#include "ui/models/expression.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ui::expression {
namespace {

bool isSign(QChar c) { return QString("=<>!~()&|").contains(c); }

/// The sign of arithmetic that a character is, as "+", "-", "*" or "/"; nothing for others.
QString operationOf(QChar c) {
  if (c == QChar('+') || c == QChar('-') || c == QChar('*') || c == QChar('/')) return QString(c);
  if (c == QChar(0x2212)) return "-";
  if (c == QChar(0x00d7)) return "*";
  if (c == QChar(0x00f7)) return "/";
  return {};
}

bool endsWord(QChar c) { return c.isSpace() || isSign(c) || c == '"' || !operationOf(c).isEmpty(); }

/// End of the longest name that stands at `from`; `from` where there is none.
qsizetype endOfName(const QString& text, qsizetype from, const QStringList& names) {
  qsizetype best = 0;
  for (const QString& name : names) {
    if (name.size() <= best || text.mid(from, name.size()) != name) continue;
    const qsizetype end = from + name.size();
    if (end == text.size() || endsWord(text[end])) best = name.size();
  }
  return from + best;
}

/// "1e-3": the sign behind the e belongs to the number.
qsizetype endOfNumber(const QString& text, qsizetype from) {
  qsizetype end = from;
  while (end < text.size() && !endsWord(text[end])) ++end;
  const bool open = end < text.size() && end > from && text[from].isDigit() &&
                    (text[end - 1] == 'e' || text[end - 1] == 'E') && !operationOf(text[end]).isEmpty();
  if (!open) return end;
  qsizetype rest = end + 1;
  while (rest < text.size() && text[rest].isDigit()) ++rest;
  return rest > end + 1 ? rest : end;
}

qsizetype endOfWord(const QString& text, qsizetype from, const QStringList* names) {
  if (names) {
    const qsizetype named = endOfName(text, from, *names);
    return named > from ? named : endOfNumber(text, from);
  }
  qsizetype end = from;
  while (end < text.size() && !text[end].isSpace() && !isSign(text[end]) && text[end] != '"') ++end;
  return end;
}

using Value = std::function<double(const std::vector<double>&)>;

Value combined(const QString& sign, Value a, Value b) {
  if (sign == "+") return [a, b](const auto& v) { return a(v) + b(v); };
  if (sign == "-") return [a, b](const auto& v) { return a(v) - b(v); };
  if (sign == "*") return [a, b](const auto& v) { return a(v) * b(v); };
  return [a, b](const auto& v) { return a(v) / b(v); };
}

/// One reading of a sum; the names are gathered on the way.
class Reader {
 public:
  explicit Reader(Cursor& at) : at_(at) {}

  Arithmetic whole() {
    Arithmetic out;
    out.value = sum();
    out.names = std::move(names_);
    out.computes = computes_;
    return out;
  }

 private:
  Value chain(std::initializer_list<const char*> signs, Value (Reader::*part)()) {
    Value left = (this->*part)();
    for (;;) {
      const QString sign = at_.now().text;
      if (at_.now().kind != Token::sign || !at_.take(signs)) return left;
      computes_ = true;
      left = combined(sign, std::move(left), (this->*part)());
    }
  }
  Value sum() { return chain({"+", "-"}, &Reader::product); }
  Value product() { return chain({"*", "/"}, &Reader::signedAtom); }

  Value signedAtom() {
    if (at_.now().kind == Token::sign && at_.take({"-"})) {
      computes_ = true;
      return [inner = signedAtom()](const auto& v) { return -inner(v); };
    }
    return atom();
  }

  Value bracketed() {
    Value inner = sum();
    if (!at_.take({")"})) throw Unreadable{"a bracket is not closed"};
    return inner;
  }

  Value atom() {
    const Token token = at_.now();
    if (at_.take({"("})) return bracketed();
    if (token.kind == Token::end) throw Unreadable{"something is missing at the end"};
    if (token.kind == Token::sign) throw Unreadable{QString("“%1” was not expected").arg(token.text)};
    at_.next();
    if (token.kind == Token::word) {
      if (const auto number = numberOf(token.text.toStdString()))
        return [value = *number](const auto&) { return value; };
      if (at_.now().text == "(" && at_.now().kind == Token::sign) return function(token.text);
    }
    const std::string name = token.text.toStdString();
    auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) found = names_.insert(names_.end(), name);
    return [place = std::size_t(found - names_.begin())](const auto& v) { return v[place]; };
  }

  Value function(const QString& name) {
    double (*of)(double) = name == "abs"    ? +[](double x) { return std::abs(x); }
                           : name == "exp"  ? +[](double x) { return std::exp(x); }
                           : name == "log"  ? +[](double x) { return std::log(x); }
                           : name == "sqrt" ? +[](double x) { return std::sqrt(x); }
                                            : nullptr;
    if (!of) throw Unreadable{QString("“%1” is no function; there are abs, exp, log and sqrt").arg(name)};
    at_.next();
    computes_ = true;
    return [of, inner = bracketed()](const auto& v) { return of(inner(v)); };
  }

  Cursor& at_;
  std::vector<std::string> names_;
  bool computes_ = false;
};

}  // namespace

std::vector<Token> tokens(const QString& text, const QStringList* names) {
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
      const QString operation = operationOf(c);
      const bool alone = i + 1 == text.size() || text[i + 1].isSpace();
      const qsizetype end = endOfWord(text, i, names);
      if (!operation.isEmpty() && (names ? end <= i + 1 : alone)) {
        out.push_back({Token::sign, operation});
        ++i;
      } else {
        out.push_back({Token::word, text.mid(i, std::max(end, i + 1) - i)});
        i = std::max(end, i + 1);
      }
    }
  }
  out.push_back({});
  return out;
}

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

bool Cursor::take(std::initializer_list<const char*> words) {
  if (now().kind == Token::end || now().kind == Token::quoted) return false;
  for (const char* word : words)
    if (now().text.compare(QLatin1String(word), Qt::CaseInsensitive) == 0) {
      ++at_;
      return true;
    }
  return false;
}

Arithmetic readSum(Cursor& at) { return Reader(at).whole(); }

}  // namespace ui::expression
