#include "engine/resources.h"

#include <dlfcn.h>
#include <sched.h>
#include <sys/resource.h>

#include <array>
#include <fstream>

namespace engine {
namespace {

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

int cores_allowed() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

/// "VmRSS:   1234 kB" of a file of such lines, in bytes; 0 where it has none.
std::int64_t bytes_of(const char* file, const std::string& key) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    std::int64_t kilobytes = 0;
    if (word == key + ":" && in >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

}  // namespace

/// NVML by its stable names; every call may fail, and says nothing then.
class ResourceMeter::Gpus {
 public:
  explicit Gpus(const std::string& library) : library_(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    find(init_, "nvmlInit_v2");
    find(shutdown_, "nvmlShutdown");
    find(count_, "nvmlDeviceGetCount_v2");
    find(handle_, "nvmlDeviceGetHandleByIndex_v2");
    find(name_, "nvmlDeviceGetName");
    find(memory_, "nvmlDeviceGetMemoryInfo");
    find(busy_, "nvmlDeviceGetUtilizationRates");
    find(heat_, "nvmlDeviceGetTemperature");
    ready_ = init_ && count_ && handle_ && memory_ && init_() == 0;
  }
  ~Gpus() {
    if (ready_ && shutdown_) shutdown_();
    if (library_ != nullptr) dlclose(library_);
  }
  Gpus(const Gpus&) = delete;
  Gpus& operator=(const Gpus&) = delete;

  std::vector<GpuUse> read() const {
    std::vector<GpuUse> all;
    unsigned count = 0;
    if (!ready_ || count_(&count) != 0) return all;
    for (unsigned i = 0; i < count; ++i) {
      void* device = nullptr;
      Memory memory{};
      if (handle_(i, &device) != 0 || memory_(device, &memory) != 0) continue;
      GpuUse use;
      use.used_bytes = static_cast<std::int64_t>(memory.used);
      use.total_bytes = static_cast<std::int64_t>(memory.total);
      std::array<char, 96> name{};
      if (name_ && name_(device, name.data(), name.size()) == 0) use.name = name.data();
      Busy busy{};
      if (busy_ && busy_(device, &busy) == 0) use.busy_percent = static_cast<int>(busy.gpu);
      unsigned celsius = 0;
      constexpr int k_core = 0;
      if (heat_ && heat_(device, k_core, &celsius) == 0) use.celsius = static_cast<int>(celsius);
      all.push_back(std::move(use));
    }
    return all;
  }

 private:
  struct Memory {
    unsigned long long total, free, used;
  };
  struct Busy {
    unsigned gpu, memory;
  };
  template <class Function>
  void find(Function& into, const char* name) {
    into = reinterpret_cast<Function>(dlsym(library_, name));
  }

  void* library_ = nullptr;
  bool ready_ = false;
  int (*init_)() = nullptr;
  int (*shutdown_)() = nullptr;
  int (*count_)(unsigned*) = nullptr;
  int (*handle_)(unsigned, void**) = nullptr;
  int (*name_)(void*, char*, unsigned) = nullptr;
  int (*memory_)(void*, Memory*) = nullptr;
  int (*busy_)(void*, Busy*) = nullptr;
  int (*heat_)(void*, int, unsigned*) = nullptr;
};

ResourceMeter::ResourceMeter(std::string gpu_library)
    : gpu_library_(std::move(gpu_library)), last_(std::chrono::steady_clock::now()), last_cpu_s_(cpu_seconds()) {}
ResourceMeter::~ResourceMeter() = default;

ResourceUse ResourceMeter::read() {
  if (!gpus_) gpus_ = std::make_unique<Gpus>(gpu_library_);
  ResourceUse use;
  const auto now = std::chrono::steady_clock::now();
  const double cpu_s = cpu_seconds(), passed_s = std::chrono::duration<double>(now - last_).count();
  if (passed_s > 0) use.cores = (cpu_s - last_cpu_s_) / passed_s;
  last_ = now;
  last_cpu_s_ = cpu_s;
  use.cores_there = cores_allowed();
  use.memory_bytes = bytes_of("/proc/self/status", "VmRSS");
  use.peak_bytes = bytes_of("/proc/self/status", "VmHWM");
  use.free_bytes = bytes_of("/proc/meminfo", "MemAvailable");
  use.total_bytes = bytes_of("/proc/meminfo", "MemTotal");
  use.gpus = gpus_->read();
  return use;
}

}  // namespace engine
