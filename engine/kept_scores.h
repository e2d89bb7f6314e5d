#pragma once
/// Evaluations of checkpoints outside any run, kept beside what they are of, so that a table of many can be stopped and
/// gone on with. No torch.

#include <filesystem>
#include <functional>
#include <optional>

#include "engine/event.h"
#include "engine/inspect.h"
#include "engine/subject.h"

namespace engine {

/// Scores subject.recipe.evaluation; `journal` keeps every score while it works, for the next call. Throws InputError,
/// Cancelled. Filled by app with evaluate_subject.
using EvaluateSubject =
    std::function<Evaluated(const Subject& subject, const std::filesystem::path& journal, const Watch& watch)>;

/// Kept earlier for just this recipe, model, checkpoint and evaluation, files' sizes and times included; nothing where
/// there is none or it cannot be read.
std::optional<Evaluated> kept_scores(const std::filesystem::path& folder, const Subject& subject);

/// The kept ones, or evaluates and keeps them in `folder`. A folder that cannot be written costs a new evaluation next
/// time, nothing else.
Evaluated scores_of(const std::filesystem::path& folder, const Subject& subject, const EvaluateSubject& evaluate,
                    const Watch& watch);

}  // namespace engine
