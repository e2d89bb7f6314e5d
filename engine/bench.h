#pragma once
/// Speed and memory, measured on this machine (`equipoise bench`, the Efficiency page). Within one
/// measurement ours and what it is compared with take turns, so that a busy machine slows them
/// alike; times are medians. No torch.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace engine {

using BenchFigures = std::vector<std::pair<std::string, double>>;

/// One line of results.
struct BenchRow {
  std::string what;  ///< attention, matmul, bandwidth, train, decode, store
  std::vector<std::pair<std::string, std::int64_t>>
      shape;          ///< "B", "H", "G", "T", "D", "F", "w", …
  std::string dtype;  ///< float32, bfloat16; empty where there are no tensors
  int threads = 1;
  int repeats = 1;
  std::string pass;      ///< forward, forward+backward, transfer, lora, "hybrid token", append, …
  double ms = 0;         ///< ours, of one call
  BenchFigures against;  ///< name, ms of the same work done otherwise
  /// What follows, by name with the unit in it: gflops, roofline_share (0…1), us_per_token,
  /// extra_mib, points_per_s, …
  BenchFigures figures;
};

/// "host, processor, 2 cores": what figures belong to.
std::string machine_name();

struct BenchOptions {
  std::function<bool()> stop = [] {
    return false;
  };  ///< asked between calls; then Cancelled is thrown
  std::function<void(const BenchRow&)> row = [](const BenchRow&) {};  ///< each as it is ready
  int threads = 0;  ///< 0: a core each, or what OMP_NUM_THREADS says
  int repeats = 5;  ///< calls of each; the median counts
};

struct AttentionBench {
  std::vector<std::int64_t> lengths = {1024, 2048, 4096, 8192};
  std::int64_t batch = 1, heads = 8, groups = 8, head_dim = 64, columns = 64, window = 64;
  std::string dtype = "float32";  ///< float32, bfloat16
  std::string device = "cpu";     ///< as in a recipe
  std::vector<std::string> passes = {"forward", "forward+backward"};
  /// Of "sdpa" (softmax over the whole past), "swa" (the window alone, our kernel), "quadratic", "composed"; empty: ours
  /// alone.
  std::vector<std::string> against = {"sdpa", "quadratic", "composed"};
  double most_seconds = 10;  ///< a competitor whose one call would take longer, or more memory than
                             ///< half the machine's, is left out
  bool memory = true;        ///< extra memory too (Linux, processor)
};

/// First matrix multiply and memory bandwidth (what, pass "matmul", "copy"), then two rows a
/// length. Hybrid attention with softmax features and negation, g = ½. Throws InputError for an
/// unknown name or a shape that does not fit together.
std::vector<BenchRow> bench_attention(const AttentionBench& bench,
                                      const BenchOptions& options = {});
using MeasureAttention =
    std::function<std::vector<BenchRow>(const AttentionBench&, const BenchOptions&)>;

/// One optimizer step of the embedded model in the preset "ssd" (transfer, LoRA without window
/// dropout), against the same step with composed tensor operations (bench/composed_step.h).
std::vector<BenchRow> bench_train(const BenchOptions& options = {});

struct DecodeBench {
  std::vector<std::int64_t> positions = {256, 32768};
  std::int64_t heads = 8, groups = 8, head_dim = 64, window = 64;
  std::vector<std::string> components = {"hybrid", "swa", "linear", "teacher"};
};

/// Attention of one token by its memory of the past, in a layer of its own: time at each position
/// and bytes of its memory, against softmax with a key-value cache.
std::vector<BenchRow> bench_decode(const DecodeBench& bench, const BenchOptions& options = {});

/// Points a second into a new store below `folder` (a temporary file, removed again), as a training
/// run writes them.
std::vector<BenchRow> bench_store(const std::filesystem::path& folder,
                                  const BenchOptions& options = {});

}  // namespace engine
