#include "engine/eval/evaluate.h"

#include <algorithm>
#include <cmath>

#include "engine/data/scoring.h"
#include "engine/data/text_metrics.h"
#include "engine/model/decoding.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

std::vector<std::vector<double>> linear_share(const std::vector<BranchNorms>& norms) {
  std::vector<std::vector<double>> shares;
  for (const auto& n : norms) {
    auto& heads = shares.emplace_back();
    if (!n.window.defined()) continue;
    const Tensor w = n.window.sqrt(), l = n.linear.sqrt();
    const Tensor share = (l / (w + l)).nan_to_num(0.0).to(torch::kCPU, torch::kFloat64).contiguous();
    heads.assign(share.data_ptr<double>(), share.data_ptr<double>() + share.numel());
  }
  return shares;
}

/// Everything one component has to answer, and its answers.
class ComponentScores {
 public:
  ComponentScores(const Model& model, const Conversion* conversion, const Tokenizer& tokenizer,
                  const std::vector<EvalTask>& tasks, const EvaluationPlan& plan, const std::string& component,
                  const std::function<bool()>& stop)
      : model_(model), conversion_(conversion), tokenizer_(tokenizer), tasks_(tasks), plan_(plan), component_(component), stop_(stop) {
    options_.component = component_from(component);
    options_.window = plan.window;
    for (const auto& task : tasks) {
      for (const auto& e : task.examples)
        for (const auto& c : e.choices) requests_.push_back(&c);
      texts_expected_ += std::ranges::count_if(task.examples, [](const auto& e) { return !e.prompt.empty(); });
    }
    all_ = std::ssize(requests_) + texts_expected_;
  }

  /// False where it was stopped.
  bool run(EvaluationRun& into) {
    if (options_.component == Component::hybrid) options_.norms = &norms_;
    if (!score() || !write_texts()) return false;
    collect(into);
    if (!norms_.empty()) into.linear_share = linear_share(norms_);
    if (plan_.recheck > 0 && !requests_.empty() && !recheck(into)) return false;
    return true;
  }

 private:
  void advance() {
    ++done_;
    if (plan_.progress) plan_.progress(component_, done_, all_);
  }

