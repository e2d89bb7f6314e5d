#include "engine/attention/hybrid_attention.h"

#include <cmath>
#include <limits>
#include <mutex>
#include <set>
#include <string>

#include "engine/attention/branches.h"
#include "engine/attention/kernel_attention.h"
#include "engine/log.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr double k_infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t k_least_chunk = 32, k_linear_chunk = 64, k_fading_chunk = 16;

/// Time cut into N chunks of C, the first one short by `shift` tokens; a query sees its own chunk and, where `previous`,
/// the one before.
struct Chunks {
  std::int64_t length, chunk, shift, count;
  bool previous;
  Tensor age;     ///< [C, C or 2C] t − i of each pair, int64
  Tensor exists;  ///< [N,1,C or 2C] false for the keys before time 0

  Chunks(std::int64_t length_, std::int64_t chunk_, bool previous_, const at::Device& device, std::int64_t shift_ = 0)
      : length(length_), chunk(std::min(chunk_, length_ + shift_)), shift(shift_), count((length + shift + chunk - 1) / chunk),
        previous(previous_ && count > 1) {
    const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(device);
    const std::int64_t keys = previous ? 2 * chunk : chunk;
    const Tensor t = torch::arange(chunk, integers), i = torch::arange(keys, integers) - (keys - chunk);
    age = t.unsqueeze(1) - i.unsqueeze(0);
    exists = (i.unsqueeze(0) + chunk * torch::arange(count, integers).unsqueeze(1) >= shift).unsqueeze(1);
  }
  Tensor cut(const Tensor& x) const {  // [B,H,T,E] → [B,H,N,C,E], zeros before the start and behind the end
    const std::int64_t behind = count * chunk - shift - length;
    const Tensor padded = shift + behind == 0 ? x : at::constant_pad_nd(x, {0, 0, shift, behind});
    return padded.reshape({x.size(0), x.size(1), count, chunk, x.size(3)});
  }
  Tensor keys(const Tensor& x) const {  // [B,H,T,E] → [B,H,N,2C,E]: the chunk before and the chunk itself
    const Tensor own = cut(x);
    if (!previous) return own;
    const Tensor before = at::constant_pad_nd(own.narrow(2, 0, count - 1), {0, 0, 0, 0, 1, 0});
    return at::cat({before, own}, 3);
  }
  Tensor join(const Tensor& y) const {  // [B,H,N,C,E] → [B,H,T,E]
    return y.reshape({y.size(0), y.size(1), count * chunk, y.size(4)}).narrow(2, shift, length);
  }
};

/// Which keys a branch sees: by age, or by blocks of the window's size (terraced), the first short by `shift`.
struct Terrace {
  bool blocks = false;
  std::int64_t shift = 0;
};
Terrace terrace_of(const AttentionCall& call, std::int64_t length) {
  if (call.layout == WindowLayout::sliding || length <= call.window) return {};
  return {true, call.layout == WindowLayout::terraced ? 0 : (call.window - length % call.window) % call.window};
}

/// What the linear branch sees: keys of at least an age, or those before the terrace.
struct Reach {
  std::int64_t least_age = 0;
  Terrace terrace;
  std::int64_t first_row = 0;  ///< the first row that has a key
};
Reach reach_of(const AttentionCall& call, std::int64_t length, bool whole_past) {
  const bool short_row = call.layout == WindowLayout::terraced_as_published && length <= call.window;
  if (whole_past || short_row) return {};
  const Terrace terrace = terrace_of(call, length);
  return {call.window, terrace, terrace.blocks ? 2 * call.window - terrace.shift : call.window};
}

/// Says once for each reason that a form goes the slower way.
void note_composed(const AttentionCall& call) {
  if (call.composed) return;
  const char* why = call.layout != WindowLayout::sliding ? "the window is terraced"
                    : call.sums != torch::kFloat32       ? "sums in another precision than float32 are asked for"
                                                         : "the kernel does not take the tensors' type, size or device";
  static std::mutex mutex;
  static std::set<std::string> told;
  const std::scoped_lock lock(mutex);
  if (told.insert(why).second) log(LogLine::Level::info, std::string("attention by composed tensor operations, which are slower: ") + why);
}

