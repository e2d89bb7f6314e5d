#include <QtTest>

#include <ctime>
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
Json bos_template() {
  return Json::parse(R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
    "special_tokens":{"<s>":{"id":"<s>","ids":[10],"tokens":["<s>"]}}})");
}
Tokenizer make(const Json& json) { return Tokenizer::parse(json.dump(), "", "test.json"); }

/// Processor time of this process.
double seconds(const std::function<void()>& work) {
  const auto start = std::clock();
  work();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double k_time_limit = 8;
#else
constexpr double k_time_limit = 2;
#endif

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
  void hostile_steps_end_in_time_and_memory();
  void hostile_text_ends_in_time_data();
  void hostile_text_ends_in_time();
  void threads_agree();
  void truncated_files_never_crash();
  void the_policy_is_told_in_words();
  void token_bytes_join_to_the_text();
  void sentence_piece_ids_equal_the_library_s_data();
  void sentence_piece_ids_equal_the_library_s();
  void sentence_piece_settings_come_from_the_configuration();
  void bad_sentence_piece_files_are_refused_data();
  void bad_sentence_piece_files_are_refused();
  void both_forms_of_a_tokenizer_agree();
  void pipelines_agree_with_the_reference_data();
  void pipelines_agree_with_the_reference();
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
  const Json without_frame = json;
  json["post_processor"] = bos_template();
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
  QVERIFY(!make(without_frame).adds_bos());
  QVERIFY(make(without_frame).hash() != tokenizer.hash());
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
  row("template id", "/post_processor",
      R"({"type":"BertProcessing","cls":["[CLS]",101],"sep":["[SEP]",2]})", "special token 101 is neither");
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
    QVERIFY2(taken < k_time_limit, qPrintable(QString("%1: %2 s").arg(pattern).arg(taken)));
  }
}

