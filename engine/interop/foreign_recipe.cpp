#include "engine/interop/foreign_recipe.h"

#include <algorithm>
#include <map>

#include "engine/interop/field_table.h"
#include "engine/recipe_internal.h"

namespace engine {
namespace {

class Merge {
 public:
  explicit Merge(const std::vector<ForeignFile>& files) { load(files); }

  ForeignRecipe run() {
    if (!result_.problems.empty()) return std::move(result_);
    read();
    result_.recipe.name = "imported";
    apply();
    for (auto& table : tables_) std::ranges::move(table.fields, std::back_inserter(result_.fields));
    finish();
    return std::move(result_);
  }

 private:
  void load(const std::vector<ForeignFile>& files) {
    for (const auto& file : files) {
      const std::string refused = unreadable_yaml(file.text).value_or("");
      try {
        if (!refused.empty()) throw YAML::Exception(YAML::Mark(), refused);
        const YAML::Node root = YAML::Load(file.text);
        if (!root.IsMap())
          throw YAML::Exception(YAML::Mark(),
                                "expected keys such as \"attention:\" or \"trainer:\" at the top");
        tables_.emplace_back(file.name, root);
        if (kind_of(tables_.back()) == Kind::unknown)
          result_.problems.push_back(
              {"", file.name + ": is neither LoLCATs' model file (attention.attention_type) nor "
                               "its experiment file "
                               "(trainer.name), nor Liger's (model.name and train.lr)"});
      } catch (const YAML::Exception& e) {
        result_.problems.push_back(
            {"", file.name + ": line " + std::to_string(e.mark.line + 1) + ": " + e.msg});
      }
    }
  }

  enum class Kind { model, transfer, finetune, liger, unknown };

  static Kind kind_of(const FieldTable& t) {
    if (is_lolcats_model(t)) return Kind::model;
    if (is_lolcats_experiment(t)) return is_lolcats_transfer(t) ? Kind::transfer : Kind::finetune;
    return is_liger(t) ? Kind::liger : Kind::unknown;
  }

  void read() {
    ForeignModel model;
    std::size_t models = 0, stages = 0;
    for (auto& t : tables_)
      if (kind_of(t) == Kind::model) read_lolcats_model(t, model, result_.problems), ++models;
    if (models > 1)
      result_.problems.push_back({"attention", "two model files; a recipe has one model"});
    auto next_stage = [&] { return "stages[" + std::to_string(stages++) + "]."; };
    for (const Kind kind : {Kind::transfer, Kind::liger, Kind::finetune})
      for (auto& t : tables_) {
        if (kind_of(t) != kind) continue;
        if (kind == Kind::liger)
          read_liger(t, next_stage(), result_.problems);
        else
          read_lolcats_experiment(t, model, next_stage(), result_.problems);
      }
    result_.recipe.stages.resize(stages);
  }

  void apply() {
    struct One {
      ForeignAssignment assignment;
      ForeignField* field;
    };
    std::vector<One> all;
    for (auto& table : tables_)
      for (const auto& a : table.assignments) all.push_back({a, &table.fields[a.field]});
    std::ranges::stable_sort(all, {}, [](const One& one) { return key_rank(one.assignment.key); });
    std::map<std::string, std::string> said;
    for (const auto& [a, field] : all) {
      const auto problem = set_field(result_.recipe, a.key, a.value);
      auto doubt = [&](const std::string& why) {
        field->reading = Reading::ambiguous;
        field->why += (field->why.empty() ? "" : "; ") + why;
      };
      if (problem) {
        doubt("cannot be " + problem->path + ": " + problem->message);
        continue;
      }
      field->became += (field->became.empty() ? "" : ", ") + a.key + " = " + a.value;
      const auto [before, is_new] = said.emplace(a.key, a.value);
      if (!is_new && before->second != a.value) {
        doubt("another file says " + before->second + "; the last one counts");
        before->second = a.value;
      }
    }
  }

  /// A model that is not the embedded one has no built-in text and tasks.
  void finish() {
    Recipe& r = result_.recipe;
    if (r.model != "builtin:tiny" && r.evaluation.tasks == Recipe{}.evaluation.tasks) {
      r.evaluation.tasks = {"perplexity"};
      result_.fields.push_back(
          {"", "(code)", "", Reading::ambiguous, "evaluation.tasks = perplexity",
           "the other program evaluates elsewhere; name tasks and evaluation.data"});
    }
    for (const auto& p : check(r))
      if (!p.warning) result_.unsettled.push_back(p);
  }

  std::vector<FieldTable> tables_;
  ForeignRecipe result_;
};

}  // namespace

const char* to_string(Reading reading) {
  return reading == Reading::understood ? "understood"
         : reading == Reading::ignored  ? "ignored"
                                        : "ambiguous";
}

ForeignRecipe read_foreign_recipe(const std::vector<ForeignFile>& files) {
  return Merge(files).run();
}

}  // namespace engine
