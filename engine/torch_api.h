#pragma once
/// The only file that includes <torch/...>; also the precompiled header. Tensor letters used everywhere:
/// B batch, T time, V vocabulary, M model width, H query heads, G key/value heads, D head dimension, F columns of W,
/// P features (2F with negation), w window, C chunk, N chunks, L layers.
#include <torch/torch.h>

namespace engine {
using torch::Tensor;
}
