#pragma once
/// How the feature maps and mixing of a conversion are doing, measured on a few rows while a run trains.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/model/decoder.h"

namespace engine {

/// Denominators Σφ(q)φ(k) below this are counted as small.
constexpr double k_small_denominator = 1e-6;

/// Series by name, for every converted layer l:
///   denominator/layer.l.min          least |Σφ(q)φ(k)| over all past keys
///   denominator/layer.l.small_share  share of them below k_small_denominator
///   map/layer.l.distance             ‖W − W₀‖ / ‖W₀‖ over both maps, W₀ their start; 0 where φ has no W
///   map/layer.l.dead                 share of features of the keys whose largest value is below 1 % of the median one's
///   map/layer.l.saturated            share of keys one feature of which holds over 99 % of |φ|
///   map/layer.l.rank                 effective rank of φ(k): exp of the entropy of its singular values, mean over heads
///   mixing/layer.l.head.h            g (gated: its mean over tokens), where the mixing has parameters
/// `start`: Conversion::tensors() before training. One forward pass of at most 2 rows, in component hybrid.
std::vector<std::pair<std::string, double>> map_health(const Model& model, const Conversion& conversion,
                                                       const std::map<std::string, Tensor>& start,
                                                       const std::vector<std::vector<std::int64_t>>& rows);

/// ‖W − W₀‖ / ‖W₀‖ of one layer's maps.
double map_distance(const Conversion& conversion, std::size_t layer, const std::map<std::string, Tensor>& start);

}  // namespace engine
