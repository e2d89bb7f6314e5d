#pragma once
/// Tags of a run: words separated by commas, kept with it in the store. Three of them mean something to the faces.

#include <string>
#include <string_view>
#include <vector>

#include "engine/run_store.h"

namespace engine {

inline constexpr std::string_view k_star_tag = "star";          ///< a favourite
inline constexpr std::string_view k_archived_tag = "archived";  ///< the window's list leaves it out unless asked
inline constexpr std::string_view k_sweep_tag = "sweep:";       ///< with the name of the sweep that the run comes from

std::vector<std::string> tag_list(const std::string& tags);  ///< each without spaces around it; none is empty
bool has_tag(const std::string& tags, std::string_view tag);
/// The tags with this one more, last, or without it; the others stay as they are.
std::string with_tag(const std::string& tags, std::string_view tag, bool on);
std::string sweep_of(const std::string& tags);  ///< "ssd" of "narrow, sweep:ssd"; empty: from none
/// "sweep:NAME", or "sweep:NAME#2" and so on where some of `runs` have it; commas in the name become hyphens.
std::string new_sweep_tag(std::string name, const std::vector<RunInfo>& runs);

}  // namespace engine
