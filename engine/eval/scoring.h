#pragma once
/// Log-likelihoods of many requests in few forward passes.

#include <functional>
#include <vector>

#include "engine/attention/conversion.h"
#include "engine/eval/eval_task.h"
#include "engine/model/decoder.h"
#include "engine/torch_api.h"

namespace engine {

struct Scored {
  double log_likelihood = 0;  ///< Σ over the continuation's tokens, natural logarithm
  bool greedy = false;        ///< every token of it is the arg-max
};

/// Scores in the order of the requests. Attention is causal, so a request whose tokens begin another one is read off
/// the longer one's row; rows of like length share a batch of at most `token_budget` tokens, padded on the right.
/// `stop` is asked between batches; a stop gives an empty result. One thread.
std::vector<Scored> score_requests(const Model& model, const Conversion* conversion, const ForwardOptions& options,
                                   const std::vector<const ScoreRequest*>& requests, std::int64_t token_budget,
                                   const std::function<bool()>& stop);

}  // namespace engine
