#pragma once
/// What a conversion must keep whatever it was trained to: checks that run by themselves when a run begins and at the end
/// of each stage.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/model/decoder.h"

namespace engine {

struct Gate {
  std::string name;       ///< identity, decode, batch
  double worst = 0;       ///< largest difference of logits, relative to the largest logit
  double tolerance = 0;   ///< 1e-4 in float32, 5e-2 in bfloat16, 1e-9 in float64
  std::string note{};     ///< why it does not apply; empty: it was measured

  bool passed() const { return note.empty() && worst <= tolerance; }
  std::string sentence() const;  ///< "identity: 3.1e-07 of at most 1e-04, passed"
};

/// identity: with the window as long as the row and all of the mixing on it, hybrid attention gives the logits of softmax
/// with the same weights (before training: the teacher's). decode: one pass over a row equals its beginning in one pass
/// and the rest token by token. batch: a row gives the same alone and padded beside a longer one. `rows`: token rows,
/// the longest is used; one forward pass of it costs what a training row does. Threads as torch is set to.
std::vector<Gate> conversion_gates(const Model& model, const Conversion& conversion,
                                   const std::vector<std::vector<std::int64_t>>& rows);

}  // namespace engine
