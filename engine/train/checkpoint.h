#pragma once
/// A checkpoint is a folder: trained.safetensors (feature maps, mixing, adapters or all weights), optimizer.safetensors,
/// state.json (where the run stands) and, last, manifest.json with the size and XXH3 of each file. It is written beside
/// its final name, synced and renamed, so a folder with a manifest is whole.

#include <filesystem>
#include <map>
#include <string>

#include "engine/torch_api.h"
#include "engine/train/schedules.h"

namespace engine {

struct CheckpointData {
  StageState state;
  std::string recipe_hash;                     ///< must match on resume
  std::string text_fingerprint;                ///< TextRows::fingerprint(), must match on resume; empty: written without
  std::map<std::string, Tensor> trained;
  std::map<std::string, Tensor> optimizer;     ///< empty behind a stage's end
};

/// Bytes written. Refuses non-finite tensors with InputError (the healthy checkpoint before it stays); throws
/// std::system_error where the disk refuses and leaves nothing behind.
std::int64_t save_checkpoint(const std::filesystem::path& folder, const CheckpointData& data);
/// Reads back after checking the manifest. Throws InputError naming the damaged file.
CheckpointData load_checkpoint(const std::filesystem::path& folder);

}  // namespace engine
