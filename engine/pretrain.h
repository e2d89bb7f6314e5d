#pragma once
/// How builtin:tiny is made. No torch in this header.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/event.h"

namespace engine {

struct PretrainOptions {
  std::filesystem::path folder;
  std::int64_t seed = 0;
  double scale = 1.0;  ///< share of the full number of steps
};

/// Trains the base model from the seed on one thread (so the bits do not depend on the machine's cores) and writes a
/// Hugging Face folder. Returns the teacher's accuracy on every built-in task. Throws InputError.
std::vector<Score> pretrain(const PretrainOptions& options, const std::function<void(const std::string&)>& tell);

}  // namespace engine
