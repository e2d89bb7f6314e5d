// Hybrid attention against softmax over the whole past and against the same hybrid written with
// tensor operations.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <unistd.h>

#include "engine/attention/hybrid_attention.h"
#include "engine/bench/measure.h"
#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

/// Operations of the chunked algorithm a token and head, forward: both feature maps, scores and
/// values of the window's two tiles, pairs within a tile, and the state read and written. A tile
/// has 64 tokens.
double chunk_operations(const AttentionBench& b) {
  constexpr double k_tile = 64;
  const auto d = static_cast<double>(b.head_dim), f = static_cast<double>(b.columns), p = 2 * f;
  const double maps = 4 * d * f, window = 4 * d * (static_cast<double>(b.window) + k_tile);
  return maps + window + 2 * k_tile * (p + d) + 4 * p * d;
}

/// The hybrid with both T × T matrices.
Tensor quadratic_hybrid(const Tensor& q, const Tensor& k, const Tensor& v,
                        const AttentionCall& call) {
  const std::int64_t length = q.size(2);
  const Tensor t =
      torch::arange(length, torch::TensorOptions().dtype(torch::kInt64).device(q.device()));
  const Tensor age = t.unsqueeze(1) - t.unsqueeze(0);
  const Tensor far = age >= call.window, has = (t >= call.window).unsqueeze(-1);
  const Tensor hidden = (age < 0).logical_or(far);
  const Tensor scores = q.matmul(k.transpose(-1, -2)) / std::sqrt(static_cast<double>(q.size(3)));
  const Tensor window =
      scores.masked_fill(hidden, -std::numeric_limits<double>::infinity()).softmax(-1).matmul(v);
  const Tensor pairs = (*call.query_map)(q, q.size(1))
                           .matmul((*call.key_map)(k, q.size(1)).transpose(-1, -2))
                           .masked_fill(far.logical_not(), 0.0);
  const Tensor linear = pairs.matmul(v) / at::where(has, pairs.sum(-1, true), 1.0);
  return at::where(has, call.weight * window + (1 - call.weight) * linear, window);
}

void check(const AttentionBench& b) {
  auto require = [](bool condition, const std::string& text) {
    if (!condition) throw InputError("bench attention: " + text);
  };
  require(
      b.batch > 0 && b.heads > 0 && b.groups > 0 && b.head_dim > 0 && b.columns > 0 && b.window > 0,
      "batch, heads, groups, dimensions, columns and window must be 1 or more");
  require(b.heads % b.groups == 0, "the heads must be a multiple of the key/value heads");
  require(!b.lengths.empty() &&
              std::all_of(b.lengths.begin(), b.lengths.end(), [](auto t) { return t > 0; }),
          "lengths must be 1 or more");
  require(b.dtype == "float32" || b.dtype == "bfloat16",
          "dtype \"" + b.dtype + "\"; expected float32 or bfloat16");
  for (const auto& pass : b.passes)
    require(pass == "forward" || pass == "forward+backward",
            "pass \"" + pass + "\"; expected forward or forward+backward");
  for (const auto& name : b.against)
    require(name == "sdpa" || name == "swa" || name == "quadratic" || name == "composed",
            "against \"" + name + "\"; expected sdpa, swa, quadratic or composed");
}

/// The processor's kernels compute in float32, whatever they read.
std::string multiplied_in(const AttentionBench& b) {
  return b.device == "cpu" ? "float32" : b.dtype;
}

