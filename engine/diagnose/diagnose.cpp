#include "engine/diagnose.h"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "engine/diagnose/session.h"
#include "engine/inspect_tokens.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

using Ids = std::vector<std::int32_t>;

/// The windows and weights that are tried where nothing is asked for.
std::vector<WhatIf> default_sweep(const Patient& p) {
  std::vector<WhatIf> all;
  auto add = [&](auto change) {
    WhatIf w;
    change(w);
    all.push_back(std::move(w));
  };
  for (const std::int64_t window : {8, 16, 32, 64, 128, 256, 512}) {
    if (window > p.model().config.max_positions) continue;
    for (const char* component : {"hybrid", "swa"}) add([&](WhatIf& w) { w.window = window, w.component = component; });
  }
  for (const double g : {0.0, 0.25, 0.5, 0.75, 1.0}) add([&](WhatIf& w) { w.weight = g; });
  add([&](WhatIf& w) { w.context = p.overlap() ? "outside" : "overlap"; });
  add([](WhatIf& w) { w.component = "swa+sinks"; });
  return all;
}

/// Why weights on keys do not sum to one, and which figures that rules out; empty: they do.
std::string without_mass(const Patient& p) {
  if (p.has_mass()) return {};
  const bool group = p.work.conversion.linear.normaliser == Normaliser::group_norm;
  return std::string("Does not apply here: attention mass, peak distances, linear and hybrid maps, denominators. Linear attention is ") +
         (group ? "group-normed, not divided by Σφφ" : "not divided by Σφφ") + ", so its weights on keys do not sum to one.";
}

/// A diagnosis in the making: what has been scored is scored once.
class Examination {
 public:
  Examination(const Subject& subject, const DiagnoseOptions& options, const Watch& watch)
      : options_(options), watch_(watch), recipe_(subject.recipe) {
    recipe_.evaluation.tasks = options.tasks;
    if (!options.data.empty()) recipe_.evaluation.data = options.data;
    recipe_.evaluation.limit = options.limit;
    report(watch_, 0, "models opened");
    Subject own = subject;
    own.recipe = recipe_;
    patient_.emplace(open_patient(own, options.window));
    d_.model = recipe_.model, d_.name = recipe_.name;
    d_.checkpoint = subject.checkpoint ? subject.checkpoint->filename().string() : "the conversion's start";
    d_.recipe_hash = engine::recipe_hash(subject.recipe);
    d_.seed = recipe_.seed, d_.window = patient_->window;
    d_.no_mass = without_mass(*patient_);
    d_.layers = patient_->model().config.layers, d_.heads = patient_->model().config.heads;
  }

  Diagnosis run() {
    const auto begin = std::chrono::steady_clock::now();
    const std::clock_t cpu = std::clock();
    load_cases();
    if (any({"maps", "examples"})) prompt_ = prompt_ids();
    const bool scores = any({"exposure", "distance", "length", "whatif", "examples", "verdict"});
    if (scores) score_cases();
    if (wants("exposure")) d_.exposure = exposure_rows(cases_, outcomes_), d_.exposure.insert(d_.exposure.end(), unscored_.begin(), unscored_.end());
    if (wants("distance")) distances();
    if (wants("length")) lengths();
    const auto texts = texts_of(cases_, options_.rows, most_tokens());
    if (wants("layers")) d_.inside = measure_inside(*patient_, texts, watch_);
    if (wants("knockout")) d_.knockouts = measure_knockouts(*patient_, cases_, everything(), d_.notes, watch_);
    if (wants("maps")) d_.maps = measure_maps(*patient_, prompt_, options_.map, watch_);
    if (wants("features")) d_.features = measure_features(*patient_, texts, watch_);
    if (wants("whatif"))
      d_.what_if = measure_what_if(*patient_, cases_, outcomes_.at("hybrid"),
                                   options_.what_if.empty() ? default_sweep(*patient_) : options_.what_if, watch_);
    if (wants("examples")) examples();
    if (wants("verdict")) judge();
    d_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    d_.cpu_seconds = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
    return std::move(d_);
  }

 private:
  bool wants(const std::string& part) {
    if (!options_.what.empty() && std::ranges::count(options_.what, part) == 0) return false;
    if (std::ranges::count(d_.parts, part) == 0) d_.parts.push_back(part);
    return true;
  }
  bool any(std::initializer_list<const char*> parts) const {
    return options_.what.empty() || std::ranges::any_of(parts, [&](const char* p) { return std::ranges::count(options_.what, p) > 0; });
  }
  Chosen everything() const {
    return choose(cases_, [](const Case&) { return true; });
  }

  void load_cases() {
    const auto tasks = load_eval_tasks(recipe_.evaluation, patient_->work.tokenizer, patient_->model().config.max_positions, {});
    CaseSet set = cases_of(tasks, d_.window, options_.limit);
    cases_ = std::move(set.cases), unscored_ = std::move(set.unscored);
    d_.notes.insert(d_.notes.end(), set.notes.begin(), set.notes.end());
    if (!options_.probe.empty()) std::erase_if(cases_, [&](const Case& c) { return c.group != options_.probe; });
    if (cases_.empty() && any({"layers", "knockout", "features", "whatif", "examples", "length"}))
      throw InputError("diagnose: none of the tasks has choices to score; name one that has (builtin:all, piqa, lambada_openai, …)");
  }

