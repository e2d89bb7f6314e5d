/// The templates that the CUDA form is made of, run by a loop in place of a GPU: indexing, launch
/// geometry, memory and results against the reference.

#include <QtTest>
#include <memory>

#include "kernels/hybrid_attention_launch.h"
#include "tests/support/attention_case.h"

using namespace kernels;

namespace {

using Index = std::int64_t;

/// Runs a kernel's items one after the other, with exactly the shared and scratch memory that was
/// asked for, poisoned and fenced.
class LoopLauncher {
 public:
  LoopLauncher(Index shared, int processors, bool backwards)
      : shared_(shared), processors_(processors), team_{.backwards = backwards} {}

  Index shared_floats() const { return shared_; }
  int processors() const { return processors_; }
  float* floats(Index n) { return reserve(floats_, n); }
  double* doubles(Index n) { return reserve(doubles_, n); }

  template <class Kernel>
  Status launch(const Kernel& kernel, Index items, const device::Places& places) {
    ++launches;
    if (places.shared_floats > shared_) return {StatusCode::invalid, "too much shared memory"};
    for (Index i = 0; i < items; ++i) {
      const Index item = team_.backwards ? items - 1 - i : i;
      std::vector<float> shared(places.shared_floats + k_fence, k_poison);
      std::vector<float> scratch(places.scratch_floats + k_fence, k_poison);
      kernel(team_, item, shared.data(), scratch.data());
      for (int x = 1; x <= k_fence; ++x)
        if (*(shared.end() - x) == *(shared.end() - x) ||
            *(scratch.end() - x) == *(scratch.end() - x))
          return {StatusCode::invalid, "a kernel wrote behind its memory"};
    }
    return {};
  }
  Status read(double* to, const double* from, Index n) {
    std::copy_n(from, n, to);
    return {};
  }
  bool memory_is_fenced() const {
    return std::all_of(floats_.begin(), floats_.end(),
                       [](const auto& m) { return std::isnan(m.back()); }) &&
           std::all_of(doubles_.begin(), doubles_.end(),
                       [](const auto& m) { return std::isnan(m.back()); });
  }
  int launches = 0;

 private:
  static constexpr int k_fence = 64;
  static constexpr float k_poison = std::numeric_limits<float>::quiet_NaN();

  template <class T>
  static T* reserve(std::vector<std::vector<T>>& memory, Index n) {
    memory.emplace_back(n + 1, std::numeric_limits<T>::quiet_NaN());
    return memory.back().data();
  }
  Index shared_;
  int processors_;
  device::SerialTeam team_;
  std::vector<std::vector<float>> floats_;
  std::vector<std::vector<double>> doubles_;
};

struct Machine {
  Index shared = 57344;  ///< floats: 224 KiB, an H100's
  int processors = 1;
  bool backwards = false;
};

template <class T>
QString run(Bound<T>& bound, const Machine& m) {
  LoopLauncher device(m.shared, m.processors, m.backwards);
  if (const Status s = device::launch_forward(bound.call, bound.out, device); !s.ok())
    return s.text.c_str();
  if (const Status s = device::launch_backward(bound.call, bound.gradients, device); !s.ok())
    return s.text.c_str();
  return device.memory_is_fenced() ? "" : "a kernel wrote behind a workspace";
}

/// Everything of the device's form against the reference; empty where they agree. For Half, no
/// result may be further away than twice what rounding the exact one does.
template <class T>
QString disagreement(const AttentionCase& any, const Machine& m, bool time_major = false) {
  constexpr bool half = std::is_same_v<T, Half>;
  const AttentionCase c = half ? rounded_to_half(any) : any;
  Bound<double> exact(c);
  Bound<T> found(c, time_major);
  for (const Status& s : {hybrid_attention_ref(exact.call, exact.out),
                          hybrid_attention_backward_ref(exact.call, exact.gradients)})
    if (!s.ok()) return s.text.c_str();
  QString text = run(found, m);
  if (!text.isEmpty()) return text;
  const bool identity = c.call.query_map.activation == Activation::none;
  auto compare = [&](const std::string& name, const std::vector<double>& a,
                     const std::vector<double>& b, bool rows) {
    const std::vector<double> zeros(b.size());
    if (rms_ratio(b, zeros) < 1e-12 && rms_ratio(a, zeros) < 1e-5) return;
    const double allowed = half && rows ? 2 * rms_ratio(to_half(b), b) : identity ? 5e-5 : 1e-5;
    const double error = rms_ratio(a, b);
    if (!(error <= allowed)) text += QString("%1: %2 ").arg(name.c_str()).arg(error);
  };
  compare("out", found.result("out"), exact.result("out"), true);
  for (const std::string& name : exact.gradient_names())
    compare(name, found.result(name), exact.result(name),
            c.inputs.at(name.substr(1)).shape.size() == 4);
  compare("window norms", found.window_norms, exact.window_norms, false);
  compare("linear norms", found.linear_norms, exact.linear_norms, false);
  if (found.out.clamped_denominators != exact.out.clamped_denominators)
    text += "clamped denominators ";
  if (found.out.clamped_exps != exact.out.clamped_exps) text += "clamped exps ";
  return text;
}

const std::vector<std::pair<const char*, Component>> k_components = {
    {"hybrid", Component::hybrid},
    {"hybrid-overlap", Component::hybrid_overlap},
    {"swa", Component::swa},
    {"linear", Component::linear},
    {"linear-outside", Component::linear_outside},
    {"swa+sinks", Component::swa_sinks},
    {"sinks", Component::sinks},
    {"none", Component::none}};

}  // namespace

