/// What a training step computes and keeps: its fused operations against plain ones, memory in bytes, reads from the device.

#include <QtTest>

#include "engine/error.h"
#include "engine/model/adapted.h"
#include "engine/model/block_ops.h"
#include "engine/model/load.h"
#include "engine/stage_step.h"
#include "engine/torch_api.h"
#include "engine/train/language_loss.h"
#include "engine/train/optimizer.h"
#include "engine/train/trainer.h"
#include "engine/workspace.h"
#include "tests/support/counted_memory.h"

using namespace engine;

namespace {

const torch::TensorOptions k_double = torch::TensorOptions().dtype(torch::kFloat64).requires_grad(true);

/// Largest difference of the gradients that two expressions of the same inputs give.
double gradient_gap(const Tensor& a, const Tensor& b, const std::vector<Tensor>& inputs) {
  const Tensor cotangent = torch::randn(a.sizes(), a.options().requires_grad(false));
  const auto left = torch::autograd::grad({a}, inputs, {cotangent}), right = torch::autograd::grad({b}, inputs, {cotangent});
  double worst = (a - b).abs().max().item<double>();
  for (std::size_t i = 0; i < inputs.size(); ++i) worst = std::max(worst, (left[i] - right[i]).abs().max().item<double>());
  return worst;
}

Recipe ssd() {
  for (const auto& preset : presets())
    if (preset.name == "ssd") return preset.recipe;
  throw std::runtime_error("no preset ssd");
}

using Tensors = std::map<std::string, Tensor>;

/// The embedded model in one stage, with `layers` blocks (its own two in turn).
struct Training {
  Recipe recipe;
  StageSpec stage;
  Workspace work;
  Tensors parameters;

  static Recipe with(Recipe r, const StageSpec& s, const std::string& dtype) {
    r.dtype = dtype;
    r.stages = {s};
    r.seed = 3;
    return r;
  }
  explicit Training(const StageSpec& s, std::int64_t layers = 2, const std::string& dtype = "float32")
      : recipe(with(ssd(), s, dtype)), stage(s), work(open_workspace(recipe)) {
    ModelConfig& c = work.model.config;
    while (std::ssize(work.model.blocks) < layers) work.model.blocks.push_back(own(work.model.blocks[work.model.blocks.size() - 2]));
    c.layers = layers;
    c.teacher_windows.assign(static_cast<std::size_t>(layers), 0);
    work.conversion = make_conversion(recipe.attention, {c.layers, c.heads, c.kv_heads, c.head_dim, c.width}, 3, work.device);
    parameters = stage_parameters(work, stage);
    for (auto& [name, t] : parameters) t.set_requires_grad(true);
    torch::NoGradGuard off;
    torch::manual_seed(5);
    for (auto& [name, t] : parameters)
      if (name.ends_with(".b")) t.normal_(0, 0.02);  // B begins at 0, and A's gradient with it
  }
  /// A block of the same values that shares no tensor.
  static Block own(Block b) {
    for (Tensor* t : {&b.attention_norm, &b.mlp_norm}) *t = t->clone();
    for (Projection* p : {&b.q, &b.k, &b.v, &b.o, &b.gate, &b.up, &b.down})
      for (Tensor* t : {&p->weight, &p->bias, &p->lora_a, &p->lora_b})
        if (t->defined()) *t = t->detach().clone();
    return b;
  }
  MicroBatch batch() const { return to_device(TextRows::builtin(recipe).batch(0, 4), work.device); }
  Tensors gradients() const {
    learn(work, recipe, stage, batch(), 1);
    Tensors found;
    for (auto& [name, t] : parameters) {
      found[name] = t.grad().clone();
      t.mutable_grad() = Tensor();
    }
    return found;
  }
};

StageSpec lora_stage() {
  StageSpec s = ssd().stages.at(1);
  s.batch_size = 4;
  return s;
}

/// Operations by which a value reaches the processor. Those inside AdamW's are not counted: its form for the processor reads
/// each parameter's count of steps, the one for a GPU does not.
struct CountedReads {
  inline static int count = 0;
  inline static bool in_optimizer = false;
  struct Inside : at::ObserverContext {
    Inside() { in_optimizer = true; }
    ~Inside() override { in_optimizer = false; }
  };
  at::CallbackHandle handle;
  CountedReads() {
    count = 0;
    handle = at::addGlobalCallback(at::RecordFunctionCallback(
        [](const at::RecordFunction& f) -> std::unique_ptr<at::ObserverContext> {
          const std::string name = f.name();
          if (name == "aten::_fused_adamw_") return std::make_unique<Inside>();
          for (const char* read : {"aten::_local_scalar_dense", "aten::item", "aten::nonzero", "aten::is_nonzero", "aten::masked_select"})
            count += !in_optimizer && name == read;
          return nullptr;
        },
        [](const at::RecordFunction&, at::ObserverContext*) {}));
  }
  ~CountedReads() { at::removeCallback(handle); }
};

}  // namespace

