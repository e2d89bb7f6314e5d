#include <QtTest>
#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "engine/interop/foreign_recipe.h"

using namespace engine;

namespace {

ForeignFile golden(const std::string& name) {
  const std::string path = std::string(EQUIPOISE_SOURCE_DIR) + "/tests/golden/foreign/" + name;
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return {name, text.str()};
}

ForeignFile changed(ForeignFile file, const std::string& from, const std::string& to) {
  const auto at = file.text.find(from);
  if (at == std::string::npos) qFatal("the fixture lacks %s", from.c_str());
  file.text.replace(at, from.size(), to);
  return file;
}

const ForeignField& field(const ForeignRecipe& read, const std::string& file,
                          const std::string& path) {
  const auto found = std::ranges::find_if(
      read.fields, [&](const auto& f) { return f.file == file && f.path == path; });
  if (found == read.fields.end()) qFatal("no field %s", path.c_str());
  return *found;
}

QByteArray all_of(const std::vector<Problem>& problems) {
  QByteArray text;
  for (const auto& p : problems)
    text += QByteArray::fromStdString(p.path + ": " + p.message + "\n");
  return text;
}

}  // namespace

class TstForeignRecipe : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void lolcats_files_give_one_recipe();
  void every_field_is_answered_for();
  void variants_of_attention_data();
  void variants_of_attention();
  void feature_maps_keep_what_their_code_does();
  void objectives_follow_the_two_factors();
  void liger_gives_its_conversion_and_one_stage();
  void what_cannot_be_read_is_a_problem_data();
  void what_cannot_be_read_is_a_problem();
  void the_recipe_comes_back_from_its_yaml();
};

void TstForeignRecipe::lolcats_files_give_one_recipe() {
  // The order of the files does not matter: a transfer comes before fine-tuning.
  const auto read =
      read_foreign_recipe({golden("lolcats_finetune.yaml"), golden("lolcats_model.yaml"),
                           golden("lolcats_distill.yaml")});
  QVERIFY2(read.problems.empty(), all_of(read.problems));
  const Recipe& r = read.recipe;
  QCOMPARE(r.model, std::string("some/llama"));
  QCOMPARE(r.dtype, std::string("bfloat16"));
  QCOMPARE(r.data.path, std::string("some/texts"));
  QCOMPARE(r.data.sequence_length, 512);
  QCOMPARE(r.data.packing, std::string("packed"));
  QCOMPARE(r.data.validation_rows, 20);
  QCOMPARE(r.seed, 42);
  const AttentionSpec& a = r.attention;
  QCOMPARE(a.window, 48);
  QCOMPARE(a.window_layout, std::string("terraced-as-published"));
  QCOMPARE(a.softmax_layers, (std::vector<std::int64_t>{3, 7}));
  QCOMPARE(a.mixing.kind, std::string("shared-denominator"));
  QCOMPARE(a.mixing.weight, 0.1);
  QVERIFY(a.mixing.trainable && a.mixing.affine);
  QCOMPARE(a.feature_map.activation, std::string("softmax"));
  QVERIFY(a.feature_map.negation && !a.feature_map.bias && !a.feature_map.tied &&
          a.feature_map.learned);
  QCOMPARE(a.feature_map.size, std::string("32"));
  QCOMPARE(a.feature_map.start, std::string("identity"));
  QCOMPARE(a.feature_map.init_noise, 0.0);
  QCOMPARE(r.stages.size(), 2u);
  const StageSpec& t = r.stages[0];
  QCOMPARE(t.kind, std::string("transfer"));
  QCOMPARE(t.objective, std::string("hybrid-outputs"));
  QCOMPARE(t.output_loss_scale, 500.0);
  QCOMPARE(t.weights_loss_scale, 2.0);
  QCOMPARE(t.epochs, 3);
  QCOMPARE(t.batch_size, 2);
  QCOMPARE(t.accumulation, 4);
  QCOMPARE(t.learning_rate, 0.02);
  QCOMPARE(t.weight_decay, 0.001);
  QCOMPARE(t.lr_schedule.kind, std::string("plateau"));
  QCOMPARE(t.lr_schedule.unit, std::string("evaluations"));
  QCOMPARE(t.lr_schedule.factor, 0.2);
  QCOMPARE(t.lr_schedule.patience, 7);
  QCOMPARE(t.lr_schedule.floor, 2e-5);
  QCOMPARE(t.early_stopping.metric, std::string("validation/loss"));
  QCOMPARE(t.early_stopping.hand_on, std::string("best"));
  const StageSpec& f = r.stages[1];
  QCOMPARE(f.kind, std::string("finetune"));
  QCOMPARE(f.component, std::string("hybrid"));
  QCOMPARE(f.trainable, std::string("lora"));
  QCOMPARE(f.lora.rank, 4);
  QCOMPARE(f.lora.alpha, 12.0);
  QCOMPARE(f.lora.dropout, 0.05);
  QCOMPARE(f.lora.targets, (std::vector<std::string>{"q", "v", "up"}));
  QVERIFY(f.train_feature_maps);
  QCOMPARE(f.learning_rate, 1e-4);
  QCOMPARE(f.lr_schedule.kind, std::string("cosine"));
  QCOMPARE(f.lr_schedule.warmup_steps, 30);
  QVERIFY(f.early_stopping.metric.empty());
  QVERIFY2(read.unsettled.empty(), all_of(read.unsettled));
}

