#include <QtTest>
#include <cstring>
#include <filesystem>

#include <hwy/targets.h>

#include "engine/data/json.h"
#include "engine/model/safetensors.h"
#include "tests/support/attention_case.h"

using namespace kernels;

namespace {

const std::map<std::string, Component> k_components = {
    {"softmax", Component::softmax},
    {"hybrid", Component::hybrid},
    {"hybrid-overlap", Component::hybrid_overlap},
    {"swa", Component::swa},
    {"linear", Component::linear},
    {"linear-outside", Component::linear_outside},
    {"swa+sinks", Component::swa_sinks},
    {"sinks", Component::sinks},
    {"none", Component::none}};
const std::map<std::string, Activation> k_activations = {{"softmax", Activation::softmax},
                                                         {"exp", Activation::exp},
                                                         {"relu", Activation::relu},
                                                         {"elu1", Activation::elu1},
                                                         {"none", Activation::none}};
const std::map<std::string, Mixing> k_mixings = {
    {"fixed", Mixing::fixed},
    {"learned", Mixing::learned},
    {"gated", Mixing::gated},
    {"shared-denominator", Mixing::shared_denominator}};

void set_activation(HybridAttention& call, Activation activation, bool negation) {
  call.query_map.activation = call.key_map.activation = activation;
  call.query_map.negation = call.key_map.negation = negation;
}

/// A file of shared/reference/attention; expected values by name in `expected`.
AttentionCase read_case(const std::filesystem::path& path,
                        std::map<std::string, std::vector<double>>& expected) {
  const engine::SafetensorsFile file(path);
  const auto document = engine::parse_json_document(file.metadata().at("case"), path.string());
  const auto c = document.view();
  AttentionCase out;
  for (const auto& entry : file.tensors()) {
    std::vector<double> values(entry.bytes.size() / sizeof(double));
    std::memcpy(values.data(), entry.bytes.data(), entry.bytes.size());
    const bool result = entry.name == "out" || (entry.name[0] == 'd' && entry.name != "dout");
    if (result)
      expected[entry.name] = values;
    else if (entry.name.size() == 1 && (entry.name == "W" || entry.name == "b"))
      out.inputs[entry.name + "q"] = out.inputs[entry.name + "k"] = {entry.shape, values};
    else
      out.inputs[entry.name] = {entry.shape, values};
  }
  HybridAttention& call = out.call;
  call.component = k_components.at(c.at("component").as_string());
  call.window = c.at("window").as_integer(1);
  call.overlap = c.bool_or("overlap", false);
  call.mixing = k_mixings.at(c.string_or("mixing", "fixed"));
  call.weight = c.number_or("g", 0.5);
  call.sinks = c.integer_or("sinks", 8, 1);
  set_activation(call, k_activations.at(c.at("activation").as_string()),
                 c.at("negation").as_bool());
  return out;
}

/// Σ dout·y of the reference in double.
double projected(const AttentionCase& c) {
  Bound<double> bound(c);
  if (!hybrid_attention_ref(bound.call, bound.out).ok()) return NAN;
  const auto y = bound.result("out");
  const auto& dout = c.inputs.at("dout").values;
  double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * dout[i];
  return sum;
}

/// y, norms and counts of the vectorised form against the reference's; empty where they agree.
QString disagreement(const AttentionCase& c, bool time_major = false, double tolerance = 1e-5) {
  Bound<double> exact(c);
  Bound<float> fast(c, time_major);
  if (const Status s = hybrid_attention_ref(exact.call, exact.out); !s.ok()) return s.text.c_str();
  if (const Status s = hybrid_attention_cpu(fast.call, fast.out); !s.ok()) return s.text.c_str();
  auto compare = [&](const char* name, const std::vector<double>& found,
                     const std::vector<double>& expected) {
    const double error = rms_ratio(found, expected);
    return error < tolerance ? QString() : QString("%1: %2").arg(name).arg(error);
  };
  QString text = compare("out", fast.result("out"), exact.result("out"));
  text += compare("window norms", fast.window_norms, exact.window_norms);
  text += compare("linear norms", fast.linear_norms, exact.linear_norms);
  if (fast.out.clamped_denominators != exact.out.clamped_denominators)
    text += "clamped denominators";
  if (fast.out.clamped_exps != exact.out.clamped_exps) text += "clamped exps";
  return text;
}

/// Every gradient of the vectorised form against the reference's; empty where they agree.
QString gradient_disagreement(const AttentionCase& c, bool time_major = false) {
  Bound<double> exact(c);
  Bound<float> fast(c, time_major);
  if (const Status s = hybrid_attention_backward_ref(exact.call, exact.gradients); !s.ok())
    return s.text.c_str();
  if (const Status s = hybrid_attention_backward_cpu(fast.call, fast.gradients); !s.ok())
    return s.text.c_str();
  // σ = identity subtracts two large sums, Σ φ(k) (dy·v) and Σ φ(k) (dy·y), which magnifies
  // rounding.
  const bool identity = c.call.query_map.activation == Activation::none;
  QString text;
  for (const std::string& name : exact.gradient_names()) {
    const auto expected = exact.result(name), found = fast.result(name);
    const double error = rms_ratio(found, expected);
    // A gradient that is zero but for rounding, as LA's of a single key, has no relative error.
    const std::vector<double> zeros(expected.size());
    const bool vanishes = rms_ratio(expected, zeros) < 1e-12 && rms_ratio(found, zeros) < 1e-5;
    if (!vanishes && !(error < (identity ? 5e-5 : 1e-5)))
      text += QString("%1: %2 ").arg(name.c_str()).arg(error);
  }
  return text;
}

/// A form of the operator in bfloat16 against the reference in double: no result may be further
/// away than twice what rounding the exact one to bfloat16 does. Empty where that holds.
QString half_disagreement(const AttentionCase& any, bool time_major) {
  const AttentionCase c = rounded_to_half(any);
  Bound<double> exact(c);
  Bound<Half> half(c, time_major);
  for (const Status& s : {hybrid_attention_ref(exact.call, exact.out),
                          hybrid_attention_backward_ref(exact.call, exact.gradients),
                          hybrid_attention_cpu(half.call, half.out),
                          hybrid_attention_backward_cpu(half.call, half.gradients)})
    if (!s.ok()) return s.text.c_str();
  QString text;
  auto compare = [&](const std::string& name) {
    const auto expected = exact.result(name);
    const bool rows = name == "out" || (name.size() == 2 && name != "dg");
    const std::vector<double> zeros(expected.size());
    // Zero but for rounding, as the gradients of LA's of a single key.
    if (rms_ratio(expected, zeros) < 1e-12 && rms_ratio(half.result(name), zeros) < 1e-5) return;
    const double rounding = rows ? rms_ratio(to_half(expected), expected) : 1e-5;
    const double error = rms_ratio(half.result(name), expected);
    if (!(error <= 2 * rounding + 1e-6))
      text += QString("%1: %2, rounding alone %3 ").arg(name.c_str()).arg(error).arg(rounding);
  };
  compare("out");
  for (const std::string& name : exact.gradient_names()) compare(name);
  return text;
}

}  // namespace

