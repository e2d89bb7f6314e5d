#pragma once
/// RoPE: its settings in config.json and the frequencies that follow from them. No torch.

#include <cstdint>
#include <vector>

#include "engine/data/json.h"
#include "engine/model/config.h"

namespace engine {

/// The RoPE settings of a config.json, old or new spelling. `max_positions` is the model's. Throws InputError naming
/// the key for a kind of scaling that is not supported or a value out of range.
RopeConfig read_rope(const JsonView& config, std::int64_t max_positions);

/// Inverse frequencies of the D/2 turning pairs, as transformers computes them (float32 where it does).
/// default: f_i = θ^(−2i/D); linear: f_i/s; llama3: f_i kept for short waves, f_i/s for long ones, mixed between; yarn:
/// f_i/s·r_i + f_i·(1−r_i) with a ramp r over the pairs (YaRN, arXiv 2309.00071, section 3.2).
std::vector<float> rope_frequencies(const RopeConfig& rope, std::int64_t head_dim);

}  // namespace engine