double machine_bytes() {
  return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

class AttentionRuns {
 public:
  AttentionRuns(const AttentionBench& bench, const BenchOptions& options)
      : b_(bench),
        options_(options),
        device_(choose_device(b_.device)),
        product_(multiplied_in(b_), b_.device) {
    const auto real = torch::TensorOptions().device(device_);
    auto weight = [&] {
      return (torch::eye(b_.head_dim, b_.columns, real) +
              0.1 * torch::randn({b_.heads, b_.head_dim, b_.columns}, real))
          .requires_grad_();
    };
    query_map_.weight = weight();
    key_map_.weight = weight();
    call_.component = Component::hybrid;
    call_.window = b_.window;
    call_.query_map = &query_map_;
    call_.key_map = &key_map_;
  }

  BenchRow run(std::int64_t length, const std::string& pass) {
    make_inputs(length);
    const bool train = pass != "forward";
    std::vector<Contender> contenders{{"ours", work("ours", train)}};
    for (const auto& name : b_.against)
      if (fits(name, length, train)) contenders.push_back({name, work(name, train)});
    contenders.push_back(product_.contender());
    const std::vector<double> ms = take_turns(contenders, options_);
    contenders.pop_back();
    const double rate = product_.gflops(ms.back());
    BenchRow row{"attention",
                 {{"B", b_.batch},
                  {"H", b_.heads},
                  {"G", b_.groups},
                  {"T", length},
                  {"D", b_.head_dim},
                  {"F", b_.columns},
                  {"w", b_.window}},
                 b_.dtype,
                 at::get_num_threads(),
                 options_.repeats,
                 pass,
                 ms[0],
                 {},
                 {}};
    for (std::size_t i = 1; i < contenders.size(); ++i) {
      row.against.emplace_back(contenders[i].name, ms[i]);
      last_[{contenders[i].name, train}] = {length, ms[i]};
    }
    const double operations =
        chunk_operations(b_) * (train ? 3 : 1) * static_cast<double>(b_.batch * b_.heads * length);
    const double gflops = operations / ms[0] * 1e-6;
    row.figures = {{"us_per_token", 1e3 * ms[0] / static_cast<double>(b_.batch * length)},
                   {"gflops", gflops},
                   {"matmul_gflops", rate},
                   {"roofline_share", gflops / rate}};
    if (b_.memory && device_.is_cpu()) add_memory(row, contenders);
    options_.row(row);
    return row;
  }

 private:
  void make_inputs(std::int64_t length) {
    if (q_.defined() && q_.size(2) == length) return;
    const auto type = torch::TensorOptions().dtype(choose_dtype(b_.dtype, device_)).device(device_);
    auto tensor = [&](std::int64_t heads, bool gradient) {
      return torch::randn({b_.batch, heads, length, b_.head_dim}, type).requires_grad_(gradient);
    };
    q_ = tensor(b_.heads, true), k_ = tensor(b_.groups, true), v_ = tensor(b_.groups, true),
    dy_ = tensor(b_.heads, false);
    const std::int64_t share = b_.heads / b_.groups;
    all_k_ = share == 1 ? k_ : k_.detach().repeat_interleave(share, 1).requires_grad_();
    all_v_ = share == 1 ? v_ : v_.detach().repeat_interleave(share, 1).requires_grad_();
  }

  Tensor forward(const std::string& name) {
    if (name == "sdpa") return at::scaled_dot_product_attention(q_, all_k_, all_v_, {}, 0.0, true);
    if (name == "quadratic") {
      auto real = [](const Tensor& x) { return x.to(torch::kFloat32); };
      return quadratic_hybrid(real(q_), real(all_k_), real(all_v_), call_).to(q_.dtype());
    }
    AttentionCall call = call_;
    call.composed = name == "composed";
    if (name == "swa") call.component = Component::swa;
    return hybrid_attention(q_, k_, v_, call);
  }

  std::function<void()> work(const std::string& name, bool train) {
    return [=, this] {
      torch::AutoGradMode mode(train);
      const Tensor y = forward(name);
      if (train) {
        const bool all = name == "sdpa" || name == "quadratic";
        torch::autograd::variable_list inputs{q_, all ? all_k_ : k_, all ? all_v_ : v_};
        if (name != "sdpa" && name != "swa") inputs.insert(inputs.end(), {query_map_.weight, key_map_.weight});
        kept_ = torch::autograd::grad({y}, inputs, {dy_});
      }
      kept_.push_back(y);
      if (device_.is_cuda()) torch::cuda::synchronize();
      out_bytes_ = 0;
      for (const Tensor& t : kept_) out_bytes_ += static_cast<double>(t.nbytes());
      kept_.clear();
    };
  }

  /// From the length before, growing as the square (composed and swa: as the length).
  bool fits(const std::string& name, std::int64_t length, bool train) const {
    if (name == "quadratic" &&
        8.0 * static_cast<double>(b_.batch * b_.heads * length * length) * 4 > machine_bytes() / 2)
      return false;
    const auto found = last_.find({name, train});
    if (found == last_.end()) return true;
    const double growth = static_cast<double>(length) / static_cast<double>(found->second.first);
    const double ms = found->second.second * (name == "composed" || name == "swa" ? growth : growth * growth);
    return ms < 1e3 * b_.most_seconds;
  }

  /// Beyond inputs, outputs and gradients.
  void add_memory(BenchRow& row, const std::vector<Contender>& contenders) {
    for (const auto& c : contenders) {
      if (const auto bytes = peak_bytes(c.call))
        row.figures.emplace_back((c.name == "ours" ? "" : c.name + "_") + "extra_mib",
                                 std::max(0.0, *bytes - out_bytes_) / (1 << 20));
    }
  }

  const AttentionBench& b_;
  const BenchOptions& options_;
  torch::Device device_;
  MatrixProduct product_;
  FeatureMap query_map_, key_map_;
  AttentionCall call_;
  Tensor q_, k_, v_, dy_, all_k_, all_v_;
  std::vector<Tensor> kept_;
  double out_bytes_ = 0;
  std::map<std::pair<std::string, bool>, std::pair<std::int64_t, double>>
      last_;  ///< T and ms of a competitor's last row
};

}  // namespace

std::vector<BenchRow> bench_attention(const AttentionBench& bench, const BenchOptions& options) {
  check(bench);
  const Threads threads(options.threads);
  torch::manual_seed(0);
  std::vector<BenchRow> rows;
  BenchOptions kept = options;
  kept.row = [&](const BenchRow& row) {
    rows.push_back(row);
    options.row(row);
  };
  AttentionRuns runs(bench, kept);
  matmul_row(multiplied_in(bench), bench.device, kept);
  bandwidth_row(bench.device, kept);
  for (const auto length : bench.lengths)
    for (const auto& pass : bench.passes) runs.run(length, pass);
  return rows;
}

}  // namespace engine
