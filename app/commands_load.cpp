#include <cstdio>

#include "app/commands.h"
#include "engine/model/load_report.h"

namespace app {
namespace {

void load(const Common& common, const std::string& model, const std::string& dtype, const std::string& device) {
  const engine::LoadReport r = engine::timed_load(model, dtype, device);
  const double rate = static_cast<double>(r.bytes) / r.seconds;
  write_json(common, {{"folder", r.folder},
                      {"architecture", r.config.architecture},
                      {"dtype", r.dtype},
                      {"parameters", r.parameters},
                      {"bytes", r.bytes},
                      {"files", r.files.size()},
                      {"matched", r.matched},
                      {"ignored", r.ignored},
                      {"seconds", number(r.seconds)},
                      {"bytes_per_second", number(rate)}});
  if (common.json == "-") return;
  std::printf("%s: %lld tensors, %lld parameters (%s, %.2f GB in %zu file%s) in %.3f s, %.2f GB/s\n",
              r.config.architecture.c_str(), static_cast<long long>(r.matched), static_cast<long long>(r.parameters),
              r.dtype.c_str(), static_cast<double>(r.bytes) / 1e9, r.files.size(), r.files.size() == 1 ? "" : "s",
              r.seconds, rate / 1e9);
}

}  // namespace

void add_load_command(CLI::App& cli, const Common& common) {
  static std::string model, dtype = "auto", device = "auto";
  auto* c = cli.add_subcommand("load", "Load a model's weights as a run does, and say how long it took");
  c->add_option("model", model, "builtin:tiny or a Hugging Face folder")->required();
  c->add_option("--dtype", dtype, "auto, float32, bfloat16 or float64");
  c->add_option("--device", device, "auto, cpu, cuda or cuda:N");
  c->callback([&common] { load(common, model, dtype, device); });
}

}  // namespace app
