#pragma once
/// A tensor as kernels see it: pointer, sizes, strides, dtype. A view owns nothing.

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace kernels {

enum class DType { f32, f64, bf16, u8 };

constexpr int k_max_dims = 4;

/// `strides` are counted in elements, may be 0 (broadcast) or in any order, and belong to `sizes`.
/// A default-constructed view is absent.
template <class Pointer>
struct BasicView {
  Pointer data = nullptr;
  DType dtype = DType::f32;
  int dims = 0;
  std::array<std::int64_t, k_max_dims> sizes{};
  std::array<std::int64_t, k_max_dims> strides{};

  explicit operator bool() const { return data != nullptr; }
};

using View = BasicView<const void*>;  ///< read
using OutView = BasicView<void*>;     ///< written; elements must not overlap

/// A row-major view of a dense array.
template <class Pointer>
BasicView<Pointer> dense(Pointer data, DType dtype, std::initializer_list<std::int64_t> sizes) {
  BasicView<Pointer> view{data, dtype, static_cast<int>(sizes.size()), {}, {}};
  int d = 0;
  for (const std::int64_t size : sizes) view.sizes[d++] = size;
  std::int64_t stride = 1;
  for (d = view.dims - 1; d >= 0; --d) {
    view.strides[d] = stride;
    stride *= view.sizes[d];
  }
  return view;
}

/// bf16 is the upper half of a float.
inline float bf16_to_float(std::uint16_t half) {
  const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
/// To the nearest, ties to even; NaN stays NaN.
inline std::uint16_t float_to_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const std::uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return static_cast<std::uint16_t>((value == value ? rounded : bits | 0x400000) >> 16);
}

}  // namespace kernels
