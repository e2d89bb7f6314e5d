#include "engine/eval/token_tree.h"

#include <algorithm>
#include <numeric>
#include <span>

namespace engine {
namespace {

using Tokens = std::span<const std::int32_t>;

Tokens input_of(const ScoreRequest& r) { return Tokens(r.tokens).first(r.tokens.size() - 1); }

/// Grows one tree by requests in lexicographic order.
class Builder {
 public:
  explicit Builder(std::size_t most_tokens) : most_(most_tokens) {}

  std::size_t common(Tokens input) const {
    std::size_t n = 0;
    while (n < path_.size() && n < input.size() && tree_.tokens[static_cast<std::size_t>(path_[n])] == input[n]) ++n;
    return n;
  }

  /// Worth it where a third of the request is there already; an extension of a chain always is.
  bool takes(Tokens input) const {
    if (tree_.tokens.empty()) return true;
    if (most_ == 0) return false;
    const std::size_t shared = common(input);
    if (shared == input.size() || (shared == path_.size() && tree_.is_chain())) return true;
    return 3 * shared >= input.size() && tree_.tokens.size() + input.size() - shared <= most_;
  }

  void add(std::size_t index, const ScoreRequest& request) {
    const Tokens input = input_of(request);
    const std::size_t shared = common(input);
    if (shared < input.size()) close_from(shared);
    for (std::size_t i = shared; i < input.size(); ++i) {
      path_.push_back(static_cast<std::int32_t>(tree_.tokens.size()));
      tree_.tokens.push_back(input[i]);
      tree_.position.push_back(static_cast<std::int32_t>(i));
      tree_.end.push_back(0);
    }
    TokenTree::Ask ask{index, {}};
    for (std::size_t t = request.tokens.size() - static_cast<std::size_t>(request.scored); t < request.tokens.size(); ++t)
      ask.at.push_back(path_[t - 1]);
    tree_.asks.push_back(std::move(ask));
  }

  TokenTree finish() {
    close_from(0);
    return std::exchange(tree_, {});
  }

 private:
  void close_from(std::size_t depth) {
    for (std::size_t i = depth; i < path_.size(); ++i)
      tree_.end[static_cast<std::size_t>(path_[i])] = static_cast<std::int32_t>(tree_.tokens.size());
    path_.resize(depth);
  }

  std::size_t most_;
  TokenTree tree_;
  std::vector<std::int32_t> path_;  ///< tokens from the root to the latest one
};

}  // namespace

std::vector<TokenTree> share_prefixes(const std::vector<const ScoreRequest*>& requests, std::size_t most_tokens) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::ranges::lexicographical_compare(input_of(*requests[a]), input_of(*requests[b]));
  });
  std::vector<TokenTree> trees;
  Builder builder(most_tokens);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && !builder.takes(input_of(*requests[order[i]]))) trees.push_back(builder.finish());
    builder.add(order[i], *requests[order[i]]);
  }
  if (!order.empty()) trees.push_back(builder.finish());
  return trees;
}

}  // namespace engine
