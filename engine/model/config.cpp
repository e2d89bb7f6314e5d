#include "engine/model/config.h"

#include <algorithm>

#include "engine/data/json.h"
#include "engine/error.h"

namespace engine {
namespace {

std::int64_t required(const JsonView& c, const char* key, std::int64_t max) { return c.at(key).as_integer(1, max); }

RopeConfig read_rope(const JsonView& c, std::int64_t max_positions) {
  RopeConfig rope;
  rope.theta = c.number_or("rope_theta", 10000.0);
  auto scaling = c.find("rope_parameters");
  if (!scaling) scaling = c.find("rope_scaling");
  if (scaling) {
    rope.theta = scaling->number_or("rope_theta", rope.theta);
    rope.scaling = scaling->string_or("rope_type", scaling->string_or("type", "default"));
    if (rope.scaling != "default" && rope.scaling != "linear" && rope.scaling != "llama3")
      scaling->fail("RoPE scaling \"" + rope.scaling + "\" is not supported; expected default, linear or llama3");
    rope.factor = scaling->number_or("factor", 1.0);
    rope.low_freq_factor = scaling->number_or("low_freq_factor", 1.0);
    rope.high_freq_factor = scaling->number_or("high_freq_factor", 4.0);
    rope.original_positions = scaling->integer_or("original_max_position_embeddings", max_positions, 1, 1LL << 40);
    if (rope.factor <= 0) scaling->fail("factor: expected a positive number");
    if (rope.scaling == "llama3" && rope.high_freq_factor <= rope.low_freq_factor)
      scaling->fail("high_freq_factor: expected more than low_freq_factor");
  }
  if (!(rope.theta > 0)) c.fail("rope_theta: expected a positive number");
  return rope;
}

std::vector<std::int64_t> read_windows(const JsonView& c, const ModelConfig& m) {
  std::vector<std::int64_t> windows(static_cast<std::size_t>(m.layers), 0);
  const std::int64_t window = c.integer_or("sliding_window", 0, 0, 1LL << 40);
  if (window == 0 || !c.bool_or("use_sliding_window", m.architecture == "mistral")) return windows;
  if (auto types = c.find("layer_types")) {
    const auto items = types->items();
    if (static_cast<std::int64_t>(items.size()) != m.layers) types->fail("expected one entry a layer");
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string& type = items[i].as_string();
      if (type != "full_attention" && type != "sliding_attention")
        items[i].fail("layer type \"" + type + "\" is not supported; expected full_attention or sliding_attention");
      windows[i] = type == "sliding_attention" ? window : 0;
    }
    return windows;
  }
  // Qwen2's older files: layers from max_window_layers on slide.
  const std::int64_t first = m.architecture == "qwen2" ? c.integer_or("max_window_layers", 0, 0, 1LL << 20) : 0;
  for (std::int64_t i = first; i < m.layers; ++i) windows[static_cast<std::size_t>(i)] = window;
  return windows;
}

}  // namespace

ModelConfig load_model_config(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw InputError(folder.string() + ": not a folder; expected builtin:tiny or a Hugging Face folder with config.json");
  const JsonDocument document = read_json(folder / "config.json", k_config_limits);
  const JsonView c = document.view();
  ModelConfig m;
  m.architecture = c.at("model_type").as_string();
  if (m.architecture != "llama" && m.architecture != "mistral" && m.architecture != "qwen2")
    c.at("model_type").fail("\"" + m.architecture + "\" is not supported; expected llama, mistral or qwen2");
  m.width = required(c, "hidden_size", 1 << 16);
  m.layers = required(c, "num_hidden_layers", 1024);
  m.heads = required(c, "num_attention_heads", 4096);
  m.kv_heads = c.integer_or("num_key_value_heads", m.heads, 1, 4096);
  m.head_dim = c.integer_or("head_dim", 0, 1, 4096);
  m.mlp_width = required(c, "intermediate_size", 1 << 20);
  m.vocabulary = required(c, "vocab_size", 4'000'000);
  m.max_positions = c.integer_or("max_position_embeddings", 2048, 1, 1LL << 40);
  m.norm_eps = c.number_or("rms_norm_eps", 1e-6);
  m.tied_embeddings = c.bool_or("tie_word_embeddings", false);
  const bool bias = c.bool_or("attention_bias", false);
  m.qkv_bias = m.architecture == "qwen2" || bias;
  m.output_bias = m.architecture != "qwen2" && bias;
  m.mlp_bias = c.bool_or("mlp_bias", false);
  if (m.head_dim == 0) {
    if (m.width % m.heads != 0) c.fail("num_attention_heads: expected a divisor of hidden_size");
    m.head_dim = m.width / m.heads;
  }
  if (m.heads % m.kv_heads != 0) c.fail("num_key_value_heads: expected a divisor of num_attention_heads");
  if (m.head_dim % 2 != 0) c.fail("head_dim: expected an even number (RoPE turns pairs)");
  if (const std::string act = c.string_or("hidden_act", "silu"); act != "silu")
    c.at("hidden_act").fail("\"" + act + "\" is not supported; expected silu");
  if (c.has("quantization_config")) c.at("quantization_config").fail("quantised weights are not supported");
  m.rope = read_rope(c, m.max_positions);
  m.teacher_windows = read_windows(c, m);
  return m;
}

}  // namespace engine
