#include "engine/eval/intervals.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "engine/random.h"

namespace engine {
namespace {

constexpr int k_draws = 1000;

/// Lentz's continued fraction of the incomplete beta function.
double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < tiny ? tiny : d);
  double h = d;
  for (int m = 1; m < 500; ++m) {
    auto step = [&](double term) {
      d = 1 + term * d;
      c = 1 + term / c;
      d = 1 / (std::abs(d) < tiny ? tiny : d);
      if (std::abs(c) < tiny) c = tiny;
      h *= c * d;
      return std::abs(c * d - 1);
    };
    step(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
    if (step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))) < 1e-15) break;
  }
  return h;
}

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
  return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

/// Sum and count of each cluster, in a fixed order.
struct Cluster {
  double sum = 0, count = 0;
};
std::vector<Cluster> by_cluster(const std::vector<double>& x, const std::vector<std::int64_t>& clusters) {
  std::map<std::int64_t, Cluster> found;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Cluster& c = found[clusters.empty() ? static_cast<std::int64_t>(i) : clusters[i]];
    c.sum += x[i];
    c.count += 1;
  }
  std::vector<Cluster> all;
  for (const auto& [key, c] : found) all.push_back(c);
  return all;
}

double mean_of(const std::vector<double>& x) {
  return x.empty() ? 0 : std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}

bool all_equal(const std::vector<double>& x) {
  return std::all_of(x.begin(), x.end(), [&](double v) { return v == x.front(); });
}

Estimate around(double value, double half, std::size_t n) { return {value, value - half, value + half, static_cast<std::int64_t>(n)}; }

double bootstrap_error(const std::vector<Cluster>& clusters) {
  const std::size_t n = clusters.size();
  const CounterRng rng(0, Stream::bootstrap, 0x9a1d);
  std::vector<double> draws(k_draws);
  for (std::size_t d = 0; d < draws.size(); ++d) {
    Cluster all;
    for (std::size_t i = 0; i < n; ++i) {
      const Cluster& c = clusters[rng.below(d * n + i, n)];
      all.sum += c.sum;
      all.count += c.count;
    }
    draws[d] = all.sum / all.count;
  }
  const double m = mean_of(draws);
  double squares = 0;
  for (double d : draws) squares += (d - m) * (d - m);
  return std::sqrt(squares / (k_draws - 1) * static_cast<double>(n) / static_cast<double>(n - 1));
}

}  // namespace

double student_cdf(double t, double degrees) {
  const double tail = incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2;
  return t > 0 ? 1 - tail : tail;
}

double student_quantile(double p, double degrees) {
  if (p == 0.5) return 0;
  if (p < 0.5) return -student_quantile(1 - p, degrees);
  double low = 0, high = 1;
  while (student_cdf(high, degrees) < p && high < 1e15) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-14 * high; ++i) {
    const double middle = (low + high) / 2;
    (student_cdf(middle, degrees) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

Estimate t_interval(const std::vector<double>& x) {
  const double m = mean_of(x);
  if (x.size() < 2) return around(m, 0, x.size());
  double squares = 0;
  for (double v : x) squares += (v - m) * (v - m);
  const auto n = static_cast<double>(x.size());
  return around(m, student_quantile(0.975, n - 1) * std::sqrt(squares / (n - 1) / n), x.size());
}

Estimate mean_interval(const std::vector<double>& x, const std::vector<std::int64_t>& clusters, bool shares) {
  if (x.empty()) return {};
  const double m = mean_of(x);
  const auto n = static_cast<double>(x.size());
  if (shares && all_equal(x)) {
    const double end = std::min(1.0, 3 / n);
    return {m, m < 0.5 ? m : m - end, m < 0.5 ? m + end : m, static_cast<std::int64_t>(x.size())};
  }
  const auto groups = by_cluster(x, clusters);
  const auto c = static_cast<double>(groups.size());
  if (groups.size() < 2) return {m, shares ? 0.0 : m, shares ? 1.0 : m, static_cast<std::int64_t>(x.size())};
  double squares = 0;
  for (const auto& g : groups) squares += std::pow(g.sum - g.count * m, 2);
  Estimate e = around(m, student_quantile(0.975, c - 1) * std::sqrt(c / (c - 1) * squares) / n, x.size());
  if (shares) e.low = std::max(0.0, e.low), e.high = std::min(1.0, e.high);
  return e;
}

double mcnemar_exact(std::int64_t only_a, std::int64_t only_b) {
  const std::int64_t n = only_a + only_b, least = std::min(only_a, only_b);
  if (n == 0) return 1;
  double sum = 0;
  const auto all = static_cast<double>(n);
  for (std::int64_t k = 0; k <= least; ++k) {
    const auto x = static_cast<double>(k);
    sum += std::exp(std::lgamma(all + 1) - std::lgamma(x + 1) - std::lgamma(all - x + 1) - all * std::log(2.0));
  }
  return std::min(1.0, 2 * sum);
}

Paired paired_comparison(const std::vector<double>& a, const std::vector<double>& b, const std::vector<std::int64_t>& clusters,
                         bool shares) {
  Paired out;
  if (a.empty() || a.size() != b.size()) return out;
  std::vector<double> d(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    d[i] = a[i] - b[i];
    out.only_a += a[i] > 0.5 && b[i] <= 0.5;
    out.only_b += b[i] > 0.5 && a[i] <= 0.5;
  }
  if (!shares) out.only_a = out.only_b = 0;
  out.p = out.p_holm = mcnemar_exact(out.only_a, out.only_b);
  const double m = mean_of(d);
  const auto groups = by_cluster(d, clusters);
  const double widest = shares ? 1.0 : 0.0;
  if (all_equal(d)) out.difference = around(m, shares ? std::min(1.0, 3 / static_cast<double>(d.size())) : 0.0, d.size());
  else if (groups.size() < 2) out.difference = around(m, widest, d.size());
  else out.difference = around(m, student_quantile(0.975, static_cast<double>(groups.size()) - 1) * bootstrap_error(groups), d.size());
  if (shares) {
    out.difference.low = std::max(-1.0, out.difference.low);
    out.difference.high = std::min(1.0, out.difference.high);
  }
  return out;
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto x, auto y) { return p[x] < p[y]; });
  std::vector<double> out(p.size());
  double least = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    least = std::max(least, std::min(1.0, p[order[i]] * static_cast<double>(p.size() - i)));
    out[order[i]] = least;
  }
  return out;
}

std::int64_t examples_needed(const Estimate& d, double margin) {
  const bool decided = d.low > 0 || d.high < 0 || (d.low > -margin && d.high < margin);
  if (d.n == 0 || decided) return 0;
  const double target = std::max(std::abs(d.value), margin - std::abs(d.value));
  return static_cast<std::int64_t>(std::ceil(static_cast<double>(d.n) * std::pow(d.half() / target, 2)));
}

}  // namespace engine
