/// equipoise inspect: a model, training text and tasks before a run; what the window's pages of these names show.

#include <algorithm>
#include <cinttypes>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "app/commands.h"
#include "app/paths.h"
#include "engine/inspect.h"

namespace app {
namespace {

std::string hex(const std::string& bytes) {
  std::string out;
  char pair[4];
  for (unsigned char b : bytes) {
    std::snprintf(pair, sizeof pair, "%02X", b);
    out += pair;
  }
  return out;
}

/// On one line: line ends, tabs and stray bytes as escapes.
std::string one_line(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (c == '\r') out += "\\r";
    else out += c;
  }
  return out;
}

std::string shape(const std::vector<std::int64_t>& s) {
  std::string out = "[";
  for (std::size_t i = 0; i < s.size(); ++i) out += (i ? ", " : "") + std::to_string(s[i]);
  return out + "]";
}

/// Cut at a character, with "…" where something is left out.
std::string head(const std::string& text, std::size_t bytes) {
  if (text.size() <= bytes) return one_line(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return one_line(text.substr(0, bytes)) + "…";
}

Json ids_of(const std::vector<engine::TokenPiece>& tokens) {
  Json ids = Json::array();
  for (const auto& t : tokens) ids.push_back(t.id);
  return ids;
}

Json pieces_json(const std::vector<engine::TokenPiece>& tokens) {
  Json rows = Json::array();
  for (const auto& t : tokens)
    rows.push_back({{"id", t.id}, {"token", t.token}, {"bytes", hex(t.bytes)}, {"begin", t.begin}, {"end", t.end}, {"special", t.special}});
  return rows;
}

std::vector<std::string> words(const std::string& text) {
  return std::get<std::vector<std::string>>(*engine::from_text(text, engine::Value(std::vector<std::string>{})));
}

// ---- model ---------------------------------------------------------------------------------------------------------

Json tokenizer_json(const engine::ModelInfo& m) {
  if (!m.tokenizer) return {{"problem", m.tokenizer_problem}};
  const auto& t = m.tokenizer_info;
  Json special = Json::array();
  for (const auto& s : t.special) special.push_back({{"id", s.id}, {"text", s.text}, {"role", s.role}});
  return {{"file", t.file}, {"kind", t.kind}, {"vocabulary", t.vocabulary}, {"bos", t.bos ? Json(*t.bos) : Json()},
          {"eos", t.eos ? Json(*t.eos) : Json()}, {"policy", t.policy}, {"hash", t.hash}, {"special_tokens", special}};
}

Json model_json(const engine::ModelInfo& m) {
  Json tensors = Json::array(), misshaped = Json::array();
  for (const auto& t : m.tensors)
    tensors.push_back({{"name", t.name}, {"shape", t.shape}, {"dtype", t.dtype}, {"bytes", t.bytes}, {"file", t.file}});
  for (const auto& s : m.misshaped) misshaped.push_back({{"name", s.name}, {"expected", s.expected}, {"found", s.found}});
  return {{"source", m.source}, {"folder", m.folder}, {"architecture", m.architecture}, {"layers", m.layers}, {"heads", m.heads},
          {"kv_heads", m.kv_heads}, {"head_dim", m.head_dim}, {"hidden", m.hidden}, {"mlp", m.mlp}, {"vocabulary", m.vocabulary},
          {"positions", m.positions}, {"rope", m.rope}, {"windows", m.windows}, {"tied_embeddings", m.tied_embeddings},
          {"biases", m.biases}, {"dtype", m.dtype}, {"parameters", m.parameters}, {"bytes", m.bytes}, {"loads", m.loads()},
          {"report", {{"matched", m.matched}, {"missing", m.missing}, {"unexpected", m.unexpected}, {"misshaped", misshaped},
                      {"unsupported", m.unsupported}, {"ignored", m.ignored}}},
          {"tensors", tensors}, {"tokenizer", tokenizer_json(m)}};
}

void print_fact(const char* name, const std::string& value) { std::printf("%-14s %s\n", name, value.c_str()); }

void print_model(const engine::ModelInfo& m, bool tensors) {
  auto n = [](std::int64_t v) { return std::to_string(v); };
  print_fact("model", m.source + (m.loads() ? ": loads whole" : ": does not load, its files do not fit config.json"));
  print_fact("architecture", m.architecture);
  print_fact("shape", n(m.layers) + " layers, " + n(m.heads) + " query heads, " + n(m.kv_heads) + " key/value heads of " + n(m.head_dim) +
                          ", width " + n(m.hidden) + ", MLP " + n(m.mlp));
  print_fact("vocabulary", n(m.vocabulary) + (m.tied_embeddings ? ", embeddings tied" : ", head apart"));
  print_fact("positions", n(m.positions) + ", RoPE " + m.rope);
  const auto sliding = std::count_if(m.windows.begin(), m.windows.end(), [](auto w) { return w > 0; });
  print_fact("own window", sliding == 0 ? "none" : n(*std::max_element(m.windows.begin(), m.windows.end())) + " tokens in " + n(sliding) + " layers");
  print_fact("biases", m.biases.empty() ? "none" : m.biases);
  print_fact("weights", n(m.parameters) + " parameters in " + m.dtype + ", " + n(static_cast<std::int64_t>(m.bytes)) + " bytes");
  print_fact("tensors", n(m.matched) + " matched, " + n(std::ssize(m.missing)) + " missing, " + n(std::ssize(m.misshaped)) + " of another shape, " +
                            n(std::ssize(m.unexpected)) + " unexpected, " + n(std::ssize(m.ignored)) + " not used");
  for (const auto& name : m.missing) print_fact("  missing", name);
  for (const auto& s : m.misshaped) print_fact("  other shape", s.name + ": expected " + shape(s.expected) + ", found " + shape(s.found));
  for (const auto& name : m.unexpected) print_fact("  unexpected", name);
  for (const auto& name : m.unsupported) print_fact("  other type", name);
  if (m.tokenizer) {
    print_fact("tokenizer", m.tokenizer_info.kind + ", " + n(m.tokenizer_info.vocabulary) + " tokens");
    print_fact("policy", m.tokenizer_info.policy);
  } else {
    print_fact("tokenizer", m.tokenizer_problem);
  }
  if (!tensors) return;
  for (const auto& t : m.tensors) std::printf("%-60s %-18s %-5s %s\n", t.name.c_str(), shape(t.shape).c_str(), t.dtype.c_str(), t.file.c_str());
}

struct ModelOptions {
  std::string source, text;
  bool tensors = false, no_special = false;
};

void inspect_model(const Common& common, const ModelOptions& o, bool has_text, int& code) {
  const engine::ModelInfo m = engine::inspect_model(o.source);
  Json json = model_json(m);
  std::vector<engine::TokenPiece> pieces;
  if (has_text) {
    if (!m.tokenizer) throw engine::InputError(m.tokenizer_problem);
    pieces = engine::tokenize_text(*m.tokenizer, o.text, !o.no_special);
    json["text"] = {{"ids", ids_of(pieces)}, {"tokens", pieces_json(pieces)}};
  }
  write_json(common, json);
  if (!m.loads()) code = 1;
  if (common.json == "-") return;
  print_model(m, o.tensors);
  for (const auto& p : pieces)
    std::printf("%8d  %-24s %4zu-%-4zu %s\n", p.id, one_line(p.token).c_str(), p.begin, p.end, hex(p.bytes).c_str());
}

// ---- data ----------------------------------------------------------------------------------------------------------

struct DataOptions {
  engine::TextQuery query;
  std::string model;
  std::int64_t first = 0, count = 10, batch = 0, position = 0;
  bool held_out = false;
};

Json batch_json(const engine::PackedBatch& b) {
  Json rows = Json::array();
  for (const auto& r : b.rows) rows.push_back({{"ids", ids_of(r.tokens)}, {"starts", r.starts}});
  return {{"length", b.length}, {"held_out", b.held_out}, {"fingerprint", b.fingerprint}, {"rows", rows}};
}

/// A row as text; ┃ where a document begins.
std::string row_text(const engine::PackedRow& row) {
  std::string out;
  for (std::size_t i = 0; i < row.tokens.size(); ++i) {
    if (std::binary_search(row.starts.begin(), row.starts.end(), static_cast<std::int64_t>(i))) out += "┃";
    out += row.tokens[i].bytes.empty() ? row.tokens[i].token : row.tokens[i].bytes;
  }
  return one_line(out);
}

void inspect_data(const Common& common, const DataOptions& o) {
  engine::TextQuery q = o.query;
  q.cache = default_paths(common.store).cache.string();
  if (!o.model.empty()) q.tokenizer = engine::open_tokenizer(o.model);
  const auto documents = engine::documents(q, o.first, o.count);
  Json rows = Json::array();
  for (const auto& d : documents)
    rows.push_back({{"index", d.index}, {"bytes", d.text.size()}, {"tokens", d.tokens}, {"held_out", d.held_out}, {"text", d.text}});
  Json json = {{"path", q.path}, {"documents", rows}};
  std::optional<engine::PackedBatch> batch;
  if (o.batch > 0) {
    batch = engine::packed_batch(q, static_cast<std::uint64_t>(o.position), o.batch, o.held_out);
    json["batch"] = batch_json(*batch);
  }
  write_json(common, json);
  if (common.json == "-") return;
  std::printf("%8s %8s %9s  %-8s  %s\n", "#", "tokens", "bytes", "set", "begins");
  for (const auto& d : documents)
    std::printf("%8" PRId64 " %8" PRId64 " %9zu  %-8s  %s\n", d.index, d.tokens, d.text.size(), d.held_out ? "held out" : "train", head(d.text, 80).c_str());
  if (!batch) return;
  std::printf("\n%zu %s rows of at most %" PRId64 " tokens; ┃ a document begins\n", batch->rows.size(), batch->held_out ? "held-out" : "training", batch->length);
  for (std::size_t i = 0; i < batch->rows.size(); ++i) {
    const auto& r = batch->rows[i];
    std::printf("row %" PRId64 ": %zu tokens, %zu documents begin\n  %s\n", o.position + static_cast<std::int64_t>(i), r.tokens.size(), r.starts.size(), row_text(r).c_str());
  }
}

// ---- tasks ---------------------------------------------------------------------------------------------------------

struct TaskOptions {
  engine::TaskQuery query;
  std::string model, components;
  std::int64_t window = 64;
};

void list_tasks(const Common& common, const std::string& data) {
  Json rows = Json::array();
  for (const auto& t : engine::task_entries(data)) {
    rows.push_back({{"name", t.name}, {"group", t.group}, {"about", t.about}, {"problem", t.problem}});
    if (common.json != "-") std::printf("%-2s %-40s %-24s %s\n", t.problem.empty() ? "" : "--", t.name.c_str(), t.group.c_str(), t.about.c_str());
  }
  write_json(common, rows);
}

Json choices_json(const engine::TaskExampleInfo& e) {
  Json rows = Json::array();
  for (const auto& c : e.choices) {
    Json row = {{"context", c.context}, {"continuation", c.continuation}, {"characters", c.characters}};
    if (!c.tokens.empty()) row.update({{"ids", ids_of(c.tokens)}, {"first_scored", c.first_scored}, {"dropped", c.dropped}});
    rows.push_back(row);
  }
  return rows;
}

Json scores_json(const std::vector<engine::ComponentScores>& scores) {
  Json rows = Json::array();
  for (const auto& s : scores) {
    Json likelihoods = Json::array(), greedy = Json::array();
    for (const auto& c : s.choices) {
      likelihoods.push_back(number(c.log_likelihood));
      greedy.push_back(c.greedy);
    }
    rows.push_back({{"component", s.component}, {"loglikelihoods", likelihoods}, {"greedy", greedy}, {"best", s.best},
                    {"best_norm", s.best_norm}, {"right", s.right}});
  }
  return rows;
}

void print_example(const engine::TaskExamples& task, const engine::TaskExampleInfo& e, const std::vector<engine::ComponentScores>& scores) {
  std::printf("%s, %s, %s, example %" PRId64 "%s\n", task.task.c_str(), task.kind.c_str(), task.split.c_str(), e.doc_id,
              e.doc_hash.empty() ? "" : (", record " + e.doc_hash.substr(0, 16)).c_str());
  std::string shown;
  for (std::size_t i = 0; i < e.choices.size(); ++i) {
    const auto& c = e.choices[i];
    if (i == 0 || c.context != shown) std::printf("--- context\n%s\n--- end of context\n", c.context.c_str());
    shown = c.context;
    std::printf("%s \"%s\"", static_cast<std::int64_t>(i) == e.gold ? "gold" : "    ", one_line(c.continuation).c_str());
    if (!c.tokens.empty()) std::printf("  %zu tokens, %zu scored", c.tokens.size(), c.tokens.size() - c.first_scored);
    for (const auto& s : scores) std::printf("  %s %.4f%s", s.component.c_str(), s.choices[i].log_likelihood, s.best == static_cast<std::int64_t>(i) ? " <" : "");
    std::printf("\n");
  }
  for (const auto& a : e.answers) std::printf("answer \"%s\"\n", one_line(a).c_str());
}

void inspect_task(const Common& common, const TaskOptions& o) {
  if (o.query.task.empty()) return list_tasks(common, o.query.data);
  if (!o.components.empty() && o.model.empty()) throw WrongUse("--components needs --model");
  engine::TaskQuery q = o.query;
  if (!o.model.empty()) {
    q.tokenizer = engine::open_tokenizer(o.model);
    q.max_length = engine::model_positions(o.model);
  }
  const engine::TaskExamples task = engine::task_examples(q);
  if (task.examples.empty()) throw engine::InputError(q.task + ": no example " + std::to_string(q.first) + " in " + task.file);
  Json rows = Json::array();
  for (const auto& e : task.examples) {
    std::vector<engine::ComponentScores> scores;
    if (!o.components.empty()) scores = engine::score_example({o.model, words(o.components), o.window, task.kind, e});
    rows.push_back({{"doc_id", e.doc_id}, {"gold", e.gold}, {"choices", choices_json(e)}, {"answers", e.answers},
                    {"doc_hash", e.doc_hash}, {"prompt_hash", e.prompt_hash}, {"scores", scores_json(scores)}});
    if (common.json != "-") print_example(task, e, scores);
  }
  write_json(common, {{"task", task.task}, {"kind", task.kind}, {"file", task.file}, {"split", task.split}, {"delimiter", task.delimiter},
                      {"task_hash", task.hash}, {"examples", rows}});
}

}  // namespace

void add_inspect_commands(CLI::App& cli, const Common& common, int& code) {
  static ModelOptions m;
  static DataOptions d;
  static TaskOptions t;
  t.query.count = 1;
  auto* inspect = cli.add_subcommand("inspect", "Look at a model, at text or at tasks before a run");
  inspect->require_subcommand(1);

  auto* model = inspect->add_subcommand("model", "Shape, tensors, load report and tokenizer; exit code 1 where it would not load");
  model->add_option("source", m.source, "builtin:tiny or a Hugging Face folder")->required();
  auto* text = model->add_option("--text", m.text, "Show the tokens of this text");
  model->add_flag("--no-special", m.no_special, "Of --text: without the tokens that the tokenizer adds (BOS, …)");
  model->add_flag("--tensors", m.tensors, "List every tensor");
  model->callback([&code, &common, text] { inspect_model(common, m, text->count() > 0, code); });

  auto* data = inspect->add_subcommand("data", "Documents of a text with their sizes, and a packed batch decoded");
  data->add_option("path", d.query.path, "builtin:corpus, or a file or folder of .parquet, .jsonl[.gz|.zst] or .txt")->capture_default_str();
  data->add_option("--field", d.query.text_field, "Field or column that holds a document")->capture_default_str();
  data->add_option("--model", d.model, "Whose tokenizer counts and packs; not needed for builtin:corpus");
  data->add_option("--first", d.first, "First document shown")->capture_default_str()->check(CLI::NonNegativeNumber);
  data->add_option("--documents", d.count, "How many documents are shown")->capture_default_str()->check(CLI::NonNegativeNumber);
  data->add_option("--batch", d.batch, "Rows of a packed batch to show; 0: none")->capture_default_str()->check(CLI::Range(0, 4096));
  data->add_option("--position", d.position, "First row of the batch in the order of the first epoch")->capture_default_str()->check(CLI::NonNegativeNumber);
  data->add_flag("--held-out", d.held_out, "Rows kept for validation instead of training rows");
  data->add_option("--sequence-length", d.query.sequence_length, "Tokens of a row")->capture_default_str()->check(CLI::Range(2, 1 << 20));
  data->add_option("--packing", d.query.packing, "documents: one a row, cut at the row's length; packed: joined and cut")->capture_default_str()
      ->check(CLI::IsMember({"documents", "packed"}));
  data->add_option("--validation-share", d.query.validation_share, "Share of documents held out by the hash of their text")->capture_default_str()->check(CLI::Range(0.0, 1.0));
  data->add_option("--seed", d.query.seed, "Of the rows' order")->capture_default_str();
  data->callback([&common] { inspect_data(common, d); });

  auto* task = inspect->add_subcommand("task", "The exact prompt of an example, its choices and scores; without a name: the list of tasks");
  task->add_option("task", t.query.task, "A task's name or a .yaml file");
  task->add_option("--data", t.query.data, "Folder of data sets, as for evaluate");
  task->add_option("--example", t.query.first, "Number of the example, from 0")->capture_default_str()->check(CLI::NonNegativeNumber);
  task->add_option("--count", t.query.count, "How many examples from there on")->capture_default_str()->check(CLI::PositiveNumber);
  task->add_option("--split", t.query.split, "Default: the task's own");
  task->add_option("--shots", t.query.shots, "Solved examples before each question")->capture_default_str()->check(CLI::Range(0, 1000));
  task->add_option("--sampler", t.query.sampler, "Of the shots: task (the task's own), first-n, seeded")->capture_default_str()
      ->check(CLI::IsMember({"task", "first-n", "seeded"}));
  task->add_option("--model", t.model, "Whose tokenizer cuts the prompt, and which is scored");
  task->add_option("--components", t.components, "Score the choices in these components, separated by commas");
  task->add_option("--window", t.window, "Of scored components: tokens, the query itself included")->capture_default_str()->check(CLI::PositiveNumber);
  task->callback([&common] { inspect_task(common, t); });
}

}  // namespace app
