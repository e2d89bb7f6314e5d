#include <QtTest>

#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/content_hash.h"
#include "engine/data/json.h"
#include "engine/data/row_index.h"
#include "engine/data/rows.h"
#include "engine/data/tokenizer.h"
#include "engine/error.h"
#include "engine/random.h"
#include "tests/support/temp_dir.h"

#ifndef EQUIPOISE_SHARED_DIR
#define EQUIPOISE_SHARED_DIR ""
#endif

using namespace engine;
namespace fs = std::filesystem;
using Row = std::vector<std::int64_t>;

namespace {

const auto k_held_out_rows = static_cast<std::size_t>(engine::DataSpec{}.validation_rows);

constexpr std::int64_t k_bos = 1;

/// Words w0, w1, … as whole tokens behind a BOS. Id 2 + i.
Tokenizer words(int count) {
  Json vocab = {{"[UNK]", 0}, {"<s>", k_bos}};
  for (int i = 0; i < count; ++i) vocab["w" + std::to_string(i)] = 2 + i;
  const Json json = {
      {"model", {{"type", "WordLevel"}, {"vocab", vocab}, {"unk_token", "[UNK]"}}},
      {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
        {"pair", Json::array()},
        {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {k_bos}}, {"tokens", {"<s>"}}}}}}}},
      {"added_tokens",
       {{{"id", k_bos},
         {"content", "<s>"},
         {"single_word", false},
         {"lstrip", false},
         {"rstrip", false},
         {"normalized", false},
         {"special", true}}}}};
  return Tokenizer::parse(json.dump(), "", "words.json");
}

/// Document i: its own word wi, then i % 23 words more; every tenth text is empty for the tokenizer but its BOS.
std::string document(int i) {
  if (i % 10 == 9) return std::string(static_cast<std::size_t>(i), ' ');
  std::string text = "w" + std::to_string(i);
  for (int k = 0; k < i % 23; ++k) text += " w" + std::to_string((i * 31 + k * 7) % 1000);
  return text;
}

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

class RowsTest : public QObject {
  Q_OBJECT

  support::TempDir folder_;
  const Tokenizer tokenizer_ = words(1000);
  std::vector<std::string> notes_;

  fs::path write(const std::string& name, int documents) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream out(folder_ / name, std::ios::binary);
    for (int i = 0; i < documents; ++i) out << Json{{"text", document(i)}}.dump() << '\n';
    return folder_ / name;
  }
  Recipe recipe(const fs::path& path, const std::string& packing) {
    Recipe r;
    r.seed = 7;
    r.data.path = path.string();
    r.data.sequence_length = 16;
    r.data.packing = packing;
    r.data.validation_share = 0.1;
    return r;
  }
  TokenCacheOptions options(const std::string& cache = "cache", int threads = 2) {
    notes_.clear();
    return {folder_ / cache, threads, [] { return false; },
            [this](const std::string& line) { notes_.push_back(line); }};
  }
  TokenCache open(const fs::path& text, const std::string& cache = "cache", int threads = 2) {
    return TokenCache::open(text, "text", tokenizer_, options(cache, threads));
  }
  bool noted(const std::string& words_of_note) const {
    for (const auto& line : notes_)
      if (line.find(words_of_note) != line.npos) return true;
    return false;
  }
  static Row row(const RowBatch& b, std::size_t i) {
    const auto begin = b.ids.begin() + static_cast<std::ptrdiff_t>(i) * b.length;
    return {begin, begin + b.lengths[i]};
  }
  /// The rows by their plain definition, all in memory.
  std::vector<Row> plain_rows(const fs::path& path, const std::string& packing, std::vector<Row>* held_out) {
    const Recipe r = recipe(path, packing);
    const auto length = static_cast<std::size_t>(r.data.sequence_length);
    std::vector<Row> rows;
    Row stream;
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) {
      const std::string text = Json::parse(line)["text"];
      if (text.empty()) continue;
      const auto ids = tokenizer_.encode(text, true);
      const bool held =
          CounterRng(0, Stream::held_out).uniform(XXH3_64bits(text.data(), text.size())) < r.data.validation_share;
      Row cut(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), length)));
      if (held && cut.size() >= 2 && held_out->size() < k_held_out_rows) held_out->push_back(cut);
      if (!held && packing == "documents" && cut.size() >= 2) rows.push_back(cut);
      if (!held) stream.insert(stream.end(), ids.begin(), ids.end());
    }
    for (std::size_t at = 0; packing == "packed" && at + length <= stream.size(); at += length)
      rows.emplace_back(stream.begin() + static_cast<std::ptrdiff_t>(at),
                        stream.begin() + static_cast<std::ptrdiff_t>(at + length));
    return rows;
  }

 private Q_SLOTS:
  void a_text_is_tokenised_once();
  void threads_change_no_byte();
  void another_text_tokenizer_or_field_gets_another_cache();
  void a_damaged_cache_is_built_again_data();
  void a_damaged_cache_is_built_again();
  void ids_take_two_or_four_bytes();
  void two_builders_do_not_harm_each_other();
  void stopping_leaves_nothing_behind();
  void what_a_killed_builder_left_is_removed();
  void errors_name_text_or_folder();
  void rows_follow_their_plain_definition_data();
  void rows_follow_their_plain_definition();
  void every_row_comes_once_a_pass_data();
  void every_row_comes_once_a_pass();
  void any_position_can_be_taken_up();
  void packed_rows_keep_document_boundaries();
  void held_out_documents_never_train();
  void fingerprint_follows_text_and_tokenizer();
  void contents_are_hashed_once();
  void shared_corpus_is_read_whole();
};

