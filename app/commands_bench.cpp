#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "engine/bench.h"
#include "engine/error.h"

namespace app {
namespace {

struct BenchCommand {
  engine::AttentionBench attention;
  engine::DecodeBench decode;
  engine::BenchOptions options;
  std::string folder;
  bool alone = false;
};

Json row_json(const engine::BenchRow& r) {
  Json shape = Json::object(), against = Json::object();
  for (const auto& [name, size] : r.shape) shape[name] = size;
  for (const auto& [name, ms] : r.against) against[name] = number(ms);
  Json row = {{"what", r.what},       {"shape", shape},       {"dtype", r.dtype},
              {"threads", r.threads}, {"repeats", r.repeats}, {"pass", r.pass},
              {"ms", number(r.ms)},   {"against", against}, {"machine", engine::machine_name()}};
  for (const auto& [name, value] : r.figures) row[name] = number(value);
  return row;
}

void print(const engine::BenchRow& r) {
  std::string shape;
  for (const auto& [name, size] : r.shape) shape += name + " " + std::to_string(size) + "  ";
  std::fprintf(stdout, "%-9s %-16s %s%s, %d thread%s\n  %12.3f ms", r.what.c_str(), r.pass.c_str(),
               shape.c_str(), r.dtype.c_str(), r.threads, r.threads == 1 ? "" : "s", r.ms);
  for (const auto& [name, ms] : r.against)
    std::fprintf(stdout, "   %s %.3f ms (%.2f times)", name.c_str(), ms, ms / r.ms);
  std::fprintf(stdout, "\n ");
  for (const auto& [name, value] : r.figures)
    std::fprintf(stdout, "  %s %.4g", name.c_str(), value);
  std::fprintf(stdout, "\n");
  std::fflush(stdout);
}

/// Runs one measurement: rows are shown as they come, or written as JSON at the end.
template <class Run>
void measure(const Common& common, BenchCommand& b, int& code, Run run) {
  const std::atomic<int>& signalled = watch_signals();
  b.options.stop = [&] { return signalled != 0; };
  if (common.json != "-") b.options.row = print;
  Json rows = Json::array();
  try {
    for (const auto& row : run()) rows.push_back(row_json(row));
  } catch (const engine::Cancelled&) {
    std::fprintf(stderr, "equipoise: stopped\n");
    code = 3;
    return;
  }
  write_json(common, rows);
}

}  // namespace

void add_bench_command(CLI::App& cli, const Common& common, int& code) {
  static BenchCommand b;
  auto* bench = cli.add_subcommand(
      "bench",
      "Speed and memory on this machine, against LibTorch's own; medians of calls taken in turns");
  bench->require_subcommand(1);
  auto add_common = [&](CLI::App* c) {
    c->add_option("--threads", b.options.threads, "0: a core each")
        ->capture_default_str()
        ->check(CLI::Range(0, 1024));
    c->add_option("--repeats", b.options.repeats, "Calls of each; the median counts")
        ->capture_default_str()
        ->check(CLI::Range(1, 100000));
  };
  auto add_shape = [&](CLI::App* c, auto& shape) {
    c->add_option("--heads", shape.heads, "Query heads")->capture_default_str();
    c->add_option("--kv-heads", shape.groups,
                  "Key/value heads; the query heads are a multiple of them")
        ->capture_default_str();
    c->add_option("--head-dim", shape.head_dim, "D")->capture_default_str();
    c->add_option("--window", shape.window, "Keys the window sees, the query itself included")
        ->capture_default_str();
  };

  auto* attention =
      bench->add_subcommand("attention",
                            "Hybrid attention against softmax (LibTorch's), the quadratic and the "
                            "composed form, matrix multiply and memory bandwidth");
  add_common(attention);
  add_shape(attention, b.attention);
  attention->add_option("--lengths", b.attention.lengths, "T, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
  attention->add_option("--batch", b.attention.batch, "B")->capture_default_str();
  attention
      ->add_option("--columns", b.attention.columns,
                   "F, columns of the feature map's W (features: twice as many)")
      ->capture_default_str();
  attention->add_option("--dtype", b.attention.dtype, "float32, bfloat16")->capture_default_str();
  attention->add_option("--device", b.attention.device, "cpu, cuda, cuda:1")->capture_default_str();
  attention->add_option("--pass", b.attention.passes, "forward, forward+backward")
      ->delimiter(',')
      ->capture_default_str();
  attention->add_option("--against", b.attention.against, "sdpa, swa, quadratic, composed")
      ->delimiter(',')
      ->capture_default_str();
  attention->add_flag("--alone", b.alone, "Nothing to compare with");
  attention
      ->add_option("--most-seconds", b.attention.most_seconds,
                   "A competitor whose one call would take longer is left out")
      ->capture_default_str();
  attention->callback([&common, &code] {
    if (b.alone) b.attention.against.clear();
    measure(common, b, code, [&] { return engine::bench_attention(b.attention, b.options); });
  });

  auto* train = bench->add_subcommand("train",
                                      "One training step of the embedded model (transfer, LoRA) "
                                      "against composed tensor operations");
  add_common(train);
  train->callback([&common, &code] {
    measure(common, b, code, [&] { return engine::bench_train(b.options); });
  });

  auto* decode = bench->add_subcommand("decode",
                                       "One token at positions far apart, in a layer of its own: "
                                       "time and memory against a softmax cache");
  add_common(decode);
  add_shape(decode, b.decode);
  decode->add_option("--positions", b.decode.positions, "Tokens read before, separated by commas")
      ->delimiter(',')
      ->capture_default_str();
  decode
      ->add_option("--components", b.decode.components,
                   "Component names; teacher is softmax with its cache")
      ->delimiter(',')
      ->capture_default_str();
  decode->callback([&common, &code] {
    measure(common, b, code, [&] { return engine::bench_decode(b.decode, b.options); });
  });

  auto* store = bench->add_subcommand("store", "Points a second into a store");
  add_common(store);
  store->add_option("--folder", b.folder,
                    "Where the temporary store lies; default: the folder for temporary files");
  store->callback([&common, &code] {
    const std::filesystem::path folder =
        b.folder.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(b.folder);
    measure(common, b, code, [&] { return engine::bench_store(folder, b.options); });
  });
}

}  // namespace app
