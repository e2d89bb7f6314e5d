#include <QtTest>

#include <fstream>

#include <zlib.h>
#include <zstd.h>
#include <QTemporaryDir>

#include "engine/data/text_source.h"
#include "engine/error.h"
#include "tests/support/parquet_writer.h"

#ifndef EQUIPOISE_SHARED_DIR
#define EQUIPOISE_SHARED_DIR ""
#endif

using engine::InputError;
namespace fs = std::filesystem;

class TextSourceTest : public QObject {
  Q_OBJECT

  QTemporaryDir folder_;
  fs::path write(const char* name, const std::string& text) {
    const fs::path path = fs::path(folder_.path().toStdString()) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  static std::vector<std::string> documents(const fs::path& path,
                                            const std::string& field = "text") {
    std::vector<std::string> out;
    engine::for_each_document(path, field, [&](std::string_view text) {
      out.emplace_back(text);
      return true;
    });
    return out;
  }
  static QString message(const fs::path& path, const std::string& field = "text") {
    try {
      documents(path, field);
    } catch (const InputError& error) {
      return error.what();
    }
    return "read";
  }

 private Q_SLOTS:
  void text_is_cut_at_its_marks();
  void text_without_marks_is_cut_at_blank_lines();
  void json_lines_give_the_chosen_field();
  void compressed_lines_equal_plain_ones();
  void damaged_compression_is_an_error();
  void parquet_equals_the_same_text();
  void folders_are_read_in_order_of_their_paths();
  void bad_inputs_name_file_and_line();
  void visiting_stops_on_request();
  void the_first_documents_do_not_need_the_rest();
  void shared_texts_are_read();
  void shared_parquet_is_read();
};

void TextSourceTest::text_is_cut_at_its_marks() {
  const auto path =
      write("marks.txt",
            "\xEF\xBB\xBFOne.\n\nStill one.\n<|endoftext|>\n<|endoftext|>Two.<|endoftext|>\n");
  QCOMPARE(documents(path), (std::vector<std::string>{"One.\n\nStill one.", "Two."}));
}

void TextSourceTest::text_without_marks_is_cut_at_blank_lines() {
  const std::string longer(1500, 'a');
  const auto path = write("plain.txt", longer + "\n\n" + longer + "\n \nshort\n\n\nend\n");
  QCOMPARE(documents(path), (std::vector<std::string>{longer + "\n\n" + longer, "short\n\n\nend"}));
}

void TextSourceTest::json_lines_give_the_chosen_field() {
  const auto path = write(
      "a.jsonl", "{\"text\":\"x\",\"body\":\"one\\n\"}\r\n\n{\"text\":\"\",\"body\":\"two\"}");
  QCOMPARE(documents(path), (std::vector<std::string>{"x"}));
  QCOMPARE(documents(path, "body"), (std::vector<std::string>{"one\n", "two"}));
}

void TextSourceTest::compressed_lines_equal_plain_ones() {
  std::string text;
  for (int i = 0; i < 20000; ++i)
    text += "{\"text\":\"document " + std::to_string(i * 7919) + "\"}\n";
  const auto expected = documents(write("big.jsonl", text));
  QCOMPARE(expected.size(), std::size_t{20000});
  const auto gz = write("big.jsonl.gz", "");
  gzFile out = gzopen(gz.c_str(), "wb");
  gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
  gzclose(out);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  QVERIFY(documents(gz) == expected);
  QVERIFY(documents(write("big.jsonl.zst", packed)) == expected);
  QCOMPARE(documents(write("twice.jsonl.zst", packed + packed)).size(), std::size_t{40000});
}

void TextSourceTest::damaged_compression_is_an_error() {
  std::ifstream in(fs::path(folder_.path().toStdString()) / "big.jsonl.gz", std::ios::binary);
  const std::string gz((std::istreambuf_iterator<char>(in)), {});
  QVERIFY(message(write("cut.jsonl.gz", gz.substr(0, gz.size() / 2))).contains("gzip"));
  std::string flipped = gz;
  flipped[gz.size() / 2] = static_cast<char>(flipped[gz.size() / 2] ^ 0x55);
  QVERIFY(message(write("flipped.jsonl.gz", flipped)) != "read");
  std::ifstream zin(fs::path(folder_.path().toStdString()) / "big.jsonl.zst", std::ios::binary);
  const std::string zst((std::istreambuf_iterator<char>(zin)), {});
  QVERIFY(message(write("cut.jsonl.zst", zst.substr(0, zst.size() / 2))).contains("zstd"));
  QVERIFY(message(write("no.jsonl.zst", "no zstd at all")).contains("zstd"));
}

void TextSourceTest::parquet_equals_the_same_text() {
  std::string lines, column = "[";
  for (int i = 0; i < 3000; ++i) {
    const std::string text = i % 100 == 99 ? "" : "Story \u00fc " + std::to_string(i * 7919);
    lines += "{\"text\":\"" + text + "\"}\n";
    column += (i ? ",\"" : "\"") + text + "\"";
  }
  const auto expected = documents(write("same.jsonl", lines));
  QCOMPARE(expected.size(), std::size_t{2970});
  const auto file = write("same.parquet", "");
  for (const char* type : {"string", "large_string", "binary", "words"}) {
    for (const char* codec : {"zstd", "snappy", "gzip"}) {
      write_parquet(file, {{"id", "string", column + "]"}, {"text", type, column + "]"}}, codec, 512);
      QVERIFY2(documents(file) == expected, type);
    }
  }
  write_parquet(file, {{"text", "string", "[null, \"one\", null]"}});
  QCOMPARE(documents(file), (std::vector<std::string>{"one"}));
}

void TextSourceTest::folders_are_read_in_order_of_their_paths() {
  write("tree/b.txt", "third");
  write("tree/a/2.jsonl", "{\"text\":\"second\"}");
  write("tree/a/1.txt", "first");
  write("tree/README.md", "no text");
  write_parquet(write("tree/c.parquet", ""), {{"text", "string", "[\"fourth\", \"fifth\"]"}}, "snappy");
  write("tree/.hidden.txt", "hidden");
  const auto tree = fs::path(folder_.path().toStdString()) / "tree";
  QCOMPARE(documents(tree), (std::vector<std::string>{"first", "second", "third", "fourth", "fifth"}));
}

void TextSourceTest::bad_inputs_name_file_and_line() {
  QVERIFY(message("/nonexistent/x.txt").contains("no such file"));
  QVERIFY(message(write("bad.txt", "ok\nno\xff\n")).contains("bad.txt:2: invalid UTF-8"));
  QVERIFY(message(write("bad.jsonl", "{\"text\":\"a\"}\n\n{\"text\":")).contains("bad.jsonl:3: "));
  const auto other = message(write("field.jsonl", "{\"body\":\"a\",\"n\":1}"));
  QVERIFY2(
      other.contains("field.jsonl:1: ") && other.contains("\"text\"") && other.contains("\"body\""),
      qPrintable(other));
  QVERIFY(message(write("number.jsonl", "{\"text\":1}")).contains("expected a string"));
  QVERIFY(message(write("list.jsonl", "[1]")).contains("expected one JSON object"));
  QVERIFY(message(write("blank.txt", "\n \n")).contains("holds no document"));
  QVERIFY(message(write("empty.jsonl", "")).contains("holds no document"));
  QVERIFY(message(write("x.parquet", "PAR1")).contains("Parquet"));
  const auto columns = write("columns.parquet", "");
  write_parquet(columns, {{"n", "int64", "[1]"},
                          {"body", "string", "[\"a\"]"},
                          {"list", "strings", "[[\"a\"]]"},
                          {"title", "words", "[\"a\"]"}});
  const auto missing = message(columns);
  QVERIFY2(missing.contains("columns.parquet: ") && missing.contains("\"text\"") &&
               missing.contains("\"body\", \"title\""),
           qPrintable(missing));
  QVERIFY(message(columns, "n").contains("string columns here"));
  write_parquet(columns, {{"text", "string", "[null, \"\"]"}});
  QVERIFY(message(columns).contains("holds no document"));
  QVERIFY(message(write("x.csv", "a")).contains("expected .txt"));
  fs::create_directories(fs::path(folder_.path().toStdString()) / "none");
  QVERIFY(message(fs::path(folder_.path().toStdString()) / "none").contains("in the folder"));
}

void TextSourceTest::visiting_stops_on_request() {
  int count = 0;
  engine::for_each_document(write("many.txt", "a<|endoftext|>b<|endoftext|>c"), "text",
                            [&](std::string_view) { return ++count < 2; });
  QCOMPARE(count, 2);
}

void TextSourceTest::the_first_documents_do_not_need_the_rest() {
  const auto first = [](const fs::path& path) {
    std::string out;
    engine::for_each_document(path, "text", [&](std::string_view text) {
      out = text;
      return false;
    });
    return out;
  };
  // Behind the first document stands what no reader accepts.
  QCOMPARE(first(write("early.txt", "good<|endoftext|>\xff")), std::string("good"));
  QCOMPARE(first(write("early.jsonl", "{\"text\":\"good\"}\nbroken")), std::string("good"));
  write("early/a.txt", "good");
  write("early/b.parquet", "broken");
  QCOMPARE(first(fs::path(folder_.path().toStdString()) / "early"), std::string("good"));
}

void TextSourceTest::shared_texts_are_read() {
  const auto text = fs::path(EQUIPOISE_SHARED_DIR) / "data" / "text";
  if (!fs::exists(text)) QSKIP("the shared test data are not on this machine");
  QCOMPARE(documents(text / "dolma").size(), std::size_t{20});
  QVERIFY(documents(text / "tinystories").size() > 100);
}

void TextSourceTest::shared_parquet_is_read() {
  const auto shards = fs::path(EQUIPOISE_SHARED_DIR) / "data/text/fineweb-layout";
  if (!fs::exists(shards)) QSKIP("the shared test data are not on this machine");
  // Counts and texts as pyarrow 26.0.1 reads them.
  const auto zstd = documents(shards / "000_00000.parquet"), snappy = documents(shards / "000_00001.parquet");
  const auto bytes = [](const std::vector<std::string>& texts) {
    std::size_t sum = 0;
    for (const auto& text : texts) sum += text.size();
    return sum;
  };
  QCOMPARE(zstd.size(), std::size_t{617});
  QCOMPARE(snappy.size(), std::size_t{617});
  QCOMPARE(bytes(zstd), std::size_t{1240206});
  QCOMPARE(bytes(snappy), std::size_t{496040});
  QVERIFY(zstd.front().starts_with("One day, a little girl named Lily found a needle"));
  QVERIFY(snappy.back().ends_with("He knew he would always remember his special performance."));
  auto all = zstd;
  all.insert(all.end(), snappy.begin(), snappy.end());
  QVERIFY(documents(shards) == all);
  QVERIFY(message(shards, "body").contains("\"text\", \"id\", \"dump\", \"url\", \"language\""));
}

QTEST_APPLESS_MAIN(TextSourceTest)
#include "tst_text_source.moc"
