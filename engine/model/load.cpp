#include "engine/model/load.h"

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <sstream>

#include "engine/data/mapped_file.h"
#include "engine/error.h"
#include "engine/model/builtin_tiny.h"
#include "engine/model/load_report.h"
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

/// Weights that the run uses as they are stored stay where the file is mapped, as a private copy of it: fresh memory costs
/// more than reading the file. Small ones are copied and so get the alignment of own memory.
bool stays_mapped(const SafetensorsEntry& entry, torch::Dtype dtype, const torch::Device& device) {
  constexpr std::size_t k_least_bytes = std::size_t{1} << 20;
  return device.is_cpu() && torch_dtype(entry.dtype) == dtype && entry.bytes.size() >= k_least_bytes &&
         reinterpret_cast<std::uintptr_t>(entry.bytes.data()) % c10::elementSize(dtype) == 0;
}

Tensor mapped_tensor(const SafetensorsEntry& entry, torch::Dtype dtype, std::shared_ptr<const SafetensorsFolder> files) {
  constexpr std::int64_t k_piece = std::int64_t{32} << 20;
  const auto size = static_cast<std::int64_t>(entry.bytes.size());
  at::parallel_for(0, (size + k_piece - 1) / k_piece, 1, [&](std::int64_t first, std::int64_t last) {
    const auto begin = first * k_piece, end = std::min(last * k_piece, size);
    fetch_pages(entry.bytes.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
  });
  void* bytes = const_cast<std::byte*>(entry.bytes.data());
  return torch::from_blob(bytes, entry.shape, [held = std::move(files)](void*) {}, dtype);
}

Tensor load_tensor(const SafetensorsEntry& entry, const std::shared_ptr<const SafetensorsFolder>& files,
                   const std::filesystem::path& folder, torch::Dtype dtype, const torch::Device& device) {
  if (stays_mapped(entry, dtype, device)) return mapped_tensor(entry, dtype, files);
  Tensor copy = view_of(entry, folder).to(device, dtype, /*non_blocking=*/false, /*copy=*/true);
  release_pages(entry.bytes);  // so that what has been read does not count as this process's memory
  return copy;
}

void fill(Model& model, const std::shared_ptr<const SafetensorsFolder>& files, const std::filesystem::path& folder,
          torch::Dtype dtype, const torch::Device& device) {
  for (const auto& file : files->files()) {
    const auto& entries = file.tensors();
    const bool mapped = std::any_of(entries.begin(), entries.end(), [&](const auto& e) { return stays_mapped(e, dtype, device); });
    if (mapped)  // training steps write weights in place
      allow_own_writes({entries.front().bytes.data(), entries.back().bytes.data() + entries.back().bytes.size()});
  }
  for (auto& [name, tensor] : model.weights()) *tensor = load_tensor(*files->find(name), files, folder, dtype, device);
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

Model load_model(const std::string& name, torch::Dtype dtype, const torch::Device& device, LoadReport* report) {
  const auto start = std::chrono::steady_clock::now();
  const std::filesystem::path folder = model_folder(name);
  Model model = make_model(load_model_config(folder));
  const auto files = std::make_shared<const SafetensorsFolder>(folder);
  LoadReport found = make_load_report(folder, model.config, *files);
  if (!found.complete()) throw InputError(found.problem());
  fill(model, files, folder, dtype, device);
  found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (report) *report = std::move(found);
  return model;
}

LoadReport timed_load(const std::string& name, const std::string& dtype, const std::string& device) {
  const torch::Device target = choose_device(device);
  LoadReport report;
  load_model(name, choose_dtype(dtype, target), target, &report);
  return report;
}

void add_lora(Model& model, const LoraSpec& spec, std::int64_t seed) {
  for (auto asked : spec.layers)
    if (asked >= std::ssize(model.blocks))
      throw InputError("lora.layers: layer " + std::to_string(asked) + " is not there; the model has layers 0 to " +
                       std::to_string(model.blocks.size() - 1));
  std::uint64_t salt = 0;
  for (std::size_t layer = 0; layer < model.blocks.size(); ++layer) {
    Block& block = model.blocks[layer];
    if (!spec.layers.empty() && std::ranges::count(spec.layers, static_cast<std::int64_t>(layer)) == 0) continue;
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

Tensor stored_tensor(const SafetensorsEntry& entry, const std::filesystem::path& file) { return view_of(entry, file); }

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
