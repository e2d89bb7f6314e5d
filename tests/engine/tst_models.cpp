#include <QtTest>

#include <fstream>
#include <set>

#include "engine/data/json.h"
#include "engine/error.h"
#include "engine/model/config.h"
#include "engine/model/config_rope.h"
#include "engine/model/load_report.h"
#include "engine/model/safetensors.h"
#include "tests/support/temp_dir.h"

using engine::InputError;
using engine::Json;
using engine::ModelConfig;
namespace fs = std::filesystem;

namespace {

/// Two layers, four heads over two key/value heads.
Json small_config() {
  return Json::parse(R"({"model_type":"llama","hidden_size":8,"intermediate_size":12,"num_hidden_layers":2,
    "num_attention_heads":4,"num_key_value_heads":2,"vocab_size":16})");
}
ModelConfig parse(const Json& json) { return engine::parse_model_config(json.dump(), "x/config.json"); }

QString message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

class ModelsTest : public QObject {
  Q_OBJECT

  support::TempDir dir_;
  /// A folder with `config` and one file of zeros: what the config expects, changed by `edit`.
  fs::path folder_with(const char* name, const Json& config,
                       const std::function<void(std::vector<engine::SafetensorsSource>&)>& edit = {}) {
    const fs::path folder = dir_.path() / name;
    fs::create_directories(folder);
    std::ofstream(folder / "config.json") << config.dump();
    std::vector<engine::SafetensorsSource> tensors;
    for (const auto& [tensor, shape] : engine::expected_tensors(parse(config))) add(tensors, tensor, shape);
    if (edit) edit(tensors);
    engine::write_safetensors(folder / "model.safetensors", tensors);
    return folder;
  }
  static void add(std::vector<engine::SafetensorsSource>& tensors, const std::string& name,
                  const std::vector<std::int64_t>& shape,
                  engine::SafetensorsDtype dtype = engine::SafetensorsDtype::BF16) {
    std::int64_t bytes = engine::bits_per_element(dtype) / 8;
    for (const auto size : shape) bytes *= size;
    auto zeros = std::make_shared<std::vector<std::byte>>(static_cast<std::size_t>(bytes));
    tensors.push_back({name, dtype, shape, [zeros] { return std::span<const std::byte>(*zeros); }});
  }

 private Q_SLOTS:
  void configs_are_read_as_transformers_does_data();
  void configs_are_read_as_transformers_does();
  void biases_follow_the_architecture();
  void activations_go_by_their_names();
  void unsupported_settings_are_named_data();
  void unsupported_settings_are_named();
  void layer_types_must_fit();
  void a_good_folder_is_reported_whole();
  void what_does_not_fit_is_listed();
  void the_sentence_names_a_few_and_counts_all();
  void shards_are_told_apart();
  void rope_is_described();
};

void ModelsTest::configs_are_read_as_transformers_does_data() {
  QTest::addColumn<QString>("config");
  QTest::addColumn<QString>("expected");
  const auto document = engine::read_json(QFINDTESTDATA("../golden/model_configs.json").toStdString());
  for (const Json& c : *document.root)
    QTest::newRow(c["name"].get<std::string>().c_str())
        << QString::fromStdString(c["config"].dump()) << QString::fromStdString(c["expected"].dump());
}

void ModelsTest::configs_are_read_as_transformers_does() {
  QFETCH(QString, config);
  QFETCH(QString, expected);
  const ModelConfig m = engine::parse_model_config(config.toStdString(), "config.json");
  const Json e = Json::parse(expected.toStdString());
  QCOMPARE(m.kv_heads, e["kv_heads"].get<std::int64_t>());
  QCOMPARE(m.head_dim, e["head_dim"].get<std::int64_t>());
  QCOMPARE(m.max_positions, e["positions"].get<std::int64_t>());
  QCOMPARE(m.teacher_windows, e["windows"].get<std::vector<std::int64_t>>());
  QVERIFY(std::abs(m.rope.attention_factor - e["attention_factor"].get<double>()) < 1e-12);
  const auto wanted = e["frequencies"].get<std::vector<double>>();
  const auto found = engine::rope_frequencies(m.rope, m.head_dim);
  QCOMPARE(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto f = static_cast<double>(found[i]);
    QVERIFY2(std::abs(f - wanted[i]) <= 4e-7 * wanted[i],
             qPrintable(QString("%1: %2, expected %3").arg(i).arg(f).arg(wanted[i])));
  }
}