void TstForeignRecipe::every_field_is_answered_for() {
  const std::vector<ForeignFile> files = {golden("lolcats_model.yaml"),
                                          golden("lolcats_distill.yaml"),
                                          golden("lolcats_finetune.yaml")};
  const auto read = read_foreign_recipe(files);
  for (const auto& f : read.fields) {
    QVERIFY2(f.reading == Reading::understood || !f.why.empty(), f.path.c_str());
    QVERIFY2(f.reading != Reading::ignored || f.became.empty(), f.path.c_str());
    QVERIFY2(f.reading != Reading::understood || !f.became.empty() || !f.why.empty(),
             f.path.c_str());
  }
  const std::string model = "lolcats_model.yaml", distill = "lolcats_distill.yaml",
                    tune = "lolcats_finetune.yaml";
  QCOMPARE(field(read, model, "attention.window_size").became,
           std::string("attention.window = 48"));
  QVERIFY(field(read, model, "attention.window_size").reading == Reading::understood);
  QVERIFY(field(read, model, "attention.state_chunk_len").reading == Reading::ignored);
  QVERIFY(field(read, model, "attention.learned_kernel_kwargs.zero_init").reading ==
          Reading::ambiguous);
  QVERIFY(field(read, model, "model.pretrained_model_name_or_path").reading == Reading::ambiguous);
  QVERIFY(field(read, model, "model.rope_scaling.factor").reading == Reading::ignored);
  QVERIFY(field(read, distill, "trainer.reverse_kl").reading == Reading::ignored);
  QVERIFY(field(read, distill, "dataset.dataset_config.path").reading == Reading::ambiguous);
  QCOMPARE(field(read, tune, "trainer.mystery_switch").reading, Reading::ignored);
  // Two stages, one evaluation interval: the later file's counts, and that is said.
  QCOMPARE(read.recipe.evaluation.every, 100);
  QVERIFY(field(read, tune, "trainer.eval_steps").reading == Reading::ambiguous);
  std::set<std::string> paths;
  for (const auto& f : read.fields)
    if (f.file == tune && f.path != "(code)") QVERIFY2(paths.insert(f.path).second, f.path.c_str());
  QCOMPARE(paths.size(), 25u);  // leaves of the file
}

