#include <QtTest>

#include <fstream>

#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

#include "engine/data/parquet_file.h"
#include "engine/data/records.h"
#include "engine/error.h"
#include "tests/support/parquet_writer.h"
#include "tests/support/temp_dir.h"

#ifndef EQUIPOISE_SHARED_DIR
#define EQUIPOISE_SHARED_DIR ""
#endif

using engine::InputError;
using engine::Json;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Json> records(const fs::path& path) {
  std::vector<Json> out;
  engine::for_each_record(path, [&](engine::JsonDocument&& document) {
    out.push_back(*document.root);
    out.back().dump();  // throws where a text is not UTF-8
    return true;
  });
  return out;
}

QString message(const fs::path& path) {
  try {
    records(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "read";
}

std::int64_t peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss >> 10;
}

/// Every kind of column, five rows.
std::vector<ParquetColumn> all_kinds() {
  return {
      {"s", "string", R"(["a", "ü€😀", "", null, "line\nend"])"},
      {"big", "large_string", R"(["one", "two", "three", "four", null])"},
      {"word", "words", R"(["yes", "no", "yes", null, "yes"])"},
      {"flag", "bool", "[true, false, null, true, false]"},
      {"tiny", "int8", "[-128, 127, 0, 1, null]"},
      {"n", "int64", "[-9223372036854775808, 9223372036854775807, 0, 1, null]"},
      {"u", "uint64", "[18446744073709551615, 0, 1, 2, null]"},
      {"f", "float", "[0.5, -2, 0, 1e10, null]"},
      {"d", "double", "[0.1, -1e300, 0, 2.5, null]"},
      {"nothing", "null", "[null, null, null, null, null]"},
      {"day", "date", "[0, 1, 19723, -1, null]"},
      {"price", "decimal", R"(["1.20", "-3.05", "0.00", "9999999.99", null])"},
      {"raw", "binary", R"(["x", "yz", "", null, "w"])"},
      {"list", "strings", R"([["a", "b"], [], null, [null], ["ü"]])"},
      {"large", "large_strings", R"([["a"], ["b", "c"], [], null, [""]])"},
      {"numbers", "numbers", "[[1, 2, 3], [], [-1], null, [null, 4]]"},
      {"choices", "choices",
       R"([{"text": ["t", "u"], "label": ["A", "B"]}, {"text": [], "label": []}, null,
              {"text": null, "label": ["C"]}, {"text": ["v"], "label": [null]}])"},
      {"turns", "turns",
       R"([[{"role": "user", "text": "hi"}, {"role": "bot", "text": null}], [], null, [null], [{"role": null, "text": ""}]])"},
      {"pairs", "map", R"([[["k", 1], ["l", 2]], [], null, [["m", null]], []])"}};
}

}  // namespace

class RecordsTest : public QObject {
  Q_OBJECT

  support::TempDir folder_;
  fs::path write(const char* name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

 private Q_SLOTS:
  void json_lines_plain_and_compressed_are_equal();
  void every_kind_of_parquet_value_becomes_json();
  void row_groups_and_codecs_change_nothing();
  void places_name_file_and_line_or_row();
  void reading_stops_on_request();
  void the_text_column_is_read_alone();
  void binary_text_must_be_utf8();
  void bad_files_are_one_sentence();
  void damaged_parquet_never_crashes();
  void claimed_sizes_do_not_allocate();
  void shared_parquet_equals_shared_json_lines_data();
  void shared_parquet_equals_shared_json_lines();
};

void RecordsTest::json_lines_plain_and_compressed_are_equal() {
  std::string text = "\xEF\xBB\xBF{\"a\":0}\n\n";
  for (int i = 1; i < 3000; ++i) text += "{\"a\":" + std::to_string(i) + ",\"b\":[\"x\",null,{\"c\":1.5}]}\r\n";
  const auto expected = records(write("a.jsonl", text));
  QCOMPARE(expected.size(), std::size_t{3000});
  QVERIFY(expected[7] == Json::parse(R"({"a":7,"b":["x",null,{"c":1.5}]})"));
  const fs::path gz = folder_ / "a.json.gz";
  gzFile out = gzopen(gz.c_str(), "wb");
  gzwrite(out, text.data(), static_cast<unsigned>(text.size()));
  gzclose(out);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  QVERIFY(records(gz) == expected);
  QVERIFY(records(write("a.jsonl.zst", packed)) == expected);
}

void RecordsTest::every_kind_of_parquet_value_becomes_json() {
  write_parquet(folder_ / "kinds.parquet", all_kinds());
  const auto rows = records(folder_ / "kinds.parquet");
  QCOMPARE(rows.size(), std::size_t{5});
  const char* expected[] = {
      R"({"s": "a", "big": "one", "word": "yes", "flag": true, "tiny": -128, "n": -9223372036854775808,
          "u": 18446744073709551615, "f": 0.5, "d": 0.1, "nothing": null, "day": "1970-01-01", "price": "1.20", "raw": "x",
          "list": ["a", "b"], "large": ["a"], "numbers": [1, 2, 3], "choices": {"text": ["t", "u"], "label": ["A", "B"]},
          "turns": [{"role": "user", "text": "hi"}, {"role": "bot", "text": null}], "pairs": [["k", 1], ["l", 2]]})",
      R"({"s": "ü€😀", "big": "two", "word": "no", "flag": false, "tiny": 127, "n": 9223372036854775807, "u": 0, "f": -2.0,
          "d": -1e300, "nothing": null, "day": "1970-01-02", "price": "-3.05", "raw": "yz", "list": [], "large": ["b", "c"],
          "numbers": [], "choices": {"text": [], "label": []}, "turns": [], "pairs": []})",
      R"({"s": "", "big": "three", "word": "yes", "flag": null, "tiny": 0, "n": 0, "u": 1, "f": 0.0, "d": 0.0, "nothing": null,
          "day": "2024-01-01", "price": "0.00", "raw": "", "list": null, "large": [], "numbers": [-1], "choices": null,
          "turns": null, "pairs": null})",
      R"({"s": null, "big": "four", "word": null, "flag": true, "tiny": 1, "n": 1, "u": 2, "f": 1e10, "d": 2.5,
          "nothing": null, "day": "1969-12-31", "price": "9999999.99", "raw": null, "list": [null], "large": null,
          "numbers": null, "choices": {"text": null, "label": ["C"]}, "turns": [null], "pairs": [["m", null]]})",
      R"({"s": "line\nend", "big": null, "word": "yes", "flag": false, "tiny": null, "n": null, "u": null, "f": null,
          "d": null, "nothing": null, "day": null, "price": null, "raw": "w", "list": ["ü"], "large": [""],
          "numbers": [null, 4], "choices": {"text": ["v"], "label": [null]}, "turns": [{"role": null, "text": ""}],
          "pairs": []})"};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Json row = Json::parse(expected[i]);
    for (const auto& [key, value] : row.items())
      QVERIFY2(rows[i].at(key) == value,
               (key + " of row " + std::to_string(i) + ": " + rows[i].at(key).dump()).c_str());
    QCOMPARE(rows[i].size(), row.size());
  }
  QVERIFY(rows[0].at("n").is_number_integer() && rows[0].at("d").is_number_float());
}