void ModelsTest::biases_follow_the_architecture() {
  Json json = small_config();
  json["attention_bias"] = json["mlp_bias"] = true;
  const ModelConfig llama = parse(json);
  QVERIFY(llama.qkv_bias && llama.output_bias && llama.mlp_bias);
  json["model_type"] = "qwen2";
  const ModelConfig qwen = parse(json);
  QVERIFY(qwen.qkv_bias && !qwen.output_bias && !qwen.mlp_bias);
  json["model_type"] = "mistral";
  const ModelConfig mistral = parse(json);
  QVERIFY(!mistral.qkv_bias && !mistral.output_bias && !mistral.mlp_bias);
  QCOMPARE(engine::expected_tensors(llama).count("model.layers.1.mlp.down_proj.bias"), std::size_t{1});
  QCOMPARE(engine::expected_tensors(mistral).count("model.layers.1.mlp.down_proj.bias"), std::size_t{0});
}

void ModelsTest::activations_go_by_their_names() {
  using engine::MlpActivation;
  Json json = small_config();
  QVERIFY(parse(json).activation == MlpActivation::silu);
  const std::map<std::string, MlpActivation> known = {
      {"swish", MlpActivation::silu},         {"gelu", MlpActivation::gelu},
      {"gelu_new", MlpActivation::gelu_tanh}, {"quick_gelu", MlpActivation::quick_gelu},
      {"relu", MlpActivation::relu},          {"relu2", MlpActivation::relu_squared}};
  for (const auto& [name, activation] : known) {
    json["hidden_act"] = name;
    QVERIFY(parse(json).activation == activation);
  }
}

void ModelsTest::unsupported_settings_are_named_data() {
  QTest::addColumn<QString>("key");
  QTest::addColumn<QString>("value");
  QTest::addColumn<QString>("message");
  const auto row = [](const char* name, const char* key, const char* value, const char* message) {
    QTest::newRow(name) << key << value << message;
  };
  row("architecture", "model_type", R"("gpt2")",
      "/model_type: \"gpt2\" is not supported; expected llama, mistral or qwen2");
  row("quantised", "quantization_config", R"({"bits":4})", "/quantization_config: quantised weights");
  row("activation", "hidden_act", R"("mish")", "/hidden_act: \"mish\" is not supported");
  row("dynamic", "rope_scaling", R"({"type":"dynamic","factor":2})", "/rope_scaling/type: RoPE scaling \"dynamic\"");
  row("longrope", "rope_parameters", R"({"rope_type":"longrope","rope_theta":1e4})",
      "/rope_parameters/rope_type: RoPE scaling \"longrope\"");
  row("multimodal", "use_mrope", "true", "/use_mrope: multimodal RoPE");
  row("partial", "partial_rotary_factor", "0.5", "/partial_rotary_factor: RoPE over a part");
  row("partial inside", "rope_parameters", R"({"rope_type":"default","partial_rotary_factor":0.25})",
      "/rope_parameters/partial_rotary_factor");
  row("rope differs by layer", "rope_parameters",
      R"({"full_attention":{"rope_type":"default","rope_theta":1},"sliding_attention":{"rope_type":"default","rope_theta":2}})",
      "/rope_parameters/sliding_attention: RoPE settings that differ");
  row("no factor", "rope_scaling", R"({"type":"linear"})", "/rope_scaling: factor: expected a positive number");
  row("negative factor", "rope_scaling", R"({"type":"yarn","factor":-2})", "/rope_scaling/factor");
  row("factor text", "rope_scaling", R"({"type":"linear","factor":"2"})", "/rope_scaling/factor: expected a number");
  row("ramp upside down", "rope_scaling", R"({"type":"llama3","factor":2,"low_freq_factor":4,"high_freq_factor":1})",
      "high_freq_factor: expected more");
  row("rope a list", "rope_scaling", "[1]", "/rope_scaling: expected an object");
  row("theta 0", "rope_theta", "0", "rope_theta: expected a positive number");
  row("too many layers", "num_hidden_layers", "5000", "/num_hidden_layers: expected a whole number from 1 to 1024");
  row("layers as text", "num_hidden_layers", R"("2")", "/num_hidden_layers: expected a whole number");
  row("kv heads", "num_key_value_heads", "3", "num_key_value_heads: expected a divisor");
  row("odd head", "head_dim", "5", "head_dim: expected an even number");
  row("eps", "rms_norm_eps", "-1", "/rms_norm_eps: expected a number of at least 0");
  row("nan in words", "rms_norm_eps", R"("nan")", "/rms_norm_eps: expected a number");
}

