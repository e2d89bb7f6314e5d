#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

#include "engine/diagnose.h"
#include "engine/hash_text.h"
#include "engine/subject_identity.h"

namespace nlohmann {
template <typename T>
struct adl_serializer<std::optional<T>> {
  static void to_json(ordered_json& j, const std::optional<T>& v) { v ? j = *v : j = nullptr; }
  static void from_json(const ordered_json& j, std::optional<T>& v) {
    if (j.is_null()) v.reset();
    else v = j.get<T>();
  }
};
}  // namespace nlohmann

namespace engine {

using Json = nlohmann::ordered_json;

#define EQUIPOISE_JSON(Type, ...)                                                                             \
  static void to_json(Json& j, const Type& v) { NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(EQUIPOISE_WRITE, __VA_ARGS__)) } \
  static void from_json(const Json& j, Type& v) { NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(EQUIPOISE_READ, __VA_ARGS__)) }
#define EQUIPOISE_WRITE(member) j[#member] = v.member;
#define EQUIPOISE_READ(member) j.at(#member).get_to(v.member);

EQUIPOISE_JSON(Estimate, value, low, high, n)
EQUIPOISE_JSON(Paired, difference, only_a, only_b, p, p_holm)
EQUIPOISE_JSON(WhatIf, component, weight, window, context, sinks, layers)
EQUIPOISE_JSON(Exposure, task, examples, exposed_examples, tokens, exposed_tokens, scored, delta_h_swa, delta_la_na, never_h_swa)
EQUIPOISE_JSON(ComponentScore, component, accuracy, loss)
EQUIPOISE_JSON(Bin, low, high, examples, exposed, scores, delta_h_swa, delta_la_na)
EQUIPOISE_JSON(Profile, name, problem, bins)
EQUIPOISE_JSON(HeadReport, layer, head, share, exposed_share, linear_mass, teacher_mass, cosine_swa, cosine_linear, cosine_hybrid,
               peak_distance, peak_weight, teacher_peak_distance, teacher_peak_weight)
EQUIPOISE_JSON(KnockOut, layer, head, branch, damage, accuracy)
EQUIPOISE_JSON(MapView, name, cells, entropy, divergence, mean_entropy, mean_divergence)
EQUIPOISE_JSON(AttentionMaps, layer, head, tokens, first, last, rows, pieces, views)
EQUIPOISE_JSON(FeatureReport, layer, head, side, distance, condition, effective_rank, features, dead, saturated)
EQUIPOISE_JSON(DenominatorReport, layer, least, below_epsilon, rows, log_low, log_high, histogram)
EQUIPOISE_JSON(FeatureHealth, maps, denominators)
EQUIPOISE_JSON(WhatIfResult, setting, text, all, tasks, against_stored, seconds)
EQUIPOISE_JSON(TokenDifference, text, nats)
EQUIPOISE_JSON(ChoiceLikelihood, log_likelihood, greedy)
EQUIPOISE_JSON(ComponentScores, component, choices, best, best_norm, right)
EQUIPOISE_JSON(ExampleReport, task, doc_id, gold, exposed, hybrid_right, swa_right, choices, scores, prompt)
EQUIPOISE_JSON(Continuation, component, text)
EQUIPOISE_JSON(DiagnosisVerdict, use, headline, paragraph, delta_h_swa, delta_la_na, examples, exposed, needed)
EQUIPOISE_JSON(Diagnosis, name, model, checkpoint, recipe_hash, seed, window, layers, heads, parts, notes, no_mass, seconds, cpu_seconds, verdict,
               components, exposure, distance, length, inside, knockouts, maps, features, what_if, examples, prompt, continuations)

namespace {

/// Options as text, for the key of the cache.
std::string identity(const DiagnoseOptions& o) {
  Json settings = o.what_if;
  auto what = o.what;
  std::ranges::sort(what);
  return Json{what, o.tasks, o.probe, o.data, o.limit, o.window, o.max_distance, o.probe_sequences, o.rows, o.row_tokens, o.map.prompt, o.map.layer,
              o.map.head, o.map.first, o.map.last, o.map.cells, settings, o.examples, o.generated}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string to_json(const Diagnosis& d) {
  return Json(d).dump(1, ' ', false, Json::error_handler_t::replace);  // a token may end inside a character
}

Diagnosis diagnosis_from_json(const std::string& text, const std::string& place) {
  try {
    return Json::parse(text).get<Diagnosis>();
  } catch (const Json::exception& e) {
    throw InputError(place + ": expected a diagnosis as JSON; " + e.what());
  }
}

std::string diagnosis_key(const Subject& subject, const DiagnoseOptions& options) {
  // The options name tasks and limit; when a run evaluates, and which components, decides nothing here.
  const EvaluationSpec fallback;
  EvaluationSpec deciding = subject.recipe.evaluation;
  deciding.tasks = fallback.tasks, deciding.components = fallback.components;
  deciding.every = fallback.every, deciding.limit = fallback.limit;
  std::string text = "2\n" + subject_identity(subject, deciding) + identity(options);
  if (subject.checkpoint) text += "\n" + subject.checkpoint->string();
  return short_hash(text);
}

const std::vector<std::string>& diagnosis_parts() {
  static const std::vector<std::string> parts{"exposure", "distance", "length", "layers", "knockout", "maps", "features", "whatif", "examples", "verdict"};
  return parts;
}

}  // namespace engine
