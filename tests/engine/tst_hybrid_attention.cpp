#include <QtTest>
#include <filesystem>

#include "engine/attention/conversion.h"
#include "engine/attention/hybrid_attention.h"
#include "engine/recipe.h"
#include "engine/torch_api.h"
#include "engine/verify.h"
#include "tests/support/attention_forms.h"

using namespace engine;

namespace {

AttentionSpec spec_of(const std::string& preset, std::int64_t window) {
  AttentionSpec s;
  s.feature_map = parse_recipe("attention: {feature_map: {preset: " + preset + "}}").recipe.attention.feature_map;
  s.window = window;
  return s;
}

double gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>() / b.abs().max().item<double>(); }

/// The formulas as T × T matrices in double: what the chunked form must equal.
Tensor quadratic_hybrid(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionCall& call) {
  const std::int64_t length = q.size(2);
  const Tensor t = torch::arange(length), age = t.unsqueeze(1) - t.unsqueeze(0);
  const Tensor near = (age >= 0).logical_and(age < call.window), far = call.overlap ? age >= 0 : age >= call.window;
  const Tensor scores = (q.matmul(k.transpose(-1, -2)) / std::sqrt(double(q.size(3)))).masked_fill(near.logical_not(), -1e300);
  const Tensor window = scores.softmax(-1).matmul(v);
  const Tensor a = (*call.query_map)(q, q.size(1)).matmul((*call.key_map)(k, q.size(1)).transpose(-1, -2)).masked_fill(far.logical_not(), 0.0);
  const Tensor has = far.any(-1).unsqueeze(-1);
  const Tensor linear = at::where(has, a.matmul(v) / at::where(has, a.sum(-1, true), torch::ones_like(a.sum(-1, true))), torch::zeros_like(v));
  return at::where(has, call.weight * window + (1 - call.weight) * linear, window);
}

}  // namespace

class TstHybridAttention : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void chunked_equals_quadratic_data();
  void chunked_equals_quadratic();
  void window_beyond_length_is_softmax();
  void short_rows_give_the_window_weight_one();
  void dropped_sequences_are_linear_alone_the_others_hybrid();
  void dropped_heads_are_linear_alone();
  void later_tokens_do_not_reach_back();
  void vanishing_denominators_are_clamped_and_counted();
  void kernels_equal_composed_operations_data();
  void kernels_equal_composed_operations();
  void reference_vectors_hold();
};

void TstHybridAttention::chunked_equals_quadratic_data() {
  QTest::addColumn<int>("length");
  QTest::addColumn<int>("window");
  QTest::addColumn<bool>("overlap");
  for (int length : {1, 63, 64, 65, 500})
    for (int window : {1, 5, 64})
      for (bool overlap : {false, true})
        QTest::addRow("T %d w %d %s", length, window, overlap ? "overlap" : "outside") << length << window << overlap;
}

void TstHybridAttention::chunked_equals_quadratic() {
  QFETCH(int, length);
  QFETCH(int, window);
  QFETCH(bool, overlap);
  torch::manual_seed(length * 131 + window);
  const Conversion c = make_conversion(spec_of("hedgehog-softmax", window), {1, 3, 3, 8}, 0, torch::kCPU);
  const auto options = torch::TensorOptions().dtype(torch::kFloat64).requires_grad(true);
  const Tensor q = torch::randn({3, 3, length, 8}, options), k = torch::randn({3, 3, length, 8}, options), v = torch::randn({3, 3, length, 8}, options);
  AttentionCall call = c.call(0);
  call.component = Component::hybrid;
  call.overlap = overlap;
  const Tensor cotangent = torch::randn({3, 3, length, 8}, torch::kFloat64);
  const Tensor fast = hybrid_attention(q, k, v, call), slow = quadratic_hybrid(q, k, v, call);
  QVERIFY(gap(fast, slow) < 1e-12);
  const auto a = torch::autograd::grad({fast}, {q, k, v}, {cotangent}), b = torch::autograd::grad({slow}, {q, k, v}, {cotangent});
  for (std::size_t i = 0; i < 3; ++i) QVERIFY((a[i] - b[i]).abs().max().item<double>() < 1e-11);
}

void TstHybridAttention::window_beyond_length_is_softmax() {
  const Conversion c = make_conversion(spec_of("lolcats", 200), {1, 2, 2, 16}, 0, torch::kCPU);
  const Tensor q = torch::randn({2, 2, 90, 16}), k = torch::randn({2, 2, 90, 16}), v = torch::randn({2, 2, 90, 16});
  AttentionCall call = c.call(0);
  const Tensor teacher = hybrid_attention(q, k, v, call);
  call.component = Component::hybrid;
  QVERIFY(gap(hybrid_attention(q, k, v, call), teacher) < 1e-5);
}

