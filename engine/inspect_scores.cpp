#include <algorithm>
#include <chrono>

#include "engine/attention/components.h"
#include "engine/data/scoring.h"
#include "engine/eval/scoring.h"
#include "engine/inspect.h"
#include "engine/inspect_tokens.h"
#include "engine/torch_api.h"
#include "engine/workspace.h"

namespace engine {
namespace {

std::vector<ScoreRequest> requests_of(const TaskExampleInfo& example) {
  std::vector<ScoreRequest> requests;
  for (const auto& choice : example.choices) {
    if (choice.tokens.size() < 2 || choice.first_scored < 1 || choice.first_scored >= choice.tokens.size())
      throw InputError("example " + std::to_string(example.doc_id) + " has a choice without tokens to score; read it with a model's tokenizer");
    ScoreRequest& r = requests.emplace_back();
    for (const auto& token : choice.tokens) r.tokens.push_back(token.id);
    r.scored = static_cast<std::int64_t>(choice.tokens.size() - choice.first_scored);
  }
  return requests;
}

ComponentScores judged(const ScoreQuery& query, const std::string& component, const std::vector<Scored>& scored) {
  ComponentScores out;
  out.component = component;
  std::vector<double> sums;
  std::vector<std::int64_t> characters;
  for (std::size_t i = 0; i < scored.size(); ++i) {
    out.choices.push_back({scored[i].log_likelihood, scored[i].greedy});
    sums.push_back(scored[i].log_likelihood);
    if (query.example.choices[i].characters > 0) characters.push_back(query.example.choices[i].characters);
  }
  if (characters.size() != sums.size()) characters.clear();
  const ChoiceScore score = score_choices(sums, characters, std::max<std::int64_t>(0, query.example.gold));
  out.best = score.best;
  out.best_norm = score.best_norm;
  out.right = query.kind == "last word" ? scored.front().greedy : query.example.gold >= 0 && score.acc > 0;
  return out;
}

}  // namespace

std::vector<ComponentScores> score_example(const ScoreQuery& query, const Watch& watch) {
  const std::vector<ScoreRequest> requests = requests_of(query.example);
  for (const auto& name : query.components) component_from(name);
  Recipe recipe;
  recipe.model = query.model;
  recipe.attention.window = query.window;
  report(watch, 0, "components");
  const Workspace work = open_workspace(recipe);
  std::vector<const ScoreRequest*> pointers;
  for (const auto& r : requests) {
    if (std::ranges::any_of(r.tokens, [&](auto id) { return id >= work.model.config.vocabulary; }))
      throw InputError(query.model + ": the example was read with another model's tokenizer");
    pointers.push_back(&r);
  }
  std::vector<ComponentScores> out;
  for (const auto& name : query.components) {
    report(watch, std::ssize(out), "components");
    ForwardOptions options;
    options.component = component_from(name);
    options.window = query.window;
    const auto scored = score_requests(work.model, &work.conversion, options, pointers, {}, [&] { return watch.stop.stop_requested(); });
    if (scored.size() != requests.size()) throw Cancelled{};
    out.push_back(judged(query, name, scored));
  }
  return out;
}

}  // namespace engine