class TstTrainingStep : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void norm_is_its_formula() {
    const Tensor x = torch::randn({2, 5, 24}, k_double), w = torch::randn({24}, k_double);
    const Tensor plain = w * x / (x.square().mean(-1, true) + 1e-5).sqrt();
    QVERIFY(gradient_gap(rms_norm(x, w, 1e-5), plain, {x, w}) < 1e-12);
    const Tensor half = x.detach().to(torch::kBFloat16);
    QVERIFY(rms_norm(half, w.detach().to(torch::kBFloat16), 1e-5).dtype() == torch::kBFloat16);
  }

  void heads_are_turned_as_complex_numbers() {
    for (const bool own_rows : {false, true}) {
      const Tensor x = torch::randn({3, 7, 2, 10}, k_double);
      const Tensor angle = torch::randn(own_rows ? at::IntArrayRef{3, 1, 7, 5} : at::IntArrayRef{7, 5}, torch::kFloat64);
      const Tensor both = at::cat({angle, angle}, -1);
      const Tensor h = x.transpose(1, 2), a = h.narrow(-1, 0, 5), b = h.narrow(-1, 5, 5);
      const Tensor plain = at::cat({a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()}, -1);
      const Tensor turned = rotated_heads(x, {both.cos(), both.sin()});
      QVERIFY(turned.is_contiguous());
      QVERIFY(gradient_gap(turned, plain, {x}) < 1e-12);
    }
  }

  void silu_product_is_its_formula() {
    const Tensor g = torch::randn({4, 9}, k_double), u = torch::randn({4, 9}, k_double);
    QVERIFY(gradient_gap(silu_product(g, u), g * g.sigmoid() * u, {g, u}) < 1e-12);
  }

  void merged_adapters_equal_separate_products() {
    const Tensor x = torch::randn({2, 6, 12}, k_double);
    std::vector<Projection> all(3);
    std::vector<Tensor> inputs{x}, plain;
    std::vector<const Projection*> pointers;
    for (int i = 0; i < 3; ++i) {
      Projection& p = all[static_cast<std::size_t>(i)];
      p.weight = torch::randn({8 + i, 12}, torch::kFloat64);
      if (i == 1) p.bias = torch::randn({9}, torch::kFloat64);
      p.lora_a = torch::randn({2 + i, 12}, k_double), p.lora_b = torch::randn({8 + i, 2 + i}, k_double), p.lora_scale = 0.5 + i;
      QVERIFY(merges(p));
      inputs.insert(inputs.end(), {p.lora_a, p.lora_b});
      pointers.push_back(&p);
      plain.push_back(p(x, true));
    }
    const std::vector<Tensor> found = adapted(x, pointers);
    QVERIFY(gradient_gap(at::cat(found, -1), at::cat(plain, -1), inputs) < 1e-11);
    const auto one = torch::autograd::grad({adapted(x, pointers)[2].sum()}, {x}), same = torch::autograd::grad({all[2](x, true).sum()}, {x});
    QVERIFY((one[0] - same[0]).abs().max().item<double>() < 1e-11);  // outputs that nothing used have no gradient
    all[0].weight.set_requires_grad(true);
    QVERIFY(!merges(all[0]));
  }

  void vocabulary_loss_is_cross_entropy_data() {
    QTest::addColumn<int>("vocabulary");
    QTest::addColumn<bool>("weighted");
    QTest::newRow("one tile") << 11 << false;
    QTest::newRow("one tile, weighted") << 11 << true;
    QTest::newRow("three tiles, weighted") << (1 << 18) << true;
  }
  void vocabulary_loss_is_cross_entropy() {
    QFETCH(int, vocabulary);
    QFETCH(bool, weighted);
    const std::int64_t n = 130;
    const Tensor rows = torch::randn({n, 3}, k_double), head = torch::randn({vocabulary, 3}, k_double);
    const Tensor targets = torch::randint(vocabulary, {n}, torch::kInt64), weights = torch::rand({n});
    const Tensor each = at::cross_entropy_loss(rows.mm(head.t()), targets, {}, at::Reduction::None);
    const Tensor plain = (weighted ? each * weights : each).sum();
    const Tensor found = vocabulary_loss_sum(rows, head, targets, weighted ? weights : Tensor());
    QVERIFY(gradient_gap(found, plain, {rows, head}) < 1e-10);
    torch::NoGradGuard off;
    QVERIFY((vocabulary_loss_sum(rows, head, targets, weighted ? weights : Tensor()) - plain).abs().item<double>() < 1e-10);
  }

  /// Peak bytes of a step's activations, and the gradients.
  void recomputing_saves_memory_and_keeps_the_bits_data() {
    QTest::addColumn<double>("lora_dropout");
    QTest::addColumn<bool>("drops_window");
    QTest::addColumn<QString>("trainable");
    QTest::newRow("adapters") << 0.0 << false << "lora";
    QTest::newRow("window dropout") << 0.0 << true << "lora";
    QTest::newRow("adapter dropout and window dropout") << 0.2 << true << "lora";
    QTest::newRow("all weights") << 0.0 << true << "full";
  }
  void recomputing_saves_memory_and_keeps_the_bits() {
    QFETCH(double, lora_dropout);
    QFETCH(bool, drops_window);
    QFETCH(QString, trainable);
    StageSpec s = lora_stage();
    s.trainable = trainable.toStdString();
    s.lora.dropout = lora_dropout;
    s.schedule.dropout = drops_window ? std::vector<double>{0.5} : std::vector<double>{};
    s.train_feature_maps = true;
    Training t(s, 8);
    const MicroBatch batch = t.batch();
    auto peak = [&](bool recompute) {
      t.stage.recompute_activations = recompute;
      t.gradients();
      return support::peak_bytes([&] { learn(t.work, t.recipe, t.stage, batch, 1); });
    };
    const auto kept = peak(false);
    const Tensors plain = (t.gradients(), t.gradients());
    const auto again = peak(true);
    t.gradients();
    const Tensors recomputed = t.gradients();
    for (const auto& [name, g] : plain) {
      QVERIFY2(g.abs().max().item<double>() > 0, name.c_str());
      QVERIFY2(torch::equal(g, recomputed.at(name)), name.c_str());
    }
    QVERIFY2(again < kept / 2, qPrintable(QString("%1 bytes recomputed, %2 kept").arg(again).arg(kept)));
  }

  void fine_tuning_keeps_nothing_for_frozen_weights() {
    StageSpec s = lora_stage();
    s.train_feature_maps = false;
    Training t(s);
    AdamW optimizer(t.parameters, 0);
    learn(t.work, t.recipe, t.stage, t.batch(), 1);
    optimizer.step(1e-4);
    for (auto& [name, weight] : t.work.model.weights()) QVERIFY2(!weight->requires_grad() && !weight->grad().defined(), name.c_str());
    for (auto& [name, map] : t.work.conversion.tensors()) QVERIFY2(!map.requires_grad() && !map.grad().defined(), name.c_str());
    std::int64_t state = 0;
    for (const auto& [name, tensor] : optimizer.state()) {
      QVERIFY2(name.substr(2).starts_with("lora."), name.c_str());
      state += tensor.numel();
    }
    std::int64_t adapters = 0;
    for (const auto& [name, tensor] : lora_tensors(t.work.model)) adapters += tensor.numel() * 2 + 1;
    QCOMPARE(state, adapters);
  }

  void weights_that_train_in_bfloat16_are_float32() {
    StageSpec s = lora_stage();
    s.trainable = "full";
    Training wide(s), narrow(s, 2, "bfloat16");
    const MicroBatch batch = narrow.batch();
    QVERIFY(narrow.work.model.hidden(batch.ids, nullptr, {}).dtype() == torch::kBFloat16);
    const Tensors expected = wide.gradients(), found = narrow.gradients();
    for (const auto& [name, g] : expected) {
      QVERIFY2(narrow.parameters.at(name).dtype() == torch::kFloat32 && found.at(name).dtype() == torch::kFloat32, name.c_str());
      const double error = ((found.at(name) - g).norm() / g.norm()).item<double>();
      QVERIFY2(error < 0.1, (name + " is off by " + std::to_string(error)).c_str());
    }
  }

  void transfer_keeps_one_layer() {
    for (const char* objective : {"attention-weights", "attention-outputs", "hybrid-outputs"}) {
      auto peak = [&](std::int64_t layers) {
        StageSpec s = ssd().stages.at(0);
        s.objective = objective;
        Training t(s, layers);
        const MicroBatch batch = t.batch();
        learn(t.work, t.recipe, t.stage, batch, 1);  // the gradients themselves have their memory now
        return support::peak_bytes([&] { learn(t.work, t.recipe, t.stage, batch, 1); });
      };
      const auto two = peak(2), eight = peak(8);
      QVERIFY2(eight < two * 1.05, qPrintable(QString("%1: %2 bytes for 2 layers, %3 for 8").arg(objective).arg(two).arg(eight)));
    }
  }

  void steps_that_do_not_log_read_nothing_data() {
    QTest::addColumn<bool>("transfer");
    QTest::newRow("transfer") << true;
    QTest::newRow("fine-tuning") << false;
  }
  void steps_that_do_not_log_read_nothing() {
    QFETCH(bool, transfer);
    StageSpec s = transfer ? ssd().stages.at(0) : lora_stage();
    s.schedule.dropout = {};  // its draws are made and looked at on the processor
    s.clip_norm = 1;
    s.batch_size = 2;
    Training t(s);
    std::vector<int> reads;
    std::vector<std::int64_t> logged;
    run(t, 6, 3, [&](const MicroBatch& b, double share) {
      reads.push_back(CountedReads::count);
      return learn(t.work, t.recipe, t.stage, b, share);
    }, &logged);
    QCOMPARE(logged, (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}));  // read together, none left out
    QCOMPARE(reads.size(), std::size_t{6});
    QCOMPARE(reads, std::vector<int>(6, reads[0]));  // the log's own transfer is no such operation
  }

  void a_step_that_is_not_finite_is_never_applied() {
    StageSpec s = lora_stage();
    s.batch_size = 2;
    Training t(s);
    Tensors after_two;
    int step = 0;
    auto learn_badly = [&](const MicroBatch& b, double share) {
      if (++step == 3)
        for (const auto& [name, p] : t.parameters) after_two[name] = p.detach().clone();
      MicroLoss loss = learn(t.work, t.recipe, t.stage, b, share);
      if (step == 3) loss.total = loss.total * std::nan("");
      return loss;
    };
    try {
      run(t, 6, 6, learn_badly, nullptr);
      QFAIL("the loss was not looked at");
    } catch (const InputError& e) {
      QVERIFY2(QString(e.what()).contains("step 3: the loss is not finite"), e.what());
    }
    QCOMPARE(step, 6);
    for (const auto& [name, p] : t.parameters) QVERIFY2(torch::equal(p, after_two.at(name)), name.c_str());
  }

 private:
  static void run(Training& t, std::int64_t steps, std::int64_t log_every, std::function<MicroLoss(const MicroBatch&, double)> learn_one,
                  std::vector<std::int64_t>* logged) {
    t.recipe.log_every = log_every;
    t.recipe.evaluation.every = 0;
    t.recipe.stages[0].epochs = 1;
    t.recipe.stages[0].accumulation = 1;
    t.recipe.stages[0].batch_size = 2;
    t.recipe.stages[0].tokens_per_epoch = steps * 2 * t.recipe.data.sequence_length;
    QCOMPARE(steps_per_epoch(t.recipe, t.recipe.stages[0]), steps);
    const TextRows rows = TextRows::builtin(t.recipe);
    AdamW optimizer(t.parameters, 0);
    const Emit emit = [&](const auto& e) {
      const auto* points = std::get_if<Points>(&e);
      if (points && logged) logged->push_back(points->step);
    };
    const CountedReads counted;
    StageState state;
    run_stage({t.recipe, t.recipe.stages[0], 0, 0, 0, t.work.device, rows, optimizer, std::move(learn_one),
               [] { return std::map<std::string, double>{}; }, [] { return false; }, [](const char*) {}, [] {}, emit, {}},
              state);
  }
};

QTEST_APPLESS_MAIN(TstTrainingStep)
#include "tst_training_step.moc"
