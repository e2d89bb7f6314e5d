#include "ui/plots/curve_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ui {
namespace {

constexpr std::size_t k_block = 16;  ///< points of the lowest level's blocks; two of a level make one of the next

}  // namespace

void CurveData::append(const CurvePoint& point) {
  while (!points_.empty() && points_.back().x >= point.x) cut(points_.size() - 1);
  points_.push_back(point);
  std::size_t block = k_block;
  for (std::size_t level = 0; points_.size() % block == 0; ++level, block *= 2) {
    if (level == levels_.size()) levels_.emplace_back();
    if (level == 0) {
      levels_[0].push_back(over(points_.size() - block, points_.size()));
      continue;
    }
    const auto& halves = levels_[level - 1];
    levels_[level].push_back(halves[halves.size() - 2]);
    add(levels_[level].back(), halves.back());
  }
}

void CurveData::cut(std::size_t size) {
  points_.resize(size);
  std::size_t block = k_block;
  for (auto& level : levels_) {
    level.resize(std::min(level.size(), size / block));
    block *= 2;
  }
}

CurveData::Stretch CurveData::of(const CurvePoint& p) {
  Stretch one;
  one.first_x = one.last_x = p.x;
  one.has_points = std::isfinite(p.y);
  one.has_gap = !one.has_points;
  if (one.has_gap) {
    one.gap_x = p.x;
    return one;
  }
  one.low = one.high = p;
  one.low_bound = p.y - p.err;
  one.high_bound = p.y + p.err;
  one.low_positive = std::max(p.y, 0.0);
  return one;
}

/// `to` is no empty stretch.
void CurveData::add(Stretch& to, const Stretch& more) {
  to.last_x = more.last_x;
  if (more.has_gap) {
    to.has_gap = true;
    to.gap_x = more.gap_x;
  }
  if (!more.has_points) return;
  const bool first = !std::exchange(to.has_points, true);
  if (first || more.low.y < to.low.y) to.low = more.low;
  if (first || more.high.y > to.high.y) to.high = more.high;
  to.low_bound = first ? more.low_bound : std::min(to.low_bound, more.low_bound);
  to.high_bound = first ? more.high_bound : std::max(to.high_bound, more.high_bound);
  if (more.low_positive > 0 && (to.low_positive == 0 || more.low_positive < to.low_positive))
    to.low_positive = more.low_positive;
}

/// The largest known block that begins at `first` and of which `fits(block, its end)` is true, or
/// the point itself. `level` is where it is looked for first, and then where it was found.
template <class Fits>
CurveData::Block CurveData::blockAt(std::size_t first, std::size_t& level, Fits&& fits) const {
  const auto at = [&](std::size_t l) -> const Stretch* {
    const std::size_t size = k_block << l, number = first / size;
    const bool known = first % size == 0 && l < levels_.size() && number < levels_[l].size();
    return known && fits(levels_[l][number], first + size) ? &levels_[l][number] : nullptr;
  };
  const Stretch* found = at(level);
  if (found)
    for (const Stretch* more = at(level + 1); more; more = at(level + 1)) {
      found = more;
      ++level;
    }
  while (!found && level > 0) found = at(--level);
  return found ? Block{*found, first + (k_block << level)} : Block{of(points_[first]), first + 1};
}

/// Of at least one point.
CurveData::Stretch CurveData::over(std::size_t first, std::size_t end) const {
  const auto fits = [end](const Stretch&, std::size_t after) { return after <= end; };
  std::size_t level = 0;
  Block whole = blockAt(first, level, fits);
  for (std::size_t at = whole.end; at < end;) {
    const Block block = blockAt(at, level, fits);
    add(whole.of, block.of);
    at = block.end;
  }
  return whole.of;
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
  const double width = (place(x1) - place(x0)) / columns;
  const auto narrow = [&](double low, double high) { return place(high) - place(low) < width; };
  // Cutting blocks so as to fill each column to its edge would take most of the time.
  const auto fits = [&](const Stretch& s, std::size_t after) {
    return after < end && narrow(s.first_x, s.last_x);
  };
  kept.push_back(points_[first]);
  std::size_t level = 0;
  const auto keep = [&](const Stretch& s) {
    const std::size_t from = kept.size();
    if (s.has_points) kept.push_back(s.low);
    if (s.has_points && s.high.x != s.low.x) kept.push_back(s.high);
    if (s.has_gap) kept.push_back({s.gap_x, std::numeric_limits<double>::quiet_NaN(), 0});
    std::sort(kept.begin() + std::ptrdiff_t(from), kept.end(),
              [](const CurvePoint& a, const CurvePoint& b) { return a.x < b.x; });
  };
  Block whole = blockAt(first + 1, level, fits);
  for (std::size_t i = whole.end; i + 1 < end;) {
    Block block = blockAt(i, level, fits);
    i = block.end;
    if (narrow(whole.of.first_x, block.of.last_x)) {
      add(whole.of, block.of);
    } else {
      keep(whole.of);
      whole = std::move(block);
    }
  }
  keep(whole.of);
  kept.push_back(points_[end - 1]);
  return kept;
}

std::optional<CurveData::Range> CurveData::rangeY(double x0, double x1, Values values) const {
  const std::size_t first = placeOf(x0), end = placeOf(std::nextafter(x1, INFINITY));
  if (first >= end) return std::nullopt;
  const Stretch all = over(first, end);
  if (!all.has_points) return std::nullopt;
  if (values == Values::with_intervals) return Range{all.low_bound, all.high_bound};
  if (values == Values::plain) return Range{all.low.y, all.high.y};
  if (all.low_positive == 0) return std::nullopt;
  return Range{all.low_positive, all.high.y};
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
