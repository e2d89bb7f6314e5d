#include "engine/eval/scoring.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <span>

#include "engine/torch_api.h"

namespace engine {
namespace {

constexpr std::int64_t k_logit_floats = 1 << 24;

std::size_t input_length(const ScoreRequest& r) { return r.tokens.size() - 1; }  // the last token is only a target

/// Rows to compute and, for each request, the row that holds it.
struct Plan {
  std::vector<std::size_t> rows;      ///< request whose tokens are the row
  std::vector<std::size_t> row_of;    ///< by request
};

Plan share_prefixes(const std::vector<const ScoreRequest*>& requests) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto input = [&](std::size_t i) { return std::span(requests[i]->tokens).first(input_length(*requests[i])); };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::lexicographical_compare(input(a).begin(), input(a).end(), input(b).begin(), input(b).end());
  });
  Plan plan;
  plan.row_of.resize(requests.size());
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    const bool begins = !plan.rows.empty() && [&] {
      const auto longer = input(plan.rows.back()), own = input(*i);
      return own.size() <= longer.size() && std::equal(own.begin(), own.end(), longer.begin());
    }();
    if (!begins) plan.rows.push_back(*i);
    plan.row_of[*i] = plan.rows.size() - 1;
  }
  return plan;
}

struct Target {
  std::size_t request;
  std::int64_t row, position, token;  ///< row within the batch
};

void score_batch(const Model& model, const Conversion* conversion, const ForwardOptions& options,
                 const std::vector<const ScoreRequest*>& requests, const std::vector<std::size_t>& rows,
                 std::vector<Target>& targets, std::vector<Scored>& out) {
  std::size_t length = 0;
  for (auto r : rows) length = std::max(length, input_length(*requests[r]));
  Tensor ids = torch::zeros({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(length)}, torch::kInt64);
  auto a = ids.accessor<std::int64_t, 2>();
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t t = 0; t < input_length(*requests[rows[i]]); ++t)
      a[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(t)] = requests[rows[i]]->tokens[t];
  const Tensor hidden = model.hidden(ids.to(model.device()), conversion, options);  // [rows,T,M]

  // Each (row, position) meets the vocabulary once, however many choices ask there.
  std::sort(targets.begin(), targets.end(), [](const Target& x, const Target& y) {
    return std::tie(x.row, x.position) < std::tie(y.row, y.position);
  });
  const std::int64_t per_pass = std::max<std::int64_t>(1, k_logit_floats / model.config.vocabulary);
  for (std::size_t begin = 0; begin < targets.size();) {
    std::vector<std::int64_t> places, slots, tokens;
    std::size_t end = begin;
    for (; end < targets.size(); ++end) {
      const std::int64_t place = targets[end].row * static_cast<std::int64_t>(length) + targets[end].position;
      if (places.empty() || places.back() != place) {
        if (static_cast<std::int64_t>(places.size()) == per_pass) break;
        places.push_back(place);
      }
      slots.push_back(static_cast<std::int64_t>(places.size()) - 1);
      tokens.push_back(targets[end].token);
    }
    const auto device = model.device();
    const Tensor logits = model.logits(hidden.reshape({-1, hidden.size(2)}).index_select(0, torch::tensor(places).to(device)));
    const Tensor wide = logits.dtype() == torch::kFloat64 ? logits : logits.to(torch::kFloat32);
    const Tensor slot = torch::tensor(slots).to(device), token = torch::tensor(tokens).to(device);
    const Tensor chosen = wide.log_softmax(-1).index({slot, token}).to(torch::kCPU, torch::kFloat64);
    const Tensor best = wide.argmax(-1).index_select(0, slot).eq(token).to(torch::kCPU);
    for (std::size_t i = begin; i < end; ++i) {
      const auto j = static_cast<std::int64_t>(i - begin);
      out[targets[i].request].log_likelihood += chosen[j].item<double>();
      out[targets[i].request].greedy = out[targets[i].request].greedy && best[j].item<bool>();
    }
    begin = end;
  }
}

}  // namespace

std::vector<Scored> score_requests(const Model& model, const Conversion* conversion, const ForwardOptions& options,
                                   const std::vector<const ScoreRequest*>& requests, std::int64_t token_budget,
                                   const std::function<bool()>& stop) {
  torch::InferenceMode inference;
  std::vector<Scored> out(requests.size(), Scored{0, true});
  const Plan plan = share_prefixes(requests);
  std::vector<std::size_t> order(plan.rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return input_length(*requests[plan.rows[a]]) > input_length(*requests[plan.rows[b]]);
  });
  std::vector<std::vector<std::size_t>> asks(plan.rows.size());
  for (std::size_t i = 0; i < requests.size(); ++i) asks[plan.row_of[i]].push_back(i);
  for (std::size_t begin = 0; begin < order.size();) {
    if (stop()) return {};
    const auto longest = static_cast<std::int64_t>(input_length(*requests[plan.rows[order[begin]]]));
    const auto many = static_cast<std::size_t>(std::max<std::int64_t>(1, token_budget / std::max<std::int64_t>(1, longest)));
    const std::size_t end = std::min(order.size(), begin + many);
    std::vector<std::size_t> rows;
    std::vector<Target> targets;
    for (std::size_t i = begin; i < end; ++i) {
      for (std::size_t ask : asks[order[i]]) {
        const ScoreRequest& r = *requests[ask];
        const auto total = static_cast<std::int64_t>(r.tokens.size());
        for (std::int64_t t = total - r.scored; t < total; ++t)
          targets.push_back({ask, static_cast<std::int64_t>(rows.size()), t - 1, r.tokens[static_cast<std::size_t>(t)]});
      }
      rows.push_back(plan.rows[order[i]]);
    }
    score_batch(model, conversion, options, requests, rows, targets, out);
    begin = end;
  }
  return out;
}

}  // namespace engine
