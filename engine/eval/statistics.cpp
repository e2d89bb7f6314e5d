#include "engine/eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/data/scoring.h"
#include "engine/random.h"

namespace engine {
namespace {

constexpr int k_draws = 1000;

std::vector<double> doubles(const std::vector<std::uint8_t>& x) { return {x.begin(), x.end()}; }

/// What the task's own metric says of each example.
std::vector<double> outcomes_of(const EvalTask& task, const ComponentResult::TaskResult& r) {
  if (task.kind == EvalTask::Kind::generate) return r.values;
  return doubles(task.metric == "acc_norm" && !r.acc_norm.empty() ? r.acc_norm : r.acc);
}

double deviation(const std::vector<double>& draws) {
  double sum = 0, squares = 0;
  for (double d : draws) sum += d;
  const double m = sum / static_cast<double>(draws.size());
  for (double d : draws) squares += (d - m) * (d - m);
  return std::sqrt(squares / static_cast<double>(draws.size() - 1));
}

/// Bootstrap over clusters, the same resamples for every component and task of a family: draws[component][task][draw].
class Bootstrap {
 public:
  Bootstrap(const std::vector<EvalTask>& tasks, const std::vector<ComponentResult>& results)
      : draws_(results.size(), std::vector<std::vector<double>>(tasks.size())) {
    std::map<std::string, std::vector<std::size_t>> families;
    for (std::size_t t = 0; t < tasks.size(); ++t)
      if (tasks[t].kind != EvalTask::Kind::rolling) families[tasks[t].family].push_back(t);
    std::uint64_t salt = 0;
    for (const auto& [family, members] : families) resample(tasks, results, members, salt++);
  }
  const std::vector<double>& draws(std::size_t component, std::size_t task) const { return draws_[component][task]; }

 private:
  void resample(const std::vector<EvalTask>& tasks, const std::vector<ComponentResult>& results,
                const std::vector<std::size_t>& members, std::uint64_t salt) {
    std::map<std::int64_t, std::size_t> index;
    for (auto t : members)
      for (const auto& e : tasks[t].examples) index.emplace(e.cluster, index.size());
    const std::size_t clusters = index.size();
    if (clusters == 0) return;
    struct Cell { double right = 0, count = 0; };
    std::vector<std::vector<std::vector<Cell>>> cells(
        results.size(), std::vector<std::vector<Cell>>(members.size(), std::vector<Cell>(clusters)));
    for (std::size_t c = 0; c < results.size(); ++c)
      for (std::size_t m = 0; m < members.size(); ++m) {
        const auto& task = tasks[members[m]];
        const auto right = outcomes_of(task, results[c].tasks[members[m]]);
        for (std::size_t e = 0; e < task.examples.size(); ++e) {
          Cell& cell = cells[c][m][index.at(task.examples[e].cluster)];
          cell.right += right[e];
          cell.count += 1;
        }
      }
    const CounterRng rng(0, Stream::bootstrap, salt);
    std::vector<std::uint64_t> drawn(clusters);
    for (int d = 0; d < k_draws; ++d) {
      for (std::size_t i = 0; i < clusters; ++i)
        drawn[i] = rng.below(static_cast<std::uint64_t>(d) * clusters + i, clusters);
      for (std::size_t c = 0; c < results.size(); ++c)
        for (std::size_t m = 0; m < members.size(); ++m) {
          Cell sum, whole;
          for (const auto& cell : cells[c][m]) whole.right += cell.right, whole.count += cell.count;
          for (auto i : drawn) sum.right += cells[c][m][i].right, sum.count += cells[c][m][i].count;
          draws_[c][members[m]].push_back(sum.count > 0 ? sum.right / sum.count : whole.right / whole.count);
        }
    }
  }
  std::vector<std::vector<std::vector<double>>> draws_;
};

/// A weighted mean over tasks; the weights sum to 1.
struct Mean {
  std::string name;
  std::vector<std::pair<std::size_t, double>> parts;  ///< task, weight
};

/// Units (tasks, or groups weighted by size) weigh the same.
Mean mean_over(const std::string& name, const std::vector<EvalTask>& tasks, const std::vector<std::size_t>& members) {
  std::map<std::string, double> sizes;  // by unit
  auto unit = [&](std::size_t t) { return tasks[t].unit.empty() ? tasks[t].name : tasks[t].unit; };
  for (auto t : members) sizes[unit(t)] += static_cast<double>(tasks[t].examples.size());
  Mean mean{name, {}};
  for (auto t : members)
    mean.parts.emplace_back(t, static_cast<double>(tasks[t].examples.size()) / sizes[unit(t)] / static_cast<double>(sizes.size()));
  return mean;
}

std::vector<Mean> averages_of(const std::vector<EvalTask>& tasks) {
  std::vector<std::pair<std::string, std::vector<std::size_t>>> sets{{"all", {}}, {"local", {}}, {"far", {}}};
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    if (tasks[t].kind == EvalTask::Kind::rolling || tasks[t].examples.empty()) continue;
    for (auto& [name, members] : sets)
      if (name == "all" || name == tasks[t].group) members.push_back(t);
  }
  std::vector<Mean> means;
  for (const auto& [name, members] : sets)
    if (!members.empty()) means.push_back(mean_over(name, tasks, members));
  return means;
}

/// Groups that were asked for by name, their tasks weighted by size.
std::vector<Mean> groups_of(const std::vector<EvalTask>& tasks) {
  std::vector<std::string> names;
  std::map<std::string, double> sizes;
  for (const auto& task : tasks)
    for (const auto& g : task.groups) {
      if (!sizes.count(g)) names.push_back(g);
      sizes[g] += static_cast<double>(task.examples.size());
    }
  std::vector<Mean> groups;
  for (const auto& name : names) {
    Mean& mean = groups.emplace_back(Mean{name, {}});
    for (std::size_t t = 0; t < tasks.size(); ++t)
      if (std::ranges::count(tasks[t].groups, name) > 0)
        mean.parts.emplace_back(t, static_cast<double>(tasks[t].examples.size()) / sizes[name]);
  }
  return groups;
}

/// Value and bootstrap draws of a weighted mean.
struct Average {
  double value = 0;
  std::int64_t n = 0;
  std::vector<double> draws;
};

Average average(const std::vector<EvalTask>& tasks, const ComponentResult& result, const Bootstrap& bootstrap,
                std::size_t component, const Mean& mean) {
  Average a;
  a.draws.assign(k_draws, 0.0);
  for (const auto& [t, weight] : mean.parts) {
    const MeanScore own = mean_score(outcomes_of(tasks[t], result.tasks[t]));
    a.value += weight * own.value;
    a.n += own.n;
    const auto& draws = bootstrap.draws(component, t);
    for (std::size_t d = 0; d < draws.size(); ++d) a.draws[d] += weight * draws[d];
  }
  return a;
}

void rolling_scores(const EvalTask& task, const ComponentResult::TaskResult& r, const std::string& component,
                    std::vector<Score>& out) {
  double nll = 0, tokens = 0, words = 0, bytes = 0;
  for (double v : r.nll) nll += v;
  for (double v : r.tokens) tokens += v;
  for (const auto& e : task.examples) words += e.words, bytes += e.bytes;
  const auto n = static_cast<std::int64_t>(tokens);
  out.push_back({component, task.name, "perplexity", std::exp(nll / std::max(tokens, 1.0)), 0, n, {}});
  if (words <= 0) return;
  const RollingScore score = rolling_score(-nll, static_cast<std::int64_t>(words), static_cast<std::int64_t>(bytes));
  out.push_back({component, task.name, "word_perplexity", score.word_perplexity, 0, n, {}});
  out.push_back({component, task.name, "byte_perplexity", score.byte_perplexity, 0, n, {}});
  out.push_back({component, task.name, "bits_per_byte", score.bits_per_byte, 0, n, {}});
}

void task_scores(const EvalTask& task, const ComponentResult::TaskResult& r, const std::string& component,
                 std::vector<Score>& out) {
  if (task.kind == EvalTask::Kind::rolling) return rolling_scores(task, r, component, out);
  auto add = [&](const std::string& metric, const MeanScore& m, const std::vector<std::uint8_t>& outcomes) {
    out.push_back({component, task.name, metric, m.value, m.stderr_, m.n, outcomes});
  };
  if (task.kind == EvalTask::Kind::generate) return add(task.metric, mean_score(r.values), {});
  const bool normalised = task.metric == "acc_norm" && !r.acc_norm.empty();  // the task's own metric first
  if (normalised) add("acc_norm", mean_score(doubles(r.acc_norm)), r.acc_norm);
  add("acc", mean_score(doubles(r.acc)), r.acc);
  if (!normalised && !r.acc_norm.empty()) add("acc_norm", mean_score(doubles(r.acc_norm)), r.acc_norm);
  if (task.kind == EvalTask::Kind::last_word && !r.nll.empty()) {
    std::vector<double> likelihoods;
    for (double v : r.nll) likelihoods.push_back(-v);
    add("perplexity", perplexity_score(likelihoods), {});
  }
}

Score group_score(const Mean& group, const std::vector<EvalTask>& tasks, const ComponentResult& result) {
  std::vector<MeanScore> parts;
  for (const auto& [t, weight] : group.parts) parts.push_back(mean_score(outcomes_of(tasks[t], result.tasks[t])));
  const MeanScore m = pooled_score(parts);
  return {result.component, group.name, "acc", m.value, m.stderr_, m.n, {}};
}

}  // namespace

