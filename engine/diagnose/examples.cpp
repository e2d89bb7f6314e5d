#include <algorithm>
#include <chrono>

#include "engine/diagnose/session.h"
#include "engine/inspect_tokens.h"
#include "engine/model/decoding.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr std::int64_t k_shown_tokens = 512;

/// log p of each token but the first, given those before it; [T−1] float64 on the CPU.
Tensor token_likelihoods(const Patient& p, Component component, const Tensor& ids) {
  const Tensor hidden = p.model().hidden(ids, &p.work.conversion, p.options(component));
  const Tensor logits = p.model().logits(hidden.squeeze(0).narrow(0, 0, ids.size(1) - 1)).to(torch::kFloat32);
  const Tensor chosen = logits.gather(1, ids.squeeze(0).narrow(0, 1, ids.size(1) - 1).unsqueeze(1)).squeeze(1);
  return (chosen - logits.logsumexp(-1)).to(torch::kCPU, torch::kFloat64).contiguous();
}

/// What a token adds to the text behind the one before it, with the space that the decoder puts between them.
std::string text_behind(const Tokenizer& tokenizer, std::int32_t before, std::int32_t token) {
  const std::vector<std::int32_t> both{before, token};
  const std::string first = tokenizer.decode(std::span(both).first(1), false), whole = tokenizer.decode(both, false);
  return whole.starts_with(first) ? whole.substr(first.size()) : tokenizer.decode(std::span(both).last(1), false);
}

std::vector<TokenDifference> differences_of(const Patient& p, const std::vector<std::int32_t>& tokens) {
  torch::InferenceMode inference;
  const Tensor ids = torch::tensor(std::vector<std::int64_t>(tokens.begin(), tokens.end())).unsqueeze(0).to(p.model().device());
  const Tensor d = token_likelihoods(p, Component::hybrid, ids) - token_likelihoods(p, Component::swa, ids);
  std::vector<TokenDifference> out;
  out.push_back({p.work.tokenizer.decode(std::span(tokens).first(1), false), 0});
  for (std::size_t i = 1; i < tokens.size(); ++i)
    out.push_back({text_behind(p.work.tokenizer, tokens[i - 1], tokens[i]), d.data_ptr<double>()[i - 1]});
  if (std::ssize(out) > k_shown_tokens) out.erase(out.begin(), out.end() - k_shown_tokens);
  return out;
}

ComponentScores scores_of(const std::string& component, const Outcome& o) {
  ComponentScores s;
  s.component = component;
  for (const auto& c : o.choices) s.choices.push_back({c.log_likelihood, c.greedy});
  for (std::size_t c = 1; c < s.choices.size(); ++c)
    if (s.choices[c].log_likelihood > s.choices[static_cast<std::size_t>(s.best)].log_likelihood) s.best = static_cast<std::int64_t>(c);
  s.best_norm = s.best;
  s.right = o.right;
  return s;
}

ExampleReport example_of(const Patient& p, const Case& one, std::size_t index, const Outcomes& outcomes) {
  ExampleReport e;
  e.task = one.group, e.doc_id = one.doc_id, e.gold = one.gold, e.exposed = one.exposed();
  e.hybrid_right = outcomes.at("hybrid")[index].right, e.swa_right = outcomes.at("swa")[index].right;
  for (const auto& r : one.choices)
    e.choices.push_back(p.work.tokenizer.decode(std::span(r.tokens).last(static_cast<std::size_t>(r.scored)), false));
  for (const auto& name : component_names())
    if (const auto found = outcomes.find(name); found != outcomes.end()) e.scores.push_back(scores_of(name, found->second[index]));
  e.prompt = differences_of(p, one.choices[static_cast<std::size_t>(one.gold)].tokens);
  return e;
}

}  // namespace

