#include <QtTest>

#include <chrono>
#include <thread>

#include "engine/data/json.h"
#include "engine/data/mapped_file.h"
#include "engine/data/tokenizer.h"
#include "engine/data/utf8.h"
#include "engine/error.h"

#ifndef EQUIPOISE_SHARED_DIR
#define EQUIPOISE_SHARED_DIR ""
#endif

namespace {

using engine::InputError;
using engine::Json;
using engine::Tokenizer;
namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

fs::path shared_data() { return fs::path(EQUIPOISE_SHARED_DIR) / "data"; }

fs::path folder_of(const std::string& name) {
  const auto tokenizers = shared_data() / "tokenizers" / name;
  return fs::exists(tokenizers) ? tokenizers : shared_data() / "models" / name;
}

/// Letters a-e, "ab" and "abc" as merges, <unk> and byte tokens on request.
Json small_bpe() {
  return Json::parse(R"({"model":{"type":"BPE","unk_token":"<unk>","vocab":
    {"<unk>":0,"a":1,"b":2,"c":3,"d":4,"e":5,"ab":6,"abc":7," ":8,"bc":9},"merges":["a b","ab c","b c"]},
    "added_tokens":[],"normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":{"type":"Fuse"}})");
}
Tokenizer make(const Json& json) { return Tokenizer::parse(json.dump(), "", "test.json"); }

double seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

#define SKIP_WITHOUT_SHARED()                    \
  if (!fs::exists(shared_data() / "tokenizers")) \
  QSKIP("the shared test data are not on this machine")

}  // namespace

class TokenizerTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void equal_ids_for_every_expected_text_data();
  void equal_ids_for_every_expected_text();
  void special_tokens_come_from_the_configuration();
  void merges_go_by_rank_then_position();
  void long_words_merge_as_short_ones_do();
  void unknown_characters_fuse_only_on_request();
  void added_tokens_strip_and_respect_words();
  void whole_words_are_looked_up();
  void invalid_utf8_is_refused();
  void bad_files_are_refused_data();
  void bad_files_are_refused();
  void hostile_pattern_ends_in_time();
  void hostile_text_ends_in_time_data();
  void hostile_text_ends_in_time();
  void threads_agree();
  void truncated_files_never_crash();
};

void TokenizerTest::equal_ids_for_every_expected_text_data() {
  QTest::addColumn<QString>("name");
  SKIP_WITHOUT_SHARED();
  const auto document = engine::read_json(shared_data() / "tokenizers" / "expected.json");
  for (const auto& [name, view] : document.view().at("tokenizers").fields()) {
    QTest::newRow(name.c_str()) << QString::fromStdString(name);
  }
}

void TokenizerTest::equal_ids_for_every_expected_text() {
  SKIP_WITHOUT_SHARED();
  QFETCH(QString, name);
  const auto document = engine::read_json(shared_data() / "tokenizers" / "expected.json");
  const Json& expected = (*document.root)["tokenizers"][name.toStdString()];
  const Json& texts = (*document.root)["texts"];
  const Tokenizer tokenizer = Tokenizer::load(folder_of(name.toStdString()));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i].get<std::string>();
    const Ids plain = tokenizer.encode(text, false);
    QVERIFY2(plain == expected["ids_no_special"][i].get<Ids>(), text.c_str());
    const Ids framed = tokenizer.encode(text, true);
    QVERIFY2(framed == expected["ids_with_special"][i].get<Ids>(), text.c_str());
    QCOMPARE(tokenizer.decode(framed, true),
             expected["decoded_skip_special"][i].get<std::string>());
  }
}

void TokenizerTest::special_tokens_come_from_the_configuration() {
  Json json = small_bpe();
  json["added_tokens"] = {{{"id", 10}, {"content", "<s>"}, {"special", true}},
                          {{"id", 11}, {"content", "</s>"}, {"special", true}}};
  const auto tokenizer = Tokenizer::parse(
      json.dump(),
      R"({"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"bos_token":{"content":"<s>"},
                      "eos_token":"</s>","model_max_length":2048})",
      "test.json");
  QCOMPARE(tokenizer.bos_id().value(), 10);
  QCOMPARE(tokenizer.eos_id().value(), 11);
  QVERIFY(tokenizer.adds_bos());
  QVERIFY(!tokenizer.adds_eos());
  QCOMPARE(tokenizer.model_max_length().value(), 2048);
  QCOMPARE(tokenizer.vocab_size(), 12);
  QCOMPARE(tokenizer.encode("ab</s>", true), (Ids{10, 6, 11}));
  QCOMPARE(tokenizer.decode(Ids{10, 6, 11}, true), std::string("ab"));
  QCOMPARE(tokenizer.decode(Ids{10, 6, 11, 99, -1}, false), std::string("<s>ab</s>"));
  QVERIFY(!make(json).adds_bos());
  QVERIFY(make(json).hash() != tokenizer.hash());
}

