#pragma once
/// The run as a value. A Recipe goes down once; `fields()` is the one description of every knob and serves the form,
/// the YAML file, the checks, the help and "what differs". Knows no other part of the program. No torch.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace engine {

/// φ of METHODS.md (paper Eq. 4). `preset` fills the other keys; a key written beside it wins.
struct FeatureMapSpec {
  std::string preset = "hedgehog-softmax";
  std::string activation = "softmax";  ///< softmax, exp, relu, elu1, none
  bool negation = true;                ///< append σ(−Wᵀx − b)
  std::string size = "square";         ///< square (F = D), half (F = D/2) or a number of columns
  std::string columns = "leading";     ///< which columns of the identity stay where F < D: leading, interleaved
  bool bias = false;
  std::string bias_size = "column";  ///< column: b [F] a head; head: one scalar a head (LoLCATs' T2R)
  bool tied = false;       ///< one map for queries and keys
  bool learned = true;     ///< false: σ(x) without W
  std::string sharing = "head";   ///< head: W [D,F] a head; layer: one for all heads; model: one over all heads joined (SUPRA)
  std::string start = "identity"; ///< identity, kaiming (uniform)
  double init_noise = 0.1; ///< standard deviation of the noise on the identity start
  double temperature = 1;  ///< σ((Wᵀx + b) / temperature)
  std::string softmax_over = "half";  ///< half: each half sums to 1; both: the two halves together (FLA)
  std::string exp_shift = "none";     ///< none: exp itself; row: minus each row's maximum, as LoLCATs' exp_dim does
  std::string rope = "before";        ///< before, after (SUPRA), none (Liger): where φ's input or output is rotated
};

/// The linear branch beside φ.
struct LinearSpec {
  std::string normaliser = "sum";  ///< sum: Σφφ; group-norm: per head, without one (SUPRA); none (Liger)
  std::string decay = "none";      ///< none, slopes (a fixed rate a head, SUPRA); mixing gla brings its own gate
  double gate_divisor = 16;        ///< gla: log gate = log sigmoid(k) / divisor
  double epsilon = 0;              ///< added to denominators; Liger's LoLCATs has 1e-6
  std::string empty_rows = "window";  ///< rows without a linear key: window (SWA at weight 1), mixing (SWA at g)
};

struct MixingSpec {
  std::string kind = "fixed";  ///< fixed, learned, gated, shared-denominator, gla
  double weight = 0.5;         ///< g: fixed value, or the start of the learned, gated or shared factor
  bool trainable = true;       ///< false: the factor stays at its start (Liger's LoLCATs)
  bool affine = false;         ///< shared-denominator: the linear terms are weighted 1 − s, not 1
};

struct AttentionSpec {
  FeatureMapSpec feature_map;
  std::int64_t window = 64;                ///< keys the window branch sees, the query itself included
  bool window_counts_query = true;         ///< false: w keys beside the query itself
  std::string window_layout = "sliding";   ///< sliding, terraced, terraced-as-published (METHODS.md, C12–C16)
  std::string linear_context = "outside";  ///< outside, overlap
  LinearSpec linear;
  MixingSpec mixing;
  std::int64_t sinks = 8;  ///< first positions of the `sinks` and `swa+sinks` components
  std::string precision = "float32";  ///< of scores, states and normalisers: float32, float64, model
  std::vector<std::int64_t> softmax_layers;  ///< layers that keep the teacher's softmax, from 0
  std::vector<std::int64_t> skipped_layers;  ///< layers whose attention is left out
  std::vector<std::int64_t> layer_windows;   ///< a window for each layer; empty: `window` for all
};

struct DataSpec {
  std::string path = "builtin:corpus";  ///< builtin:corpus, or a file or folder of text
  std::string text_field = "text";
  std::int64_t sequence_length = 256;
  std::int64_t tokens_per_epoch = 25'000'000;
  std::string packing = "documents";  ///< documents: one (truncated) document a row; packed: joined and cut
  double far_share = 0.5;             ///< builtin:corpus only: share of documents that need far memory
  double validation_share = 0.02;     ///< documents held out by hash for the validation loss
  std::string validation_path{};      ///< text whose documents are the held-out ones; empty: a share of `path`
  std::int64_t validation_rows = 64;  ///< most held-out rows
  std::string bos = "tokenizer";      ///< BOS before each document: tokenizer (its own policy), always, never
};

struct LoraSpec {
  std::int64_t rank = 8;
  double alpha = 16;
  std::vector<std::string> targets = {"q", "k", "v", "o"};  ///< of q, k, v, o, gate, up, down
  double dropout = 0;                ///< probability that an adapter's input value is dropped while training
  std::vector<std::int64_t> layers;  ///< layers that get adapters, from 0; empty: all
};

