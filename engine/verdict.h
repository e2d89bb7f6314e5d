#pragma once
/// Whether the linear half is used, in words, from the two differences and their standard errors: the one rule of both
/// faces. No torch.

#include <cstdint>
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
  bool trained = true;   ///< measured behind the run's first step
  std::int64_t n = 0;    ///< examples; 0: not known
};

/// Differences smaller than this (points of accuracy) count as none when the whole 95 % interval lies within.
inline constexpr double k_verdict_margin_points = 2.0;
/// Fewer examples than this tell nothing, whatever their interval.
inline constexpr std::int64_t k_fewest_examples = 20;

/// `delta_h`: hybrid − swa; `delta_l`: linear − none. `exposure`: the share of scored tokens with any key outside the
/// window, where it is known; without any, hybrid and window are the same. `finished`: no more evaluations come.
Verdict judge(const std::optional<MeasuredDifference>& delta_h, const std::optional<MeasuredDifference>& delta_l,
              const std::optional<double>& exposure, bool finished);

/// Largest difference of logits, relative to the largest one, that a run's gates (identity, decode, batch) pass: 1e-4 in
/// float32, 5e-2 in bfloat16 and float16, 1e-9 in float64.
double gate_tolerance(const std::string& dtype);

/// "+3.1" and "−0.4", in points.
std::string points_text(double accuracy_difference, int decimals = 1);

}  // namespace engine
