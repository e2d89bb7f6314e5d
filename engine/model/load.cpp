#include "engine/model/load.h"

#include <dlfcn.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <sstream>

#include "engine/error.h"
#include "engine/model/builtin_tiny.h"
#include "engine/model/safetensors.h"
#include "engine/random.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

std::optional<torch::Dtype> torch_dtype(SafetensorsDtype dtype) {
  switch (dtype) {
    case SafetensorsDtype::F64: return torch::kFloat64;
    case SafetensorsDtype::F32: return torch::kFloat32;
    case SafetensorsDtype::F16: return torch::kFloat16;
    case SafetensorsDtype::BF16: return torch::kBFloat16;
    case SafetensorsDtype::I64: return torch::kInt64;
    case SafetensorsDtype::I32: return torch::kInt32;
    case SafetensorsDtype::I16: return torch::kInt16;
    case SafetensorsDtype::I8: return torch::kInt8;
    case SafetensorsDtype::U8: return torch::kUInt8;
    case SafetensorsDtype::BOOL: return torch::kBool;
    default: return std::nullopt;
  }
}

SafetensorsDtype file_dtype(torch::Dtype dtype) {
  switch (dtype) {
    case torch::kFloat64: return SafetensorsDtype::F64;
    case torch::kFloat32: return SafetensorsDtype::F32;
    case torch::kFloat16: return SafetensorsDtype::F16;
    case torch::kBFloat16: return SafetensorsDtype::BF16;
    case torch::kInt64: return SafetensorsDtype::I64;
    case torch::kInt32: return SafetensorsDtype::I32;
    case torch::kBool: return SafetensorsDtype::BOOL;
    default: throw InputError("a tensor of this type cannot be written to safetensors");
  }
}

/// A tensor that looks at the mapped bytes; copy before the file goes.
Tensor view_of(const SafetensorsEntry& entry, const std::filesystem::path& path) {
  const auto dtype = torch_dtype(entry.dtype);
  if (!dtype) throw InputError(path.string() + ": " + entry.name + ": dtype " + to_string(entry.dtype) + " is not supported here");
  void* bytes = const_cast<std::byte*>(entry.bytes.data());
  // Shards may put tensors at odd offsets; kernels want aligned memory.
  const Tensor seen = torch::from_blob(bytes, {static_cast<std::int64_t>(entry.bytes.size())}, torch::kUInt8);
  if (entry.bytes.empty()) return torch::zeros(entry.shape, *dtype);
  const auto address = reinterpret_cast<std::uintptr_t>(bytes);
  return (address % 16 == 0 ? seen : seen.clone()).view(*dtype).view(entry.shape);
}

std::string list_some(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < 5; ++i) out += (i ? ", " : "") + names[i];
  if (names.size() > 5) out += " and " + std::to_string(names.size() - 5) + " more";
  return out;
}

void check_load(Model& model, const SafetensorsFolder& files, const std::string& folder) {
  std::vector<std::string> missing, unexpected, misshaped;
  const auto shapes = model.expected_shapes();
  for (const auto& [name, shape] : shapes) {
    const SafetensorsEntry* entry = files.find(name);
    if (!entry) missing.push_back(name);
    else if (entry->shape != shape) misshaped.push_back(name);
  }
  for (const auto& name : files.names()) {
    const bool known_extra = name.ends_with("rotary_emb.inv_freq") || (model.config.tied_embeddings && name == "lm_head.weight");
    if (!shapes.count(name) && !known_extra) unexpected.push_back(name);
  }
  std::string why;
  if (!missing.empty()) why += "; missing: " + list_some(missing);
  if (!misshaped.empty()) why += "; of another shape than config.json says: " + list_some(misshaped);
  if (!unexpected.empty()) why += "; unexpected: " + list_some(unexpected);
  if (!why.empty()) throw InputError(folder + ": the weights do not fit config.json" + why);
}

void fill(Model& model, const SafetensorsFolder& files, const std::filesystem::path& folder, torch::Dtype dtype,
          const torch::Device& device) {
  for (auto& [name, tensor] : model.weights()) {
    const SafetensorsEntry* entry = files.find(name);
    *tensor = view_of(*entry, folder).to(device, dtype, /*non_blocking=*/false, /*copy=*/true);
  }
  if (model.config.tied_embeddings) model.head.weight = model.embedding;
}

Projection* projection_of(Block& b, const std::string& target) {
  const std::map<std::string, Projection*> all = {{"q", &b.q}, {"k", &b.k}, {"v", &b.v}, {"o", &b.o},
                                                  {"gate", &b.gate}, {"up", &b.up}, {"down", &b.down}};
  const auto found = all.find(target);
  if (found == all.end()) throw InputError("unknown LoRA target \"" + target + "\"; expected q, k, v, o, gate, up or down");
  return found->second;
}

}  // namespace

std::filesystem::path model_folder(const std::string& name) {
  return name == "builtin:tiny" ? builtin_tiny_folder() : std::filesystem::path(name);
}

