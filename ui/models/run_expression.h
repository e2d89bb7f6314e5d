#pragma once
/// The filter of the run list: plain words, or an expression over settings and results such as
/// `window == 64 && delta_h_swa > 1`, `hybrid - swa > 1` or `state = done and not (lolcats or hedgecats)`.

#include <QString>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace ui {

/// What an expression sees of a run.
struct RunFacts {
  QString text;                              ///< where plain words are looked for
  std::map<std::string, std::string> words;  ///< name, state, tags (`tag`: any one of them), notes, device, …
  std::map<std::string, double>
      results;         ///< hybrid 71.2 (percent), delta_h_swa 3.1 (points), steps …
  std::string recipe;  ///< resolved YAML; read when a setting is asked for
};

class RunExpression {
 public:
  RunExpression() = default;
  /// Never throws. `problem` says in a few words what could not be read; then everything passes.
  static RunExpression parse(const QString& text, QString* problem = nullptr);
  bool matches(const RunFacts& facts) const { return !test_ || test_(facts); }

 private:
  std::function<bool(const RunFacts&)> test_;
};

/// "attention.window" → "64" of a resolved recipe's text: its own form of YAML only, many times
/// faster than reading the recipe.
std::multimap<std::string, std::string> flatSettings(const std::string& resolved_yaml);

}  // namespace ui
