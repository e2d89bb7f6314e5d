#pragma once
/// Bytes that LibTorch's tensors take on the processor, counted at its allocator.

#include <functional>

namespace support {

/// The most that was held at once during the call, beyond what was held before it.
std::int64_t peak_bytes(const std::function<void()>& call);

}  // namespace support
