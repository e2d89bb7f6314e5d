#pragma once
/// What the scores of a subject depend on, as text: the key of everything that is kept of it. No torch.

#include <cstdint>
#include <string>

#include "engine/subject.h"

namespace engine {

/// The recipe without its name and with `evaluation` in place of its own, then name, size and time of each file of its
/// model and checkpoint.
std::string subject_identity(const Subject& subject, const EvaluationSpec& evaluation);

std::string hex_digits(std::uint64_t value);      ///< sixteen
std::string short_hash(const std::string& text);  ///< XXH3, sixteen hexadecimal digits

}  // namespace engine
