#pragma once
/// Whether the linear half is used, in words, from the two differences and their standard errors: the one rule of both
/// faces. No torch.

#include <optional>
#include <string>

namespace engine {

enum class Use { unknown, used, ignored, harmful };

struct Verdict {
  Use use = Use::unknown;
  std::string headline;  ///< "Linear attention is used"
  std::string sentence;  ///< why, with the numbers
  bool alarm = false;    ///< linear attention alone does no better than no attention
};

/// A difference in accuracy (0..1) with its standard error.
struct MeasuredDifference {
  double value = 0, stderr_ = 0;
  bool trained = true;  ///< measured behind the run's first step
};

/// Differences smaller than this (points of accuracy) count as none when the whole 95 % interval lies within.
inline constexpr double k_verdict_margin_points = 2.0;

/// `delta_h`: hybrid − swa; `delta_l`: linear − none. `finished`: no more evaluations come.
Verdict judge(const std::optional<MeasuredDifference>& delta_h, const std::optional<MeasuredDifference>& delta_l,
              bool finished);

/// Largest difference of logits, relative to the largest one, that a run's gates (identity, decode, batch) pass: 1e-4 in
/// float32, 5e-2 in bfloat16 and float16, 1e-9 in float64.
double gate_tolerance(const std::string& dtype);

/// "+3.1" and "−0.4", in points.
std::string points_text(double accuracy_difference, int decimals = 1);

}  // namespace engine
