#include "engine/model/load_report.h"

#include <algorithm>
#include <set>

#include "engine/model/safetensors.h"

namespace engine {
namespace {

using Shape = std::vector<std::int64_t>;

/// "layers.2" before "layers.10".
bool natural_less(const std::string& a, const std::string& b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (!digit(a[i]) || !digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i, ++j;
      continue;
    }
    const auto number = [&](const std::string& text, std::size_t& at) {
      while (at < text.size() && text[at] == '0') ++at;
      const std::size_t begin = at;
      while (at < text.size() && digit(text[at])) ++at;
      return text.substr(begin, at - begin);
    };
    const std::string x = number(a, i), y = number(b, j);
    if (x != y) return x.size() != y.size() ? x.size() < y.size() : x < y;
  }
  return a.size() - i != b.size() - j ? a.size() - i < b.size() - j : a < b;
}

bool is_weight_dtype(SafetensorsDtype dtype) {
  return dtype == SafetensorsDtype::F16 || dtype == SafetensorsDtype::BF16 || dtype == SafetensorsDtype::F32 ||
         dtype == SafetensorsDtype::F64;
}

bool is_known_extra(const ModelConfig& config, const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq") || (config.tied_embeddings && name == "lm_head.weight");
}

std::string first_few(const std::vector<std::string>& names) {
  constexpr std::size_t k_shown = 3;
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < k_shown; ++i) out += (i ? ", " : "") + names[i].substr(0, 120);
  if (names.size() > k_shown) out += ", …";
  return out;
}

std::string join_dtypes(const std::set<std::string>& dtypes) {
  std::string out;
  for (const auto& dtype : dtypes) out += (out.empty() ? "" : " and ") + dtype;
  return out;
}

}  // namespace

std::map<std::string, Shape> expected_tensors(const ModelConfig& c) {
  const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
  std::map<std::string, Shape> shapes;
  const auto projection = [&](const std::string& name, std::int64_t out, std::int64_t in, bool bias) {
    shapes[name + ".weight"] = {out, in};
    if (bias) shapes[name + ".bias"] = {out};
  };
  shapes["model.embed_tokens.weight"] = {c.vocabulary, c.width};
  shapes["model.norm.weight"] = {c.width};
  if (!c.tied_embeddings) shapes["lm_head.weight"] = {c.vocabulary, c.width};
  for (std::int64_t i = 0; i < c.layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    shapes[layer + "input_layernorm.weight"] = {c.width};
    shapes[layer + "post_attention_layernorm.weight"] = {c.width};
    projection(layer + "self_attn.q_proj", q, c.width, c.qkv_bias);
    projection(layer + "self_attn.k_proj", kv, c.width, c.qkv_bias);
    projection(layer + "self_attn.v_proj", kv, c.width, c.qkv_bias);
    projection(layer + "self_attn.o_proj", c.width, q, c.output_bias);
    projection(layer + "mlp.gate_proj", c.mlp_width, c.width, c.mlp_bias);
    projection(layer + "mlp.up_proj", c.mlp_width, c.width, c.mlp_bias);
    projection(layer + "mlp.down_proj", c.width, c.mlp_width, c.mlp_bias);
  }
  return shapes;
}

std::string shape_text(const Shape& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

LoadReport make_load_report(const std::filesystem::path& folder, const ModelConfig& config,
                            const SafetensorsFolder& files) {
  LoadReport report;
  report.folder = folder.string();
  report.config = config;
  report.bytes = files.total_bytes();
  const auto expected = expected_tensors(config);
  std::set<std::string> dtypes;
  for (const auto& file : files.files()) {
    report.files.push_back(file.path().filename().string());
    for (const auto& entry : file.tensors()) {
      report.tensors.push_back(
          {entry.name, entry.shape, to_string(entry.dtype), entry.bytes.size(), report.files.back()});
      const auto wanted = expected.find(entry.name);
      if (wanted == expected.end()) {
        (is_known_extra(config, entry.name) ? report.ignored : report.unexpected).push_back(entry.name);
        continue;
      }
      dtypes.insert(to_string(entry.dtype));
      if (entry.shape != wanted->second)
        report.misshaped.push_back({entry.name, wanted->second, entry.shape});
      else if (!is_weight_dtype(entry.dtype))
        report.unsupported.push_back(entry.name);
      else
        ++report.matched;
    }
  }
  for (const auto& [name, shape] : expected) {
    std::int64_t elements = 1;
    for (const auto size : shape) elements *= size;
    report.parameters += elements;
    if (!files.find(name)) report.missing.push_back(name);
  }
  report.dtype = join_dtypes(dtypes);
  for (auto* names : {&report.missing, &report.unexpected, &report.ignored, &report.unsupported})
    std::sort(names->begin(), names->end(), natural_less);
  std::sort(report.misshaped.begin(), report.misshaped.end(),
            [](const auto& a, const auto& b) { return natural_less(a.name, b.name); });
  std::sort(report.tensors.begin(), report.tensors.end(),
            [](const auto& a, const auto& b) { return natural_less(a.name, b.name); });
  return report;
}

LoadReport make_load_report(const std::filesystem::path& folder) {
  const ModelConfig config = load_model_config(folder);
  return make_load_report(folder, config, SafetensorsFolder(folder));
}

std::string LoadReport::problem() const {
  std::string why;
  const auto add = [&](std::size_t count, const std::string& what, const std::string& names) {
    if (count > 0) why += "; " + std::to_string(count) + " " + what + " (" + names + ")";
  };
  add(missing.size(), "missing", first_few(missing));
  std::vector<std::string> shapes, types;
  for (const auto& m : misshaped)
    shapes.push_back(m.name + " is " + shape_text(m.found) + ", expected " + shape_text(m.expected));
  add(misshaped.size(), "of another shape", first_few(shapes));
  add(unexpected.size(), "unexpected", first_few(unexpected));
  for (const auto& name : unsupported)
    for (const auto& tensor : tensors)
      if (tensor.name == name) types.push_back(name + " is " + tensor.dtype);
  add(unsupported.size(), "not stored as float16, bfloat16, float32 or float64", first_few(types));
  if (why.empty()) return "";
  return folder + ": the tensors do not fit config.json: " + std::to_string(matched) + " matched" + why +
         "; take config.json and the weights from the same model";
}

}  // namespace engine
