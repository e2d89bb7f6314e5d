#include <algorithm>

#include "engine/recipe.h"
#include "engine/recipe_internal.h"

namespace engine {
namespace {

/// Collects fields. One line a knob; the member's own type picks the alternative of Value.
class Collector {
 public:
  Collector(std::vector<Field>& out, std::string prefix) : out_(out), prefix_(std::move(prefix)) {}

  template <class T>
  Field& operator()(const char* key, T& member, const T& fallback, const char* label, FieldInfo info) {
    info.path = prefix_ + key;
    info.label = label;
    Field field{std::move(info), Value(fallback), [&member] { return Value(member); },
                [&member](const Value& v) { member = std::get<T>(v); }};
    out_.push_back(std::move(field));
    return out_.back();
  }

 private:
  std::vector<Field>& out_;
  std::string prefix_;
};

void model_fields(std::vector<Field>& out, Recipe& r, const Recipe& d) {
  Collector v(out, "");
  v("name", r.name, d.name, "Name", {.doc = "How the run is listed"});
  v("device", r.device, d.device, "Device",
    {.doc = "Where tensors live; auto takes the first GPU, else the processor",
     .choices = {"auto", "cpu", "cuda"},
     .open_choice = true});
  v("dtype", r.dtype, d.dtype, "Precision",
    {.doc = "Precision of the frozen weights and the activations; auto is bfloat16 on a GPU, float32 on the processor",
     .choices = {"auto", "float32", "bfloat16", "float64"}});
  v("threads", r.threads, d.threads, "CPU threads",
    {.unit = "threads", .doc = "Processor threads; 0 takes one a core", .min = 0, .max = 1024});
  v("model", r.model, d.model, "Model",
    {.doc = "builtin:tiny or a Hugging Face folder (config.json, safetensors, tokenizer.json)",
     .paper = "Mistral 7B, Llama 3 8B, Llama 3.1 8B",
     .choices = {"builtin:tiny"},
     .open_choice = true});
  v("start_from", r.start_from, d.start_from, "Start from",
    {.doc = "Maps, mixing and adapters of a run (its id or name, @step for one checkpoint) or a checkpoint folder; empty: a new start"});
  v("log_every", r.log_every, d.log_every, "Log every",
    {.unit = "optimizer steps", .doc = "Steps whose losses and gradient norms are read together; more saves a GPU waits, every step's points are kept",
     .min = 1, .max = 1e6});
  v("checkpoint_every", r.checkpoint_every, d.checkpoint_every, "Checkpoint every",
    {.unit = "optimizer steps", .doc = "0 keeps one at evaluations and at stage ends", .min = 0, .max = 1e9});
  v("seed", r.seed, d.seed, "Seed",
    {.doc = "Decides map noise, data order and dropout draws; the same seed gives the same bits",
     .paper = "3 seeds", .min = 0, .max = 9e15});
}

void data_fields(std::vector<Field>& out, DataSpec& s, const DataSpec& d) {
  Collector v(out, "data.");
  v("path", s.path, d.path, "Text",
    {.doc = "builtin:corpus, or a file or folder of .txt, .jsonl, .jsonl.gz, .jsonl.zst, .parquet",
     .paper = "FineWeb-Edu",
     .choices = {"builtin:corpus"},
     .open_choice = true});
  v("text_field", s.text_field, d.text_field, "Text field", {.doc = "The field of a record that holds the text"});
  v("sequence_length", s.sequence_length, d.sequence_length, "Sequence length",
    {.unit = "tokens", .doc = "Tokens a training row", .paper = "1024", .min = 2, .max = 1048576});
  v("tokens_per_epoch", s.tokens_per_epoch, d.tokens_per_epoch, "Tokens per epoch",
    {.unit = "tokens", .doc = "An epoch is this many tokens, whatever the text's size", .paper = "about 25 M",
     .min = 1, .max = 1e15});
  v("packing", s.packing, d.packing, "Packing",
    {.doc = "documents: one truncated document a row, the rest padding; packed: documents joined and cut",
     .paper = "samples truncated at 1024",
     .choices = {"documents", "packed"}});
  v("far_share", s.far_share, d.far_share, "Far-dependent share",
    {.doc = "Share of the built-in corpus that needs memory beyond the window; poor text shows the collapse", .min = 0,
     .max = 1});
  v("validation_share", s.validation_share, d.validation_share, "Held-out share",
    {.doc = "Share of documents kept for the validation loss, chosen by hash", .paper = "not stated", .min = 0, .max = 0.5});
  v("validation_path", s.validation_path, d.validation_path, "Held-out text",
    {.doc = "Another text whose documents give the validation loss; empty: the held-out share of the training text",
     .paper = "not stated"});
  v("validation_rows", s.validation_rows, d.validation_rows, "Held-out rows",
    {.unit = "rows", .doc = "Most held-out rows that the validation loss reads", .paper = "not stated", .min = 0, .max = 1e6});
  v("bos", s.bos, d.bos, "BOS in training",
    {.doc = "BOS before each document: the tokenizer's own policy, always or never", .paper = "not stated",
     .choices = {"tokenizer", "always", "never"}});
}

void attention_fields(std::vector<Field>& out, AttentionSpec& s, const AttentionSpec& d) {
  FeatureMapSpec& m = s.feature_map;
  const FeatureMapSpec base = feature_map_preset(m.preset).value_or(d.feature_map);
  Collector map(out, "attention.feature_map.");
  Field& preset = map("preset", m.preset, d.feature_map.preset, "Feature map",
                      {.doc = "A named feature map; fills the keys below, a key written beside it wins",
                       .paper = "hedgehog-softmax (tables 2 and 4), lolcats (the default)",
                       .choices = feature_map_preset_names()});
  preset.set = [&m](const Value& v) {
    const double noise = m.init_noise;
    if (auto filled = feature_map_preset(std::get<std::string>(v))) {
      m = *filled;
      m.init_noise = noise;
    } else {
      m.preset = std::get<std::string>(v);
    }
  };
  map("activation", m.activation, base.activation, "Activation",
      {.doc = "σ of φ(x) = σ(Wᵀx + b) ⊕ σ(−Wᵀx − b)",
       .paper = "softmax",
       .choices = {"softmax", "exp", "relu", "elu1", "none"}});
  map("negation", m.negation, base.negation, "Negated half", {.doc = "Append σ of the negated projection",
                                                              .paper = "yes"});
  map("size", m.size, base.size, "Columns of W",
      {.doc = "square: D, half: D/2, or a number of columns before negation",
       .paper = "square or half",
       .choices = {"square", "half"},
       .open_choice = true});
  map("columns", m.columns, base.columns, "Columns kept",
      {.doc = "Where W is narrower than D: leading keeps one half of each rotary pair, interleaved keeps pairs whole",
       .paper = "leading",
       .choices = {"leading", "interleaved"}});
  map("bias", m.bias, base.bias, "Bias", {.doc = "Learn b", .paper = "no"});
  if (m.bias)
    map("bias_size", m.bias_size, base.bias_size, "Bias size",
        {.doc = "column: b for every column; head: one number a head, as LoLCATs' T2R", .choices = {"column", "head"}});
  map("tied", m.tied, base.tied, "Tied q and k", {.doc = "One map for queries and keys", .paper = "no"});
  map("learned", m.learned, base.learned, "Learned", {.doc = "Off: σ(x) without W, as Liger", .paper = "yes"});
  map("sharing", m.sharing, base.sharing, "W shared by",
      {.doc = "head: a W for each head; layer: one for all heads of a layer (FLA); model: one over all heads joined (SUPRA)",
       .paper = "head",
       .choices = {"head", "layer", "model"}});
  map("start", m.start, base.start, "Start of W",
      {.doc = "identity, or Kaiming uniform as LoLCATs' code without its switch", .paper = "identity",
       .choices = {"identity", "kaiming"}});
  map("init_noise", m.init_noise, d.feature_map.init_noise, "Start noise",
      {.doc = "Standard deviation of the noise added to the identity start", .paper = "0.1", .min = 0, .max = 10});
  map("temperature", m.temperature, base.temperature, "Temperature",
      {.doc = "Divides Wᵀx + b before σ; FLA's HedgeHog has 0.5", .paper = "1", .min = 1e-3, .max = 1e3});
  if (m.activation == "softmax" && m.negation)
    map("softmax_over", m.softmax_over, base.softmax_over, "Softmax over",
        {.doc = "half: each half sums to 1; both: one softmax over the two halves (FLA)", .paper = "half",
         .choices = {"half", "both"}});
  if (m.activation == "exp")
    map("exp_shift", m.exp_shift, base.exp_shift, "Shift of exp",
        {.doc = "none: exp itself; row: minus the row's maximum, which changes the kernel (LoLCATs' exp_dim)",
         .paper = "none",
         .choices = {"none", "row"}});
  map("rope", m.rope, base.rope, "Rotary position",
      {.doc = "before: φ sees rotated q and k; after: φ's output is rotated (SUPRA); none (Liger)", .paper = "before",
       .choices = {"before", "after", "none"}});

  Collector v(out, "attention.");
  v("window", s.window, d.window, "Window",
    {.unit = "tokens", .doc = "Keys the softmax window sees, the query itself included", .paper = "64", .min = 1,
     .max = 1048576});
  v("window_counts_query", s.window_counts_query, d.window_counts_query, "Window counts the query",
    {.doc = "Off: the window holds w keys beside the query itself", .paper = "not stated"});
  v("window_layout", s.window_layout, d.window_layout, "Window layout",
    {.doc = "sliding; terraced: a query sees its own block and the one before; terraced-as-published: LoLCATs' blocks, cut from the row's end",
     .paper = "sliding",
     .choices = {"sliding", "terraced", "terraced-as-published"}});
  v("layer_windows", s.layer_windows, d.layer_windows, "Windows by layer",
    {.unit = "tokens, a layer each", .doc = "A window for every layer; empty: the same for all", .min = 1, .max = 1048576});
  v("softmax_layers", s.softmax_layers, d.softmax_layers, "Layers kept",
    {.unit = "layers, from 0", .doc = "Layers that keep the teacher's softmax attention in every component", .min = 0, .max = 100000});
  v("skipped_layers", s.skipped_layers, d.skipped_layers, "Layers skipped",
    {.unit = "layers, from 0", .doc = "Layers whose attention is left out in every component but teacher", .min = 0, .max = 100000});
  v("linear_context", s.linear_context, d.linear_context, "Linear context",
    {.doc = "outside: linear attention sees keys outside the window; overlap: all past keys",
     .paper = "outside",
     .choices = {"outside", "overlap"}});
  v("sinks", s.sinks, d.sinks, "Sinks",
    {.unit = "tokens", .doc = "First positions that the sinks components keep", .paper = "8", .min = 1, .max = 4096});
  v("precision", s.precision, d.precision, "Precision of sums",
    {.doc = "Scores, states and normalisers; model: the activations' own", .paper = "not stated",
     .choices = {"float32", "float64", "model"}});
  Collector linear(out, "attention.linear.");
  linear("normaliser", s.linear.normaliser, d.linear.normaliser, "Linear normaliser",
         {.doc = "sum: Σφφ; group-norm: each head's output normalised instead (SUPRA); none (Liger)", .paper = "sum",
          .choices = {"sum", "group-norm", "none"}});
  linear("decay", s.linear.decay, d.linear.decay, "Linear decay",
         {.doc = "slopes: the state fades at a fixed rate a head, 2^(−8h/H) a token (SUPRA)", .paper = "none",
          .choices = {"none", "slopes"}});
  if (s.mixing.kind == "gla")
    linear("gate_divisor", s.linear.gate_divisor, d.linear.gate_divisor, "Gate divisor",
           {.doc = "log gate = log sigmoid(k) / divisor", .paper = "16 (Liger's code)", .min = 1e-3, .max = 1e6});
  linear("epsilon", s.linear.epsilon, d.linear.epsilon, "Denominator ε",
         {.doc = "Added to the linear and shared denominators; Liger's LoLCATs has 1e-6", .paper = "not stated", .min = 0, .max = 1});
  linear("empty_rows", s.linear.empty_rows, d.linear.empty_rows, "Rows without linear keys",
         {.doc = "window: SWA at weight 1, as the paper's WinoGrande shows; mixing: SWA at g", .paper = "not stated",
          .choices = {"window", "mixing"}});
  Collector mix(out, "attention.mixing.");
  mix("kind", s.mixing.kind, d.mixing.kind, "Mixing",
      {.doc = "fixed: y = g·SWA + (1 − g)·LA; learned: g per head; gated: g from the layer's input; shared-denominator: one "
              "normaliser (LoLCATs); gla: fixed, with a gated state (Liger)",
       .paper = "fixed",
       .choices = {"fixed", "learned", "gated", "shared-denominator", "gla"}});
  mix("weight", s.mixing.weight, d.mixing.weight, "Weight g",
      {.doc = "g, or the start of the learned, gated or shared factor", .paper = "0.5", .min = 0, .max = 1});
  const bool fixed_mixing = s.mixing.kind == "fixed" || s.mixing.kind == "gla";
  if (!fixed_mixing)
    mix("trainable", s.mixing.trainable, d.mixing.trainable, "Train g",
        {.doc = "Off: the factor stays at its start, as in Liger's LoLCATs", .paper = "yes"});
  if (s.mixing.kind == "shared-denominator")
    mix("affine", s.mixing.affine, d.mixing.affine, "Affine factors",
        {.doc = "On: linear terms are weighted 1 − s instead of 1", .paper = "no (LoLCATs' default)"});
}

void lr_fields(std::vector<Field>& out, const std::string& prefix, LearningRateSpec& s, const LearningRateSpec& d) {
  Collector v(out, prefix + "lr_schedule.");
  v("kind", s.kind, d.kind, "Rate schedule",
    {.doc = "How the learning rate moves", .paper = "plateau",
     .choices = {"plateau", "constant", "cosine", "linear"}});
  v("warmup_steps", s.warmup_steps, d.warmup_steps, "Warm-up",
    {.unit = "optimizer steps", .doc = "Steps of linear rise from 0", .min = 0, .max = 1e9});
  if (s.kind == "plateau") {
    v("factor", s.factor, d.factor, "Plateau factor", {.doc = "Multiplies the rate", .paper = "0.1", .min = 1e-6, .max = 1});
    v("patience", s.patience, d.patience, "Plateau patience",
      {.unit = s.unit, .doc = "How many of them may pass without a better validation loss", .paper = "10", .min = 0,
       .max = 1e6});
    v("unit", s.unit, d.unit, "Plateau unit",
      {.doc = "What patience counts: evaluations, or ends of epochs", .paper = "not stated (LoLCATs: evaluations)",
       .choices = {"evaluations", "epochs"}});
  }
  if (s.kind == "plateau" || s.kind == "cosine")
    v("floor", s.floor, d.floor, "Lowest rate", {.doc = "The rate does not fall below", .paper = "1e-5", .min = 0, .max = 1});
}

void finetune_fields(std::vector<Field>& out, const std::string& prefix, StageSpec& s, const StageSpec& d) {
  Collector v(out, prefix);
  v("component", s.component, d.component, "Trained component",
    {.doc = "hybrid: both branches; linear: linear attention alone (HedgeHog)",
     .paper = "hybrid",
     .choices = {"hybrid", "linear"}});
  v("trainable", s.trainable, d.trainable, "Trainable",
    {.doc = "lora: low-rank adapters; full: every weight of the model", .paper = "lora", .choices = {"lora", "full"}});
  v("train_feature_maps", s.train_feature_maps, d.train_feature_maps, "Train φ too",
    {.doc = "Feature maps and mixing learn in this stage", .paper = "no (as LoLCATs)"});
  if (s.trainable == "lora") {
    Collector lora(out, prefix + "lora.");
    lora("rank", s.lora.rank, d.lora.rank, "LoRA rank", {.doc = "r of W + (α/r)·BA", .paper = "8", .min = 1, .max = 4096});
    lora("alpha", s.lora.alpha, d.lora.alpha, "LoRA alpha", {.doc = "α of W + (α/r)·BA", .paper = "16", .min = 0, .max = 65536});
    lora("targets", s.lora.targets, d.lora.targets, "LoRA targets",
         {.doc = "Projections that get an adapter", .paper = "q, k, v, o",
          .choices = {"q", "k", "v", "o", "gate", "up", "down"}});
    lora("dropout", s.lora.dropout, d.lora.dropout, "LoRA dropout",
         {.unit = "probability", .doc = "Chance that a value of an adapter's input is dropped while training", .paper = "0",
          .min = 0, .max = 0.99});
    lora("layers", s.lora.layers, d.lora.layers, "LoRA layers",
         {.unit = "layers, from 0", .doc = "Layers that get adapters; empty: all", .paper = "all", .min = 0, .max = 100000});
  }
  v("recompute_activations", s.recompute_activations, d.recompute_activations, "Recompute activations",
    {.doc = "Keeps each block's input alone and computes the block again for its gradient: less memory, about a third more time, the same bits",
     .paper = "not stated"});
  Collector ssd(out, prefix + "schedule.");
  ssd("dropout", s.schedule.dropout, d.schedule.dropout, "Window dropout",
      {.unit = "probability, an epoch each",
       .doc = "Probability that the window branch is dropped, epoch by epoch; the last value is held (SSD)",
       .paper = "0.9, 0.75, 0.5", .min = 0, .max = 1});
  ssd("window", s.schedule.window, d.schedule.window, "Window schedule",
      {.unit = "tokens, an epoch each", .doc = "Window while training, epoch by epoch; empty: the attention window",
       .paper = "32, or 4, 8, 16, 32, 64", .min = 1, .max = 1048576});
  ssd("drop", s.schedule.drop, d.schedule.drop, "Dropped together",
      {.doc = "What one draw decides", .paper = "not stated", .choices = {"sequence", "step", "layer", "head"}});
  ssd("linear_when_dropped", s.schedule.linear_when_dropped, d.schedule.linear_when_dropped, "Linear sees then",
      {.doc = "What linear attention sees where the window is dropped", .paper = "not stated",
       .choices = {"all", "outside"}});
  ssd("dropped_weight", s.schedule.dropped_weight, d.schedule.dropped_weight, "Its weight then",
      {.doc = "one: linear attention alone; mixing: it keeps 1 − g", .paper = "not stated", .choices = {"one", "mixing"}});
}

void stage_fields(std::vector<Field>& out, const std::string& prefix, StageSpec& s) {
  const StageSpec d = stage_defaults(s.kind);
  Collector v(out, prefix);
  v("kind", s.kind, StageSpec{}.kind, "Stage",
    {.doc = "transfer: attention transfer, layer by layer; finetune: next-token training",
     .choices = {"transfer", "finetune"}})
      .set = [&s](const Value& value) {
    const auto& kind = std::get<std::string>(value);
    if (kind != s.kind && (kind == "transfer" || kind == "finetune")) {
      const StageSpec before = stage_defaults(s.kind);
      if (s.learning_rate == before.learning_rate) s.learning_rate = stage_defaults(kind).learning_rate;
    }
    s.kind = kind;
  };
  if (s.kind == "transfer") {
    v("objective", s.objective, d.objective, "Objective",
      {.doc = "attention-weights: cross-entropy of the weights; attention-outputs, hybrid-outputs: mean-squared error",
       .paper = "attention-weights (HedgeHog), hybrid-outputs (LoLCATs)",
       .choices = {"attention-weights", "attention-outputs", "hybrid-outputs"}});
    if (s.objective != "attention-weights") {
      v("output_loss_scale", s.output_loss_scale, d.output_loss_scale, "Loss scale",
        {.doc = "Factor on the mean-squared error", .paper = "1000", .min = 1e-9, .max = 1e9});
      v("weights_loss_scale", s.weights_loss_scale, d.weights_loss_scale, "Weights loss scale",
        {.doc = "The weights' cross-entropy is added, times this (LoLCATs' mixed configuration: 1)", .paper = "0", .min = 0, .max = 1e9});
    }
  } else {
    finetune_fields(out, prefix, s, d);
  }
  v("epochs", s.epochs, d.epochs, "Epochs", {.doc = "Passes of tokens_per_epoch tokens", .paper = "1 to 5", .min = 1, .max = 10000});
  v("tokens_per_epoch", s.tokens_per_epoch, d.tokens_per_epoch, "Tokens per epoch",
    {.unit = "tokens", .doc = "0 takes data.tokens_per_epoch", .paper = "about 25 M", .min = 0, .max = 1e15});
  v("batch_size", s.batch_size, d.batch_size, "Batch", {.unit = "sequences", .doc = "Sequences a micro-batch", .min = 1, .max = 65536});
  v("accumulation", s.accumulation, d.accumulation, "Accumulation",
    {.unit = "micro-batches", .doc = "Micro-batches an optimizer step; batch × accumulation is the effective batch",
     .paper = "effective batch 64", .min = 1, .max = 65536});
  v("learning_rate", s.learning_rate, d.learning_rate, "Learning rate",
    {.doc = "Peak rate of AdamW", .paper = "1e-2 transfer, 1e-4 LoRA", .min = 0, .max = 10});
  lr_fields(out, prefix, s.lr_schedule, d.lr_schedule);
  v("weight_decay", s.weight_decay, d.weight_decay, "Weight decay", {.doc = "AdamW's decoupled decay", .paper = "0", .min = 0, .max = 10});
  v("clip_norm", s.clip_norm, d.clip_norm, "Clip norm", {.doc = "Largest gradient norm; 0: no clipping", .paper = "none", .min = 0, .max = 1e9});
  Collector stop(out, prefix + "early_stopping.");
  stop("metric", s.early_stopping.metric, d.early_stopping.metric, "Stop early on",
       {.doc = "Ends the stage when this stops improving; any series of evaluations, or a sum of some; empty: off",
        .choices = {"", "delta_h_swa", "delta_la_na", "accuracy/hybrid", "accuracy/hybrid + delta_la_na", "validation/loss"},
        .open_choice = true});
  stop("patience", s.early_stopping.patience, d.early_stopping.patience, "Stop patience",
       {.unit = "evaluations", .doc = "Evaluations without a better value", .min = 1, .max = 1e6});
  stop("hand_on", s.early_stopping.hand_on, d.early_stopping.hand_on, "Hand on",
       {.doc = "Which weights the next stage and the result take; both checkpoints are kept", .paper = "not stated",
        .choices = {"best", "last"}});
}

void evaluation_fields(std::vector<Field>& out, EvaluationSpec& s, const EvaluationSpec& d) {
  Collector v(out, "evaluation.");
  v("tasks", s.tasks, d.tasks, "Tasks",
    {.doc = "builtin:all, builtin:local, builtin:far, tasks of the data folder (piqa, arc_easy, …), or own ones (dir/task.yaml)",
     .paper = "piqa, arc_easy, arc_challenge, hellaswag, winogrande, mmlu"});
  v("data", s.data, d.data, "Task files", {.doc = "Folder that holds <dataset>/[<config>.]<split>.jsonl or .parquet, or the Hub's own folders"});
  v("components", s.components, d.components, "Components",
    {.doc = "What is switched on in turn", .paper = "hybrid, swa, linear, none", .choices = component_names()});
  v("every", s.every, d.every, "Evaluate every",
    {.unit = "steps", .doc = "Optimizer steps between evaluations; 0: only at stage ends", .min = 0, .max = 1e9});
  v("window", s.window, d.window, "Evaluation window",
    {.unit = "tokens", .doc = "0 takes the attention window", .paper = "64", .min = 0, .max = 1048576});
  v("limit", s.limit, d.limit, "Examples a task",
    {.unit = "examples", .doc = "First examples of each task (built-in tasks: documents); 0: all", .min = 0, .max = 1e9});
  v("shots", s.shots, d.shots, "Shots", {.doc = "Solved examples before each question", .paper = "0", .min = 0, .max = 64});
  if (s.shots > 0) {
    v("sampler", s.sampler, d.sampler, "Shot sampler",
      {.doc = "task: as the task says; first-n: the first records; seeded: the LM Evaluation Harness's random ones",
       .choices = {"task", "first-n", "seeded"}});
    v("shots_seed", s.shots_seed, d.shots_seed, "Shot seed", {.doc = "Of the seeded sampler", .min = 0, .max = 9e15});
  }
  v("split", s.split, d.split, "Split", {.doc = "Empty: the split the LM Evaluation Harness uses"});
  v("bos", s.bos, d.bos, "BOS in evaluation",
    {.doc = "BOS before each prompt: the tokenizer's own policy, always or never", .paper = "not stated",
     .choices = {"tokenizer", "always", "never"}});
  v("ablation_weights", s.ablation_weights, d.ablation_weights, "Weights of ablations",
    {.doc = "one: swa and linear alone have weight 1; mixing: they keep g and 1 − g", .paper = "not stated",
     .choices = {"one", "mixing"}});
}

}  // namespace

std::vector<Field> fields(Recipe& r) {
  static const Recipe d;
  std::vector<Field> out;
  model_fields(out, r, d);
  data_fields(out, r.data, d.data);
  attention_fields(out, r.attention, d.attention);
  for (std::size_t i = 0; i < r.stages.size(); ++i)
    stage_fields(out, "stages[" + std::to_string(i) + "].", r.stages[i]);
  evaluation_fields(out, r.evaluation, d.evaluation);
  return out;
}

StageSpec stage_defaults(const std::string& kind) {
  StageSpec s;
  s.kind = kind;
  if (kind == "transfer") s.learning_rate = 1e-2;
  return s;
}

std::optional<FeatureMapSpec> feature_map_preset(const std::string& name) {
  FeatureMapSpec m;
  m.preset = name;
  auto shape = [&m](const char* activation, bool negation) { m.activation = activation, m.negation = negation; };
  if (name == "hedgehog") {
    shape("exp", true);
  } else if (name == "lolcats") {
    shape("softmax", true), m.size = "half";
  } else if (name == "hedgehog-softmax") {
    shape("softmax", true);
  } else if (name == "hedgehog-fla") {
    shape("softmax", true), m.bias = true, m.sharing = "layer", m.temperature = 0.5, m.softmax_over = "both";
  } else if (name == "t2r") {
    shape("relu", false), m.bias = true;
  } else if (name == "supra") {
    shape("relu", false), m.bias = true, m.tied = true, m.sharing = "model", m.rope = "after";
  } else if (name == "elu1") {
    shape("elu1", true);
  } else if (name == "none") {
    shape("none", true);
  } else if (name == "liger") {
    shape("softmax", false), m.learned = false, m.rope = "none";
  } else {
    return std::nullopt;
  }
  return m;
}

const std::vector<std::string>& feature_map_preset_names() {
  static const std::vector<std::string> names = {"hedgehog-softmax", "lolcats", "hedgehog", "hedgehog-fla", "t2r",
                                                 "supra",            "elu1",    "none",     "liger"};
  return names;
}

const std::vector<std::string>& component_names() {
  static const std::vector<std::string> names = {"teacher",        "hybrid",    "hybrid-overlap", "swa", "linear",
                                                 "linear-outside", "swa+sinks", "sinks",          "none"};
  return names;
}

}  // namespace engine
