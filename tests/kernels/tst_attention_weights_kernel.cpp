#include <QtTest>

#include "kernels/attention_weights.h"
#include "tests/support/attention_case.h"

using namespace kernels;

namespace {

/// A case's tensors as the objective's arguments.
template <class T>
struct Objective {
  Bound<T> bound;
  AttentionWeights call;
  AttentionWeightsOut out;

  explicit Objective(const AttentionCase& c, std::int64_t teacher_window = 0) : bound(c) {
    call = {bound.call.q, bound.call.k,   bound.call.query_map, bound.call.key_map,
            {},           teacher_window, bound.call.threads};
    out.dquery_weight = bound.gradients.dquery_weight;
    out.dkey_weight = bound.gradients.dkey_weight;
    out.dquery_bias = bound.gradients.dquery_bias;
    out.dkey_bias = bound.gradients.dkey_bias;
  }
};

double loss_of(const AttentionCase& c, std::int64_t teacher_window) {
  Objective<double> o(c, teacher_window);
  return attention_weights_ref(o.call, o.out).ok() ? o.out.loss : NAN;
}

AttentionCase case_of(Activation activation, bool negation, const CaseShape& shape) {
  AttentionCase c = random_case(shape, 12);
  c.call.query_map.activation = c.call.key_map.activation = activation;
  c.call.query_map.negation = c.call.key_map.negation = negation;
  // Near a zero of Â the gradient is 1/Â: rounding of the features would be all that is compared.
  if (activation == Activation::none || activation == Activation::relu)
    for (const char* name : {"q", "k", "Wq", "Wk"})
      for (double& value : c.inputs[name].values) value = std::abs(value);
  return c;
}

const std::vector<std::string> k_maps = {"Wq", "Wk", "bq", "bk"};

}  // namespace

class TstAttentionWeightsKernel : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void equal_weights_cost_their_entropy();
  void gradients_are_slopes();
  void cpu_equals_reference_data();
  void cpu_equals_reference();
  void no_valid_query_costs_nothing();
};

void TstAttentionWeightsKernel::equal_weights_cost_their_entropy() {
  // Keys that are all alike: A and Â are both 1/(t + 1), so row t costs log(t + 1).
  AttentionCase c = random_case({.length = 3, .dim = 4, .columns = 4}, 1);
  auto& k = c.inputs["k"].values;
  for (std::size_t i = 4; i < k.size(); ++i) k[i] = k[i % 4];
  const double expected = (std::log(1.0) + std::log(2.0) + std::log(3.0)) / 3;
  QVERIFY(std::abs(loss_of(c, 0) - expected) < 1e-14);
  Objective<float> fast(c);
  QVERIFY(attention_weights_cpu(fast.call, fast.out).ok());
  QVERIFY(std::abs(fast.out.loss - expected) < 1e-6);
}

void TstAttentionWeightsKernel::gradients_are_slopes() {
  for (const Activation activation : {Activation::softmax, Activation::exp, Activation::elu1}) {
    AttentionCase c = case_of(
        activation, true,
        {.batch = 2, .heads = 2, .groups = 1, .length = 6, .dim = 3, .columns = 4, .bias = true});
    Objective<double> exact(c, 4);
    QVERIFY(attention_weights_ref(exact.call, exact.out).ok());
    for (const std::string& name : k_maps) {
      std::vector<double> slopes;
      for (double& value : c.inputs.at(name).values) {
        constexpr double k_step = 1e-5;
        const double kept = value;
        value = kept + k_step;
        const double above = loss_of(c, 4);
        value = kept - k_step;
        slopes.push_back((above - loss_of(c, 4)) / (2 * k_step));
        value = kept;
      }
      const double error = rms_ratio(exact.bound.result("d" + name), slopes);
      QVERIFY2(error < 1e-7, qPrintable(QString("%1: %2").arg(name.c_str()).arg(error)));
    }
  }
}

void TstAttentionWeightsKernel::cpu_equals_reference_data() {
  QTest::addColumn<int>("activation");
  QTest::addColumn<int>("length");
  QTest::addColumn<int>("window");
  for (int activation = 0; activation < 5; ++activation)
    for (int length : {1, 63, 64, 65, 200})
      for (int window : {0, 40})
        QTest::addRow("σ %d, T %d, w %d", activation, length, window)
            << activation << length << window;
}

void TstAttentionWeightsKernel::cpu_equals_reference() {
  QFETCH(int, activation);
  QFETCH(int, length);
  QFETCH(int, window);
  const bool relu = activation == static_cast<int>(Activation::relu);
  AttentionCase c = case_of(static_cast<Activation>(activation), !relu,
                            {.batch = 2,
                             .heads = 4,
                             .groups = 2,
                             .length = length,
                             .dim = 20,
                             .columns = 12,
                             .bias = !relu});
  c.call.threads = 3;
  std::vector<std::uint8_t> valid(2 * length, 1);
  valid.back() = 0;
  const View counted = dense(static_cast<const void*>(valid.data()), DType::u8, {2, length});
  Objective<double> exact(c, window);
  Objective<float> fast(c, window);
  exact.call.valid = fast.call.valid = counted;
  exact.out.gradient_scale = fast.out.gradient_scale = 0.25;
  QVERIFY(attention_weights_ref(exact.call, exact.out).ok());
  QVERIFY(attention_weights_cpu(fast.call, fast.out).ok());
  QVERIFY(std::abs(fast.out.loss - exact.out.loss) <= 1e-5 * std::abs(exact.out.loss) + 1e-6);
  for (const std::string& name : k_maps) {
    if (!c.inputs.contains(name)) continue;
    const auto expected = exact.bound.result("d" + name), found = fast.bound.result("d" + name);
    const std::vector<double> zeros(expected.size());
    // A lone key has weight 1 whatever the maps: rounding of zero has no relative error.
    const bool vanishes = rms_ratio(expected, zeros) < 1e-12 && rms_ratio(found, zeros) < 1e-6;
    const double error = rms_ratio(found, expected);
    QVERIFY2(vanishes || error < 1e-5, qPrintable(QString("%1: %2").arg(name.c_str()).arg(error)));
  }
}

void TstAttentionWeightsKernel::no_valid_query_costs_nothing() {
  const AttentionCase c = random_case({.length = 5}, 1);
  const std::vector<std::uint8_t> valid(5, 0);
  Objective<float> fast(c);
  fast.call.valid = dense(static_cast<const void*>(valid.data()), DType::u8, {1, 5});
  QVERIFY(attention_weights_cpu(fast.call, fast.out).ok());
  QCOMPARE(fast.out.loss, 0.0);
  for (const double value : fast.bound.result("dWq")) QCOMPARE(value, 0.0);
}

QTEST_APPLESS_MAIN(TstAttentionWeightsKernel)
#include "tst_attention_weights_kernel.moc"