void RowsTest::a_text_is_tokenised_once() {
  const auto text = write("once.jsonl", 3000);
  const TokenCache first = open(text);
  QVERIFY(noted("tokenised " + text.string()));
  const FileStamp stamp = file_stamp(first.path());
  const TokenCache again = open(text);
  QVERIFY2(notes_.empty(), notes_.empty() ? "" : notes_[0].c_str());
  QVERIFY(file_stamp(again.path()) == stamp);
  QCOMPARE(again.documents(), std::uint64_t{3000});
  QCOMPARE(again.fingerprint(), first.fingerprint());
  for (int i = 0; i < 3000; ++i) {
    const auto d = static_cast<std::uint64_t>(i);
    const auto ids = tokenizer_.encode(document(i), true);
    Row tokens;
    again.append(again.range(d).first, again.range(d).second, tokens);
    QVERIFY(tokens == Row(ids.begin(), ids.end()));
    QCOMPARE(again.hash(d), static_cast<std::uint64_t>(XXH3_64bits(document(i).data(), document(i).size())));
  }
}

void RowsTest::threads_change_no_byte() {
  const auto text = write("threads.jsonl", 20000);  // several blocks
  const std::string one = content(open(text, "one", 1).path());
  QVERIFY(one.size() > 100'000);
  QVERIFY(content(open(text, "five", 5).path()) == one);
}

void RowsTest::another_text_tokenizer_or_field_gets_another_cache() {
  const auto text = write("change.jsonl", 50);
  const auto first = open(text).path();
  std::ofstream(text, std::ios::app) << R"({"text":"w1","other":"w2"})" << '\n';
  const TokenCache longer = open(text);
  QVERIFY(longer.path() != first && longer.documents() == 51);
  QVERIFY(TokenCache::open(text, "text", words(1001), options()).path() != longer.path());
  const auto other = folder_ / "other.jsonl";
  std::ofstream(other) << R"({"a":"w1 w2","b":"w3"})";
  const TokenCache a = TokenCache::open(other, "a", tokenizer_, options()),
                   b = TokenCache::open(other, "b", tokenizer_, options());
  QCOMPARE(a.tokens(), std::uint64_t{3});
  QCOMPARE(b.tokens(), std::uint64_t{2});
}

void RowsTest::a_damaged_cache_is_built_again_data() {
  QTest::addColumn<int>("at");
  QTest::addColumn<QString>("why");
  QTest::newRow("magic") << 0 << "no token cache";
  QTest::newRow("version") << 8 << "version";
  QTest::newRow("token width") << 12 << "header";
  QTest::newRow("counts") << 25 << "header";
  QTest::newRow("checksum") << 50 << "header";
  QTest::newRow("tokens") << 70 << "damaged";
  QTest::newRow("table") << -5 << "damaged";
  QTest::newRow("cut short") << -1000 << "size";
  QTest::newRow("nearly empty") << -1001 << "cut short";
}

void RowsTest::a_damaged_cache_is_built_again() {
  QFETCH(int, at);
  QFETCH(QString, why);
  const auto text = write("damage.jsonl", 200);
  const auto path = open(text).path();
  const std::string whole = content(path);
  std::string bytes = whole;
  if (at == -1000)
    bytes.resize(whole.size() - 8);
  else if (at == -1001)
    bytes.resize(20);
  else
    bytes[at < 0 ? whole.size() - static_cast<std::size_t>(-at) : static_cast<std::size_t>(at)] ^= 0x10;
  std::ofstream(path, std::ios::binary) << bytes;
  const TokenCache again = open(text);
  QVERIFY2(noted("it is built again") && noted(why.toStdString()), notes_.empty() ? "no note" : notes_[0].c_str());
  QVERIFY(content(path) == whole);
  QCOMPARE(again.documents(), std::uint64_t{200});
  QVERIFY(open(text).documents() == 200 && notes_.empty());
}

void RowsTest::ids_take_two_or_four_bytes() {
  const auto text = folder_ / "wide.jsonl";
  std::ofstream(text) << R"({"text":"w65533 w0"})" << '\n' << R"({"text":"w65534 w1"})";
  const auto check = [&](const Tokenizer& tokenizer, const Row& expected, std::uintmax_t token_bytes) {
    const TokenCache cache = TokenCache::open(text, "text", tokenizer, options());
    Row ids;
    cache.append(0, cache.tokens(), ids);
    QVERIFY(ids == expected);
    QCOMPARE(fs::file_size(cache.path()), 64 + (6 * token_bytes + 7) / 8 * 8 + 32);
  };
  check(words(65534), {k_bos, 65535, 2, k_bos, 0, 3}, 2);
  check(words(65535), {k_bos, 65535, 2, k_bos, 65536, 3}, 4);
}

void RowsTest::two_builders_do_not_harm_each_other() {
  const auto text = write("race.jsonl", 20000);
  std::mutex mutex;
  int built = 0;
  std::vector<std::uint64_t> tokens;
  const auto build = [&] {
    const auto note = [&](const std::string& line) {
      const std::lock_guard lock(mutex);
      built += line.starts_with("tokenised ");
    };
    const TokenCache cache =
        TokenCache::open(text, "text", tokenizer_, {folder_ / "race", 1, [] { return false; }, note});
    const std::lock_guard lock(mutex);
    tokens.push_back(cache.tokens());
  };
  { const std::jthread a(build), b(build), c(build); }
  QCOMPARE(built, 1);
  QVERIFY(tokens.size() == 3 && tokens[0] == tokens[1] && tokens[1] == tokens[2]);
}

void RowsTest::stopping_leaves_nothing_behind() {
  const auto text = write("stop.jsonl", 20000);
  auto stopped = options("stopped");
  int asked = 0;
  stopped.stop = [&] { return ++asked > 9000; };
  QVERIFY_EXCEPTION_THROWN(TokenCache::open(text, "text", tokenizer_, stopped), Cancelled);
  for (const auto& entry : fs::directory_iterator(folder_ / "stopped/tokens"))
    QVERIFY2(entry.path().extension() == ".lock" || entry.path().extension() == ".hashes", entry.path().c_str());
  QCOMPARE(open(text, "stopped").documents(), std::uint64_t{20000});
}

void RowsTest::what_a_killed_builder_left_is_removed() {
  const auto text = write("killed.jsonl", 10);
  const auto path = open(text, "killed").path();
  fs::remove(path);
  const fs::path half = path.string() + ".1-1.part", foreign = path.parent_path() / "other.tokens.1-1.part";
  std::ofstream(half) << "half";
  std::ofstream(foreign) << "another builder's";
  open(text, "killed");
  QVERIFY(!fs::exists(half) && fs::exists(foreign));
}

void RowsTest::errors_name_text_or_folder() {
  const auto message = [&](const fs::path& text, const fs::path& cache) -> QString {
    try {
      TokenCache::open(text, "text", tokenizer_, {cache, 1, [] { return false; }, [](const std::string&) {}});
    } catch (const InputError& error) {
      return error.what();
    }
    return "opened";
  };
  const auto good = write("good.jsonl", 5);
  QVERIFY(message(folder_ / "none.jsonl", folder_ / "cache").contains("none.jsonl"));
  std::ofstream(folder_ / "bad.jsonl") << "{\"text\":\"w1\"}\n{\"text\":";
  QVERIFY(message(folder_ / "bad.jsonl", folder_ / "cache").contains("bad.jsonl:2"));
  std::ofstream(folder_ / "file") << "no folder";
  QVERIFY(message(good, folder_ / "file").contains("cannot be made"));
  QVERIFY(message(good, {}).contains("no folder"));
}

void RowsTest::rows_follow_their_plain_definition_data() {
  QTest::addColumn<QString>("packing");
  QTest::newRow("documents") << "documents";
  QTest::newRow("packed") << "packed";
}

void RowsTest::rows_follow_their_plain_definition() {
  QFETCH(QString, packing);
  const auto text = write("plain.jsonl", 2000);
  std::vector<Row> held_out;
  const auto expected = plain_rows(text, packing.toStdString(), &held_out);
  const TextRows rows = TextRows::from_files(recipe(text, packing.toStdString()), tokenizer_, options());
  QCOMPARE(rows.rows_a_pass(), std::uint64_t{expected.size()});
  QVERIFY(held_out.size() == k_held_out_rows && rows.held_out() == held_out);
  const std::uint64_t n = expected.size();
  for (std::uint64_t position = 0; position < 2 * n; ++position) {
    const auto at = permuted(CounterRng(7, Stream::data_order, position / n), position % n, n);
    QVERIFY(row(rows.batch(position, 1), 0) == expected[at]);
  }
}

void RowsTest::every_row_comes_once_a_pass_data() { rows_follow_their_plain_definition_data(); }

void RowsTest::every_row_comes_once_a_pass() {
  QFETCH(QString, packing);
  const auto text = write("pass.jsonl", 1001);
  const TextRows rows = TextRows::from_files(recipe(text, packing.toStdString()), tokenizer_, options());
  const auto n = static_cast<std::int64_t>(rows.rows_a_pass());
  std::map<Row, int> expected;
  std::vector<Row> held_out;
  for (const auto& r : plain_rows(text, packing.toStdString(), &held_out)) ++expected[r];
  std::vector<Row> first;
  for (std::uint64_t pass = 0; pass < 3; ++pass) {
    const RowBatch b = rows.batch(pass * static_cast<std::uint64_t>(n), n);
    std::map<Row, int> seen;
    std::vector<Row> order;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      ++seen[row(b, i)];
      order.push_back(row(b, i));
    }
    QVERIFY(seen == expected);
    QVERIFY(order != first);
    first = order;
  }
}

