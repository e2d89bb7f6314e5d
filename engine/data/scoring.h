#pragma once
/// From log-likelihoods to accuracies: pure functions, as the LM Evaluation Harness computes them.

#include <cstdint>
#include <span>

namespace engine {

/// A mean over examples. `stderr_` is the sample standard deviation (n-1) divided by the square
/// root of n; 0 for n < 2.
struct MeanScore {
  double value = 0, stderr_ = 0;
  std::int64_t n = 0;
};
MeanScore mean_score(std::span<const double> values);

/// Of a group: the mean of its tasks weighted by size, with the harness's pooled standard error
/// sqrt(sum((n_i - 1) * se_i^2 * n_i) / (N - k) / N), N = sum n_i, k tasks.
MeanScore pooled_score(std::span<const MeanScore> tasks);

struct ChoiceScore {
  std::int64_t best = 0,
               best_norm = 0;  ///< of the sums; of the sums per character. Lowest index wins ties.
  double acc = 0, acc_norm = 0;  ///< 1 where that is the right one
};
/// `loglikelihoods`: sums of natural logs, one a choice; `characters`: code points of each choice
/// without delimiter.
/// Empty `characters`: the task has no length-normalised score, acc_norm is acc then.
ChoiceScore score_choices(std::span<const double> loglikelihoods,
                          std::span<const std::int64_t> characters, std::int64_t gold);

/// exp(-mean) of per-example sums (LAMBADA's perplexity); its standard error by the delta method.
MeanScore perplexity_score(std::span<const double> loglikelihoods);

/// Of rolling log-likelihoods: sums over all texts.
struct RollingScore {
  double word_perplexity = 0, byte_perplexity = 0, bits_per_byte = 0;
};
RollingScore rolling_score(double loglikelihood, std::int64_t words, std::int64_t bytes);

}  // namespace engine
