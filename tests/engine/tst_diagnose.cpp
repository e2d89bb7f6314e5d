#include <QtTest>

#include <set>

#include <sys/resource.h>

#include "engine/data/tiny_corpus.h"
#include "engine/diagnose.h"
#include "engine/diagnose/session.h"
#include "engine/eval/scoring.h"
#include "engine/torch_api.h"
#include "tests/support/copying_model.h"

using namespace engine;

namespace {

const std::vector<std::int64_t> k_distances{4, 8, 12, 20, 40, 80};

/// Every component scored on the cases.
Outcomes scored(const Patient& p, const std::vector<Case>& cases) {
  const ChainScorer scorer(cases, choose(cases, [](const Case&) { return true; }), torch::kCPU);
  Outcomes out;
  for (const char* name : {"teacher", "hybrid", "swa", "linear", "none"})
    out[name] = scorer.score(p.model(), &p.work.conversion, p.options(component_from(name)), {});
  return out;
}

std::vector<KnockOut> knockouts(const Patient& p, const std::vector<Case>& cases) {
  std::vector<std::string> notes;
  return measure_knockouts(p, cases, choose(cases, [](const Case&) { return true; }), notes, {});
}

DiagnosisVerdict verdict(const Patient& p, const std::vector<Case>& cases, const std::vector<HeadReport>* inside = nullptr,
                         const std::vector<KnockOut>* cuts = nullptr, const std::vector<Profile>* distance = nullptr) {
  VerdictBasis basis;
  basis.window = p.window, basis.overlap = p.overlap(), basis.inside = inside, basis.knockouts = cuts, basis.distance = distance;
  return verdict_of(cases, scored(p, cases), basis);
}

const HeadReport& head(const std::vector<HeadReport>& all, std::int64_t layer, std::int64_t head) {
  return *std::ranges::find_if(all, [&](const HeadReport& r) { return r.layer == layer && r.head == head; });
}

Subject tiny() {
  Subject s;
  s.recipe.model = "builtin:tiny";
  s.recipe.attention.window = 32;
  return s;
}

DiagnoseOptions small(std::vector<std::string> what) {
  DiagnoseOptions o;
  o.what = std::move(what);
  o.limit = 3, o.probe_sequences = 2, o.max_distance = 32, o.rows = 1, o.row_tokens = 64, o.examples = 2, o.generated = 4;
  return o;
}

}  // namespace

class TstDiagnose : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void a_copying_head_is_found_at_its_layer_head_and_distance();
  void a_linear_branch_of_weight_zero_is_ignored();
  void a_window_branch_of_weight_zero_is_the_reverse();
  void a_task_inside_the_window_cannot_tell();
  void few_exposed_examples_cannot_tell();
  void exposure_counts_tokens_behind_the_window();
  void chains_score_as_evaluation_does();
  void weight_tiles_are_the_attention_they_stand_for();
  void a_map_of_4096_tokens_stays_small();
  void the_probes_stand_where_they_say();
  void what_if_at_the_stored_setting_changes_nothing();
  void every_part_of_builtin_tiny_goes_to_json_and_back();
  void a_stop_is_heeded_and_bad_questions_are_named();
  void a_kept_diagnosis_is_of_just_this_evaluation();
  void without_a_normaliser_there_is_no_mass();
};