void TokenizerTest::merges_go_by_rank_then_position() {
  const auto tokenizer = make(small_bpe());
  QCOMPARE(tokenizer.encode("abc", false), (Ids{7}));
  QCOMPARE(tokenizer.encode("bcab", false), (Ids{9, 6}));
  QCOMPARE(tokenizer.encode("aabb", false), (Ids{1, 6, 2}));
  QCOMPARE(tokenizer.encode("", true), Ids{});
}

void TokenizerTest::long_words_merge_as_short_ones_do() {
  const auto tokenizer = make(small_bpe());
  std::string text;
  Ids expected;
  for (int i = 0; i < 500; ++i) {
    const std::string part = i % 3 == 0 ? "abc" : i % 3 == 1 ? "bcd" : "aeab";
    text += part;
    const Ids ids = tokenizer.encode(part, false);
    expected.insert(expected.end(), ids.begin(), ids.end());
    // "ab" at the end of the third part joins the next "c" only when one follows; here an "a" does.
  }
  QCOMPARE(tokenizer.encode(text, false), expected);
}

void TokenizerTest::unknown_characters_fuse_only_on_request() {
  Json json = small_bpe();
  QCOMPARE(make(json).encode("axyb", false), (Ids{1, 0, 0, 2}));
  json["model"]["fuse_unk"] = true;
  QCOMPARE(make(json).encode("axyb", false), (Ids{1, 0, 2}));
  json["model"]["unk_token"] = nullptr;
  QCOMPARE(make(json).encode("axyb", false), (Ids{6}));
  json["model"]["byte_fallback"] = true;
  json["model"]["vocab"]["<0xC3>"] = 10;
  json["model"]["vocab"]["<0xA9>"] = 11;
  json["decoder"] =
      Json::parse(R"({"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"}]})");
  QCOMPARE(make(json).encode("a\xC3\xA9", false), (Ids{1, 10, 11}));
  QCOMPARE(make(json).decode(Ids{1, 10, 11, 10}, false),
           std::string("a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"));
  QCOMPARE(make(json).decode(Ids{1, 10, 11, 2}, false), std::string("a\xC3\xA9"
                                                                    "b"));
}

void TokenizerTest::added_tokens_strip_and_respect_words() {
  Json json = small_bpe();
  json["added_tokens"] = {
      {{"id", 99}, {"content", "de"}, {"single_word", true}},
      {{"id", 11}, {"content", "<m>"}, {"lstrip", true}, {"rstrip", true}, {"special", true}},
      {{"id", 12}, {"content", "<m>a"}, {"special", true}}};
  const auto tokenizer = make(json);
  QCOMPARE(tokenizer.encode("ade de", false), (Ids{1, 4, 5, 8, 10}));
  QCOMPARE(tokenizer.encode("a  <m>  b", false), (Ids{1, 11, 2}));
  QCOMPARE(tokenizer.encode("a<m>a", false), (Ids{1, 12}));
}

void TokenizerTest::whole_words_are_looked_up() {
  const auto json =
      Json::parse(R"({"model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"the":1,"cat":2}},
    "pre_tokenizer":{"type":"WhitespaceSplit"}})");
  QCOMPARE(make(json).encode(" the  cat\tthe dog", false), (Ids{1, 2, 1, 0}));
  QCOMPARE(make(json).decode(Ids{1, 2}, false), std::string("the cat"));
}

void TokenizerTest::invalid_utf8_is_refused() {
  QVERIFY_THROWS_EXCEPTION(InputError, make(small_bpe()).encode("a\xFF", false));
  QCOMPARE(engine::utf8_lossy("a\xE2\x82"
                              "b\xF0\x9F\x98"),
           std::string("a\xEF\xBF\xBD"
                       "b\xEF\xBF\xBD"));
}