/// Scores [B,H,T,n] of the first positions, −∞ for those that `window` [T] holds already.
Tensor sink_scores(const Inputs& in, std::int64_t sinks, const Tensor& window) {
  const std::int64_t n = std::min(sinks, in.length());
  const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(in.q.device());
  const Tensor age = torch::arange(in.length(), integers).unsqueeze(1) - torch::arange(n, integers).unsqueeze(0);
  return (in.q.matmul(in.k.narrow(2, 0, n).transpose(-1, -2)) * in.scale()).masked_fill(age < window.unsqueeze(-1), -k_infinity);
}

/// Softmax over the first positions, t − i ≥ 0.
Tensor sinks_only(const Inputs& in, std::int64_t sinks) {
  const Tensor p = sink_scores(in, sinks, torch::zeros({1}, in.q.options().dtype(torch::kInt64).requires_grad(false))).softmax(-1);
  return p.matmul(in.v.narrow(2, 0, p.size(-1)));
}

/// The window branch's chunks and which of their pairs it sees.
struct WindowPairs {
  Chunks chunks;
  Tensor seen;  ///< [N,C,C or 2C] bool

  WindowPairs(const Inputs& in, std::int64_t window, const Terrace& terrace)
      : chunks(terrace.blocks ? Chunks(in.length(), window, true, in.q.device(), terrace.shift)
                              : Chunks(in.length(), std::max(std::min(window, in.length()), k_least_chunk), true, in.q.device())) {
    seen = (chunks.age >= 0).logical_and(chunks.exists);
    if (!terrace.blocks) seen = seen.logical_and(chunks.age < window);
  }
  Tensor scores(const Inputs& in) const {  // [B,H,N,C,2C], −∞ where not seen
    const Tensor all = chunks.cut(in.q).matmul(chunks.keys(in.k).transpose(-1, -2)) * in.scale();
    return all.masked_fill(seen.logical_not(), -k_infinity);
  }
};

/// Rows before a shifted start see nothing; they are cut off again, and must not carry NaN into gradients.
Tensor softmax_of(const Tensor& scores, const Terrace& terrace) {
  if (terrace.shift == 0) return scores.softmax(-1);
  const Tensor none = scores.eq(-k_infinity).all(-1, true);
  return scores.masked_fill(none, 0.0).softmax(-1).masked_fill(none, 0.0);
}

Tensor swa(const Inputs& in, std::int64_t window, const Terrace& terrace = {}) {
  const WindowPairs p(in, window, terrace);
  return p.chunks.join(softmax_of(p.scores(in), terrace).matmul(p.chunks.keys(in.v)));
}

Tensor swa_with_sinks(const Inputs& in, const AttentionCall& call) {
  const Terrace terrace = terrace_of(call, in.length());
  const WindowPairs p(in, call.window, terrace);
  const Tensor near = p.scores(in);
  const Tensor far = sink_scores(in, call.sinks, window_at_positions(torch::arange(in.length(), p.seen.options().dtype(torch::kInt64)), in.length(), call));
  const Tensor first = p.chunks.cut(far);  // rows outside the row see zeros and are cut off again
  const Tensor weights = at::cat({near, first}, -1).softmax(-1);
  const std::int64_t n = first.size(-1), pairs = near.size(-1);
  const Tensor sink_values = in.v.narrow(2, 0, n).unsqueeze(2);  // [B,H,1,n,D]
  return p.chunks.join(weights.narrow(-1, 0, pairs).matmul(p.chunks.keys(in.v)) + weights.narrow(-1, pairs, n).matmul(sink_values));
}

/// Σ e^{a−m} v and Σ e^{a−m} with m the row's maximum, for the shared denominator.
Branch window_sums(const Inputs& in, const AttentionCall& call) {
  const WindowPairs p(in, call.window, terrace_of(call, in.length()));
  const Tensor scores = p.scores(in);
  const Tensor maximum = scores.amax(-1, true);
  const Tensor e = (scores - at::where(maximum.isinf(), torch::zeros_like(maximum), maximum)).exp();
  return {p.chunks.join(e.matmul(p.chunks.keys(in.v))), p.chunks.join(e.sum(-1, true))};
}

Tensor with_ones(const Tensor& v) { return at::cat({v, torch::ones_like(v.narrow(-1, 0, 1))}, -1); }

Branch split_sums(const Tensor& sums) {  // [B,H,T,D+1]: the column of ones summed the weights
  const std::int64_t d = sums.size(-1) - 1;
  return {sums.narrow(-1, 0, d), sums.narrow(-1, d, 1)};
}

