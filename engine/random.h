#pragma once
/// Counter-based random numbers: a value is a function of (seed, stream, index) alone, so that any position can be
/// resumed and every machine draws the same. SplitMix64's finaliser over a mixed key. No state, no torch.

#include <cmath>
#include <cstdint>
#include <numbers>

namespace engine {

constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// Streams keep draws for different purposes apart.
enum class Stream : std::uint64_t { map_noise = 1, lora_init, data_order, dropout, bootstrap, held_out, weights, sampling, lora_dropout };

class CounterRng {
 public:
  constexpr CounterRng(std::uint64_t seed, Stream stream, std::uint64_t salt = 0)
      : key_(mix64(mix64(mix64(seed) ^ static_cast<std::uint64_t>(stream)) ^ salt)) {}
  constexpr std::uint64_t bits(std::uint64_t index) const { return mix64(key_ ^ mix64(index)); }
  /// In [0, 1), 53 bits.
  constexpr double uniform(std::uint64_t index) const { return static_cast<double>(bits(index) >> 11) * 0x1p-53; }
  /// In [0, n), n > 0; the bias of the multiply is below n / 2^64.
  constexpr std::uint64_t below(std::uint64_t index, std::uint64_t n) const {
    return static_cast<std::uint64_t>((static_cast<Wide>(bits(index)) * n) >> 64);
  }
  /// Standard normal (Box–Muller).
  double normal(std::uint64_t index) const {
    const double u = 1.0 - uniform(2 * index), v = uniform(2 * index + 1);
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  }

 private:
  __extension__ using Wide = unsigned __int128;
  std::uint64_t key_;
};

/// A permutation of 0..n-1 that needs no table: a four-round Feistel network over the next even number of bits, walked
/// until it lands inside.
inline std::uint64_t permuted(const CounterRng& rng, std::uint64_t index, std::uint64_t n) {
  int half = 1;
  while ((std::uint64_t{1} << (2 * half)) < n) ++half;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  do {
    std::uint64_t left = index >> half, right = index & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      const std::uint64_t next = left ^ (rng.bits((round << 60) ^ right) & mask);
      left = right;
      right = next;
    }
    index = (left << half) | right;
  } while (index >= n);
  return index;
}

}  // namespace engine
