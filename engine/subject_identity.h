#pragma once
/// What the scores of a subject depend on, as text: the key of everything that is kept of it. No torch.

#include <string>

#include "engine/subject.h"

namespace engine {

/// The recipe without its name and with `evaluation` in place of its own, then name, size and time of each file of its
/// model and checkpoint.
std::string subject_identity(const Subject& subject, const EvaluationSpec& evaluation);

}  // namespace engine