class TstHybridAttentionKernel : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void two_rows_by_hand();
  void gradients_are_slopes_data();
  void gradients_are_slopes();
  void reference_vectors_hold_data();
  void reference_vectors_hold();
  void cpu_equals_reference_at_any_length_data();
  void cpu_equals_reference_at_any_length();
  void every_component_at_awkward_lengths_data();
  void every_component_at_awkward_lengths();
  void gradients_of_a_long_sequence();
  void cpu_equals_reference_in_every_form_data();
  void cpu_equals_reference_in_every_form();
  void maps_may_read_other_rows();
  void wide_heads_and_windows_outgrow_the_packed_blocks();
  void vanishing_denominators_are_clamped_and_counted();
  void large_exponents_are_clamped_and_counted();
  void uncounted_rows_have_no_norm();
  void contradictions_are_told();
  void every_instruction_set_agrees();
  void half_precision_only_rounds_data();
  void half_precision_only_rounds();
  void the_reference_leaves_half_precision();
  void few_heads_are_shared_by_many_threads();
};

void TstHybridAttentionKernel::two_rows_by_hand() {
  AttentionCase c = random_case({.length = 2, .dim = 2, .columns = 2, .learned = false}, 1);
  c.inputs["q"].values = {3, 1, 1, 2};
  c.inputs["k"].values = {1, 0, 0, 1};
  c.inputs["v"].values = {6, 12, 3, -3};
  set_activation(c.call, Activation::relu, false);
  c.call.window = 1;
  auto rows = [&] {
    Bound<double> bound(c);
    return hybrid_attention_ref(bound.call, bound.out).ok() ? bound.result("out")
                                                            : std::vector<double>();
  };
  // Row 1: the window holds key 1, the past outside it key 0.
  QCOMPARE(rows(), (std::vector<double>{6, 12, 4.5, 4.5}));
  // Linear weights of row 1 are 1 and 2: (v0 + 2·v1)/3 = (4, 2), halved with v1 = (3, −3).
  c.call.overlap = true;
  QCOMPARE(rows(), (std::vector<double>{6, 12, 3.5, -0.5}));
  c.call.component = Component::swa;
  c.call.window = 2;
  const double e = std::exp(1 / std::sqrt(2.0)), near = e / (1 + e);
  const auto swa = rows();
  QVERIFY(std::abs(swa[2] - (6 * (1 - near) + 3 * near)) < 1e-14);
  QVERIFY(std::abs(swa[3] - (12 * (1 - near) - 3 * near)) < 1e-14);
}

