#pragma once
/// A decoder's shape as config.json states it: Llama, Mistral and Qwen2. No torch.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// How positions turn queries and keys; fields that the kind of scaling does not use keep these values.
struct RopeConfig {
  double theta = 10000.0;
  std::string scaling = "default";                   ///< default, linear, llama3, yarn
  double factor = 1;                                 ///< linear, llama3, yarn
  double low_freq_factor = 1, high_freq_factor = 4;  ///< llama3
  std::int64_t original_positions = 0;               ///< llama3, yarn: positions before scaling
  double beta_fast = 32, beta_slow = 1;              ///< yarn: turns that bound the ramp
  bool truncate = true;                              ///< yarn: the ramp's bounds are whole numbers
  double attention_factor = 1;                       ///< yarn: cos and sin are multiplied by it
};

enum class MlpActivation { silu, gelu, gelu_tanh, quick_gelu, relu, relu_squared };

struct ModelConfig {
  std::string architecture;  ///< llama, mistral, qwen2
  std::int64_t width = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, mlp_width = 0, vocabulary = 0;
  std::int64_t max_positions = 0;
  double norm_eps = 1e-5;
  bool tied_embeddings = false, qkv_bias = false, output_bias = false, mlp_bias = false;
  MlpActivation activation = MlpActivation::silu;
  RopeConfig rope;
  std::vector<std::int64_t> teacher_windows;  ///< a layer each: the model's own sliding window, 0 for none
};

/// Reads <folder>/config.json as transformers 5 does, defaults included; RoPE settings in the old spelling (rope_theta,
/// rope_scaling) or the new (rope_parameters). Throws InputError naming file and key for what is missing, out of range
/// or not supported.
ModelConfig load_model_config(const std::filesystem::path& folder);
/// The same from a text; `source` goes into messages.
ModelConfig parse_model_config(std::string_view json, const std::string& source);

/// "θ 500,000; llama3 scaling × 8 from 8,192 positions"
std::string describe(const RopeConfig& rope);

}  // namespace engine
