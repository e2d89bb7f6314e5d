#include "engine/recipe.h"

#include <algorithm>
#include <cmath>

#include "engine/data/tasks.h"
#include "engine/data/tiny_corpus.h"
#include "engine/error.h"
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

void check_attention(const AttentionSpec& a, std::vector<Problem>& problems) {
  check_map(a.feature_map, problems);
  const bool fades = a.linear.decay != "none" || a.mixing.kind == "gla";
  if (a.mixing.kind == "shared-denominator" && (a.linear.normaliser != "sum" || fades))
    problems.push_back({"attention.linear.normaliser", "a shared denominator is a sum: use normaliser sum and decay none"});
  if (fades && a.window_layout != "sliding")
    problems.push_back({"attention.window_layout", "a fading state is defined for the sliding window only"});
  if (a.mixing.kind == "gla" && a.linear.decay != "none")
    problems.push_back({"attention.linear.decay", "gla brings its own decay: use none"});
  for (auto layer : a.softmax_layers)
    if (std::ranges::count(a.skipped_layers, layer) > 0)
      problems.push_back({"attention.skipped_layers", "layer " + std::to_string(layer) + " is in softmax_layers too"});
}

std::vector<std::string> summands(const std::string& metric) {
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= metric.size();) {
    const std::size_t end = std::min(metric.find('+', at), metric.size());
    const auto first = metric.find_first_not_of(' ', at), last = metric.find_last_not_of(' ', end - 1);
    names.push_back(first >= end || end == at ? "" : metric.substr(first, last - first + 1));
    at = end + 1;
  }
  return names;
}

void check_early_stop(const Recipe& r, const StageSpec& s, const std::string& prefix, std::vector<Problem>& problems) {
  if (s.early_stopping.metric.empty()) return;
  const auto& components = r.evaluation.components;
  static constexpr const char* k_series[] = {"share/", "denominator/", "map/", "mixing/"};
  for (const auto& metric : summands(s.early_stopping.metric)) {
    auto needs = [&](const std::string& a, const std::string& b) {
      if (!contains(components, a) || !contains(components, b))
        problems.push_back({prefix + "early_stopping.metric", metric + " needs the components " + a + " and " + b +
                                                                  " in evaluation.components"});
    };
    if (metric == "delta_h_swa") needs("hybrid", "swa");
    else if (metric == "delta_la_na") needs("linear", "none");
    else if (metric.starts_with("accuracy/")) needs(metric.substr(9), metric.substr(9));
    else if (metric != "validation/loss" && std::ranges::none_of(k_series, [&](const char* p) { return metric.starts_with(p); }))
      problems.push_back({prefix + "early_stopping.metric",
                          "\"" + metric + "\" is not measured; expected delta_h_swa, delta_la_na, validation/loss, accuracy/<component>, "
                          "a series that begins with share/, denominator/, map/ or mixing/, or a sum of these"});
  }
  if (r.evaluation.every == 0)
    problems.push_back({prefix + "early_stopping.metric", "early stopping needs evaluation.every above 0"});
}

void check_transfer(const Recipe& r, const StageSpec& s, const std::string& prefix, std::vector<Problem>& problems) {
  const AttentionSpec& a = r.attention;
  const bool mixing_learns = a.mixing.kind != "fixed" && a.mixing.kind != "gla" && a.mixing.trainable;
  if (!a.feature_map.learned && !mixing_learns)
    problems.push_back({prefix + "kind", "nothing to train: the feature map has no W and the mixing is fixed"});
  else if (!a.feature_map.learned && s.objective != "hybrid-outputs")
    problems.push_back({prefix + "objective", "only hybrid-outputs reaches the mixing; the map has no W to train"});
  const bool weighs = s.objective == "attention-weights" || s.weights_loss_scale > 0;
  if (weighs && (a.linear.normaliser != "sum" || a.linear.decay != "none" || a.mixing.kind == "gla"))
    problems.push_back({prefix + "objective", "attention weights are compared as shares of a sum: this linear branch has none; use attention-outputs or hybrid-outputs"});
}

