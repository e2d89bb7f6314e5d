// Tiles of one head: packed rows and blocks of keys (Highway; included once per target). What a
// softmax runs over is held transposed, [dimension, token], so that it goes down a column of
// vectors.

#if defined(EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_
#undef EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_
#else
#define EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_
#endif

#include <cstring>
#include <new>
#include <vector>

#include <hwy/aligned_allocator.h>
#include "kernels/hybrid_attention_plan.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

using Index = std::int64_t;

/// Aligned scratch memory, uninitialised.
class Scratch {
 public:
  explicit Scratch(Index count) : memory_(hwy::AllocateAligned<float>(std::max<Index>(count, 1))) {
    if (!memory_) throw std::bad_alloc();
  }
  float* at() const { return memory_.get(); }

 private:
  hwy::AlignedFreeUniquePtr<float[]> memory_;
};

/// Rows [T,D] of one head, f32 or bf16.
template <class Pointer>
struct HeadRows {
  Pointer data = nullptr;
  DType dtype = DType::f32;
  Index begin = 0, token_stride = 0, dim_stride = 0, length = 0, dim = 0;

  explicit operator bool() const { return data != nullptr; }
  Index place(Index t) const { return begin + t * token_stride; }
  bool plain() const { return dtype == DType::f32 && dim_stride == 1; }
};
using Rows = HeadRows<const void*>;
using OutRows = HeadRows<void*>;  ///< absent where `data` is null

template <class Pointer>
HWY_INLINE HeadRows<Pointer> rows_of(const BasicView<Pointer>& x, Index b, Index h) {
  if (!x) return {};
  return {x.data,     x.dtype,   b * x.strides[0] + h * x.strides[1], x.strides[2], x.strides[3],
          x.sizes[2], x.sizes[3]};
}

/// out[d] = row t as f32.
HWY_INLINE void read_row(const Rows& x, Index t, float* HWY_RESTRICT out) {
  const Index at = x.place(t);
  if (x.dtype == DType::bf16) {
    const auto* from = static_cast<const std::uint16_t*>(x.data) + at;
    const hn::RebindToUnsigned<Floats> words;
    const hn::Rebind<std::uint16_t, Floats> halves;
    Index d = 0;
    for (; x.dim_stride == 1 && d + k_lanes <= x.dim; d += k_lanes) {
      const auto upper = hn::ShiftLeft<16>(hn::PromoteTo(words, hn::LoadU(halves, from + d)));
      hn::StoreU(hn::BitCast(k_floats, upper), k_floats, out + d);
    }
    for (; d < x.dim; ++d) out[d] = bf16_to_float(from[d * x.dim_stride]);
    return;
  }
  const float* from = static_cast<const float*>(x.data) + at;
  if (x.dim_stride == 1)
    std::copy_n(from, x.dim, out);
  else
    for (Index d = 0; d < x.dim; ++d) out[d] = from[d * x.dim_stride];
}

HWY_INLINE void write_row(const OutRows& x, Index t, const float* HWY_RESTRICT from) {
  const Index at = x.place(t);
  if (x.dtype == DType::bf16) {
    auto* to = static_cast<std::uint16_t*>(x.data) + at;
    for (Index d = 0; d < x.dim; ++d) to[d * x.dim_stride] = float_to_bf16(from[d]);
    return;
  }
  float* to = static_cast<float*>(x.data) + at;
  if (x.dim_stride == 1)
    std::copy_n(from, x.dim, to);
  else
    for (Index d = 0; d < x.dim; ++d) to[d * x.dim_stride] = from[d];
}

HWY_INLINE Index padded(Index dim) { return (dim + k_lanes - 1) / k_lanes * k_lanes; }

