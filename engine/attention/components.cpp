#include "engine/attention/components.h"

#include <array>

#include "engine/error.h"

namespace engine {
namespace {
constexpr std::array<const char*, 9> k_names = {"teacher",        "hybrid",    "hybrid-overlap", "swa", "linear",
                                                "linear-outside", "swa+sinks", "sinks",          "none"};
}

Component component_from(const std::string& name) {
  for (std::size_t i = 0; i < k_names.size(); ++i)
    if (name == k_names[i]) return static_cast<Component>(i);
  throw InputError("unknown component \"" + name +
                   "\"; expected teacher, hybrid, hybrid-overlap, swa, linear, linear-outside, swa+sinks, sinks or none");
}

const char* to_string(Component component) { return k_names[static_cast<std::size_t>(component)]; }

}  // namespace engine
