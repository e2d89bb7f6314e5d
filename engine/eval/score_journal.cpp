#include "engine/eval/score_journal.h"

#include <cmath>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/json.h"
#include "engine/data/line_reader.h"
#include "engine/error.h"
#include "engine/hash_text.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

std::string key_of(const std::string& component, const std::string& kind, const std::vector<std::int32_t>& tokens) {
  const XXH128_hash_t h = XXH3_128bits(tokens.data(), tokens.size() * sizeof(std::int32_t));
  return component + " " + kind + " " + hex_digits(h.high64) + hex_digits(h.low64);
}

}  // namespace

std::string ScoreJournal::key(const std::string& component, const ScoreRequest& request) {
  return key_of(component, std::to_string(request.scored), request.tokens);
}

std::string ScoreJournal::key(const std::string& component, const std::vector<std::int32_t>& prompt, const TaskDefinition& task) {
  return key_of(component, task.name + " " + std::to_string(task.max_tokens), prompt);
}

ScoreJournal::ScoreJournal(fs::path path, const std::string& identity) : path_(std::move(path)) {
  std::error_code ignored;
  if (fs::exists(path_, ignored)) read(identity);
  // Written anew, so that a torn line or another model's scores are gone.
  out_.open(path_, std::ios::binary | std::ios::trunc);
  out_ << Json{{"evaluated", identity}}.dump() << '\n';
  for (const auto& [k, s] : scores_) out_ << Json{{"key", k}, {"loglikelihood", s.log_likelihood}, {"greedy", s.greedy}}.dump() << '\n';
  for (const auto& [k, t] : texts_) out_ << Json{{"key", k}, {"text", t}}.dump() << '\n';
  flush();
}

void ScoreJournal::read(const std::string& identity) {
  try {
    LineReader reader(path_);
    std::string_view line;
    for (bool first = true; reader.next(line); first = false) {
      const JsonDocument row = parse_json_document(line, reader.place());
      const JsonView view = row.view();
      if (first) {
        if (view.at("evaluated").as_string() != identity) return;
      } else if (view.has("text")) {
        texts_[view.at("key").as_string()] = view.at("text").as_string();
      } else {
        scores_[view.at("key").as_string()] = {view.raw().at("loglikelihood").get<double>(), view.raw().at("greedy").get<bool>()};
      }
    }
  } catch (const InputError&) {
    // Torn by a kill: what stands before it counts.
  } catch (const nlohmann::json::exception&) {
  }
}

const Scored* ScoreJournal::score(const std::string& key) const {
  const auto found = scores_.find(key);
  return found == scores_.end() ? nullptr : &found->second;
}

const std::string* ScoreJournal::text(const std::string& key) const {
  const auto found = texts_.find(key);
  return found == texts_.end() ? nullptr : &found->second;
}

void ScoreJournal::add(const std::string& key, const Scored& score) {
  scores_[key] = score;
  if (!std::isfinite(score.log_likelihood)) return;  // JSON has no word for it: computed again
  out_ << Json{{"key", key}, {"loglikelihood", score.log_likelihood}, {"greedy", score.greedy}}.dump() << '\n';
}

void ScoreJournal::add(const std::string& key, const std::string& text) {
  texts_[key] = text;
  out_ << Json{{"key", key}, {"text", text}}.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

void ScoreJournal::flush() {
  if (!out_.flush()) throw InputError(path_.string() + ": cannot be written; is the disk full?");
}

void ScoreJournal::remove() {
  out_.close();
  std::error_code ignored;
  fs::remove(path_, ignored);
}

}  // namespace engine