  bool score() {
    scored_.assign(requests_.size(), Scored{});
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
      const Scored* known = plan_.journal ? plan_.journal->score(ScoreJournal::key(component_, *requests_[i])) : nullptr;
      if (known) scored_[i] = *known, advance();
      else open.push_back(i);
    }
    std::vector<const ScoreRequest*> asked;
    for (auto i : open) asked.push_back(requests_[i]);
    const auto result = score_requests(model_, conversion_, options_, asked, plan_.batches, stopped(), [&](std::size_t i, const Scored& s) {
      if (plan_.journal) plan_.journal->add(ScoreJournal::key(component_, *asked[i]), s);
      advance();
    });
    if (plan_.journal) plan_.journal->flush();
    if (result.size() != asked.size()) return false;
    for (std::size_t i = 0; i < open.size(); ++i) scored_[open[i]] = result[i];
    return true;
  }

  /// `stop` is asked between batches, which is when the journal reaches the disk.
  std::function<bool()> stopped() const {
    return [this] {
      if (plan_.journal) plan_.journal->flush();
      return stop_();
    };
  }

  std::string write_text(const EvalTask& task, const EvalExample& e) {
    const TaskDefinition& d = task.source->definition;
    ForwardOptions options = options_;
    options.norms = nullptr;
    auto more = [&](const std::vector<std::int32_t>& so_far) {
      const std::string text = tokenizer_.decode(so_far, true);
      return !stop_() && std::ranges::none_of(d.until, [&](const auto& end) { return !end.empty() && text.find(end) != text.npos; });
    };
    const auto ids = decode_greedily(model_, conversion_, options, e.prompt, tokenizer_.eos_id().value_or(-1),
                                     std::ssize(e.prompt) + d.max_tokens, more);
    return tokenizer_.decode(ids, true);
  }

  bool write_texts() {
    texts_.clear();
    for (const auto& task : tasks_) {
      for (const auto& e : task.examples) {
        if (e.prompt.empty()) continue;
        const std::string key = plan_.journal ? ScoreJournal::key(component_, e.prompt, task.source->definition) : "";
        if (const std::string* known = plan_.journal ? plan_.journal->text(key) : nullptr) {
          texts_.push_back(*known);
        } else {
          if (stop_()) return false;
          texts_.push_back(write_text(task, e));
          if (stop_()) return false;
          if (plan_.journal) plan_.journal->add(key, texts_.back()), plan_.journal->flush();
        }
        advance();
      }
    }
    return true;
  }

  void collect(EvaluationRun& into) {
    ComponentResult result{component_, {}};
    std::size_t next = 0, next_text = 0;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      const EvalTask& task = tasks_[t];
      auto& r = result.tasks.emplace_back();
      for (std::size_t i = 0; i < task.examples.size(); ++i) {
        const EvalExample& e = task.examples[i];
        Sample s;
        s.task = t, s.component = component_, s.doc_id = e.doc_id, s.target = e.gold;
        s.choices.assign(scored_.begin() + static_cast<std::ptrdiff_t>(next),
                         scored_.begin() + static_cast<std::ptrdiff_t>(next + e.choices.size()));
        next += e.choices.size();
        if (!e.prompt.empty()) s.text = texts_[next_text++];
        judge(task, i, s, r);
        if (plan_.keep_samples) into.samples.push_back(std::move(s));
      }
    }
    into.results.push_back(std::move(result));
  }

  /// Of given outputs the likeliest; the last one where all are equally likely.
  static std::string likeliest(const std::vector<Scored>& choices, const TaskExample& asked) {
    std::size_t best = 0;
    for (std::size_t c = 1; c < choices.size(); ++c)
      if (choices[c].log_likelihood > choices[best].log_likelihood) best = c;
    if (std::ranges::all_of(choices, [&](const Scored& c) { return c.log_likelihood == choices[0].log_likelihood; }))
      best = choices.size() - 1;
    return asked.requests[best].continuation;
  }

  /// One example's outcome under its task's metrics.
  static void judge(const EvalTask& task, std::size_t index, Sample& s, ComponentResult::TaskResult& r) {
    const EvalExample& e = task.examples[index];
    if (task.kind == EvalTask::Kind::generate) {
      const TaskExample& asked = task.source->examples[index];
      if (e.prompt.empty()) s.text = likeliest(s.choices, asked);
      s.value = generation_score(task.metric, scored_output(task.source->definition, s.text), asked);
      r.values.push_back(s.value);
      return;
    }
    if (task.kind == EvalTask::Kind::rolling) {
      Scored whole{0, true};
      std::int64_t tokens = 0;
      for (std::size_t c = 0; c < s.choices.size(); ++c) {
        whole.log_likelihood += s.choices[c].log_likelihood;
        whole.greedy = whole.greedy && s.choices[c].greedy;
        tokens += e.choices[c].scored;
      }
      s.choices = {whole};
      r.nll.push_back(-whole.log_likelihood);
      r.tokens.push_back(static_cast<double>(tokens));
      return;
    }
    std::vector<double> likelihoods;
    for (const auto& c : s.choices) likelihoods.push_back(c.log_likelihood);
    const ChoiceScore p = score_choices(likelihoods, e.lengths, e.gold);
    const bool word = task.kind == EvalTask::Kind::last_word;
    s.acc = word ? s.choices[0].greedy : p.acc > 0;
    s.acc_norm = p.acc_norm > 0;
    r.acc.push_back(s.acc);
    if (word) r.nll.push_back(-likelihoods[0]);
    else if (!e.lengths.empty()) r.acc_norm.push_back(s.acc_norm);
  }

  bool recheck(EvaluationRun& into) {
    BatchCheck check{component_, 0, 0};
    ForwardOptions options = options_;
    options.norms = nullptr;
    const std::size_t n = std::min(requests_.size(), static_cast<std::size_t>(plan_.recheck));
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t at = i * requests_.size() / n;
      const auto alone = score_requests(model_, conversion_, options, {requests_[at]}, {}, stop_);
      if (alone.empty()) return false;
      check.worst = std::max(check.worst, std::abs(alone[0].log_likelihood - scored_[at].log_likelihood));
      ++check.requests;
    }
    into.checks.push_back(check);
    return true;
  }

  const Model& model_;
  const Conversion* conversion_;
  const Tokenizer& tokenizer_;
  const std::vector<EvalTask>& tasks_;
  const EvaluationPlan& plan_;
  std::string component_;
  const std::function<bool()>& stop_;
  ForwardOptions options_;
  std::vector<BranchNorms> norms_;
  std::vector<const ScoreRequest*> requests_;
  std::vector<Scored> scored_;
  std::vector<std::string> texts_;
  std::int64_t done_ = 0, all_ = 0, texts_expected_ = 0;
};

}  // namespace

std::optional<EvaluationRun> evaluate_components(const Model& model, const Conversion* conversion, const Tokenizer& tokenizer,
                                                 const std::vector<EvalTask>& tasks, const EvaluationPlan& plan,
                                                 const std::function<bool()>& stop) {
  EvaluationRun run;
  for (const auto& name : plan.components) {
    const auto known = std::ranges::find(plan.known, name, &ComponentResult::component);
    if (known != plan.known.end()) run.results.push_back(*known);
    else if (!ComponentScores(model, conversion, tokenizer, tasks, plan, name, stop).run(run)) return std::nullopt;
  }
  return run;
}

}  // namespace engine
