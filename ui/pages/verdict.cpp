#include "ui/pages/verdict.h"

#include <cmath>

namespace ui {

QString points(double accuracy_difference, int decimals) {
  const double p = accuracy_difference * 100;
  return (p < 0 ? QString("−") : QString("+")) + QString::number(std::abs(p), 'f', decimals);
}

Verdict judge(const std::optional<ScorePoint>& h, const std::optional<ScorePoint>& l, bool finished) {
  Verdict v;
  const double margin = k_margin_points / 100;
  const bool dead = l && l->value + half95(l->stderr_) < margin;
  v.alarm = dead && l->step > 0;
  if (!h || !std::isfinite(h->value)) {
    v.headline = "Cannot tell yet";
    v.sentence = finished ? "The run has no evaluation with both hybrid and swa, so there is nothing to compare."
                          : "The first evaluation with hybrid and swa has not been made.";
    return v;
  }
  const double half = half95(h->stderr_);
  const double low = h->value - half;
  const double high = h->value + half;
  const QString interval = QString("%1 points [%2, %3]").arg(points(h->value), points(low), points(high));
  if (low > 0) {
    v.use = Use::used;
    v.headline = "Linear attention is used";
    v.sentence = "Taking it away costs " + interval + ".";
  } else if (high < 0) {
    v.use = Use::harmful;
    v.headline = "Linear attention is harmful";
    v.sentence = "The window alone does better: the hybrid differs by " + interval + ".";
  } else if (low > -margin && high < margin) {
    v.use = Use::ignored;
    v.headline = "Linear attention is ignored";
    v.sentence = QString("Taking it away changes less than %1 points: %2.").arg(k_margin_points).arg(interval);
  } else {
    v.headline = finished ? "Cannot tell" : "Cannot tell yet";
    v.sentence = "The interval is too wide: " + interval + ". More examples would narrow it.";
  }
  if (v.use != Use::used && l && l->value - half95(l->stderr_) > margin)
    v.sentence += QString(" Alone it does carry something: %1 points over no attention.").arg(points(l->value));
  if (v.alarm) v.sentence += " Alone it does no better than no attention.";
  return v;
}

}  // namespace ui
