#include "tests/support/flood.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "engine/error.h"

namespace support {
namespace {

using Clock = std::chrono::steady_clock;

/// Threads that compute until they are destroyed. They take over the niceness of their maker, as
/// those of a training step do.
std::vector<std::jthread> busy(int count) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([](const std::stop_token& stop) {
      volatile double x = 1;
      while (!stop.stop_requested())
        for (int k = 0; k < 10'000; ++k) x = x * 1.0000001 + 1e-9;
    });
  return threads;
}

void wait_for_turn(const Flood& what, std::int64_t step, Clock::time_point start) {
  if (what.steps_per_s <= 0) return;
  const std::chrono::duration<double> due(double(step) / what.steps_per_s);
  const auto at = start + std::chrono::duration_cast<Clock::duration>(due);
  // A sleep is longer than one step: several steps share it.
  if (at - Clock::now() > std::chrono::milliseconds(1)) std::this_thread::sleep_until(at);
}

std::string run(const Flood& what, FloodCount* count, const engine::Emit& emit,
                const std::stop_token& stop) {
  emit(engine::RunStarted{"cpu", "float32"});
  emit(engine::StageStarted{0, 1, "transfer", "transfer", 0, what.steps, what.steps});
  std::vector<std::string> names;
  for (int s = 0; s < what.series; ++s) names.push_back("transfer/layer." + std::to_string(s));
  const auto threads = busy(what.busy_threads);
  const auto start = Clock::now();
  for (std::int64_t step = 1; what.steps == 0 || step <= what.steps; ++step) {
    if (stop.stop_requested()) throw engine::Cancelled{};
    wait_for_turn(what, step, start);
    engine::Points points{step, {}};
    points.values.reserve(names.size());
    for (int s = 0; s < what.series; ++s)
      points.values.emplace_back(names[std::size_t(s)], flood_value(s, step));
    const auto before = Clock::now();
    emit(std::move(points));
    emit(engine::Progress{"train", 0, step, what.steps, step, what.steps, 0, 0, 0});
    if (!count) continue;
    const std::int64_t took = (Clock::now() - before).count();
    count->slowest_emit_ns = std::max(count->slowest_emit_ns.load(), took);
    count->steps = step;
  }
  return "Done.";
}

}  // namespace

double flood_value(int series, std::int64_t step) {
  const double wave = std::sin(double(step) * 0.001 + series);
  const auto hash = (std::uint64_t(step) * 0x9E3779B97F4A7C15u + std::uint64_t(series)) >> 40;
  return 2 + 0.05 * series + wave + double(hash % 1000) / 1000;
}

engine::Execute flood(Flood what, std::shared_ptr<FloodCount> count) {
  return [what, count = std::move(count)](const engine::RunRequest&, const engine::Emit& emit,
                                          const std::stop_token& stop) {
    return run(what, count.get(), emit, stop);
  };
}

}  // namespace support
