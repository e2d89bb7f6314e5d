#include "engine/interop/trained_files.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>

#include "engine/error.h"
#include "engine/interop/names.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

bool drop_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// "base_model.model.model.layers.3.self_attn.…" → 3 and "self_attn.…"; the wrappers of PEFT,
/// compile and FSDP go.
std::optional<std::pair<std::int64_t, std::string_view>> layer_of(std::string_view name) {
  while (drop_prefix(name, "module.") || drop_prefix(name, "_orig_mod.") ||
         drop_prefix(name, "base_model.model.") || drop_prefix(name, "model.")) {
  }
  if (!drop_prefix(name, "layers.")) return std::nullopt;
  std::int64_t layer = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  if (error != std::errc{} || layer < 0 || layer > 100'000 || end == name.data() + name.size() ||
      *end != '.')
    return std::nullopt;
  return std::pair(layer, name.substr(static_cast<std::size_t>(end - name.data()) + 1));
}

bool has_own_name(std::string_view name) {
  return name.starts_with("maps.") || name.starts_with("mixing.") || name.starts_with("lora.");
}

/// The name of a tensor that a conversion trains; nothing for one that it does not.
std::optional<std::string> trained_name(std::string_view name) {
  const auto place = layer_of(name);
  if (!place) return std::nullopt;
  const auto& [layer, rest] = *place;
  const std::string l = std::to_string(layer);
  if (rest == "self_attn.window_factors") return "mixing." + l;
  for (const char* side : {"q", "k"}) {
    const std::string map = std::string("self_attn.feature_map_") + side + ".mlp.";
    if (rest == map + "layer") return "maps." + l + "." + side + ".weight";
    if (rest == map + "bias") return "maps." + l + "." + side + ".bias";
  }
  for (const auto& target : projection_targets()) {
    std::string_view end = rest;
    if (!drop_prefix(end, target.module) || !drop_prefix(end, ".lora_")) continue;
    if (end == "A.weight" || end == "A.default.weight")
      return "lora." + l + "." + target.name + ".a";
    if (end == "B.weight" || end == "B.default.weight")
      return "lora." + l + "." + target.name + ".b";
  }
  return std::nullopt;
}

/// Weights of the model itself, which may stand beside the trained ones.
bool is_base_weight(std::string_view name) {
  if (name.ends_with("rotary_emb.inv_freq") || name.ends_with("lm_head.weight") ||
      name.ends_with("embed_tokens.weight"))
    return true;
  if (name.find("lora_") != name.npos || name.find("feature_map") != name.npos) return false;
  return name.ends_with("norm.weight") || name.find("_proj.") != name.npos;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (auto n : shape) text += (text.size() > 1 ? "," : "") + std::to_string(n);
  return text + "]";
}

[[noreturn]] void refuse(const fs::path& file, const std::string& tensor, const std::string& what) {
  throw InputError(file.string() + ": " + tensor + ": " + what);
}

void check_dtype(const fs::path& file, const SafetensorsEntry& entry) {
  using enum SafetensorsDtype;
  if (entry.dtype != F32 && entry.dtype != BF16 && entry.dtype != F16 && entry.dtype != F64)
    refuse(file, entry.name,
           std::string("dtype ") + to_string(entry.dtype) + "; expected F32, BF16, F16 or F64");
}

/// LoLCATs keeps one number a head as [1,H,1,1]; here it is [H], for a bias [H,1].
std::vector<std::int64_t> own_shape(const fs::path& file, const std::string& name,
                                    const SafetensorsEntry& entry) {
  auto shape = entry.shape;
  const bool bias = name.ends_with(".bias"), mixing = name.starts_with("mixing.");
  if (shape.size() == 4 && (bias || mixing)) {
    if (shape[0] != 1 || shape[2] != 1 || shape[3] != 1)
      refuse(file, entry.name, "shape " + shape_text(shape) + "; expected [1,heads,1,1]");
    shape = bias ? std::vector<std::int64_t>{shape[1], 1} : std::vector<std::int64_t>{shape[1]};
  }
  const bool own =
      entry.name == name;  // this program's files may have shapes that only their recipe knows
  const std::size_t dimensions = bias ? 2 : mixing ? 1 : name.starts_with("maps.") ? 3 : 2;
  if (!own && shape.size() != dimensions)
    refuse(file, entry.name,
           "shape " + shape_text(entry.shape) + "; expected " +
               (mixing || bias    ? "[1,heads,1,1]"
                : dimensions == 3 ? "[heads,head_dim,features]"
                                  : "a matrix"));
  return shape;
}

