#pragma once
/// Python's random.Random(seed).sample over positions, which the LM Evaluation Harness draws its
/// shots with.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace engine {

/// MT19937 with CPython's seeding (init_by_array) and its rejection sampling; one stream per
/// object, not thread-safe.
class FewshotSampler {
 public:
  explicit FewshotSampler(std::uint64_t seed);
  /// The positions random.sample(range(population), count) gives next. count <= population < 2^32.
  std::vector<std::size_t> sample(std::size_t population, std::size_t count);

 private:
  std::uint32_t next();
  std::size_t below(std::size_t bound);

  std::array<std::uint32_t, 624> state_{};
  std::size_t at_ = 624;
};

}  // namespace engine
