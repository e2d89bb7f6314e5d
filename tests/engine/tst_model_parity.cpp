#include <QtTest>

#include <cmath>

#include "engine/data/json.h"
#include "engine/data/tokenizer.h"
#include "engine/error.h"
#include "engine/model/load.h"
#include "engine/torch_api.h"
#include "engine/verify.h"

#ifndef EQUIPOISE_SHARED_DIR
#define EQUIPOISE_SHARED_DIR ""
#endif

using namespace engine;
namespace fs = std::filesystem;

namespace {

fs::path golden_models() { return fs::path(EQUIPOISE_SOURCE_DIR) / "tests" / "golden" / "models"; }

Tensor logits_of(const Model& model, const std::vector<std::int64_t>& ids) {
  torch::InferenceMode inference;
  return model.logits(model.hidden(torch::tensor(ids, torch::kInt64).unsqueeze(0), nullptr, {})).squeeze(0);
}

double worst(const Tensor& found, const Json& expected) {
  const auto values = expected.get<std::vector<double>>();
  return (found.to(torch::kFloat64) - torch::tensor(values, torch::kFloat64)).abs().max().item<double>();
}

}  // namespace

class ModelParityTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void small_models_agree_with_transformers();
  void stored_types_load_into_any_type();
  void loads_are_timed_and_reported();
  void a_partial_load_is_refused();
  void real_models_agree_with_transformers_data();
  void real_models_agree_with_transformers();
};

void ModelParityTest::small_models_agree_with_transformers() {
  const auto rows = verify(golden_models());
  QCOMPARE(rows.size(), std::size_t{10});  // logits of four models, 1 + 2 + 2 + 1 layers
  for (const auto& row : rows)
    QVERIFY2(row.passed(), qPrintable(QString("%1 %2: %3").arg(row.file.c_str(), row.tensor.c_str()).arg(row.error)));
}

void ModelParityTest::stored_types_load_into_any_type() {
  const auto folder = (golden_models() / "mistral-window-linear").string();
  const Model wide = load_model(folder, torch::kFloat64, torch::kCPU);
  const Model own = load_model(folder, torch::kBFloat16, torch::kCPU);
  QVERIFY(wide.embedding.dtype() == torch::kFloat64 && own.embedding.dtype() == torch::kBFloat16);
  // float16 → float64 → bfloat16 rounds once, as float16 → bfloat16 does.
  QVERIFY(wide.embedding.to(torch::kBFloat16).equal(own.embedding));
  const Model float32 = load_model((golden_models() / "qwen2-windows-sharded").string(), torch::kFloat32, torch::kCPU);
  QVERIFY(float32.head.weight.is_same(float32.embedding));
}

void ModelParityTest::loads_are_timed_and_reported() {
  const LoadReport report = timed_load((golden_models() / "qwen2-windows-sharded").string(), "float32", "cpu");
  QVERIFY(report.complete());
  QVERIFY(report.seconds > 0 && report.seconds < 60);
  QCOMPARE(report.files.size(), std::size_t{3});
  QCOMPARE(timed_load("builtin:tiny", "bfloat16", "cpu").config.architecture, std::string("llama"));
  QVERIFY_THROWS_EXCEPTION(InputError, timed_load("builtin:tiny", "float8", "cpu"));
}

void ModelParityTest::a_partial_load_is_refused() {
  QTemporaryDir dir;
  const fs::path folder = dir.path().toStdString();
  for (const auto& entry : fs::directory_iterator(golden_models() / "llama3-old-gelu"))
    fs::copy(entry.path(), folder / entry.path().filename());
  auto tensors = read_tensors(folder / "model.safetensors");
  tensors.erase("model.norm.weight");
  write_tensors(folder / "model.safetensors", tensors);
  try {
    load_model(folder.string(), torch::kFloat32, torch::kCPU);
    QFAIL("loaded");
  } catch (const InputError& error) {
    QVERIFY2(QString(error.what()).contains("1 missing (model.norm.weight)"), error.what());
  }
}

void ModelParityTest::real_models_agree_with_transformers_data() {
  QTest::addColumn<QString>("name");
  for (const char* name : {"stories260K", "aidreams260K"}) QTest::newRow(name) << name;
}

void ModelParityTest::real_models_agree_with_transformers() {
  QFETCH(QString, name);
  const fs::path folder = fs::path(EQUIPOISE_SHARED_DIR) / "data" / "models" / name.toStdString();
  if (!fs::exists(folder)) QSKIP("the shared test data are not on this machine");
  const auto document = read_json(folder / "golden.json");
  const Json& golden = *document.root;
  const Model model = load_model(folder.string(), torch::kFloat32, torch::kCPU);
  const Tokenizer tokenizer = Tokenizer::load(folder);

  const auto ids = golden["input_ids"].get<std::vector<std::int64_t>>();
  const auto encoded = tokenizer.encode(golden["text"].get<std::string>(), true);
  QVERIFY(std::vector<std::int64_t>(encoded.begin(), encoded.end()) == ids);
  const Tensor logits = logits_of(model, ids);
  QVERIFY(worst(logits[0], golden["logits_first"]) < 1e-3);
  QVERIFY(worst(logits[-1], golden["logits_last"]) < 1e-3);
  const Tensor next = torch::tensor(ids, torch::kInt64).slice(0, 1).unsqueeze(1);
  const Tensor chosen = logits.slice(0, 0, -1).log_softmax(-1).gather(1, next).squeeze(1);
  QVERIFY(worst(chosen, golden["token_logprobs"]) < 1e-3);
  QVERIFY(std::abs(-chosen.mean().item<double>() - golden["mean_nll"].get<double>()) < 1e-4);

  const auto expected = golden["greedy_from_bos"].get<std::vector<std::int64_t>>();
  std::vector<std::int64_t> written{expected.front()};
  while (written.size() < expected.size())
    written.push_back(logits_of(model, written)[-1].argmax().item<std::int64_t>());
  QVERIFY(written == expected);
  const std::vector<std::int32_t> narrow(written.begin(), written.end());
  QCOMPARE(tokenizer.decode(narrow, true), golden["greedy_text"].get<std::string>());
}

QTEST_APPLESS_MAIN(ModelParityTest)
#include "tst_model_parity.moc"