class TstHybridAttentionDevice : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void device_equals_reference_at_any_length_data();
  void device_equals_reference_at_any_length();
  void device_equals_reference_in_every_form_data();
  void device_equals_reference_in_every_form();
  void pieces_of_time_agree_with_one();
  void half_precision_only_rounds();
  void little_shared_memory_gives_the_same_bits();
  void items_of_a_step_do_not_depend_on_each_other();
  void places_do_not_overlap_and_fit();
  void clamps_are_counted();
};

void TstHybridAttentionDevice::device_equals_reference_at_any_length_data() {
  QTest::addColumn<int>("length");
  QTest::addColumn<int>("window");
  for (int length : {1, 63, 64, 65, 300})
    for (int window : {1, 5, 64, 65, 400})
      QTest::addRow("T %d w %d", length, window) << length << window;
}

void TstHybridAttentionDevice::device_equals_reference_at_any_length() {
  QFETCH(int, length);
  QFETCH(int, window);
  AttentionCase c = random_case({.length = length, .dim = 12, .columns = 9}, 7);
  c.call.window = window;
  for (const bool overlap : {false, true}) {
    c.call.overlap = overlap;
    QCOMPARE(disagreement<float>(c, {}), QString());
  }
}

void TstHybridAttentionDevice::device_equals_reference_in_every_form_data() {
  QTest::addColumn<int>("component");
  QTest::addColumn<int>("activation");
  QTest::addColumn<int>("mixing");
  QTest::addColumn<int>("form");
  int form = 0;
  for (const auto& [name, component] : k_components) {
    const bool hybrid = component == Component::hybrid || component == Component::hybrid_overlap;
    for (int a = 0; a < 5; ++a)
      for (int m = 0; m < (hybrid ? 4 : 1); ++m)
        QTest::addRow("%s, activation %d, mixing %d", name, a, m)
            << static_cast<int>(component) << a << m << form++;
  }
}

void TstHybridAttentionDevice::device_equals_reference_in_every_form() {
  QFETCH(int, component);
  QFETCH(int, activation);
  QFETCH(int, mixing);
  QFETCH(int, form);
  const std::vector<CaseShape> shapes = {
      {.batch = 2, .heads = 3, .groups = 1, .length = 150, .dim = 10, .columns = 7, .bias = true},
      {.batch = 1, .heads = 4, .groups = 2, .length = 200, .dim = 32, .columns = 16},
      {.batch = 2,
       .heads = 1,
       .groups = 1,
       .length = 130,
       .dim = 20,
       .columns = 20,
       .learned = false}};
  const auto a = static_cast<Activation>(activation);
  AttentionCase c = random_case(shapes[form % shapes.size()], 11 + form);
  c.call.component = static_cast<Component>(component);
  c.call.mixing = static_cast<Mixing>(mixing);
  c.call.weight = 0.3;
  vary(c.call, form);
  c.call.window = form % 2 ? 64 : 20;
  c.call.query_map.activation = c.call.key_map.activation = a;
  c.call.query_map.negation = c.call.key_map.negation = form % 2 || a == Activation::relu;
  if (a == Activation::none)  // features of one sign: with both, denominators vanish and rounding
                              // is magnified
    for (const char* name : {"q", "k", "Wq", "Wk"})
      if (c.inputs.contains(name))
        for (double& value : c.inputs[name].values) value = std::abs(value);
  QCOMPARE(disagreement<float>(c, {.processors = form % 3 == 0 ? 4 : 1}, form % 2), QString());
}

