#include "engine/interop/export.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <map>
#include <set>
#include <system_error>

#include "engine/data/json.h"
#include "engine/data/whole_file.h"
#include "engine/error.h"
#include "engine/interop/hybrid_settings.h"
#include "engine/interop/names.h"
#include "engine/model/config.h"
#include "engine/model/load.h"
#include "engine/model/safetensors.h"
#include "engine/torch_api.h"
#include "engine/train/checkpoint.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* k_copied[] = {"config.json",
                                    "generation_config.json",
                                    "tokenizer.json",
                                    "tokenizer.model",
                                    "tokenizer_config.json",
                                    "special_tokens_map.json",
                                    "added_tokens.json",
                                    "vocab.json",
                                    "merges.txt",
                                    "chat_template.jinja",
                                    "chat_template.json",
                                    "model.safetensors.index.json"};

[[noreturn]] void fail(const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), path.string());
}

void sync(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) fail(path);
  const bool synced =
      ::fsync(fd) == 0 || errno == EINVAL;  // some file systems cannot sync a folder
  const int reason = errno;
  ::close(fd);
  errno = reason;
  if (!synced) fail(path);
}

/// A folder that becomes `target` whole, or goes.
class PendingFolder {
 public:
  explicit PendingFolder(const fs::path& to) : target_(fs::absolute(to).lexically_normal()) {
    if (!target_.has_filename()) target_ = target_.parent_path();
    std::error_code error;
    if (fs::exists(target_, error) &&
        !(fs::is_directory(target_, error) && fs::is_empty(target_, error)))
      throw InputError(
          target_.string() +
          ": is there already and not an empty folder; name a new one, or remove it first");
    fs::create_directories(target_.parent_path(), error);
    if (error)
      throw InputError(target_.parent_path().string() + ": cannot be made (" + error.message() +
                       ")");
    std::string name = target_.string() + ".part-XXXXXX";
    if (!::mkdtemp(name.data())) fail(name);
    path_ = name;
    ::chmod(path_.c_str(), 0755);  // mkdtemp makes it private
  }
  ~PendingFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  PendingFolder(const PendingFolder&) = delete;
  PendingFolder& operator=(const PendingFolder&) = delete;

  const fs::path& path() const { return path_; }
  const fs::path& target() const { return target_; }
  void keep() {
    for (const auto& entry : fs::recursive_directory_iterator(path_))
      sync(entry.path(), entry.is_directory() ? O_RDONLY | O_DIRECTORY : O_RDONLY);
    sync(path_, O_RDONLY | O_DIRECTORY);
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail(target_);
    path_.clear();
    sync(target_.parent_path(), O_RDONLY | O_DIRECTORY);
  }

 private:
  fs::path target_, path_;
};

void write_text(const fs::path& file, const std::string& text) {
  WholeFile out(file);
  out.write(text.data(), text.size());
  out.publish();
}

class Export {
 public:
  Export(const Subject& subject, const ExportOptions& options)
      : recipe_(subject.recipe),
        merge_(options.merge),
        run_(options.run),
        source_(model_folder(subject.recipe.model)),
        folder_(options.to),
        files_(source_),
        checkpoint_(load_checkpoint(subject.checkpoint.value())) {
    for (const auto& stage : recipe_.stages)
      if (!lora_ && stage.kind == "finetune" && stage.trainable == "lora") lora_ = &stage.lora;
    sort_tensors();
  }

  ExportReport run() {
    for (const char* name : k_copied)
      if (fs::is_regular_file(source_ / name)) fs::copy_file(source_ / name, folder_.path() / name);
    write_weights();
    if (!merge_ && !adapters_.empty()) write_adapter();
    write_tensors(folder_.path() / k_hybrid_tensors, hybrid_,
                  {{k_own_metadata, "hybrid, format 1"}});
    const std::string adapters = adapters_.empty() ? "none" : merge_ ? "merged" : k_adapter_folder;
    write_text(folder_.path() / k_hybrid_settings,
               hybrid_json({recipe_, run_, checkpoint_.state.global_step(), checkpoint_.state.stage,
                            adapters, !weights_.empty()}));
    return finish();
  }