void TokenizerTest::bad_files_are_refused_data() {
  QTest::addColumn<QString>("pointer");
  QTest::addColumn<QString>("value");
  QTest::addColumn<QString>("message");
  const auto row = [](const char* name, const char* pointer, const char* value,
                      const char* message) { QTest::newRow(name) << pointer << value << message; };
  row("unknown model", "/model/type", R"("Unigram")", "/model: model \"Unigram\" is not supported");
  row("unknown normalizer", "/normalizer", R"({"type":"Precompiled"})",
      "normalizer \"Precompiled\"");
  row("unknown pre-tokenizer", "/pre_tokenizer", R"({"type":"X"})", "pre-tokenizer \"X\"");
  row("unknown decoder", "/decoder", R"({"type":"CTC"})", "decoder \"CTC\"");
  row("unknown post-processor", "/post_processor", R"({"type":"X"})", "post-processor \"X\"");
  row("merge of strangers", "/model/merges", R"(["a z"])", "\"z\" is not in the vocabulary");
  row("merge without result", "/model/merges", R"(["a e"])", "\"ae\" is not in the vocabulary");
  row("merge of three", "/model/merges", R"(["a b c"])", "expected two parts");
  row("merge of numbers", "/model/merges", R"([[1,2]])", "expected \"left right\"");
  row("negative id", "/model/vocab/a", "-1", "expected an id from 0");
  row("huge id", "/model/vocab/a", "4000000000", "expected an id from 0");
  row("id twice", "/model/vocab/a", "2", "belongs to two tokens");
  row("unk out of vocabulary", "/model/unk_token", R"("<none>")", "not in the vocabulary");
  row("dropout", "/model/dropout", "0.1", "random merges");
  row("bad pattern", "/pre_tokenizer",
      R"({"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"})", "pattern:");
  row("call-out", "/pre_tokenizer",
      R"x({"type":"Split","pattern":{"Regex":"a(?C1)"},"behavior":"Isolated"})x", "not supported");
  row("verb", "/pre_tokenizer",
      R"x({"type":"Split","pattern":{"Regex":"(*LIMIT_MATCH=1)a"},"behavior":"Isolated"})x",
      "not supported");
  row("added id", "/added_tokens", R"([{"id":-5,"content":"x"}])", "/added_tokens/0/id");
  row("template without text", "/post_processor",
      R"({"type":"TemplateProcessing","single":[],"special_tokens":{}})", "expected the text");
}

void TokenizerTest::bad_files_are_refused() {
  QFETCH(QString, pointer);
  QFETCH(QString, value);
  QFETCH(QString, message);
  Json json = small_bpe();
  json[Json::json_pointer(pointer.toStdString())] = Json::parse(value.toStdString());
  try {
    make(json);
    QFAIL("loaded");
  } catch (const InputError& error) {
    QVERIFY2(QString(error.what()).contains(message), error.what());
    QVERIFY2(QString(error.what()).startsWith("test.json"), error.what());
  }
}

void TokenizerTest::hostile_pattern_ends_in_time() {
  Json json = small_bpe();
  for (const char* pattern : {"(a+)+$", "(a|a)*b", "(?:a*)*c", "(a?){64}a{64}", "((a*)*)*d",
                              "(?=(a+))a*b", "(a|b|ab)*c"}) {
    json["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
    const auto tokenizer = make(json);
    const std::string text = std::string(1 << 20, 'a') + "e";
    const double taken = seconds([&] {
      try {
        tokenizer.encode(text, false);
      } catch (const InputError&) {
      }
    });
    QVERIFY2(taken < 4, qPrintable(QString("%1: %2 s").arg(pattern).arg(taken)));
  }
}

void TokenizerTest::hostile_text_ends_in_time_data() {
  QTest::addColumn<QString>("name");
  for (const char* name : {"llama3-style", "qwen2", "gpt-neox-olmo", "mistral-v0.1", "stories260K"})
    QTest::newRow(name) << name;
}

void TokenizerTest::hostile_text_ends_in_time() {
  SKIP_WITHOUT_SHARED();
  QFETCH(QString, name);
  const Tokenizer tokenizer = Tokenizer::load(folder_of(name.toStdString()));
  for (const std::string unit : {"^", " ", "a", "\n", "1", " \n", "'s", "\xE2\x96\x81", "<",
                                 "\xC3\xA9", "e\xCC\x81", "\t "}) {
    std::string text;
    while (text.size() < (1 << 20)) text += unit;
    const double taken = seconds([&] { QVERIFY(!tokenizer.encode(text + "x", true).empty()); });
    QVERIFY2(taken < 4,
             qPrintable(QString("%1: %2 s").arg(QString::fromStdString(unit)).arg(taken)));
  }
}

void TokenizerTest::threads_agree() {
  SKIP_WITHOUT_SHARED();
  const Tokenizer tokenizer = Tokenizer::load(folder_of("llama3-style"));
  const engine::MappedFile file(shared_data() / "text" / "tinyshakespeare.txt");
  const auto text = file.text().substr(0, 200000);
  const Ids expected = tokenizer.encode(text, true);
  std::vector<Ids> found(4);
  {
    std::vector<std::jthread> threads;
    for (auto& ids : found) threads.emplace_back([&] { ids = tokenizer.encode(text, true); });
  }
  for (const auto& ids : found) QVERIFY(ids == expected);
  QCOMPARE(tokenizer.decode(expected, true), std::string(text));
}

void TokenizerTest::truncated_files_never_crash() {
  SKIP_WITHOUT_SHARED();
  const engine::MappedFile file(folder_of("llama3-style") / "tokenizer.json");
  for (std::size_t size = 0; size < file.size(); size += file.size() / 97) {
    QVERIFY_THROWS_EXCEPTION(InputError,
                             Tokenizer::parse(file.text().substr(0, size), "", "cut.json"));
  }
}

QTEST_APPLESS_MAIN(TokenizerTest)
#include "tst_tokenizer.moc"
