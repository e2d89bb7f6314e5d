#pragma once
/// Independent items of work over threads that live for one call.

#include <cstdint>
#include <functional>

namespace kernels {

/// The number of the next item, or −1 when none is left. Any worker may call it.
using NextItem = std::function<std::int64_t()>;

/// Calls `work` once on each of at most `threads` threads, the calling one included; together they
/// take `items` items. False where one ran out of memory; then results are incomplete.
bool parallel(int threads, std::int64_t items, const std::function<void(const NextItem&)>& work);

}  // namespace kernels
