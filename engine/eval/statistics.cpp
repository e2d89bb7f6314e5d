#include "engine/eval/statistics.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/random.h"

namespace engine {
namespace {

constexpr int k_draws = 1000;

const std::vector<std::uint8_t>& outcomes_of(const EvalTask& task, const ComponentResult::TaskResult& r) {
  return task.metric == "acc_norm" && !r.acc_norm.empty() ? r.acc_norm : r.acc;
}

double mean(const std::vector<std::uint8_t>& x) {
  double sum = 0;
  for (auto v : x) sum += v;
  return x.empty() ? 0 : sum / static_cast<double>(x.size());
}

/// Sample standard deviation / √n, as the LM Evaluation Harness prints it.
double mean_stderr(const std::vector<std::uint8_t>& x) {
  const double n = static_cast<double>(x.size()), p = mean(x);
  return n < 2 ? 0 : std::sqrt(p * (1 - p) / (n - 1));
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
        const auto& right = outcomes_of(task, results[c].tasks[members[m]]);
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

struct Group {
  std::string name;
  std::vector<std::size_t> tasks;
};

std::vector<Group> groups_of(const std::vector<EvalTask>& tasks) {
  std::vector<Group> groups{{"all", {}}, {"local", {}}, {"far", {}}};
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    if (tasks[t].kind == EvalTask::Kind::rolling) continue;
    groups[0].tasks.push_back(t);
    if (tasks[t].group == "local") groups[1].tasks.push_back(t);
    if (tasks[t].group == "far") groups[2].tasks.push_back(t);
  }
  std::erase_if(groups, [](const Group& g) { return g.tasks.empty(); });
  return groups;
}

/// Value and bootstrap draws of an average over tasks.
struct Average {
  double value = 0;
  std::int64_t n = 0;
  std::vector<double> draws;
};

Average average(const std::vector<EvalTask>& tasks, const ComponentResult& result, const Bootstrap& bootstrap,
                std::size_t component, const std::vector<std::size_t>& members) {
  Average a;
  a.draws.assign(k_draws, 0.0);
  const double share = 1.0 / static_cast<double>(members.size());
  for (auto t : members) {
    const auto& right = outcomes_of(tasks[t], result.tasks[t]);
    a.value += share * mean(right);
    a.n += static_cast<std::int64_t>(right.size());
    const auto& draws = bootstrap.draws(component, t);
    for (std::size_t d = 0; d < draws.size(); ++d) a.draws[d] += share * draws[d];
  }
  return a;
}

void task_scores(const EvalTask& task, const ComponentResult::TaskResult& r, const std::string& component,
                 std::vector<Score>& out) {
  if (task.kind == EvalTask::Kind::rolling) {
    double nll = 0, tokens = 0;
    for (double v : r.nll) nll += v;
    for (double v : r.tokens) tokens += v;
    out.push_back({component, task.name, "perplexity", std::exp(nll / std::max(tokens, 1.0)), 0,
                   static_cast<std::int64_t>(tokens), {}});
    return;
  }
  const auto n = static_cast<std::int64_t>(r.acc.size());
  out.push_back({component, task.name, "acc", mean(r.acc), mean_stderr(r.acc), n, r.acc});
  if (!r.acc_norm.empty())
    out.push_back({component, task.name, "acc_norm", mean(r.acc_norm), mean_stderr(r.acc_norm), n, r.acc_norm});
}

}  // namespace

std::vector<Score> summarise(const std::vector<EvalTask>& tasks, const std::vector<ComponentResult>& results) {
  std::vector<Score> out;
  const Bootstrap bootstrap(tasks, results);
  const auto groups = groups_of(tasks);
  std::map<std::string, std::size_t> at;
  for (std::size_t c = 0; c < results.size(); ++c) {
    at[results[c].component] = c;
    for (const auto& g : groups) {
      const Average a = average(tasks, results[c], bootstrap, c, g.tasks);
      out.push_back({results[c].component, g.name, "acc", a.value, deviation(a.draws), a.n, {}});
    }
    for (std::size_t t = 0; t < tasks.size(); ++t) task_scores(tasks[t], results[c].tasks[t], results[c].component, out);
  }
  auto difference = [&](const char* name, const char* more, const char* less) {
    if (!at.count(more) || !at.count(less)) return;
    auto add = [&](const std::string& task, const std::vector<std::size_t>& members) {
      const Average a = average(tasks, results[at[more]], bootstrap, at[more], members);
      const Average b = average(tasks, results[at[less]], bootstrap, at[less], members);
      std::vector<double> draws(a.draws.size());
      for (std::size_t d = 0; d < draws.size(); ++d) draws[d] = a.draws[d] - b.draws[d];
      out.push_back({name, task, "acc", a.value - b.value, deviation(draws), a.n, {}});
    };
    for (const auto& g : groups) add(g.name, g.tasks);
    for (std::size_t t = 0; t < tasks.size(); ++t)
      if (tasks[t].kind != EvalTask::Kind::rolling) add(tasks[t].name, {t});
  };
  difference("delta_h_swa", "hybrid", "swa");
  difference("delta_la_na", "linear", "none");
  return out;
}

}  // namespace engine
