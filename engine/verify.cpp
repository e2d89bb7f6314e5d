#include "engine/verify.h"

#include <algorithm>
#include <cmath>

#include "engine/attention/conversion.h"
#include "engine/attention/hybrid_attention.h"
#include "engine/attention/kernel_attention.h"
#include "engine/data/json.h"
#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/model/safetensors.h"
#include "engine/torch_api.h"
#include "engine/workspace.h"

namespace engine {
namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, Tensor>;

struct AttentionCase {
  AttentionCall call;
  FeatureMap query_map, key_map;
  Tensors inputs;  ///< leaves that require gradients
};

Tensor needed(const Tensors& tensors, const std::string& name, const std::string& file) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw InputError(file + ": the tensor \"" + name + "\" is missing");
  return found->second;
}

void read_case(const JsonView& c, const Tensors& tensors, torch::Dtype rounded, torch::Dtype dtype,
               const torch::Device& device, const std::string& file, AttentionCase& out) {
  auto leaf = [&](const std::string& name) {
    // Maps and mixing are float32 masters beside bfloat16 activations, as in a run.
    const bool master = name.size() > 1 || name == "W" || name == "b" || name == "g";
    const auto own = master && dtype == torch::kBFloat16 ? torch::kFloat32 : dtype;
    const Tensor value = needed(tensors, name, file);
    out.inputs[name] = (master ? value : value.to(rounded)).to(device, own).detach().clone().requires_grad_(true);
    return out.inputs[name];
  };
  for (const char* name : {"q", "k", "v"}) leaf(name);
  const std::string component = c.at("component").as_string();
  out.call.component = component == "softmax" ? Component::teacher : component_from(component);
  out.call.window = c.at("window").as_integer(1);
  out.call.overlap = c.bool_or("overlap", false);
  out.call.mixing = mixing_from(c.string_or("mixing", "fixed"));
  if (out.call.mixing == Mixing::fixed) out.call.weight = c.number_or("g", 0.5);
  else out.call.logit = leaf("g");
  out.call.sinks = c.integer_or("sinks", 8, 1);
  out.query_map.activation = out.key_map.activation = activation_from(c.at("activation").as_string());
  out.query_map.negation = out.key_map.negation = c.at("negation").as_bool();
  if (c.at("learned").as_bool()) {
    const bool tied = c.bool_or("tied", false), bias = c.bool_or("bias", false);
    out.query_map.weight = leaf(tied ? "W" : "Wq");
    if (bias) out.query_map.bias = leaf(tied ? "b" : "bq");
    out.key_map.weight = tied ? out.query_map.weight : leaf("Wk");
    if (bias) out.key_map.bias = tied ? out.query_map.bias : leaf("bk");
  }
  out.call.query_map = &out.query_map;
  out.call.key_map = &out.key_map;
}

double relative_error(const Tensor& found, const Tensor& expected) {
  const Tensor a = found.detach().to(torch::kCPU, torch::kFloat64), b = expected.to(torch::kFloat64);
  const double magnitude = b.numel() ? b.abs().max().item<double>() : 0;
  const double difference = b.numel() ? (a - b).abs().max().item<double>() : 0;
  return magnitude > 0 ? difference / magnitude : difference;
}

/// out and d<input> of one case, computed in `dtype` from inputs rounded to `rounded`; nothing where `kernel` is asked for
/// and does not take the case.
Tensors run_case(const JsonView& document, const Tensors& tensors, torch::Dtype rounded, torch::Dtype dtype,
                 const torch::Device& device, const std::string& file, bool kernel = false) {
  AttentionCase c;
  read_case(document, tensors, rounded, dtype, device, file, c);
  if (kernel && !kernel_takes(c.inputs["q"], c.call)) return {};
  c.call.composed = !kernel;
  const Tensor out = hybrid_attention(c.inputs["q"], c.inputs["k"], c.inputs["v"], c.call);
  if (out.requires_grad()) out.backward(needed(tensors, "dout", file).to(rounded).to(device, dtype));
  Tensors found{{"out", out.detach()}};
  for (auto& [input, leaf] : c.inputs) found["d" + input] = leaf.grad().defined() ? leaf.grad() : torch::zeros_like(leaf);
  return found;
}

