#include "engine/recipe.h"

#include <algorithm>
#include <cmath>

#include "engine/recipe_internal.h"

namespace engine {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : ", ") + (w.empty() ? std::string("(empty)") : w);
  return out;
}

void check_number(const FieldInfo& info, double v, std::vector<Problem>& problems) {
  if (std::isfinite(v) && v >= info.min && v <= info.max) return;
  problems.push_back({info.path, to_text(Value(v)) + " is outside " + to_text(Value(info.min)) + " to " +
                                     to_text(Value(info.max))});
}

void check_word(const FieldInfo& info, const std::string& word, std::vector<Problem>& problems) {
  if (info.choices.empty() || info.open_choice) return;
  if (std::find(info.choices.begin(), info.choices.end(), word) != info.choices.end()) return;
  const std::string near = nearest(word, info.choices);
  problems.push_back({info.path, "\"" + word + "\" is not one of " + joined(info.choices) +
                                     (near.empty() ? "" : "; did you mean \"" + near + "\"?")});
}

void check_value(const Field& f, std::vector<Problem>& problems) {
  const Value value = f.get();
  if (const auto* i = std::get_if<std::int64_t>(&value)) check_number(f.info, static_cast<double>(*i), problems);
  if (const auto* d = std::get_if<double>(&value)) check_number(f.info, *d, problems);
  if (const auto* s = std::get_if<std::string>(&value)) check_word(f.info, *s, problems);
  if (const auto* l = std::get_if<std::vector<std::int64_t>>(&value))
    for (auto i : *l) check_number(f.info, static_cast<double>(i), problems);
  if (const auto* l = std::get_if<std::vector<double>>(&value))
    for (auto d : *l) check_number(f.info, d, problems);
  if (const auto* l = std::get_if<std::vector<std::string>>(&value))
    for (const auto& s : *l) check_word(f.info, s, problems);
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

void check_map(const FeatureMapSpec& m, std::vector<Problem>& problems) {
  if (m.size != "square" && m.size != "half") {
    const auto columns = from_text(m.size, Value(std::int64_t{0}));
    if (!columns || std::get<std::int64_t>(*columns) < 1 || std::get<std::int64_t>(*columns) > 4096)
      problems.push_back({"attention.feature_map.size", "expected square, half or a number from 1 to 4096"});
  }
  if (!m.learned && (m.bias || m.size != "square"))
    problems.push_back({"attention.feature_map.learned", "a map without W has neither bias nor size: remove those keys"});
}

void check_early_stop(const Recipe& r, const StageSpec& s, const std::string& prefix, std::vector<Problem>& problems) {
  const std::string& metric = s.early_stopping.metric;
  if (metric.empty()) return;
  const auto& components = r.evaluation.components;
  auto needs = [&](const std::string& a, const std::string& b) {
    if (!contains(components, a) || !contains(components, b))
      problems.push_back({prefix + "early_stopping.metric", metric + " needs the components " + a + " and " + b +
                                                                " in evaluation.components"});
  };
  if (metric == "delta_h_swa") needs("hybrid", "swa");
  else if (metric == "delta_la_na") needs("linear", "none");
  else if (metric.starts_with("accuracy/")) needs(metric.substr(9), metric.substr(9));
  else if (metric != "validation/loss")
    problems.push_back({prefix + "early_stopping.metric",
                        "expected delta_h_swa, delta_la_na, validation/loss or accuracy/<component>"});
  if (r.evaluation.every == 0)
    problems.push_back({prefix + "early_stopping.metric", "early stopping needs evaluation.every above 0"});
}

void check_stage(const Recipe& r, std::size_t index, std::vector<Problem>& problems) {
  const StageSpec& s = r.stages[index];
  const std::string prefix = "stages[" + std::to_string(index) + "].";
  check_early_stop(r, s, prefix, problems);
  if (s.kind == "transfer" && !r.attention.feature_map.learned && r.attention.mixing.kind == "fixed")
    problems.push_back({prefix + "kind", "nothing to train: the feature map has no W and the mixing is fixed"});
  if (s.kind == "transfer" && !r.attention.feature_map.learned && s.objective != "hybrid-outputs")
    problems.push_back({prefix + "objective", "only hybrid-outputs reaches the mixing; the map has no W to train"});
  if (s.kind != "finetune") return;
  if (s.trainable == "lora" && s.lora.targets.empty())
    problems.push_back({prefix + "lora.targets", "name at least one of q, k, v, o, gate, up, down"});
  if (s.component == "linear" && !s.schedule.dropout.empty())
    problems.push_back({prefix + "schedule.dropout", "the linear component has no window branch to drop"});
  for (std::size_t j = 0; j < index; ++j) {
    const StageSpec& before = r.stages[j];
    if (before.kind == "finetune" && before.trainable == "lora" && s.trainable == "lora" &&
        (before.lora.rank != s.lora.rank || before.lora.alpha != s.lora.alpha || before.lora.targets != s.lora.targets))
      problems.push_back({prefix + "lora.rank", "every LoRA stage trains the same adapters: give it rank, alpha and targets of stages[" +
                                                    std::to_string(j) + "]"});
  }
  const std::int64_t evaluations =
      r.evaluation.every > 0 ? steps_per_epoch(r, s) * s.epochs / r.evaluation.every : s.epochs;
  if (s.lr_schedule.kind == "plateau" && evaluations <= s.lr_schedule.patience + 1)
    problems.push_back({prefix + "lr_schedule.patience",
                        "the rate cannot fall: " + std::to_string(evaluations) + " evaluations are planned, a fall needs more than " +
                            std::to_string(s.lr_schedule.patience + 1),
                        true});
}

/// What every preset on the embedded default shares; two minutes on two cores.
Recipe embedded(const char* name) {
  Recipe r;
  r.name = name;
  r.data.tokens_per_epoch = 172'032;  // 84 steps of 8 × 256 tokens
  r.data.far_share = 1.0;
  r.attention.window = 32;
  r.attention.feature_map.size = "64";
  r.evaluation.every = 42;
  r.evaluation.limit = 40;
  return r;
}

StageSpec transfer_stage(const char* objective) {
  StageSpec s = stage_defaults("transfer");
  s.objective = objective;
  s.epochs = 3;
  s.accumulation = 1;
  s.learning_rate = 0.03;
  return s;
}

StageSpec finetune_stage(std::int64_t epochs) {
  StageSpec s = stage_defaults("finetune");
  s.epochs = epochs;
  s.accumulation = 1;
  s.learning_rate = 2e-3;
  s.train_feature_maps = true;
  s.lr_schedule.kind = "constant";  // a plateau could not act in so few evaluations
  return s;
}

}  // namespace

