#include "engine/interop/hybrid_settings.h"

#include <algorithm>

#include "engine/data/json.h"
#include "engine/error.h"
#include "engine/interop/names.h"
#include "engine/recipe_internal.h"

namespace engine {
namespace {

using Ordered = nlohmann::ordered_json;

Ordered json_of(const Value& value) {
  return std::visit([](const auto& v) { return Ordered(v); }, value);
}

/// Every field below `prefix`, nested by its dots.
Ordered block(Recipe recipe, const std::string& prefix) {
  Ordered out = Ordered::object();
  for (const auto& field : fields(recipe)) {
    if (!field.info.path.starts_with(prefix)) continue;
    Ordered* at = &out;
    std::string rest = field.info.path.substr(prefix.size());
    for (auto dot = rest.find('.'); dot != rest.npos; dot = rest.find('.')) {
      at = &(*at)[rest.substr(0, dot)];
      rest.erase(0, dot + 1);
    }
    (*at)[rest] = json_of(field.get());
  }
  return out;
}

const StageSpec* lora_stage(const Recipe& recipe) {
  for (const auto& stage : recipe.stages)
    if (stage.kind == "finetune" && stage.trainable == "lora") return &stage;
  return nullptr;
}

Ordered tensor_notes() {
  return {{"maps.<layer>.q.weight",
           "W of the queries' feature map, [heads, head_dim, columns], float32: φ(x) = σ(Wᵀx + b) "
           "⊕ σ(−Wᵀx − b)"},
          {"maps.<layer>.k.weight",
           "the same for keys, one a query head: keys are repeated to query heads first"},
          {"maps.<layer>.weight", "one for both, where feature_map.tied is true"},
          {"maps.<layer>.q.bias", "b, where feature_map.bias is true"},
          {"mixing.<layer>",
           "[heads], float32: its sigmoid is the weight of the window branch (or of the softmax "
           "terms, shared-denominator)"},
          {"mixing.<layer>.gate",
           "[heads, width], float32, gated: the weight is sigmoid(gate·x + mixing.<layer>), x the "
           "attention's input"},
          {"others", "named as in the run's checkpoints"}};
}

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const auto& item : value) text += (text.empty() ? "" : ", ") + text_of(item);
  return text;
}

void collect(const JsonView& view, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& out) {
  for (const auto& [key, child] : view.fields()) {
    if (child.is_object())
      collect(child, path + "." + key, out);
    else
      out.emplace_back(path + "." + key, text_of(child.raw()));
  }
}

void set_block(Recipe& recipe, const JsonView& view, const std::string& path) {
  std::vector<std::pair<std::string, std::string>> values;
  collect(view, path, values);
  std::ranges::stable_sort(values, {}, [](const auto& v) { return key_rank(v.first); });
  for (const auto& [key, text] : values)
    if (const auto problem = set_field(recipe, key, text))
      throw InputError(view.source() + ": " + problem->path + ": " + problem->message);
}

}  // namespace

std::string hybrid_json(const HybridSettings& s) {
  const StageSpec* lora = lora_stage(s.recipe);
  Ordered adapters = nullptr;
  if (lora && s.adapters != "none") {
    const auto index = std::to_string(lora - s.recipe.stages.data());
    adapters = block(s.recipe, "stages[" + index + "].lora.");
  }
  return Ordered{{"format", 1},
                 {"about",
                  "Equipoise converted this model's attention. A program that knows nothing of it "
                  "computes full softmax attention; "
                  "hybrid.safetensors and \"attention\" rebuild the conversion."},
                 {"attention", block(s.recipe, "attention.")},
                 {"adapters", s.adapters},
                 {"lora", adapters},
                 {"weights", s.trained_weights ? "trained" : "base"},
                 {"run",
                  {{"name", s.run},
                   {"seed", s.recipe.seed},
                   {"recipe_hash", recipe_hash(s.recipe)},
                   {"stage", s.stage},
                   {"step", s.step}}},
                 {"tensors", tensor_notes()}}
             .dump(1) +
         "\n";
}

Recipe recipe_of_export(const std::filesystem::path& folder) {
  const JsonDocument document = read_json(folder / k_hybrid_settings, k_config_limits);
  const JsonView view = document.view();
  if (view.at("format").as_integer() != 1)
    view.at("format").fail("made by a newer version; expected 1");
  Recipe recipe;
  recipe.name = folder.filename().empty() ? folder.parent_path().filename().string()
                                          : folder.filename().string();
  recipe.model = recipe.start_from = std::filesystem::absolute(folder).lexically_normal().string();
  if (view.at("adapters").as_string() == k_adapter_folder) {
    recipe.stages.push_back(stage_defaults("finetune"));
    set_block(recipe, view.at("lora"), "stages[0].lora");
  }
  set_block(recipe, view.at("attention"), "attention");
  return recipe;
}

}  // namespace engine
