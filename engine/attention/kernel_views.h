#pragma once
/// Tensors as kernels see them, and what becomes of a kernel's refusal. Only the files that call kernels include this.

#include "engine/torch_api.h"
#include "kernels/status.h"
#include "kernels/view.h"

namespace engine {

template <class Pointer>
kernels::BasicView<Pointer> view_of(const Tensor& x) {
  kernels::BasicView<Pointer> v;
  if (!x.defined()) return v;
  v.data = x.data_ptr();
  v.dtype = x.dtype() == torch::kFloat32    ? kernels::DType::f32
            : x.dtype() == torch::kFloat64  ? kernels::DType::f64
            : x.dtype() == torch::kBFloat16 ? kernels::DType::bf16
                                            : kernels::DType::u8;
  v.dims = static_cast<int>(x.dim());
  for (int d = 0; d < v.dims; ++d) {
    v.sizes[static_cast<std::size_t>(d)] = x.size(d);
    v.strides[static_cast<std::size_t>(d)] = x.stride(d);
  }
  return v;
}
inline kernels::View in(const Tensor& x) { return view_of<const void*>(x); }
inline kernels::OutView out(const Tensor& x) { return view_of<void*>(x); }

inline void require(const kernels::Status& status) {
  TORCH_CHECK(status.code == kernels::StatusCode::ok, "attention kernel: ", status.text);
}

}  // namespace engine
