// One token after another in a decoder of one layer: time and memory at positions far apart.

#include <algorithm>
#include <memory>

#include "engine/bench/measure.h"
#include "engine/error.h"
#include "engine/model/decoding.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr std::int64_t k_vocabulary = 256;

/// A layer with random weights; what it says does not matter, what it costs does.
Model one_layer(const DecodeBench& b, std::int64_t positions) {
  ModelConfig c;
  c.architecture = "llama";
  c.width = c.mlp_width = b.heads * b.head_dim;
  c.layers = 1;
  c.heads = b.heads;
  c.kv_heads = b.groups;
  c.head_dim = b.head_dim;
  c.vocabulary = k_vocabulary;
  c.max_positions = positions;
  c.tied_embeddings = true;
  c.teacher_windows = {0};
  Model model = make_model(c);
  const std::int64_t width = c.width, own = b.groups * b.head_dim;
  auto random = [](std::int64_t rows, std::int64_t columns) {
    return 0.02 * torch::randn({rows, columns});
  };
  model.embedding = model.head.weight = random(k_vocabulary, width);
  model.final_norm = torch::ones({width});
  Block& block = model.blocks[0];
  block.attention_norm = block.mlp_norm = torch::ones({width});
  for (Projection* p : {&block.q, &block.o, &block.gate, &block.up, &block.down})
    p->weight = random(width, width);
  block.k.weight = random(own, width);
  block.v.weight = random(own, width);
  return model;
}

/// A decoding that has read `position` tokens.
struct Reader {
  std::int64_t position = 0;
  std::unique_ptr<Decoding> decoding;
  std::int64_t bytes = 0;
};

class DecodeRuns {
 public:
  DecodeRuns(const DecodeBench& b, const BenchOptions& options)
      : b_(b),
        options_(options),
        furthest_(*std::max_element(b.positions.begin(), b.positions.end())),
        model_(one_layer(b, furthest_ + k_steps * (options.repeats + 1))) {
    AttentionSpec spec;
    spec.window = b.window;
    conversion_ = make_conversion(spec, {1, b.heads, b.groups, b.head_dim}, 0, torch::kCPU);
  }

  /// The component's positions take turns with the cache's.
  void run(std::vector<BenchRow>& rows) {
    std::vector<Reader> readers;
    std::vector<Contender> contenders;
    for (const auto& name : b_.components)
      for (const auto position : b_.positions) {
        readers.push_back(read(component_from(name), position));
        auto* decoding = readers.back().decoding.get();
        contenders.push_back({name, [decoding] {
                                for (int i = 0; i < k_steps; ++i)
                                  decoding->step(torch::zeros({1}, torch::kInt64));
                              }});
      }
    const std::vector<double> ms = take_turns(contenders, options_);
    const std::size_t n = b_.positions.size();
    for (std::size_t i = 0; i < readers.size(); ++i) {
      const double cache = 8.0 * static_cast<double>(b_.groups * b_.head_dim * readers[i].position);
      BenchRow r{"decode",
                 {{"position", readers[i].position},
                  {"H", b_.heads},
                  {"G", b_.groups},
                  {"D", b_.head_dim},
                  {"F", b_.head_dim},
                  {"w", b_.window}},
                 "float32",
                 at::get_num_threads(),
                 options_.repeats,
                 contenders[i].name,
                 ms[i] / k_steps,
                 {},
                 {}};
      const auto teacher = std::find(b_.components.begin(), b_.components.end(), "teacher");
      if (teacher != b_.components.end() && r.pass != "teacher")
        r.against = {
            {"softmax cache",
             ms[static_cast<std::size_t>(teacher - b_.components.begin()) * n + i % n] / k_steps}};
      r.figures = {{"state_bytes", static_cast<double>(readers[i].bytes)},
                   {"cache_bytes", cache},
                   {"state_share", static_cast<double>(readers[i].bytes) / cache},
                   {"of_first_position", ms[i] / ms[i / n * n]}};
      options_.row(r);
      rows.push_back(r);
    }
  }

 private:
  static constexpr int k_steps = 16;

  Reader read(Component component, std::int64_t position) {
    if (options_.stop()) throw Cancelled{};
    ForwardOptions forward;
    forward.component = component;
    Reader r{position,
             std::make_unique<Decoding>(model_, &conversion_, forward,
                                        position + k_steps * (options_.repeats + 1)),
             0};
    r.decoding->prefill(torch::randint(k_vocabulary, {1, position}, torch::kInt64));
    r.bytes = r.decoding->bytes();
    return r;
  }

  const DecodeBench& b_;
  const BenchOptions& options_;
  std::int64_t furthest_;
  Model model_;
  Conversion conversion_;
};

}  // namespace

std::vector<BenchRow> bench_decode(const DecodeBench& bench, const BenchOptions& options) {
  if (bench.positions.empty() ||
      *std::min_element(bench.positions.begin(), bench.positions.end()) < 1 || bench.window < 1 ||
      bench.heads < 1 || bench.groups < 1 || bench.heads % bench.groups != 0 ||
      bench.head_dim < 2 || bench.head_dim % 2 != 0)
    throw InputError(
        "bench decode: positions, window and heads must be 1 or more, the heads a multiple of the "
        "key/value heads, "
        "the head dimension even");
  torch::InferenceMode inference;
  torch::manual_seed(0);
  const Threads threads(options.threads);
  std::vector<BenchRow> rows;
  DecodeRuns(bench, options).run(rows);
  return rows;
}

}  // namespace engine
