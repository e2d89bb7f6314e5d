#include <QTest>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "engine/data/tokenizer.h"
#include "engine/inspect.h"
#include "engine/model/builtin_tiny.h"
#include "tests/support/temp_dir.h"

namespace fs = std::filesystem;

namespace {

const fs::path k_shared = EQUIPOISE_SHARED_DIR;

/// builtin:tiny with another config.json.
fs::path tiny_with(const support::TempDir& dir, const std::string& from, const std::string& to) {
  const fs::path folder = dir / "model";
  fs::copy(engine::builtin_tiny_folder(), folder);
  std::ifstream in(folder / "config.json");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  in.close();
  const auto at = text.find(from);
  Q_ASSERT(at != text.npos);
  std::ofstream(folder / "config.json") << text.replace(at, from.size(), to);
  return folder;
}

void write(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

std::string joined(const std::vector<engine::TokenPiece>& pieces) {
  std::string out;
  for (const auto& p : pieces) out += p.bytes;
  return out;
}

}  // namespace

class TestInspect : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void the_embedded_model_loads_whole_and_says_its_shape() {
    const engine::ModelInfo m = engine::inspect_model("builtin:tiny");
    QVERIFY(m.loads());
    QCOMPARE(m.architecture, std::string("llama"));
    QCOMPARE(m.matched, std::int64_t(m.tensors.size()));
    QCOMPARE(std::int64_t(m.windows.size()), m.layers);
    QCOMPARE(m.dtype, std::string("F32"));
    std::int64_t elements = 0;
    std::uint64_t bytes = 0;
    for (const auto& t : m.tensors) {
      elements += std::accumulate(t.shape.begin(), t.shape.end(), std::int64_t{1}, std::multiplies<>());
      bytes += t.bytes;
    }
    QCOMPARE(m.parameters, elements);
    QCOMPARE(m.bytes, bytes);
    QVERIFY(m.tokenizer);
    QVERIFY(m.tokenizer_info.policy.find("<s>") != std::string::npos);
  }