void TstDiagnose::a_copying_head_is_found_at_its_layer_head_and_distance() {
  const Patient p = support::copying_patient(0.5);
  const auto cases = support::copying_cases(k_distances, 16);
  const Outcomes outcomes = scored(p, cases);
  const auto distance = std::vector<Profile>{profile_of("facts", cases, outcomes, choose(cases, [](const Case&) { return true; }), [](const Case& c) { return c.distance; })};
  const auto cuts = knockouts(p, cases);
  const auto inside = measure_inside(p, {support::periodic_facts(47, 400)}, {});

  for (const auto& bin : distance.front().bins) {
    const double delta = bin.delta_h_swa.difference.value;
    QVERIFY2(bin.low < 16 ? delta == 0 : delta > 0.5, qPrintable(QString("at %1: %2").arg(bin.low).arg(delta)));
    QCOMPARE(bin.exposed, bin.low < 16 ? 0 : bin.examples);
  }
  const auto most = std::ranges::find_if(cuts, [](const KnockOut& k) { return k.branch == "linear" && k.head >= 0; });
  QCOMPARE(most->layer, support::k_copy_layer);
  QCOMPARE(most->head, support::k_copy_head);
  QVERIFY(most->damage.low > 0 && most->accuracy.p_holm < 1e-6);
  for (const auto& k : cuts)
    if (k.layer != support::k_copy_layer || (k.head >= 0 && k.head != support::k_copy_head))
      QVERIFY2(std::abs(k.damage.value) < 1e-6, qPrintable(QString("layer %1 head %2 %3").arg(k.layer).arg(k.head).arg(QString::fromStdString(k.branch))));
  QCOMPARE(head(inside, support::k_copy_layer, support::k_copy_head).peak_distance, 47);
  QCOMPARE(head(inside, support::k_copy_layer, support::k_copy_head).teacher_peak_distance, 47);
  QCOMPARE(head(inside, support::k_copy_layer, -1).peak_distance, 47);
  QVERIFY(head(inside, support::k_copy_layer, support::k_copy_head).peak_weight > 3 * head(inside, support::k_copy_layer, 0).peak_weight);

  const DiagnosisVerdict v = verdict(p, cases, &inside, &cuts, &distance);
  QCOMPARE(v.use, std::string("used"));
  QVERIFY2(v.paragraph.find("layer 1, head 2") != std::string::npos && v.paragraph.find("for facts at ") != std::string::npos, v.paragraph.c_str());
}

void TstDiagnose::a_linear_branch_of_weight_zero_is_ignored() {
  const Patient p = support::copying_patient(1);
  const auto cases = support::copying_cases(k_distances, 16);
  const auto inside = measure_inside(p, {support::periodic_facts(47, 200)}, {});
  const auto cuts = knockouts(p, cases);
  for (const auto& r : inside) {
    QCOMPARE(r.share, 0.0);
    QCOMPARE(r.exposed_share, 0.0);
    QVERIFY(std::abs(r.linear_mass) < 1e-7);
    QVERIFY(std::abs(r.cosine_hybrid - r.cosine_swa) < 1e-6);
  }
  for (const auto& k : cuts)
    if (k.branch == "linear") {
      QVERIFY(std::abs(k.damage.value) < 1e-6);
      QCOMPARE(k.accuracy.difference.value, 0.0);
    }
  const DiagnosisVerdict v = verdict(p, cases, &inside, &cuts);
  QCOMPARE(v.use, std::string("ignored"));
  QVERIFY(v.exposed > 0);
}

void TstDiagnose::a_window_branch_of_weight_zero_is_the_reverse() {
  const Patient p = support::copying_patient(0);
  const auto cases = support::copying_cases({20, 40, 80}, 16);
  const auto inside = measure_inside(p, {support::periodic_facts(47, 200)}, {});
  QVERIFY(std::abs(head(inside, support::k_copy_layer, support::k_copy_head).exposed_share - 1) < 1e-12);
  for (const auto& r : inside) {
    QVERIFY(std::abs(r.linear_mass - 1) < 1e-5);
    if (r.head == support::k_copy_head && r.layer == support::k_copy_layer) QVERIFY(r.share > 0.5 && r.share < 1);
  }
  const auto cuts = knockouts(p, cases);
  for (const auto& k : cuts)
    if (k.branch == "window") QVERIFY(std::abs(k.damage.value) < 1e-6);
  const DiagnosisVerdict v = verdict(p, cases, &inside, &cuts);
  QCOMPARE(v.use, std::string("used"));
}

void TstDiagnose::a_task_inside_the_window_cannot_tell() {
  const Patient p = support::copying_patient(0.5);
  const auto cases = support::copying_cases({4, 8, 12}, 40);
  const auto rows = exposure_rows(cases, scored(p, cases));
  QCOMPARE(rows.front().exposed_examples, 0);
  QCOMPARE(rows.front().delta_h_swa.difference.n, 0);
  QCOMPARE(rows.front().never_h_swa.difference.value, 0.0);
  const DiagnosisVerdict v = verdict(p, cases);
  QCOMPARE(v.use, std::string("cannot tell"));
  QVERIFY2(v.headline.find("not exposed") != std::string::npos && v.needed == 0, v.headline.c_str());
}