/// Σ φ(q)φ(k) v and Σ φ(q)φ(k) over the keys that `reach` names, by chunks with carried states.
Branch plain_sums(const Inputs& in, const Tensor& fq, const Tensor& fk, const Reach& reach, std::int64_t window) {
  const bool whole_past = reach.least_age <= 0, blocks = reach.terrace.blocks;
  const std::int64_t chunk = whole_past ? k_linear_chunk : blocks ? window : std::max(reach.least_age, k_least_chunk);
  const Chunks c(in.length(), chunk, !whole_past, in.q.device(), reach.terrace.shift);
  const Tensor v1 = with_ones(in.v), q = c.cut(fq);
  Tensor sums;  // [B,H,N,C,D+1]
  if (blocks) {
    sums = torch::zeros({q.size(0), q.size(1), c.count, c.chunk, v1.size(3)}, q.options());
  } else {
    const Tensor seen = (c.age >= reach.least_age).logical_and(c.exists);
    sums = q.matmul(c.keys(fk).transpose(-1, -2)).masked_fill(seen.logical_not(), 0.0).matmul(c.keys(v1));
  }
  const std::int64_t behind = c.previous ? 2 : 1;  // the state holds the chunks before those
  if (c.count > behind) {
    const Tensor states = c.cut(fk).transpose(-1, -2).matmul(c.cut(v1)).cumsum(2);  // [B,H,N,P,D+1]
    const Tensor far = q.narrow(2, behind, c.count - behind).matmul(states.narrow(2, 0, c.count - behind));
    sums = sums + at::constant_pad_nd(far, {0, 0, 0, 0, behind, 0});
  }
  return split_sums(c.join(sums));
}

/// Σ_{i ≤ t} φ(q_t)·(φ(k_i)·Π decay) v_i with log decays g [B,H,T,P or 1] ≤ 0 between i and t. Differences of logs are
/// taken before they are raised, inside short chunks, so that nothing overflows however fast a state fades.
Tensor fading_sums(const Tensor& fq, const Tensor& fk, const Tensor& v1, const Tensor& g) {
  const Chunks c(fq.size(2), k_fading_chunk, false, fq.device());
  const Tensor q = c.cut(fq), k = c.cut(fk), v = c.cut(v1), log = c.cut(g).cumsum(3);  // [B,H,N,C,·]
  const Tensor later = (c.age < 0).unsqueeze(-1);                                   // [C,C,1]
  const Tensor fade = (log.unsqueeze(4) - log.unsqueeze(3)).masked_fill(later, -k_infinity).exp();  // [B,H,N,C,C,P or 1]
  const Tensor near = g.size(3) == 1 ? q.matmul(k.transpose(-1, -2)) * fade.squeeze(-1)
                                     : (q.unsqueeze(4) * k.unsqueeze(3) * fade).sum(-1);
  std::vector<Tensor> out;
  const Tensor inner = near.matmul(v), end = log.narrow(3, c.chunk - 1, 1);
  const Tensor reading = q * log.exp(), writing = k * (end - log).exp();
  Tensor state = torch::zeros({q.size(0), q.size(1), q.size(4), v.size(4)}, q.options());  // [B,H,P,D+1]
  for (std::int64_t n = 0; n < c.count; ++n) {
    out.push_back(inner.select(2, n) + reading.select(2, n).matmul(state));
    state = state * end.select(2, n).exp().transpose(-1, -2) + writing.select(2, n).transpose(-1, -2).matmul(v.select(2, n));
  }
  return c.join(at::stack(out, 2));
}

Branch linear_sums(const Inputs& in, const AttentionCall& call, const Reach& reach) {
  const Tensor fq = query_features(in.q, call), fk = key_features(in.k, in.q.size(1), call);
  Tensor g = log_decay(call, in.q.size(1), fk.size(3), fk.options().requires_grad(false));
  if (!g.defined()) return plain_sums(in, fq, fk, reach, call.window);
  g = g.expand({fq.size(0), fq.size(1), fq.size(2), g.size(3)});
  // A row sees what the row `least_age` before it has gathered, faded since then.
  const std::int64_t lag = reach.least_age, rows = in.length() - lag;
  Tensor q = fq.narrow(2, lag, rows);
  if (lag > 0) {
    const Tensor sum = g.to(torch::kFloat64).cumsum(2);
    q = q * (sum.narrow(2, lag, rows) - sum.narrow(2, 0, rows)).to(q.dtype()).exp();
  }
  // The normaliser's sum is a column of ones; who has none does without.
  const bool counted = call.linear.normaliser == Normaliser::sum || call.mixing == Mixing::shared_denominator;
  const Tensor k = fk.narrow(2, 0, rows), v = (counted ? with_ones(in.v) : in.v).narrow(2, 0, rows), decay = g.narrow(2, 0, rows);
  Tensor sums = kernel_takes_fading(q, v) && !call.composed ? kernel_fading(q, k, v, decay) : fading_sums(q, k, v, decay);
  if (lag > 0) sums = at::constant_pad_nd(sums, {0, 0, lag, 0});
  return counted ? split_sums(sums) : Branch{sums, {}};
}

