#include <QtTest>
#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include "engine/diagnose/session.h"
#include "engine/torch_api.h"

using namespace engine;
using Json = nlohmann::json;

namespace {

/// The maps and mixing of tests/golden/make_diagnosis.py.
void set_conversion(Conversion& c, const std::string& mixing, double weight) {
  c.mixing = mixing_from(mixing);
  c.weight = weight;
  const auto real = torch::kFloat64;
  for (std::size_t i = 0; i < c.layers.size(); ++i) {
    auto fill = [&](FeatureMap& map, int side) {
      const std::int64_t h = map.weight.size(0), d = map.weight.size(1), f = map.weight.size(2);
      const Tensor angle = 1.0 + 7 * torch::arange(h, real).view({h, 1, 1}) + 3 * torch::arange(d, real).view({1, d, 1}) +
                           5 * torch::arange(f, real).view({1, 1, f}) + 11.0 * static_cast<double>(i) + 13.0 * side;
      map.weight = (torch::eye(d, real).unsqueeze(0) + 0.1 * angle.sin()).to(torch::kFloat32);
    };
    fill(c.layers[i].query_map, 0);
    fill(c.layers[i].key_map, 1);
    const std::int64_t heads = c.layers[i].query_map.weight.size(0);
    if (c.mixing != Mixing::fixed) c.layers[i].mixing = (0.3 * torch::arange(heads, real) - 0.4).to(torch::kFloat32);
  }
}

bool near(double found, double expected, double scale) { return std::abs(found - expected) <= 1e-4 * std::max(std::abs(expected), scale); }

QString shown(const char* what, double found, double expected) { return QString("%1: %2, expected %3").arg(what).arg(found, 0, 'g', 9).arg(expected, 0, 'g', 9); }

}  // namespace

/// Against an independent computation in PyTorch (tests/golden/make_diagnosis.py), 1e-4 relative.
class TstDiagnosisParity : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase();
  void inside_equals_pytorch_data() { mixings(); }
  void inside_equals_pytorch();
  void knock_outs_equal_pytorch_data() { mixings(); }
  void knock_outs_equal_pytorch();
  void maps_equal_pytorch_data() { mixings(); }
  void maps_equal_pytorch();
  void map_health_equals_pytorch_data() { mixings(); }
  void map_health_equals_pytorch();

 private:
  void mixings();
  Patient patient(const std::string& mixing) const;
  Json golden_;
  std::string model_;
  std::vector<std::int32_t> ids_;
};

void TstDiagnosisParity::initTestCase() {
  const QByteArray other = qgetenv("EQUIPOISE_DIAGNOSIS");  // of another model, made by the script
  std::ifstream in(other.isEmpty() ? std::string(EQUIPOISE_SOURCE_DIR "/tests/golden/diagnosis_tiny.json") : other.toStdString());
  golden_ = Json::parse(in);
  model_ = golden_.at("model").get<std::string>();
  if (model_.empty()) model_ = "builtin:tiny";
  const std::int64_t vocabulary = patient("fixed").model().config.vocabulary;
  for (std::int64_t i = 0; i < golden_.at("tokens").get<std::int64_t>(); ++i) ids_.push_back(static_cast<std::int32_t>((i * i * 7 + i * 3 + 11) % vocabulary));
}

void TstDiagnosisParity::mixings() {
  QTest::addColumn<QString>("mixing");
  for (const char* m : {"fixed", "learned", "shared-denominator"}) QTest::newRow(m) << m;
}

Patient TstDiagnosisParity::patient(const std::string& mixing) const {
  Subject s;
  s.recipe.model = model_;
  s.recipe.attention.window = golden_.at("window");
  s.recipe.attention.mixing.kind = mixing;
  Patient p = open_patient(s, golden_.at("window"));
  set_conversion(p.work.conversion, mixing, golden_.at("weight"));
  return p;
}

void TstDiagnosisParity::inside_equals_pytorch() {
  QFETCH(QString, mixing);
  const Patient p = patient(mixing.toStdString());
  const auto found = measure_inside(p, {ids_}, {});
  for (const auto& row : golden_.at("mixings").at(mixing.toStdString()).at("inside")) {
    const auto r = std::ranges::find_if(found, [&](const HeadReport& h) { return h.layer == row[0] && h.head == row[1]; });
    const std::vector<std::pair<const char*, double>> values{{"share", r->share}, {"exposed share", r->exposed_share}, {"linear mass", r->linear_mass},
                                                             {"teacher mass", r->teacher_mass}, {"cosine swa", r->cosine_swa},
                                                             {"cosine linear", r->cosine_linear}, {"cosine hybrid", r->cosine_hybrid}};
    for (std::size_t i = 0; i < values.size(); ++i)
      QVERIFY2(near(values[i].second, row[i + 2], 1e-2), qPrintable(shown(values[i].first, values[i].second, row[i + 2])));
  }
}

