#pragma once
/// What evaluation and training can switch on (METHODS.md, "Components"). No torch.

#include <string>

namespace engine {

enum class Component { teacher, hybrid, hybrid_overlap, swa, linear, linear_outside, swa_sinks, sinks, none };

/// Throws InputError for an unknown name.
Component component_from(const std::string& name);
const char* to_string(Component component);

}  // namespace engine
