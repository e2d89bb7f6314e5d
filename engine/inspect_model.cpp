#include <algorithm>

#include "engine/inspect.h"
#include "engine/inspect_tokens.h"
#include "engine/model/load_report.h"

namespace engine {
namespace {

std::string biases(const ModelConfig& c) {
  std::string out;
  auto add = [&](bool there, const char* names) {
    if (there) out += (out.empty() ? "" : ", ") + std::string(names);
  };
  add(c.qkv_bias, "q, k, v");
  add(c.output_bias, "o");
  add(c.mlp_bias, "gate, up, down");
  return out;
}

}  // namespace

ModelInfo inspect_model(const std::string& source, const Watch& watch) {
  report(watch, 0, "tensors");
  const std::filesystem::path folder = inspected_path(source);
  LoadReport r = make_load_report(folder);
  report(watch, std::ssize(r.tensors), "tensors");
  const ModelConfig& c = r.config;
  ModelInfo info;
  info.source = source;
  info.folder = folder.string();
  info.architecture = c.architecture;
  info.layers = c.layers, info.heads = c.heads, info.kv_heads = c.kv_heads, info.head_dim = c.head_dim;
  info.hidden = c.width, info.mlp = c.mlp_width, info.vocabulary = c.vocabulary, info.positions = c.max_positions;
  info.rope = describe(c.rope);
  info.windows = c.teacher_windows;
  info.tied_embeddings = c.tied_embeddings;
  info.biases = biases(c);
  info.dtype = r.dtype;
  info.parameters = r.parameters;
  info.bytes = r.bytes;
  for (auto& t : r.tensors) info.tensors.push_back({std::move(t.name), std::move(t.shape), std::move(t.dtype), t.bytes, std::move(t.file)});
  info.matched = r.matched;
  info.missing = std::move(r.missing);
  info.unexpected = std::move(r.unexpected);
  info.ignored = std::move(r.ignored);
  info.unsupported = std::move(r.unsupported);
  for (auto& m : r.misshaped) info.misshaped.push_back({std::move(m.name), std::move(m.expected), std::move(m.found)});
  try {
    info.tokenizer = open_tokenizer(source);
    info.tokenizer_info = describe(*info.tokenizer);
  } catch (const InputError& error) {
    info.tokenizer_problem = error.what();
  }
  return info;
}

std::int64_t model_positions(const std::string& source) {
  const std::filesystem::path folder = inspected_path(source);
  if (!std::filesystem::exists(folder / "config.json")) return 0;
  return load_model_config(folder).max_positions;
}

}  // namespace engine
