#include "engine/diagnose/tables.h"

#include <algorithm>
#include <cmath>

namespace engine {
namespace {

std::vector<std::int64_t> clusters_of(const std::vector<Case>& cases, const Chosen& chosen) {
  std::vector<std::int64_t> clusters;
  for (auto i : chosen) clusters.push_back(cases[i].cluster);
  return clusters;
}

std::vector<double> rights(const std::vector<Outcome>& outcomes, const Chosen& chosen) {
  std::vector<double> out;
  for (auto i : chosen) out.push_back(outcomes[i].right);
  return out;
}

std::vector<std::string> groups_of(const std::vector<Case>& cases) {
  std::vector<std::string> names;
  for (const auto& c : cases)
    if (names.empty() || (names.back() != c.group && std::ranges::count(names, c.group) == 0)) names.push_back(c.group);
  return names;
}

Exposure exposure_of(const std::string& name, const std::vector<Case>& cases, const Outcomes& outcomes, const Chosen& chosen) {
  Exposure e;
  e.task = name;
  Chosen exposed, never;
  for (auto i : chosen) {
    ++e.examples;
    e.tokens += cases[i].scored_tokens;
    e.exposed_tokens += cases[i].exposed_tokens;
    (cases[i].exposed() ? exposed : never).push_back(i);
  }
  e.exposed_examples = std::ssize(exposed);
  e.delta_h_swa = compare(cases, outcomes, "hybrid", "swa", exposed);
  e.delta_la_na = compare(cases, outcomes, "linear", "none", exposed);
  e.never_h_swa = compare(cases, outcomes, "hybrid", "swa", never);
  return e;
}

}  // namespace

Chosen choose(const std::vector<Case>& cases, const std::function<bool(const Case&)>& wanted) {
  Chosen chosen;
  for (std::size_t i = 0; i < cases.size(); ++i)
    if (wanted(cases[i])) chosen.push_back(i);
  return chosen;
}

ComponentScore score_of(const std::string& component, const std::vector<Case>& cases, const std::vector<Outcome>& outcomes,
                        const Chosen& chosen) {
  std::vector<double> losses;
  for (auto i : chosen) losses.push_back(outcomes[i].loss);
  const auto clusters = clusters_of(cases, chosen);
  return {component, mean_interval(rights(outcomes, chosen), clusters, true), mean_interval(losses, clusters, false)};
}

Paired compare(const std::vector<Case>& cases, const Outcomes& outcomes, const std::string& a, const std::string& b,
               const Chosen& chosen) {
  const auto x = outcomes.find(a), y = outcomes.find(b);
  if (x == outcomes.end() || y == outcomes.end()) return {};
  return paired_comparison(rights(x->second, chosen), rights(y->second, chosen), clusters_of(cases, chosen), true);
}

std::vector<Exposure> exposure_rows(const std::vector<Case>& cases, const Outcomes& outcomes) {
  std::vector<Exposure> rows;
  for (const auto& name : groups_of(cases))
    rows.push_back(exposure_of(name, cases, outcomes, choose(cases, [&](const Case& c) { return c.group == name; })));
  std::vector<double> h, l;
  for (const auto& r : rows) h.push_back(r.delta_h_swa.p), l.push_back(r.delta_la_na.p);
  const auto h_holm = holm(h), l_holm = holm(l);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].delta_h_swa.p_holm = h_holm[i], rows[i].delta_la_na.p_holm = l_holm[i];
  if (rows.size() > 1) rows.push_back(exposure_of("all", cases, outcomes, choose(cases, [](const Case&) { return true; })));
  return rows;
}

Profile profile_of(const std::string& name, const std::vector<Case>& cases, const Outcomes& outcomes, const Chosen& chosen,
                   const std::function<std::int64_t(const Case&)>& key) {
  Profile profile{name, {}, {}};
  std::map<int, Chosen> bins;
  for (auto i : chosen) bins[static_cast<int>(std::floor(std::log2(static_cast<double>(std::max<std::int64_t>(1, key(cases[i]))))))].push_back(i);
  std::vector<double> h, l;
  for (const auto& [power, members] : bins) {
    Bin bin;
    bin.low = std::exp2(power), bin.high = std::exp2(power + 1);
    bin.examples = std::ssize(members);
    for (auto i : members) bin.exposed += cases[i].exposed();
    for (const std::string& component : component_names())
      if (const auto found = outcomes.find(component); found != outcomes.end())
        bin.scores.push_back(score_of(component, cases, found->second, members));
    bin.delta_h_swa = compare(cases, outcomes, "hybrid", "swa", members);
    bin.delta_la_na = compare(cases, outcomes, "linear", "none", members);
    h.push_back(bin.delta_h_swa.p), l.push_back(bin.delta_la_na.p);
    profile.bins.push_back(std::move(bin));
  }
  const auto h_holm = holm(h), l_holm = holm(l);
  for (std::size_t i = 0; i < profile.bins.size(); ++i)
    profile.bins[i].delta_h_swa.p_holm = h_holm[i], profile.bins[i].delta_la_na.p_holm = l_holm[i];
  return profile;
}

}  // namespace engine