void RecordsTest::row_groups_and_codecs_change_nothing() {
  std::string numbers = "[", texts = "[";
  for (int i = 0; i < 5000; ++i) {
    numbers += (i ? "," : "") + std::to_string(i);
    texts += (i ? ",\"" : "\"") + std::string(static_cast<std::size_t>(i % 97), 'x') + std::to_string(i) + "\"";
  }
  const std::vector<ParquetColumn> columns = {{"i", "int64", numbers + "]"}, {"text", "string", texts + "]"}};
  std::vector<Json> expected;
  for (int i = 0; i < 5000; ++i)
    expected.push_back({{"i", i}, {"text", std::string(static_cast<std::size_t>(i % 97), 'x') + std::to_string(i)}});
  for (const char* codec : {"none", "zstd", "snappy", "gzip"}) {
    for (const std::int64_t group : {7, 1000, 5000}) {
      write_parquet(folder_ / "groups.parquet", columns, codec, group);
      QVERIFY2(records(folder_ / "groups.parquet") == expected, codec);
    }
  }
}

void RecordsTest::places_name_file_and_line_or_row() {
  write_parquet(folder_ / "rows.parquet", {{"a", "int64", "[1, 2, 3]"}}, "zstd", 2);
  std::vector<std::string> places;
  const auto note = [&](engine::JsonDocument&& document) {
    places.push_back(fs::path(document.source).filename().string() + " " + document.view().at("a").place());
    return true;
  };
  engine::for_each_record(folder_ / "rows.parquet", note);
  engine::for_each_record(write("lines.jsonl", "{\"a\":1}\n\n{\"a\":2}\n"), note);
  QCOMPARE(places.size(), std::size_t{5});
  QVERIFY(places[2].starts_with("rows.parquet: row 3 ") && places[2].ends_with("rows.parquet: row 3: /a"));
  QVERIFY(places[4].starts_with("lines.jsonl:3 "));
}

void RecordsTest::reading_stops_on_request() {
  // What lies behind is damaged and must not be met.
  write_parquet(folder_ / "stop.parquet", {{"a", "string", R"(["1", "2", "3", "4"])"}}, "none", 2);
  const auto lines = write("stop.jsonl", "{\"a\":1}\n{\"a\":2}\nbroken");
  for (const auto& file : {folder_ / "stop.parquet", lines}) {
    int count = 0;
    engine::for_each_record(file, [&](engine::JsonDocument&&) { return ++count < 2; });
    QCOMPARE(count, 2);
  }
}

void RecordsTest::the_text_column_is_read_alone() {
  // The other column's pages are made unreadable: their bytes stand first in each group.
  write_parquet(
      folder_ / "two.parquet",
      {{"other", "string", R"(["AAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBB"])"}, {"text", "string", R"(["one", null])"}},
      "zstd");
  std::string bytes = content(folder_ / "two.parquet");
  for (std::size_t i = 4; i < 24; ++i) bytes[i] = '\xff';
  const auto damaged = write("damaged.parquet", bytes);
  QVERIFY(message(damaged) != "read");
  std::vector<std::string> texts;
  QVERIFY(engine::for_each_parquet_text(damaged, "text", [&](std::string_view text, std::int64_t row) {
    texts.push_back(std::string(text) + std::to_string(row));
    return true;
  }));
  QCOMPARE(texts, (std::vector<std::string>{"one1"}));
}

