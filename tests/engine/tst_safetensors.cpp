#include <QtTest>

#include <cstring>
#include <fstream>

#include <QTemporaryDir>

#include "engine/data/json.h"
#include "engine/error.h"
#include "engine/model/safetensors.h"

#ifndef EQUIPOISE_SHARED_DIR
#define EQUIPOISE_SHARED_DIR ""
#endif

using engine::InputError;
using engine::SafetensorsDtype;
using engine::SafetensorsSource;
namespace fs = std::filesystem;

namespace {

std::string file_image(const std::string& header, std::uint64_t length, std::size_t data_bytes) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(length >> 8 * i);
  return out + header + std::string(data_bytes, 'x');
}

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

SafetensorsSource source(const std::string& name, SafetensorsDtype dtype,
                         std::vector<std::int64_t> shape, const std::string& data) {
  return {name, dtype, std::move(shape), [data] { return as_bytes(data); }};
}

}  // namespace

class SafetensorsTest : public QObject {
  Q_OBJECT

  QTemporaryDir folder_;
  fs::path path(const char* name) const { return fs::path(folder_.path().toStdString()) / name; }
  static std::string content(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private Q_SLOTS:
  void verdicts_equal_the_reference_library_data();
  void verdicts_equal_the_reference_library();
  void files_shorter_than_the_length_field_are_refused();
  void every_truncation_and_flip_is_survived();
  void written_files_have_the_reference_layout();
  void what_is_written_is_read_back();
  void a_failed_write_leaves_the_old_file();
  void shards_are_joined_by_their_index();
  void bad_shards_are_named_data();
  void bad_shards_are_named();
  void a_real_model_is_read();
};

void SafetensorsTest::verdicts_equal_the_reference_library_data() {
  QTest::addColumn<QByteArray>("image");
  QTest::addColumn<bool>("accepted");
  const auto document =
      engine::read_json(QFINDTESTDATA("../golden/safetensors_headers.json").toStdString());
  for (const auto& view : document.view().items()) {
    // The headers are stored as latin-1, one character a byte.
    std::string header =
        QString::fromStdString(view.at("header").as_string()).toLatin1().toStdString();
    if (view.has("repeat"))
      header = std::string(static_cast<std::size_t>(view.at("repeat").as_integer()), header[0]);
    const std::uint64_t length =
        view.has("length") ? std::stoull(view.at("length").as_string()) : header.size();
    const auto image =
        file_image(header, length, static_cast<std::size_t>(view.at("data_bytes").as_integer(0)));
    QTest::newRow(view.at("name").as_string().c_str())
        << QByteArray::fromStdString(image)
        << (view.at("accepted").as_bool() && !view.at("stricter").as_bool());
  }
}

void SafetensorsTest::verdicts_equal_the_reference_library() {
  QFETCH(QByteArray, image);
  QFETCH(bool, accepted);
  const std::string bytes = image.toStdString();
  QString message;
  try {
    engine::parse_safetensors(as_bytes(bytes), "x.safetensors");
  } catch (const InputError& error) {
    message = error.what();
    QVERIFY(message.startsWith("x.safetensors: "));
  }
  QVERIFY2(message.isEmpty() == accepted, qPrintable(message));
}

void SafetensorsTest::files_shorter_than_the_length_field_are_refused() {
  for (std::size_t size = 0; size < 8; ++size) {
    const std::string bytes(size, '\0');
    QVERIFY_THROWS_EXCEPTION(InputError, engine::parse_safetensors(as_bytes(bytes), "x"));
  }
}

void SafetensorsTest::every_truncation_and_flip_is_survived() {
  const std::string header =
      R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"U8","shape":[3],"data_offsets":[24,27]}})";
  const std::string image = file_image(header, header.size(), 27);
  const auto survives = [](const std::string& bytes) {
    try {
      for (const auto& entry : engine::parse_safetensors(as_bytes(bytes), "x").tensors) {
        std::uint64_t elements = 1;
        for (const auto size : entry.shape) elements *= static_cast<std::uint64_t>(size);
        if (elements * static_cast<std::uint64_t>(engine::bits_per_element(entry.dtype)) !=
            entry.bytes.size() * 8)
          return false;
        if (!entry.bytes.empty() &&
            (entry.bytes.data() < as_bytes(bytes).data() ||
             entry.bytes.data() + entry.bytes.size() > as_bytes(bytes).data() + bytes.size()))
          return false;
      }
    } catch (const InputError&) {
    }
    return true;
  };
  for (std::size_t i = 0; i < image.size(); ++i) {
    QVERIFY_THROWS_EXCEPTION(InputError, engine::parse_safetensors(as_bytes(image).first(i), "x"));
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = image;
      flipped[i] = static_cast<char>(flipped[i] ^ 1 << bit);
      QVERIFY(survives(flipped));
    }
  }
}

void SafetensorsTest::written_files_have_the_reference_layout() {
  const auto file = path("layout.safetensors");
  engine::write_safetensors(file,
                            {source("b", SafetensorsDtype::F32, {1}, "BBBB"),
                             source("a", SafetensorsDtype::F32, {2}, "AAAAaaaa"),
                             source("c", SafetensorsDtype::I64, {1}, "CCCCCCCC"),
                             source("j/\"ñ", SafetensorsDtype::I8, {1}, "J"),
                             source("e", SafetensorsDtype::F16, {1}, "EE")},
                            {{"x", "y\"é"}});
  // Made by safetensors 0.8.0's save() from the same tensors.
  const std::string header =
      R"({"__metadata__":{"x":"y\"é"},"c":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"b":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},"e":{"dtype":"F16","shape":[1],"data_offsets":[20,22]},"j/\"ñ":{"dtype":"I8","shape":[1],"data_offsets":[22,23]}})";
  std::string padded = header;
  padded.resize((padded.size() + 7) / 8 * 8, ' ');
  QCOMPARE(content(file), file_image(padded, padded.size(), 0) + "CCCCCCCCAAAAaaaaBBBBEEJ");
}

