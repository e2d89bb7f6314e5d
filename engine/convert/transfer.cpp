#include "engine/convert/transfer.h"

#include <cmath>
#include <limits>

#include "engine/attention/branches.h"
#include "engine/attention/kernel_attention.h"
#include "engine/error.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr std::int64_t k_query_tile = 256;

/// Cross-entropy of the rows of a tile of queries, summed over valid rows and heads.
Tensor tile_cross_entropy(const Tensor& q, const Tensor& k, const Tensor& fq, const Tensor& fk, const Tensor& valid,
                          std::int64_t first, const AttentionCall& call) {
  const std::int64_t rows = q.size(2), keys = first + rows;  // later keys are masked for every row of the tile
  const auto integers = torch::TensorOptions().dtype(torch::kInt64).device(q.device());
  const Tensor age = (torch::arange(rows, integers) + first).unsqueeze(1) - torch::arange(keys, integers).unsqueeze(0);
  const Tensor past = age >= 0;
  Tensor weights;
  {
    torch::NoGradGuard off;
    const Tensor seen = call.teacher_window > 0 ? past.logical_and(age < call.teacher_window) : past;
    weights = (q.matmul(k.narrow(2, 0, keys).transpose(-1, -2)) / std::sqrt(static_cast<double>(q.size(3))))
                  .masked_fill(seen.logical_not(), -std::numeric_limits<double>::infinity())
                  .softmax(-1);
  }
  const Tensor linear = fq.matmul(fk.narrow(2, 0, keys).transpose(-1, -2)).masked_fill(past.logical_not(), 0.0);
  const Tensor sum = linear.sum(-1, true);
  const double least = least_denominator(*call.query_map);  // the sign is kept: φ may be negative
  const Tensor normal = linear / at::where(sum.abs() < least, at::where(sum < 0, -least, least).to(sum.dtype()), sum);
  const Tensor row_loss = -(weights * normal.clamp_min(1e-12).log()).sum(-1);  // [B,H,rows]
  return (row_loss * valid.narrow(1, first, rows).unsqueeze(1)).sum();
}

Tensor weights_loss(const Tensor& q, const Tensor& k, const Tensor& valid, const AttentionCall& call, double share) {
  const bool train = share > 0;
  const Tensor count = valid.sum() * q.size(1);
  torch::AutoGradMode grad(train);
  const Tensor fq = query_features(q, call), fk = key_features(k, q.size(1), call);
  // Each tile's graph ends at these copies and is freed at once; the maps' own graph is walked once at the end.
  const Tensor fq_leaf = fq.detach().requires_grad_(train), fk_leaf = fk.detach().requires_grad_(train);
  Tensor total = torch::zeros({}, q.options());
  for (std::int64_t first = 0; first < q.size(2); first += k_query_tile) {
    const std::int64_t rows = std::min(k_query_tile, q.size(2) - first);
    const Tensor sum = tile_cross_entropy(q.narrow(2, first, rows), k, fq_leaf.narrow(2, first, rows), fk_leaf, valid,
                                          first, call);
    if (train) (sum * (share / count)).backward();
    total = total + sum.detach();
  }
  if (train) torch::autograd::backward({fq, fk}, {fq_leaf.grad(), fk_leaf.grad()});
  return total / count;
}

Tensor outputs_loss(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& valid, const AttentionCall& call,
                    const TransferLoss& settings, double share) {
  AttentionCall teacher = call, student = call;
  teacher.component = Component::teacher;
  student.component = settings.objective == TransferObjective::hybrid_outputs ? Component::hybrid : Component::linear;
  Tensor target;
  {
    torch::NoGradGuard off;
    target = hybrid_attention(q, k, v, teacher);
  }
  torch::AutoGradMode grad(share > 0);
  const Tensor error = (hybrid_attention(q, k, v, student) - target).to(torch::kFloat32).square().mean(-1);  // [B,H,T]
  const Tensor loss = settings.scale * (error * valid.unsqueeze(1)).sum() / (valid.sum() * q.size(1));
  if (share > 0 && loss.requires_grad()) (loss * share).backward();
  return loss.detach();
}

}  // namespace

TransferObjective objective_from(const std::string& name) {
  if (name == "attention-weights") return TransferObjective::attention_weights;
  if (name == "attention-outputs") return TransferObjective::attention_outputs;
  if (name == "hybrid-outputs") return TransferObjective::hybrid_outputs;
  throw InputError("unknown objective \"" + name + "\"; expected attention-weights, attention-outputs or hybrid-outputs");
}

namespace {

Tensor weights_objective(const Tensor& q, const Tensor& k, const Tensor& valid, const AttentionCall& call, double share) {
  AttentionCall linear = call;
  linear.component = Component::linear;
  const bool plain = call.query_map->is_plain() && call.key_map->is_plain() && !call.linear_q.defined() &&
                     call.linear.plain() && call.sums == torch::kFloat32 && q.dtype() == torch::kFloat32;
  if (plain && q.device().is_cpu() && kernel_takes(q, linear)) return torch::tensor(kernel_weights_loss(q, k, valid, call, share));
  const auto sums = sums_dtype(call, q);
  const std::int64_t groups = q.size(1) / k.size(1);
  const Tensor keys = groups == 1 ? k : k.repeat_interleave(groups, 1);
  return weights_loss(q.to(sums), keys.to(sums), valid.to(sums), call, share);
}

}  // namespace

Tensor transfer_layer_loss(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& valid,
                           const AttentionCall& call, const TransferLoss& loss, double share) {
  if (loss.objective == TransferObjective::attention_weights) return weights_objective(q, k, valid, call, share);
  Tensor sum = outputs_loss(q, k, v, valid, call, loss, share);
  if (loss.weights_scale > 0)
    sum = sum + loss.weights_scale * weights_objective(q, k, valid, call, share * loss.weights_scale);
  return sum;
}

Tensor transfer_losses(const Model& model, const Conversion& conversion, const Tensor& ids, const Tensor& valid,
                       const TransferLoss& loss, double share) {
  torch::NoGradGuard off;
  const auto turns = model.rotary(torch::arange(ids.size(1)));
  Tensor x = model.embed(ids);
  std::vector<Tensor> losses;
  const double layer_share = share / static_cast<double>(conversion.converted_layers());
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    const Block& block = model.blocks[i];
    const Tensor normed = model.normalise(x, block.attention_norm);
    const Heads h = model.heads(block, normed, turns, /*use=*/false);
    AttentionCall call;
    {
      torch::AutoGradMode grad(share > 0);  // a data-dependent gate has its graph from here on
      call = conversion.call(i, Component::hybrid, 0, {normed, h.raw_q, h.raw_k, h.q, h.k, turns});
    }
    call.teacher_window = model.config.teacher_windows[i];
    losses.push_back(conversion.layers[i].kind == LayerKind::converted
                         ? transfer_layer_loss(h.q, h.k, h.v, valid, call, loss, layer_share).to(torch::kFloat32)
                         : torch::zeros({}, torch::TensorOptions().device(ids.device())));
    if (i + 1 == model.blocks.size()) break;  // nothing reads what the last block would hand on
    call.component = Component::teacher;
    const Tensor y = hybrid_attention(h.q, h.k, h.v, call);
    const Tensor out = block.o(y.transpose(1, 2).reshape({ids.size(0), ids.size(1), -1}), /*use=*/false);
    x = model.finish_block(block, x, out, /*use=*/false);
  }
  return at::stack(losses);
}

Tensor mean_loss(const Tensor& layers, const Conversion& conversion) {
  return layers.sum() / static_cast<double>(conversion.converted_layers());
}

}  // namespace engine
