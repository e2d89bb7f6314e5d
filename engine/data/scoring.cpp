#include "engine/data/scoring.h"

#include <cmath>
#include <vector>

namespace engine {

MeanScore mean_score(std::span<const double> values) {
  MeanScore out;
  out.n = static_cast<std::int64_t>(values.size());
  if (values.empty()) return out;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) out.value += value / n;
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double value : values) squares += (value - out.value) * (value - out.value);
  out.stderr_ = std::sqrt(squares / (n - 1)) / std::sqrt(n);
  return out;
}

MeanScore pooled_score(std::span<const MeanScore> tasks) {
  MeanScore out;
  double squares = 0;
  for (const auto& task : tasks) {
    const auto n = static_cast<double>(task.n);
    out.n += task.n;
    out.value += task.value * n;
    squares += (n - 1) * task.stderr_ * task.stderr_ * n;
  }
  if (out.n == 0) return out;
  const auto total = static_cast<double>(out.n);
  out.value /= total;
  const double freedom = total - static_cast<double>(tasks.size());
  if (freedom > 0) out.stderr_ = std::sqrt(squares / freedom / total);
  return out;
}

ChoiceScore score_choices(std::span<const double> loglikelihoods,
                          std::span<const std::int64_t> characters, std::int64_t gold) {
  ChoiceScore out;
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  const auto per_character = [&](std::int64_t i) {
    return loglikelihoods[at(i)] / static_cast<double>(characters[at(i)]);
  };
  for (std::int64_t i = 1; i < static_cast<std::int64_t>(loglikelihoods.size()); ++i) {
    if (loglikelihoods[at(i)] > loglikelihoods[at(out.best)]) out.best = i;
    if (!characters.empty() && per_character(i) > per_character(out.best_norm)) out.best_norm = i;
  }
  if (characters.empty()) out.best_norm = out.best;
  out.acc = out.best == gold ? 1 : 0;
  out.acc_norm = out.best_norm == gold ? 1 : 0;
  return out;
}

MeanScore perplexity_score(std::span<const double> loglikelihoods) {
  MeanScore out = mean_score(loglikelihoods);
  out.value = std::exp(-out.value);
  out.stderr_ *= out.value;
  return out;
}

RollingScore rolling_score(double loglikelihood, std::int64_t words, std::int64_t bytes) {
  const double per_byte = -loglikelihood / static_cast<double>(bytes);
  return {std::exp(-loglikelihood / static_cast<double>(words)), std::exp(per_byte),
          per_byte / std::log(2.0)};
}

}  // namespace engine
