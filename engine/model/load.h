#pragma once
/// Weights and adapters between files and a Model.

#include <filesystem>
#include <map>
#include <string>

#include "engine/model/decoder.h"
#include "engine/model/load_report.h"
#include "engine/recipe.h"
#include "engine/torch_api.h"

namespace engine {

struct SafetensorsEntry;

/// The weights of `folder` (float32, float16, bfloat16 or float64 safetensors), one tensor at a time straight into
/// `dtype` on `device`; peak memory is the weights plus one tensor. On the CPU, large weights of the same type stay mapped
/// (changes stay in memory); cutting the file short meanwhile ends the process. "builtin:tiny" loads the embedded model. Throws
/// InputError naming how many tensors are missing, unexpected or mis-shaped (the first few of each) and loads nothing
/// then. `report`, where not null, gets what was found and the seconds it took.
Model load_model(const std::string& folder, torch::Dtype dtype, const torch::Device& device, LoadReport* report = nullptr);

/// The folder a model name stands for: itself, or the unpacked copy of the embedded model below `cache`.
std::filesystem::path model_folder(const std::string& name);

/// Adapters on the named projections (q, k, v, o, gate, up, down) of every block: A ~ uniform(±1/√in) from the seed as
/// Hugging Face PEFT starts it (Kaiming uniform with a = √5), B = 0, float32.
void add_lora(Model& model, const LoraSpec& spec, std::int64_t seed);
/// "lora.<layer>.<target>.a" and ".b"; empty where none were added.
std::map<std::string, Tensor> lora_tensors(const Model& model);

// ---- safetensors with tensors ----
/// A tensor of an open file, as stored; it may look at the mapped bytes. Throws InputError for a dtype without a tensor.
Tensor stored_tensor(const SafetensorsEntry& entry, const std::filesystem::path& file);
std::map<std::string, Tensor> read_tensors(const std::filesystem::path& file);  ///< CPU copies, as stored
void write_tensors(const std::filesystem::path& file, const std::map<std::string, Tensor>& tensors,
                   const std::map<std::string, std::string>& metadata = {});    ///< atomic and synced

/// auto, cpu, cuda, cuda:N → a device; opens the CUDA half of LibTorch on first need. Throws InputError where a named
/// GPU is not there, saying why.
torch::Device choose_device(const std::string& name);
torch::Dtype choose_dtype(const std::string& name, const torch::Device& device);
std::string dtype_name(torch::Dtype dtype);

}  // namespace engine
