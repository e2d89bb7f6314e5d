#pragma once
/// Trained tensors in other programs' files, under this program's names: LoLCATs' distill and LoRA
/// checkpoints, PEFT's adapters, and folders that `equipoise export` wrote. Headers only are read
/// here. No torch.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/safetensors.h"

namespace engine {

/// A tensor under the name that Conversion::tensors (engine/attention/conversion.h) or lora_tensors
/// (engine/model/load.h) gives it, in the shape it has there. From layers.<l>.self_attn of a file:
///   feature_map_q.mlp.layer, feature_map_k…      maps.<l>.q.weight, maps.<l>.k.weight [H,D,F]
///   the same where a layer has one for q only    maps.<l>.weight [H,D,F] (tied)
///   feature_map_q.mlp.bias [1,H,1,1]             maps.<l>.q.bias [H,1]
///   window_factors [1,H,1,1]                     mixing.<l> [H], logit of the softmax factor
///   q_proj.lora_A[.default].weight, …lora_B…     lora.<l>.q.a [r,in], lora.<l>.q.b [out,r]
/// A file that has this program's names already (a checkpoint's trained.safetensors,
/// hybrid.safetensors, what write_trained wrote) is taken as it is.
struct TrainedTensor {
  std::string name;
  SafetensorsDtype dtype = SafetensorsDtype::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  ///< in the mapped file; as stored
};

/// What a path stands for: a safetensors file, a folder of `equipoise export` (hybrid.safetensors,
/// and adapter/ where the adapters were not merged) or a folder in PEFT's format
/// (adapter_model.safetensors). Owns the mapped files.
class TrainedFiles {
 public:
  /// Checks names and shapes: a layer's maps fit each other, adapters are whole. Throws InputError
  /// with file, tensor and what was expected; for a pickle (.pt, .bin, or a file that begins like
  /// one) it says how to convert it.
  explicit TrainedFiles(const std::filesystem::path& path);

  const std::vector<TrainedTensor>& tensors() const { return tensors_; }  ///< by name
  std::int64_t left_out() const {
    return left_out_;
  }  ///< base weights and rotary tables that stand beside them

 private:
  void open(const std::filesystem::path& file);

  std::vector<SafetensorsFile> files_;
  std::vector<TrainedTensor> tensors_;
  std::int64_t left_out_ = 0;
};

/// Whether `path` is something that TrainedFiles reads, or would refuse as a pickle; false for a
/// run's checkpoint folder.
bool holds_trained_files(const std::filesystem::path& path);

/// Several of them as one safetensors file under this program's names, which start_from takes; of
/// tensors that stand in more than one the last is kept. Throws as TrainedFiles and
/// write_safetensors do.
void write_trained(const std::filesystem::path& file, const std::vector<TrainedFiles>& sources);

}  // namespace engine
