#pragma once
/// Trained tensors of other programs' files in memory.

#include <filesystem>
#include <map>
#include <string>

#include "engine/torch_api.h"

namespace engine {

/// The tensors of TrainedFiles (trained_files.h: its names, shapes and errors) as float32 copies on
/// the CPU. The tensors of a merged export are its feature maps and mixing alone: its adapters are
/// in its weights.
std::map<std::string, Tensor> read_trained(const std::filesystem::path& path);

}  // namespace engine