 private:
  struct Adapter {
    Tensor a, b;
  };

  /// Adapters by the weight that they change, trained weights by name, and the conversion's own.
  void sort_tensors() {
    for (auto& [name, tensor] : checkpoint_.trained) {
      if (name.starts_with("lora.")) {
        const auto weight = adapted_weight(name);
        (name.ends_with(".a") ? adapters_[weight].a : adapters_[weight].b) = tensor;
      } else if (files_.find(name)) {
        weights_[name] = tensor;
      } else if (name.starts_with("model.") || name.starts_with("lm_head.")) {
        misfit(name);
      } else {
        hybrid_[name] = tensor;
      }
    }
    for (const auto& [weight, adapter] : adapters_) {
      const auto* entry = files_.find(weight);
      if (!lora_ || !entry || entry->shape.size() != 2 || !adapter.a.defined() ||
          !adapter.b.defined() || adapter.b.size(0) != entry->shape[0] ||
          adapter.a.size(1) != entry->shape[1] || adapter.a.size(0) != adapter.b.size(1))
        misfit("the adapter of " + weight);
    }
    for (const auto& [name, tensor] : weights_)
      if (tensor.sizes() != torch::IntArrayRef(files_.find(name)->shape)) misfit(name);
  }

  [[noreturn]] void misfit(const std::string& what) const {
    throw InputError(recipe_.model + ": the checkpoint does not fit this model: " + what +
                     " has no weight of its shape there");
  }

  /// "lora.3.q.a" → "model.layers.3.self_attn.q_proj.weight"
  std::string adapted_weight(const std::string& name) const {
    const auto dot = name.find('.', 5);
    const std::string layer = name.substr(5, dot - 5),
                      target = name.substr(dot + 1, name.rfind('.') - dot - 1);
    for (const auto& t : projection_targets())
      if (t.name == target) return "model.layers." + layer + "." + t.module + ".weight";
    misfit(name);
  }

  bool changed(const std::string& name) const {
    return weights_.contains(name) || (merge_ && adapters_.contains(name));
  }

  /// Shards keep their names and what they hold; one whose tensors all stay is copied as it is.
  void write_weights() {
    for (const auto& file : files_.files()) {
      const fs::path to = folder_.path() / file.path().filename();
      if (std::ranges::none_of(file.tensors(), [&](const auto& e) { return changed(e.name); })) {
        fs::copy_file(file.path(), to);
        continue;
      }
      std::vector<SafetensorsSource> out;
      for (const auto& entry : file.tensors())
        out.push_back({entry.name, entry.dtype, entry.shape, [this, &entry] {
                         return changed(entry.name) ? new_bytes(entry) : entry.bytes;
                       }});
      auto metadata = file.metadata();
      metadata.emplace("format", "pt");  // transformers refuses a file that does not say so
      write_safetensors(to, std::move(out), metadata);
    }
  }

  /// Valid until the next call, so that one tensor at a time is in memory.
  std::span<const std::byte> new_bytes(const SafetensorsEntry& entry) {
    const auto trained = weights_.find(entry.name);
    const Tensor stored = stored_tensor(entry, source_);
    Tensor wide = (trained != weights_.end() ? trained->second : stored).to(torch::kFloat32);
    const auto adapter = adapters_.find(entry.name);
    if (merge_ && adapter != adapters_.end())
      wide = wide +
             adapter->second.b.to(torch::kFloat32).matmul(adapter->second.a.to(torch::kFloat32)) *
                 (lora_->alpha / static_cast<double>(adapter->second.a.size(0)));
    held_ = wide.to(stored.scalar_type()).contiguous();
    if (!held_.isfinite().all().item<bool>())
      throw InputError(entry.name + ": is not finite once it is stored as " +
                       to_string(entry.dtype));
    const double largest = wide.abs().max().item<double>();
    if (largest > 0)
      report_.largest_rounding =
          std::max(report_.largest_rounding,
                   (held_.to(torch::kFloat32) - wide).abs().max().item<double>() / largest);
    return {static_cast<const std::byte*>(held_.data_ptr()), held_.nbytes()};
  }