std::vector<Score> summarise(const std::vector<EvalTask>& tasks, const std::vector<ComponentResult>& results) {
  std::vector<Score> out;
  const Bootstrap bootstrap(tasks, results);
  const auto averages = averages_of(tasks), groups = groups_of(tasks);
  std::map<std::string, std::size_t> at;
  for (std::size_t c = 0; c < results.size(); ++c) {
    at[results[c].component] = c;
    for (const auto& mean : averages) {
      const Average a = average(tasks, results[c], bootstrap, c, mean);
      out.push_back({results[c].component, mean.name, "acc", a.value, deviation(a.draws), a.n, {}});
    }
    for (const auto& group : groups) out.push_back(group_score(group, tasks, results[c]));
    for (std::size_t t = 0; t < tasks.size(); ++t) task_scores(tasks[t], results[c].tasks[t], results[c].component, out);
  }
  auto difference = [&](const char* name, const char* more, const char* less) {
    if (!at.count(more) || !at.count(less)) return;
    auto add = [&](const Mean& mean) {
      const Average a = average(tasks, results[at[more]], bootstrap, at[more], mean);
      const Average b = average(tasks, results[at[less]], bootstrap, at[less], mean);
      std::vector<double> draws(a.draws.size());
      for (std::size_t d = 0; d < draws.size(); ++d) draws[d] = a.draws[d] - b.draws[d];
      out.push_back({name, mean.name, "acc", a.value - b.value, deviation(draws), a.n, {}});
    };
    for (const auto& mean : averages) add(mean);
    for (const auto& group : groups) add(group);
    for (std::size_t t = 0; t < tasks.size(); ++t)
      if (tasks[t].kind != EvalTask::Kind::rolling) add({tasks[t].name, {{t, 1.0}}});
  };
  difference("delta_h_swa", "hybrid", "swa");
  difference("delta_la_na", "linear", "none");
  return out;
}

}  // namespace engine
