#pragma once
/// Using a model or a run's checkpoint once, outside a run: evaluation and generation. No torch in this header.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "engine/event.h"
#include "engine/recipe.h"

namespace engine {

/// A recipe's model, and the checkpoint whose trained tensors go on top (nothing: the conversion's start).
struct Subject {
  Recipe recipe;
  std::optional<std::filesystem::path> checkpoint;
  std::filesystem::path cache{};  ///< Paths::cache; needed where perplexity is measured on files
};

/// Scores recipe.evaluation. `samples` gets one JSON object a line: task, doc_id, component, target, loglikelihoods,
/// greedy, acc, acc_norm, example by example in file order for each component. Throws InputError.
Evaluated evaluate_subject(const Subject& subject, const std::optional<std::filesystem::path>& samples);

/// Greedy continuation of a prompt in one component; returns the new text. `on_text` gets each piece as it comes.
std::string generate(const Subject& subject, const std::string& prompt, const std::string& component,
                     std::int64_t max_tokens, const std::function<void(const std::string&)>& on_text);

}  // namespace engine
