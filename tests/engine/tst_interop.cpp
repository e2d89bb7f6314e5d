#include <signal.h>
#include <sys/resource.h>

#include <QtTest>
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/data/json.h"
#include "engine/error.h"
#include "engine/interop/export.h"
#include "engine/interop/hybrid_settings.h"
#include "engine/interop/trained.h"
#include "engine/interop/trained_files.h"
#include "engine/model/load.h"
#include "engine/model/safetensors.h"
#include "engine/torch_api.h"
#include "engine/train/checkpoint.h"
#include "engine/workspace.h"
#include "tests/support/temp_dir.h"

using namespace engine;
using support::TempDir;
namespace fs = std::filesystem;

namespace {

Recipe recipe_for(const std::string& model, const std::string& trainable) {
  Recipe r;
  r.name = "for-export";
  r.model = model;
  r.device = "cpu";
  r.dtype = "float32";
  r.attention.feature_map.size = "16";
  r.attention.mixing.kind = "learned";
  StageSpec s = StageSpec{};
  s.kind = "finetune";
  s.trainable = trainable;
  s.lora.rank = 4;
  s.lora.alpha = 12;
  s.lora.targets = {"q", "o", "up"};
  r.stages = {s};
  return r;
}

/// A run's checkpoint whose trained tensors all moved, and its softmax logits with adapters.
struct Trained {
  Recipe recipe;
  fs::path checkpoint;
  Workspace work;
  Tensor ids, logits;

  Trained(const fs::path& dir, Recipe r)
      : recipe(std::move(r)), checkpoint(dir / "checkpoint"), work(open_workspace(recipe)) {
    torch::manual_seed(4);
    torch::NoGradGuard off;
    for (auto& [name, tensor] : work.trained(recipe)) {
      Tensor moved = tensor;
      moved.add_(torch::randn_like(tensor) * 0.05);
    }
    CheckpointData data;
    data.state.step = 12;
    data.recipe_hash = recipe_hash(recipe);
    data.trained = work.trained(recipe);
    save_checkpoint(checkpoint, data);
    ids = torch::arange(3, 43).unsqueeze(0);
    ForwardOptions options;
    options.component = Component::swa;  // a window longer than the text is softmax, with adapters
    options.window = 4096;
    logits = work.model.logits(work.model.hidden(ids, &work.conversion, options));
  }
  Subject subject() const { return {recipe, checkpoint}; }
};

Tensor softmax_logits(const fs::path& folder, const Tensor& ids) {
  torch::NoGradGuard off;
  const Model model = load_model(folder.string(), torch::kFloat32, torch::kCPU);
  return model.logits(model.hidden(ids, nullptr, {}));
}

double difference(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

QString error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& e) {
    return QString::fromUtf8(e.what());
  }
  return {};
}

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

/// The embedded model in another dtype, in two shards.
fs::path sharded(const fs::path& folder, torch::Dtype dtype) {
  const fs::path tiny = model_folder("builtin:tiny");
  fs::create_directories(folder);
  for (const char* name : {"config.json", "tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(tiny / name, folder / name);
  const std::string names[] = {"model-00001-of-00002.safetensors",
                               "model-00002-of-00002.safetensors"};
  std::map<std::string, Tensor> parts[2];
  Json map = Json::object();
  for (const auto& [name, tensor] : read_tensors(tiny / "model.safetensors")) {
    const std::size_t part = name.find("layers.1") != name.npos;
    parts[part][name] = tensor.to(dtype);
    map[name] = names[part];
  }
  for (int i = 0; i < 2; ++i) write_tensors(folder / names[i], parts[i]);
  std::ofstream(folder / "model.safetensors.index.json")
      << Json{{"metadata", {{"total_size", 1}}}, {"weight_map", map}}.dump();
  return folder;
}

std::map<std::string, Tensor> lolcats_layer(int layer, const std::string& prefix = "") {
  const std::string at = prefix + "model.layers." + std::to_string(layer) + ".self_attn.";
  return {{at + "feature_map_q.mlp.layer", torch::randn({4, 32, 8}).to(torch::kBFloat16)},
          {at + "feature_map_k.mlp.layer", torch::randn({4, 32, 8}).to(torch::kBFloat16)},
          {at + "window_factors", torch::full({1, 4, 1, 1}, -2.1875).to(torch::kBFloat16)}};
}

}  // namespace

class TstInterop : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void merged_weights_give_the_adapters_logits();
  void without_merge_the_weights_stay_and_peft_has_the_rest();
  void merging_rounds_once_to_the_stored_type_and_keeps_shards();
  void weights_that_a_run_trained_are_exported();
  void a_recipe_comes_back_from_the_folder();
  void a_folder_is_there_whole_or_not_at_all();
  void a_checkpoint_of_another_model_is_refused();
  void lolcats_checkpoints_get_our_names();
  void peft_adapters_get_our_names();
  void several_checkpoints_become_one_file();
  void bad_files_are_refused_data();
  void bad_files_are_refused();
  void pickles_are_refused_with_the_way_out();
};

