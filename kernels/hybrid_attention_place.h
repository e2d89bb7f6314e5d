#pragma once
/// Where a block's tiles lie: the most used in shared memory while it lasts, the others in scratch
/// memory of the block's own. Host and device.

#include <algorithm>
#include <cstdint>

#include "kernels/device_team.h"
#include "kernels/hybrid_attention_plan.h"

namespace kernels::device {

using Index = std::int64_t;

/// D, F and P filled up to multiples of 16, and the rows' strides: four more, so that neighbouring
/// rows lie in other banks.
struct Sizes {
  int dim = 0, columns = 0, features = 0;
  int ld_dim = 0, ld_columns = 0, ld_features = 0, ld_pairs = k_tile + 4;

  EQUIPOISE_BOTH int state() const { return features * (ld_dim + 1); }
  EQUIPOISE_BOTH int weight() const { return dim * ld_columns; }
};

inline Sizes sizes_of(const Plan& p) {
  auto filled = [](Index n) { return static_cast<int>((n + 15) / 16 * 16); };
  Sizes s;
  s.dim = filled(p.dim);
  s.columns = p.linear ? filled(p.columns) : 0;
  s.features = p.linear ? filled(p.features) : 0;
  s.ld_dim = s.dim + 4;
  s.ld_columns = s.columns + 4;
  s.ld_features = s.features + 4;
  return s;
}

/// Numbers of a row, k_tile of each.
enum Row {
  row_most,
  row_e_sum,
  row_e_dy,
  row_ties,
  row_a_sum,
  row_a_dy,
  row_window_factor,
  row_window_lost,
  row_to_most,
  row_linear_factor,
  row_linear_lost,
  row_rescale,
  row_spare,  // and the next
  row_count = row_spare + 2
};

/// In the order of their claim on shared memory.
enum Tile {
  tile_rows,  // row_count · k_tile numbers of rows, then k_parts · k_tile of row sums
  tile_pairs,
  tile_pair_dy,
  tile_queries,
  tile_keys,
  tile_values,
  tile_dy,
  tile_query_features,
  tile_key_features,
  tile_state,
  tile_window,  // Σ e v; backward: dq, or dv
  tile_linear,  // Σ φφ v; backward: dk
  tile_dphi,
  tile_z,
  tile_query_weight,
  tile_key_weight,
  tile_count
};

struct Tiles {
  float* at[tile_count];
  float* parts;

  EQUIPOISE_DEVICE float* row(int r) const { return at[tile_rows] + r * k_tile; }
};

/// Offsets in floats; multiples of 32, as tensor cores and wide loads want it.
struct Places {
  bool shared[tile_count] = {};
  Index offset[tile_count] = {};
  Index shared_floats = 0, scratch_floats = 0;

  EQUIPOISE_DEVICE Tiles tiles(float* shared_memory, float* scratch) const {
    Tiles t;
    for (int i = 0; i < tile_count; ++i)
      t.at[i] = (shared[i] ? shared_memory : scratch) + offset[i];
    t.parts = t.at[tile_rows] + row_count * k_tile;
    return t;
  }
};

inline Places place(const Sizes& s, bool backward, Index shared_floats) {
  const Index rows = k_tile * s.ld_dim, features = s.features ? k_tile * s.ld_features : 0;
  const Index pairs = k_tile * s.ld_pairs, maps = s.features ? s.weight() : 0;
  Index size[tile_count] = {};
  size[tile_rows] = (row_count + k_parts) * k_tile;
  size[tile_pairs] = pairs;
  size[tile_queries] = size[tile_keys] = size[tile_values] = rows;
  size[tile_window] = size[tile_linear] = rows;
  size[tile_query_features] = size[tile_key_features] = features;
  size[tile_state] = s.features ? s.state() : 0;
  size[tile_z] = s.features ? k_tile * s.ld_columns : 0;
  size[tile_query_weight] = size[tile_key_weight] = maps;
  if (backward) {
    size[tile_pair_dy] = pairs;
    size[tile_dy] = rows;
    size[tile_dphi] = features;
  }
  Places p;
  for (int i = 0; i < tile_count; ++i) {
    const Index floats = (size[i] + 31) / 32 * 32;
    p.shared[i] = p.shared_floats + floats <= shared_floats;
    Index& used = p.shared[i] ? p.shared_floats : p.scratch_floats;
    p.offset[i] = used;
    used += floats;
  }
  return p;
}

}  // namespace kernels::device
