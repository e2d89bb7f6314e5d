#pragma once
/// Estimates with their uncertainty: over examples of one seed (paired bootstrap, McNemar) and over seeds (t intervals).
/// The two are never mixed. Checked against scipy and statsmodels (tests/golden/make_intervals.py). No torch.

#include <cstdint>
#include <vector>

namespace engine {

/// A number with its 95 % interval; n = 0: not measured.
struct Estimate {
  double value = 0, low = 0, high = 0;
  std::int64_t n = 0;

  double half() const { return (high - low) / 2; }
};

/// Student's distribution for `degrees` > 0 (not necessarily whole).
double student_cdf(double t, double degrees);
double student_quantile(double p, double degrees);

/// Mean over seeds with mean ± t_{n−1} · s/√n, one value a seed. Fewer than two seeds have no interval: low = high = value.
Estimate t_interval(const std::vector<double>& per_seed);

/// Mean over examples with mean ± t_{C−1} · s. s is the cluster-robust standard error over the C clusters (documents) that
/// examples come from, √(C/(C−1) Σ_c (Σ_{i∈c} (x_i − mean))²) / n: sample deviation / √n where each example is a cluster.
/// `clusters` empty: each example is one. Where all of at least one 0/1 value agree, the interval ends 3/n away (the rule
/// of three) instead of having no width; set `shares` for those.
Estimate mean_interval(const std::vector<double>& values, const std::vector<std::int64_t>& clusters, bool shares);

/// a against b on the same examples of one seed.
struct Paired {
  Estimate difference;               ///< mean a − mean b
  std::int64_t only_a = 0, only_b = 0;  ///< examples that only one of them has right (values above ½)
  double p = 1;                      ///< McNemar's exact test on those
  double p_holm = 1;                 ///< corrected for the cells tested together; equal to p where there is one
};

/// Paired bootstrap over whole clusters: 1,000 draws from a fixed seed give the standard error s (sample deviation of the
/// draws · √(C/(C−1))), the interval is mean ± t_{C−1} · s. Equal inputs give equal bits. Where no example differs at all
/// and `shares` is set, the interval ends 3/n away. Vectors of one length; `clusters` may be empty.
Paired paired_comparison(const std::vector<double>& a, const std::vector<double>& b, const std::vector<std::int64_t>& clusters,
                         bool shares);

/// Two-sided exact McNemar test: min(1, 2 P(X ≤ min(b, c))), X binomial(b + c, ½). Takes examples as independent.
double mcnemar_exact(std::int64_t only_a, std::int64_t only_b);

/// Holm's step-down correction, in the order given.
std::vector<double> holm(const std::vector<double>& p);

/// Examples that would bring the interval of `d` clear of 0 or wholly within ± margin, whichever is nearer, if their
/// spread stays: n · (half / target)², target = max(|value|, margin − |value|). 0 where it is decided or not measured.
std::int64_t examples_needed(const Estimate& d, double margin);

}  // namespace engine