void TstInterop::merged_weights_give_the_adapters_logits() {
  const TempDir dir;
  const Trained run(dir.path(), recipe_for("builtin:tiny", "lora"));
  const ExportReport report = export_model(run.subject(), {dir / "out", true, "r"});
  QCOMPARE(report.adapters, 6);  // three targets in two layers
  QVERIFY(!fs::exists(dir / "out/adapter"));
  QVERIFY(difference(softmax_logits(dir / "out", run.ids), run.logits) < 1e-4);
  QVERIFY(difference(softmax_logits(model_folder("builtin:tiny"), run.ids), run.logits) > 1e-2);
  // What is trained beside the weights is the conversion; the adapters would count twice.
  const auto trained = read_trained(dir / "out");
  QCOMPARE(trained.size(), 6u);  // maps of q and k and the mixing, two layers
  for (const auto& [name, tensor] : trained)
    QVERIFY(difference(tensor, run.work.conversion.tensors().at(name)) == 0);
  const auto files = SafetensorsFolder(dir / "out");
  QCOMPARE(files.files()[0].metadata().at("format"), std::string("pt"));
}

void TstInterop::without_merge_the_weights_stay_and_peft_has_the_rest() {
  const TempDir dir;
  Recipe r = recipe_for("builtin:tiny", "lora");
  const Trained run(dir.path(), r);
  const ExportReport report = export_model(run.subject(), {dir / "out", false, "r"});
  QCOMPARE(report.files, (std::vector<std::string>{
                             "adapter/adapter_config.json", "adapter/adapter_model.safetensors",
                             "config.json", "hybrid.json", "hybrid.safetensors",
                             "model.safetensors", "tokenizer.json", "tokenizer_config.json"}));
  const Tensor base = softmax_logits(model_folder("builtin:tiny"), run.ids);
  QVERIFY(difference(softmax_logits(dir / "out", run.ids), base) == 0);
  const auto adapter = read_tensors(dir / "out/adapter/adapter_model.safetensors");
  QCOMPARE(adapter.size(), 12u);
  const auto lora = lora_tensors(run.work.model);
  QVERIFY(difference(adapter.at("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"),
                     lora.at("lora.1.q.a")) == 0);
  QVERIFY(difference(adapter.at("base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"),
                     lora.at("lora.0.up.b")) == 0);
  const JsonDocument document = read_json(dir / "out/adapter/adapter_config.json");
  const JsonView config = document.view();
  QCOMPARE(config.at("r").as_integer(), 4);
  QCOMPARE(config.at("lora_alpha").as_integer(), 12);
  QCOMPARE(config.at("target_modules").raw().dump(),
           std::string(R"(["q_proj","o_proj","up_proj"])"));
  QVERIFY(config.at("layers_to_transform").is_null());
  QCOMPARE(config.at("base_model_name_or_path").as_string(), (dir / "out").string());
  // Together they are what the run trained.
  const auto trained = read_trained(dir / "out");
  const auto expected = run.work.conversion.tensors();
  QCOMPARE(trained.size(), expected.size() + lora.size());
  for (const auto& [name, tensor] : lora) QVERIFY(difference(trained.at(name), tensor) == 0);
}

