#include "ui/models/series_formula.h"

#include <algorithm>
#include <cmath>

namespace ui {
namespace {

using Points = std::vector<CurvePoint>;

/// "hybrid", "hybrid@recall" or "train/loss" of a run. Empty: it has none.
Points valuesOf(const RunData& run, const std::string& name, const std::string& task) {
  if (const auto series = run.series.find(name); series != run.series.end())
    return {series->second.begin(), series->second.end()};
  const auto at = name.rfind('@');
  const ScoreKey key{name.substr(0, at), at == std::string::npos ? task : name.substr(at + 1)};
  if (const auto found = run.scores.find(key); found != run.scores.end())
    return asCurve(found->second, 100);
  if (const auto found = run.perplexity.find(key); found != run.perplexity.end())
    return asCurve(found->second, 1);
  return {};
}

/// A word that a filter would not split is written as it is.
QString spelt(const expression::Token& token) {
  const bool is_name = token.kind == expression::Token::quoted ||
                       (token.kind == expression::Token::word &&
                        !expression::numberOf(token.text.toStdString()));
  const bool plain = std::all_of(token.text.begin(), token.text.end(),
                                 [](QChar c) { return c.isLetterOrNumber() || c == '_' || c == '@' || c == '.'; });
  if (token.kind == expression::Token::quoted || (is_name && !plain))
    return '"' + token.text + '"';
  return token.text;
}

QString spelt(const std::vector<expression::Token>& tokens) {
  QString out;
  for (const auto& token : tokens) {
    const bool tight = token.text == ")" || out.isEmpty() || out.endsWith('(') ||
                       (token.text == "(" && !out.isEmpty() && out.back().isLetter());
    if (token.kind != expression::Token::end) out += (tight ? "" : " ") + spelt(token);
  }
  return out;
}

}  // namespace

QStringList metricNames(const RunData& run) {
  QStringList out;
  auto add = [&](const std::string& name) {
    const QString text = QString::fromStdString(name);
    if (!out.contains(text)) out << text;
  };
  for (const std::string& component : run.components()) add(component);
  for (const auto* scores : {&run.scores, &run.perplexity})
    for (const auto& [key, points] : *scores) add(key.component);
  for (const auto& [name, points] : run.series)
    if (name.find("/layer.") == std::string::npos) add(name);
  for (const auto* scores : {&run.scores, &run.perplexity})
    for (const auto& [key, points] : *scores) out << QString::fromStdString(key.component + "@" + key.task);
  for (const auto& [name, points] : run.series)
    if (name.find("/layer.") != std::string::npos) out << QString::fromStdString(name);
  return out;
}

std::optional<SeriesFormula> SeriesFormula::read(const QString& text, const QStringList& names, QString* problem) {
  SeriesFormula out;
  try {
    const auto list = expression::tokens(text, &names);
    expression::Cursor at(list);
    out.sum_ = expression::readSum(at);
    if (at.now().kind != expression::Token::end)
      throw expression::Unreadable{QString("“%1” was not expected").arg(at.now().text)};
    if (out.sum_.names.empty()) throw expression::Unreadable{"it names no metric"};
    out.text_ = spelt(list);
    if (problem) problem->clear();
    return out;
  } catch (const expression::Unreadable& error) {
    if (problem) *problem = error.why;
    return std::nullopt;
  }
}

QStringList SeriesFormula::names() const {
  QStringList out;
  for (const std::string& name : sum_.names) out << QString::fromStdString(name);
  return out;
}

std::vector<CurvePoint> SeriesFormula::curve(const RunData& run, const std::string& task) const {
  std::vector<Points> inputs;
  for (const std::string& name : sum_.names) inputs.push_back(valuesOf(run, name, task));
  if (inputs.size() == 1 && !sum_.computes) return std::move(inputs[0]);
  std::vector<std::size_t> at(inputs.size(), 0);
  std::vector<double> values(inputs.size());
  Points out;
  for (const CurvePoint& first : inputs[0]) {
    bool all = true;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      while (at[i] < inputs[i].size() && inputs[i][at[i]].x < first.x) ++at[i];
      all = all && at[i] < inputs[i].size() && inputs[i][at[i]].x == first.x;
      if (all) values[i] = inputs[i][at[i]].y;
    }
    if (all) out.push_back({first.x, sum_.value(values), 0});
  }
  return out;
}

QStringList SeriesFormula::missing(const RunData& run, const std::string& task) const {
  QStringList out;
  for (const std::string& name : sum_.names)
    if (valuesOf(run, name, task).empty()) out << QString::fromStdString(name);
  return out;
}

QString pointsText(const std::vector<CurvePoint>& points) {
  if (points.empty()) return "No step has a value of every metric yet.";
  return QString("%1 %2, the last %3 at step %4.")
      .arg(points.size())
      .arg(points.size() == 1 ? "point" : "points")
      .arg(QString::number(points.back().y, 'g', 6).replace('-', QChar(0x2212)))
      .arg(points.back().x, 0, 'f', 0);
}

const DerivedSeries* DerivedSeriesList::find(const QString& name) const {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const auto& s) { return s.name == name; });
  return found == all_.end() ? nullptr : &*found;
}

void DerivedSeriesList::put(const DerivedSeries& series) {
  const auto found = std::find_if(all_.begin(), all_.end(), [&](const auto& s) { return s.name == series.name; });
  if (found == all_.end())
    all_.push_back(series);
  else
    *found = series;
  Q_EMIT changed();
}

void DerivedSeriesList::remove(const QString& name) {
  if (std::erase_if(all_, [&](const auto& s) { return s.name == name; }) > 0) Q_EMIT changed();
}

QStringList DerivedSeriesList::toSettings() const {
  QStringList out;
  for (const DerivedSeries& s : all_) out << s.name << s.formula << s.unit;
  return out;
}

void DerivedSeriesList::restore(const QStringList& settings) {
  all_.clear();
  for (qsizetype i = 0; i + 2 < settings.size(); i += 3)
    if (!settings[i].isEmpty() && SeriesFormula::read(settings[i + 1], {}, nullptr))
      all_.push_back({settings[i], settings[i + 1], settings[i + 2]});
  Q_EMIT changed();
}

}  // namespace ui
