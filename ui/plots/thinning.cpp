#include "ui/plots/thinning.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace ui {

std::vector<CurvePoint> thin(const std::vector<CurvePoint>& points, double x0, double x1,
                             int columns) {
  auto by_x = [](const CurvePoint& p, double x) { return p.x < x; };
  auto first = std::lower_bound(points.begin(), points.end(), x0, by_x);
  auto last = std::lower_bound(first, points.end(), std::nextafter(x1, INFINITY), by_x);
  if (first != points.begin()) --first;
  if (last != points.end()) ++last;
  const auto count = std::distance(first, last);
  if (columns < 1 || count <= 4 * columns || !(x1 > x0)) return {first, last};

  std::vector<CurvePoint> kept;
  kept.reserve(static_cast<std::size_t>(4 * columns + 4));
  const double per_x = columns / (x1 - x0);
  auto column = [&](const CurvePoint& p) {
    return static_cast<long>(std::floor((p.x - x0) * per_x));
  };
  for (auto it = first; it != last;) {
    const long here = column(*it);
    auto end = std::find_if(it, last, [&](const CurvePoint& p) { return column(p) != here; });
    auto low = it, high = it, gap = end;
    for (auto p = it; p != end; ++p) {
      if (!std::isfinite(p->y)) gap = p;
      if (p->y < low->y || !std::isfinite(low->y)) low = p;
      if (p->y > high->y || !std::isfinite(high->y)) high = p;
    }
    std::vector<decltype(it)> picks{it, low, high, std::prev(end)};
    if (gap != end) picks.push_back(gap);
    std::sort(picks.begin(), picks.end());
    picks.erase(std::unique(picks.begin(), picks.end()), picks.end());
    for (auto pick : picks) kept.push_back(*pick);
    it = end;
  }
  return kept;
}

std::vector<CurvePoint> smoothed(const std::vector<CurvePoint>& points, double weight) {
  if (weight <= 0) return points;
  std::vector<CurvePoint> out(points);
  double mean = 0, share = 0;
  for (auto& p : out) {
    if (!std::isfinite(p.y)) continue;
    mean = weight * mean + (1 - weight) * p.y;
    share = weight * share + (1 - weight);
    p.y = mean / share;
  }
  return out;
}

}  // namespace ui
