#pragma once
/// Log-likelihoods of many requests in few forward passes.

#include <functional>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/eval/eval_task.h"
#include "engine/model/decoder.h"
#include "engine/torch_api.h"

namespace engine {

struct ScoreBatches {
  std::int64_t tokens = 0;  ///< most tokens of one forward pass, padding included; a longer row goes alone; 0: 16,384 on
                            ///< a GPU, 4,096 on the processor
  std::int64_t rows = 0;    ///< most rows of one forward pass; 0: as many as fit
};

/// Scores in the order of the requests. Requests that begin alike share a row (token_tree.h); rows of like length share
/// a batch, padded on the right. On the processor batches are computed side by side, a thread each, which small tensors
/// use better than threads inside every operation; sums over batches (options.norms) are taken in a fixed order.
/// `on_scored(request, score)` is called as batches end and `stop` is asked between them, never two at once; a stop gives
/// an empty result.
std::vector<Scored> score_requests(const Model& model, const Conversion* conversion, const ForwardOptions& options,
                                   const std::vector<const ScoreRequest*>& requests, const ScoreBatches& batches,
                                   const std::function<bool()>& stop,
                                   const std::function<void(std::size_t, const Scored&)>& on_scored = {});

}  // namespace engine