void TstHybridAttentionKernel::gradients_are_slopes_data() {
  QTest::addColumn<QString>("component");
  QTest::addColumn<QString>("activation");
  QTest::addColumn<QString>("mixing");
  QTest::addColumn<int>("form");
  for (const auto& [component, c] : k_components)
    QTest::addRow("%s", component.c_str()) << QString::fromStdString(component) << "softmax"
                                           << "fixed" << 0;
  int form = 0;
  for (const auto& [activation, a] : k_activations)
    for (const auto& [mixing, m] : k_mixings)
      QTest::addRow("%s, %s", activation.c_str(), mixing.c_str())
          << "hybrid" << QString::fromStdString(activation) << QString::fromStdString(mixing)
          << form++;
  for (const auto& [mixing, m] : k_mixings)
    for (form = 0; form < 13; ++form)
      QTest::addRow("%s, form %d", mixing.c_str(), form)
          << "hybrid"
          << "elu1" << QString::fromStdString(mixing) << form;
}

void TstHybridAttentionKernel::gradients_are_slopes() {
  QFETCH(QString, component);
  QFETCH(QString, activation);
  QFETCH(QString, mixing);
  QFETCH(int, form);
  CaseShape shape{.batch = 2, .heads = 2, .groups = 1, .length = 7, .dim = 3, .columns = 4, .bias = true};
  if (form == 12) shape.map_dim = 5, shape.map_groups = 1;
  AttentionCase c = random_case(shape, 6);
  c.call.component = k_components.at(component.toStdString());
  c.call.mixing = k_mixings.at(mixing.toStdString());
  c.call.window = 3;
  c.call.sinks = 2;
  vary(c.call, form);
  set_activation(c.call, k_activations.at(activation.toStdString()), activation != "relu");
  Bound<double> bound(c);
  QVERIFY(hybrid_attention_backward_ref(bound.call, bound.gradients).ok());
  for (const std::string& name : bound.gradient_names()) {
    std::vector<double> slopes;
    for (double& value : c.inputs.at(name.substr(1)).values) {
      constexpr double k_step = 3e-5;
      const double kept = value;
      auto difference = [&](double step) {
        value = kept + step;
        const double above = projected(c);
        value = kept - step;
        return above - projected(c);
      };
      slopes.push_back((8 * difference(k_step) - difference(2 * k_step)) / (12 * k_step));
      value = kept;
    }
    const double error = rms_ratio(bound.result(name), slopes);
    QVERIFY2(error < 1e-7, qPrintable(QString("%1: %2").arg(name.c_str()).arg(error)));
  }
}

