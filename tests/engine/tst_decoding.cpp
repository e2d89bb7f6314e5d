#include <QtTest>

#include "engine/model/decoding.h"
#include "engine/model/load_report.h"
#include "engine/recipe.h"
#include "engine/torch_api.h"
#include "tests/support/attention_forms.h"

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
  void every_form_decodes_as_in_one_shot_data();
  void every_form_decodes_as_in_one_shot();
  void state_stays_as_large_as_it_is();
  void greedy_text_is_the_arg_max_of_every_step();

 private:
  static void compare(const Model& m, const Conversion& conversion, const std::string& component, std::int64_t prompt);
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

void TstDecoding::every_form_decodes_as_in_one_shot_data() {
  QTest::addColumn<int>("form");
  const auto forms = support::attention_forms(16);
  for (std::size_t i = 0; i < forms.size(); ++i) QTest::newRow(forms[i].first.c_str()) << static_cast<int>(i);
}

void TstDecoding::every_form_decodes_as_in_one_shot() {
  QFETCH(int, form);
  const auto forms = support::attention_forms(16);
  const Model m = small_model();
  const Conversion conversion = support::conversion_for(forms[static_cast<std::size_t>(form)].second, m.config);
  for (const char* name : {"hybrid", "hybrid-overlap", "swa", "linear", "linear-outside"})
    for (const std::int64_t prompt : {1, 33}) compare(m, conversion, name, prompt);
}

void TstDecoding::compare(const Model& m, const Conversion& conversion, const std::string& component, std::int64_t prompt) {
  torch::InferenceMode inference;
  ForwardOptions options;
  options.component = component_from(component);
  const Tensor ids = torch::randint(0, 97, {2, 70}, torch::kInt64);
  const Tensor whole = m.hidden(ids, &conversion, options);  // [2,70,M]
  Decoding decoding(m, &conversion, options, 70);
  Tensor last = decoding.prefill(ids.narrow(1, 0, prompt));
  for (std::int64_t t = prompt; t <= 70; ++t) {
    // A norm of almost nothing magnifies rounding.
    const double most = conversion.linear.normaliser == Normaliser::group_norm ? 5e-4 : 2e-5;
    const double error = (last - whole.select(1, t - 1)).abs().max().item<double>();
    QVERIFY2(error < most, qPrintable(QString("%1, prompt %2, token %3: %4").arg(QString::fromStdString(component)).arg(prompt).arg(t).arg(error)));
    if (t < 70) last = decoding.step(ids.select(1, t));
  }
  QCOMPARE(decoding.length(), 70);
}

void TstDecoding::token_by_token_equals_one_shot() {
  QFETCH(QString, component);
  QFETCH(QString, mixing);
  QFETCH(QString, context);
  const Model m = small_model();
  const Conversion conversion = conversion_of(m, mixing.toStdString(), context.toStdString());
  for (const std::int64_t prompt : {1, 7, 16, 40}) compare(m, conversion, component.toStdString(), prompt);
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