/// SSD (METHODS.md, "SSD"): epoch k uses the k-th value, the last one is held.
struct ScheduleSpec {
  std::vector<double> dropout;          ///< probability that the window branch is dropped; empty: never
  std::vector<std::int64_t> window;     ///< empty: attention.window
  std::string drop = "sequence";        ///< what is dropped together: sequence, step, layer, head
  std::string linear_when_dropped = "all";  ///< what linear attention sees then: all, outside
  std::string dropped_weight = "one";       ///< weight of linear attention then: one, mixing (1 − g)
};

struct LearningRateSpec {
  std::string kind = "plateau";  ///< plateau, constant, cosine, linear
  std::int64_t warmup_steps = 0;
  double factor = 0.1;           ///< plateau: multiplies the rate
  std::int64_t patience = 10;    ///< plateau: units without a better loss
  std::string unit = "evaluations";  ///< plateau: evaluations, epochs
  double floor = 1e-5;           ///< lowest rate of plateau and cosine
};

struct EarlyStopSpec {
  /// Empty: off; delta_h_swa, delta_la_na, accuracy/<component>, validation/loss, or any series that evaluations write; a sum: "accuracy/hybrid + delta_la_na".
  std::string metric;
  std::int64_t patience = 3;  ///< evaluations without a better value
  std::string hand_on = "best";  ///< what the next stage and the result take: best, last; both are kept
};

struct StageSpec {
  std::string kind = "finetune";                  ///< transfer, finetune
  std::string objective = "attention-weights";    ///< transfer: attention-weights, attention-outputs, hybrid-outputs
  double output_loss_scale = 1000;                ///< transfer: factor on the mean-squared error (LoLCATs: 1000)
  double weights_loss_scale = 0;                  ///< transfer by outputs: the weights' cross-entropy is added, times this
  std::string component = "hybrid";               ///< finetune: hybrid, linear
  std::string trainable = "lora";                 ///< finetune: lora, full
  bool train_feature_maps = false;                ///< finetune: φ and mixing learn too
  LoraSpec lora;
  std::int64_t epochs = 1;
  std::int64_t tokens_per_epoch = 0;  ///< 0: data.tokens_per_epoch
  std::int64_t batch_size = 8;        ///< sequences per micro-batch
  std::int64_t accumulation = 8;      ///< micro-batches per optimizer step
  double learning_rate = 1e-4;
  LearningRateSpec lr_schedule;
  double weight_decay = 0;
  double clip_norm = 0;  ///< 0: no clipping
  bool recompute_activations = false;  ///< finetune: blocks are computed again in the backward pass
  ScheduleSpec schedule;
  EarlyStopSpec early_stopping;
};

struct EvaluationSpec {
  std::vector<std::string> tasks = {"builtin:all"};
  std::string data{};  ///< folder of task files; empty where only builtin tasks are used
  std::vector<std::string> components = {"teacher", "hybrid", "swa", "linear", "none"};
  std::int64_t every = 50;   ///< optimizer steps between evaluations; 0: only at stage ends
  std::int64_t window = 0;   ///< 0: attention.window
  std::int64_t limit = 200;  ///< examples a task (builtin: documents); 0: all
  std::int64_t shots = 0;
  std::string sampler = "task";     ///< of the shots: task (its own), first-n, seeded
  std::int64_t shots_seed = 1234;   ///< of the seeded sampler, as the harness's
  std::string split{};       ///< empty: the task's own
  std::string bos = "tokenizer";          ///< BOS before each prompt: tokenizer (its own policy), always, never
  std::string ablation_weights = "one";   ///< swa and linear alone: one, mixing (they keep g and 1 − g)
};

struct Recipe {
  std::string name = "untitled";
  std::string device = "auto";  ///< auto, cpu, cuda, cuda:N
  std::string dtype = "auto";   ///< auto, float32, bfloat16, float64
  std::int64_t threads = 0;     ///< CPU threads; 0: one per core
  std::string model = "builtin:tiny";
  std::string start_from{};      ///< trained tensors to begin with: a run ("12", "lolcats", "12@84") or a checkpoint folder
  DataSpec data;
  AttentionSpec attention;
  std::vector<StageSpec> stages;
  EvaluationSpec evaluation;
  std::int64_t log_every = 1;         ///< optimizer steps between readings of losses and gradient norms
  std::int64_t checkpoint_every = 0;  ///< optimizer steps between checkpoints; 0: at evaluations and stage ends
  std::int64_t seed = 0;
};

// ---- one description of a knob -------------------------------------------------------------------------------------