void TstHybridAttentionKernel::reference_vectors_hold_data() {
  QTest::addColumn<QString>("file");
  const std::filesystem::path folder =
      std::filesystem::path(EQUIPOISE_SHARED_DIR) / "reference/attention";
  if (!std::filesystem::exists(folder)) QSKIP("no shared/reference beside the source");
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors")
      QTest::addRow("%s", entry.path().stem().c_str())
          << QString::fromStdString(entry.path().string());
}

void TstHybridAttentionKernel::reference_vectors_hold() {
  QFETCH(QString, file);
  std::map<std::string, std::vector<double>> expected;
  const AttentionCase c = read_case(file.toStdString(), expected);
  Bound<double> exact(c);
  QVERIFY(hybrid_attention_ref(exact.call, exact.out).ok());
  QVERIFY(rms_ratio(exact.result("out"), expected.at("out")) < 1e-10);
  QVERIFY(hybrid_attention_backward_ref(exact.call, exact.gradients).ok());
  for (const std::string& name : exact.gradient_names()) {
    if (!expected.contains(name)) continue;  // tied maps have one gradient for both
    const double error = rms_ratio(exact.result(name), expected.at(name));
    QVERIFY2(error < 1e-10, qPrintable(QString("%1: %2").arg(name.c_str()).arg(error)));
  }
  if (c.call.component == Component::softmax) return;
  Bound<float> fast(c);
  QVERIFY(hybrid_attention_cpu(fast.call, fast.out).ok());
  QVERIFY(rms_ratio(fast.result("out"), expected.at("out")) < 1e-5);
  QCOMPARE(gradient_disagreement(c), QString());
}

void TstHybridAttentionKernel::cpu_equals_reference_at_any_length_data() {
  QTest::addColumn<int>("length");
  QTest::addColumn<int>("window");
  QTest::addColumn<bool>("overlap");
  for (int length : {1, 2, 31, 63, 64, 65, 128, 129, 500, 1000})
    for (int window : {1, 5, 16, 63, 64, 65, 100, 128, 300, 2000})
      for (bool overlap : {false, true})
        QTest::addRow("T %d w %d%s", length, window, overlap ? " overlap" : "")
            << length << window << overlap;
  QTest::addRow("T 4097 w 64") << 4097 << 64 << false;
}

void TstHybridAttentionKernel::cpu_equals_reference_at_any_length() {
  QFETCH(int, length);
  QFETCH(int, window);
  QFETCH(bool, overlap);
  AttentionCase c = random_case({.length = length, .dim = 16, .columns = 16}, 7);
  c.call.window = window;
  c.call.overlap = overlap;
  QCOMPARE(disagreement(c), QString());
  if (length < 200 || (length < 2000 && window == 64))
    QCOMPARE(gradient_disagreement(c), QString());
}

void TstHybridAttentionKernel::every_component_at_awkward_lengths_data() {
  QTest::addColumn<QString>("component");
  QTest::addColumn<int>("length");
  for (const auto& [component, c] : k_components)
    for (int length : {1, 63, 64, 65, 1000})
      if (c != Component::softmax)
        QTest::addRow("%s, T %d", component.c_str(), length)
            << QString::fromStdString(component) << length;
}

void TstHybridAttentionKernel::every_component_at_awkward_lengths() {
  QFETCH(QString, component);
  QFETCH(int, length);
  for (const auto& [mixing, m] : k_mixings) {
    AttentionCase c = random_case({.batch = length < 100 ? 2 : 1,
                                   .heads = 2,
                                   .groups = 1,
                                   .length = length,
                                   .dim = 9,
                                   .columns = 5,
                                   .bias = true},
                                  static_cast<std::uint64_t>(length));
    c.call.component = k_components.at(component.toStdString());
    c.call.mixing = m;
    c.call.window = 64;
    c.call.threads = 2;
    QCOMPARE(disagreement(c, true), QString());
    QCOMPARE(gradient_disagreement(c, true), QString());
    if (length == 1000 || component != "hybrid") break;  // one mixing says it
  }
}