void TstDiagnose::few_exposed_examples_cannot_tell() {
  const Patient p = support::copying_patient(0.5);
  auto cases = support::copying_cases({8}, 40);
  for (auto& c : support::copying_cases({40}, 5)) cases.push_back(c);
  const DiagnosisVerdict v = verdict(p, cases);
  QCOMPARE(v.use, std::string("cannot tell"));
  QCOMPARE(v.exposed, 5);
  QVERIFY2(v.needed >= 20 && v.paragraph.find(std::to_string(v.needed)) != std::string::npos, v.paragraph.c_str());
}

void TstDiagnose::exposure_counts_tokens_behind_the_window() {
  Case c;
  c.choices = {{std::vector<std::int32_t>(20, 1), 6}};  // queries at 13 … 18
  for (const auto& [window, exposed] : {std::pair{13, 6}, {14, 5}, {18, 1}, {19, 0}, {1, 6}}) {
    count_exposure(c, window);
    QCOMPARE(c.scored_tokens, 6);
    QCOMPARE(c.exposed_tokens, exposed);
  }
  QCOMPARE(c.prompt_tokens, 14);
}

void TstDiagnose::chains_score_as_evaluation_does() {
  const Subject s = tiny();
  const Patient p = open_patient(s, 32);
  EvaluationSpec spec;
  spec.limit = 2;
  const auto set = cases_of(load_eval_tasks(spec, p.work.tokenizer, 4096, {}), 32, 2);
  std::vector<const ScoreRequest*> requests;
  for (const auto& c : set.cases)
    for (const auto& r : c.choices) requests.push_back(&r);
  for (const char* name : {"teacher", "hybrid", "swa", "linear"}) {
    const auto expected = score_requests(p.model(), &p.work.conversion, p.options(component_from(name)), requests, {}, [] { return false; });
    const auto found = scored(p, set.cases).at(name);
    std::size_t at = 0;
    for (const auto& o : found)
      for (const auto& c : o.choices) {
        const double error = std::abs(c.log_likelihood - expected[at].log_likelihood);  // another order of float32 sums
        QVERIFY2(error < 1e-4 * std::max(10.0, std::abs(expected[at].log_likelihood)), qPrintable(QString("%1 %2: %3").arg(name).arg(c.log_likelihood).arg(error)));
        ++at;
      }
    QCOMPARE(at, requests.size());
  }
  std::size_t placed = 0;
  for (const auto& c : set.cases) placed += c.distance >= 0;
  QCOMPARE(placed, set.cases.size());  // every builtin example knows how far back its fact stands
}

void TstDiagnose::weight_tiles_are_the_attention_they_stand_for() {
  torch::InferenceMode inference;
  torch::manual_seed(3);
  AttentionSpec spec;
  spec.window = 9;
  const Conversion c = make_conversion(spec, {1, 4, 2, 8}, 5, torch::kCPU);
  const Heads h{torch::randn({1, 4, 37, 8}), torch::randn({1, 2, 37, 8}), torch::randn({1, 2, 37, 8})};
  for (const auto& name : component_names()) {
    AttentionCall call = c.call(0);
    call.component = component_from(name);
    for (const std::int64_t teacher_window : {0, 11}) {
      call.teacher_window = teacher_window;
      const WeightTiles tiles(h, call);
      std::vector<Tensor> parts;
      for (std::int64_t first = 0; first < tiles.length(); first += tiles.width()) parts.push_back(tiles.tile(first));
      const Tensor w = at::cat(parts, 2), v = h.v.repeat_interleave(2, 1).squeeze(0);
      const Tensor expected = hybrid_attention(h.q, h.k, h.v, call).squeeze(0);
      QVERIFY2(at::allclose(w.matmul(v), expected, 1e-5, 1e-6), name.c_str());
    }
  }
}

