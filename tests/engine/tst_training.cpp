#include <QtTest>
#include <filesystem>
#include <fstream>

#include "engine/convert/transfer.h"
#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/torch_api.h"
#include "engine/train/checkpoint.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedules.h"
#include "tests/support/temp_dir.h"

using namespace engine;

class TstTraining : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void weights_loss_by_tiles_equals_the_whole_matrix();
  void outputs_losses_are_mean_squared_errors();
  void adamw_matches_its_formula();
  void dropout_frequency_and_granularity_are_as_configured();
  void plateau_lowers_the_rate_after_patience();
  void plateau_may_count_epochs();
  void a_sum_of_metrics_needs_each_of_them();
  void adapter_dropout_is_drawn_from_its_place();
  void early_stopping_counts_evaluations();
  void checkpoint_comes_back_bit_for_bit_and_damage_is_named();
  void non_finite_tensors_are_not_kept();
  void lora_counts_llama_3_8b();
};

void TstTraining::weights_loss_by_tiles_equals_the_whole_matrix() {
  AttentionSpec spec = presets()[0].recipe.attention;
  spec.feature_map.size = "half";
  const Conversion c = make_conversion(spec, {1, 4, 4, 16}, 3, torch::kCPU);
  const std::int64_t length = 300;  // more than one tile
  const Tensor q = torch::randn({2, 4, length, 16}, torch::kFloat64), k = torch::randn({2, 2, length, 16}, torch::kFloat64),
               v = torch::randn({2, 2, length, 16}, torch::kFloat64);
  Tensor valid = torch::ones({2, length}, torch::kFloat64);
  valid[1].narrow(0, 120, length - 120).zero_();
  for (auto& [name, t] : c.tensors()) t.set_requires_grad(true);
  const Tensor loss = transfer_layer_loss(q, k, v, valid, c.call(0), {TransferObjective::attention_weights, 1}, 0.5);
  std::map<std::string, Tensor> tiled;
  for (auto& [name, t] : c.tensors()) {
    tiled[name] = t.grad().clone();
    t.mutable_grad() = Tensor();
  }
  const Tensor kk = k.repeat_interleave(2, 1), past = torch::ones({length, length}).tril().to(torch::kBool);
  const Tensor a = (q.matmul(kk.transpose(-1, -2)) / 4).masked_fill(past.logical_not(), -1e300).softmax(-1);
  const Tensor l = c.layers[0].query_map(q, 4).matmul(c.layers[0].key_map(kk, 4).transpose(-1, -2)).masked_fill(past.logical_not(), 0.0);
  const Tensor rows = -(a * (l / l.sum(-1, true)).clamp_min(1e-12).log()).sum(-1);
  const Tensor expected = (rows * valid.unsqueeze(1)).sum() / (valid.sum() * 4);
  QVERIFY((loss - expected).abs().item<double>() < 1e-10);
  (expected * 0.5).backward();
  for (auto& [name, t] : c.tensors()) QVERIFY2((tiled[name] - t.grad()).abs().max().item<double>() < 1e-6, name.c_str());
}

void TstTraining::outputs_losses_are_mean_squared_errors() {
  const Conversion c = make_conversion(presets()[0].recipe.attention, {1, 4, 4, 16}, 3, torch::kCPU);
  const Tensor q = torch::randn({2, 4, 90, 16}), k = torch::randn({2, 4, 90, 16}), v = torch::randn({2, 4, 90, 16});
  const Tensor valid = torch::ones({2, 90});
  AttentionCall call = c.call(0);
  const Tensor teacher = hybrid_attention(q, k, v, call);
  for (auto [objective, component] : {std::pair{TransferObjective::attention_outputs, Component::linear},
                                      std::pair{TransferObjective::hybrid_outputs, Component::hybrid}}) {
    call.component = component;
    const double expected = 1000 * (hybrid_attention(q, k, v, call) - teacher).square().mean().item<double>();
    const double found = transfer_layer_loss(q, k, v, valid, c.call(0), {objective, 1000}, 0).item<double>();
    QVERIFY(std::abs(found / expected - 1) < 1e-5);
  }
}