void TstHybridAttentionKernel::gradients_of_a_long_sequence() {
  AttentionCase c = random_case({.length = 4097, .dim = 8, .columns = 4}, 7);
  c.call.window = 64;
  QCOMPARE(gradient_disagreement(c), QString());
}

void TstHybridAttentionKernel::cpu_equals_reference_in_every_form_data() {
  QTest::addColumn<QString>("component");
  QTest::addColumn<QString>("activation");
  QTest::addColumn<QString>("mixing");
  QTest::addColumn<int>("form");
  int form = 0;
  for (const auto& [component, c] : k_components) {
    if (c == Component::softmax) continue;
    const bool hybrid = c == Component::hybrid || c == Component::hybrid_overlap;
    for (const auto& [activation, a] : k_activations)
      for (const auto& [mixing, m] : k_mixings)
        if (hybrid || m == Mixing::fixed)
          QTest::addRow("%s, %s, %s", component.c_str(), activation.c_str(), mixing.c_str())
              << QString::fromStdString(component) << QString::fromStdString(activation)
              << QString::fromStdString(mixing) << form++;
  }
}

void TstHybridAttentionKernel::cpu_equals_reference_in_every_form() {
  QFETCH(QString, component);
  QFETCH(QString, activation);
  QFETCH(QString, mixing);
  QFETCH(int, form);
  // D and F that fill no vector, one that fills some, groups, batches, biases and maps without
  // weights in turn.
  const std::vector<CaseShape> shapes = {
      {.batch = 3, .heads = 3, .groups = 1, .length = 150, .dim = 10, .columns = 7, .bias = true},
      {.batch = 1, .heads = 4, .groups = 2, .length = 200, .dim = 64, .columns = 32},
      {.batch = 2,
       .heads = 1,
       .groups = 1,
       .length = 130,
       .dim = 24,
       .columns = 24,
       .learned = false},
      {.batch = 1, .heads = 2, .groups = 2, .length = 97, .dim = 80, .columns = 100}};
  const Activation a = k_activations.at(activation.toStdString());
  for (const std::size_t i : {form % shapes.size(), (form + 1) % shapes.size()}) {
    AttentionCase c = random_case(shapes[i], 11 + form);
    c.call.component = k_components.at(component.toStdString());
    c.call.mixing = k_mixings.at(mixing.toStdString());
    c.call.weight = 0.3;
    vary(c.call, form + static_cast<int>(i));
    c.call.window = i % 2 ? 64 : 20;
    c.call.threads = 1 + static_cast<int>(i) % 3;
    // Features of one sign: with both, denominators vanish and any rounding is magnified.
    set_activation(c.call, a, (form + static_cast<int>(i)) % 2 || a == Activation::relu);
    if (a == Activation::none)
      for (const char* name : {"q", "k", "Wq", "Wk"})
        if (c.inputs.contains(name))
          for (double& value : c.inputs[name].values) value = std::abs(value);
    QCOMPARE(disagreement(c, i % 2 == 0), QString());
    QCOMPARE(gradient_disagreement(c, i % 2 == 0), QString());
  }
}

