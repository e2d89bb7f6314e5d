#pragma once
/// Requests that begin alike share one row of tokens, so that a common beginning (a question's context, few-shot
/// examples) is computed once. No torch.

#include <cstdint>
#include <vector>

#include "engine/eval/eval_task.h"

namespace engine {

/// A prefix tree laid out front to back, parents before children, each branch whole before the next one.
struct TokenTree {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> position;  ///< depth of each token: its place in every request that holds it
  std::vector<std::int32_t> end;       ///< token j is seen by tokens i with j ≤ i < end[j], and by no others
  struct Ask {
    std::size_t request;
    std::vector<std::int32_t> at;  ///< token whose output predicts each scored token, in order
  };
  std::vector<Ask> asks;

  bool is_chain() const { return tokens.empty() || position.back() + 1 == static_cast<std::int32_t>(tokens.size()); }
};

/// Trees for all requests (their last tokens are targets only). Attention over a tree with branches is quadratic in its
/// size, so such trees keep to `most_tokens`; a single long request or a chain of ever longer ones may be larger. 0: every request
/// has a tree of its own.
std::vector<TokenTree> share_prefixes(const std::vector<const ScoreRequest*>& requests, std::size_t most_tokens);

}  // namespace engine
