#include "engine/eval/scoring.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <tuple>

#include "engine/attention/masked_attention.h"
#include "engine/eval/token_tree.h"
#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr std::int64_t k_logit_floats = 1 << 24;
constexpr std::int64_t k_pair_floats = 1 << 22;  ///< most floats of one [B,H,T,T] tensor over trees
constexpr std::size_t k_tree_tokens = 1024;

/// One place whose output predicts one scored token.
struct Target {
  std::int64_t place;  ///< row · T + position in the batch
  std::int64_t token;
  std::size_t request;
};

/// Trees side by side, padded on the right with tokens that see only themselves.
struct Batch {
  Tensor ids, positions, ends;  ///< [B,T] int64 on the CPU
  Tensor counted;               ///< [B,T] bool: not padding
  std::vector<Target> targets;  ///< by place
  bool chains = true;
};

Batch make_batch(const std::vector<TokenTree>& trees, const std::vector<const ScoreRequest*>& requests) {
  std::size_t longest = 0;
  for (const auto& t : trees) longest = std::max(longest, t.tokens.size());
  const auto rows = static_cast<std::int64_t>(trees.size()), length = static_cast<std::int64_t>(longest);
  Batch b;
  b.ids = torch::zeros({rows, length}, torch::kInt64);
  b.positions = torch::arange(length).expand({rows, length}).clone();
  b.ends = b.positions + 1;
  b.counted = torch::zeros({rows, length}, torch::kBool);
  for (std::int64_t r = 0; r < rows; ++r) {
    const TokenTree& tree = trees[static_cast<std::size_t>(r)];
    b.chains = b.chains && tree.is_chain();
    std::int64_t* row_ids = b.ids.data_ptr<std::int64_t>() + r * length;
    std::int64_t* row_positions = b.positions.data_ptr<std::int64_t>() + r * length;
    std::int64_t* row_ends = b.ends.data_ptr<std::int64_t>() + r * length;
    std::copy(tree.tokens.begin(), tree.tokens.end(), row_ids);
    std::copy(tree.position.begin(), tree.position.end(), row_positions);
    std::copy(tree.end.begin(), tree.end.end(), row_ends);
    b.counted[r].narrow(0, 0, static_cast<std::int64_t>(tree.tokens.size())).fill_(true);
    for (const auto& ask : tree.asks) {
      const auto& tokens = requests[ask.request]->tokens;
      for (std::size_t i = 0; i < ask.at.size(); ++i)
        b.targets.push_back({r * length + ask.at[i], tokens[tokens.size() - ask.at.size() + i], ask.request});
    }
  }
  std::stable_sort(b.targets.begin(), b.targets.end(), [](const Target& x, const Target& y) { return x.place < y.place; });
  return b;
}

/// Whether a batch of trees needs no ages.
bool needs_no_ages(const Model& model, const Conversion* conversion, Component component) {
  if (conversion && conversion->alone_keeps_g && component == Component::swa) return false;
  return fast_in_tree(component, conversion ? conversion->layout : WindowLayout::sliding,
                      torch::empty({0}, model.embedding.options().dtype(model.activation_dtype()).requires_grad(false)));
}

/// Ages along the branches, where `with_ages`: t − i of each pair, −1 where i does not lead to t.
SeenKeys seen_in_trees(const Batch& b, const torch::Device& device, bool with_ages) {
  if (!with_ages) return {{}, b.positions.to(torch::kInt32), {}, false, {}, b.ends.to(torch::kInt32)};
  const Tensor index = torch::arange(b.ids.size(1), torch::TensorOptions().dtype(torch::kInt32).device(device));
  const Tensor positions = b.positions.to(device, torch::kInt32), ends = b.ends.to(device, torch::kInt32);
  const Tensor query = index.unsqueeze(1), key = index.unsqueeze(0);  // [T,1], [1,T]
  const Tensor leads = (query >= key).logical_and(query.unsqueeze(0) < ends.unsqueeze(1));  // [B,T,T]
  const Tensor age = positions.unsqueeze(2) - positions.unsqueeze(1);
  return {age.masked_fill(leads.logical_not(), -1), positions, {}, false, {}, device.is_cpu() ? ends : Tensor()};
}