void check_stage(const Recipe& r, std::size_t index, std::vector<Problem>& problems) {
  const StageSpec& s = r.stages[index];
  const std::string prefix = "stages[" + std::to_string(index) + "].";
  check_early_stop(r, s, prefix, problems);
  if (s.kind == "transfer") check_transfer(r, s, prefix, problems);
  if (s.kind != "finetune") return;
  if (s.trainable == "lora" && s.lora.targets.empty())
    problems.push_back({prefix + "lora.targets", "name at least one of q, k, v, o, gate, up, down"});
  if (s.component == "linear" && !s.schedule.dropout.empty())
    problems.push_back({prefix + "schedule.dropout", "the linear component has no window branch to drop"});
  for (std::size_t j = 0; j < index; ++j) {
    const StageSpec& before = r.stages[j];
    if (before.kind == "finetune" && before.trainable == "lora" && s.trainable == "lora" &&
        (before.lora.rank != s.lora.rank || before.lora.alpha != s.lora.alpha || before.lora.targets != s.lora.targets ||
         before.lora.layers != s.lora.layers))
      problems.push_back({prefix + "lora.rank", "every LoRA stage trains the same adapters: give it rank, alpha, targets and layers of stages[" +
                                                    std::to_string(j) + "]"});
  }
  const bool by_epoch = s.lr_schedule.unit == "epochs";
  const std::int64_t evaluations =
      r.evaluation.every > 0 && !by_epoch ? steps_per_epoch(r, s) * s.epochs / r.evaluation.every : s.epochs;
  if (s.lr_schedule.kind == "plateau" && evaluations <= s.lr_schedule.patience + 1)
    problems.push_back({prefix + "lr_schedule.patience",
                        "the rate cannot fall: " + std::to_string(evaluations) + " " + s.lr_schedule.unit + " are planned, a fall needs more than " +
                            std::to_string(s.lr_schedule.patience + 1),
                        true});
}

void check_tasks(const std::vector<std::string>& tasks, std::vector<Problem>& problems) {
  for (const auto& name : tasks) {
    if (name == "perplexity" || name.find(".yaml") != name.npos || name.find(".yml") != name.npos) continue;
    if (!name.starts_with("builtin:")) {
      try {
        expand_task_name(name);
      } catch (const InputError& e) {
        problems.push_back({"evaluation.tasks", e.what()});
      }
      continue;
    }
    std::vector<std::string> known{"builtin:all", "builtin:local", "builtin:far"};
    for (const auto& task : tiny_tasks()) known.push_back("builtin:" + task.name);
    if (std::ranges::find(known, name) == known.end())
      problems.push_back({"evaluation.tasks", "unknown task \"" + name + "\"; the nearest is \"" + nearest(name, known) + "\""});
  }
}

}  // namespace

std::vector<Problem> check(const Recipe& recipe) {
  std::vector<Problem> problems;
  Recipe copy = recipe;
  for (const auto& f : fields(copy)) check_value(f, problems);
  check_attention(recipe.attention, problems);
  if (recipe.stages.size() > 64) problems.push_back({"stages", "at most 64 stages"});
  for (std::size_t i = 0; i < recipe.stages.size(); ++i) check_stage(recipe, i, problems);
  if (recipe.evaluation.tasks.empty()) problems.push_back({"evaluation.tasks", "name at least one task, such as builtin:all"});
  check_tasks(recipe.evaluation.tasks, problems);
  if (recipe.evaluation.components.empty())
    problems.push_back({"evaluation.components", "name at least one component, such as hybrid"});
  // A task file of one's own may have its records beside it.
  const auto needs_no_data = [](const std::string& t) {
    return t.starts_with("builtin:") || t == "perplexity" || t.find(".yaml") != t.npos || t.find(".yml") != t.npos;
  };
  if (!std::ranges::all_of(recipe.evaluation.tasks, needs_no_data) && recipe.evaluation.data.empty())
    problems.push_back({"evaluation.data", "tasks other than builtin: need the folder of their files"});
  if (!recipe.stages.empty() && recipe.attention.window >= recipe.data.sequence_length)
    problems.push_back({"attention.window",
                        "no row of " + std::to_string(recipe.data.sequence_length) + " tokens leaves this window: linear attention learns nothing", true});
  if (recipe.data.path == "builtin:corpus" && recipe.data.sequence_length > 256)
    problems.push_back({"data.sequence_length", "documents of the built-in corpus have 256 tokens; use at most 256"});
  if (recipe.data.path == "builtin:corpus" && (recipe.data.bos != "tokenizer" || !recipe.data.validation_path.empty()))
    problems.push_back({recipe.data.bos != "tokenizer" ? "data.bos" : "data.validation_path",
                        "the built-in corpus brings its own document starts and held-out documents; leave this at its default"});
  if (recipe.model != "builtin:tiny" && recipe.data.path == "builtin:corpus")
    problems.push_back({"data.path", "the built-in corpus belongs to builtin:tiny; give a file or folder of text"});
  if (recipe.model != "builtin:tiny" && !std::all_of(recipe.evaluation.tasks.begin(), recipe.evaluation.tasks.end(),
                                                     [](const std::string& t) { return !t.starts_with("builtin:"); }))
    problems.push_back({"evaluation.tasks", "the built-in tasks belong to builtin:tiny; name tasks of evaluation.data"});
  return problems;
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