void TstHybridAttention::short_rows_give_the_window_weight_one() {
  const Conversion c = make_conversion(spec_of("hedgehog", 10), {1, 2, 2, 16}, 0, torch::kCPU);
  const Tensor q = torch::randn({1, 2, 40, 16}), k = torch::randn({1, 2, 40, 16}), v = torch::randn({1, 2, 40, 16});
  AttentionCall call = c.call(0);
  call.component = Component::hybrid;
  const Tensor hybrid = hybrid_attention(q, k, v, call);
  call.component = Component::swa;
  const Tensor window = hybrid_attention(q, k, v, call);
  QVERIFY(gap(hybrid.narrow(2, 0, 10), window.narrow(2, 0, 10)) < 1e-6);
  QVERIFY(gap(hybrid.narrow(2, 10, 30), window.narrow(2, 10, 30)) > 1e-2);
}

void TstHybridAttention::dropped_sequences_are_linear_alone_the_others_hybrid() {
  const Conversion c = make_conversion(spec_of("hedgehog-softmax", 8), {1, 2, 2, 16}, 0, torch::kCPU);
  const Tensor q = torch::randn({4, 2, 50, 16}), k = torch::randn({4, 2, 50, 16}), v = torch::randn({4, 2, 50, 16});
  AttentionCall call = c.call(0);
  call.component = Component::linear;
  const Tensor linear = hybrid_attention(q, k, v, call);
  call.component = Component::hybrid;
  const Tensor hybrid = hybrid_attention(q, k, v, call);
  call.dropped = torch::tensor({1, 0, 1, 0}).to(torch::kBool).unsqueeze(1).expand({4, 2}).contiguous();
  const Tensor mixed = hybrid_attention(q, k, v, call);
  for (std::int64_t b = 0; b < 4; ++b) QVERIFY(gap(mixed[b], b % 2 == 0 ? linear[b] : hybrid[b]) < 1e-6);
}

void TstHybridAttention::dropped_heads_are_linear_alone() {
  const Conversion c = make_conversion(spec_of("hedgehog-softmax", 8), {1, 2, 2, 16}, 0, torch::kCPU);
  const Tensor q = torch::randn({2, 2, 50, 16}), k = torch::randn({2, 2, 50, 16}), v = torch::randn({2, 2, 50, 16});
  AttentionCall call = c.call(0);
  call.component = Component::linear_outside;
  const Tensor linear = hybrid_attention(q, k, v, call);
  call.component = Component::hybrid;
  const Tensor hybrid = hybrid_attention(q, k, v, call);
  call.dropped = torch::tensor({1, 0, 0, 1}).to(torch::kBool).view({2, 2});
  call.linear_outside_when_dropped = true;
  const Tensor mixed = hybrid_attention(q, k, v, call);
  QVERIFY(gap(mixed[0][0], linear[0][0]) < 1e-6 && gap(mixed[0][1], hybrid[0][1]) < 1e-6);
  QVERIFY(gap(mixed[1][1], linear[1][1]) < 1e-6 && gap(mixed[1][0], hybrid[1][0]) < 1e-6);
}

void TstHybridAttention::later_tokens_do_not_reach_back() {
  for (const auto& name : component_names()) {
    const Conversion c = make_conversion(spec_of("hedgehog-softmax", 8), {1, 2, 2, 16}, 0, torch::kCPU);
    Tensor q = torch::randn({1, 2, 70, 16}), k = torch::randn({1, 2, 70, 16}), v = torch::randn({1, 2, 70, 16});
    AttentionCall call = c.call(0);
    call.component = component_from(name);
    const Tensor before = hybrid_attention(q, k, v, call).clone();
    for (auto* x : {&q, &k, &v}) x->narrow(2, 40, 30).fill_(7.5);
    const Tensor after = hybrid_attention(q, k, v, call);
    QVERIFY2((before.narrow(2, 0, 40) - after.narrow(2, 0, 40)).abs().max().item<double>() < 1e-6, name.c_str());
  }
}