std::vector<Problem> check(const Recipe& recipe) {
  std::vector<Problem> problems;
  Recipe copy = recipe;
  for (const auto& f : fields(copy)) check_value(f, problems);
  check_map(recipe.attention.feature_map, problems);
  if (recipe.stages.size() > 64) problems.push_back({"stages", "at most 64 stages"});
  for (std::size_t i = 0; i < recipe.stages.size(); ++i) check_stage(recipe, i, problems);
  if (recipe.evaluation.tasks.empty()) problems.push_back({"evaluation.tasks", "name at least one task, such as builtin:all"});
  if (recipe.evaluation.components.empty())
    problems.push_back({"evaluation.components", "name at least one component, such as hybrid"});
  // A task file of one's own may have its records beside it.
  const auto needs_no_data = [](const std::string& t) {
    return t.starts_with("builtin:") || t == "perplexity" || t.find(".yaml") != t.npos || t.find(".yml") != t.npos;
  };
  if (!std::ranges::all_of(recipe.evaluation.tasks, needs_no_data) && recipe.evaluation.data.empty())
    problems.push_back({"evaluation.data", "tasks other than builtin: need the folder of their files"});
  if (recipe.data.path == "builtin:corpus" && recipe.data.sequence_length > 256)
    problems.push_back({"data.sequence_length", "documents of the built-in corpus have 256 tokens; use at most 256"});
  if (recipe.model != "builtin:tiny" && recipe.data.path == "builtin:corpus")
    problems.push_back({"data.path", "the built-in corpus belongs to builtin:tiny; give a file or folder of text"});
  if (recipe.model != "builtin:tiny" && !std::all_of(recipe.evaluation.tasks.begin(), recipe.evaluation.tasks.end(),
                                                     [](const std::string& t) { return !t.starts_with("builtin:"); }))
    problems.push_back({"evaluation.tasks", "the built-in tasks belong to builtin:tiny; name tasks of evaluation.data"});
  return problems;
}

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = [] {
    std::vector<Preset> out;
    Recipe ssd = embedded("ssd");
    ssd.stages = {transfer_stage("attention-weights"), finetune_stage(3)};
    ssd.stages[1].schedule.dropout = {0.9, 0.75, 0.5};
    out.push_back({"ssd", "SSD: scheduled sliding-window dropout",
                   "The window branch is dropped often at first, less later, so linear attention must learn to carry.", ssd});

    Recipe lolcats = embedded("lolcats");
    lolcats.attention.feature_map = *feature_map_preset("lolcats");
    lolcats.stages = {transfer_stage("hybrid-outputs"), finetune_stage(3)};
    lolcats.stages[1].train_feature_maps = false;
    out.push_back({"lolcats", "LoLCATs: hybrid outputs, then LoRA",
                   "The common recipe: match the hybrid's outputs, then fine-tune the hybrid.", lolcats});

    Recipe control = embedded("lolcats-matched");
    control.stages = {transfer_stage("hybrid-outputs"), finetune_stage(3)};
    out.push_back({"lolcats-matched", "LoLCATs with the remedies' feature map (matched control)",
                   "LoLCATs' objective with the same map and budget as SSD and HedgeCATs.", control});

    Recipe hedgecats = embedded("hedgecats");
    hedgecats.stages = {transfer_stage("attention-weights"), finetune_stage(3)};
    hedgecats.stages[1].early_stopping = {"delta_la_na", 3};
    out.push_back({"hedgecats", "HedgeCATs: weights transfer, then short hybrid LoRA",
                   "Linear attention learns the teacher's weights first; fine-tuning stops before it is forgotten.", hedgecats});

    Recipe inference = embedded("inference-hybrid");
    inference.stages = {transfer_stage("attention-weights")};
    inference.stages[0].epochs = 6;
    out.push_back({"inference-hybrid", "Inference-time hybrid: no hybrid training",
                   "Only linear attention is trained; the window is added when the model is used.", inference});
    return out;
  }();
  return all;
}

