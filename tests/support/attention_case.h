#pragma once
/// One call of kernels::hybrid_attention with the memory that it needs, in float32, float64 or
/// bfloat16.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "kernels/hybrid_attention.h"

/// The inputs of a call as doubles that are exact in float32, by name: q, k, v, Wq, Wk, bq, bk, g,
/// gate, lq, lk, dout.
struct AttentionCase {
  kernels::HybridAttention call;  ///< options; its views are filled by Bound
  struct Array {
    std::vector<std::int64_t> shape;
    std::vector<double> values;
  };
  std::map<std::string, Array> inputs;
};

/// Shape and data of a random case; options are set on `call` afterwards.
struct CaseShape {
  std::int64_t batch = 1, heads = 1, groups = 1, length = 1, dim = 8, columns = 8;
  bool learned = true, bias = false;
  std::int64_t map_dim = 0, map_groups = 0;  ///< of linear_q and linear_k; 0: the maps read q and k
  double spread = 1;  ///< standard deviation of q, k and v
};

AttentionCase random_case(const CaseShape& shape, std::uint64_t seed);
/// What few methods have beside mixing: other weights of linear terms, of rows without linear keys, ε and no normaliser,
/// each on in some forms.
void vary(kernels::HybridAttention& call, int form);
/// The same with q, k, v and dout rounded to what bfloat16 holds.
AttentionCase rounded_to_half(AttentionCase c);
/// What bfloat16 keeps of values.
std::vector<double> to_half(std::vector<double> values);

/// Stands for bfloat16 q, k, v and y with float32 for the rest.
struct Half {};

/// Typed copies of a case's inputs and poisoned outputs; T is float, double or Half. With
/// `time_major`, q, k, v and y lie in memory as [B,T,H,D].
template <class T>
class Bound {
 public:
  explicit Bound(const AttentionCase& c, bool time_major = false);

  kernels::HybridAttention call;
  kernels::HybridAttentionOut out;
  kernels::HybridAttentionGradients gradients;
  std::vector<double> window_norms, linear_norms;

  /// Output ("out") or gradient ("dq", "dWq", …) in row-major order as doubles.
  std::vector<double> result(const std::string& name) const;
  std::vector<std::string> gradient_names() const;  ///< of the inputs that the case has

 private:
  using Sizes = std::vector<std::int64_t>;
  kernels::View input(const std::string& name, bool time_major);
  kernels::OutView output(const std::string& name, const Sizes& shape, bool time_major);

  std::map<std::string, std::vector<std::byte>> memory_;
  std::map<std::string, kernels::OutView> outputs_;
  const AttentionCase& case_;
};

/// √(Σ(a−b)² / Σb²); infinite where a is not finite. Where b is all zeros, √Σa².
double rms_ratio(const std::vector<double>& found, const std::vector<double>& expected);
