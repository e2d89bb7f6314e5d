/// One fixed call of a kernel on AVX2, one thread, for callgrind to count (instruction_counts.py).
/// usage: count_instructions forward|backward|weights|bfloat16; exit code 77 where AVX2 is missing.

#include <cstring>
#include <string>

#include <hwy/targets.h>

#include "kernels/attention_weights.h"
#include "tests/support/attention_case.h"

using namespace kernels;

namespace {

Status weights(Bound<float>& b) {
  AttentionWeights call;
  call.q = b.call.q, call.k = b.call.k;
  call.query_map = b.call.query_map, call.key_map = b.call.key_map;
  AttentionWeightsOut out;
  out.dquery_weight = b.gradients.dquery_weight, out.dkey_weight = b.gradients.dkey_weight;
  return attention_weights_cpu(call, out);
}

}  // namespace

/// What is counted: the kernel and nothing of its inputs' making.
extern "C" __attribute__((noinline)) bool counted_part(const std::string& what, Bound<float>& b,
                                                       Bound<Half>& half) {
  if (what == "forward") return hybrid_attention_cpu(b.call, b.out).ok();
  if (what == "backward") return hybrid_attention_backward_cpu(b.call, b.gradients).ok();
  if (what == "bfloat16") return hybrid_attention_backward_cpu(half.call, half.gradients).ok();
  return what == "weights" && weights(b).ok();
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  if (!(hwy::SupportedTargets() & HWY_AVX2)) return 77;
  hwy::SetSupportedTargetsForTest(HWY_AVX2);  // wider vectors would need fewer instructions
  const AttentionCase c =
      random_case({.heads = 2, .groups = 1, .length = 500, .dim = 64, .columns = 64}, 1);
  Bound<float> single(c);
  Bound<Half> half(c);
  return counted_part(argv[1], single, half) ? 0 : 1;
}
