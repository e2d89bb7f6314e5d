#include "ui/plots/curve_data.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace ui {
namespace {

constexpr std::size_t k_fan = 16;  ///< blocks of one level that make one of the next

/// Where a run of places that `in` holds for ends, in [first + 1, end). `in(first)` is true; `guess`
/// is where the end is looked for first.
template <class In>
std::size_t endOfRun(std::size_t first, std::size_t end, std::size_t guess, In&& in) {
  std::size_t inside = first, outside = end;
  std::size_t step = 1;
  if (guess > first && guess < end && !in(guess)) {
    outside = guess;
    for (; outside - inside > step && !in(outside - step); step *= 2) outside -= step;
    if (outside - inside > step) inside = outside - step;
  } else {
    if (guess > first && guess < end) inside = guess;
    for (; outside - inside > step && in(inside + step); step *= 2) inside += step;
    outside = std::min(outside, inside + step);
  }
  while (outside - inside > 1) {
    const std::size_t middle = inside + (outside - inside) / 2;
    (in(middle) ? inside : outside) = middle;
  }
  return outside;
}

}  // namespace

void CurveData::append(const CurvePoint& point) {
  while (!points_.empty() && points_.back().x >= point.x) cut(points_.size() - 1);
  points_.push_back(point);
  std::size_t block = k_fan;
  for (std::size_t level = 0; points_.size() % block == 0; ++level, block *= k_fan) {
    if (level == levels_.size()) levels_.emplace_back();
    levels_[level].push_back(over(points_.size() - block, points_.size()));
  }
}

void CurveData::cut(std::size_t size) {
  points_.resize(size);
  std::size_t block = k_fan;
  for (auto& level : levels_) {
    level.resize(std::min(level.size(), size / block));
    block *= k_fan;
  }
}

void CurveData::add(Stretch& to, std::size_t place) const {
  const CurvePoint& p = points_[place];
  if (!std::isfinite(p.y)) {
    to.gap = place;
    return;
  }
  if (to.low == k_none) {
    to.low = to.high = place;
    to.low_bound = p.y - p.err;
    to.high_bound = p.y + p.err;
  }
  if (p.y < points_[to.low].y) to.low = place;
  if (p.y > points_[to.high].y) to.high = place;
  to.low_bound = std::min(to.low_bound, p.y - p.err);
  to.high_bound = std::max(to.high_bound, p.y + p.err);
  if (p.y > 0 && (to.low_positive == 0 || p.y < to.low_positive)) to.low_positive = p.y;
}

void CurveData::add(Stretch& to, const Stretch& more) const {
  if (more.gap != k_none) to.gap = more.gap;
  if (more.low == k_none) return;
  if (to.low == k_none) {
    const std::size_t gap = to.gap;
    to = more;
    to.gap = gap;
    return;
  }
  if (points_[more.low].y < points_[to.low].y) to.low = more.low;
  if (points_[more.high].y > points_[to.high].y) to.high = more.high;
  to.low_bound = std::min(to.low_bound, more.low_bound);
  to.high_bound = std::max(to.high_bound, more.high_bound);
  if (more.low_positive > 0 && (to.low_positive == 0 || more.low_positive < to.low_positive))
    to.low_positive = more.low_positive;
}

CurveData::Stretch CurveData::over(std::size_t first, std::size_t end) const {
  Stretch whole;
  while (first < end) {
    // The largest block that begins here and is known already.
    const Stretch* block = nullptr;
    std::size_t size = 1;
    for (const auto& level : levels_) {
      const std::size_t next = size * k_fan, number = first / next;
      if (first % next != 0 || first + next > end || number >= level.size()) break;
      block = &level[number];
      size = next;
    }
    if (block)
      add(whole, *block);
    else
      add(whole, first);
    first += size;
  }
  return whole;
}

std::size_t CurveData::placeOf(double x) const {
  const auto at = std::lower_bound(points_.begin(), points_.end(), x,
                                   [](const CurvePoint& p, double v) { return p.x < v; });
  return std::size_t(at - points_.begin());
}

std::vector<CurvePoint> CurveData::thin(double x0, double x1, int columns, bool logarithmic) const {
  std::size_t first = placeOf(x0), end = placeOf(std::nextafter(x1, INFINITY));
  if (first > 0) --first;
  if (end < points_.size()) ++end;
  const std::size_t most = 4 * std::size_t(std::max(columns, 0));
  const auto at = [&](std::size_t i) { return points_.begin() + std::ptrdiff_t(i); };
  if (columns < 1 || end - first <= most || !(x1 > x0)) return {at(first), at(end)};

  std::vector<CurvePoint> kept;
  kept.reserve(most + 4);
  const auto place = [logarithmic](double x) { return logarithmic ? std::log(x) : x; };
  const double from = place(x0), per_x = columns / (place(x1) - from);
  const auto column = [&](std::size_t i) { return std::floor((place(points_[i].x) - from) * per_x); };
  for (std::size_t i = first, width = 1; i < end;) {
    const double here = column(i);
    const std::size_t next =
        endOfRun(i, end, i + width, [&](std::size_t k) { return column(k) == here; });
    width = next - i;
    const Stretch stretch = over(i, next);
    std::size_t picks[] = {i, stretch.low, stretch.high, next - 1, stretch.gap};
    std::sort(std::begin(picks), std::end(picks));
    std::size_t before = k_none;
    for (std::size_t pick : picks)
      if (pick != k_none && pick != before) kept.push_back(points_[before = pick]);
    i = next;
  }
  return kept;
}

std::optional<CurveData::Range> CurveData::rangeY(double x0, double x1, Values values) const {
  const Stretch all = over(placeOf(x0), placeOf(std::nextafter(x1, INFINITY)));
  if (all.low == k_none) return std::nullopt;
  if (values == Values::with_intervals) return Range{all.low_bound, all.high_bound};
  if (values == Values::plain) return Range{points_[all.low].y, points_[all.high].y};
  if (all.low_positive == 0) return std::nullopt;
  return Range{all.low_positive, points_[all.high].y};
}

void MovingAverage::follow(const CurvePoints& curve) {
  for (std::size_t i = data_.points().size(); i < curve.size(); ++i) {
    CurvePoint p = curve[i];
    if (std::isfinite(p.y)) {
      mean_ = weight_ * mean_ + (1 - weight_) * p.y;
      share_ = weight_ * share_ + (1 - weight_);
      p.y = mean_ / share_;
    }
    data_.append(p);
  }
}

void MovingAverage::clear() {
  data_.clear();
  mean_ = share_ = 0;
}

}  // namespace ui