void SafetensorsTest::what_is_written_is_read_back() {
  const auto file = path("round.safetensors");
  const std::string nan("\x01\x00\xc0\x7f", 4);
  engine::write_safetensors(file, {source("w", SafetensorsDtype::F32, {1, 1}, nan),
                                   source("s", SafetensorsDtype::BF16, {}, "hh"),
                                   source("z", SafetensorsDtype::F8_E4M3, {0, 7}, "")});
  const engine::SafetensorsFile read(file);
  QCOMPARE(read.tensors().size(), std::size_t{3});
  QVERIFY(std::memcmp(read.find("w")->bytes.data(), nan.data(), 4) == 0);
  QCOMPARE(read.find("w")->shape, (std::vector<std::int64_t>{1, 1}));
  QVERIFY(read.find("s")->shape.empty());
  QCOMPARE(read.find("z")->shape, (std::vector<std::int64_t>{0, 7}));
  QVERIFY(read.find("absent") == nullptr);
  QVERIFY(read.metadata().empty());
}

void SafetensorsTest::a_failed_write_leaves_the_old_file() {
  const auto file = path("old.safetensors");
  engine::write_safetensors(file, {source("a", SafetensorsDtype::U8, {1}, "1")});
  const auto before = content(file);
  QVERIFY_THROWS_EXCEPTION(
      InputError, engine::write_safetensors(file, {source("a", SafetensorsDtype::U8, {2}, "1")}));
  QVERIFY_THROWS_EXCEPTION(
      InputError, engine::write_safetensors(file, {source("a", SafetensorsDtype::U8, {1}, "1"),
                                                   source("a", SafetensorsDtype::I8, {1}, "1")}));
  QVERIFY_THROWS_EXCEPTION(std::system_error,
                           engine::write_safetensors(path("no/such/folder.safetensors"), {}));
  QCOMPARE(content(file), before);
  QCOMPARE(std::distance(fs::directory_iterator(folder_.path().toStdString()), {}),
           std::ptrdiff_t{3});
}

void SafetensorsTest::shards_are_joined_by_their_index() {
  const auto model = path("model");
  fs::create_directories(model);
  engine::write_safetensors(model / "m-1.safetensors",
                            {source("a", SafetensorsDtype::U8, {1}, "1"),
                             source("extra", SafetensorsDtype::U8, {1}, "x")});
  engine::write_safetensors(model / "m-2.safetensors",
                            {source("b", SafetensorsDtype::U8, {2}, "23")});
  std::ofstream(model / "model.safetensors.index.json")
      << R"({"metadata":{},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})";
  const engine::SafetensorsFolder read(model);
  QCOMPARE(read.names(), (std::vector<std::string>{"a", "b", "extra"}));
  QCOMPARE(read.unlisted(), (std::vector<std::string>{"extra"}));
  QCOMPARE(read.find("b")->bytes.size(), std::size_t{2});
  QCOMPARE(read.total_bytes(), std::uint64_t{4});
}

void SafetensorsTest::bad_shards_are_named_data() {
  QTest::addColumn<QString>("index");
  QTest::addColumn<QString>("message");
  QTest::newRow("missing shard") << R"({"weight_map":{"a":"m-9.safetensors"}})"
                                 << "m-9.safetensors is missing";
  QTest::newRow("missing tensor") << R"({"weight_map":{"q":"m-1.safetensors"}})"
                                  << "tensor \"q\" is missing";
  QTest::newRow("tensor twice") << R"({"weight_map":{"a":"m-1.safetensors","b":"m-3.safetensors"}})"
                                << "stands in another shard";
  QTest::newRow("path") << R"({"weight_map":{"a":"../model/m-1.safetensors"}})"
                        << "expected the plain name";
  QTest::newRow("number") << R"({"weight_map":{"a":1}})"
                          << "/weight_map/a: expected a string";
  QTest::newRow("no map") << "{}"
                          << "expected the key \"weight_map\"";
  QTest::newRow("empty map") << R"({"weight_map":{}})"
                             << "lists no tensor";
}

void SafetensorsTest::bad_shards_are_named() {
  QFETCH(QString, index);
  QFETCH(QString, message);
  const auto model = path("model");
  engine::write_safetensors(
      model / "m-3.safetensors",
      {source("a", SafetensorsDtype::U8, {1}, "1"), source("b", SafetensorsDtype::U8, {1}, "1")});
  std::ofstream(model / "model.safetensors.index.json") << index.toStdString();
  try {
    engine::SafetensorsFolder read(model);
    QFAIL("read");
  } catch (const InputError& error) {
    QVERIFY2(QString(error.what()).contains(message), error.what());
  }
  QVERIFY_THROWS_EXCEPTION(InputError, engine::SafetensorsFolder(path("empty")));
}

void SafetensorsTest::a_real_model_is_read() {
  const auto model = fs::path(EQUIPOISE_SHARED_DIR) / "data" / "models" / "stories260K";
  if (!fs::exists(model)) QSKIP("the shared test data are not on this machine");
  const engine::SafetensorsFolder read(model);
  const auto* embedding = read.find("model.embed_tokens.weight");
  QVERIFY(embedding != nullptr);
  QCOMPARE(embedding->shape, (std::vector<std::int64_t>{512, 64}));
}

QTEST_APPLESS_MAIN(SafetensorsTest)
#include "tst_safetensors.moc"