void verify_attention(const fs::path& path, const std::string& shown, std::vector<VerifyRow>& rows) {
  const SafetensorsFile opened(path);
  const auto text = opened.metadata().find("case");
  if (text == opened.metadata().end()) return;
  const JsonDocument document = parse_json_document(text->second, path.string() + ": case", k_config_limits);
  const Tensors tensors = read_tensors(path);
  std::vector<torch::Device> devices{torch::kCPU};
  if (const auto best = choose_device("auto"); best.is_cuda()) devices.push_back(best);
  const std::vector<std::pair<torch::Dtype, double>> precisions = {
      {torch::kFloat64, 1e-10}, {torch::kFloat32, 2e-5}, {torch::kBFloat16, 2e-2}};
  for (const auto& device : devices) {
    for (const auto& [dtype, tolerance] : precisions) {
      const Tensors found = run_case(document.view(), tensors, dtype, dtype, device, path.string());
      // Rounding q to bfloat16 moves some features across ReLU's kink, where gradients jump whatever the arithmetic. So
      // bfloat16 gradients are held against float64 gradients at the same rounded inputs.
      Tensors expected = tensors;
      if (dtype == torch::kBFloat16) {
        for (auto& [name, t] : run_case(document.view(), tensors, dtype, torch::kFloat64, torch::kCPU, path.string()))
          if (name != "out") expected[name] = t;
      }
      auto judge = [&](const Tensors& results, const char* backend) {
        for (const auto& [name, t] : results)
          rows.push_back({shown, dtype_name(dtype), name, backend, relative_error(t, needed(expected, name, shown)), tolerance});
      };
      judge(found, device.is_cuda() ? "cuda composed" : "cpu composed");
      judge(run_case(document.view(), tensors, dtype, dtype, device, path.string(), true), device.is_cuda() ? "cuda kernel" : "cpu kernel");
    }
  }
}

/// Forward pass of one row or batch with what `logits` and the model references hold.
Tensors look(const Model& model, const Conversion* conversion, const Tensor& ids, Component component, std::int64_t window) {
  torch::InferenceMode inference;
  Tensors found;
  ForwardOptions options;
  options.component = component;
  options.window = window;
  options.on_attention = [&](std::int64_t layer, const Tensor& out) { found["attn." + std::to_string(layer)] = out; };
  found["logits"] = model.logits(model.hidden(ids, conversion, options));
  return found;
}

void verify_model(const fs::path& folder, const std::string& shown, std::vector<VerifyRow>& rows) {
  const Tensors expected = read_tensors(folder / "expected.safetensors");
  const Model model = load_model(folder.string(), torch::kFloat32, torch::kCPU);
  const Tensors found = look(model, nullptr, needed(expected, "input_ids", shown).to(torch::kInt64), Component::teacher, 0);
  for (const auto& [name, tensor] : expected) {
    if (name == "input_ids") continue;
    rows.push_back({shown, "float32", name, "cpu composed", relative_error(needed(found, name, shown), tensor), 2e-4});
  }
}

}  // namespace

std::vector<VerifyRow> verify(const fs::path& folder) {
  if (!fs::exists(folder)) throw InputError(folder.string() + ": no such file or folder; expected reference vectors");
  std::vector<fs::path> files;
  if (fs::is_regular_file(folder)) files.push_back(folder);
  else
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file() && entry.path().extension() == ".safetensors") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<VerifyRow> rows;
  for (const auto& file : files) {
    const std::string shown = fs::is_directory(folder) ? fs::relative(file, folder).string() : file.filename().string();
    const fs::path parent = file.parent_path();
    if (file.filename() == "expected.safetensors") verify_model(parent, fs::path(shown).parent_path().string(), rows);
    else if (!fs::exists(parent / "config.json")) verify_attention(file, shown, rows);
  }
  if (rows.empty())
    throw InputError(folder.string() + ": no reference vectors here; expected safetensors files with a \"case\", or model "
                                       "folders with expected.safetensors");
  return rows;
}

void write_logits(const std::string& name, const std::vector<std::int64_t>& ids, const std::string& component,
                  std::int64_t window, const fs::path& out) {
  Recipe recipe;
  recipe.model = name;
  recipe.dtype = "float32";
  if (window > 0) recipe.attention.window = window;
  const Workspace w = open_workspace(recipe);
  if (std::ssize(ids) > w.model.config.max_positions)
    throw InputError("--ids: " + std::to_string(ids.size()) + " ids, but " + name + " has " +
                     std::to_string(w.model.config.max_positions) + " positions");
  for (auto id : ids)
    if (id < 0 || id >= w.model.config.vocabulary)
      throw InputError("--ids: " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(w.model.config.vocabulary));
  const Tensor row = torch::tensor(ids, torch::kInt64).unsqueeze(0).to(w.device);
  Tensors found = look(w.model, &w.conversion, row, component_from(component), window);
  for (auto& [key, tensor] : found) tensor = tensor.squeeze(0).to(torch::kFloat32);
  write_tensors(out, found, {{"component", component}, {"model", name}});
}

}  // namespace engine