void RowsTest::any_position_can_be_taken_up() {
  const TextRows rows = TextRows::from_files(recipe(write("resume.jsonl", 300), "packed"), tokenizer_, options());
  const TextRows later = TextRows::from_files(recipe(folder_ / "resume.jsonl", "packed"), tokenizer_, options());
  QVERIFY(notes_.empty());
  const RowBatch whole = rows.batch(1'000'003, 40);
  for (std::size_t i = 0; i < 40; i += 7) {
    const RowBatch part = later.batch(1'000'003 + i, 5);
    for (std::size_t k = 0; k < 5 && i + k < 40; ++k) {
      QVERIFY(row(part, k) == row(whole, i + k));
      QVERIFY(part.starts[k] == whole.starts[i + k]);
    }
  }
}

void RowsTest::packed_rows_keep_document_boundaries() {
  const auto text = write("bounds.jsonl", 700);
  const RowIndex index(open(text), {16, true, 0.1});
  Row stream, ids, starts;
  std::vector<std::size_t> begins;
  for (std::uint64_t r = 0; r < index.rows(); ++r) {
    index.read(r, ids, starts);
    QCOMPARE(ids.size(), std::size_t{16});
    for (const auto s : starts) begins.push_back(stream.size() + static_cast<std::size_t>(s));
    stream.insert(stream.end(), ids.begin(), ids.end());
  }
  // Every document begins with BOS, which stands nowhere else.
  std::vector<std::size_t> expected;
  for (std::size_t i = 0; i < stream.size(); ++i)
    if (stream[i] == k_bos) expected.push_back(i);
  QVERIFY(expected.size() > 500 && begins == expected);
  const RowBatch b = TextRows::from_files(recipe(text, "packed"), tokenizer_, options()).batch(0, 50);
  for (std::size_t i = 0; i < 50; ++i) {
    Row own;
    for (std::size_t t = 0; t < 16; ++t)
      if (row(b, i)[t] == k_bos) own.push_back(static_cast<std::int64_t>(t));
    QVERIFY(b.starts[i] == own);
  }
  const RowBatch documents = TextRows::from_files(recipe(text, "documents"), tokenizer_, options()).batch(0, 50);
  for (const auto& s : documents.starts) QVERIFY(s == Row{0});
}

