#pragma once
/// A run's result as a Hugging Face folder that other programs load. No torch in this header.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/apply.h"

namespace engine {

struct ExportOptions {
  std::filesystem::path to;  ///< must not exist, or be an empty folder
  bool merge = false;        ///< adapters go into the weights; else to <to>/adapter (PEFT)
  std::string run;           ///< name of the run, for hybrid.json
};

struct ExportReport {
  std::filesystem::path folder;
  std::vector<std::string> files;  ///< relative to the folder, sorted
  std::int64_t bytes = 0;
  std::int64_t adapters = 0;         ///< projections with an adapter
  std::int64_t trained_weights = 0;  ///< weights that full-parameter stages trained
  std::int64_t hybrid_tensors = 0;   ///< feature maps and mixing parameters
  double largest_rounding = 0;       ///< of a changed weight: largest |stored − float32| over the
                                     ///< tensor's largest magnitude
};

/// Writes
///   config.json, tokenizer files      copied from the model's folder
///   model*.safetensors                its weights, in its shards and stored dtypes; with `merge`
///                                     W + (α/r)·BA, computed in float32; weights that the run
///                                     trained itself in place of its own
///   adapter/                          without `merge`: adapter_config.json and
///                                     adapter_model.safetensors in PEFT's format
///   hybrid.safetensors, hybrid.json   feature maps and mixing; the recipe's attention, and what
///                                     the tensors are
/// The folder is written beside its name and renamed, so it is there whole or not at all. `subject`
/// needs a checkpoint. Throws InputError (the folder is not empty, the checkpoint does not fit the
/// model), std::system_error where the disk refuses; nothing is left then.
ExportReport export_model(const Subject& subject, const ExportOptions& options);

}  // namespace engine