  void write_adapter() {
    const fs::path to = folder_.path() / k_adapter_folder;
    fs::create_directory(to);
    std::map<std::string, Tensor> tensors;
    std::int64_t rank = 0;
    for (const auto& [weight, adapter] : adapters_) {
      const std::string module = "base_model.model." + weight.substr(0, weight.rfind('.'));
      tensors[module + ".lora_A.weight"] = adapter.a;
      tensors[module + ".lora_B.weight"] = adapter.b;
      rank = adapter.a.size(0);
    }
    write_tensors(to / k_adapter_tensors, tensors, {{"format", "pt"}});
    write_text(to / k_adapter_settings, adapter_json(rank).dump(2) + "\n");
  }

  /// Targets and layers are those that have an adapter, whatever the recipe says.
  nlohmann::ordered_json adapter_json(std::int64_t rank) const {
    std::set<std::int64_t> adapted;
    std::set<std::string> targets;
    for (const auto& [weight, adapter] : adapters_) {
      adapted.insert(std::stoll(weight.substr(std::string_view("model.layers.").size())));
      const std::string module = weight.substr(0, weight.rfind('.'));
      targets.insert(module.substr(module.rfind('.') + 1));
    }
    nlohmann::ordered_json modules = nlohmann::ordered_json::array(), layers = nullptr,
                           pattern = nullptr, alpha = lora_->alpha;
    for (const auto& t : projection_targets()) {
      const std::string module = t.module.substr(t.module.find('.') + 1);
      if (targets.contains(module)) modules.push_back(module);
    }
    if (std::ssize(adapted) < load_model_config(source_).layers)
      layers = adapted, pattern = "layers";
    if (lora_->alpha == std::floor(lora_->alpha)) alpha = static_cast<std::int64_t>(lora_->alpha);
    return {{"peft_type", "LORA"},
            {"task_type", "CAUSAL_LM"},
            {"base_model_name_or_path", folder_.target().string()},
            {"r", rank},
            {"lora_alpha", alpha},
            {"lora_dropout", lora_->dropout},
            {"target_modules", modules},
            {"layers_to_transform", layers},
            {"layers_pattern", pattern},
            {"bias", "none"},
            {"fan_in_fan_out", false},
            {"modules_to_save", nullptr},
            {"use_rslora", false},
            {"use_dora", false},
            {"init_lora_weights", true},
            {"inference_mode", true}};
  }

  ExportReport finish() {
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (!entry.is_regular_file()) continue;
      report_.files.push_back(entry.path().lexically_relative(folder_.path()).string());
      report_.bytes += static_cast<std::int64_t>(entry.file_size());
    }
    std::ranges::sort(report_.files);
    report_.adapters = std::ssize(adapters_);
    report_.trained_weights = std::ssize(weights_);
    report_.hybrid_tensors = std::ssize(hybrid_);
    folder_.keep();
    report_.folder = folder_.target();
    return report_;
  }

  const Recipe& recipe_;
  const bool merge_;
  const std::string run_;
  const fs::path source_;
  PendingFolder folder_;
  const SafetensorsFolder files_;
  CheckpointData checkpoint_;
  const LoraSpec* lora_ = nullptr;
  std::map<std::string, Adapter> adapters_;
  std::map<std::string, Tensor> weights_, hybrid_;
  Tensor held_;
  ExportReport report_;
};

}  // namespace

ExportReport export_model(const Subject& subject, const ExportOptions& options) {
  return Export(subject, options).run();
}

}  // namespace engine