/// The places that some target asks for, rising.
std::vector<std::int64_t> asked_places(const std::vector<Target>& targets) {
  std::vector<std::int64_t> places;
  for (const auto& t : targets)
    if (places.empty() || places.back() != t.place) places.push_back(t.place);
  return places;
}

/// Each place meets the vocabulary once, however many choices ask there. hidden [P,M] of asked_places(targets).
void add_scores(const Model& model, const Tensor& hidden, const std::vector<Target>& targets, std::vector<Scored>& out) {
  const std::int64_t per_pass = std::max<std::int64_t>(1, k_logit_floats / model.config.vocabulary);
  const auto device = model.device();
  std::size_t begin = 0;
  for (std::int64_t first = 0; first < hidden.size(0); first += per_pass) {
    const std::int64_t count = std::min(per_pass, hidden.size(0) - first);
    std::vector<std::int64_t> slots, tokens;
    std::int64_t slot_now = -1, place = -1;
    std::size_t end = begin;
    for (; end < targets.size(); ++end) {
      if (targets[end].place != place && ++slot_now == count) break;
      place = targets[end].place;
      slots.push_back(slot_now);
      tokens.push_back(targets[end].token);
    }
    const Tensor logits = model.logits(hidden.narrow(0, first, count));  // [count,V]
    const Tensor wide = logits.dtype() == torch::kFloat64 ? logits : logits.to(torch::kFloat32);
    const Tensor slot = torch::tensor(slots).to(device), token = torch::tensor(tokens).to(device);
    const Tensor chosen = (wide.index({slot, token}) - wide.logsumexp(-1).index_select(0, slot)).to(torch::kCPU, torch::kFloat64);
    const Tensor best = wide.argmax(-1).index_select(0, slot).eq(token).to(torch::kCPU);
    const double* likelihoods = chosen.data_ptr<double>();
    const bool* greedy = best.data_ptr<bool>();
    for (std::size_t i = begin; i < end; ++i) {
      Scored& s = out[targets[i].request];
      s.log_likelihood += likelihoods[i - begin];
      s.greedy = s.greedy && greedy[i - begin];
    }
    begin = end;
  }
}

bool by_age(const Conversion* conversion) { return !conversion || conversion->by_age(); }

void score_batch(const Model& model, const Conversion* conversion, ForwardOptions options, const Batch& b,
                 std::vector<Scored>& out) {
  if (options.norms) options.counted = b.counted.to(model.device());
  SeenKeys seen;
  const bool fast = needs_no_ages(model, conversion, options.component);
  if (!b.chains || (fast && by_age(conversion))) {
    seen = seen_in_trees(b, model.device(), !fast);
    options.positions = b.positions;
    options.attend = [&](std::size_t, const Heads& h, const AttentionCall& call) {
      return masked_attention(h.q, h.k, h.v, seen, call);
    };
  }
  options.keep = torch::tensor(asked_places(b.targets)).to(model.device());
  add_scores(model, model.hidden(b.ids.to(model.device()), conversion, options), b.targets, out);
}

std::int64_t most_tokens(const ScoreBatches& batches, const torch::Device& device) {
  if (batches.tokens > 0) return batches.tokens;
  return device.is_cuda() ? 16384 : 4096;
}

/// How many of `trees`, sorted by falling length, the next batch takes.
std::size_t batch_rows(const std::vector<TokenTree>& trees, std::size_t begin, const ScoreBatches& batches, const Model& model,
                       const Conversion* conversion, Component component) {
  const auto longest = static_cast<std::int64_t>(std::max<std::size_t>(1, trees[begin].tokens.size()));
  const bool chain = trees[begin].is_chain();
  std::int64_t rows = most_tokens(batches, model.device()) / longest;
  if (!chain && !needs_no_ages(model, conversion, component))
    rows = std::min(rows, k_pair_floats / (model.config.heads * longest * longest));
  if (batches.rows > 0) rows = std::min(rows, batches.rows);
  std::size_t n = 1;
  // Where a row's length decides what its tokens see, only rows of one length go together.
  const auto fits = [&](const TokenTree& tree) {
    return tree.is_chain() == chain && (by_age(conversion) || tree.tokens.size() == trees[begin].tokens.size());
  };
  while (static_cast<std::int64_t>(n) < rows && begin + n < trees.size() && fits(trees[begin + n])) ++n;
  return n;
}