using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>,
                           std::vector<std::string>>;

/// What a form needs to edit a field and a reader needs to understand it.
struct FieldInfo {
  std::string path{};                  ///< "stages[1].lora.rank"
  std::string label{};                 ///< short name for a form: "LoRA rank"
  std::string unit{};                  ///< "tokens", "optimizer steps"; empty where it has none
  std::string doc{};                   ///< one line: what it does and why one would change it
  std::string paper{};                 ///< the paper's value, as text; empty where it gives none
  std::vector<std::string> choices{};  ///< for a closed choice; empty otherwise
  double min = -1e300, max = 1e300;  ///< for numbers and each element of a list
  bool open_choice = false;          ///< choices are suggestions only
};

/// A field bound to one Recipe: get and set read and write that value. Valid while the recipe lives and `stages` keeps
/// its size.
struct Field {
  FieldInfo info;
  Value fallback;  ///< the default
  std::function<Value()> get;
  std::function<void(const Value&)> set;  ///< takes the same alternative as get() gives
};

/// Every knob of the recipe, in the order of the file. Fields of a stage that its kind does not use are left out.
std::vector<Field> fields(Recipe& recipe);

/// A problem at a field. `path` as in FieldInfo; empty: the recipe as a whole.
struct Problem {
  std::string path{};
  std::string message{};  ///< one sentence: what is wrong and what would be right
  bool warning = false; ///< the run can start all the same
};

/// The checks that need no file, model or device.
std::vector<Problem> check(const Recipe& recipe);

// ---- text ----------------------------------------------------------------------------------------------------------

struct ParsedRecipe {
  Recipe recipe;
  std::vector<Problem> problems;  ///< unknown keys (with the nearest known one), wrong types; empty: read whole
};

/// Reads YAML. Never throws: syntax errors are problems with line and column.
ParsedRecipe parse_recipe(const std::string& yaml);
/// Reads a file; problems carry the path. The recipe's name defaults to the file's stem.
ParsedRecipe load_recipe(const std::filesystem::path& file);
/// A preset by its name, or a recipe file, looked for in `folder` (empty: where the program runs). A file wins over a
/// preset of its name; problems name the nearest preset where neither is there.
ParsedRecipe find_recipe(const std::string& name, const std::filesystem::path& folder = {});
/// Sets one field by its dotted path ("stages[0].epochs" or "stages.0.epochs") from text as YAML would read it.
/// A problem where the key is unknown or the text does not fit.
std::optional<Problem> set_field(Recipe& recipe, const std::string& path, const std::string& text);
/// YAML of what differs from the defaults; parse_recipe gives the same recipe back.
std::string to_yaml(const Recipe& recipe);
/// YAML with every field filled in: the record of a run.
std::string to_resolved_yaml(const Recipe& recipe);
/// 16 hexadecimal digits of XXH3 over the resolved text without the name, the seed and what changes no number (log_every,
/// recompute_activations): equal for seeds of one setting.
std::string recipe_hash(const Recipe& recipe);

std::string to_text(const Value& value);  ///< "0.9, 0.75, 0.5"; shortest decimal that reads back to the same bits
/// Reads text into the alternative of `like`: "25M", "1e-2", "0.9, 0.75", "50 steps". Empty where it does not fit.
std::optional<Value> from_text(const std::string& text, const Value& like);

/// Fields of two recipes whose values differ. Absent (a stage one does not have) is std::nullopt.
struct Difference {
  std::string path;
  std::vector<std::optional<std::string>> values;  ///< one a recipe
};
std::vector<Difference> differences(const std::vector<Recipe>& recipes);

// ---- presets and what follows from a recipe ------------------------------------------------------------------------

struct Preset {
  std::string name;   ///< "ssd"
  std::string title;  ///< "SSD (paper, Figure 4)"
  std::string doc;    ///< what question it answers
  Recipe recipe;
};
/// Presets on the embedded default; each opens as an ordinary recipe.
const std::vector<Preset>& presets();

/// Values of one stage at one epoch (0-based), the last one held.
double dropout_at(const StageSpec& stage, std::int64_t epoch);
std::int64_t window_at(const StageSpec& stage, const AttentionSpec& attention, std::int64_t epoch);
/// Optimizer steps of one epoch: ceil(tokens / (sequence_length · batch_size · accumulation)), at least 1.
std::int64_t steps_per_epoch(const Recipe& recipe, const StageSpec& stage);
std::int64_t evaluation_window(const Recipe& recipe);

/// Names of METHODS.md, "Components", in the paper's order, teacher first.
const std::vector<std::string>& component_names();

}  // namespace engine