void TstInterop::merging_rounds_once_to_the_stored_type_and_keeps_shards() {
  const TempDir dir;
  const fs::path model = sharded(dir / "model", torch::kBFloat16);
  const Trained run(dir.path(), recipe_for(model.string(), "lora"));
  const ExportReport report = export_model(run.subject(), {dir / "out", true, "r"});
  QVERIFY(report.largest_rounding > 0 && report.largest_rounding < 1.0 / 256);
  const SafetensorsFolder before(model), after(dir / "out");
  QCOMPARE(after.files().size(), 2u);
  QCOMPARE(after.names(), before.names());
  const auto lora = lora_tensors(run.work.model);
  for (const auto& name : after.names()) {
    QVERIFY(after.find(name)->dtype == SafetensorsDtype::BF16);
    const Tensor was = stored_tensor(*before.find(name), model),
                 is = stored_tensor(*after.find(name), dir / "out");
    const bool adapted = name.ends_with("q_proj.weight") || name.ends_with("o_proj.weight") ||
                         name.ends_with("up_proj.weight");
    QCOMPARE(difference(was.to(torch::kFloat32), is.to(torch::kFloat32)) == 0, !adapted);
  }
  const Tensor w = stored_tensor(*before.find("model.layers.1.self_attn.o_proj.weight"), model)
                       .to(torch::kFloat32);
  const Tensor expected =
      (w + lora.at("lora.1.o.b").matmul(lora.at("lora.1.o.a")) * 3.0).to(torch::kBFloat16);
  QVERIFY(torch::equal(
      stored_tensor(*after.find("model.layers.1.self_attn.o_proj.weight"), dir / "out"), expected));
}

void TstInterop::weights_that_a_run_trained_are_exported() {
  const TempDir dir;
  const Trained run(dir.path(), recipe_for("builtin:tiny", "full"));
  const ExportReport report = export_model(run.subject(), {dir / "out", false, "r"});
  QCOMPARE(report.adapters, 0);
  QVERIFY(report.trained_weights > 10 && !fs::exists(dir / "out/adapter"));
  const auto stored = read_tensors(dir / "out/model.safetensors");
  Model model = run.work.model;
  for (const auto& [name, tensor] : model.weights())
    QVERIFY2(torch::equal(stored.at(name), *tensor), name.c_str());
  const double largest = run.logits.abs().max().item<double>();
  QVERIFY(difference(softmax_logits(dir / "out", run.ids), run.logits) < 1e-5 * largest);
  QCOMPARE(read_trained(dir / "out").size(), 6u);
}

void TstInterop::a_recipe_comes_back_from_the_folder() {
  const TempDir dir;
  Recipe r = recipe_for("builtin:tiny", "lora");
  r.attention.window = 24;
  r.attention.softmax_layers = {1};
  r.stages[0].lora.layers = {0};
  r.attention.feature_map.activation = "exp";
  r.attention.feature_map.exp_shift = "row";
  const Trained run(dir.path(), recipe_for("builtin:tiny", "lora"));
  Subject subject = run.subject();
  subject.recipe.attention = r.attention;
  export_model(subject, {dir / "out", false, "r"});
  export_model(subject, {dir / "merged", true, "r"});
  const Recipe back = recipe_of_export(dir / "out"), merged = recipe_of_export(dir / "merged");
  QCOMPARE(back.model, (dir / "out").string());
  QCOMPARE(back.start_from, back.model);
  QCOMPARE(back.stages.size(), 1u);
  QCOMPARE(back.stages[0].lora.alpha, 12.0);
  QCOMPARE(back.stages[0].lora.targets, subject.recipe.stages[0].lora.targets);
  QVERIFY(merged.stages.empty());
  Recipe expected = back;
  expected.attention = r.attention;
  QCOMPARE(to_resolved_yaml(back), to_resolved_yaml(expected));
  QVERIFY(check(merged).empty() || !check(merged)[0].path.starts_with("attention"));

  std::ofstream(dir / "out/hybrid.json")
      << R"({"format":1,"adapters":"none","attention":{"windwo":3}})";
  const QString error = error_of([&] { recipe_of_export(dir / "out"); });
  QVERIFY2(error.contains("hybrid.json") && error.contains("attention.windwo"), qPrintable(error));
}