void RecordsTest::binary_text_must_be_utf8() {
  write_parquet(folder_ / "raw.parquet", {{"text", "binary", R"(["good", "bad"])"}}, "none");
  std::string bytes = content(folder_ / "raw.parquet");
  std::size_t at = 0;
  while ((at = bytes.find("bad", at)) != bytes.npos) bytes[at++] = '\xfe';
  QString what = "read";
  try {
    engine::for_each_parquet_text(write("raw.parquet", bytes), "text",
                                  [](std::string_view, std::int64_t) { return true; });
  } catch (const InputError& error) {
    what = error.what();
  }
  QVERIFY2(what.contains("raw.parquet: row 2: invalid UTF-8"), qPrintable(what));
}

void RecordsTest::bad_files_are_one_sentence() {
  QVERIFY(message("/nonexistent/a.jsonl").contains("/nonexistent/a.jsonl"));
  QVERIFY(message("/nonexistent/a.parquet").contains("/nonexistent/a.parquet"));
  QVERIFY(message(write("a.csv", "a,b")).contains("expected .jsonl"));
  QVERIFY(message(write("list.jsonl", "[1]")).contains("list.jsonl:1: expected one JSON object"));
  QVERIFY(message(write("broken.jsonl", "{\"a\":1}\n{")).contains("broken.jsonl:2"));
  for (const std::string text :
       {"", "PAR1", "PAR1PAR1", "no Parquet at all, but long enough", "PAR1\xff\xff\xff\x7fPAR1"}) {
    const auto what = message(write("bad.parquet", text));
    QVERIFY2(what.contains("bad.parquet: cannot be read as Parquet: ") && !what.contains('\n'), qPrintable(what));
  }
  fs::create_directories(folder_ / "folder.parquet");
  QVERIFY(message(folder_ / "folder.parquet").contains("expected a regular file"));
}

void RecordsTest::damaged_parquet_never_crashes() {
  write_parquet(folder_ / "whole.parquet", all_kinds(), "snappy", 2);
  const std::string whole = content(folder_ / "whole.parquet");
  int refused = 0, read = 0;
  const auto attempt = [&](const std::string& bytes) {
    const auto what = message(write("mutant.parquet", bytes));
    what == "read" ? ++read : ++refused;
    QVERIFY2(what == "read" || (what.contains("mutant.parquet") && !what.contains('\n')), qPrintable(what));
  };
  for (int i = 0; i < 100; ++i) attempt(whole.substr(0, whole.size() * static_cast<std::size_t>(i) / 100));
  QCOMPARE(read, 0);
  std::uint64_t state = 1;
  const auto random = [&](std::size_t bound) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33) % bound;
  };
  for (int i = 0; i < 400; ++i) {
    std::string bytes = whole;
    for (std::size_t n = 0; n <= random(3); ++n) {
      char& byte = bytes[random(bytes.size())];
      byte = static_cast<char>(byte ^ (1 << random(8)));
    }
    attempt(bytes);
  }
  QVERIFY2(refused > 150, std::to_string(refused).c_str());
}

void RecordsTest::claimed_sizes_do_not_allocate() {
  write_parquet(folder_ / "small.parquet", all_kinds(), "zstd");
  const std::string whole = content(folder_ / "small.parquet");
  const std::int64_t before = peak_mib();
  // Lengths are variable-length integers of five bytes at most: large ones over every place.
  for (const std::string claim : {"\xff\xff\xff\xff\x0f", "\xfe\xff\xff\xff\x0f", "\x80\x80\x80\x80\x08"}) {
    for (std::size_t at = 4; at + claim.size() + 8 < whole.size(); at += 5) {
      std::string bytes = whole;
      bytes.replace(at, claim.size(), claim);
      message(write("claims.parquet", bytes));
    }
  }
  QVERIFY2(peak_mib() - before < 200, std::to_string(peak_mib() - before).c_str());
}

void RecordsTest::shared_parquet_equals_shared_json_lines_data() {
  QTest::addColumn<QString>("name");
  QTest::newRow("arc") << "ai2_arc/ARC-Easy.validation";
  QTest::newRow("piqa") << "piqa/validation";
}

void RecordsTest::shared_parquet_equals_shared_json_lines() {
  QFETCH(QString, name);
  const std::string base = (fs::path(EQUIPOISE_SHARED_DIR) / "data/tasks" / name.toStdString()).string();
  if (!fs::exists(base + ".jsonl")) QSKIP("the shared test data are not on this machine");
  const auto expected = records(base + ".jsonl");
  QVERIFY(expected.size() > 500);
  QVERIFY(records(base + "-00000-of-00001.parquet") == expected);
}

QTEST_APPLESS_MAIN(RecordsTest)
#include "tst_records.moc"