double dropout_at(const StageSpec& stage, std::int64_t epoch) {
  const auto& d = stage.schedule.dropout;
  if (d.empty()) return 0;
  return d[std::min<std::size_t>(static_cast<std::size_t>(std::max<std::int64_t>(epoch, 0)), d.size() - 1)];
}

std::int64_t window_at(const StageSpec& stage, const AttentionSpec& attention, std::int64_t epoch) {
  const auto& w = stage.schedule.window;
  if (w.empty()) return attention.window;
  return w[std::min<std::size_t>(static_cast<std::size_t>(std::max<std::int64_t>(epoch, 0)), w.size() - 1)];
}

std::int64_t steps_per_epoch(const Recipe& recipe, const StageSpec& stage) {
  const std::int64_t tokens = stage.tokens_per_epoch > 0 ? stage.tokens_per_epoch : recipe.data.tokens_per_epoch;
  const double per_step = static_cast<double>(recipe.data.sequence_length) * static_cast<double>(stage.batch_size) *
                          static_cast<double>(stage.accumulation);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(static_cast<double>(tokens) / per_step)));
}

std::int64_t evaluation_window(const Recipe& recipe) {
  return recipe.evaluation.window > 0 ? recipe.evaluation.window : recipe.attention.window;
}

}  // namespace engine
