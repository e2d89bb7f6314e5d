#pragma once
/// From a call to the kernels of a device, in order. A Launcher has:
///   Index shared_floats()            shared memory of a block
///   int processors()                 blocks that run at once, about
///   float* floats(Index n), double* doubles(Index n)   memory of the device, kept until the
///   launcher
///                                    goes; null: there is none left
///   Status launch(kernel, items, places)   kernel(team, item, shared, scratch) for every item
///   Status read(double* to, const double* from, Index n)   waits
/// CUDA's is in hybrid_attention.cu; the one that tests run is a loop.

#include <algorithm>
#include <vector>

#include "kernels/hybrid_attention_device_backward.h"

namespace kernels::device {

template <class Pointer>
HeadView<Pointer> head_view(const BasicView<Pointer>& x) {
  return {x.data, x.dtype == DType::bf16, x.strides[0], x.strides[1], x.strides[2], x.strides[3]};
}

inline MapView map_view(const FeatureMap& map) {
  return {map.activation,
          static_cast<const float*>(map.weight.data),
          static_cast<const float*>(map.bias.data),
          map.weight.strides[0],
          map.weight.strides[1],
          map.bias.strides[0],
          map.bias.strides[1]};
}

inline DeviceCall device_call(const HybridAttention& call, const Plan& p) {
  DeviceCall c;
  c.plan = p;
  c.sizes = sizes_of(p);
  c.q = head_view(call.q), c.k = head_view(call.k), c.v = head_view(call.v);
  if (p.linear) c.query_map = map_view(call.query_map), c.key_map = map_view(call.key_map);
  c.negation = call.query_map.negation;
  c.weight = static_cast<float>(call.weight);
  if (p.norms && call.mixing == Mixing::gated) {
    c.gate = static_cast<const float*>(call.gate.data);
    c.gate_batch = call.gate.strides[0], c.gate_head = call.gate.strides[1];
    c.gate_token = call.gate.strides[2];
  } else if (p.norms && call.mixing != Mixing::fixed) {
    c.logit = static_cast<const float*>(call.logit.data);
    c.logit_stride = call.logit.strides[0];
  }
  if (call.counted) {
    c.counted = static_cast<const std::uint8_t*>(call.counted.data);
    c.counted_batch = call.counted.strides[0];
    c.counted_token = call.counted.strides[1];
  }
  return c;
}

/// Into how many pieces of time each of `heads` is cut, so that all processors have work.
inline Index piece_count(Index heads, Index tiles, int processors) {
  const Index wanted = (4 * static_cast<Index>(processors) + heads - 1) / heads;
  return std::clamp<Index>(wanted, 1, std::max<Index>(1, tiles / 4));
}

inline Index tile_count_of(const Plan& p) { return (p.length + k_tile - 1) / k_tile; }

inline Status no_memory() {
  return {StatusCode::out_of_memory, "hybrid_attention_cuda: no memory for states"};
}

/// Runs steps until one fails.
class Steps {
 public:
  template <class Step>
  Steps& then(Step step) {
    if (status_.ok()) status_ = step();
    return *this;
  }
  Status status() const { return status_; }