void TstForeignRecipe::variants_of_attention_data() {
  QTest::addColumn<QString>("type");
  QTest::addColumn<QString>("layout");
  QTest::addColumn<bool>("sure");
  QTest::newRow("sw") << "lolcats_llama_window_sw"
                      << "sliding" << true;
  QTest::newRow("sw linear") << "lolcats_llama_window_sw_linear"
                             << "sliding" << false;
  QTest::newRow("tk long") << "lolcats_long_llama_window_tk"
                           << "terraced-as-published" << false;
}

void TstForeignRecipe::variants_of_attention() {
  QFETCH(QString, type);
  QFETCH(QString, layout);
  QFETCH(bool, sure);
  const auto read = read_foreign_recipe(
      {changed(golden("lolcats_model.yaml"), "lolcats_llama_window_tk", type.toStdString())});
  QVERIFY2(read.problems.empty(), all_of(read.problems));
  QCOMPARE(QString::fromStdString(read.recipe.attention.window_layout), layout);
  QCOMPARE(read.recipe.attention.mixing.kind, std::string("shared-denominator"));
  QCOMPARE(
      field(read, "lolcats_model.yaml", "attention.attention_type").reading == Reading::understood,
      sure);
}

void TstForeignRecipe::feature_maps_keep_what_their_code_does() {
  auto relu = changed(golden("lolcats_model.yaml"), "softmax_dim", "relu");
  relu = changed(changed(relu, "bias: false", "bias: true"), "lolcats_llama_window_tk",
                 "lolcats_llama");
  const auto t2r =
      read_foreign_recipe({relu, golden("lolcats_distill.yaml"), golden("lolcats_finetune.yaml")});
  QVERIFY2(t2r.problems.empty(), all_of(t2r.problems));
  const auto& m = t2r.recipe.attention.feature_map;
  QCOMPARE(m.activation, std::string("relu"));
  QVERIFY(!m.negation && m.bias);  // fullspace: true has no effect on relu
  QCOMPARE(m.bias_size, std::string("head"));
  // Linear attention alone: its outputs are matched, and it is what the stage trains.
  QCOMPARE(t2r.recipe.stages[0].objective, std::string("attention-outputs"));
  QCOMPARE(t2r.recipe.stages[1].component, std::string("linear"));
  QCOMPARE(t2r.recipe.attention.mixing.kind, std::string("fixed"));

  const auto exponential =
      read_foreign_recipe({changed(golden("lolcats_model.yaml"), "softmax_dim", "exp_dim")});
  QCOMPARE(exponential.recipe.attention.feature_map.activation, std::string("exp"));
  QCOMPARE(exponential.recipe.attention.feature_map.exp_shift, std::string("row"));
  const auto half = read_foreign_recipe(
      {changed(golden("lolcats_model.yaml"), "fullspace: true", "fullspace: false")});
  QVERIFY(!half.recipe.attention.feature_map.negation);
}

void TstForeignRecipe::objectives_follow_the_two_factors() {
  auto objective = [](const std::string& mse, const std::string& xent) {
    auto file =
        changed(changed(golden("lolcats_distill.yaml"), "mse_factor: 500", "mse_factor: " + mse),
                "xent_factor: 2", "xent_factor: " + xent);
    return read_foreign_recipe({golden("lolcats_model.yaml"), file}).recipe.stages.at(0);
  };
  QCOMPARE(objective("1000", "0").objective, std::string("hybrid-outputs"));
  QCOMPARE(objective("1000", "0").weights_loss_scale, 0.0);
  QCOMPARE(objective("0", "1").objective, std::string("attention-weights"));
}

