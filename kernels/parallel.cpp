#include "kernels/parallel.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace kernels {

bool parallel(int threads, std::int64_t items, const std::function<void(const NextItem&)>& work) {
  std::atomic<std::int64_t> taken = 0;
  std::atomic<bool> complete = true;
  const NextItem next = [&]() -> std::int64_t {
    const std::int64_t item = taken.fetch_add(1);
    return item < items ? item : -1;
  };
  auto worker = [&] {
    try {
      work(next);
    } catch (const std::bad_alloc&) {
      complete = false;
    }
  };
  std::vector<std::jthread> others;
  const auto wanted = std::min<std::int64_t>(threads, items) - 1;
  try {
    for (std::int64_t i = 0; i < wanted; ++i) others.emplace_back(worker);
  } catch (const std::system_error&) {  // no more threads to be had: those there are do the work
  } catch (const std::bad_alloc&) {
  }
  worker();
  others.clear();  // joins
  return complete;
}

}  // namespace kernels