Tensor rows_with_keys(const Inputs& in, const Reach& reach) {
  const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(in.q.device());
  return (torch::arange(in.length(), integers) >= reach.first_row).unsqueeze(-1);  // [T,1]
}

Tensor by_kernel(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call);

/// The sums alone, where group-norm follows them, may be the kernel's.
Branch sums_of(const Inputs& in, const AttentionCall& call, const Reach& reach, bool whole_past) {
  if (call.linear.normaliser == Normaliser::group_norm) {
    AttentionCall own = call;
    own.linear.normaliser = Normaliser::none;
    own.component = whole_past ? Component::linear : Component::linear_outside;
    own.norms = nullptr;
    if (const Tensor y = by_kernel(in.q, in.k, in.v, own); y.defined()) return {y, {}};
  }
  return linear_sums(in, call, reach);
}

Tensor linear_attention(const Inputs& in, const AttentionCall& call, bool whole_past) {
  const Reach reach = reach_of(call, in.length(), whole_past);
  if (reach.first_row >= in.length()) return torch::zeros_like(in.q);
  return normalised(sums_of(in, call, reach, whole_past), rows_with_keys(in, reach), call);
}

Tensor run(const Inputs& in, const AttentionCall& call, Component component);

Tensor hybrid(const Inputs& in, const AttentionCall& call, bool overlap) {
  const Reach reach = reach_of(call, in.length(), overlap);
  const Tensor has = rows_with_keys(in, reach);
  if (call.mixing == Mixing::shared_denominator && reach.first_row < in.length())
    return mixed_in_one(window_sums(in, call), linear_sums(in, call, reach), call);
  // Each branch alone may be the kernel's where their mixture is not.
  const Tensor window = run(in, call, Component::swa);
  if (reach.first_row >= in.length() && (call.mixing == Mixing::shared_denominator || !call.linear.empty_rows_keep_g)) {
    note_norms(call, window, torch::zeros_like(window));
    return window;
  }
  return mixed(window, run(in, call, overlap ? Component::linear : Component::linear_outside), has, call);
}

AttentionCall rows_of(const AttentionCall& call, const Tensor& index) {
  AttentionCall own = call;
  own.dropped = Tensor();
  for (Tensor* t : {&own.gate, &own.linear_q, &own.linear_k, &own.log_gate, &own.counted})
    if (t->defined()) *t = t->index_select(0, index);
  return own;
}

/// What a row gives whose window branch was dropped.
Tensor without_window(const Inputs& in, const AttentionCall& call) {
  const Tensor y = run(in, call, call.linear_outside_when_dropped ? Component::linear_outside : Component::linear);
  return call.dropped_keeps_g ? (1 - mixing_weight(call, y)) * y : y;
}

Tensor hybrid_with_dropout(const Inputs& in, const AttentionCall& call, Component component) {
  AttentionCall kept_call = call;
  kept_call.dropped = Tensor();
  const Tensor& dropped = call.dropped;  // [B,H]
  if (dropped.all().item<bool>()) return without_window(in, kept_call);
  if (!dropped.any().item<bool>()) return run(in, kept_call, component);
  const Tensor per_row = dropped.select(1, 0);
  if (dropped.eq(per_row.unsqueeze(1)).all().item<bool>()) {
    // Whole sequences: each is computed once, in the one form it needs.
    const auto device = in.q.device();
    const Tensor gone = per_row.nonzero().flatten().to(device), kept = per_row.logical_not().nonzero().flatten().to(device);
    auto rows = [&](const Tensor& index) {
      return Inputs{in.q.index_select(0, index), in.k.index_select(0, index), in.v.index_select(0, index)};
    };
    const Tensor y = at::cat({without_window(rows(gone), rows_of(call, gone)), run(rows(kept), rows_of(call, kept), component)}, 0);
    const Tensor order = at::argsort(at::cat({gone, kept}, 0));
    return y.index_select(0, order);
  }
  const Tensor mask = dropped.to(in.q.device()).unsqueeze(-1).unsqueeze(-1);
  return at::where(mask, without_window(in, kept_call), run(in, kept_call, component));
}