void TstInterop::a_folder_is_there_whole_or_not_at_all() {
  const TempDir dir;
  const Trained run(dir.path(), recipe_for("builtin:tiny", "lora"));
  fs::create_directory(dir / "empty");
  export_model(run.subject(), {dir / "empty", true, "r"});
  QVERIFY(fs::exists(dir / "empty/config.json"));
  const QString taken = error_of([&] { export_model(run.subject(), {dir / "empty", true, "r"}); });
  QVERIFY2(taken.contains("empty") && taken.contains("not an empty folder"), qPrintable(taken));
  std::ofstream(dir / "file") << "x";
  QVERIFY(error_of([&] {
            export_model(run.subject(), {dir / "file", true, "r"});
          }).contains("not an empty folder"));

  const std::size_t before = entries(dir.path());
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  for (const rlim_t most :
       {rlim_t{100}, rlim_t{20'000}, rlim_t{400'000}}) {  // config, tokenizer, weights do not fit
    const rlimit small{most, limit.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    const QString error = error_of([&] { export_model(run.subject(), {dir / "out", true, "r"}); });
    ::setrlimit(RLIMIT_FSIZE, &limit);
    QVERIFY2(!error.isEmpty(), qPrintable(QString::number(most)));
    QCOMPARE(entries(dir.path()), before);
  }
  export_model(run.subject(), {dir / "out", true, "r"});
  QCOMPARE(entries(dir.path()), before + 1);
}

void TstInterop::a_checkpoint_of_another_model_is_refused() {
  const TempDir dir;
  const Trained run(dir.path(), recipe_for("builtin:tiny", "lora"));
  CheckpointData data = load_checkpoint(run.checkpoint);
  data.trained["lora.9.q.a"] = torch::zeros({4, 128});
  data.trained["lora.9.q.b"] = torch::zeros({128, 4});
  save_checkpoint(run.checkpoint, data);
  const QString error = error_of([&] { export_model(run.subject(), {dir / "out", true, "r"}); });
  QVERIFY2(
      error.contains("model.layers.9.self_attn.q_proj.weight") && error.contains("does not fit"),
      qPrintable(error));
  QVERIFY(!fs::exists(dir / "out"));
}

void TstInterop::lolcats_checkpoints_get_our_names() {
  const TempDir dir;
  auto tensors = lolcats_layer(0);
  tensors.merge(lolcats_layer(1, "base_model.model."));
  tensors["model.layers.0.self_attn.feature_map_q.mlp.bias"] = torch::randn({1, 4, 1, 1});
  tensors["model.layers.0.self_attn.feature_map_k.mlp.bias"] = torch::randn({1, 4, 1, 1});
  tensors["model.layers.0.self_attn.q_proj.weight"] = torch::zeros({2, 2});
  tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch::zeros({2});
  tensors["model.norm.weight"] = torch::zeros({2});
  write_tensors(dir / "distill.safetensors", tensors);
  const auto trained = read_trained(dir / "distill.safetensors");
  QCOMPARE(trained.size(), 8u);
  QCOMPARE(TrainedFiles(dir / "distill.safetensors").left_out(), 3);
  for (const auto& [name, tensor] : trained)
    QVERIFY2(tensor.dtype() == torch::kFloat32, name.c_str());
  QVERIFY(torch::equal(
      trained.at("maps.0.q.weight"),
      tensors.at("model.layers.0.self_attn.feature_map_q.mlp.layer").to(torch::kFloat32)));
  QVERIFY(
      torch::equal(trained.at("maps.1.k.weight"),
                   tensors.at("base_model.model.model.layers.1.self_attn.feature_map_k.mlp.layer")
                       .to(torch::kFloat32)));
  QCOMPARE(trained.at("mixing.1").sizes().vec(), (std::vector<std::int64_t>{4}));
  QCOMPARE(trained.at("mixing.1")[2].item<double>(), -2.1875);
  QCOMPARE(trained.at("maps.0.q.bias").sizes().vec(), (std::vector<std::int64_t>{4, 1}));

  // The tensors go into a conversion of that recipe as they are.
  AttentionSpec spec;
  spec.feature_map.size = "8";
  spec.mixing.kind = "shared-denominator";
  Recipe r;
  r.device = "cpu";
  r.attention = spec;
  Workspace w = open_workspace(r);
  auto named = w.conversion.tensors();
  for (const auto& [name, tensor] : trained)
    if (!name.ends_with("bias")) QVERIFY2(named.at(name).sizes() == tensor.sizes(), name.c_str());

  // A layer with a map for queries alone has one for both.
  auto tied = lolcats_layer(0);
  tied.erase("model.layers.0.self_attn.feature_map_k.mlp.layer");
  write_tensors(dir / "tied.safetensors", tied);
  QVERIFY(read_trained(dir / "tied.safetensors").contains("maps.0.weight"));
}

void TstInterop::peft_adapters_get_our_names() {
  const TempDir dir;
  const std::string at = "base_model.model.model.layers.3.";
  write_tensors(dir / "adapter_model.safetensors",
                {{at + "self_attn.o_proj.lora_A.weight", torch::randn({4, 16})},
                 {at + "self_attn.o_proj.lora_B.weight", torch::randn({12, 4})},
                 {at + "mlp.down_proj.lora_A.default.weight", torch::randn({2, 20})},
                 {at + "mlp.down_proj.lora_B.default.weight", torch::randn({16, 2})}});
  for (const fs::path& path : {dir / "adapter_model.safetensors", dir.path()}) {
    const auto trained = read_trained(path);
    QCOMPARE(trained.size(), 4u);
    QCOMPARE(trained.at("lora.3.o.b").sizes().vec(), (std::vector<std::int64_t>{12, 4}));
    QVERIFY(trained.contains("lora.3.down.a"));
    QVERIFY(holds_trained_files(path));
  }
}

void TstInterop::several_checkpoints_become_one_file() {
  const TempDir dir;
  write_tensors(dir / "distill.safetensors", lolcats_layer(0));
  auto later = lolcats_layer(0, "base_model.model.");
  const std::string q = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
  later[q + "A.default.weight"] = torch::randn({2, 8});
  later[q + "B.default.weight"] = torch::randn({8, 2});
  write_tensors(dir / "lora.safetensors", later);
  std::vector<TrainedFiles> sources;
  sources.emplace_back(dir / "distill.safetensors");
  sources.emplace_back(dir / "lora.safetensors");
  write_trained(dir / "both.safetensors", sources);
  const auto both = read_trained(dir / "both.safetensors");
  QCOMPARE(both.size(), 5u);
  QVERIFY(torch::equal(both.at("maps.0.q.weight"),
                       later.at("base_model.model.model.layers.0.self_attn.feature_map_q.mlp.layer")
                           .to(torch::kFloat32)));
  // Names and shapes are in the file itself, as start_from reads it.
  QCOMPARE(read_tensors(dir / "both.safetensors").at("mixing.0").dim(), 1);
}

void TstInterop::bad_files_are_refused_data() {
  QTest::addColumn<QString>("name");
  QTest::addColumn<QList<int>>("shape");
  QTest::addColumn<QString>("words");
  const QString at = "model.layers.0.self_attn.";
  QTest::newRow("unknown") << at + "short_conv.weight" << QList<int>{2, 2} << "short_conv|LoLCATs";
  QTest::newRow("adapter of what is not adapted")
      << "base_model.model.lm_head.lora_A.weight" << QList<int>{2, 2} << "lora_A|PEFT";
  QTest::newRow("map of two dimensions") << at + "feature_map_q.mlp.layer" << QList<int>{32, 8}
                                         << "feature_map_q|[heads,head_dim,features]";
  QTest::newRow("key map alone") << at + "feature_map_k.mlp.layer" << QList<int>{4, 32, 8}
                                 << "maps.0.q.weight is missing";
  QTest::newRow("factors of another shape")
      << at + "window_factors" << QList<int>{4, 1, 1, 2} << "window_factors|[1,heads,1,1]";
  QTest::newRow("A without B") << "base_model.model." + at + "q_proj.lora_A.weight"
                               << QList<int>{2, 8} << "lora.0.q.b is missing";
  QTest::newRow("nothing trained") << "model.norm.weight" << QList<int>{4} << "no trained tensors";
}

void TstInterop::bad_files_are_refused() {
  QFETCH(QString, name);
  QFETCH(QList<int>, shape);
  QFETCH(QString, words);
  const TempDir dir;
  write_tensors(
      dir / "f.safetensors",
      {{name.toStdString(), torch::zeros(std::vector<std::int64_t>(shape.begin(), shape.end()))}});
  const QString error = error_of([&] { read_trained(dir / "f.safetensors"); });
  QVERIFY(error.contains("f.safetensors"));
  for (const auto& word : words.split('|')) QVERIFY2(error.contains(word), qPrintable(error));
}

void TstInterop::pickles_are_refused_with_the_way_out() {
  const TempDir dir;
  std::ofstream(dir / "a.pt") << "anything";
  std::ofstream(dir / "zip.dat", std::ios::binary) << "PK\x03\x04 rest of an archive";
  std::ofstream(dir / "old.dat", std::ios::binary) << "\x80\x02}q";
  fs::create_directory(dir / "adapter");
  std::ofstream(dir / "adapter/adapter_model.bin") << "anything";
  for (const char* name : {"a.pt", "zip.dat", "old.dat", "adapter"}) {
    const QString error = error_of([&] { read_trained(dir / name); });
    for (const char* word :
         {name, "pickle", "torch.load", "weights_only=True", "save_file", ".safetensors"})
      QVERIFY2(error.contains(word), qPrintable(error));
  }
  QVERIFY(holds_trained_files(dir / "a.pt") && !holds_trained_files(dir.path()));
}

QTEST_APPLESS_MAIN(TstInterop)
#include "tst_interop.moc"
