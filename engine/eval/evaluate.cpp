#include "engine/eval/evaluate.h"

#include <algorithm>
#include <cmath>

#include "engine/data/scoring.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr std::int64_t k_token_budget = 16384;

std::vector<double> linear_share(const std::vector<BranchNorms>& norms) {
  std::vector<double> shares;
  for (const auto& n : norms) {
    const Tensor w = n.window.sqrt(), l = n.linear.sqrt();
    shares.push_back((l / (w + l)).nan_to_num(0.0).mean().item<double>());
  }
  return shares;
}

ComponentResult collect(const std::string& component, const std::vector<EvalTask>& tasks, const std::vector<Scored>& scored,
                        std::vector<Sample>* samples) {
  ComponentResult result{component, {}};
  std::size_t next = 0;
  for (const auto& task : tasks) {
    auto& r = result.tasks.emplace_back();
    for (const auto& e : task.examples) {
      Sample s{task.name, component, e.doc_id, e.gold, {}, false, false};
      std::vector<double> likelihoods;
      for (std::size_t c = 0; c < e.choices.size(); ++c) {
        s.choices.push_back(scored[next++]);
        likelihoods.push_back(s.choices.back().log_likelihood);
      }
      if (task.kind == EvalTask::Kind::rolling) {
        r.nll.push_back(-likelihoods[0]);
        r.tokens.push_back(static_cast<double>(e.choices[0].scored));
      } else {
        const ChoiceScore p = score_choices(likelihoods, e.lengths, e.gold);
        s.acc = task.kind == EvalTask::Kind::last_word ? s.choices[0].greedy : p.acc > 0;
        s.acc_norm = p.acc_norm > 0;
        r.acc.push_back(s.acc);
        if (!e.lengths.empty() && task.kind == EvalTask::Kind::choice) r.acc_norm.push_back(s.acc_norm);
      }
      if (samples) samples->push_back(std::move(s));
    }
  }
  return result;
}

}  // namespace

std::optional<EvaluationRun> evaluate_components(const Model& model, const Conversion* conversion,
                                                 const std::vector<EvalTask>& tasks,
                                                 const std::vector<std::string>& components, std::int64_t window,
                                                 const std::vector<ComponentResult>& cached, bool keep_samples,
                                                 const std::function<bool()>& stop) {
  std::vector<const ScoreRequest*> requests;
  for (const auto& task : tasks)
    for (const auto& e : task.examples)
      for (const auto& c : e.choices) requests.push_back(&c);
  EvaluationRun run;
  for (const auto& name : components) {
    const auto known = std::find_if(cached.begin(), cached.end(), [&](const auto& r) { return r.component == name; });
    if (known != cached.end()) {
      run.results.push_back(*known);
      continue;
    }
    std::vector<BranchNorms> norms;
    ForwardOptions options;
    options.component = component_from(name);
    options.window = window;
    if (options.component == Component::hybrid) options.norms = &norms;
    const auto scored = score_requests(model, conversion, options, requests, k_token_budget, stop);
    if (scored.size() != requests.size()) return std::nullopt;
    run.results.push_back(collect(name, tasks, scored, keep_samples ? &run.samples : nullptr));
    if (options.norms) run.linear_share = linear_share(norms);
  }
  return run;
}

}  // namespace engine