bool begins_like_a_pickle(const fs::path& file) {
  std::array<unsigned char, 4> head{};
  std::ifstream in(file, std::ios::binary);
  in.read(reinterpret_cast<char*>(head.data()), head.size());
  return (head[0] == 'P' && head[1] == 'K' && head[2] == 3 && head[3] == 4) ||
         (head[0] == 0x80 && head[1] >= 2 && head[1] <= 5);
}

bool named_like_a_pickle(const fs::path& file) {
  const std::string end = file.extension().string();
  return end == ".pt" || end == ".pth" || end == ".bin" || end == ".ckpt" || end == ".pkl" ||
         end == ".pickle";
}

void refuse_pickle(const fs::path& file) {
  if (!fs::is_regular_file(file) || (!named_like_a_pickle(file) && !begins_like_a_pickle(file)))
    return;
  const std::string to = fs::path(file).replace_extension(".safetensors").string();
  throw InputError(file.string() +
                   ": is a Python pickle, which can run code when it is read, so it is not read "
                   "here; convert it once, in Python:\n"
                   "  import torch; from safetensors.torch import save_file; d = torch.load(\"" +
                   file.string() +
                   "\", map_location=\"cpu\", weights_only=True)\n"
                   "  save_file({k: v.clone() for k, v in d.get(\"model_state_dict\", d).items() "
                   "if torch.is_tensor(v)}, \"" +
                   to + "\")");
}

void check_pairs(const fs::path& source, const std::vector<TrainedTensor>& tensors) {
  std::map<std::string, const TrainedTensor*> by_name;
  for (const auto& t : tensors) by_name[t.name] = &t;
  auto need = [&](const TrainedTensor& t, const std::string& other) {
    const auto found = by_name.find(other);
    if (found == by_name.end()) refuse(source, t.name, "stands alone; " + other + " is missing");
    return found->second;
  };
  for (const auto& t : tensors) {
    const std::string stem = t.name.substr(0, t.name.rfind('.'));
    if (t.name.starts_with("lora.") && t.shape.size() == 2) {
      const auto* other = need(t, stem + (t.name.ends_with(".a") ? ".b" : ".a"));
      if (t.name.ends_with(".a") && (other->shape.size() != 2 || t.shape[0] != other->shape[1]))
        refuse(source, t.name,
               "rank " + std::to_string(t.shape[0]) + ", but " + other->name + " is " +
                   shape_text(other->shape));
    }
    if (t.name.ends_with(".k.weight") && t.name.starts_with("maps.")) {
      const auto* other = need(t, stem.substr(0, stem.size() - 1) + "q.weight");
      if (t.shape != other->shape)
        refuse(source, t.name,
               shape_text(t.shape) + ", but " + other->name + " is " + shape_text(other->shape));
    }
  }
}

/// A layer that has a map for queries alone has one for both.
void rename_tied(std::vector<TrainedTensor>& tensors) {
  auto has = [&](const std::string& name) {
    return std::ranges::find(tensors, name, &TrainedTensor::name) != tensors.end();
  };
  std::vector<std::pair<std::string, std::string>> renamed;
  for (const auto& t : tensors) {
    const auto at = t.name.find(".q.");
    if (!t.name.starts_with("maps.") || at == t.name.npos) continue;
    const std::string layer = t.name.substr(0, at);
    if (!has(layer + ".k.weight") && !has(layer + ".k.bias"))
      renamed.emplace_back(t.name, layer + t.name.substr(at + 2));
  }
  for (const auto& [from, to] : renamed)
    std::ranges::find(tensors, from, &TrainedTensor::name)->name = to;
}

}  // namespace

