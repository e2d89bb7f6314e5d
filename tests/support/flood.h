#pragma once
/// A run that trains nothing and reports far more than a real one: many series, many steps a
/// second, while threads at the niceness of training keep the processor busy.

#include <atomic>
#include <cstdint>
#include <memory>

#include "engine/session.h"

namespace support {

struct Flood {
  int series = 32;            ///< "transfer/layer.0" and so on
  std::int64_t steps = 0;     ///< 0: until it is stopped
  double steps_per_s = 0;     ///< 0: as fast as they are taken
  int busy_threads = 0;
};

/// What the flood has done so far; may be read from any thread.
struct FloodCount {
  std::atomic<std::int64_t> steps = 0;
  std::atomic<std::int64_t> slowest_emit_ns = 0;
};

engine::Execute flood(Flood what, std::shared_ptr<FloodCount> count = nullptr);

/// The value of a series at a step.
double flood_value(int series, std::int64_t step);

}  // namespace support
