#include <QtTest>

#include "engine/model/decoding.h"
#include "engine/model/load_report.h"
#include "engine/recipe.h"
#include "engine/torch_api.h"

using namespace engine;

namespace {

/// Grouped queries, a window of its own in one layer, random weights.
Model small_model() {
  ModelConfig c;
  c.architecture = "mistral";
  c.width = 48, c.layers = 2, c.heads = 4, c.kv_heads = 2, c.head_dim = 12, c.mlp_width = 64, c.vocabulary = 97;
  c.max_positions = 512;
  c.teacher_windows = {0, 24};
  Model m = make_model(c);
  torch::manual_seed(5);
  const auto shapes = expected_tensors(c);
  for (auto& [name, tensor] : m.weights()) {
    *tensor = name.ends_with("norm.weight") ? torch::ones(shapes.at(name)) : torch::randn(shapes.at(name)) * 0.15;
  }
  return m;
}

Conversion conversion_of(const Model& m, const std::string& mixing, const std::string& context) {
  AttentionSpec spec;
  spec.window = 16;
  spec.linear_context = context;
  spec.mixing.kind = mixing;
  return make_conversion(spec, {m.config.layers, m.config.heads, m.config.kv_heads, m.config.head_dim, m.config.width}, 3, torch::kCPU);
}

}  // namespace

class TstDecoding : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void token_by_token_equals_one_shot_data();
  void token_by_token_equals_one_shot();
  void state_stays_as_large_as_it_is();
  void greedy_text_is_the_arg_max_of_every_step();
};

void TstDecoding::token_by_token_equals_one_shot_data() {
  QTest::addColumn<QString>("component");
  QTest::addColumn<QString>("mixing");
  QTest::addColumn<QString>("context");
  for (const auto& name : component_names())
    QTest::newRow(name.c_str()) << QString::fromStdString(name) << "fixed" << "outside";
  QTest::newRow("learned") << "hybrid" << "learned" << "outside";
  QTest::newRow("shared denominator") << "hybrid" << "shared-denominator" << "outside";
  QTest::newRow("overlap") << "hybrid" << "learned" << "overlap";
}

void TstDecoding::token_by_token_equals_one_shot() {
  QFETCH(QString, component);
  QFETCH(QString, mixing);
  QFETCH(QString, context);
  torch::InferenceMode inference;
  const Model m = small_model();
  const Conversion conversion = conversion_of(m, mixing.toStdString(), context.toStdString());
  ForwardOptions options;
  options.component = component_from(component.toStdString());
  const Tensor ids = torch::randint(0, 97, {2, 90}, torch::kInt64);
  const Tensor whole = m.hidden(ids, &conversion, options);  // [2,90,M]
  for (const std::int64_t prompt : {1, 7, 16, 40}) {
    Decoding decoding(m, &conversion, options, 90);
    Tensor last = decoding.prefill(ids.narrow(1, 0, prompt));
    for (std::int64_t t = prompt; t <= 90; ++t) {
      const double error = (last - whole.select(1, t - 1)).abs().max().item<double>();
      QVERIFY2(error < 2e-5, qPrintable(QString("prompt %1, token %2: %3").arg(prompt).arg(t).arg(error)));
      if (t < 90) last = decoding.step(ids.select(1, t));
    }
    QCOMPARE(decoding.length(), 90);
  }
}

void TstDecoding::state_stays_as_large_as_it_is() {
  torch::InferenceMode inference;
  const Model m = small_model();
  const Conversion conversion = conversion_of(m, "fixed", "outside");
  ForwardOptions options;
  options.component = Component::hybrid;
  Decoding decoding(m, &conversion, options, 512);
  decoding.prefill(torch::randint(0, 97, {1, 20}, torch::kInt64));
  const auto early = decoding.bytes();
  for (int i = 0; i < 100; ++i) decoding.step(torch::randint(0, 97, {1}, torch::kInt64));
  QVERIFY(early > 0);
  QCOMPARE(decoding.bytes(), early);
}

void TstDecoding::greedy_text_is_the_arg_max_of_every_step() {
  torch::InferenceMode inference;
  const Model m = small_model();
  const Conversion conversion = conversion_of(m, "fixed", "outside");
  ForwardOptions options;
  options.component = Component::hybrid;
  const std::vector<std::int32_t> prompt{5, 9, 2};
  const auto out = decode_greedily(m, &conversion, options, prompt, -1, 40, [](const auto&) { return true; });
  QCOMPARE(out.size(), std::size_t{37});
  std::vector<std::int64_t> ids(prompt.begin(), prompt.end());
  for (auto token : out) {
    const Tensor hidden = m.hidden(torch::tensor(ids).unsqueeze(0), &conversion, options).select(1, std::ssize(ids) - 1);
    QCOMPARE(std::int64_t{token}, m.logits(hidden).argmax(-1).item<std::int64_t>());
    ids.push_back(token);
  }
  QCOMPARE(decode_greedily(m, &conversion, options, prompt, out[4], 40, [](const auto&) { return true; }).size(),
           static_cast<std::size_t>(std::find(out.begin(), out.end(), out[4]) - out.begin()));
}

QTEST_APPLESS_MAIN(TstDecoding)
#include "tst_decoding.moc"