/// out[d·k_tile + i] = row first + i, zeros where there is no such row.
HWY_INLINE void load_transposed(const Rows& x, Index first, float* HWY_RESTRICT out) {
  if (first >= 0 && first + k_tile <= x.length && x.plain())
    return transpose(static_cast<const float*>(x.data) + x.place(first), x.token_stride,
                     static_cast<int>(x.dim), out);
  HWY_ALIGN float rows[k_tile * k_most_dim];
  for (Index i = 0; i < k_tile; ++i) {
    const Index t = first + i;
    if (t < 0 || t >= x.length)
      std::fill_n(rows + i * x.dim, x.dim, 0.0f);
    else
      read_row(x, t, rows + i * x.dim);
  }
  transpose(rows, x.dim, static_cast<int>(x.dim), out);
}

/// out[i·padded(dim) + d] = row first + i, zeros where there is none.
HWY_INLINE void load_rows(const Rows& x, Index first, float* HWY_RESTRICT out) {
  const Index width = padded(x.dim);
  for (Index i = 0; i < k_tile; ++i) {
    float* to = out + i * width;
    const Index t = first + i;
    std::fill_n(to, width, 0.0f);
    if (t >= 0 && t < x.length) read_row(x, t, to);
  }
}

/// Packed keys and values of k_tile tokens.
struct KeyBlock {
  const float* keys = nullptr;         ///< [D, k_tile]
  const float* values = nullptr;       ///< [k_tile, padded(D)]
  const float* key_rows = nullptr;     ///< [k_tile, padded(D)], of KeyBlocks for the backward pass
  const float* value_lanes = nullptr;  ///< [D, k_tile], likewise
};

/// Blocks of one head, packed once each while the window passes over them. Blocks begin at
/// `origin` + n·k_tile.
class KeyBlocks {
 public:
  KeyBlocks(const Plan& p, bool backward)
      : lanes_size_(p.dim * k_tile),
        rows_size_(padded(p.dim) * k_tile),
        backward_(backward),
        starts_(slot_count(p)),
        memory_(slot_size() * static_cast<Index>(starts_.size())) {}

  void set_head(const Rows& keys, const Rows& values, Index origin) {
    keys_ = keys;
    values_ = values;
    origin_ = origin;
    std::fill(starts_.begin(), starts_.end(), k_none);
  }
  /// The start of the block that holds key i.
  Index start_of(Index i) const {
    const Index from = i - origin_;
    return origin_ + (from >= 0 ? from / k_tile : -((-from + k_tile - 1) / k_tile)) * k_tile;
  }
  /// Valid until the next call.
  KeyBlock at(Index start) {
    const auto slots = static_cast<Index>(starts_.size());
    const Index slot = (((start - origin_) / k_tile) % slots + slots) % slots;
    float* lanes = memory_.at() + slot * slot_size();
    float* rows = lanes + lanes_size_;
    float *key_rows = rows + rows_size_, *value_lanes = key_rows + rows_size_;
    if (starts_[slot] != start) {
      load_transposed(keys_, start, lanes);
      load_rows(values_, start, rows);
      if (backward_) {
        load_rows(keys_, start, key_rows);
        load_transposed(values_, start, value_lanes);
      }
      starts_[slot] = start;
    }
    return {lanes, rows, key_rows, value_lanes};
  }

 private:
  static constexpr Index k_none = INT64_MIN;
  static constexpr Index k_most_floats = 1
                                         << 18;  // what a second-level cache holds beside the rest

  Index slot_size() const { return (lanes_size_ + rows_size_) * (backward_ ? 2 : 1); }
  std::size_t slot_count(const Plan& p) const {
    const Index wanted = p.window / k_tile + 2;
    return static_cast<std::size_t>(
        std::max<Index>(2, std::min(wanted, k_most_floats / slot_size())));
  }

  Index lanes_size_, rows_size_;
  bool backward_;
  Index origin_ = 0;
  std::vector<Index> starts_;
  Scratch memory_;
  Rows keys_, values_;
};

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#endif  // EQUIPOISE_KERNELS_HYBRID_ATTENTION_TILES_INL_H_
