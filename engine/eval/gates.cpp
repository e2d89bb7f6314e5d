#include "engine/eval/gates.h"

#include <algorithm>
#include <cstdio>

#include "engine/model/decoding.h"
#include "engine/model/load.h"
#include "engine/torch_api.h"
#include "engine/verdict.h"

namespace engine {
namespace {

constexpr std::int64_t k_most_tokens = 512, k_decoded_tokens = 16;

double tolerance_of(const Model& model) {
  return gate_tolerance(dtype_name(model.activation_dtype()));
}

double relative_difference(const Tensor& found, const Tensor& expected) {
  const Tensor a = found.to(torch::kFloat64), b = expected.to(torch::kFloat64);
  return ((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).item<double>();
}

/// The longest row, cut to what the teacher's own window and the gate's time allow.
std::vector<std::int64_t> gate_row(const Model& model, const std::vector<std::vector<std::int64_t>>& rows) {
  std::vector<std::int64_t> row;
  for (const auto& r : rows)
    if (r.size() > row.size()) row = r;
  std::int64_t most = k_most_tokens;
  for (auto window : model.config.teacher_windows)
    if (window > 0) most = std::min(most, window);
  if (std::ssize(row) > most) row.resize(static_cast<std::size_t>(most));
  return row;
}

class Gates {
 public:
  Gates(const Model& model, const Conversion& conversion, const std::vector<std::int64_t>& row)
      : model_(model), conversion_(conversion), ids_(torch::tensor(row).unsqueeze(0).to(model.device())),
        published_(conversion.layout == WindowLayout::terraced_as_published) {}

  Gate identity() const {
    Conversion all_window = conversion_;
    all_window.mixing = Mixing::fixed;
    all_window.weight = 1;
    all_window.overlap = false;
    all_window.layout = WindowLayout::sliding;
    ForwardOptions softmax, hybrid;
    softmax.adapters_on_teacher = true;
    hybrid.component = Component::hybrid;
    hybrid.window = ids_.size(1);
    Gate gate{"identity", 0, tolerance_of(model_)};
    if (std::ranges::any_of(conversion_.layers, [](const auto& l) { return l.kind == LayerKind::skipped; }))
      gate.note = "does not apply: the attention of some layers is left out";
    else
      gate.worst = relative_difference(logits(ids_, &all_window, hybrid), logits(ids_, &conversion_, softmax));
    return gate;
  }

  Gate decode() const {
    Gate gate{"decode", 0, tolerance_of(model_)};
    if (published_) {
      gate.note = "does not apply: as published, decoding slides where the prompt's window is terraced";
      return gate;
    }
    const std::int64_t length = ids_.size(1), steps = std::min(k_decoded_tokens, length / 2);
    if (steps == 0) {
      gate.note = "does not apply: the longest row has one token";
      return gate;
    }
    const ForwardOptions options = hybrid_options();
    const Tensor whole = logits(ids_, &conversion_, options).narrow(1, length - steps - 1, steps + 1);
    Decoding decoding(model_, &conversion_, options, length);
    std::vector<Tensor> one_by_one{model_.logits(decoding.prefill(ids_.narrow(1, 0, length - steps)))};
    for (std::int64_t t = length - steps; t < length; ++t) one_by_one.push_back(model_.logits(decoding.step(ids_.select(1, t))));
    gate.worst = relative_difference(at::stack(one_by_one, 1), whole);
    return gate;
  }

  Gate batch() const {
    Gate gate{"batch", 0, tolerance_of(model_)};
    if (published_) {
      gate.note = "does not apply: as published, a row's padding moves its terraces; rows are computed alone";
      return gate;
    }
    const std::int64_t length = ids_.size(1), part = std::max<std::int64_t>(1, length * 2 / 3);
    const Tensor alone = ids_.narrow(1, 0, part);
    const Tensor padded = at::constant_pad_nd(alone, {0, length - part});
    const ForwardOptions options = hybrid_options();
    const Tensor together = logits(at::cat({padded, ids_, padded}, 0), &conversion_, options);
    const Tensor expected = logits(alone, &conversion_, options);
    for (std::int64_t row : {0, 2})
      gate.worst = std::max(gate.worst, relative_difference(together.narrow(0, row, 1).narrow(1, 0, part), expected));
    return gate;
  }

 private:
  ForwardOptions hybrid_options() const {
    ForwardOptions options;
    options.component = Component::hybrid;
    return options;
  }
  Tensor logits(const Tensor& ids, const Conversion* conversion, const ForwardOptions& options) const {
    return model_.logits(model_.hidden(ids, conversion, options));
  }

  const Model& model_;
  const Conversion& conversion_;
  Tensor ids_;
  bool published_;
};

}  // namespace

std::string Gate::sentence() const {
  if (!note.empty()) return name + ": " + note;
  char text[128];
  std::snprintf(text, sizeof text, ": %.1e of at most %.0e, %s", worst, tolerance, passed() ? "passed" : "NOT passed");
  return name + text;
}

std::vector<Gate> conversion_gates(const Model& model, const Conversion& conversion,
                                   const std::vector<std::vector<std::int64_t>>& rows) {
  const std::vector<std::int64_t> row = gate_row(model, rows);
  if (row.empty()) return {};
  torch::InferenceMode inference;
  const Gates gates(model, conversion, row);
  return {gates.identity(), gates.decode(), gates.batch()};
}

}  // namespace engine