void TokenizerTest::hostile_steps_end_in_time_and_memory() {
  const std::string text = std::string(1 << 20, 'a') + "e";
  const auto refused = [&](const Json& json, const char* message) {
    try {
      make(json).encode(text, false);
    } catch (const InputError& error) {
      return QString(error.what()).contains(message);
    }
    return false;
  };
  // Each word gets its own search: their time must add up to one limit.
  Json slow = small_bpe();
  const auto split = [](const char* pattern) {
    return Json{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
  };
  slow["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {split("a{24}"), split("(a|aa)*[^a]")}}};
  const double taken = seconds([&] { QVERIFY(refused(slow, "takes too")); });
  QVERIFY2(taken < k_time_limit, qPrintable(QString::number(taken)));

  Json growing = small_bpe();
  const Json twice = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  growing["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json(60, twice)}};
  QVERIFY(refused(growing, "a hundred times"));
  growing["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json(65, twice)}};
  QVERIFY(refused(growing, "more than 64"));
  growing["normalizer"] = nullptr;
  growing["decoder"] = {{"type", "Sequence"}, {"decoders", Json(60, twice)}};
  QVERIFY_THROWS_EXCEPTION(InputError, make(growing).decode(Ids(100, 1), false));

  Json long_token = small_bpe();
  long_token["added_tokens"] = {{{"id", 10}, {"content", std::string(50'000, 'a') + "b"}, {"special", true}}};
  QVERIFY(refused(long_token, "added tokens take too long"));
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
    QVERIFY2(taken < k_time_limit,
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

void TokenizerTest::the_policy_is_told_in_words() {
  Json json = small_bpe();
  json["added_tokens"] = {{{"id", 10}, {"content", "<s>"}, {"special", true}},
                          {{"id", 11}, {"content", "</s>"}, {"special", true}}};
  QCOMPARE(make(json).policy(), std::string("no BOS; no EOS"));
  json["post_processor"] = bos_template();
  const char* named = R"({"bos_token":"<s>","eos_token":"</s>","add_bos_token":true})";
  const auto framed = Tokenizer::parse(json.dump(), named, "test.json");
  QCOMPARE(framed.policy(), std::string("adds BOS <s> (id 10) in front; no EOS"));
  QCOMPARE(framed.special_tokens().size(), std::size_t{2});
  QCOMPARE(framed.special_tokens()[1].text, std::string("</s>"));
  QCOMPARE(framed.kind(), std::string("BPE"));
  // transformers 5 goes by tokenizer.json alone; a setting that says otherwise is shown.
  const char* other = R"({"tokenizer_class":"LlamaTokenizer","bos_token":"<s>","eos_token":"</s>","add_bos_token":false,"add_eos_token":true})";
  const auto noted = Tokenizer::parse(json.dump(), other, "test.json");
  QCOMPARE(noted.encode("a", true), (Ids{10, 1}));
  QVERIFY(QString::fromStdString(noted.policy()).contains("(add_bos_token and add_eos_token of tokenizer_config.json not followed"));
  json["post_processor"] = Json::parse(
      R"({"type":"BertProcessing","cls":["[CLS]",1],"sep":["[SEP]",2]})");
  QCOMPARE(make(json).policy(), std::string("adds BOS a (id 1) in front; adds b (id 2) behind"));
}

void TokenizerTest::token_bytes_join_to_the_text() {
  SKIP_WITHOUT_SHARED();
  const std::string text = "Hello, wörld! 猫 \xF0\x9F\x98\x80\n  12345 don't";
  for (const char* name : {"llama3-style", "gpt-neox-olmo", "mistral-v0.1"}) {
    const Tokenizer tokenizer = Tokenizer::load(folder_of(name));
    std::string joined;
    for (const auto id : tokenizer.encode(text, false)) joined += tokenizer.token_bytes(id);
    const bool prefixed = std::string(name) == "mistral-v0.1";
    QCOMPARE(joined, (prefixed ? " " : "") + text);
  }
  QCOMPARE(Tokenizer::load(folder_of("llama3-style")).kind(), std::string("BPE, byte level"));
  QCOMPARE(Tokenizer::load(folder_of("mistral-v0.1")).kind(), std::string("BPE with byte fallback"));
}

void TokenizerTest::sentence_piece_ids_equal_the_library_s_data() {
  QTest::addColumn<QString>("name");
  for (const char* name : {"sentencepiece_bpe.model", "sentencepiece_unigram.model"}) QTest::newRow(name) << name;
}

void TokenizerTest::sentence_piece_ids_equal_the_library_s() {
  QFETCH(QString, name);
  const fs::path golden = QFINDTESTDATA("../golden/sentencepiece.json").toStdString();
  const engine::MappedFile model(golden.parent_path() / name.toStdString());
  // A token that the texts do not hold, so that <s> and </s> stay plain text, as for the bare library.
  const auto tokenizer = Tokenizer::parse_model(
      model.text(), R"({"add_bos_token":false,"added_tokens_decoder":{"900":{"content":"<never>","special":true}}})", "t.model");
  const auto document = engine::read_json(golden);
  for (const Json& one : (*document.root)[name.toStdString()]) {
    const auto text = one["text"].get<std::string>();
    QVERIFY2(tokenizer.encode(text, true) == one["ids"].get<Ids>(), text.c_str());
  }
  QVERIFY(tokenizer.kind() == (name.contains("bpe") ? "SentencePiece BPE" : "SentencePiece unigram"));
  if (name.contains("bpe")) {  // the other one normalises
    const std::string text = "  the cat <s> \n naïve \xF0\x9F\x98\x80  ";
    QCOMPARE(tokenizer.decode(tokenizer.encode(text, false), false), text);
  }
}

void TokenizerTest::sentence_piece_settings_come_from_the_configuration() {
  const fs::path golden = QFINDTESTDATA("../golden/sentencepiece_bpe.model").toStdString();
  const engine::MappedFile model(golden);
  const auto with = [&](const char* config) { return Tokenizer::parse_model(model.text(), config, "t.model"); };
  const auto plain = with("");
  QCOMPARE(plain.policy(), std::string("adds BOS <s> (id 1) in front; no EOS"));
  const Ids the{269}, cat{332};
  QCOMPARE(plain.encode("the", true), (Ids{1, 269}));
  // Old ("legacy") tokenizers put a space before every stretch of text, new ones before the first alone.
  QCOMPARE(plain.encode("the</s>the", false), (Ids{269, 2, 269}));
  const auto modern = with(R"({"legacy":false,"add_eos_token":true})");
  const Ids ids = modern.encode("the</s>the", true);
  QCOMPARE(Ids(ids.begin(), ids.begin() + 3), (Ids{1, 269, 2}));
  QVERIFY(ids.back() == 2 && ids[3] != 269);
  QCOMPARE(modern.encode(" the", false), (Ids{269}));
  QCOMPARE(modern.decode(modern.encode("the</s>the", false), false), std::string("the</s>the"));
  const auto bare = with(R"({"add_prefix_space":false,"add_bos_token":false})");
  QVERIFY(bare.encode("the", true) != the);
  QCOMPARE(bare.encode(" the", true), the);
  QCOMPARE(bare.decode(the, false), std::string(" the"));
  const auto added = with(R"({"bos_token":"<bos>","added_tokens_decoder":{"400":{"content":"<bos>","special":true}}})");
  QCOMPARE(added.encode("<bos>the", true), (Ids{400, 400, 269}));
  QCOMPARE(added.vocab_size(), 401);
  QVERIFY(added.hash() != plain.hash() && modern.hash() != plain.hash());
  QCOMPARE(plain.encode(std::string(1 << 20, 'a'), false).size() > 1000, true);
}

void TokenizerTest::bad_sentence_piece_files_are_refused_data() {
  QTest::addColumn<QByteArray>("bytes");
  QTest::addColumn<QString>("message");
  const auto row = [](const char* name, std::string_view bytes, const char* message) {
    QTest::newRow(name) << QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())) << message;
  };
  using namespace std::string_view_literals;
  row("empty", "", "not a SentencePiece model: empty");
  row("text", "hello", "not a SentencePiece model");
  row("tiktoken", "IQ== 0\nIg== 1\n", "a tiktoken vocabulary");
  row("cut off", "\x0A\x7F\x0A"sv, "cut off");
  row("no pieces", "\x12\x02\x18\x02"sv, "it has no pieces");
  row("piece without text", "\x0A\x05\x15\0\0\0\0"sv, "piece 0: expected a text");
  row("score not finite", "\x0A\x08\x0A\x01\x61\x15\0\0\xC0\x7F"sv, "piece 0: expected a finite score");
  row("unknown type", "\x0A\x05\x0A\x01\x61\x18\x09"sv, "piece 0: unknown type 9");
  row("no UTF-8", "\x0A\x03\x0A\x01\xFF"sv, "piece 0: not valid UTF-8");
  row("NUL in a piece", "\x0A\x04\x0A\x02\x61\0"sv, "piece 0: a NUL character");
  row("word model", "\x0A\x03\x0A\x01\x61\x12\x02\x18\x03"sv, "model type 3 is not supported");
  row("table beyond its end", "\x0A\x03\x0A\x01\x61\x1A\x0A\x12\x08\0\x04\0\0\x61\x61\x61\0"sv, "normalisation table is damaged");
  row("no unknown piece", "\x0A\x03\x0A\x01\x61\x12\x02\x18\x02"sv, "not a usable SentencePiece model");
}

void TokenizerTest::bad_sentence_piece_files_are_refused() {
  QFETCH(QByteArray, bytes);
  QFETCH(QString, message);
  try {
    Tokenizer::parse_model({bytes.data(), static_cast<std::size_t>(bytes.size())}, "", "t.model");
    QFAIL("loaded");
  } catch (const InputError& error) {
    QVERIFY2(QString(error.what()).startsWith("t.model: ") && QString(error.what()).contains(message), error.what());
  }
}

void TokenizerTest::both_forms_of_a_tokenizer_agree() {
  SKIP_WITHOUT_SHARED();
  const fs::path folder = folder_of("mistral-v0.1");
  const Tokenizer json = Tokenizer::load(folder), model = Tokenizer::load(folder / "tokenizer.model");
  QVERIFY(json.source().ends_with("tokenizer.json") && model.source().ends_with("tokenizer.model"));
  QCOMPARE(model.vocab_size(), json.vocab_size());
  QCOMPARE(model.policy(), json.policy());
  const auto document = engine::read_json(shared_data() / "tokenizers" / "expected.json");
  const Json& expected = (*document.root)["tokenizers"]["mistral-v0.1"];
  const Json& texts = (*document.root)["texts"];
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i].get<std::string>();
    const Ids ids = model.encode(text, true);
    QVERIFY2(ids == expected["ids_with_special"][i].get<Ids>(), text.c_str());
    QCOMPARE(model.decode(ids, true), expected["decoded_skip_special"][i].get<std::string>());
  }
  const engine::MappedFile file(shared_data() / "text" / "tinyshakespeare.txt");
  const auto text = file.text().substr(0, 100000);
  QVERIFY(model.encode(text, true) == json.encode(text, true));
}

void TokenizerTest::pipelines_agree_with_the_reference_data() {
  QTest::addColumn<int>("index");
  const auto document = engine::read_json(QFINDTESTDATA("../golden/tokenizer_pipelines.json").toStdString());
  for (std::size_t i = 0; i < (*document.root)["cases"].size(); ++i) QTest::addRow("pipeline %zu", i) << static_cast<int>(i);
}

void TokenizerTest::pipelines_agree_with_the_reference() {
  QFETCH(int, index);
  static const auto document = engine::read_json(QFINDTESTDATA("../golden/tokenizer_pipelines.json").toStdString());
  const Json& one = (*document.root)["cases"][static_cast<std::size_t>(index)];
  Json json{{"model", (*document.root)["models"][one["model"].get<std::string>()]}};
  for (const char* part : {"normalizer", "pre_tokenizer", "decoder", "added_tokens"}) json[part] = one[part];
  const auto tokenizer = make(json);
  for (const Json& row : one["texts"]) {
    const auto text = row["text"].get<std::string>();
    const Ids ids = tokenizer.encode(text, false);
    QVERIFY2(ids == row["ids"].get<Ids>(), (text + "\n" + Json(ids).dump() + "\n" + row["ids"].dump()).c_str());
    if (!row["decoded"].is_null()) QCOMPARE(tokenizer.decode(ids, true), row["decoded"].get<std::string>());
  }
}

QTEST_APPLESS_MAIN(TokenizerTest)
#include "tst_tokenizer.moc"