/// Threads inside an operation, for the time that batches have threads of their own.
class InnerThreads {
 public:
  explicit InnerThreads(int n) : before_(at::get_num_threads()) { at::set_num_threads(n); }
  ~InnerThreads() { at::set_num_threads(before_); }

 private:
  int before_;
};

void add_norms(std::vector<BranchNorms>& sums, const std::vector<BranchNorms>& part) {
  sums.resize(part.size());
  for (std::size_t i = 0; i < part.size(); ++i) sums[i].add(part[i]);
}

/// Calls work(0 … count−1) from several threads, each index once, until one call returns false or throws.
bool for_each_batch(std::size_t count, std::size_t threads, const std::function<bool(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> ended{false};
  std::exception_ptr problem;
  std::mutex guard;
  auto run = [&] {
    torch::InferenceMode inference;
    try {
      for (std::size_t i = next++; i < count && !ended; i = next++)
        if (!work(i)) ended = true;
    } catch (...) {
      const std::lock_guard lock(guard);
      ended = true;
      problem = std::current_exception();
    }
  };
  std::vector<std::jthread> others;
  for (std::size_t t = 1; t < threads; ++t) others.emplace_back(run);
  run();
  others.clear();  // joins
  if (problem) std::rethrow_exception(problem);
  return !ended;
}

}  // namespace

std::vector<Scored> score_requests(const Model& model, const Conversion* conversion, const ForwardOptions& options,
                                   const std::vector<const ScoreRequest*>& requests, const ScoreBatches& batches,
                                   const std::function<bool()>& stop,
                                   const std::function<void(std::size_t, const Scored&)>& on_scored) {
  torch::InferenceMode inference;
  std::vector<Scored> out(requests.size(), Scored{0, true});
  std::vector<TokenTree> trees = share_prefixes(requests, by_age(conversion) ? k_tree_tokens : 0);
  std::stable_sort(trees.begin(), trees.end(), [](const TokenTree& a, const TokenTree& b) {
    return std::tuple(a.is_chain(), a.tokens.size()) > std::tuple(b.is_chain(), b.tokens.size());
  });
  const auto cores = static_cast<std::size_t>(std::max(1, at::get_num_threads()));
  ScoreBatches sized = batches;
  if (sized.tokens == 0 && !model.device().is_cuda()) {  // several batches a thread, so that all end together
    std::size_t all = 0;
    for (const auto& tree : trees) all += tree.tokens.size();
    sized.tokens = std::clamp<std::int64_t>(static_cast<std::int64_t>(all / (4 * cores)), 512, most_tokens(batches, model.device()));
  }
  std::vector<std::size_t> begins{0};
  while (begins.back() < trees.size()) begins.push_back(begins.back() + batch_rows(trees, begins.back(), sized, model, conversion, options.component));
  const std::size_t count = begins.size() - 1;
  const std::size_t threads = model.device().is_cuda() ? 1 : std::clamp<std::size_t>(count, 1, cores);
  const InnerThreads inner(static_cast<int>(cores / threads));
  std::vector<std::vector<BranchNorms>> norms(options.norms ? count : 0);
  std::mutex guard;
  const bool whole = for_each_batch(count, threads, [&](std::size_t i) {
    {
      const std::lock_guard lock(guard);
      if (stop()) return false;
    }
    const std::vector<TokenTree> taken(std::make_move_iterator(trees.begin() + static_cast<std::ptrdiff_t>(begins[i])),
                                       std::make_move_iterator(trees.begin() + static_cast<std::ptrdiff_t>(begins[i + 1])));
    ForwardOptions own = options;
    if (options.norms) own.norms = &norms[i];
    score_batch(model, conversion, own, make_batch(taken, requests), out);
    const std::lock_guard lock(guard);
    if (on_scored)
      for (const auto& tree : taken)
        for (const auto& ask : tree.asks) on_scored(ask.request, out[ask.request]);
    return true;
  });
  if (!whole) return {};
  for (const auto& part : norms) add_norms(*options.norms, part);
  return out;
}

}  // namespace engine