void RowsTest::held_out_documents_never_train() {
  // The first word of document i is its own, so rows tell what they are made of.
  const auto text = write("held.jsonl", 990);
  const auto held_words = [&](const fs::path& path) {
    Recipe r = recipe(path, "documents");
    r.data.validation_share = 0.05;
    const TextRows rows = TextRows::from_files(r, tokenizer_, options());
    std::set<std::int64_t> held, trained;
    for (const auto& h : rows.held_out()) held.insert(h[1]);
    const RowBatch b = rows.batch(0, static_cast<std::int64_t>(rows.rows_a_pass()));
    for (std::size_t i = 0; i < b.lengths.size(); ++i) trained.insert(row(b, i)[1]);
    for (const auto h : held) [&] { QVERIFY(trained.count(h) == 0); }();
    [&] { QVERIFY(trained.size() + held.size() == 891); }();  // a tenth has no word
    return held;
  };
  const auto held = held_words(text);
  QVERIFY(held.size() > 20 && held.size() < 64);
  // The same documents are held out of another corpus that holds them.
  std::ofstream out(folder_ / "turned.jsonl");
  for (int i = 989; i >= 0; --i) out << Json{{"text", document(i)}}.dump() << '\n';
  out.close();
  QVERIFY(held_words(folder_ / "turned.jsonl") == held);
}

