#pragma once
/// Recomputing reference vectors (shared formats: attention cases and model folders) and looking into models. No torch.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace engine {

/// The worst error of one tensor of one case: largest absolute difference over the expected tensor's largest magnitude.
struct VerifyRow {
  std::string file, dtype, tensor, backend;
  double error = 0, tolerance = 0;
  bool passed() const { return error <= tolerance; }  ///< false for NaN
};

/// Every *.safetensors with a `case` and every model folder with expected.safetensors at or below `folder`, in float64,
/// float32 and bfloat16 (models: float32) on each device that is there. Tolerances: 1e-10, 2e-5, 2e-2; models 2e-4.
/// Throws InputError where nothing is found or a file is damaged or lacks a tensor.
std::vector<VerifyRow> verify(const std::filesystem::path& folder);

/// Writes logits [T,V] and attn.<layer> [T,M] (the attention block's output after the output projection), float32.
void write_logits(const std::string& model, const std::vector<std::int64_t>& ids, const std::string& component,
                  std::int64_t window, const std::filesystem::path& out);

}  // namespace engine
