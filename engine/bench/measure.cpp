#include "engine/bench/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/// A line "name: 123 kB" of /proc/self/status, in bytes.
std::optional<double> own_status(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":")) return 1024 * std::stod(line.substr(name.size() + 1));
  return std::nullopt;
}

/// LibTorch calls back before and after each operation of this thread.
thread_local Spent* t_spent = nullptr;

struct Running : at::ObserverContext {
  double Spent::*kind;
  Clock::time_point start = Clock::now();
  explicit Running(double Spent::*k) : kind(k) {}
};

std::unique_ptr<at::ObserverContext> operation_starts(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  for (const char* product : {"aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm", "aten::baddbmm", "aten::mv"})
    if (name == product) return std::make_unique<Running>(&Spent::matmul_ms);
  if (name.starts_with("equipoise::")) return std::make_unique<Running>(&Spent::kernel_ms);
  return nullptr;
}

void operation_ends(const at::RecordFunction&, at::ObserverContext* context) {
  if (!context || !t_spent) return;
  const auto* running = static_cast<Running*>(context);
  t_spent->*running->kind += milliseconds(Clock::now() - running->start);
}

void wait_for(const torch::Device& device) {
  if (device.is_cuda()) torch::cuda::synchronize();
}

}  // namespace

std::vector<double> take_turns(const std::vector<Contender>& contenders,
                               const BenchOptions& options) {
  std::vector<std::vector<double>> times(contenders.size());
  for (int round = -1; round < options.repeats; ++round) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      if (options.stop()) throw Cancelled{};
      const auto start = Clock::now();
      contenders[i].call();
      if (round >= 0) times[i].push_back(milliseconds(Clock::now() - start));
    }
  }
  std::vector<double> medians;
  for (auto& t : times) medians.push_back(median(std::move(t)));
  return medians;
}

std::optional<double> peak_bytes(const std::function<void()>& call) {
#ifdef __GLIBC__
  malloc_trim(0);  // else memory that was freed before is taken again unseen
#endif
  std::ofstream reset("/proc/self/clear_refs");
  reset << "5" << std::flush;
  const auto before = own_status("VmHWM"), resident = own_status("VmRSS");
  // The mark must have come down to what is resident now, give or take what reading it took.
  if (!reset || !before || !resident || *before > *resident + (4 << 20)) return std::nullopt;
  call();
  const auto after = own_status("VmHWM");
  if (!after) return std::nullopt;
  return std::max(0.0, *after - *before);
}

Threads::Threads(int count) : before_(at::get_num_threads()) {
  if (count > 0) at::set_num_threads(count);
}
Threads::~Threads() { at::set_num_threads(before_); }
int Threads::count() const { return at::get_num_threads(); }

MatrixProduct::MatrixProduct(const std::string& dtype, const std::string& device_name) {
  const torch::Device device = choose_device(device_name);
  size = device.is_cuda() ? 8192 : 1024;
  const auto type = torch::TensorOptions().dtype(choose_dtype(dtype, device)).device(device);
  a = torch::randn({size, size}, type);
  b = torch::randn({size, size}, type);
  c = torch::empty({size, size}, type);
}

Contender MatrixProduct::contender() const {
  return {"matmul", [this] {
            torch::NoGradGuard off;
            Tensor out = c;
            at::mm_out(out, a, b);
            wait_for(c.device());
          }};
}

double MatrixProduct::gflops(double ms) const {
  return 2e-6 * std::pow(static_cast<double>(size), 3) / ms;
}

BenchRow matmul_row(const std::string& dtype, const std::string& device,
                    const BenchOptions& options) {
  const MatrixProduct product(dtype, device);
  const double ms = take_turns({product.contender()}, options)[0];
  const std::int64_t n = product.size;
  BenchRow row{"matmul",
               {{"M", n}, {"N", n}, {"K", n}},
               dtype,
               at::get_num_threads(),
               options.repeats,
               "matmul",
               ms,
               {},
               {}};
  row.figures = {{"gflops", product.gflops(ms)}};
  options.row(row);
  return row;
}

BenchRow bandwidth_row(const std::string& device_name, const BenchOptions& options) {
  const torch::Device device = choose_device(device_name);
  const std::int64_t count = std::int64_t{1} << (device.is_cuda() ? 28 : 26);
  const auto type = torch::TensorOptions().dtype(torch::kFloat32).device(device);
  const Tensor from = torch::ones({count}, type);
  Tensor to = torch::empty({count}, type);
  const double ms = take_turns({{"copy", [&] { to.copy_(from), wait_for(device); }}}, options)[0];
  BenchRow row{"bandwidth",
               {{"bytes", 4 * count}},
               "float32",
               at::get_num_threads(),
               options.repeats,
               "copy",
               ms,
               {},
               {}};
  row.figures = {{"gb_per_s", 8e-6 * static_cast<double>(count) / ms}};
  options.row(row);
  return row;
}

Spent spent_in(const std::function<void()>& call) {
  Spent spent;
  struct Observer {
    explicit Observer(Spent& to) { t_spent = &to; }
    ~Observer() {
      t_spent = nullptr;
      at::removeCallback(handle);
    }
    at::CallbackHandle handle =
        at::addGlobalCallback(at::RecordFunctionCallback(operation_starts, operation_ends));
  } observer(spent);
  const auto start = Clock::now();
  call();
  spent.all_ms = milliseconds(Clock::now() - start);
  return spent;
}

}  // namespace engine