void TstTraining::adamw_matches_its_formula() {
  Tensor p = torch::tensor({1.0, -2.0, 3.0}, torch::kFloat64).requires_grad_(true);
  AdamW optimizer({{"p", p}}, 0.1);
  double x = -2.0, m = 0, v = 0;
  for (int t = 1; t <= 5; ++t) {
    optimizer.zero_grad();
    (p * p * p).sum().backward();
    const double g = 3 * x * x;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    x = x * (1 - 0.01 * 0.1) - 0.01 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
    optimizer.step(0.01);
    QVERIFY(std::abs(p[1].item<double>() - x) < 1e-9);
  }
}

void TstTraining::dropout_frequency_and_granularity_are_as_configured() {
  ScheduleSpec s;
  double dropped = 0;
  const int steps = 2000;
  for (int step = 0; step < steps; ++step) {
    const Tensor mask = dropout_mask(s, 0.75, 1, step, 0, 2, 4, 3);
    QVERIFY(mask.eq(mask.select(0, 0).select(1, 0).view({1, 4, 1})).all().item<bool>());  // a sequence as a whole
    dropped += mask.to(torch::kFloat64).mean().item<double>();
  }
  QVERIFY(std::abs(dropped / steps - 0.75) < 4 * std::sqrt(0.75 * 0.25 / (4.0 * steps)));
  QVERIFY(torch::equal(dropout_mask(s, 0.5, 1, 7, 1, 2, 4, 3), dropout_mask(s, 0.5, 1, 7, 1, 2, 4, 3)));
  s.drop = "step";
  const Tensor whole = dropout_mask(s, 0.5, 1, 7, 0, 2, 4, 3);
  QVERIFY(whole.all().item<bool>() || !whole.any().item<bool>());
  s.drop = "layer";
  const Tensor layers = dropout_mask(s, 0.5, 1, 7, 0, 64, 4, 3);
  QVERIFY(layers.eq(layers.select(1, 0).select(1, 0).view({64, 1, 1})).all().item<bool>());
  QVERIFY(layers.any().item<bool>() && !layers.all().item<bool>());
  QVERIFY(!dropout_mask(s, 0, 1, 7, 0, 2, 4, 3).defined());
}

void TstTraining::plateau_lowers_the_rate_after_patience() {
  StageSpec s;
  s.learning_rate = 0.1;
  s.lr_schedule.patience = 2;
  StageState state;
  for (double loss : {3.0, 2.0, 2.0, 2.0}) note_validation(s, state, loss, false);
  QCOMPARE(learning_rate_at(s, state, 100), 0.1);
  note_validation(s, state, 2.0, false);
  QVERIFY(std::abs(learning_rate_at(s, state, 100) - 0.01) < 1e-12);
}

void TstTraining::plateau_may_count_epochs() {
  StageSpec s;
  s.learning_rate = 0.1;
  s.lr_schedule.patience = 1;
  s.lr_schedule.unit = "epochs";
  StageState state;
  for (int i = 0; i < 10; ++i) note_validation(s, state, 2.0, false);
  for (int i = 0; i < 2; ++i) note_validation(s, state, 2.0, true);
  QCOMPARE(learning_rate_at(s, state, 100), 0.1);
  note_validation(s, state, 2.0, true);
  QVERIFY(std::abs(learning_rate_at(s, state, 100) - 0.01) < 1e-12);
}

void TstTraining::a_sum_of_metrics_needs_each_of_them() {
  const std::map<std::string, double> metrics{{"accuracy/hybrid", 0.5}, {"delta_la_na", 0.25}, {"validation/loss", 2}};
  QCOMPARE(sum_of_metrics("accuracy/hybrid + delta_la_na", metrics), std::optional(0.75));
  QCOMPARE(sum_of_metrics("validation/loss", metrics), std::optional(2.0));
  QVERIFY(!sum_of_metrics("accuracy/hybrid + delta_h_swa", metrics));
  QVERIFY(!sum_of_metrics("", metrics));
}

