#pragma once
/// Models whose truth is known, for diagnosis: one head that looks up what a class of tokens was told, the rest silent.

#include <vector>

#include "engine/diagnose/session.h"

namespace support {

inline constexpr std::int64_t k_copy_layer = 1, k_copy_head = 2, k_copy_window = 16;

/// Tokens: fact(class, payload) = 4·class + payload for 15 classes, query(class), and an answer for each payload. In layer 1,
/// head 2, a token attends to those of its own class (q and k are the class in slow rotary dimensions, φ the start of
/// hedgehog-softmax without noise) and copies their payload to the answer's logit. Every other head, and every MLP, adds 0.
engine::Patient copying_patient(double weight, const std::string& context = "outside");

/// A fact, `distance` − 1 facts of other classes, the query: the answer is the first fact's payload, told `distance` back.
std::vector<engine::Case> copying_cases(const std::vector<std::int64_t>& distances, std::int64_t each);

/// Random facts repeated with a period: what a token looks for stands one period back, and elsewhere only by chance.
std::vector<std::int32_t> periodic_facts(std::int64_t period, std::int64_t tokens);

}  // namespace support
