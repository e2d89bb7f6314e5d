#pragma once
/// One recipe, several values of some fields and several seeds: every combination as a run of its
/// own.

#include <QString>
#include <vector>

#include "engine/recipe.h"

namespace ui {

struct SweepAxis {
  std::string path;                 ///< "attention.window"
  std::vector<std::string> values;  ///< as the YAML would have them
};

struct Sweep {
  std::vector<engine::Recipe> recipes;  ///< the last axis changes fastest, then seeds
  QString problem;                      ///< one sentence; empty: every recipe can be submitted
};

inline constexpr std::size_t k_most_swept = 500;

/// Names say what differs: "ssd-window32-seed1". No axis and no seed: the recipe itself.
Sweep expandSweep(const engine::Recipe& base, const std::vector<SweepAxis>& axes,
                  const std::vector<std::int64_t>& seeds);

/// "8, 16, 32" of a single value, "0.9, 0.5; 0.5" of a list (its own commas stay).
std::vector<std::string> sweepValues(const QString& text, bool list);

}  // namespace ui