void TstDiagnose::a_map_of_4096_tokens_stays_small() {
  const Patient p = open_patient(tiny(), 32);
  std::vector<std::int32_t> ids;
  for (int i = 0; ids.size() < 4096; ++i)
    for (const int id : tiny_document(0, TinySplit::test, static_cast<std::uint64_t>(i)).tokens) ids.push_back(id);
  ids.resize(4096);
  auto peak_kb = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  MapQuery q;
  q.layer = 1, q.head = 3, q.cells = 128;
  const long before = peak_kb();
  const AttentionMaps maps = measure_maps(p, ids, q, {});
  const long grown_mb = (peak_kb() - before) / 1024;
  QCOMPARE(maps.views.size(), std::size_t(3));
  QCOMPARE(maps.views[0].cells.size(), std::size_t(128 * 128));
  for (const auto& v : maps.views) {
    double sum = 0;
    for (float c : v.cells) sum += c;
    QVERIFY2(std::abs(sum - 128) < 0.05, v.name.c_str());  // every row's mass is 1
    QCOMPARE(v.entropy.size(), std::size_t(4096));
  }
  // One head's matrix alone would be 64 MB, the cube of layers × heads 537 MB; a tile of every head is 2 MB.
  QVERIFY2(grown_mb < 120, qPrintable(QString("%1 MB").arg(grown_mb)));
}

void TstDiagnose::the_probes_stand_where_they_say() {
  const Patient p = open_patient(tiny(), 32);
  const auto probes = make_probes(p.work.tokenizer, p.model().config.vocabulary, 4096, 32, 64, 3);
  QCOMPARE(probes.size(), std::size_t(3));
  for (const auto& probe : probes) {
    if (probe.name == "passkey") {
      QVERIFY(!probe.problem.empty() && probe.cases.empty());  // a word-level tokenizer without the words
      continue;
    }
    QVERIFY(!probe.cases.empty());
    for (const auto& c : probe.cases) {
      const auto& right = c.choices[static_cast<std::size_t>(c.gold)].tokens;
      const auto query = std::ssize(right) - 2;
      QCOMPARE(right[static_cast<std::size_t>(query - c.distance)], right.back());
      if (probe.name == "recall") QCOMPARE(right[static_cast<std::size_t>(query - c.distance - 1)], right[static_cast<std::size_t>(query)]);
      std::set<std::int32_t> different;
      for (const auto& choice : c.choices) different.insert(choice.tokens.back());
      QCOMPARE(different.size(), c.choices.size());
      QCOMPARE(c.exposed(), query >= 32);
    }
  }
}

void TstDiagnose::what_if_at_the_stored_setting_changes_nothing() {
  const Patient p = support::copying_patient(0.5);
  const auto cases = support::copying_cases({8, 40}, 12);
  const Outcomes outcomes = scored(p, cases);
  WhatIf same, wide, cut, alone;
  wide.window = 64;
  cut.layers = {"hybrid", "swa"};
  alone.weight = 1;
  const auto r = measure_what_if(p, cases, outcomes.at("hybrid"), {same, wide, cut, alone}, {});
  QCOMPARE(r[0].against_stored.difference.value, 0.0);
  QCOMPARE(r[0].all.accuracy.value, 1.0);
  QCOMPARE(r[1].all.accuracy.value, 1.0);
  QVERIFY(r[2].all.accuracy.value < 0.8 && r[2].against_stored.difference.value < 0);
  QCOMPARE(r[3].all.accuracy.value, r[2].all.accuracy.value);  // g = 1 is the window alone
  WhatIf wrong;
  wrong.layers = {"swa"};
  QVERIFY_EXCEPTION_THROWN(measure_what_if(p, cases, outcomes.at("hybrid"), {wrong}, {}), InputError);
}

void TstDiagnose::every_part_of_builtin_tiny_goes_to_json_and_back() {
  const Diagnosis d = diagnose(tiny(), small({}));
  QCOMPARE(d.parts, diagnosis_parts());
  QVERIFY(d.verdict && d.maps && d.features && !d.exposure.empty() && !d.length.empty() && !d.what_if.empty());
  QCOMPARE(d.inside.size(), std::size_t(2 + 2 * 4));
  QCOMPARE(d.knockouts.size(), std::size_t(2 * (2 + 2 * 4)));
  QCOMPARE(d.features->maps.size(), std::size_t(2 * 4 * 2));
  for (const auto& m : d.features->maps) QCOMPARE(m.distance, 0.0);  // nothing was trained
  QCOMPARE(d.continuations.size(), std::size_t(5));
  const std::string text = to_json(d);
  QCOMPARE(to_json(diagnosis_from_json(text, "test")), text);
  QVERIFY(diagnosis_html({d, d}).find(d.verdict->headline) != std::string::npos);
  QVERIFY(diagnosis_csv(d).find("knockout,1/3,linear,hybrid,damage,") != std::string::npos);
  QVERIFY_EXCEPTION_THROWN(diagnosis_from_json("{\"name\": 3}", "here"), InputError);
  QVERIFY_EXCEPTION_THROWN(diagnosis_from_json(text.substr(0, text.size() / 2), "here"), InputError);
}