  /// Settings are compared with the stored hybrid only.
  std::vector<std::string> needed() const {
    if (options_.what == std::vector<std::string>{"whatif"}) return {"hybrid"};
    return {"teacher", "hybrid", "swa", "linear", "none"};
  }

  Outcomes scored(const std::vector<Case>& cases) {
    const ChainScorer scorer(cases, choose(cases, [](const Case&) { return true; }), patient_->model().device());
    Outcomes out;
    for (const auto& name : needed()) {
      report(watch_, std::ssize(out), "components scored");
      const Component c = component_from(name);
      out[name] = scorer.score(c == Component::teacher ? patient_->teacher() : patient_->model(), &patient_->work.conversion, patient_->options(c), watch_);
    }
    return out;
  }

  void score_cases() {
    if (cases_.empty()) return;
    outcomes_ = scored(cases_);
    for (const auto& name : component_names())
      if (const auto found = outcomes_.find(name); found != outcomes_.end())
        d_.components.push_back(score_of(name, cases_, found->second, everything()));
  }

  void lengths() {
    auto prompt = [](const Case& c) { return c.prompt_tokens; };
    d_.length.push_back(profile_of("all tasks", cases_, outcomes_, everything(), prompt));
    std::vector<std::string> groups;
    for (const auto& c : cases_)
      if (std::ranges::count(groups, c.group) == 0) groups.push_back(c.group);
    if (groups.size() < 2) return;
    for (const auto& g : groups)
      d_.length.push_back(profile_of(g, cases_, outcomes_, choose(cases_, [&](const Case& c) { return c.group == g; }), prompt));
  }

  void distances() {
    auto far = [](const Case& c) { return c.distance; };
    std::vector<std::string> profiles;
    for (const auto& c : cases_)
      if (!c.profile.empty() && std::ranges::count(profiles, c.profile) == 0) profiles.push_back(c.profile);
    for (const auto& name : profiles)
      d_.distance.push_back(profile_of(name, cases_, outcomes_, choose(cases_, [&](const Case& c) { return c.profile == name; }), far));
    const ModelConfig& c = patient_->model().config;
    for (auto& probe : make_probes(patient_->work.tokenizer, c.vocabulary, c.max_positions, d_.window,
                                   std::min(options_.max_distance, c.max_positions), options_.probe_sequences)) {
      Profile p{probe.name, probe.problem, {}};
      if (probe.problem.empty())
        p = profile_of(probe.name, probe.cases, scored(probe.cases), choose(probe.cases, [](const Case&) { return true; }), far);
      d_.distance.push_back(std::move(p));
    }
  }

  /// An example's text is cut to what the model takes.
  std::int64_t most_tokens() const { return std::min(options_.row_tokens, patient_->model().config.max_positions); }

  Ids prompt_ids() const {
    Ids ids;
    if (!options_.map.prompt.empty()) ids = patient_->work.tokenizer.encode(options_.map.prompt, true);
    else if (!cases_.empty()) ids = texts_of(cases_, 1, most_tokens()).front();
    if (ids.empty()) throw InputError("diagnose: the prompt is empty and no task gives one");
    if (std::ssize(ids) > patient_->model().config.max_positions)
      throw InputError("diagnose: the prompt's " + std::to_string(ids.size()) + " tokens are more than the model's " +
                       std::to_string(patient_->model().config.max_positions) + " positions");
    return ids;
  }

  void examples() {
    d_.examples = measure_examples(*patient_, cases_, outcomes_, options_.examples, watch_);
    Ids ids = prompt_;
    if (options_.map.prompt.empty() && std::ssize(ids) > 96) ids.resize(96);  // an example's beginning, to be gone on with
    d_.prompt = patient_->work.tokenizer.decode(ids, true);
    d_.continuations = measure_continuations(*patient_, ids, options_.generated, watch_);
  }

  void judge() {
    VerdictBasis basis;
    basis.window = d_.window, basis.overlap = patient_->overlap();
    if (!d_.inside.empty()) basis.inside = &d_.inside;
    if (!d_.knockouts.empty()) basis.knockouts = &d_.knockouts;
    if (!d_.distance.empty()) basis.distance = &d_.distance;
    d_.verdict = verdict_of(cases_, outcomes_, basis);
  }

  const DiagnoseOptions& options_;
  const Watch& watch_;
  Recipe recipe_;
  Ids prompt_;  ///< of the maps and the continuations
  std::optional<Patient> patient_;
  std::vector<Case> cases_;
  std::vector<Exposure> unscored_;
  Outcomes outcomes_;
  Diagnosis d_;
};

}  // namespace

Diagnosis diagnose(const Subject& subject, const DiagnoseOptions& options, const Watch& watch) {
  for (const auto& part : options.what)
    if (std::ranges::count(diagnosis_parts(), part) == 0) {
      std::string names;
      for (const auto& p : diagnosis_parts()) names += (names.empty() ? "" : ", ") + p;
      throw InputError("diagnose: unknown part \"" + part + "\"; expected " + names);
    }
  return Examination(subject, options, watch).run();
}

}  // namespace engine
