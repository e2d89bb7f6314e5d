#include <cmath>

#include "engine/error.h"
#include "engine/model/config_rope.h"
#include "tests/fuzz/target.h"

std::vector<std::string> fuzz::seeds() {
  const std::string base = R"("hidden_size":64,"intermediate_size":96,"num_hidden_layers":2,)"
                           R"("num_attention_heads":4,"vocab_size":128)";
  return {R"({"model_type":"llama",)" + base +
              R"(,"rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3",)"
              R"("factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192}})",
          R"({"model_type":"mistral",)" + base +
              R"(,"num_key_value_heads":2,"sliding_window":24,)"
              R"("rope_parameters":{"rope_type":"default","rope_theta":10000.0}})",
          R"({"model_type":"qwen2",)" + base +
              R"(,"num_key_value_heads":2,"use_sliding_window":true,)"
              R"("sliding_window":8,"layer_types":["full_attention","sliding_attention"]})",
          R"({"model_type":"llama",)" + base +
              R"(,"head_dim":32,"attention_bias":true,"mlp_bias":true,)"
              R"("hidden_act":"gelu","rope_parameters":{"rope_type":"yarn","factor":4.0,"beta_fast":32,)"
              R"("beta_slow":1,"mscale":1.0,"mscale_all_dim":0.8,"truncate":false,"attention_factor":1.1}})"};
}

std::vector<std::string> fuzz::words() {
  return {"\"model_type\"",
          "\"llama\"",
          "\"mistral\"",
          "\"qwen2\"",
          "\"rope_scaling\"",
          "\"rope_parameters\"",
          "\"rope_type\"",
          "\"type\"",
          "\"yarn\"",
          "\"llama3\"",
          "\"linear\"",
          "\"factor\"",
          "\"full_attention\"",
          "\"sliding_attention\"",
          "\"layer_types\"",
          "\"original_max_position_embeddings\"",
          "\"head_dim\"",
          "\"max_window_layers\"",
          "null",
          "true",
          "1e308",
          "-1",
          "0",
          "1e-300",
          "9223372036854775807",
          "{",
          "}",
          "[",
          "]",
          ",",
          ":"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const engine::ModelConfig m = engine::parse_model_config(fuzz::text_of(data, size), "config.json");
    FUZZ_CHECK(m.width > 0 && m.layers > 0 && m.heads % m.kv_heads == 0 && m.head_dim % 2 == 0);
    FUZZ_CHECK(std::ssize(m.teacher_windows) == m.layers && std::isfinite(m.rope.attention_factor));
    FUZZ_CHECK(std::ssize(engine::rope_frequencies(m.rope, m.head_dim)) == m.head_dim / 2);
    engine::describe(m.rope);
  } catch (const engine::InputError&) {
  }
  return 0;
}