bool reads_maps(Component c) {
  return c == Component::hybrid || c == Component::hybrid_overlap || c == Component::linear || c == Component::linear_outside;
}

/// Whether the kernel knows this form of attention, its precision and shapes aside.
bool kernel_form(const AttentionCall& call) {
  const bool sliding = call.layout == WindowLayout::sliding && call.sums == torch::kFloat32;
  return sliding && (!reads_maps(call.component) || call.linear.sums());
}

/// Maps that the kernel does not compute itself come as features that are ready.
bool kernel_maps(const AttentionCall& call) {
  return call.query_map->is_per_head() && call.key_map->is_per_head() && !call.feature_turns.first.defined();
}

/// The kernel's output, or an undefined tensor where it does not take the call.
Tensor by_kernel(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call) {
  if (!kernel_form(call)) return {};
  AttentionCall own = call;
  FeatureMap query_map, key_map;
  if (!reads_maps(call.component)) {
    own.query_map = own.key_map = nullptr;
    own.linear_q = own.linear_k = Tensor();
  } else if (!kernel_maps(call)) {
    own.query_map = own.key_map = &query_map;
    query_map.activation = Activation::none, query_map.negation = false;
    own.linear_q = own.linear_k = Tensor();
    if (!kernel_takes(q, own)) return {};
    own.linear_q = query_features(q, call), own.linear_k = key_features(k, q.size(1), call);
    own.feature_turns = {};
    own.least_denominator = least_denominator(*call.query_map);
  } else if (!call.query_map->is_plain() || !call.key_map->is_plain()) {
    query_map = call.query_map->per_head(q.size(1)), key_map = call.key_map->per_head(q.size(1));
    own.query_map = &query_map, own.key_map = &key_map;
  }
  return kernel_takes(q, own) ? kernel_attention(q, k, v, own) : Tensor();
}

Tensor run(const Inputs& in, const AttentionCall& call, Component component) {
  AttentionCall own = call;  // a dropped or lone branch makes another component of some rows
  own.component = component;
  if (Tensor y = by_kernel(in.q, in.k, in.v, own); y.defined()) return y;
  if (component == Component::swa || (reads_maps(component) && call.linear.sums())) note_composed(call);
  switch (component) {
    case Component::teacher:
      if (call.teacher_window > 0 && call.teacher_window < in.length()) return swa(in, call.teacher_window);
      return at::scaled_dot_product_attention(in.q, in.k, in.v, {}, 0.0, true);
    case Component::swa: return swa(in, call.window, terrace_of(call, in.length()));
    case Component::swa_sinks: return swa_with_sinks(in, call);
    case Component::sinks: return sinks_only(in, call.sinks);
    case Component::none: return torch::zeros_like(in.q);
    case Component::linear: return linear_attention(in, call, true);
    case Component::linear_outside: return linear_attention(in, call, false);
    case Component::hybrid:
    case Component::hybrid_overlap:
      if (call.dropped.defined()) return hybrid_with_dropout(in, call, component);
      return hybrid(in, call, call.overlap || component == Component::hybrid_overlap);
  }
  return {};
}

/// A branch alone at the weight that it has in the mixture.
Tensor at_its_weight(const Tensor& y, const Inputs& in, const AttentionCall& call) {
  const Tensor g = mixing_weight(call, y);
  if (call.component != Component::swa) return (1 - g) * y;
  if (call.linear.empty_rows_keep_g) return g * y;
  return at::where(rows_with_keys(in, reach_of(call, in.length(), call.overlap)), g, torch::ones_like(g)) * y;
}

}  // namespace

Tensor hybrid_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call) {
  const bool alone = call.alone_keeps_g && (call.component == Component::swa || call.component == Component::linear ||
                                            call.component == Component::linear_outside);
  if (!alone)
    if (Tensor y = by_kernel(q, k, v, call); y.defined()) return y;  // grouped keys stay grouped
  const Inputs in = attention_inputs(q, k, v, call);
  const Tensor y = run(in, call, call.component);
  return (alone ? at_its_weight(y, in, call) : y).to(q.dtype());
}

}  // namespace engine
