#include "engine/kept_scores.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/data/whole_file.h"
#include "engine/hash_text.h"
#include "engine/subject_identity.h"

namespace engine {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int k_format = 1;

fs::path file_of(const fs::path& folder, const Subject& subject) {
  return folder / ("scores-" + short_hash(subject_identity(subject, subject.recipe.evaluation)) + ".json");
}

/// JSON has no word for what is no number.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
double number(const Json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

std::string to_json(const Evaluated& e) {
  Json rows = Json::array();
  for (const Score& s : e.scores)
    rows.push_back({s.component, s.task, s.metric, number(s.value), number(s.stderr_), s.n});
  return Json{{"format", k_format}, {"window", e.window}, {"seconds", number(e.seconds)}, {"scores", rows}}.dump();
}

Evaluated from_json(const Json& all) {
  if (all.at("format") != k_format) throw std::invalid_argument("another format");
  Evaluated e{0, all.at("window").get<std::int64_t>(), number(all.at("seconds")), {}};
  for (const Json& row : all.at("scores"))
    e.scores.push_back({row.at(0).get<std::string>(), row.at(1).get<std::string>(), row.at(2).get<std::string>(),
                        number(row.at(3)), number(row.at(4)), row.at(5).get<std::int64_t>(), {}});
  return e;
}

}  // namespace

std::optional<Evaluated> kept_scores(const fs::path& folder, const Subject& subject) {
  std::ifstream in(file_of(folder, subject), std::ios::binary);
  if (!in) return std::nullopt;
  try {
    return from_json(Json::parse(in));
  } catch (const std::exception&) {
    return std::nullopt;  // measured again
  }
}

Evaluated scores_of(const fs::path& folder, const Subject& subject, const EvaluateSubject& evaluate, const Watch& watch) {
  if (auto kept = kept_scores(folder, subject)) return std::move(*kept);
  const fs::path file = file_of(folder, subject);
  fs::path journal = file;
  journal.replace_extension(".jsonl");
  Evaluated e = evaluate(subject, journal, watch);
  write_whole(file, to_json(e));
  std::error_code ignored;
  fs::remove(journal, ignored);
  return e;
}

}  // namespace engine