void ModelsTest::unsupported_settings_are_named() {
  QFETCH(QString, key);
  QFETCH(QString, value);
  QFETCH(QString, message);
  Json json = small_config();
  json[key.toStdString()] = Json::parse(value.toStdString());
  const QString found = message_of([&] { parse(json); });
  QVERIFY2(found.startsWith("x/config.json: ") && found.contains(message), qPrintable(found));
}

void ModelsTest::layer_types_must_fit() {
  Json json = small_config();
  json["model_type"] = "qwen2";
  json["layer_types"] = {"full_attention", "sliding_attention"};
  QVERIFY(message_of([&] { parse(json); }).contains("/layer_types/1: the layer slides, but"));
  json["layer_types"] = {"full_attention"};
  QVERIFY(message_of([&] { parse(json); }).contains("/layer_types: expected one entry a layer (2), found 1"));
  json["layer_types"] = {"full_attention", "chunked_attention"};
  QVERIFY(message_of([&] { parse(json); }).contains("/layer_types/1: layer type \"chunked_attention\""));
}

void ModelsTest::a_good_folder_is_reported_whole() {
  Json json = small_config();
  json["tie_word_embeddings"] = true;
  const auto folder = folder_with("good", json, [](auto& tensors) {
    add(tensors, "lm_head.weight", {16, 8});
    add(tensors, "model.layers.0.self_attn.rotary_emb.inv_freq", {1}, engine::SafetensorsDtype::F32);
  });
  const auto report = engine::make_load_report(folder);
  QVERIFY2(report.complete(), report.problem().c_str());
  QCOMPARE(report.problem(), std::string());
  QCOMPARE(report.matched, 20);
  QCOMPARE(report.parameters, 16 * 8 + 8 + 2 * (8 + 8 + 8 * 8 * 2 + 4 * 8 * 2 + 3 * 12 * 8));
  QCOMPARE(report.bytes, static_cast<std::uint64_t>(2 * report.parameters + 2 * 16 * 8 + 4));
  QCOMPARE(report.dtype, std::string("BF16"));
  QCOMPARE(report.ignored,
           (std::vector<std::string>{"lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"}));
  QCOMPARE(report.files, (std::vector<std::string>{"model.safetensors"}));
  QCOMPARE(report.tensors.size(), std::size_t{22});
  QCOMPARE(report.seconds, 0.0);
}