void TstTraining::adapter_dropout_is_drawn_from_its_place() {
  torch::manual_seed(1);
  Projection p;
  p.weight = torch::zeros({6, 64});
  p.lora_a = torch::eye(6, 64), p.lora_b = torch::eye(6), p.lora_scale = 1;
  const Tensor x = torch::ones({50, 40, 64});
  const AdapterDropout dropout{0.25, 9};
  AdapterUse use = true;
  use.dropout = &dropout;
  const Tensor y = p(x, use.at(1));
  QVERIFY(torch::equal(y, p(x, use.at(1))));
  QVERIFY(!torch::equal(y, p(x, use.at(2))));
  const double dropped = y.eq(0).to(torch::kFloat64).mean().item<double>();
  QVERIFY(std::abs(dropped - 0.25) < 4 * std::sqrt(0.25 * 0.75 / 12000));
  QVERIFY(std::abs(y.mean().item<double>() - 1) < 0.03);  // what stays is scaled up
  QVERIFY(torch::equal(p(x, false), torch::zeros_like(y)));
}

void TstTraining::early_stopping_counts_evaluations() {
  StageSpec s;
  s.early_stopping.metric = "delta_la_na";
  StageState state;
  QVERIFY(note_metric(s, state, 0.1));
  QVERIFY(!note_metric(s, state, 0.05));
  QVERIFY(note_metric(s, state, 0.2));
  QCOMPARE(state.stop_bad, std::int64_t{0});
}

void TstTraining::checkpoint_comes_back_bit_for_bit_and_damage_is_named() {
  const support::TempDir dir;
  CheckpointData data;
  data.recipe_hash = "abc";
  data.state.step = 7;
  data.trained = {{"maps.0.q.weight", torch::randn({2, 3})}, {"half", torch::randn({5}).to(torch::kBFloat16)}};
  data.optimizer = {{"t.x", torch::tensor(3.0F)}};
  save_checkpoint(dir.path() / "step-7", data);
  const CheckpointData back = load_checkpoint(dir.path() / "step-7");
  QCOMPARE(back.state.step, std::int64_t{7});
  QCOMPARE(back.state.plateau_best, data.state.plateau_best);  // an infinity
  for (const auto& [name, t] : data.trained) QVERIFY(torch::equal(back.trained.at(name), t));
  const auto file = dir.path() / "step-7" / "trained.safetensors";
  std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
  out.seekp(-1, std::ios::end);
  out.put('\x55');
  out.close();
  try {
    load_checkpoint(dir.path() / "step-7");
    QFAIL("damage was not seen");
  } catch (const InputError& e) {
    QVERIFY(QString(e.what()).contains("trained.safetensors"));
  }
}

void TstTraining::non_finite_tensors_are_not_kept() {
  const support::TempDir dir;
  CheckpointData data;
  data.trained = {{"x", torch::tensor({1.0F, std::nanf("")})}};
  QVERIFY_EXCEPTION_THROWN(save_checkpoint(dir.path() / "c", data), InputError);
  QVERIFY(!std::filesystem::exists(dir.path() / "c"));
}

void TstTraining::lora_counts_llama_3_8b() {
  ModelConfig c;
  c.width = 4096, c.layers = 32, c.heads = 32, c.kv_heads = 8, c.head_dim = 128, c.mlp_width = 14336, c.vocabulary = 8;
  Model m = make_model(c);
  const auto meta = torch::TensorOptions().dtype(torch::kFloat32);
  for (auto& b : m.blocks) {
    b.q.weight = torch::empty({1}, meta).expand({4096, 4096});
    b.k.weight = b.v.weight = torch::empty({1}, meta).expand({1024, 4096});
    b.o.weight = b.q.weight;
  }
  add_lora(m, LoraSpec{}, 0);
  std::int64_t count = 0;
  for (const auto& [name, t] : lora_tensors(m)) count += t.numel();
  QCOMPARE(count, std::int64_t{6815744});
}

QTEST_APPLESS_MAIN(TstTraining)
#include "tst_training.moc"
