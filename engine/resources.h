#pragma once
/// What the program and its machine are using now: processors, memory, GPUs. Reads /proc and asks NVIDIA's management
/// library where there is one; neither torch nor the devices themselves are touched. No torch in this header.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace engine {

/// What a GPU tells of itself; other programs on it included.
struct GpuUse {
  std::string name;
  std::int64_t used_bytes = 0, total_bytes = 0;
  int busy_percent = 0;  ///< of the time, some kernel was at work
  std::optional<int> celsius;
};

struct ResourceUse {
  double cores = 0;              ///< processors' time of this program since the last reading, per second
  int cores_there = 0;           ///< that it may use
  std::int64_t memory_bytes = 0, peak_bytes = 0;  ///< resident, of this program; 0: unknown
  std::int64_t free_bytes = 0, total_bytes = 0;   ///< of the machine: what a program could still have; 0: unknown
  std::vector<GpuUse> gpus;
};

/// Not thread-safe. `gpu_library`: opened at the first reading; where it cannot be there are no GPUs.
class ResourceMeter {
 public:
  explicit ResourceMeter(std::string gpu_library = "libnvidia-ml.so.1");
  ~ResourceMeter();
  ResourceUse read();

 private:
  class Gpus;
  std::string gpu_library_;
  std::unique_ptr<Gpus> gpus_;
  std::chrono::steady_clock::time_point last_;
  double last_cpu_s_ = 0;
};

}  // namespace engine