void ModelsTest::what_does_not_fit_is_listed() {
  const auto folder = folder_with("bad", small_config(), [](auto& tensors) {
    std::erase_if(tensors, [](const auto& t) { return t.name == "lm_head.weight" || t.name == "model.norm.weight"; });
    add(tensors, "model.norm.weight", {9});
    add(tensors, "score.weight", {2, 8});
    for (auto& t : tensors)
      if (t.name == "model.layers.1.mlp.up_proj.weight") t.dtype = engine::SafetensorsDtype::I16;
  });
  const auto report = engine::make_load_report(folder);
  QVERIFY(!report.complete());
  QCOMPARE(report.missing, (std::vector<std::string>{"lm_head.weight"}));
  QCOMPARE(report.unexpected, (std::vector<std::string>{"score.weight"}));
  QCOMPARE(report.unsupported, (std::vector<std::string>{"model.layers.1.mlp.up_proj.weight"}));
  QCOMPARE(report.misshaped.size(), std::size_t{1});
  QCOMPARE(report.misshaped[0].found, (std::vector<std::int64_t>{9}));
  QCOMPARE(report.dtype, std::string("BF16 and I16"));
  const QString why = QString::fromStdString(report.problem());
  for (const char* part : {"1 missing (lm_head.weight)", "model.norm.weight is [9], expected [8]",
                           "1 unexpected (score.weight)", "up_proj.weight is I16", "18 matched"})
    QVERIFY2(why.contains(part), qPrintable(why));
}

void ModelsTest::the_sentence_names_a_few_and_counts_all() {
  Json deep = small_config();
  deep["num_hidden_layers"] = 12;
  const auto folder = folder_with("deep", small_config());
  std::ofstream(folder / "config.json") << deep.dump();
  const QString why = QString::fromStdString(engine::make_load_report(folder).problem());
  QVERIFY2(why.contains("90 missing (model.layers.2.input_layernorm.weight, model.layers.2.mlp.down_proj.weight, "
                        "model.layers.2.mlp.gate_proj.weight, …)"),
           qPrintable(why));
  QVERIFY(why.size() < 500 && !why.contains('\n'));
}

void ModelsTest::shards_are_told_apart() {
  const auto folder = folder_with("shards", small_config());
  std::vector<engine::SafetensorsSource> first, second;
  Json map;
  for (const auto& [name, shape] : engine::expected_tensors(parse(small_config()))) {
    const bool one = name < "model.layers.1";
    add(one ? first : second, name, shape, one ? engine::SafetensorsDtype::F32 : engine::SafetensorsDtype::F16);
    map[name] = one ? "a.safetensors" : "b.safetensors";
  }
  fs::remove(folder / "model.safetensors");
  engine::write_safetensors(folder / "a.safetensors", first);
  engine::write_safetensors(folder / "b.safetensors", second);
  std::ofstream(folder / "model.safetensors.index.json") << Json{{"weight_map", map}}.dump();
  const auto report = engine::make_load_report(folder);
  QVERIFY2(report.complete(), report.problem().c_str());
  QCOMPARE(report.files, (std::vector<std::string>{"a.safetensors", "b.safetensors"}));
  QCOMPARE(report.dtype, std::string("F16 and F32"));
  std::set<std::string> files;
  for (const auto& t : report.tensors) files.insert(t.file);
  QCOMPARE(files.size(), std::size_t{2});
}

void ModelsTest::rope_is_described() {
  Json json = small_config();
  json["rope_theta"] = 500000;
  QCOMPARE(engine::describe(parse(json).rope), std::string("θ 500,000"));
  json["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", 8.0}, {"original_max_position_embeddings", 8192}};
  QCOMPARE(engine::describe(parse(json).rope), std::string("θ 500,000; llama3 scaling × 8 from 8,192 positions"));
  json["rope_scaling"] = {{"type", "linear"}, {"factor", 2.5}};
  QCOMPARE(engine::describe(parse(json).rope), std::string("θ 500,000; linear scaling × 2.5"));
}

QTEST_APPLESS_MAIN(ModelsTest)
#include "tst_models.moc"