void TstHybridAttention::vanishing_denominators_are_clamped_and_counted() {
  const Conversion c = make_conversion(spec_of("t2r", 4), {1, 1, 1, 8}, 0, torch::kCPU);
  const Tensor x = torch::full({1, 1, 20, 8}, -5.0);  // ReLU leaves nothing
  AttentionCall call = c.call(0);
  call.component = Component::hybrid;
  BranchNorms norms;
  call.norms = &norms;
  QVERIFY(hybrid_attention(x, x, x, call).isfinite().all().item<bool>());
  QVERIFY(norms.denominators_clamped.item<std::int64_t>() > 0);
}

support::Forms all_forms() {
  support::Forms forms = support::attention_forms(20);
  forms.emplace_back("t2r", spec_of("t2r", 20));
  forms.emplace_back("supra without decay", spec_of("supra", 20));
  forms.back().second.linear.normaliser = "group-norm";  // turned features have no sign to divide by
  return forms;
}

/// What a layer's attention gives in every component with a linear branch, and the gradients of all that it reads.
std::vector<Tensor> layer_results(const Conversion& shape, bool composed, Component component) {
  torch::manual_seed(5);
  const auto f = torch::TensorOptions(torch::kFloat32);
  auto leaf = [&](at::IntArrayRef sizes) { return torch::randn(sizes, f).requires_grad_(true); };
  const Tensor x = leaf({2, 150, 12}), raw_q = leaf({2, 4, 150, 8}), raw_k = leaf({2, 2, 150, 8}), v = leaf({2, 2, 150, 8});
  const Tensor angles = torch::arange(150, f).unsqueeze(1) * torch::tensor({1.0f, 0.3f, 0.1f, 0.01f}).repeat({2});
  const std::pair<Tensor, Tensor> turns{angles.cos(), angles.sin()};
  auto rotated = [&](const Tensor& a) {
    return a * turns.first + at::cat({-a.narrow(-1, 4, 4), a.narrow(-1, 0, 4)}, -1) * turns.second;
  };
  const Tensor q = rotated(raw_q), k = rotated(raw_k);
  Conversion c = shape;
  c.composed = composed;
  std::vector<Tensor> inputs{x, raw_q, raw_k, v};
  for (auto& [name, t] : c.tensors())
    if (name.find("maps.0") == 0 || name.find("mixing.0") == 0) t.set_requires_grad(true), inputs.push_back(t);
  const AttentionCall call = c.call(0, component, 0, {x, raw_q, raw_k, q, k, turns});
  const Tensor y = hybrid_attention(q, k, v, call);
  std::vector<Tensor> results{y.detach()};
  for (const Tensor& g : torch::autograd::grad({y}, inputs, {torch::randn(y.sizes(), f)}, {}, false, true)) results.push_back(g);
  return results;
}

void TstHybridAttention::kernels_equal_composed_operations_data() {
  QTest::addColumn<int>("form");
  const support::Forms forms = all_forms();
  for (std::size_t i = 0; i < forms.size(); ++i) QTest::addRow("%s", forms[i].first.c_str()) << static_cast<int>(i);
}

void TstHybridAttention::kernels_equal_composed_operations() {
  QFETCH(int, form);
  const support::Forms forms = all_forms();
  AttentionSpec spec = forms[static_cast<std::size_t>(form)].second;
  if (spec.feature_map.sharing == "model") spec.feature_map.tied = false;  // heads and groups differ here
  spec.layer_windows.clear();
  const Conversion c = make_conversion(spec, {2, 4, 2, 8, 12}, 3, torch::kCPU);
  for (const Component component : {Component::hybrid, Component::hybrid_overlap, Component::linear, Component::linear_outside}) {
    const auto found = layer_results(c, false, component), expected = layer_results(c, true, component);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!expected[i].defined() || expected[i].abs().max().item<double>() == 0) {
        QVERIFY(!found[i].defined() || found[i].abs().max().item<double>() == 0);
        continue;
      }
      const double error = gap(found[i], expected[i]);
      QVERIFY2(error < 2e-5, qPrintable(QString("%1, result %2: %3").arg(to_string(component)).arg(i).arg(error)));
    }
  }
}

void TstHybridAttention::reference_vectors_hold() {
  if (!std::filesystem::exists(EQUIPOISE_SHARED_DIR "/reference")) QSKIP("the reference vectors are not here");
  for (const auto& row : verify(EQUIPOISE_SHARED_DIR "/reference"))
    QVERIFY2(row.passed(), (row.file + " " + row.dtype + " " + row.tensor + ": " + std::to_string(row.error)).c_str());
}

QTEST_APPLESS_MAIN(TstHybridAttention)
#include "tst_hybrid_attention.moc"
