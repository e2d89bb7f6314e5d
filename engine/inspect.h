#pragma once
/// Looking at a model, at training text and at tasks before a run: plain values for a page or a command. Every function
/// blocks and may be called from any thread; the long ones are watched. All throw InputError (engine/error.h) with file,
/// place and what was expected, and Cancelled where `watch.stop` was asked for. No torch, no JSON in this header.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/error.h"

namespace engine {

class Tokenizer;
/// A loaded tokenizer to hand back; immutable, any thread may use it.
using TokenizerHandle = std::shared_ptr<const Tokenizer>;

/// What a caller may follow and stop. `progress` is called on the working thread, a few times a second at most.
struct Watch {
  std::stop_token stop{};
  std::function<void(std::int64_t done, const std::string& unit)> progress{};
};

// ---- a model -------------------------------------------------------------------------------------------------------

struct TensorInfo {
  std::string name;
  std::vector<std::int64_t> shape;  ///< empty: a scalar
  std::string dtype;                ///< as stored: "BF16"
  std::uint64_t bytes = 0;
  std::string file;                 ///< name of the safetensors file
};

/// A tensor that config.json asks for in another shape.
struct ShapeMismatch {
  std::string name;
  std::vector<std::int64_t> expected, found;
};

struct SpecialToken {
  std::int32_t id = 0;
  std::string text;
  std::string role;  ///< "BOS", "EOS" or empty
};

struct TokenizerInfo {
  std::string file;
  std::string kind;              ///< "BPE, byte level"
  std::int64_t vocabulary = 0;   ///< highest id + 1
  std::optional<std::int32_t> bos, eos;
  std::string policy;            ///< one sentence: which special tokens are put around a text
  std::vector<SpecialToken> special;
  std::string hash;              ///< 16 hexadecimal digits; keys caches
};

struct ModelInfo {
  std::string source;        ///< as asked for
  std::string folder;
  std::string architecture;  ///< llama, mistral, qwen2
  std::int64_t layers = 0, heads = 0, kv_heads = 0, head_dim = 0, hidden = 0, mlp = 0, vocabulary = 0, positions = 0;
  std::string rope;                   ///< "θ 500,000; llama3 scaling × 8 from 8,192 positions"
  std::vector<std::int64_t> windows;  ///< a layer each: the model's own sliding window in tokens, 0: none
  bool tied_embeddings = false;
  std::string biases;                 ///< "q, k, v"; empty: none
  std::string dtype;                  ///< of the weights on disk: "BF16", or "BF16 and F32"
  std::int64_t parameters = 0;        ///< elements of the tensors that the model uses
  std::uint64_t bytes = 0;            ///< of all tensors in the files
  std::vector<TensorInfo> tensors;    ///< sorted by name, numbers by value
  std::int64_t matched = 0;
  std::vector<std::string> missing, unexpected, ignored;  ///< ignored: in the files, known to be of no use
  std::vector<ShapeMismatch> misshaped;
  std::vector<std::string> unsupported;  ///< stored in a type that no weight can have
  TokenizerHandle tokenizer;          ///< null: none could be loaded
  TokenizerInfo tokenizer_info;
  std::string tokenizer_problem;      ///< why there is none
  bool loads() const { return missing.empty() && unexpected.empty() && misshaped.empty() && unsupported.empty(); }
};

/// A Hugging Face folder or builtin:tiny, from config.json and the files' headers; no weight is read.
ModelInfo inspect_model(const std::string& source, const Watch& watch = {});
/// Tokens that the model takes at once; 0 where the source has no config.json.
std::int64_t model_positions(const std::string& source);
/// `source` is a model folder, a tokenizer file or builtin:tiny.
TokenizerHandle open_tokenizer(const std::string& source);
TokenizerInfo describe(const Tokenizer& tokenizer);

/// One token of a text.
struct TokenPiece {
  std::int32_t id = 0;
  std::string token;  ///< as written in the vocabulary: "Ġthe"
  std::string bytes;  ///< what it stands for; may end inside a UTF-8 character
  std::size_t begin = 0, end = 0;  ///< bytes of the text it came from; equal where a normaliser changed them
  bool special = false;
};

/// `add_special`: with BOS and the like. `text` must be UTF-8.
std::vector<TokenPiece> tokenize_text(const Tokenizer& tokenizer, const std::string& text, bool add_special);

// ---- text ----------------------------------------------------------------------------------------------------------

/// Where training text comes from; the fields of a recipe of the same names. The order of rows follows `seed`.
struct TextQuery {
  std::string path = "builtin:corpus", text_field = "text";
  TokenizerHandle tokenizer;               ///< null: documents without token counts; not used by builtin:corpus
  std::int64_t sequence_length = 256;
  std::string packing = "documents";
  double far_share = 0.5, validation_share = 0.02;
  std::int64_t seed = 0;
  std::string cache;                       ///< folder of the tokenised text (Paths::cache); only packed_batch uses it
};

struct DocumentInfo {
  std::int64_t index = 0;   ///< in reading order, from 0
  std::string text;         ///< the whole document
  std::int64_t tokens = -1; ///< −1: no tokenizer was named
  bool held_out = false;    ///< kept for validation
};
/// Documents first, first + 1, … of at most `count`; fewer at the end.
std::vector<DocumentInfo> documents(const TextQuery& query, std::int64_t first, std::int64_t count, const Watch& watch = {});

/// One training row as the model is fed it.
struct PackedRow {
  std::vector<TokenPiece> tokens;        ///< begin and end are not used
  std::vector<std::int64_t> starts;      ///< positions where a document begins, rising
};
struct PackedBatch {
  std::int64_t length = 0;               ///< of the longest row; shorter ones are padded on the right
  std::vector<PackedRow> rows;
  bool held_out = false;                 ///< validation rows
  std::string fingerprint;               ///< of the tokenised text
};
/// Rows position, position + 1, …; `held_out`: of the validation rows instead.
PackedBatch packed_batch(const TextQuery& query, std::uint64_t position, std::int64_t rows, bool held_out, const Watch& watch = {});

// ---- tasks ---------------------------------------------------------------------------------------------------------

struct TaskEntry {
  std::string name;   ///< "arc_easy", "builtin:recall@32-64"
  std::string group;  ///< "mmlu_stem", "builtin, far memory"; empty: stands alone
  std::string about;  ///< dataset and kind in a few words
  std::string problem;    ///< why its records cannot be read from the data folder; empty: they can
};
/// Every built-in task, groups together; those of builtin:tiny's corpus first. `data` may be empty.
std::vector<TaskEntry> task_entries(const std::string& data, const Watch& watch = {});
/// The tasks of one .yaml file.
std::vector<TaskEntry> task_entries_of_file(const std::string& file, const std::string& data, const Watch& watch = {});

struct TaskQuery {
  std::string task;              ///< a name, or a .yaml file
  std::string data;              ///< folder of data sets; not used by builtin:*
  std::string split;             ///< empty: the task's own
  std::int64_t shots = 0;
  std::string sampler = "task";  ///< of the shots: task (its own), first-n, seeded
  std::int64_t first = 0, count = 200;
  TokenizerHandle tokenizer;     ///< null: strings only
  std::int64_t max_length = 0;   ///< tokens a model takes at once, more are cut from the left; 0: no limit
};

struct TaskChoice {
  std::string context, continuation;       ///< the exact strings; the continuation begins with the delimiter
  std::int64_t characters = 0;             ///< of the choice without its delimiter; 0: not length-normalised
  std::vector<TokenPiece> tokens;          ///< what the model is fed and scored on; empty without a tokenizer
  std::size_t first_scored = 0;            ///< tokens[first_scored …] are scored
  std::size_t dropped = 0;                 ///< tokens of the context cut off on the left
};

struct TaskExampleInfo {
  std::int64_t doc_id = 0;
  std::int64_t gold = 0;                  ///< index of the right choice; −1: nothing is chosen
  std::vector<TaskChoice> choices;        ///< generation: one, whose context is the prompt; whole text: its windows
  std::vector<std::string> answers;       ///< generation: the right outputs
  std::string doc_hash, prompt_hash;      ///< as the LM Evaluation Harness logs them; empty for builtin:*
};

struct TaskExamples {
  std::string task, file, split, kind;   ///< kind: "multiple choice", "last word", "whole text", "generation"
  std::string delimiter;                 ///< between context and continuation
  std::string hash;                      ///< of the task's definition; empty where it has none
  std::vector<TaskExampleInfo> examples;
  bool more = false;                     ///< there are examples behind these
};
TaskExamples task_examples(const TaskQuery& query, const Watch& watch = {});

// ---- scores (needs the tensor part) --------------------------------------------------------------------------------

struct ChoiceLikelihood {
  double log_likelihood = 0;  ///< natural logarithm, summed over the continuation's tokens
  bool greedy = false;        ///< every token of it is the arg-max
};
struct ComponentScores {
  std::string component;
  std::vector<ChoiceLikelihood> choices;
  std::int64_t best = 0, best_norm = 0;  ///< highest sum; highest sum per character
  bool right = false;                    ///< last word: every token is the arg-max; whole text: never
};
struct ScoreQuery {
  std::string model = "builtin:tiny";
  std::vector<std::string> components = {"teacher"};
  std::int64_t window = 64;
  std::string kind;           ///< of the task
  TaskExampleInfo example;    ///< with tokens
};
/// The model as it comes, with the conversion's start for components other than the teacher. Loads the model each time.
std::vector<ComponentScores> score_example(const ScoreQuery& query, const Watch& watch = {});
using ScoreExample = std::function<std::vector<ComponentScores>(const ScoreQuery&, const Watch&)>;

}  // namespace engine
