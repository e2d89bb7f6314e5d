#include "ui/models/sweep.h"

#include <QStringList>

#include <algorithm>
#include <set>

namespace ui {
namespace {

/// "stages[1].schedule.dropout" and "0.9, 0.5" → "dropout0.9-0.5".
std::string tailOf(const std::string& path, const std::string& value) {
  std::string tail = path.substr(path.rfind('.') + 1);
  for (char c : value) {
    if (c == ' ' || c == '[' || c == ']') continue;
    tail += c == ',' || c == '/' ? '-' : c;
  }
  return tail;
}

}  // namespace

std::vector<std::string> sweepValues(const QString& text, bool list) {
  std::vector<std::string> out;
  for (const QString& part : text.split(list ? ';' : ',', Qt::SkipEmptyParts))
    if (const QString value = part.trimmed(); !value.isEmpty())
      out.push_back(list ? "[" + value.toStdString() + "]" : value.toStdString());
  return out;
}

Sweep expandSweep(const engine::Recipe& base, const std::vector<SweepAxis>& axes,
                  const std::vector<std::int64_t>& seeds) {
  Sweep out{{base}, {}};
  std::size_t count = std::max<std::size_t>(1, seeds.size());
  std::set<std::string> paths;
  for (const SweepAxis& axis : axes) {
    if (axis.values.empty() || !paths.insert(axis.path).second) {
      out.problem =
          QString("%1: %2").arg(QString::fromStdString(axis.path),
                                axis.values.empty() ? "give at least one value" : "is there twice");
      return out;
    }
    count *= axis.values.size();
  }
  if (count > k_most_swept) {
    out.problem = QString("%1 runs are too many at once; at most %2").arg(count).arg(k_most_swept);
    return out;
  }
  for (const SweepAxis& axis : axes) {
    std::vector<engine::Recipe> next;
    for (const engine::Recipe& recipe : out.recipes)
      for (const std::string& value : axis.values) {
        engine::Recipe one = recipe;
        if (const auto problem = engine::set_field(one, axis.path, value)) {
          out.problem = QString::fromStdString(axis.path + ": " + problem->message);
          return out;
        }
        one.name += "-" + tailOf(axis.path, value);
        next.push_back(std::move(one));
      }
    out.recipes = std::move(next);
  }
  if (!seeds.empty()) {
    std::vector<engine::Recipe> next;
    for (const engine::Recipe& recipe : out.recipes)
      for (std::int64_t seed : seeds) {
        next.push_back(recipe);
        next.back().seed = seed;
        next.back().name += "-seed" + std::to_string(seed);
      }
    out.recipes = std::move(next);
  }
  for (const engine::Recipe& recipe : out.recipes)
    for (const auto& problem : engine::check(recipe)) {
      if (problem.warning) continue;
      out.problem =
          QString::fromStdString(recipe.name + ": " + problem.path + ": " + problem.message);
      return out;
    }
  return out;
}

}  // namespace ui