void TstDiagnosisParity::knock_outs_equal_pytorch() {
  QFETCH(QString, mixing);
  const Patient p = patient(mixing.toStdString());
  std::vector<Case> cases;
  for (std::int64_t i = 0; i < 8; ++i) {
    Case c;
    c.group = "text", c.cluster = c.doc_id = i;
    c.choices = {{{ids_.begin(), ids_.begin() + 20 * (i + 1)}, 3}};
    cases.push_back(c);
  }
  const Json& expected = golden_.at("mixings").at(mixing.toStdString());
  const Chosen all = choose(cases, [](const Case&) { return true; });
  const auto whole = ChainScorer(cases, all, torch::kCPU).score(p.model(), &p.work.conversion, p.options(Component::hybrid), {});
  double loss = 0, most = 0;
  for (const auto& o : whole) loss += o.loss / static_cast<double>(whole.size());
  QVERIFY(near(loss, expected.at("loss"), 0));
  for (const auto& row : expected.at("knockouts")) most = std::max(most, std::abs(row[3].get<double>()));
  std::vector<std::string> notes;
  const auto found = measure_knockouts(p, cases, all, notes, {});
  QCOMPARE(found.size(), expected.at("knockouts").size());
  for (const auto& row : expected.at("knockouts")) {
    const auto k = std::ranges::find_if(found, [&](const KnockOut& x) { return x.layer == row[0] && x.head == row[1] && x.branch == row[2]; });
    QVERIFY2(near(k->damage.value, row[3], most), qPrintable(shown(row[2].get<std::string>().c_str(), k->damage.value, row[3])));
  }
}

void TstDiagnosisParity::maps_equal_pytorch() {
  QFETCH(QString, mixing);
  const Patient p = patient(mixing.toStdString());
  MapQuery q;
  q.layer = p.model().config.layers - 1, q.head = 1, q.first = 16, q.last = 144, q.cells = 8;
  const AttentionMaps maps = measure_maps(p, ids_, q, {});
  std::size_t at = 0;
  for (const auto& expected : golden_.at("mixings").at(mixing.toStdString()).at("map")) {
    const MapView& v = maps.views[at++];
    QCOMPARE(v.name, expected.at("name").get<std::string>());
    QVERIFY2(near(v.mean_entropy, expected.at("mean_entropy"), 0), qPrintable(shown("entropy", v.mean_entropy, expected.at("mean_entropy"))));
    QVERIFY(near(v.entropy.back(), expected.at("entropy_last"), 0));
    QVERIFY2(near(v.mean_divergence, expected.at("mean_divergence"), 1e-3), qPrintable(shown("divergence", v.mean_divergence, expected.at("mean_divergence"))));
    const std::vector<double> cells = expected.at("cells");
    for (std::size_t i = 0; i < cells.size(); ++i) QVERIFY(near(v.cells[i], cells[i], 1e-2));
  }
}

void TstDiagnosisParity::map_health_equals_pytorch() {
  QFETCH(QString, mixing);
  const Patient p = patient(mixing.toStdString());
  const FeatureHealth h = measure_features(p, {ids_}, {});
  for (const auto& row : golden_.at("mixings").at(mixing.toStdString()).at("health")) {
    const std::int64_t layer = row[0];
    const auto map = std::ranges::find_if(h.maps, [&](const FeatureReport& m) { return m.layer == layer && m.head == 0 && m.side == "k"; });
    QVERIFY2(near(h.denominators[static_cast<std::size_t>(layer)].least, row[1], 0), qPrintable(shown("least", h.denominators[static_cast<std::size_t>(layer)].least, row[1])));
    QVERIFY2(near(map->effective_rank, row[2], 0), qPrintable(shown("rank", map->effective_rank, row[2])));
    QCOMPARE(map->dead, row[3].get<double>());
    QCOMPARE(map->saturated, row[4].get<double>());
    QVERIFY2(near(map->condition, row[5], 0), qPrintable(shown("condition", map->condition, row[5])));
    std::int64_t sum = 0;
    for (auto n : h.denominators[static_cast<std::size_t>(layer)].histogram) sum += n;
    QCOMPARE(sum, h.denominators[static_cast<std::size_t>(layer)].rows);
  }
}

QTEST_APPLESS_MAIN(TstDiagnosisParity)
#include "tst_diagnosis_parity.moc"
