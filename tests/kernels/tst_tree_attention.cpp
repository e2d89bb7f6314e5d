#include <QtTest>

#include <cmath>
#include <limits>
#include <random>

#include "kernels/tree_attention.h"

using namespace kernels;

namespace {

struct Case {
  std::int64_t batch = 2, heads = 4, groups = 2, length = 0, dim = 0, window = 0;
  std::vector<float> q, k, v, y;
  std::vector<std::int32_t> end, position, parent;

  /// Random values, and a random tree where a new branch begins at every fourth token or so.
  Case(std::int64_t length_, std::int64_t dim_, std::int64_t window_) : length(length_), dim(dim_), window(window_) {
    std::mt19937 random(static_cast<unsigned>(17 * length + dim));
    std::normal_distribution<float> normal;
    auto fill = [&](std::vector<float>& x, std::int64_t n) {
      x.resize(static_cast<std::size_t>(n));
      for (auto& e : x) e = normal(random);
    };
    fill(q, batch * heads * length * dim), fill(k, batch * groups * length * dim), fill(v, batch * groups * length * dim);
    y.assign(q.size(), std::numeric_limits<float>::quiet_NaN());
    for (std::int64_t b = 0; b < batch; ++b) {
      std::vector<std::int32_t> path;
      for (std::int64_t t = 0; t < length; ++t) {
        if (t > 0 && random() % 4 == 0) path.resize(1 + random() % path.size());
        parent.push_back(path.empty() ? -1 : path.back());
        position.push_back(static_cast<std::int32_t>(path.size()));
        end.push_back(static_cast<std::int32_t>(t + 1));
        path.push_back(static_cast<std::int32_t>(t));
      }
      for (std::int64_t t = length - 1; t > 0; --t) {
        const auto i = static_cast<std::size_t>(b * length);
        const auto p = i + static_cast<std::size_t>(parent[i + static_cast<std::size_t>(t)]);
        end[p] = std::max(end[p], end[i + static_cast<std::size_t>(t)]);
      }
    }
  }

  TreeAttention call(int threads) {
    TreeAttention c;
    c.batch = batch, c.heads = heads, c.groups = groups, c.length = length, c.dim = dim, c.window = window, c.threads = threads;
    c.q = q.data(), c.k = k.data(), c.v = v.data(), c.y = y.data();
    c.q_strides = c.y_strides = {heads * length * dim, length * dim, dim};
    c.k_strides = c.v_strides = {groups * length * dim, length * dim, dim};
    c.end = end.data(), c.position = position.data();
    return c;
  }

  /// The definition, in double, by walking from each token to the root.
  double error() const {
    double worst = 0;
    for (std::int64_t b = 0; b < batch; ++b)
      for (std::int64_t h = 0; h < heads; ++h)
        for (std::int64_t t = 0; t < length; ++t) worst = std::max(worst, row_error(b, h, t));
    return worst;
  }

 private:
  double row_error(std::int64_t b, std::int64_t h, std::int64_t t) const {
    const auto row = static_cast<std::size_t>(b * length);
    const float* query = q.data() + ((b * heads + h) * length + t) * dim;
    const std::int64_t base = (b * groups + h / (heads / groups)) * length;
    std::vector<double> out(static_cast<std::size_t>(dim));
    double total = 0;
    for (std::int64_t i = t; i >= 0; i = parent[row + static_cast<std::size_t>(i)]) {
      if (window > 0 && position[row + static_cast<std::size_t>(t)] - position[row + static_cast<std::size_t>(i)] >= window) break;
      double score = 0;
      for (std::int64_t d = 0; d < dim; ++d) score += double(query[d]) * double(k[static_cast<std::size_t>((base + i) * dim + d)]);
      const double weight = std::exp(score / std::sqrt(double(dim)));
      total += weight;
      for (std::int64_t d = 0; d < dim; ++d) out[static_cast<std::size_t>(d)] += weight * double(v[static_cast<std::size_t>((base + i) * dim + d)]);
    }
    double worst = 0;
    for (std::int64_t d = 0; d < dim; ++d) {
      const double e = std::abs(out[static_cast<std::size_t>(d)] / total - double(y[static_cast<std::size_t>(((b * heads + h) * length + t) * dim + d)]));
      if (!(e <= worst)) worst = e;  // NaN, too
    }
    return worst;
  }
};

}  // namespace

class TstTreeAttention : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void equals_the_definition_data();
  void equals_the_definition();
  void equal_bits_for_any_number_of_threads();
};

void TstTreeAttention::equals_the_definition_data() {
  QTest::addColumn<int>("length");
  QTest::addColumn<int>("dim");
  QTest::addColumn<int>("window");
  for (int length : {1, 15, 16, 17, 63, 64, 65, 300})
    for (int dim : {4, 8, 12, 64})
      for (int window : {0, 1, 7}) QTest::addRow("T %d, D %d, w %d", length, dim, window) << length << dim << window;
}

void TstTreeAttention::equals_the_definition() {
  QFETCH(int, length);
  QFETCH(int, dim);
  QFETCH(int, window);
  Case c(length, dim, window);
  tree_attention_cpu(c.call(1));
  QVERIFY2(c.error() < 3e-6, qPrintable(QString::number(c.error())));
}

void TstTreeAttention::equal_bits_for_any_number_of_threads() {
  Case one(100, 32, 0), three(100, 32, 0);
  tree_attention_cpu(one.call(1));
  tree_attention_cpu(three.call(3));
  QCOMPARE(one.y, three.y);
}

QTEST_APPLESS_MAIN(TstTreeAttention)
#include "tst_tree_attention.moc"