  void a_folder_that_does_not_fit_is_told_by_tensor() {
    support::TempDir dir;
    const auto folder = tiny_with(dir, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    const engine::ModelInfo m = engine::inspect_model(folder.string());
    QVERIFY(!m.loads());
    QCOMPARE(m.missing.size(), std::size_t(9));
    QVERIFY(m.missing.front().find("layers.2.") != std::string::npos);
    QVERIFY_THROWS_EXCEPTION(engine::InputError, engine::inspect_model("/nowhere"));
  }

  void a_model_without_tokenizer_says_so_and_is_shown() {
    support::TempDir dir;
    const auto folder = tiny_with(dir, "\"vocab_size\": 283", "\"vocab_size\": 283");
    fs::remove(folder / "tokenizer.json");
    const engine::ModelInfo m = engine::inspect_model(folder.string());
    QVERIFY(m.loads() && !m.tokenizer);
    QVERIFY(!m.tokenizer_problem.empty());
  }

  void tokens_know_where_they_stand_in_the_text() {
    const auto tokenizer = engine::open_tokenizer("builtin:tiny");
    const std::string text = "  the cat xyzzy the";
    const auto pieces = engine::tokenize_text(*tokenizer, text, true);
    QVERIFY(pieces.front().special);
    QCOMPARE(pieces.front().end, pieces.front().begin);
    for (const auto& p : pieces)
      if (p.end > p.begin) QVERIFY(p.token.ends_with(text.substr(p.begin, p.end - p.begin)));
    QCOMPARE(pieces.back().begin, text.size() - 3);
    QCOMPARE(engine::tokenize_text(*tokenizer, text, false).size(), pieces.size() - 1);
  }

  void bytes_of_the_pieces_make_the_text_again_data() {
    QTest::addColumn<QString>("name");
    for (const char* name : {"stories260K", "aidreams260K"}) QTest::newRow(name) << name;
  }
  void bytes_of_the_pieces_make_the_text_again() {
    QFETCH(QString, name);
    const fs::path folder = k_shared / "data/models" / name.toStdString();
    if (!fs::exists(folder)) QSKIP("../shared is not here");
    const auto tokenizer = engine::open_tokenizer(folder.string());
    const std::string text = "Once upon a time,\nthere was 1 caf\u00e9 \u65e5\u672c";
    const auto pieces = engine::tokenize_text(*tokenizer, text, false);
    const std::string made = joined(pieces);
    QVERIFY2(made == text || made == " " + text, made.c_str());
    std::size_t at = 0;
    for (const auto& p : pieces) {
      QVERIFY(p.begin >= at && p.end <= text.size());
      at = p.end;
    }
    QCOMPARE(at, text.size());
  }

  void documents_are_read_from_the_one_asked_for() {
    support::TempDir dir;
    std::string lines;
    for (int i = 0; i < 30; ++i) lines += "{\"body\": \"the cat number " + std::to_string(i) + "\"}\n";
    write(dir / "a.jsonl", lines);
    engine::TextQuery q;
    q.path = (dir / "a.jsonl").string();
    q.text_field = "body";
    q.tokenizer = engine::open_tokenizer("builtin:tiny");
    const auto some = engine::documents(q, 10, 5);
    QCOMPARE(some.size(), std::size_t(5));
    QCOMPARE(some.front().index, std::int64_t(10));
    QCOMPARE(some.front().text, std::string("the cat number 10"));
    QCOMPARE(some.front().tokens, std::int64_t(q.tokenizer->encode(some.front().text, true).size()));
    QCOMPARE(engine::documents(q, 28, 5).size(), std::size_t(2));
    q.validation_share = 1;
    QVERIFY(engine::documents(q, 0, 1).front().held_out);
    q.text_field = "text";
    QVERIFY_THROWS_EXCEPTION(engine::InputError, engine::documents(q, 0, 1));
  }

  void a_packed_row_tells_where_documents_begin() {
    support::TempDir dir;
    std::string lines;
    for (int i = 0; i < 40; ++i) lines += "{\"text\": \"the cat the cat the " + std::to_string(i) + "\"}\n";
    write(dir / "a.jsonl", lines);
    engine::TextQuery q;
    q.path = (dir / "a.jsonl").string();
    q.tokenizer = engine::open_tokenizer("builtin:tiny");
    q.sequence_length = 16;
    q.packing = "packed";
    q.validation_share = 0;
    q.cache = (dir / "cache").string();
    const auto batch = engine::packed_batch(q, 0, 3, false);
    QCOMPARE(batch.rows.size(), std::size_t(3));
    for (const auto& row : batch.rows) {
      QCOMPARE(row.tokens.size(), std::size_t(16));
      QVERIFY(row.starts.size() >= 2);
      for (auto s : row.starts) QCOMPARE(row.tokens[std::size_t(s)].token, std::string("<s>"));
    }
    q.validation_share = 0.5;
    const auto held = engine::packed_batch(q, 0, 100, true);
    QVERIFY(held.held_out && held.rows.size() > 5 && held.rows.size() < 35);
    std::size_t marked = 0;
    for (const auto& d : engine::documents(q, 0, 100)) marked += d.held_out;
    QCOMPARE(held.rows.size(), marked);
  }

  void a_stop_ends_reading() {
    support::TempDir dir;
    write(dir / "a.jsonl", "{\"text\": \"the cat\"}\n");
    engine::TextQuery q;
    q.path = (dir / "a.jsonl").string();
    std::stop_source stop;
    stop.request_stop();
    QVERIFY_THROWS_EXCEPTION(engine::Cancelled, engine::documents(q, 0, 1, {stop.get_token(), {}}));
  }

  void builtin_examples_end_with_the_answers_place() {
    engine::TaskQuery q;
    q.task = engine::task_entries("").front().name;
    q.count = 7;
    const auto task = engine::task_examples(q);
    QCOMPARE(task.examples.size(), std::size_t(7));
    QVERIFY(task.more);
    for (const auto& e : task.examples)
      for (const auto& c : e.choices) {
        QCOMPARE(c.first_scored + 1, c.tokens.size());
        QCOMPARE(c.continuation, " " + c.tokens.back().token);
      }
    q.first = 5;
    QCOMPARE(engine::task_examples(q).examples.front().doc_id, std::int64_t(5));
  }

  void a_prompt_is_the_one_that_is_scored() {
    const fs::path data = k_shared / "data/tasks", model = k_shared / "data/models/stories260K";
    if (!fs::exists(data)) QSKIP("../shared is not here");
    engine::TaskQuery q;
    q.task = "piqa";
    q.data = data.string();
    q.split = "validation";
    q.count = 3;
    q.tokenizer = engine::open_tokenizer(model.string());
    q.max_length = engine::model_positions(model.string());
    const auto task = engine::task_examples(q);
    QCOMPARE(task.examples.size(), std::size_t(3));
    QVERIFY(task.more && !task.hash.empty());
    const auto& first = task.examples.front();
    QVERIFY(first.choices.front().context.ends_with("Answer:"));
    QVERIFY(first.choices.front().continuation.starts_with(" "));
    QVERIFY(first.choices.front().characters > 0);
    std::string scored;
    for (std::size_t i = first.choices[0].first_scored; i < first.choices[0].tokens.size(); ++i) scored += first.choices[0].tokens[i].bytes;
    QCOMPARE(scored, first.choices[0].continuation);
    q.shots = 2;
    q.sampler = "first-n";
    QVERIFY(engine::task_examples(q).examples.front().choices.front().context.size() > first.choices.front().context.size());
    for (const auto& entry : engine::task_entries(data.string()))
      if (entry.name == "piqa") QCOMPARE(entry.problem, std::string());
    q.task = "mmlu";
    QVERIFY_THROWS_EXCEPTION(engine::InputError, engine::task_examples(q));
  }
};

QTEST_APPLESS_MAIN(TestInspect)
#include "tst_inspect.moc"
