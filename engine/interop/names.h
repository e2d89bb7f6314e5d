#pragma once
/// Names of files, modules and metadata that export and import share. Inner header of
/// engine/interop.

#include <string>
#include <vector>

namespace engine {

inline constexpr const char* k_hybrid_tensors = "hybrid.safetensors";
inline constexpr const char* k_hybrid_settings = "hybrid.json";
inline constexpr const char* k_adapter_folder = "adapter";
inline constexpr const char* k_adapter_tensors = "adapter_model.safetensors";
inline constexpr const char* k_adapter_settings = "adapter_config.json";
/// Key of safetensors metadata: the file's tensors have this program's names.
inline constexpr const char* k_own_metadata = "equipoise";

/// A LoRA target of a recipe and its module inside a layer: q, self_attn.q_proj.
struct ProjectionTarget {
  std::string name, module;
};
const std::vector<ProjectionTarget>& projection_targets();

}  // namespace engine
