#pragma once
/// A decoder's shape as config.json states it: Llama, Mistral and Qwen2. No torch.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace engine {

struct RopeConfig {
  double theta = 10000.0;
  std::string scaling = "default";  ///< default, linear, llama3
  double factor = 1, low_freq_factor = 1, high_freq_factor = 4;
  std::int64_t original_positions = 0;
};

struct ModelConfig {
  std::string architecture;  ///< llama, mistral, qwen2
  std::int64_t width = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, mlp_width = 0, vocabulary = 0;
  std::int64_t max_positions = 0;
  double norm_eps = 1e-5;
  bool tied_embeddings = false, qkv_bias = false, output_bias = false, mlp_bias = false;
  RopeConfig rope;
  std::vector<std::int64_t> teacher_windows;  ///< a layer each: the model's own sliding window, 0 for none
};

/// Reads <folder>/config.json; RoPE settings in the old spelling (rope_theta, rope_scaling) or the new
/// (rope_parameters). Throws InputError naming file and key for what is missing, out of range or not supported.
ModelConfig load_model_config(const std::filesystem::path& folder);

}  // namespace engine