void TstHybridAttentionDevice::pieces_of_time_agree_with_one() {
  for (const Mixing mixing : {Mixing::fixed, Mixing::shared_denominator}) {
    AttentionCase c = random_case(
        {.batch = 1, .heads = 2, .groups = 1, .length = 1000, .dim = 16, .columns = 16}, 8);
    c.call.mixing = mixing;
    c.call.query_map.activation = c.call.key_map.activation = Activation::elu1;
    c.call.window = mixing == Mixing::fixed ? 64 : 300;  // 300: the first piece has no linear key
    QCOMPARE(disagreement<float>(c, {.processors = 3}), QString());
  }
}

void TstHybridAttentionDevice::half_precision_only_rounds() {
  for (const int length : {1, 64, 65, 300}) {
    AttentionCase c = random_case({.batch = 2,
                                   .heads = 4,
                                   .groups = 2,
                                   .length = length,
                                   .dim = 20,
                                   .columns = 12,
                                   .bias = true},
                                  5);
    c.call.window = 40;
    QCOMPARE(disagreement<Half>(c, {}, length % 2), QString());
  }
}

void TstHybridAttentionDevice::little_shared_memory_gives_the_same_bits() {
  const AttentionCase c =
      random_case({.heads = 2, .groups = 2, .length = 200, .dim = 40, .columns = 24}, 4);
  Bound<float> much(c), little(c), none(c);
  QCOMPARE(run(much, {}), QString());
  QCOMPARE(run(little, {.shared = 12000}), QString());
  QCOMPARE(run(none, {.shared = 0}), QString());
  for (const char* name : {"out", "dq", "dk", "dv", "dWq", "dWk"}) {
    QCOMPARE(little.result(name), much.result(name));
    QCOMPARE(none.result(name), much.result(name));
  }
}

void TstHybridAttentionDevice::items_of_a_step_do_not_depend_on_each_other() {
  AttentionCase c = random_case(
      {.batch = 2, .heads = 2, .groups = 1, .length = 500, .dim = 16, .columns = 8, .bias = true},
      4);
  c.call.mixing = Mixing::shared_denominator;
  Bound<float> forwards(c), backwards(c);
  QCOMPARE(run(forwards, {.processors = 2}), QString());
  QCOMPARE(run(backwards, {.processors = 2, .backwards = true}), QString());
  for (const char* name : {"out", "dq", "dk", "dv", "dWq", "dWk", "dbq", "dbk", "dg"})
    QCOMPARE(backwards.result(name), forwards.result(name));
}

void TstHybridAttentionDevice::places_do_not_overlap_and_fit() {
  for (const std::int64_t dim : {1, 64, 128, 256})
    for (const std::int64_t columns : {1, 64, 256})
      for (const Index shared : {0, 12000, 40960, 57344})
        for (const bool backward : {false, true}) {
          Plan p{};
          p.dim = dim, p.columns = columns, p.features = 2 * columns, p.linear = true;
          const device::Sizes s = device::sizes_of(p);
          QVERIFY(s.dim >= dim && s.ld_dim % 4 == 0 && s.features % 16 == 0);
          const device::Places places = device::place(s, backward, shared);
          QVERIFY(places.shared_floats <= shared);
          for (int i = 0; i < device::tile_count; ++i) {
            QCOMPARE(places.offset[i] % 32, 0);
            for (int j = i + 1; j < device::tile_count; ++j)
              if (places.shared[i] == places.shared[j])
                QVERIFY(places.offset[j] >= places.offset[i]);
          }
        }
}

void TstHybridAttentionDevice::clamps_are_counted() {
  AttentionCase c = random_case({.length = 80, .dim = 8, .columns = 8, .learned = false}, 3);
  c.call.query_map.activation = c.call.key_map.activation = Activation::exp;
  c.inputs["q"].values[75 * 8 + 2] = 50;
  c.inputs["q"].values[5 * 8 + 2] = 50;  // this row has no linear key
  c.inputs["k"].values[3 * 8 + 1] = -60;
  c.call.window = 10;
  Bound<float> bound(c);
  QCOMPARE(run(bound, {}), QString());
  QCOMPARE(bound.out.clamped_exps, 2);
  c.call.query_map.activation = c.call.key_map.activation = Activation::relu;
  c.call.query_map.negation = c.call.key_map.negation = false;
  for (double& value : c.inputs["k"].values) value = -std::abs(value);
  c.call.component = Component::linear_outside;
  Bound<float> clamped(c);
  QCOMPARE(run(clamped, {}), QString());
  QCOMPARE(clamped.out.clamped_denominators, 70);
}

QTEST_APPLESS_MAIN(TstHybridAttentionDevice)
#include "tst_hybrid_attention_device.moc"
