#pragma once
/// The window's one expression language: words and signs, and arithmetic over named numbers. The run list's filter
/// (run_expression.h) compares and combines on top of it; a series by formula (series_formula.h) is the arithmetic alone.
///   sum      := product (("+" | "-") product)*
///   product  := signed (("*" | "/") signed)*
///   signed   := "-" signed | number | name | function "(" sum ")" | "(" sum ")"
///   function := abs | exp | log | sqrt

#include <QString>
#include <QStringList>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace ui::expression {

struct Token {
  enum Kind { word, quoted, sign, end } kind = end;
  QString text;
};

/// Thrown by the reading functions; the faces turn it into a sentence at the field.
struct Unreadable {
  QString why;
};

/// Without `names` (a filter, in which "ssd-32", "a/b" and "-word" are words) a sign of arithmetic stands alone. With them
/// it ends a word everywhere, except in the longest of `names` that fits there: "train/loss", "hybrid-overlap".
std::vector<Token> tokens(const QString& text, const QStringList* names = nullptr);

/// "64", "25M", "1e-3".
std::optional<double> numberOf(std::string text);

class Cursor {
 public:
  explicit Cursor(std::vector<Token> list) : list_(std::move(list)) {}
  const Token& now() const { return list_[at_]; }
  void next() { at_ += now().kind == Token::end ? 0 : 1; }
  /// Goes on where one of these stands there; upper and lower case are one.
  bool take(std::initializer_list<const char*> words);
  std::size_t place() const { return at_; }
  void goTo(std::size_t place) { at_ = place; }

 private:
  std::vector<Token> list_;
  std::size_t at_ = 0;
};

/// A sum as it was read.
struct Arithmetic {
  std::vector<std::string> names;                              ///< in the order of their first use, each once
  std::function<double(const std::vector<double>&)> value{};   ///< of the names' values, in that order
  bool computes = false;                                       ///< more than a lone name or number
};
/// Throws Unreadable. The cursor stands behind the sum then.
Arithmetic readSum(Cursor& at);

}  // namespace ui::expression
