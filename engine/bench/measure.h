#pragma once
/// What the benchmarks share: turns, medians, memory, the machine's own rates.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/bench.h"
#include "engine/torch_api.h"

namespace engine {

struct Contender {
  std::string name;
  std::function<void()> call;
};

/// Median milliseconds of each contender, in their order: one call each to warm up, then `repeats`
/// rounds in which each is called once. Throws Cancelled.
std::vector<double> take_turns(const std::vector<Contender>& contenders,
                               const BenchOptions& options);

/// Resident memory at its highest during the call beyond what it was before, in bytes. Nothing
/// where the system does not say (other than Linux, or /proc/self/clear_refs may not be written).
std::optional<double> peak_bytes(const std::function<void()>& call);

/// Sets LibTorch's threads for the object's life; 0 leaves them.
class Threads {
 public:
  explicit Threads(int count);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  int count() const;

 private:
  int before_;
};

/// A product of two square matrices, to take turns with.
struct MatrixProduct {
  MatrixProduct(const std::string& dtype, const std::string& device);
  Contender contender() const;  ///< "matmul"; waits for the device. The object must outlive it
  double gflops(double ms) const;

  std::int64_t size;
  Tensor a, b, c;
};

/// Rows "matmul" (figures: gflops) and "bandwidth" (gb_per_s, read and written).
BenchRow matmul_row(const std::string& dtype, const std::string& device,
                    const BenchOptions& options);
BenchRow bandwidth_row(const std::string& device, const BenchOptions& options);

/// Milliseconds of a call, and those of it that went into operations of some kinds.
struct Spent {
  double all_ms = 0;
  double matmul_ms = 0;  ///< LibTorch's matrix products
  double kernel_ms = 0;  ///< the attention kernels
};
Spent spent_in(const std::function<void()>& call);

}  // namespace engine
