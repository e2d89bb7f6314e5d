#include "engine/model/config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/data/json.h"
#include "engine/data/mapped_file.h"
#include "engine/error.h"
#include "engine/model/config_rope.h"

namespace engine {
namespace {

constexpr std::int64_t k_max_positions = std::int64_t{1} << 40;

std::int64_t required(const JsonView& c, const char* key, std::int64_t max) { return c.at(key).as_integer(1, max); }

/// transformers' defaults where a file leaves a key out; they differ by architecture.
struct Defaults {
  std::int64_t max_positions, kv_heads, sliding_window;  ///< 0: as many as heads; none
};
Defaults defaults_of(const std::string& architecture) {
  if (architecture == "mistral") return {131072, 8, 4096};
  if (architecture == "qwen2") return {32768, 32, 4096};
  return {2048, 0, 0};
}

/// A key that is absent stands for the architecture's default, null for none.
bool written(const JsonView& c, const char* key) { return c.raw().contains(key); }

std::int64_t read_kv_heads(const JsonView& c, const ModelConfig& m, const Defaults& defaults) {
  const bool by_default = !written(c, "num_key_value_heads") && defaults.kv_heads > 0;
  const std::int64_t count = c.integer_or("num_key_value_heads", by_default ? defaults.kv_heads : m.heads, 1, 4096);
  if (m.heads % count != 0)
    c.fail("num_key_value_heads: expected a divisor of num_attention_heads (" + std::to_string(m.heads) + "), found " +
           std::to_string(count) + (by_default ? ", the architecture's default" : ""));
  return count;
}

std::int64_t read_head_dim(const JsonView& c, const ModelConfig& m) {
  std::int64_t head_dim = c.integer_or("head_dim", 0, 1, 4096);
  if (head_dim == 0) {
    if (m.width % m.heads != 0)
      c.fail("num_attention_heads: expected a divisor of hidden_size where head_dim is not given");
    head_dim = m.width / m.heads;
  }
  if (head_dim % 2 != 0)
    c.fail("head_dim: expected an even number (RoPE turns pairs), found " + std::to_string(head_dim));
  return head_dim;
}

MlpActivation read_activation(const JsonView& c) {
  constexpr std::array<std::pair<const char*, MlpActivation>, 11> k_known{
      {{"silu", MlpActivation::silu},
       {"swish", MlpActivation::silu},
       {"gelu", MlpActivation::gelu},
       {"gelu_python", MlpActivation::gelu},
       {"gelu_new", MlpActivation::gelu_tanh},
       {"gelu_fast", MlpActivation::gelu_tanh},
       {"gelu_pytorch_tanh", MlpActivation::gelu_tanh},
       {"gelu_python_tanh", MlpActivation::gelu_tanh},
       {"quick_gelu", MlpActivation::quick_gelu},
       {"relu", MlpActivation::relu},
       {"relu2", MlpActivation::relu_squared}}};
  const std::string name = c.string_or("hidden_act", "silu");
  for (const auto& [known, activation] : k_known)
    if (name == known) return activation;
  c.at("hidden_act")
      .fail("\"" + name.substr(0, 60) +
            "\" is not supported; expected silu, gelu, gelu_new, gelu_pytorch_tanh, "
            "gelu_fast, quick_gelu, relu or relu2");
}

/// Qwen2 says for each layer whether it slides; Mistral slides everywhere; Llama never does, whatever the file says.
std::vector<std::int64_t> read_windows(const JsonView& c, const ModelConfig& m, const Defaults& defaults) {
  std::vector<std::int64_t> windows(static_cast<std::size_t>(m.layers), 0);
  if (m.architecture == "llama") return windows;
  const bool qwen = m.architecture == "qwen2";
  const bool off =
      (qwen && !c.bool_or("use_sliding_window", false)) || (written(c, "sliding_window") && !c.has("sliding_window"));
  const std::int64_t window = off ? 0 : c.integer_or("sliding_window", defaults.sliding_window, 1, k_max_positions);
  const auto types = qwen ? c.find("layer_types") : std::nullopt;
  if (!types) {
    const std::int64_t first = qwen ? c.integer_or("max_window_layers", 28, 0, 1 << 20) : 0;
    for (std::int64_t i = first; i < m.layers; ++i) windows[static_cast<std::size_t>(i)] = window;
    return windows;
  }
  const auto items = types->items();
  if (std::ssize(items) != m.layers)
    types->fail("expected one entry a layer (" + std::to_string(m.layers) + "), found " + std::to_string(items.size()));
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string& type = items[i].as_string();
    if (type != "full_attention" && type != "sliding_attention")
      items[i].fail("layer type \"" + type.substr(0, 60) +
                    "\" is not supported; expected full_attention or sliding_attention");
    if (type == "full_attention") continue;
    if (window == 0) items[i].fail("the layer slides, but use_sliding_window and sliding_window name no window");
    windows[i] = window;
  }
  return windows;
}

void refuse_unsupported(const JsonView& c) {
  if (c.has("quantization_config")) c.at("quantization_config").fail("quantised weights are not supported");
  if (c.bool_or("use_mrope", false)) c.at("use_mrope").fail("multimodal RoPE is not supported; expected false");
  if (c.bool_or("is_encoder_decoder", false)) c.at("is_encoder_decoder").fail("expected false, a decoder alone");
  if (c.bool_or("add_cross_attention", false)) c.at("add_cross_attention").fail("cross-attention is not supported");
}

ModelConfig read_config(const JsonView& c) {
  ModelConfig m;
  m.architecture = c.at("model_type").as_string();
  if (m.architecture != "llama" && m.architecture != "mistral" && m.architecture != "qwen2")
    c.at("model_type")
        .fail("\"" + m.architecture.substr(0, 60) + "\" is not supported; expected llama, mistral or qwen2");
  refuse_unsupported(c);
  const Defaults defaults = defaults_of(m.architecture);
  m.width = required(c, "hidden_size", 1 << 16);
  m.layers = required(c, "num_hidden_layers", 1024);
  m.heads = required(c, "num_attention_heads", 4096);
  m.kv_heads = read_kv_heads(c, m, defaults);
  m.head_dim = read_head_dim(c, m);
  m.mlp_width = required(c, "intermediate_size", 1 << 20);
  m.vocabulary = required(c, "vocab_size", 4'000'000);
  m.max_positions = c.integer_or("max_position_embeddings", defaults.max_positions, 1, k_max_positions);
  m.norm_eps = c.number_or("rms_norm_eps", 1e-6);
  if (!(m.norm_eps >= 0)) c.at("rms_norm_eps").fail("expected a number of at least 0");
  m.tied_embeddings = c.bool_or("tie_word_embeddings", false);
  // Of the three, only Llama's code looks at these two keys.
  const bool llama = m.architecture == "llama", bias = llama && c.bool_or("attention_bias", false);
  m.qkv_bias = m.architecture == "qwen2" || bias;
  m.output_bias = bias;
  m.mlp_bias = llama && c.bool_or("mlp_bias", false);
  m.activation = read_activation(c);
  m.rope = read_rope(c, m.max_positions);
  m.teacher_windows = read_windows(c, m, defaults);
  return m;
}

}  // namespace

ModelConfig parse_model_config(std::string_view json, const std::string& source) {
  const JsonDocument document = parse_json_document(json, source, k_config_limits);
  if (!document.view().is_object()) document.view().fail("expected an object");
  return read_config(document.view());
}

ModelConfig load_model_config(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw InputError(folder.string() +
                     ": not a folder; expected builtin:tiny or a Hugging Face folder with config.json");
  const MappedFile file(folder / "config.json");
  return parse_model_config(file.text(), file.path().string());
}

}  // namespace engine