void TstForeignRecipe::liger_gives_its_conversion_and_one_stage() {
  const auto read = read_foreign_recipe({golden("liger.yaml")});
  QVERIFY2(read.problems.empty(), all_of(read.problems));
  const Recipe& r = read.recipe;
  QCOMPARE(r.attention.mixing.kind, std::string("gla"));
  QCOMPARE(r.attention.mixing.weight, 0.5);
  QCOMPARE(r.attention.linear_context, std::string("overlap"));
  QCOMPARE(r.attention.linear.normaliser, std::string("none"));
  QCOMPARE(r.attention.feature_map.preset, std::string("liger"));
  QVERIFY(!r.attention.feature_map.learned);
  QCOMPARE(r.attention.feature_map.rope, std::string("none"));
  QCOMPARE(r.data.sequence_length, 768);
  QCOMPARE(r.data.validation_rows, 150);
  QCOMPARE(r.evaluation.every, 200);
  QCOMPARE(r.stages.size(), 1u);
  const StageSpec& s = r.stages[0];
  QCOMPARE(s.kind, std::string("finetune"));
  QCOMPARE(s.batch_size, 3);
  QCOMPARE(s.accumulation, 4);
  QCOMPARE(s.learning_rate, 0.002);
  QCOMPARE(s.epochs, 4);
  QCOMPARE(s.lora.targets, (std::vector<std::string>{"q", "k", "v"}));
  QCOMPARE(s.lora.rank, 8);
  QCOMPARE(s.lora.alpha, 8.0);
  QCOMPARE(s.clip_norm, 0.0);
  QVERIFY(field(read, "liger.yaml", "train.max_grad_norm").reading == Reading::ignored);

  const auto own = read_foreign_recipe({changed(golden("liger.yaml"), "liger_gla", "lolcats_ar")});
  QCOMPARE(own.recipe.attention.mixing.kind, std::string("shared-denominator"));
  QVERIFY(!own.recipe.attention.mixing.trainable);
  QCOMPARE(own.recipe.attention.linear.epsilon, 1e-6);
}

void TstForeignRecipe::what_cannot_be_read_is_a_problem_data() {
  QTest::addColumn<QString>("text");
  QTest::addColumn<QString>("word");
  QTest::newRow("nothing known") << "a: 1\n"
                                 << "neither";
  QTest::newRow("no map") << "- 1\n"
                          << "at the top";
  QTest::newRow("broken") << "attention: {attention_type: [\n"
                          << "x.yaml: line";
  QTest::newRow("deep") << QString("a: ") + QString("[").repeated(5000) << "nested too deeply";
  QTest::newRow("attention") << "attention: {attention_type: mamba, feature_map: softmax_dim}\n"
                             << "mamba";
  QTest::newRow("map") << "attention: {attention_type: lolcats_llama, feature_map: cosine}\n"
                       << "cosine";
  QTest::newRow("kernel") << "attention: {attention_type: lolcats_llama, feature_map: relu, "
                             "learned_kernel: untied_head_adapter}\n"
                          << "untied_head_adapter";
  QTest::newRow("liger") << "model: {name: liger_gsa}\ntrain: {lr: 1}\n"
                         << "liger_gsa";
}

void TstForeignRecipe::what_cannot_be_read_is_a_problem() {
  QFETCH(QString, text);
  QFETCH(QString, word);
  const auto read = read_foreign_recipe({{"x.yaml", text.toStdString()}});
  QVERIFY2(all_of(read.problems).contains(word.toUtf8()), all_of(read.problems));
}

void TstForeignRecipe::the_recipe_comes_back_from_its_yaml() {
  for (const auto& files :
       {std::vector{golden("lolcats_model.yaml"), golden("lolcats_distill.yaml"),
                    golden("lolcats_finetune.yaml")},
        std::vector{golden("liger.yaml")}}) {
    const Recipe r = read_foreign_recipe(files).recipe;
    const auto parsed = parse_recipe(to_yaml(r));
    QVERIFY2(parsed.problems.empty(), all_of(parsed.problems));
    QCOMPARE(to_resolved_yaml(parsed.recipe), to_resolved_yaml(r));
  }
}

QTEST_APPLESS_MAIN(TstForeignRecipe)
#include "tst_foreign_recipe.moc"
