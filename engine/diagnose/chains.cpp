#include <algorithm>
#include <numeric>

#include "engine/diagnose/session.h"
#include "engine/inspect_tokens.h"
#include "engine/torch_api.h"
#include "engine/train/checkpoint.h"

namespace engine {
namespace {

constexpr std::int64_t k_batch_tokens = 4096, k_logit_floats = 1 << 22;

using Ids = std::vector<std::int32_t>;

bool begins_with(const Ids& text, const Ids& prefix) {
  return prefix.size() <= text.size() && std::equal(prefix.begin(), prefix.end(), text.begin());
}

}  // namespace

ForwardOptions Patient::options(Component component) const {
  ForwardOptions o;
  o.component = component;
  o.window = forced_window;
  return o;
}

Patient open_patient(const Subject& subject, std::int64_t window) {
  const std::int64_t forced = window > 0 ? window : subject.recipe.evaluation.window;
  Patient p{open_workspace(subject.recipe), {}, {}, {}, forced > 0 ? forced : evaluation_window(subject.recipe), forced};
  for (const auto& layer : p.work.conversion.layers) {
    auto copy = [](const Tensor& t) { return t.defined() ? t.clone() : Tensor(); };
    p.start_q.push_back(copy(layer.query_map.weight));
    p.start_k.push_back(copy(layer.key_map.weight));
  }
  if (!subject.checkpoint) return p;
  if (trains_all_weights(subject.recipe)) p.original = open_workspace(subject.recipe);
  p.work.restore(subject.recipe, load_checkpoint(*subject.checkpoint).trained);
  return p;
}

ChainScorer::ChainScorer(const std::vector<Case>& cases, const Chosen& chosen, const torch::Device& device)
    : cases_(cases), chosen_(chosen) {
  struct Asked {
    Ids input;  // everything that predicts: all tokens but the last
    std::size_t request;
    const ScoreRequest* ask;
  };
  std::vector<Asked> all;
  for (auto i : chosen_) {
    first_request_.push_back(requests_);
    for (const auto& r : cases[i].choices) all.push_back({{r.tokens.begin(), r.tokens.end() - 1}, requests_++, &r});
  }
  std::ranges::stable_sort(all, {}, &Asked::input);
  // A text stands directly before those that it begins: from the back, each joins the row before or opens one.
  std::vector<Ids> rows;
  std::vector<std::vector<Target>> asked;
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    if (rows.empty() || !begins_with(rows.back(), it->input)) rows.push_back(it->input), asked.emplace_back();
    const auto n = std::ssize(it->ask->tokens);
    for (std::int64_t t = n - it->ask->scored; t < n; ++t)
      asked.back().push_back({t - 1, it->ask->tokens[static_cast<std::size_t>(t)], it->request});
  }
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>{}, [&](auto i) { return rows[i].size(); });
  for (std::size_t begin = 0; begin < order.size();) {
    const auto length = std::max<std::int64_t>(1, std::ssize(rows[order[begin]]));
    const auto end = std::min(order.size(), begin + static_cast<std::size_t>(std::max<std::int64_t>(1, k_batch_tokens / length)));
    std::vector<Ids> batch_rows;
    std::vector<std::vector<Target>> batch_asked;
    for (; begin < end; ++begin) batch_rows.push_back(rows[order[begin]]), batch_asked.push_back(asked[order[begin]]);
    add_batch(batch_rows, batch_asked, device);
  }
}

void ChainScorer::add_batch(const std::vector<Ids>& rows, const std::vector<std::vector<Target>>& asked, const torch::Device& device) {
  const auto length = std::ssize(rows.front());  // the longest; padding behind an end is seen by nothing before it
  const Tensor ids = torch::zeros({std::ssize(rows), length}, torch::kInt64);
  std::vector<Target> targets;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::ranges::copy(rows[r], ids.data_ptr<std::int64_t>() + static_cast<std::int64_t>(r) * length);
    for (Target t : asked[r]) t.place += static_cast<std::int64_t>(r) * length, targets.push_back(t);
  }
  std::ranges::stable_sort(targets, {}, &Target::place);
  Batch b;
  std::vector<std::int64_t> keep;
  for (const auto& t : targets) {
    if (keep.empty() || keep.back() != t.place) keep.push_back(t.place);
    b.slot.push_back(std::ssize(keep) - 1);
    b.token.push_back(t.token);
    b.request.push_back(t.request);
  }
  b.ids = ids.to(device);
  b.keep = torch::tensor(keep).to(device);
  batches_.push_back(std::move(b));
}

std::vector<Outcome> ChainScorer::score(const Model& model, const Conversion* conversion, const ForwardOptions& options,
                                        const Watch& watch) const {
  torch::InferenceMode inference;
  std::vector<Scored> scored(requests_, Scored{0, true});
  for (const Batch& b : batches_) {
    if (watch.stop.stop_requested()) throw Cancelled{};
    ForwardOptions own = options;
    own.keep = b.keep;
    const Tensor hidden = model.hidden(b.ids, conversion, own);  // [P,M]
    const std::int64_t per_pass = std::max<std::int64_t>(1, k_logit_floats / model.config.vocabulary);
    std::size_t at = 0;
    for (std::int64_t first = 0; first < hidden.size(0); first += per_pass) {
      const std::int64_t count = std::min(per_pass, hidden.size(0) - first);
      const Tensor logits = model.logits(hidden.narrow(0, first, count)).to(torch::kFloat32);
      std::vector<std::int64_t> slots, tokens;
      const std::size_t begin = at;
      for (; at < b.slot.size() && b.slot[at] < first + count; ++at) slots.push_back(b.slot[at] - first), tokens.push_back(b.token[at]);
      const Tensor slot = torch::tensor(slots).to(model.device()), token = torch::tensor(tokens).to(model.device());
      const Tensor chosen = (logits.index({slot, token}) - logits.logsumexp(-1).index_select(0, slot)).to(torch::kCPU, torch::kFloat64);
      const Tensor greedy = logits.argmax(-1).index_select(0, slot).eq(token).to(torch::kCPU);
      for (std::size_t i = begin; i < at; ++i) {
        Scored& s = scored[b.request[i]];
        s.log_likelihood += chosen.data_ptr<double>()[i - begin];
        s.greedy = s.greedy && greedy.data_ptr<bool>()[i - begin];
      }
    }
  }
  std::vector<Outcome> out;
  for (std::size_t i = 0; i < chosen_.size(); ++i) {
    const auto first = scored.begin() + static_cast<std::ptrdiff_t>(first_request_[i]);
    out.push_back(judge_case(cases_[chosen_[i]], {first, first + std::ssize(cases_[chosen_[i]].choices)}));
  }
  return out;
}

std::vector<Ids> texts_of(const std::vector<Case>& cases, std::int64_t count, std::int64_t tokens) {
  std::map<std::int64_t, Ids> longest;  // by cluster
  for (const auto& c : cases) {
    const ScoreRequest& r = c.choices[static_cast<std::size_t>(c.gold)];
    Ids& best = longest[c.cluster];
    if (r.tokens.size() > best.size()) best = r.tokens;
  }
  std::vector<Ids> texts;
  for (auto& [cluster, ids] : longest) texts.push_back(std::move(ids));
  std::ranges::stable_sort(texts, std::greater<>{}, [](const Ids& t) { return t.size(); });
  if (std::ssize(texts) > count) texts.resize(static_cast<std::size_t>(count));
  for (Ids& t : texts)
    if (std::ssize(t) > tokens) t.erase(t.begin(), t.end() - tokens);
  return texts;
}

}  // namespace engine