void RowsTest::fingerprint_follows_text_and_tokenizer() {
  const auto text = write("print/a.jsonl", 40);
  const auto print = [&](const fs::path& path, const Tokenizer& tokenizer) {
    return TextRows::from_files(recipe(path, "documents"), tokenizer, options()).fingerprint();
  };
  const auto first = print(text, tokenizer_);
  QCOMPARE(first.size(), std::size_t{16});
  QCOMPARE(print(text.parent_path(), tokenizer_), first);  // the same documents, found in a folder
  QVERIFY(print(text, words(1001)) != first);
  write("print/a.jsonl", 41);
  QVERIFY(print(text, tokenizer_) != first);
}

void RowsTest::contents_are_hashed_once() {
  const fs::path a = folder_ / "a.txt", b = folder_ / "b.txt", memo = folder_ / "memo";
  std::ofstream(a) << "first";
  std::ofstream(b) << "second";
  const auto never = [] { return false; };
  const auto hash = [&](const std::vector<fs::path>& files) {
    return content_hash(folder_.path(), files, memo, never);
  };
  const auto both = hash({a, b});
  QVERIFY(hash({b, a}) != both);
  QCOMPARE(hash({a, b}), both);
  // Nothing is read again: a memo that says otherwise is believed while the stamps hold.
  int asked = 0;
  content_hash(folder_.path(), {a, b}, memo, [&] { return ++asked > 0; });
  QCOMPARE(asked, 0);
  std::ofstream(b) << "sEcond";  // the same size
  QVERIFY(hash({a, b}) != both);
  std::ofstream(b) << "second";
  std::ofstream(memo) << "no memo";
  QCOMPARE(hash({a, b}), both);
}

void RowsTest::shared_corpus_is_read_whole() {
  const auto data = fs::path(EQUIPOISE_SHARED_DIR) / "data";
  if (!fs::exists(data / "text/fineweb-layout")) QSKIP("the shared test data are not on this machine");
  const Tokenizer tokenizer = Tokenizer::load(data / "tokenizers/llama3-style");
  const TokenCache cache = TokenCache::open(data / "text/fineweb-layout", "text", tokenizer, options());
  QCOMPARE(cache.documents(), std::uint64_t{1234});
  Row ids;
  cache.append(cache.range(0).first, cache.range(0).second, ids);
  const std::string text = tokenizer.decode(std::vector<std::int32_t>(ids.begin(), ids.end()), true);
  QVERIFY2(text.starts_with("One day, a little girl named Lily found a needle in her room."),
           text.substr(0, 80).c_str());
}

QTEST_APPLESS_MAIN(RowsTest)
#include "tst_rows.moc"
