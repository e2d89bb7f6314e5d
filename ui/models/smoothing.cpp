#include "ui/models/smoothing.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ui {

void Smoothing::set(Kind kind, double weight) {
  const double now = std::isfinite(weight) ? std::clamp(weight, 0.0, k_most) : 0;
  if (std::exchange(weights_[kind], now) != now) Q_EMIT changed();
}

QVariantList Smoothing::toSettings() const { return {weights_[0], weights_[1], weights_[2]}; }

void Smoothing::restore(const QVariantList& weights) {
  for (int i = 0; i < std::min<int>(int(weights.size()), 3); ++i) {
    bool number = false;
    const double weight = weights[i].toDouble(&number);
    if (number && weight >= 0 && weight <= k_most) set(Kind(i), weight);
  }
}

}  // namespace ui