 private:
  Status status_;
};

/// out [heads] = Σ over batch and pieces of items.
template <class Launcher>
Status sum_items(Launcher& device, const Plan& p, const double* items, Index pieces, double* out) {
  return device.launch(SumItemsKernel{items, p.batch, p.heads, pieces, out}, p.heads, Places{});
}

template <class Launcher>
Status count_clamped(Launcher& device, const Plan& p, const double* items, Index pieces,
                     std::int64_t& count) {
  double* sums = device.doubles(p.heads);
  if (!sums) return no_memory();
  std::vector<double> read(static_cast<std::size_t>(p.heads));
  Steps steps;
  steps.then([&] { return sum_items(device, p, items, pieces, sums); }).then([&] {
    return device.read(read.data(), sums, p.heads);
  });
  double sum = 0;
  for (const double x : read) sum += x;
  count = static_cast<std::int64_t>(sum);
  return steps.status();
}

template <class Launcher>
Status launch_forward(const HybridAttention& call, HybridAttentionOut& out, Launcher& device) {
  const Plan p = plan(call);
  ForwardPass pass;
  pass.call = device_call(call, p);
  const Sizes& s = pass.call.sizes;
  pass.places = place(s, false, device.shared_floats());
  pass.y = head_view(out.y);
  pass.tiles = tile_count_of(p);
  pass.norms = out.window_norms && p.norms;
  const Index heads = p.batch * p.heads;
  pass.pieces = piece_count(heads, pass.tiles, device.processors());
  const Index items = heads * pass.pieces;
  const bool cut = p.linear && pass.pieces > 1;
  double* sums = device.doubles(4 * items);
  if (cut) pass.states = device.floats(items * s.state());
  if (!sums || (cut && !pass.states)) return no_memory();
  pass.sums = {sums, sums + items, sums + 2 * items, sums + 3 * items};
  Steps steps;
  if (cut)
    steps.then([&] {
           return device.launch(ForwardKernel{pass, true}, items, pass.places);
         })
        .then([&] {
          return device.launch(SumStatesKernel{pass.states, pass.pieces, s.state(), false}, heads,
                               Places{});
        });
  steps.then([&] { return device.launch(ForwardKernel{pass, false}, items, pass.places); });
  out.clamped_denominators = out.clamped_exps = 0;
  if (!out.window_norms) return steps.status();
  steps
      .then([&] {
        return sum_items(device, p, pass.sums.window_norm, pass.pieces, out.window_norms);
      })
      .then([&] {
        return sum_items(device, p, pass.sums.linear_norm, pass.pieces, out.linear_norms);
      })
      .then([&] {
        return count_clamped(device, p, pass.sums.clamped_denominators, pass.pieces,
                             out.clamped_denominators);
      })
      .then([&] {
        return count_clamped(device, p, pass.sums.clamped_exps, pass.pieces, out.clamped_exps);
      });
  return steps.status();
}

/// Where dk or dv is summed up: the gradient itself, or f32 memory [B,G,T,D] where that is bf16.
template <class Launcher>
bool sum_rows_in(Launcher& device, const Plan& p, const OutView& out, HeadView<void*>& sums) {
  if (!out) return true;
  sums = head_view(out);
  if (!sums.half) return true;
  sums = {device.floats(p.batch * p.groups * p.length * p.dim),
          false,
          p.groups * p.length * p.dim,
          p.length * p.dim,
          p.dim,
          1};
  return sums.data != nullptr;
}

template <class Launcher>
Status convert_rows(Launcher& device, const Plan& p, const HeadView<void*>& sums,
                    const OutView& out) {
  if (!out || out.dtype != DType::bf16) return {};
  const HeadView<const void*> from{sums.data, false, sums.batch, sums.head, sums.token, sums.dim};
  return device.launch(ConvertKernel{from, head_view(out), p.groups, p.length, p.dim},
                       p.batch * p.groups * tile_count_of(p), Places{});
}

template <class Launcher>
Status sum_maps(Launcher& device, const Plan& p, const Sizes& s, const float* maps, Index pieces,
                const OutView& weight, const OutView& bias) {
  if (!weight && !bias) return {};
  // Without a linear branch the gradients are zeros, of the size that they were asked in.
  Sizes own = s;
  const Index columns = weight ? weight.sizes[2] : bias.sizes[1];
  own.ld_columns = std::max(own.ld_columns, static_cast<int>((columns + 15) / 16 * 16 + 4));
  return device.launch(
      SumMapsKernel{p.linear ? maps : nullptr, own, p.batch, p.heads, pieces, p.dim, columns,
                    static_cast<float*>(weight.data), static_cast<float*>(bias.data),
                    weight.strides[0], weight.strides[1], weight.strides[2], bias.strides[0],
                    bias.strides[1]},
      p.heads, Places{});
}

template <class Launcher>
Status launch_backward(const HybridAttention& call, HybridAttentionGradients& out,
                       Launcher& device) {
  const Plan p = plan(call);
  BackwardPass pass;
  pass.call = device_call(call, p);
  const Sizes& s = pass.call.sizes;
  pass.places = place(s, true, device.shared_floats());
  pass.dy = head_view(out.dy);
  if (out.dq) pass.dq = head_view(out.dq);
  if (out.dgate) {
    pass.dgate = static_cast<float*>(out.dgate.data);
    pass.dgate_batch = out.dgate.strides[0], pass.dgate_head = out.dgate.strides[1];
    pass.dgate_token = out.dgate.strides[2];
  }
  pass.tiles = tile_count_of(p);
  const Index heads = p.batch * p.heads, groups = p.batch * p.groups;
  pass.query_pieces = piece_count(heads, pass.tiles, device.processors());
  pass.key_pieces = piece_count(groups, pass.tiles, device.processors());
  const Index queries = heads * pass.query_pieces, keys = heads * pass.key_pieces;
  const bool linear = p.linear, key_side = out.dk || out.dv || out.dkey_weight || out.dkey_bias;
  const bool cut_queries = linear && pass.query_pieces > 1;
  const bool cut_keys = linear && key_side && pass.key_pieces > 1;

  pass.rows.stride = pass.tiles * k_tile;
  float* rows = device.floats(6 * heads * pass.rows.stride);
  const Index map_size = s.weight() + s.ld_columns;
  pass.query_maps = device.floats(linear ? queries * map_size : 1);
  pass.key_maps = device.floats(linear ? keys * map_size : 1);
  pass.states = device.floats(cut_queries ? queries * s.state() : 1);
  pass.futures = device.floats(cut_keys ? keys * s.state() : 1);
  pass.logits = device.doubles(queries);
  double* logit_sums = device.doubles(p.heads);
  if (!rows || !pass.query_maps || !pass.key_maps || !pass.states || !pass.futures ||
      !pass.logits || !logit_sums || !sum_rows_in(device, p, out.dk, pass.dk) ||
      !sum_rows_in(device, p, out.dv, pass.dv))
    return no_memory();
  float** const numbers[] = {&pass.rows.most,    &pass.rows.window_factor, &pass.rows.window_lost,
                             &pass.rows.to_most, &pass.rows.linear_factor, &pass.rows.linear_lost};
  for (Index i = 0; i < 6; ++i) *numbers[i] = rows + i * heads * pass.rows.stride;

  Steps steps;
  if (cut_queries)
    steps
        .then([&] {
          ForwardPass ahead;
          ahead.call = pass.call;
          ahead.places = pass.places;
          ahead.tiles = pass.tiles;
          ahead.pieces = pass.query_pieces;
          ahead.states = pass.states;
          double* sums = device.doubles(queries);
          if (!sums) return no_memory();
          ahead.sums = {sums, sums, sums, sums};  // not read
          return device.launch(ForwardKernel{ahead, true}, queries, ahead.places);
        })
        .then([&] {
          return device.launch(SumStatesKernel{pass.states, pass.query_pieces, s.state(), false},
                               heads, Places{});
        });
  steps.then([&] { return device.launch(QueriesKernel{pass}, queries, pass.places); });
  if (cut_keys)
    steps.then([&] { return device.launch(FutureKernel{pass}, keys, pass.places); }).then([&] {
      return device.launch(SumStatesKernel{pass.futures, pass.key_pieces, s.state(), true}, heads,
                           Places{});
    });
  if (key_side)
    steps
        .then(
            [&] { return device.launch(KeysKernel{pass}, groups * pass.key_pieces, pass.places); })
        .then([&] { return convert_rows(device, p, pass.dk, out.dk); })
        .then([&] { return convert_rows(device, p, pass.dv, out.dv); });
  steps
      .then([&] {
        return sum_maps(device, p, s, pass.query_maps, pass.query_pieces, out.dquery_weight,
                        out.dquery_bias);
      })
      .then([&] {
        return sum_maps(device, p, s, pass.key_maps, pass.key_pieces, out.dkey_weight,
                        out.dkey_bias);
      });
  if (!out.dlogit) return steps.status();
  const bool learned = pass.call.logit != nullptr;
  if (learned)
    steps.then([&] { return sum_items(device, p, pass.logits, pass.query_pieces, logit_sums); });
  steps.then([&] {
    return device.launch(LogitKernel{learned ? logit_sums : nullptr,
                                     static_cast<float*>(out.dlogit.data), out.dlogit.strides[0]},
                         p.heads, Places{});
  });
  return steps.status();
}

}  // namespace kernels::device