void TstHybridAttentionKernel::maps_may_read_other_rows() {
  const CaseShape mapped{.batch = 2, .heads = 4, .groups = 1, .length = 150, .dim = 10, .columns = 7, .bias = true,
                         .map_dim = 13, .map_groups = 2};
  const CaseShape ready{.batch = 1, .heads = 4, .groups = 2, .length = 200, .dim = 16, .learned = false, .map_dim = 40,
                        .map_groups = 4};
  for (const Component component : {Component::hybrid, Component::hybrid_overlap, Component::linear_outside}) {
    for (const bool features : {false, true}) {
      AttentionCase c = random_case(features ? ready : mapped, 12);
      c.call.component = component;
      c.call.window = 40;
      c.call.threads = 2;
      c.call.least_denominator = 1e-20;
      if (features) {
        set_activation(c.call, Activation::none, false);
        for (const char* name : {"lq", "lk"})
          for (double& value : c.inputs[name].values) value = std::abs(value);
      }
      QCOMPARE(disagreement(c, features), QString());
      QCOMPARE(gradient_disagreement(c, features), QString());
      QCOMPARE(half_disagreement(c, features), QString());
      c.call.window = 500;  // no row has a linear key
      QCOMPARE(gradient_disagreement(c), QString());
    }
  }
  AttentionCase alone = random_case(mapped, 12);
  Bound<float> bound(alone);
  bound.call.linear_k = {};
  QCOMPARE(hybrid_attention_cpu(bound.call, bound.out).text.c_str(), "hybrid_attention: linear_q and linear_k come together");
}

void TstHybridAttentionKernel::wide_heads_and_windows_outgrow_the_packed_blocks() {
  AttentionCase c = random_case({.length = 1100, .dim = 256, .columns = 32}, 2);
  c.call.window = 600;
  QCOMPARE(disagreement(c), QString());
  QCOMPARE(gradient_disagreement(c), QString());
}

void TstHybridAttentionKernel::vanishing_denominators_are_clamped_and_counted() {
  AttentionCase c = random_case({.length = 80, .dim = 8, .columns = 8, .learned = false}, 3);
  set_activation(c.call, Activation::relu, false);
  for (double& value : c.inputs["k"].values) value = -std::abs(value);
  c.call.window = 10;
  c.call.component = Component::linear_outside;
  Bound<float> bound(c);
  QVERIFY(hybrid_attention_cpu(bound.call, bound.out).ok());
  QCOMPARE(bound.out.clamped_denominators, 70);
  QCOMPARE(disagreement(c), QString());
}

void TstHybridAttentionKernel::large_exponents_are_clamped_and_counted() {
  AttentionCase c = random_case({.length = 80, .dim = 8, .columns = 8, .learned = false}, 3);
  set_activation(c.call, Activation::exp, true);
  c.inputs["q"].values[75 * 8 + 2] = 50;
  c.inputs["q"].values[5 * 8 + 2] = 50;  // this row has no linear key
  c.inputs["k"].values[3 * 8 + 1] = -60;
  c.call.window = 10;
  Bound<float> bound(c);
  QVERIFY(hybrid_attention_cpu(bound.call, bound.out).ok());
  QCOMPARE(bound.out.clamped_exps, 2);
  QCOMPARE(disagreement(c), QString());
}

void TstHybridAttentionKernel::uncounted_rows_have_no_norm() {
  const AttentionCase c = random_case({.batch = 2, .heads = 2, .groups = 1, .length = 100}, 9);
  std::vector<std::uint8_t> counted(200, 1);
  std::fill(counted.begin() + 150, counted.end(), std::uint8_t{0});
  Bound<double> exact(c);
  Bound<float> fast(c), all(c);
  exact.call.counted = fast.call.counted =
      dense(static_cast<const void*>(counted.data()), DType::u8, {2, 100});
  QVERIFY(hybrid_attention_ref(exact.call, exact.out).ok());
  QVERIFY(hybrid_attention_cpu(fast.call, fast.out).ok());
  QVERIFY(hybrid_attention_cpu(all.call, all.out).ok());
  QVERIFY(rms_ratio(fast.window_norms, exact.window_norms) < 1e-5);
  QVERIFY(rms_ratio(fast.linear_norms, exact.linear_norms) < 1e-5);
  QVERIFY(all.window_norms[0] > 1.01 * fast.window_norms[0]);
}

