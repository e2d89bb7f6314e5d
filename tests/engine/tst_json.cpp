#include <QtTest>

#include "engine/data/json.h"
#include "engine/error.h"

using engine::InputError;
using engine::JsonView;

class JsonTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void bad_texts_are_refused_data();
  void bad_texts_are_refused();
  void depth_is_capped_exactly();
  void accessors_name_file_and_pointer_data();
  void accessors_name_file_and_pointer();
  void integers_are_checked_against_sign_and_range();
  void missing_files_are_named();
};

void JsonTest::bad_texts_are_refused_data() {
  QTest::addColumn<QByteArray>("text");
  QTest::addColumn<QString>("message");
  QTest::newRow("empty") << QByteArray() << "line 1";
  QTest::newRow("syntax") << QByteArray("{\"a\":\n tru}") << "line 2";
  QTest::newRow("trailing") << QByteArray("{} x") << "line 1";
  QTest::newRow("NUL hides a tail") << QByteArray("{}\0{}", 5) << "NUL byte";
  QTest::newRow("duplicate key") << QByteArray(R"({"a":{"b":1,"b":2}})") << "duplicate key \"b\"";
  QTest::newRow("invalid UTF-8") << QByteArray("\"\xff\"") << "line 1";
  QTest::newRow("lone surrogate") << QByteArray(R"("\ud800")") << "line 1";
  QTest::newRow("number overflow") << QByteArray("1e999") << "1e999";
  QTest::newRow("comment") << QByteArray("{} // x") << "line 1";
  QTest::newRow("half a million brackets") << QByteArray(500000, '[') << "deeper than 64";
}

void JsonTest::bad_texts_are_refused() {
  QFETCH(QByteArray, text);
  QFETCH(QString, message);
  try {
    engine::parse_json(text.toStdString(), "x.json");
    QFAIL("accepted");
  } catch (const InputError& error) {
    QVERIFY2(QString(error.what()).startsWith("x.json: "), error.what());
    QVERIFY2(QString(error.what()).contains(message), error.what());
  }
}

void JsonTest::depth_is_capped_exactly() {
  engine::parse_json(std::string(16, '[') + std::string(16, ']'), "x", engine::k_config_limits);
  QVERIFY_THROWS_EXCEPTION(InputError,
                           engine::parse_json(std::string(17, '[') + std::string(17, ']'), "x",
                                              engine::k_config_limits));
  QVERIFY_THROWS_EXCEPTION(InputError, engine::parse_json("\"12345\"", "x", {6, 16}));
}

void JsonTest::accessors_name_file_and_pointer_data() {
  QTest::addColumn<QString>("expected");
  QTest::addColumn<int>("which");
  QTest::newRow("number") << "config.json: /rope~1x/factor: expected a number" << 0;
  QTest::newRow("missing") << "config.json: expected the key \"absent\"" << 1;
  QTest::newRow("item") << "config.json: /list/1: expected a string" << 2;
  QTest::newRow("range") << "config.json: /n: expected a whole number from 0 to 5, found 7" << 3;
  QTest::newRow("bool") << "config.json: /n: expected true or false" << 4;
}

void JsonTest::accessors_name_file_and_pointer() {
  QFETCH(QString, expected);
  QFETCH(int, which);
  const auto document = engine::parse_json_document(
      R"({"rope/x":{"factor":"8"},"list":["a",2],"n":7,"null":null})", "config.json");
  const JsonView root = document.view();
  QVERIFY(!root.has("null"));
  QCOMPARE(root.integer_or("null", 3), 3);
  try {
    if (which == 0) root.at("rope/x").at("factor").as_number();
    if (which == 1) root.at("absent");
    if (which == 2) root.at("list").items()[1].as_string();
    if (which == 3) root.integer_or("n", 0, 0, 5);
    if (which == 4) root.bool_or("n", false);
    QFAIL("accepted");
  } catch (const InputError& error) {
    QCOMPARE(QString(error.what()), expected);
  }
}

void JsonTest::integers_are_checked_against_sign_and_range() {
  const auto document = engine::parse_json_document(
      R"([-1, 1.0, 18446744073709551615, 100000000000000000000, 5])", "x");
  const auto items = document.view().items();
  QVERIFY_THROWS_EXCEPTION(InputError, items[0].as_integer(0));
  for (std::size_t i = 1; i < 4; ++i) QVERIFY_THROWS_EXCEPTION(InputError, items[i].as_integer());
  QCOMPARE(items[4].as_integer(0, 5), 5);
}

void JsonTest::missing_files_are_named() {
  try {
    engine::read_json("/nonexistent/config.json");
    QFAIL("read");
  } catch (const InputError& error) {
    QVERIFY(QString(error.what()).startsWith("/nonexistent/config.json: "));
  }
  QVERIFY_THROWS_EXCEPTION(InputError, engine::read_json("/tmp"));
}

QTEST_APPLESS_MAIN(JsonTest)
#include "tst_json.moc"