const std::vector<ProjectionTarget>& projection_targets() {
  static const std::vector<ProjectionTarget> all = {
      {"q", "self_attn.q_proj"}, {"k", "self_attn.k_proj"}, {"v", "self_attn.v_proj"},
      {"o", "self_attn.o_proj"}, {"gate", "mlp.gate_proj"}, {"up", "mlp.up_proj"},
      {"down", "mlp.down_proj"}};
  return all;
}

TrainedFiles::TrainedFiles(const fs::path& path) {
  refuse_pickle(path);
  const bool exported = fs::is_regular_file(path / k_hybrid_tensors);
  const fs::path adapter =
      exported ? path / k_adapter_folder / k_adapter_tensors : path / k_adapter_tensors;
  if (!fs::is_directory(path)) {
    open(path);
  } else {
    if (!exported && !fs::is_regular_file(adapter)) {
      refuse_pickle(path / "adapter_model.bin");
      throw InputError(path.string() + ": no trained tensors; expected " + k_hybrid_tensors +
                       " or " + k_adapter_tensors + " in it");
    }
    if (exported) open(path / k_hybrid_tensors);
    if (fs::is_regular_file(adapter)) open(adapter);
  }
  std::ranges::sort(tensors_, {}, &TrainedTensor::name);
  const auto twice = std::ranges::adjacent_find(tensors_, {}, &TrainedTensor::name);
  if (twice != tensors_.end()) refuse(path, twice->name, "stands there twice");
  check_pairs(path, tensors_);
  rename_tied(tensors_);
  std::ranges::sort(tensors_, {}, &TrainedTensor::name);
}

void TrainedFiles::open(const fs::path& file) {
  const SafetensorsFile& opened = files_.emplace_back(file);
  // A file of this program: its names are taken as they are, weights that a run trained among them.
  const bool own =
      opened.metadata().contains(k_own_metadata) ||
      std::ranges::any_of(opened.tensors(), [](const auto& e) { return has_own_name(e.name); });
  for (const auto& entry : opened.tensors()) {
    const auto name = own ? std::optional(entry.name) : trained_name(entry.name);
    if (name) {
      check_dtype(file, entry);
      tensors_.push_back({*name, entry.dtype, own_shape(file, *name, entry), entry.bytes});
    } else if (is_base_weight(entry.name)) {
      ++left_out_;
    } else {
      refuse(file, entry.name,
             "is neither LoLCATs' (feature_map_q.mlp.layer, feature_map_k.mlp.layer, "
             "window_factors), PEFT's (lora_A, "
             "lora_B on q, k, v, o, gate, up or down) nor a weight of the model");
    }
  }
  if (!own && tensors_.empty())
    throw InputError(file.string() +
                     ": no trained tensors; expected LoLCATs' feature maps or window factors, or "
                     "PEFT's adapters");
}

bool holds_trained_files(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    return fs::is_regular_file(path / k_hybrid_tensors, ignored) ||
           fs::is_regular_file(path / k_adapter_tensors, ignored);
  return fs::is_regular_file(path, ignored) &&
         (path.extension() == ".safetensors" || named_like_a_pickle(path) ||
          begins_like_a_pickle(path));
}

void write_trained(const fs::path& file, const std::vector<TrainedFiles>& sources) {
  std::map<std::string, const TrainedTensor*> all;
  for (const auto& source : sources)
    for (const auto& tensor : source.tensors()) all[tensor.name] = &tensor;
  std::vector<SafetensorsSource> out;
  for (const auto& [name, tensor] : all)
    out.push_back({name, tensor->dtype, tensor->shape, [bytes = tensor->bytes] { return bytes; }});
  write_safetensors(file, std::move(out), {{k_own_metadata, "trained tensors, format 1"}});
}

}  // namespace engine
