#include "ui/models/head_measures.h"

#include <algorithm>
#include <cmath>

namespace ui {
namespace {

/// Heads that were not measured are gaps.
template <class Reports, class Value>
Matrix byHead(const engine::Diagnosis& d, const Reports& reports, Value value) {
  Matrix m;
  m.rows = int(d.layers), m.columns = int(d.heads);
  m.values.assign(std::size_t(m.rows * m.columns), std::nan(""));
  m.row_title = "layer", m.column_title = "head";
  for (const auto& r : reports)
    if (r.head >= 0 && r.layer < m.rows && r.head < m.columns) m.values[std::size_t(r.layer * m.columns + r.head)] = value(r);
  return m;
}

}  // namespace

const std::vector<HeadMeasure>& headMeasures() {
  using R = engine::HeadReport;
  static const std::vector<HeadMeasure> measures{{"linear share behind the window", &R::exposed_share},
                                                 {"linear share, all tokens", &R::share},
                                                 {"hybrid's mass outside the window", &R::linear_mass, true},
                                                 {"teacher's mass outside the window", &R::teacher_mass},
                                                 {"cosine of linear to the teacher", &R::cosine_linear},
                                                 {"cosine of the window to the teacher", &R::cosine_swa},
                                                 {"cosine of hybrid to the teacher", &R::cosine_hybrid}};
  return measures;
}

Matrix headMatrix(const engine::Diagnosis& d, const HeadMeasure& measure) {
  if (d.inside.empty() || (measure.of_mass && !d.no_mass.empty())) return {};
  Matrix m = byHead(d, d.inside, [&](const engine::HeadReport& r) { return r.*measure.member; });
  if (std::any_of(m.values.begin(), m.values.end(), [](double v) { return v < 0; })) m.low = -1, m.diverging = true;
  return m;
}

QString whyNoHeads(const engine::Diagnosis& d, const HeadMeasure& measure) {
  return measure.of_mass && !d.no_mass.empty() ? QString::fromStdString(d.no_mass) : QString("Not measured.");
}

Matrix knockoutMatrix(const engine::Diagnosis& d, const std::string& branch) {
  if (d.knockouts.empty()) return {};
  std::vector<engine::KnockOut> own;
  double most = 1e-3;
  for (const auto& k : d.knockouts) {
    if (k.branch == branch) own.push_back(k);
    if (k.head >= 0) most = std::max(most, std::abs(k.damage.value));
  }
  Matrix m = byHead(d, own, [](const engine::KnockOut& k) { return k.damage.value; });
  m.high = most, m.low = -most, m.diverging = true, m.decimals = 3, m.unit = " nats";
  return m;
}

}  // namespace ui