void TstHybridAttentionKernel::contradictions_are_told() {
  const AttentionCase c = random_case({.heads = 2, .groups = 1, .length = 9}, 1);
  Bound<float> bound(c);
  bound.call.k.sizes[2] = 8;
  const Status status = hybrid_attention_cpu(bound.call, bound.out);
  QCOMPARE(static_cast<int>(status.code), static_cast<int>(StatusCode::invalid));
  QCOMPARE(status.text.c_str(), "hybrid_attention: k is [1,1,8,8]; expected [1,1,9,8]");
  Bound<float> teacher(c);
  teacher.call.component = Component::softmax;
  QCOMPARE(static_cast<int>(hybrid_attention_cpu(teacher.call, teacher.out).code),
           static_cast<int>(StatusCode::unsupported));
}

void TstHybridAttentionKernel::every_instruction_set_agrees() {
  const AttentionCase c = random_case(
      {.batch = 1, .heads = 2, .groups = 1, .length = 200, .dim = 20, .columns = 12, .bias = true},
      4);
  const std::int64_t supported = hwy::SupportedTargets();
  int forms = 0;
  for (std::int64_t target : {HWY_AVX3, HWY_AVX2, HWY_SSE4, HWY_NEON, HWY_SCALAR}) {
    if (!(supported & target)) continue;
    hwy::SetSupportedTargetsForTest(target);
    const QString text = disagreement(c) + gradient_disagreement(c);
    hwy::SetSupportedTargetsForTest(0);
    QCOMPARE(text, QString());
    ++forms;
  }
  QVERIFY(forms > 0);
}

void TstHybridAttentionKernel::half_precision_only_rounds_data() {
  QTest::addColumn<QString>("component");
  QTest::addColumn<QString>("activation");
  QTest::addColumn<QString>("mixing");
  for (const auto& [component, c] : k_components)
    if (c != Component::softmax && c != Component::none)
      QTest::addRow("%s", component.c_str()) << QString::fromStdString(component) << "softmax"
                                             << "fixed";
  for (const char* activation : {"softmax", "exp", "relu", "elu1"})
    for (const auto& [mixing, m] : k_mixings)
      QTest::addRow("%s, %s", activation, mixing.c_str())
          << "hybrid" << activation << QString::fromStdString(mixing);
}

void TstHybridAttentionKernel::half_precision_only_rounds() {
  QFETCH(QString, component);
  QFETCH(QString, activation);
  QFETCH(QString, mixing);
  for (const int length : {1, 63, 64, 65, 300}) {
    AttentionCase c = random_case({.batch = 2,
                                   .heads = 4,
                                   .groups = 2,
                                   .length = length,
                                   .dim = 20,
                                   .columns = 12,
                                   .bias = true},
                                  static_cast<std::uint64_t>(length));
    c.call.component = k_components.at(component.toStdString());
    c.call.mixing = k_mixings.at(mixing.toStdString());
    c.call.window = 40;
    c.call.threads = 2;
    set_activation(c.call, k_activations.at(activation.toStdString()), activation != "relu");
    QCOMPARE(half_disagreement(c, length % 2), QString());
  }
}

void TstHybridAttentionKernel::the_reference_leaves_half_precision() {
  const AttentionCase c = random_case({.length = 9}, 1);
  Bound<Half> half(c);
  QCOMPARE(static_cast<int>(hybrid_attention_ref(half.call, half.out).code),
           static_cast<int>(StatusCode::unsupported));
  half.call.query_map.weight.dtype = DType::bf16;
  QCOMPARE(static_cast<int>(hybrid_attention_cpu(half.call, half.out).code),
           static_cast<int>(StatusCode::invalid));
}

void TstHybridAttentionKernel::few_heads_are_shared_by_many_threads() {
  AttentionCase c =
      random_case({.heads = 3, .groups = 1, .length = 2100, .dim = 16, .columns = 16}, 8);
  set_activation(c.call, Activation::exp, true);
  c.call.threads = 7;
  for (const bool overlap : {false, true}) {
    c.call.overlap = overlap;
    c.call.window = overlap ? 64 : 700;  // the first piece of time has no linear key
    QCOMPARE(disagreement(c), QString());
  }
}

QTEST_APPLESS_MAIN(TstHybridAttentionKernel)
#include "tst_hybrid_attention_kernel.moc"