Model load_model(const std::string& name, torch::Dtype dtype, const torch::Device& device) {
  const std::filesystem::path folder = model_folder(name);
  Model model = make_model(load_model_config(folder));
  const SafetensorsFolder files(folder);
  check_load(model, files, folder.string());
  fill(model, files, folder, dtype, device);
  return model;
}

void add_lora(Model& model, const LoraSpec& spec, std::int64_t seed) {
  std::uint64_t salt = 0;
  for (Block& block : model.blocks) {
    for (const auto& target : spec.targets) {
      Projection& p = *projection_of(block, target);
      const std::int64_t in = p.weight.size(1), out = p.weight.size(0);
      Tensor a = torch::empty({spec.rank, in}, torch::kFloat32);
      const CounterRng rng(static_cast<std::uint64_t>(seed), Stream::lora_init, salt++);
      const double bound = 1.0 / std::sqrt(static_cast<double>(in));
      float* values = a.data_ptr<float>();
      for (std::int64_t i = 0; i < a.numel(); ++i)
        values[i] = static_cast<float>(bound * (2 * rng.uniform(static_cast<std::uint64_t>(i)) - 1));
      p.lora_a = a.to(p.weight.device());
      p.lora_b = torch::zeros({out, spec.rank}, p.lora_a.options());
      p.lora_scale = spec.alpha / static_cast<double>(spec.rank);
    }
  }
}

std::map<std::string, Tensor> lora_tensors(const Model& model) {
  std::map<std::string, Tensor> named;
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    const Block& b = model.blocks[i];
    const std::string prefix = "lora." + std::to_string(i) + ".";
    auto add = [&](const char* target, const Projection& p) {
      if (!p.lora_a.defined()) return;
      named[prefix + target + ".a"] = p.lora_a;
      named[prefix + target + ".b"] = p.lora_b;
    };
    add("q", b.q), add("k", b.k), add("v", b.v), add("o", b.o), add("gate", b.gate), add("up", b.up), add("down", b.down);
  }
  return named;
}

std::map<std::string, Tensor> read_tensors(const std::filesystem::path& file) {
  const SafetensorsFile opened(file);
  std::map<std::string, Tensor> tensors;
  for (const auto& entry : opened.tensors()) tensors[entry.name] = view_of(entry, file).clone();
  return tensors;
}

void write_tensors(const std::filesystem::path& file, const std::map<std::string, Tensor>& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<SafetensorsSource> sources;
  for (const auto& [name, tensor] : tensors) {
    auto held = std::make_shared<Tensor>();
    sources.push_back({name, file_dtype(tensor.scalar_type()), tensor.sizes().vec(), [held, t = tensor] {
                         *held = t.detach().to(torch::kCPU).contiguous();
                         return std::span(static_cast<const std::byte*>(held->data_ptr()), held->nbytes());
                       }});
  }
  write_safetensors(file, std::move(sources), metadata);
}

torch::Device choose_device(const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  // libtorch_cuda registers itself when it is opened; without a driver or the NVIDIA libraries it stays out.
  static const std::string problem = [] {
    if (torch::cuda::is_available()) return std::string();
    if (!dlopen("libcuda.so.1", RTLD_LAZY)) return std::string("no NVIDIA driver is installed");
    if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) return std::string("LibTorch's CUDA half cannot be opened: ") + dlerror();
    return torch::cuda::is_available() ? std::string() : std::string("the driver reports no usable GPU");
  }();
  if (name == "auto") return problem.empty() ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
  std::int64_t index = 0;
  if (name != "cuda") {
    const auto number = name.starts_with("cuda:") ? from_text(name.substr(5), Value(std::int64_t{0})) : std::nullopt;
    if (!number) throw InputError("device \"" + name + "\": expected auto, cpu, cuda or cuda:N");
    index = std::get<std::int64_t>(*number);
  }
  if (!problem.empty()) throw InputError("device \"" + name + "\": " + problem + "; use device: cpu or auto");
  if (index < 0 || index >= static_cast<std::int64_t>(torch::cuda::device_count()))
    throw InputError("device \"" + name + "\": this machine has " + std::to_string(torch::cuda::device_count()) + " GPU(s)");
  return {torch::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

torch::Dtype choose_dtype(const std::string& name, const torch::Device& device) {
  if (name == "float32") return torch::kFloat32;
  if (name == "float64") return torch::kFloat64;
  if (name == "bfloat16") return torch::kBFloat16;
  if (name != "auto") throw InputError("dtype \"" + name + "\": expected auto, float32, bfloat16 or float64");
  return device.is_cuda() ? torch::kBFloat16 : torch::kFloat32;
}

std::string dtype_name(torch::Dtype dtype) {
  return dtype == torch::kFloat64 ? "float64" : dtype == torch::kBFloat16 ? "bfloat16" : "float32";
}

}  // namespace engine
