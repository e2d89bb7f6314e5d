#include "engine/data/fewshot_sampler.h"

#include <bit>
#include <cmath>
#include <unordered_set>

namespace engine {

FewshotSampler::FewshotSampler(std::uint64_t seed) {
  constexpr std::size_t n = 624;
  state_[0] = 19650218;
  for (std::size_t i = 1; i < n; ++i) {
    state_[i] = 1812433253u * (state_[i - 1] ^ state_[i - 1] >> 30) + static_cast<std::uint32_t>(i);
  }
  // Python hands the seed over as its 32-bit digits, at least one.
  const std::uint32_t key[2] = {static_cast<std::uint32_t>(seed),
                                static_cast<std::uint32_t>(seed >> 32)};
  const std::size_t digits = key[1] != 0 ? 2 : 1;
  std::size_t i = 1, j = 0;
  const auto advance = [&] {
    if (++i >= n) {
      state_[0] = state_[n - 1];
      i = 1;
    }
  };
  for (std::size_t k = 0; k < n; ++k) {
    state_[i] = (state_[i] ^ (state_[i - 1] ^ state_[i - 1] >> 30) * 1664525u) + key[j] +
                static_cast<std::uint32_t>(j);
    advance();
    if (++j >= digits) j = 0;
  }
  for (std::size_t k = 1; k < n; ++k) {
    state_[i] = (state_[i] ^ (state_[i - 1] ^ state_[i - 1] >> 30) * 1566083941u) -
                static_cast<std::uint32_t>(i);
    advance();
  }
  state_[0] = 0x80000000u;
}

std::uint32_t FewshotSampler::next() {
  constexpr std::size_t n = 624, m = 397;
  if (at_ >= n) {
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint32_t y = (state_[i] & 0x80000000u) | (state_[(i + 1) % n] & 0x7fffffffu);
      state_[i] = state_[(i + m) % n] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0u);
    }
    at_ = 0;
  }
  std::uint32_t y = state_[at_++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  return y ^ y >> 18;
}

std::size_t FewshotSampler::below(std::size_t bound) {
  const int bits = std::bit_width(bound);
  std::size_t drawn = bound;
  while (drawn >= bound) drawn = next() >> (32 - bits);
  return drawn;
}

std::vector<std::size_t> FewshotSampler::sample(std::size_t population, std::size_t count) {
  std::vector<std::size_t> out;
  out.reserve(count);
  // CPython copies the population where that takes less room than a set of the drawn ones.
  double set_size = 21;
  if (count > 5)
    set_size += std::pow(4.0, std::ceil(std::log(static_cast<double>(count) * 3) / std::log(4.0)));
  if (static_cast<double>(population) <= set_size) {
    std::vector<std::size_t> pool(population);
    for (std::size_t i = 0; i < population; ++i) pool[i] = i;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t j = below(population - i);
      out.push_back(pool[j]);
      pool[j] = pool[population - i - 1];
    }
    return out;
  }
  std::unordered_set<std::size_t> drawn;
  while (out.size() < count) {
    const std::size_t j = below(population);
    if (drawn.insert(j).second) out.push_back(j);
  }
  return out;
}

}  // namespace engine
