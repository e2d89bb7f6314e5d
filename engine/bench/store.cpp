// What a training run writes, as fast as the store takes it. No torch.

#include <algorithm>
#include <chrono>
#include <system_error>

#include <unistd.h>

#include "engine/bench.h"
#include "engine/error.h"
#include "engine/run_store.h"

namespace engine {
namespace {

constexpr std::int64_t k_steps = 2000, k_series = 12, k_steps_a_write = 50;

/// A store of its own, gone with the object.
class TemporaryStore {
 public:
  explicit TemporaryStore(const std::filesystem::path& folder)
      : folder_(folder / ("bench-store-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~TemporaryStore() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TemporaryStore(const TemporaryStore&) = delete;
  TemporaryStore& operator=(const TemporaryStore&) = delete;

  std::filesystem::path file() const { return folder_ / "runs.db"; }

 private:
  std::filesystem::path folder_;
};

/// Steps [first, first + k_steps_a_write) of a run.
std::vector<Event> some_steps(RunId run, std::int64_t first) {
  std::vector<Event> events;
  for (std::int64_t step = first; step < first + k_steps_a_write; ++step) {
    Points points{step, {}};
    for (std::int64_t s = 0; s < k_series; ++s)
      points.values.emplace_back("series/" + std::to_string(s),
                                 1.0 / static_cast<double>(1 + step * k_series + s));
    events.push_back({run, 0, std::move(points)});
  }
  return events;
}

double append_ms(RunWriter& writer, const BenchOptions& options, std::int64_t name) {
  RunInfo info;
  info.name = "bench " + std::to_string(name);
  const RunId run = writer.create(info);
  writer.begin_attempt(run, -1);
  std::chrono::duration<double, std::milli> spent{};
  for (std::int64_t step = 0; step < k_steps; step += k_steps_a_write) {
    if (options.stop()) throw Cancelled{};
    auto events = some_steps(run, step);
    const auto start = std::chrono::steady_clock::now();
    writer.append(events);
    spent += std::chrono::steady_clock::now() - start;
  }
  return spent.count();
}

}  // namespace

std::vector<BenchRow> bench_store(const std::filesystem::path& folder,
                                  const BenchOptions& options) {
  const TemporaryStore store(folder);
  RunWriter writer(store.file());
  append_ms(writer, options, 0);
  std::vector<double> times;
  for (int i = 0; i < options.repeats; ++i) times.push_back(append_ms(writer, options, i + 1));
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                   times.end());
  const double ms = times[times.size() / 2];
  BenchRow row{"store",
               {{"steps", k_steps}, {"series", k_series}, {"steps_a_write", k_steps_a_write}},
               "",
               1,
               options.repeats,
               "append",
               ms,
               {},
               {}};
  row.figures = {{"points_per_s", 1e3 * static_cast<double>(k_steps * k_series) / ms}};
  options.row(row);
  return {row};
}

}  // namespace engine
