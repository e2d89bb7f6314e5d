// The gradients of the maps' weights and biases (Highway; included once per target).

#if defined(EQUIPOISE_KERNELS_MAP_GRADIENTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EQUIPOISE_KERNELS_MAP_GRADIENTS_INL_H_
#undef EQUIPOISE_KERNELS_MAP_GRADIENTS_INL_H_
#else
#define EQUIPOISE_KERNELS_MAP_GRADIENTS_INL_H_
#endif

#include "kernels/hybrid_attention_items.h"
#include "kernels/hybrid_attention_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kernels {
namespace HWY_NAMESPACE {

/// dWᵀ[columns, width] += dz·x and db[columns] += Σ dz over a tile; dz [columns, k_tile], x
/// [k_tile, width].
inline void map_gradients(int columns, int width, const float* dz, const float* x, float* weight,
                          float* bias) {
  product<false>(columns, width, k_tile, {dz, k_tile}, {x, width}, {weight, width, true});
  for (int f = 0; f < columns; ++f) {
    Vector sum = hn::Zero(k_floats);
    for (int t = 0; t < k_tile; t += k_lanes)
      sum = hn::Add(sum, hn::Load(k_floats, dz + f * k_tile + t));
    bias[f] += hn::GetLane(hn::SumOfLanes(k_floats, sum));
  }
}

/// out[h] = Σ over the batch of one array of HeadGradients, found at [f·width + d].
template <class Of>
void sum_over_batch(const OutView& out, const Plan& p, const std::vector<HeadGradients>& sums,
                    Of of) {
  if (!out) return;
  const Index width = padded(p.map_dim), dims = out.dims;
  const Index rows = dims == 3 ? out.sizes[1] : 1, columns = out.sizes[dims - 1];
  for (Index h = 0; h < p.heads; ++h)
    for (Index d = 0; d < rows; ++d)
      for (Index f = 0; f < columns; ++f) {
        float sum = 0;
        for (Index b = 0; b < p.batch && p.linear; ++b)
          sum += of(sums[b * p.heads + h])[dims == 3 ? f * width + d : f];
        static_cast<float*>(out.data)[h * out.strides[0] + (dims == 3 ? d * out.strides[1] : 0) +
                                      f * out.strides[dims - 1]] = sum;
      }
}

/// Into dquery_weight, dkey_weight, dquery_bias and dkey_bias of `out`, where they are asked for.
template <class Out>
void sum_maps_over_batch(const Out& out, const Plan& p, const std::vector<HeadGradients>& sums) {
  sum_over_batch(out.dquery_weight, p, sums, [](const auto& s) { return s.query_weight.data(); });
  sum_over_batch(out.dkey_weight, p, sums, [](const auto& s) { return s.key_weight.data(); });
  sum_over_batch(out.dquery_bias, p, sums, [](const auto& s) { return s.query_bias.data(); });
  sum_over_batch(out.dkey_bias, p, sums, [](const auto& s) { return s.key_bias.data(); });
}

}  // namespace HWY_NAMESPACE
}  // namespace kernels
HWY_AFTER_NAMESPACE();

#endif  // EQUIPOISE_KERNELS_MAP_GRADIENTS_INL_H_
