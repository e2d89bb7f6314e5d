#include <QtTest>

#include "engine/attention/conversion.h"
#include "engine/eval/scoring.h"
#include "engine/model/load.h"
#include "engine/recipe.h"
#include "engine/torch_api.h"
#include "tests/support/attention_forms.h"

using namespace engine;

class TstScoring : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void scores_do_not_depend_on_batch_or_shared_prefixes_data();
  void scores_do_not_depend_on_batch_or_shared_prefixes();
  void a_stop_gives_nothing();
};

support::Forms scored_forms() {
  support::Forms forms = support::attention_forms(32);
  forms.insert(forms.begin(), {"plain", presets()[0].recipe.attention});
  AttentionSpec published = presets()[0].recipe.attention;
  published.window_layout = "terraced-as-published";
  forms.emplace_back("published", published);
  return forms;
}

void TstScoring::scores_do_not_depend_on_batch_or_shared_prefixes_data() {
  QTest::addColumn<int>("form");
  QTest::addColumn<bool>("weights_kept");
  const auto forms = scored_forms();
  for (std::size_t i = 0; i < forms.size(); ++i) QTest::newRow(forms[i].first.c_str()) << static_cast<int>(i) << false;
  QTest::newRow("ablations at their weights") << 0 << true;
}

void TstScoring::scores_do_not_depend_on_batch_or_shared_prefixes() {
  QFETCH(int, form);
  QFETCH(bool, weights_kept);
  const Model model = load_model("builtin:tiny", torch::kFloat32, torch::kCPU);
  Conversion conversion = support::conversion_for(scored_forms()[static_cast<std::size_t>(form)].second, model.config);
  conversion.alone_keeps_g = weights_kept;
  std::vector<ScoreRequest> requests;
  for (int i = 0; i < 12; ++i) {  // prefixes of each other, equal ones, and unrelated ones
    ScoreRequest r;
    for (int t = 0; t < 5 + 9 * (i % 4); ++t) r.tokens.push_back((t * 7 + (i / 8)) % 200 + 4);
    r.scored = 1 + i % 3;
    requests.push_back(r);
  }
  for (int i = 0; i < 8; ++i) {  // questions with choices, longer than the window
    ScoreRequest r;
    for (int t = 0; t < 70 + 5 * (i / 4); ++t) r.tokens.push_back((t * 11 + i / 4) % 190 + 5);
    for (int t = 0; t < 3 + 20 * (i % 4); ++t) r.tokens.push_back((t * 13 + i) % 150 + 30);
    r.scored = 3 + 20 * (i % 4);
    requests.push_back(r);
  }
  std::vector<const ScoreRequest*> all;
  for (const auto& r : requests) all.push_back(&r);
  for (const auto& name : component_names()) {
    if (form > 0 && (name == "sinks" || name == "teacher")) continue;  // every form has the same
    ForwardOptions options;
    options.component = component_from(name);
    auto going = [] { return false; };
    const auto together = score_requests(model, &conversion, options, all, {}, going);
    const auto small = score_requests(model, &conversion, options, all, {.tokens = 40, .rows = 7}, going);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto alone = score_requests(model, &conversion, options, {all[i]}, {}, going);
      const double most = 1e-6 * std::max(100.0, -alone[0].log_likelihood);  // of float32 terms whose sum it is
      for (const Scored& shared : {together[i], small[i]}) {
        const double off = std::abs(shared.log_likelihood - alone[0].log_likelihood);
        QVERIFY2(off < most, qPrintable(QString("%1: %2 beside %3").arg(name.c_str()).arg(off).arg(alone[0].log_likelihood)));
      }
      QCOMPARE(together[i].greedy, alone[0].greedy);
    }
  }
}

void TstScoring::a_stop_gives_nothing() {
  const Model model = load_model("builtin:tiny", torch::kFloat32, torch::kCPU);
  const ScoreRequest r{{4, 5, 6}, 1};
  QVERIFY(score_requests(model, nullptr, {}, {&r}, {}, [] { return true; }).empty());
}

QTEST_APPLESS_MAIN(TstScoring)
#include "tst_scoring.moc"
