#include <QtTest>

#include <hwy/targets.h>

#include <cmath>
#include <limits>
#include <random>

#include "kernels/fading_attention.h"

using namespace kernels;

namespace {

/// Shapes and how much fades a token: g is drawn from [2·fade, 0].
struct Shape {
  std::int64_t batch, heads, length, features, width;
  double fade;
  bool one = false;  ///< one decay for all features
};

template <class T>
constexpr DType k_dtype = std::is_same_v<T, float> ? DType::f32 : DType::f64;

/// A random case with poisoned outputs; the same numbers in float and double.
template <class T>
struct Bound {
  Shape s;
  std::vector<T> q, k, v, g, dy, y, dq, dk, dv, dg;
  FadingAttention call;
  OutView out;
  FadingAttentionGradients gradients;

  explicit Bound(const Shape& shape, int threads = 1) : s(shape) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<float> uniform(0, 1);
    const std::int64_t rows = s.batch * s.heads * s.length;
    auto fill = [&](std::vector<T>& x, std::int64_t n, auto draw) {
      for (std::int64_t i = 0; i < n; ++i) x.push_back(draw());
    };
    for (auto* x : {&q, &k}) fill(*x, rows * s.features, [&] { return std::abs(normal(random)); });
    for (auto* x : {&v, &dy}) fill(*x, rows * s.width, [&] { return normal(random); });
    fill(g, rows * (s.one ? 1 : s.features), [&] { return static_cast<float>(2 * s.fade) * uniform(random); });
    for (auto* x : {&y, &dv}) x->assign(v.size(), std::numeric_limits<T>::quiet_NaN());
    for (auto* x : {&dq, &dk, &dg}) x->assign(q.size(), std::numeric_limits<T>::quiet_NaN());
    call = {in(q, s.features), in(k, s.features), in(v, s.width), in(g, s.one ? 1 : s.features), threads};
    out = to(y, s.width);
    gradients = {in(dy, s.width), to(dq, s.features), to(dk, s.features), to(dv, s.width), to(dg, s.features)};
  }
  View in(const std::vector<T>& x, std::int64_t width) const {
    return dense(static_cast<const void*>(x.data()), k_dtype<T>, {s.batch, s.heads, s.length, width});
  }
  OutView to(std::vector<T>& x, std::int64_t width) const {
    return dense(static_cast<void*>(x.data()), k_dtype<T>, {s.batch, s.heads, s.length, width});
  }
};

template <class A, class B>
double error(const std::vector<A>& found, const std::vector<B>& expected) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    size += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::isfinite(difference) ? std::sqrt(difference / (size > 0 ? size : 1)) : INFINITY;
}

/// The worst relative error of y and all gradients against the reference in double.
QString disagreement(const Shape& shape, int threads) {
  Bound<double> expected(shape);
  Bound<float> found(shape, threads);
  for (const Status& s : {fading_attention_ref(expected.call, expected.out), fading_attention_backward_ref(expected.call, expected.gradients),
                          fading_attention_cpu(found.call, found.out), fading_attention_backward_cpu(found.call, found.gradients)})
    if (!s.ok()) return s.text.c_str();
  const std::pair<const char*, double> errors[] = {{"y", error(found.y, expected.y)}, {"dq", error(found.dq, expected.dq)},
                                                   {"dk", error(found.dk, expected.dk)}, {"dv", error(found.dv, expected.dv)},
                                                   {"dg", error(found.dg, expected.dg)}};
  // dg is a long sum whose terms cancel, of numbers that are float already.
  for (const auto& [name, e] : errors)
    if (e > (*name == 'd' && name[1] == 'g' ? 2e-5 : 3e-6)) return QString("%1: %2").arg(name).arg(e);
  return {};
}

}  // namespace

class tst_fading_attention : public QObject {
  Q_OBJECT
 private slots:
  void agrees_with_the_definition_data() {
    QTest::addColumn<int>("length");
    QTest::addColumn<double>("fade");
    QTest::addColumn<bool>("one");
    for (const int length : {1, 15, 63, 64, 65, 200})
      for (const double fade : {0.0, -0.01, -0.3, -1.5, -20.0})
        for (const bool one : {false, true})
          QTest::addRow("%d tokens, %g%s", length, fade, one ? ", one decay" : "") << length << fade << one;
  }
  void agrees_with_the_definition() {
    QFETCH(int, length);
    QFETCH(double, fade);
    QFETCH(bool, one);
    const QString found = disagreement({2, 3, length, 24, 17, fade, one}, 2);
    QVERIFY2(found.isEmpty(), qPrintable(found));
  }
  void agrees_on_every_instruction_set() {
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
      hwy::SetSupportedTargetsForTest(target);
      const QString found = disagreement({1, 2, 130, 40, 33, -0.6}, 1);
      hwy::SetSupportedTargetsForTest(0);
      QVERIFY2(found.isEmpty(), qPrintable(QString("%1: %2").arg(hwy::TargetName(target)).arg(found)));
    }
  }
  void the_references_gradients_are_differences() {
    const Shape shape{1, 1, 9, 3, 2, -0.7};
    Bound<double> at(shape);
    QVERIFY(fading_attention_backward_ref(at.call, at.gradients).ok());
    auto projected = [](Bound<double>& b) {
      fading_attention_ref(b.call, b.out);
      double sum = 0;
      for (std::size_t i = 0; i < b.y.size(); ++i) sum += b.y[i] * b.dy[i];
      return sum;
    };
    auto compare = [&](std::vector<double> Bound<double>::* input, const std::vector<double>& gradient) {
      for (std::size_t i = 0; i < gradient.size(); ++i) {
        double values[2];
        for (const int side : {0, 1}) {
          Bound<double> moved(shape);
          (moved.*input)[i] += side ? 1e-5 : -1e-5;
          values[side] = projected(moved);
        }
        QVERIFY(std::abs((values[1] - values[0]) / 2e-5 - gradient[i]) < 1e-6);
      }
    };
    compare(&Bound<double>::q, at.dq);
    compare(&Bound<double>::k, at.dk);
    compare(&Bound<double>::v, at.dv);
    compare(&Bound<double>::g, at.dg);
  }
  void wrong_calls_are_named() {
    Bound<float> b({1, 2, 5, 4, 3, -1});
    b.call.k.sizes[3] = 5;
    QVERIFY(fading_attention_cpu(b.call, b.out).text.find("k is [1,2,5,5]; expected [1,2,5,4]") != std::string::npos);
    Bound<float> alone({1, 2, 5, 4, 3, -1});
    alone.gradients.dq = {};
    QCOMPARE(fading_attention_backward_cpu(alone.call, alone.gradients).code, StatusCode::invalid);
    Bound<float> wide({1, 1, 2, 300, 3, -1});
    QCOMPARE(fading_attention_cpu(wide.call, wide.out).code, StatusCode::unsupported);
  }
};

QTEST_APPLESS_MAIN(tst_fading_attention)
#include "tst_fading_attention.moc"
