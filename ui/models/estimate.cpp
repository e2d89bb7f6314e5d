#include "ui/models/estimate.h"

#include <algorithm>

namespace ui {
namespace {

/// Columns of W before the negated half is appended.
std::int64_t columns(const engine::FeatureMapSpec& map, std::int64_t head_dim) {
  if (map.size == "square") return head_dim;
  if (map.size == "half") return head_dim / 2;
  try {
    return std::max<std::int64_t>(0, std::stoll(map.size));
  } catch (const std::exception&) {
    return head_dim;
  }
}

std::int64_t convertedLayers(const engine::Recipe& recipe, const engine::ModelInfo& model) {
  const auto kept =
      std::int64_t(recipe.attention.softmax_layers.size() + recipe.attention.skipped_layers.size());
  return std::max<std::int64_t>(0, model.layers - kept);
}

/// W and b of φ for queries and keys, every layer.
std::int64_t mapParameters(const engine::Recipe& recipe, const engine::ModelInfo& m) {
  const engine::FeatureMapSpec& map = recipe.attention.feature_map;
  if (!map.learned) return 0;
  const std::int64_t f = columns(map, m.head_dim);
  const std::int64_t bias = !map.bias ? 0 : map.bias_size == "head" ? 1 : f;
  const auto joined = [&](std::int64_t heads) {  // one W over all heads
    return heads * m.head_dim * heads * f + (map.bias ? heads * f : 0);
  };
  const std::int64_t copies = map.sharing == "layer" ? 1 : m.heads, one = copies * (m.head_dim * f + bias);
  const std::int64_t query = map.sharing == "model" ? joined(m.heads) : one;
  const std::int64_t key = map.tied ? 0 : map.sharing == "model" ? joined(m.kv_heads) : one;
  return convertedLayers(recipe, m) * (query + key);
}

std::int64_t mixingParameters(const engine::Recipe& recipe, const engine::ModelInfo& m) {
  const engine::MixingSpec& mixing = recipe.attention.mixing;
  if (!mixing.trainable) return 0;
  const std::int64_t layers = convertedLayers(recipe, m);
  if (mixing.kind == "learned" || mixing.kind == "shared-denominator") return layers * m.heads;
  if (mixing.kind == "gated") return layers * m.heads * (m.hidden + 1);
  return 0;
}

std::int64_t loraParameters(const engine::LoraSpec& lora, const engine::ModelInfo& m) {
  const std::int64_t q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  std::int64_t ends = 0;
  for (const std::string& target : lora.targets)
    ends += target == "q" || target == "o"   ? m.hidden + q
            : target == "k" || target == "v" ? m.hidden + kv
                                             : m.hidden + m.mlp;
  const auto layers = lora.layers.empty() ? m.layers : std::int64_t(lora.layers.size());
  return layers * lora.rank * ends;
}

double valueBytes(const engine::Recipe& recipe, const engine::ModelInfo& model) {
  if (recipe.dtype == "float64") return 8;
  if (recipe.dtype == "bfloat16") return 2;
  if (recipe.dtype == "float32") return 4;
  const bool gpu = recipe.device.starts_with("cuda");
  return gpu && model.dtype.find("16") != std::string::npos ? 2 : 4;
}

}  // namespace

std::int64_t trainableParameters(const engine::Recipe& recipe, const engine::StageSpec& stage,
                                 const engine::ModelInfo& model) {
  const std::int64_t conversion = mapParameters(recipe, model) + mixingParameters(recipe, model);
  if (stage.kind == "transfer") return conversion;
  return (stage.train_feature_maps ? conversion : 0) +
         (stage.trainable == "full" ? model.parameters : loraParameters(stage.lora, model));
}

RecipeCost costOf(const engine::Recipe& recipe, const engine::ModelInfo* model) {
  RecipeCost cost;
  for (const engine::StageSpec& stage : recipe.stages) {
    StageCost s;
    s.trainable = model ? trainableParameters(recipe, stage, *model) : 0;
    s.steps = engine::steps_per_epoch(recipe, stage) * stage.epochs;
    s.tokens = double(s.steps) * double(recipe.data.sequence_length) * double(stage.batch_size) *
               double(stage.accumulation);
    cost.steps += s.steps;
    cost.tokens += s.tokens;
    cost.stages.push_back(s);
  }
  cost.evaluations = recipe.evaluation.every > 0 ? 1 + cost.steps / recipe.evaluation.every
                                                 : 1 + std::int64_t(recipe.stages.size());
  return cost;
}

double peakBytes(const engine::Recipe& recipe, const engine::ModelInfo& m) {
  const double each = valueBytes(recipe, m);
  double peak = 0;
  for (const engine::StageSpec& stage : recipe.stages) {
    const double rows = double(stage.batch_size) * double(recipe.data.sequence_length);
    const bool full = stage.kind == "finetune" && stage.trainable == "full";
    // Trained values: a gradient and two moments in float32; full training keeps the values, too.
    const double optimizer = double(trainableParameters(recipe, stage, m)) * (full ? 16.0 : 12.0);
    // What backward keeps of a layer: inputs of its seven products, both branches, φ of q and k.
    const double features = 2.0 * double(m.heads * m.head_dim);
    const double layer = rows * each *
                         (6.0 * double(m.hidden) + 3.0 * double(m.mlp) +
                          4.0 * double(m.heads * m.head_dim) + 2.0 * features);
    // Recomputed blocks keep their inputs, and one of them at a time the rest.
    const double activations =
        stage.kind == "transfer" ? layer
        : stage.recompute_activations
            ? layer + double(m.layers) * rows * each * double(m.hidden)
            : layer * double(m.layers);
    // Logits are made by tiles of 2^23 values at most.
    const double logits = stage.kind == "transfer"
                              ? 0
                              : std::min(rows * double(m.vocabulary), double(1 << 23)) * (4.0 + each);
    peak = std::max(peak, optimizer + activations + logits);
  }
  return peak + double(m.parameters) * each;
}

std::optional<MeasuredSpeed> speedOf(const RunData& run, const engine::Recipe& recipe) {
  if (run.info.state != engine::RunState::done || run.info.seconds <= 0) return std::nullopt;
  if (run.recipe.model != recipe.model || run.recipe.device != recipe.device ||
      run.recipe.threads != recipe.threads)
    return std::nullopt;
  const double tokens = costOf(run.recipe, nullptr).tokens;
  if (tokens <= 0) return std::nullopt;
  return MeasuredSpeed{run.info.seconds / tokens, run.info.id,
                       QString::fromStdString(run.info.name)};
}

}  // namespace ui
