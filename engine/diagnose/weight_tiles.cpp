#include <limits>

#include "engine/attention/branches.h"
#include "engine/diagnose/session.h"
#include "engine/torch_api.h"

namespace engine {

WeightTiles::WeightTiles(const Heads& heads, const AttentionCall& call)
    : q_(heads.q.to(torch::kFloat32)), k_(heads.k.to(torch::kFloat32)), call_(call) {
  call_.norms = nullptr;
  if (call.component != Component::teacher) return;
  const std::int64_t groups = q_.size(1) / k_.size(1);
  if (groups > 1) k_ = k_.repeat_interleave(groups, 1);
  for (std::int64_t first = 0; first < length(); first += width()) {
    const Tensor part = scores(first).logsumexp(-1);
    log_sums_ = log_sums_.defined() ? at::logaddexp(log_sums_, part) : part;
  }
}

/// The teacher's q·k/√D, −∞ where it does not see the key.
Tensor WeightTiles::scores(std::int64_t first) const {
  const std::int64_t keys = std::min(width(), length() - first);
  const auto integers = q_.options().dtype(torch::kInt64);
  const Tensor age = torch::arange(length(), integers).unsqueeze(1) - torch::arange(first, first + keys, integers).unsqueeze(0);
  Tensor hidden = age < 0;
  if (call_.teacher_window > 0) hidden = hidden.logical_or(age >= call_.teacher_window);
  const Tensor s = q_.squeeze(0).matmul(k_.squeeze(0).narrow(1, first, keys).transpose(1, 2)) / std::sqrt(static_cast<double>(width()));
  return s.masked_fill(hidden, -std::numeric_limits<double>::infinity());
}

Tensor WeightTiles::tile(std::int64_t first) const {
  if (log_sums_.defined()) return (scores(first) - log_sums_.unsqueeze(-1)).exp();
  const std::int64_t keys = std::min(width(), length() - first);
  Tensor unit = torch::zeros_like(k_);
  unit.narrow(2, first, keys).narrow(3, 0, keys).copy_(torch::eye(keys, k_.options()));
  return hybrid_attention(q_, k_, unit, call_).to(torch::kFloat32).squeeze(0).narrow(-1, 0, keys);
}

}  // namespace engine