std::vector<ExampleReport> measure_examples(const Patient& p, const std::vector<Case>& cases, const Outcomes& outcomes,
                                            std::int64_t each_way, const Watch& watch) {
  std::vector<ExampleReport> out;
  const auto &hybrid = outcomes.at("hybrid"), &swa = outcomes.at("swa");
  for (const bool gain : {true, false}) {
    Chosen found;
    for (std::size_t i = 0; i < cases.size(); ++i)
      if (hybrid[i].right == gain && swa[i].right == !gain) found.push_back(i);
    std::ranges::stable_sort(found, std::greater<>{}, [&](auto i) { return std::abs(hybrid[i].loss - swa[i].loss); });
    if (std::ssize(found) > each_way) found.resize(static_cast<std::size_t>(each_way));
    for (auto i : found) {
      report(watch, std::ssize(out), "examples");
      out.push_back(example_of(p, cases[i], i, outcomes));
    }
  }
  return out;
}

std::vector<Continuation> measure_continuations(const Patient& p, const std::vector<std::int32_t>& ids, std::int64_t tokens, const Watch& watch) {
  std::vector<Continuation> out;
  const std::int64_t capacity = std::min(p.model().config.max_positions, std::ssize(ids) + tokens);
  for (const char* name : {"teacher", "hybrid", "swa", "linear", "none"}) {
    report(watch, std::ssize(out), "continuations");
    const Component component = component_from(name);
    const Model& model = component == Component::teacher ? p.teacher() : p.model();
    const auto more = [&](const std::vector<std::int32_t>&) { return !watch.stop.stop_requested(); };
    const auto made = decode_greedily(model, &p.work.conversion, p.options(component), ids, p.work.tokenizer.eos_id().value_or(-1), capacity, more);
    out.push_back({name, p.work.tokenizer.decode(made, true)});
  }
  return out;
}

std::vector<WhatIfResult> measure_what_if(const Patient& p, const std::vector<Case>& cases, const std::vector<Outcome>& stored,
                                          const std::vector<WhatIf>& settings, const Watch& watch) {
  const Chosen all = choose(cases, [](const Case&) { return true; });
  const ChainScorer scorer(cases, all, p.model().device());
  std::vector<WhatIfResult> results;
  for (const auto& s : settings) {
    report(watch, std::ssize(results), "settings");
    const auto begin = std::chrono::steady_clock::now();
    Conversion c = p.work.conversion;  // shares its tensors
    if (s.weight >= 0) c.mixing = Mixing::fixed, c.weight = s.weight;
    if (!s.context.empty()) c.overlap = s.context == "overlap";
    if (s.sinks >= 0) c.sinks = s.sinks;
    ForwardOptions o = p.options(component_from(s.component));
    if (s.window > 0) o.window = s.window;
    std::vector<Component> layers;
    for (const auto& name : s.layers) layers.push_back(component_from(name));
    if (!layers.empty() && layers.size() != p.model().blocks.size())
      throw InputError("what if: " + std::to_string(layers.size()) + " components for a model of " + std::to_string(p.model().blocks.size()) + " layers");
    if (!layers.empty())
      o.attend = [&](std::size_t layer, const Heads& h, const AttentionCall& call) {
        AttentionCall own = call;
        own.component = layers[layer];
        return hybrid_attention(h.q, h.k, h.v, own);
      };
    const Model& model = s.component == "teacher" ? p.teacher() : p.model();
    Outcomes outcomes{{"now", scorer.score(model, &c, o, watch)}, {"stored", stored}};
    WhatIfResult r;
    r.setting = s, r.text = s.text();
    r.all = score_of(s.component, cases, outcomes.at("now"), all);
    std::vector<std::string> groups;
    for (const auto& one : cases)
      if (std::ranges::count(groups, one.group) == 0) groups.push_back(one.group);
    for (const auto& g : groups)
      r.tasks.push_back(score_of(g, cases, outcomes.at("now"), choose(cases, [&](const Case& one) { return one.group == g; })));
    r.against_stored = compare(cases, outcomes, "now", "stored", all);
    r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    results.push_back(std::move(r));
  }
  return results;
}

}  // namespace engine
