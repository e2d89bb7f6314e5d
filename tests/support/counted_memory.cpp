#include "tests/support/counted_memory.h"

#include <algorithm>
#include <atomic>

#include <c10/core/CPUAllocator.h>

#include "engine/torch_api.h"

namespace support {
namespace {

std::atomic<std::int64_t> g_held{0}, g_peak{0};

struct Block {
  c10::DataPtr memory;
  std::int64_t bytes;
};

class CountingAllocator : public c10::Allocator {
 public:
  explicit CountingAllocator(c10::Allocator* under) : under_(under) {}
  c10::DataPtr allocate(std::size_t n) override {
    auto* block = new Block{under_->allocate(n), static_cast<std::int64_t>(n)};
    const std::int64_t held = g_held += block->bytes;
    std::int64_t peak = g_peak;
    while (held > peak && !g_peak.compare_exchange_weak(peak, held)) {
    }
    void* data = block->memory.get();
    return {data, block, [](void* p) {
              auto* b = static_cast<Block*>(p);
              g_held -= b->bytes;
              delete b;
            },
            c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void* to, const void* from, std::size_t count) const override { default_copy_data(to, from, count); }

 private:
  c10::Allocator* under_;
};

}  // namespace

std::int64_t peak_bytes(const std::function<void()>& call) {
  c10::Allocator* before = c10::GetCPUAllocator();
  CountingAllocator counting(before);
  // Blocks that outlive the call hold their own deleter.
  c10::SetCPUAllocator(&counting, 255);
  g_held = g_peak = 0;
  call();
  c10::SetCPUAllocator(before, 255);
  return g_peak;
}

}  // namespace support