void TstDiagnose::a_stop_is_heeded_and_bad_questions_are_named() {
  std::stop_source stop;
  Watch watch{stop.get_token(), [&](std::int64_t, const std::string&) { stop.request_stop(); }};
  QVERIFY_EXCEPTION_THROWN(diagnose(tiny(), small({"knockout"}), watch), Cancelled);
  auto message = [](const DiagnoseOptions& o) {
    try {
      diagnose(tiny(), o);
    } catch (const InputError& e) {
      return QString(e.what());
    }
    return QString();
  };
  DiagnoseOptions single = small({"whatif"});
  single.what_if.resize(1);
  single.probe = "recall@4-16";  // as Exposure names it
  const Diagnosis probed = diagnose(tiny(), single);
  QCOMPARE(probed.what_if.size(), std::size_t(1));
  QCOMPARE(probed.what_if[0].tasks.size(), std::size_t(1));
  QCOMPARE(probed.what_if[0].tasks[0].component, single.probe);
  single.probe = "recall@5-6";
  QVERIFY(message(single).contains("none of the tasks"));
  QVERIFY(message(small({"layer"})).contains("knockout"));
  DiagnoseOptions far = small({"maps"});
  far.map.layer = 7;
  QVERIFY(message(far).contains("0 to 1"));
  DiagnoseOptions one = small({"verdict"}), other = one;
  other.limit = 4;
  QVERIFY(diagnosis_key(tiny(), one) != diagnosis_key(tiny(), other));
  QCOMPARE(diagnosis_key(tiny(), one), diagnosis_key(tiny(), one));
}

void TstDiagnose::a_kept_diagnosis_is_of_just_this_evaluation() {
  const DiagnoseOptions options;
  const std::string key = diagnosis_key(tiny(), options);
  auto changed = [&](void (*change)(EvaluationSpec&)) {
    Subject s = tiny();
    change(s.recipe.evaluation);
    return diagnosis_key(s, options) != key;
  };
  QVERIFY(changed([](EvaluationSpec& e) { e.ablation_weights = "mixing"; }));
  QVERIFY(changed([](EvaluationSpec& e) { e.window = 8; }));
  QVERIFY(changed([](EvaluationSpec& e) { e.shots = 2; }));
  QVERIFY(changed([](EvaluationSpec& e) { e.bos = "never"; }));
  QVERIFY(!changed([](EvaluationSpec& e) { e.every = 7; }));
  QVERIFY(!changed([](EvaluationSpec& e) { e.tasks = {"piqa"}; }));  // the options name the tasks
}

void TstDiagnose::without_a_normaliser_there_is_no_mass() {
  const DiagnoseOptions options = small({"layers", "maps", "features"});
  QVERIFY(diagnose(tiny(), options).no_mass.empty());
  for (const char* normaliser : {"group-norm", "none"}) {
    Subject s = tiny();
    s.recipe.attention.linear.normaliser = normaliser;
    const Diagnosis d = diagnose(s, options);
    QVERIFY(d.no_mass.find("attention mass") != std::string::npos);
    QVERIFY(d.maps && d.maps->views.size() == 1 && d.features->denominators.empty());
    QVERIFY(std::ranges::all_of(d.inside, [](const HeadReport& r) { return r.linear_mass == 0 && r.peak_distance == 0; }));
    QVERIFY(std::ranges::any_of(d.inside, [](const HeadReport& r) { return r.exposed_share > 0 && r.teacher_mass > 0; }));
    QVERIFY(diagnosis_csv(d).find("outside,hybrid,mass") == std::string::npos);
    QCOMPARE(diagnosis_from_json(to_json(d), "test").no_mass, d.no_mass);
  }
}

QTEST_APPLESS_MAIN(TstDiagnose)
#include "tst_diagnose.moc"
