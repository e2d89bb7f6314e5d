#pragma once
/// From scored cases to tables: exposure, profiles by distance and length, and the verdict. No torch.

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/diagnose/cases.h"

namespace engine {

/// Outcomes of every case, by component.
using Outcomes = std::map<std::string, std::vector<Outcome>>;

/// Indices into the cases.
using Chosen = std::vector<std::size_t>;
Chosen choose(const std::vector<Case>& cases, const std::function<bool(const Case&)>& wanted);

ComponentScore score_of(const std::string& component, const std::vector<Case>& cases, const std::vector<Outcome>& outcomes,
                        const Chosen& chosen);
/// Accuracy of a − b; n = 0 where either was not scored or nothing is chosen.
Paired compare(const std::vector<Case>& cases, const Outcomes& outcomes, const std::string& a, const std::string& b,
               const Chosen& chosen);

/// A row a group, then "all" where there are several.
std::vector<Exposure> exposure_rows(const std::vector<Case>& cases, const Outcomes& outcomes);

/// `key` of each case falls into [low, 2·low) from 1 on; bins without cases are left out.
Profile profile_of(const std::string& name, const std::vector<Case>& cases, const Outcomes& outcomes, const Chosen& chosen,
                   const std::function<std::int64_t(const Case&)>& key);

/// What the paragraph also draws on; empty vectors: not measured.
struct VerdictBasis {
  const std::vector<HeadReport>* inside = nullptr;
  const std::vector<KnockOut>* knockouts = nullptr;
  const std::vector<Profile>* distance = nullptr;
  std::int64_t window = 0;
  bool overlap = false;  ///< linear attention sees keys inside the window too: unexposed examples can differ
};
DiagnosisVerdict verdict_of(const std::vector<Case>& cases, const Outcomes& outcomes, const VerdictBasis& basis);

}  // namespace engine
