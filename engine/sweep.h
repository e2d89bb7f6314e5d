#pragma once
/// Several runs as one file: a base recipe, what varies, and seeds. It expands to plain recipes; a
/// sweep is a list of runs, not a language. No torch.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/recipe.h"

namespace engine {

inline constexpr std::size_t k_most_sweep_runs = 1000;

struct Sweep {
  std::vector<Recipe> recipes;    ///< in the order they run, seeds of one setting together; empty
                                  ///< where an error was found
  std::vector<Problem> problems;  ///< `path` is a key of the file, or the name of a run and its
                                  ///< field; warnings included
};

struct SweepAxis {
  std::string path;                 ///< "attention.window"
  std::vector<std::string> values;  ///< as the YAML would have them
};

/// Reads a sweep:
///   base: ssd          # a preset, or a recipe file (looked for beside the sweep file)
///   name: study        # in front of every run's name; default: the base's name
///   set: {data.far_share: 0}                             # for all runs
///   vary: {attention.window: [16, 32], stages.1.schedule.dropout: [[0.9, 0.5], [0.5]]}
///                                                        # every combination
///   runs: [{base: lolcats}, {attention.mixing.kind: learned, name: learned}]
///                                                        # each with every combination of `vary`
///   seeds: [0, 1, 2]                                     # each of them again
/// Every recipe is named by what varies ("ssd-window=16-0") and checked; names differ. A key that
/// is unknown, a value that does not fit, two equal runs and more than k_most_sweep_runs of them
/// are problems. Never throws.
Sweep expand_sweep(const std::string& yaml, const std::filesystem::path& folder = {});
/// Every combination of the values, the last axis changing fastest, each with every seed, of a
/// recipe at hand.
Sweep expand_sweep(const Recipe& base, const std::vector<SweepAxis>& vary,
                   const std::vector<std::int64_t>& seeds);
/// The same for a file; problems carry its path.
Sweep load_sweep(const std::filesystem::path& file);

/// One recipe, once a seed, named "<name>-<seed>": one setting, which compare --seeds and the
/// window group by its hash.
std::vector<Recipe> over_seeds(const Recipe& recipe, const std::vector<std::int64_t>& seeds);

}  // namespace engine
