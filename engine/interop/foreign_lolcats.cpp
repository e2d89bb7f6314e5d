#include <algorithm>
#include <cmath>

#include "engine/interop/field_table.h"
#include "engine/interop/names.h"

namespace engine {
namespace {

constexpr const char* k_from_config = "the model folder's config.json decides";

/// "-2.1972" → "0.1": sigmoid, to six digits.
std::string sigmoid_of(const std::string& text) {
  const auto x = from_text(text, Value(0.0));
  if (!x) return text;
  char shown[32];
  std::snprintf(shown, sizeof shown, "%.6g", 1 / (1 + std::exp(-std::get<double>(*x))));
  return shown;
}

void read_attention_type(FieldTable& t, ForeignModel& model, std::vector<Problem>& problems) {
  const std::string path = "attention.attention_type", type = t.text(path);
  if (type == "lolcats_llama") {
    model.linear_only = true;
    t.becomes(path, "evaluation.components", "teacher, linear, none",
              "linear attention alone; the stages train the linear component");
    return;
  }
  const bool terraced = type.find("window_tk") != type.npos,
             sliding = type.find("window_sw") != type.npos;
  if (!terraced && !sliding) {
    t.doubt(path, "no conversion of this name");
    problems.push_back(
        {path, "\"" + type +
                   "\" is not read; known are lolcats_llama, lolcats_llama_window_tk, "
                   "lolcats_llama_window_sw and their variants"});
    return;
  }
  const std::string layout = terraced ? "terraced-as-published" : "sliding";
  if (type == "lolcats_llama_window_tk" || type == "lolcats_llama_window_sw")
    t.becomes(path, "attention.window_layout", layout);
  else
    t.chosen(path, "attention.window_layout", layout,
             type.find("long") != type.npos ? "read as the variant without chunks: the published "
                                              "one starts its window anew at each chunk"
                                            : "a variant of the same attention");
  t.code("attention.mixing.kind", "shared-denominator",
         "window classes divide both branches by one sum");
}

void read_feature_map(FieldTable& t, std::vector<Problem>& problems) {
  const std::string name = t.text("attention.feature_map");
  const std::string map = "attention.feature_map.", path = "attention.feature_map",
                    kernel = "attention.learned_kernel";
  const bool two_halves = name == "softmax_dim" || name == "exp_dim";
  if (name == "softmax_dim")
    t.becomes(path, map + "preset", "lolcats");
  else if (name == "exp_dim")
    t.becomes(path, map + "preset", "hedgehog", "with the shift of each row that its code makes");
  else if (name == "relu")
    t.becomes(path, map + "preset", "t2r");
  else if (name == "pos_elu")
    t.becomes(path, map + "preset", "elu1");
  else
    problems.push_back(
        {path, "\"" + name + "\" is not read; known are softmax_dim, exp_dim, relu and pos_elu"});
  if (name == "exp_dim")
    t.code(map + "exp_shift", "row", "exp_dim subtracts each row's maximum before exp");
  if (two_halves)
    t.becomes("attention.feature_map_kwargs.fullspace", map + "negation");
  else
    t.means("attention.feature_map_kwargs.fullspace", name + " has one half whatever this says");
  if (name == "pos_elu") t.code(map + "negation", "false", "pos_elu has one half");
  t.ignore("attention.feature_map_kwargs.eps",
           "features are not clamped from below here; denominators are guarded instead");

  const std::string learned = t.text(kernel), more = "attention.learned_kernel_kwargs.";
  if (learned == "untied_head_einsum")
    t.becomes(kernel, map + "learned", "true", "one matrix a head");
  else if (learned.empty())
    t.becomes(kernel, map + "learned", "false");
  else
    problems.push_back({kernel, "\"" + learned + "\" is not read; known is untied_head_einsum"});
  t.becomes(more + "feature_dim", map + "size");
  if (t.is_true(more + "bias")) {
    t.becomes(more + "bias", map + "bias", "true");
    t.code(map + "bias_size", "head", "its bias is one number a head");
  } else {
    t.becomes(more + "bias", map + "bias", "false");
  }
  if (t.is_true(more + "skip_connection"))
    t.doubt(more + "skip_connection", "x + Wᵀx is not offered; an identity start is its nearest");
  else
    t.means(more + "skip_connection", "no skip connection here either");
  if (t.is_true(more + "zero_init"))
    t.becomes(more + "zero_init", map + "start", "identity",
              "without a skip connection its code starts at the identity");
  else
    t.chosen(more + "zero_init", map + "start", "identity",
             "as every published command switches it on; with this file alone W would start "
             "Kaiming uniform (--set attention.feature_map.start=kaiming)");
  if (t.is_true(more + "normal_init"))
    t.doubt(more + "normal_init", "a normal start is not offered; identity is taken");
  t.code(map + "init_noise", "0", "its start has no noise");
  t.becomes("attention.tie_qk_kernels", map + "tied");
}

void read_window(FieldTable& t, const ForeignModel& model) {
  const std::string a = "attention.";
  t.becomes(a + "softmax_attentions", "attention.softmax_layers");
  if (t.text(a + "softmax_attentions").empty())
    t.means(a + "softmax_attentions", "every layer is converted");
  if (model.linear_only) {
    t.ignore_below(a + "window_size", "linear attention alone has no window");
    return;
  }
  t.becomes(a + "window_size", "attention.window");
  t.becomes(a + "affine_attention_factors", "attention.mixing.affine");
  t.becomes(a + "init_window_factor", "attention.mixing.weight",
            sigmoid_of(t.text(a + "init_window_factor")), "its sigmoid");
  t.becomes(a + "train_window_factor", "attention.mixing.trainable");
  if (const std::string decode = t.text(a + "decode_window_size");
      decode.empty() || decode == t.text(a + "window_size"))
    t.means(a + "decode_window_size", "decoding uses the window of the layout");
  else
    t.doubt(a + "decode_window_size",
            "decoding uses attention.window; another window for decoding is not offered");
  t.ignore(a + "state_chunk_len", "chunks change speed and memory only");
}

/// A finetune or peft block.
void read_lora(FieldTable& t, const std::string& block, const std::string& stage) {
  const std::string method = t.text(block + ".method");
  t.becomes(block + ".method", stage + "trainable", method == "lora" ? "lora" : "full",
            method == "lora" ? "" : "any method but lora trains every weight");
  const std::string k = block + ".kwargs.";
  t.becomes(k + "r", stage + "lora.rank");
  t.becomes(k + "lora_alpha", stage + "lora.alpha");
  t.becomes(k + "lora_dropout", stage + "lora.dropout");
  if (!t.text(k + "layers_to_transform").empty())
    t.becomes(k + "layers_to_transform", stage + "lora.layers");
  if (t.has(k + "target_modules")) {
    std::string targets, unknown;
    const auto modules = from_text(t.text(k + "target_modules"), Value(std::vector<std::string>{}));
    for (const auto& module : std::get<std::vector<std::string>>(*modules)) {
      const auto found = std::ranges::find_if(projection_targets(), [&](const auto& p) {
        return p.module == module || p.module.substr(p.module.find('.') + 1) == module;
      });
      std::string& list = found == projection_targets().end() ? unknown : targets;
      list +=
          (list.empty() ? "" : ", ") + (found == projection_targets().end() ? module : found->name);
    }
    if (unknown.empty())
      t.becomes(k + "target_modules", stage + "lora.targets", targets);
    else
      t.chosen(k + "target_modules", stage + "lora.targets", targets,
               "without " + unknown + ", which no adapter can have here");
  }
  const std::string weights = t.text(block + ".trainable_weights");
  if (weights.find("feature_map") != weights.npos || weights.find("window_factors") != weights.npos)
    t.becomes(block + ".trainable_weights", stage + "train_feature_maps", "true");
}

void read_dataset(FieldTable& t, const ForeignModel& model) {
  const std::string d = "dataset.dataset_config.";
  const std::string text = t.text(d + "path").empty() ? "dataset.name" : d + "path";
  t.chosen(text, "data.path", t.text(text), std::string(k_hub_name) + "data.path=FOLDER");
  t.ignore("dataset.name", "names the other program's loader");
  t.becomes(d + "chunk_size", "data.sequence_length");
  t.becomes(d + "concat_data", "data.packing",
            t.is_true(d + "concat_data") ? "packed" : "documents");
  t.code(
      "data.tokens_per_epoch", "25M",
      "an epoch there is the whole data set; here it is a number of tokens: set it to the text's",
      Reading::ambiguous);
  const std::string base = "dataset.pretrained_model_config.pretrained_model_name_or_path";
  if (!model.read && !t.text(base).empty())
    t.chosen(base, "model", t.text(base),
             "no model file was given; " + std::string(k_hub_name) + "model=FOLDER");
  t.ignore_below("dataset.pretrained_model_config", "the model file replaces it");
  t.ignore_below("dataset",
                 "chooses and caches samples in the other program's loader; give the text itself "
                 "as data.path");
}

void read_training(FieldTable& t, const std::string& stage) {
  t.becomes("dataloader.batch_size", stage + "batch_size");
  t.ignore_below("dataloader", "how the loader works, not what it gives");
  if (const std::string optimizer = t.text("optimizer.optim"); optimizer.starts_with("adamw"))
    t.means("optimizer.optim", "AdamW here too");
  else
    t.doubt("optimizer.optim", "AdamW is taken: other optimizers are not offered");
  t.becomes("optimizer.lr", stage + "learning_rate");
  t.becomes("optimizer.weight_decay", stage + "weight_decay");

  const std::string kind = t.text("lr_scheduler.lr_scheduler_type"),
                    schedule = stage + "lr_schedule.", path = "lr_scheduler.lr_scheduler_type";
  if (kind == "plateau" || kind == "reduce_lr_on_plateau") {
    t.becomes(path, schedule + "kind", "plateau");
    t.code(schedule + "unit", "evaluations", "its scheduler steps once an evaluation");
  } else if (kind == "cosine_warmup" || kind == "linear_warmup" || kind == "linear") {
    t.becomes(path, schedule + "kind", kind == "cosine_warmup" ? "cosine" : "linear");
  } else {
    t.chosen(
        path, schedule + "kind", "constant",
        kind.empty() || kind == "none" ? "no schedule" : "not offered: the rate stays constant");
  }
  if (t.text("lr_scheduler.mode") == "max")
    t.doubt("lr_scheduler.mode", "the plateau is that of the validation loss, which falls");
  else
    t.means("lr_scheduler.mode", "the plateau is that of the validation loss");
  t.becomes("lr_scheduler.factor", schedule + "factor");
  t.becomes("lr_scheduler.patience", schedule + "patience");
  t.becomes("lr_scheduler.min_lr", schedule + "floor");
  t.becomes("lr_scheduler.num_warmup_steps", schedule + "warmup_steps");
  t.ignore("lr_scheduler.num_training_steps", "the planned steps of the stage are taken");
}

void read_objective(FieldTable& t, const ForeignModel& model, const std::string& stage) {
  const std::string outputs = model.linear_only ? "attention-outputs" : "hybrid-outputs";
  const std::string xent =
      t.has("trainer.attn_xent_factor") ? "trainer.attn_xent_factor" : "trainer.xent_factor";
  auto factor = [&](const std::string& path, double fallback) {
    const auto value = from_text(t.text(path), Value(fallback));
    return t.text(path).empty() || !value ? fallback : std::get<double>(*value);
  };
  const double mse = factor("trainer.mse_factor", 1000), cross = factor(xent, 0);
  if (mse == 0 && cross > 0) {
    t.becomes("trainer.mse_factor", stage + "objective", "attention-weights");
    if (model.linear_only)
      t.means(xent, "the weights' loss alone: its scale only scales the loss");
    else
      t.doubt(xent,
              "there the weights of both branches together are compared; here those of linear "
              "attention over all past keys");
  } else {
    t.becomes("trainer.name", stage + "objective", outputs);
    t.becomes("trainer.mse_factor", stage + "output_loss_scale");
    t.becomes(xent, stage + "weights_loss_scale");
  }
  t.ignore("trainer.reverse_kl", "its code never reads it");
  for (const char* path : {"trainer.kd_factor", "trainer.lm_factor"})
    if (factor(path, 0) > 0)
      t.doubt(path, "a loss on the model's logits is not part of attention transfer here");
}

void read_trainer(FieldTable& t, const ForeignModel& model, const std::string& stage) {
  const std::string name = t.text("trainer.name");
  const bool transfer = is_lolcats_transfer(t);
  t.means("trainer.name", transfer ? "attention transfer" : "next-token training");
  if (name.find("chunked") != name.npos)
    t.doubt("trainer.name", "read without its chunks: rows are trained whole");
  if (transfer)
    read_objective(t, model, stage);
  else if (model.linear_only)
    t.code(stage + "component", "linear", "the model has linear attention alone");
  t.becomes("trainer.num_train_epochs", stage + "epochs");
  t.becomes("trainer.gradient_accumulation_steps", stage + "accumulation");
  t.becomes("trainer.seed", "seed");
  if (t.text("trainer.batch_size") == t.text("dataloader.batch_size"))
    t.means("trainer.batch_size", "the loader's");
  else
    t.doubt("trainer.batch_size", "the loader's batch_size is taken");
  t.becomes("trainer.eval_steps", "evaluation.every");
  if (t.text("trainer.evaluation_strategy") == "steps")
    t.means("trainer.evaluation_strategy", "evaluations are counted in optimizer steps");
  else
    t.doubt("trainer.evaluation_strategy", "evaluations are counted in optimizer steps here");
  const bool by_loss = t.text("trainer.metric_for_best_model").ends_with("loss");
  if (t.is_true("trainer.load_best_model_at_end") && by_loss) {
    t.becomes("trainer.load_best_model_at_end", stage + "early_stopping.metric", "validation/loss",
              "the best checkpoint goes on");
    t.code(stage + "early_stopping.patience", "1000000", "it never stops early");
    t.means("trainer.metric_for_best_model", "validation/loss");
    t.means("trainer.greater_is_better", "a lower loss is better");
  } else if (t.is_true("trainer.load_best_model_at_end")) {
    t.doubt("trainer.load_best_model_at_end", "not by a validation loss: the last weights go on");
    t.ignore("trainer.metric_for_best_model", "see load_best_model_at_end");
  } else {
    t.means("trainer.load_best_model_at_end", "the last weights go on");
  }
  if (const auto steps = from_text(t.text("trainer.max_steps"), Value(std::int64_t{0}));
      steps && std::get<std::int64_t>(*steps) > 0)
    t.doubt("trainer.max_steps",
            "a stage is as long as its epochs; give tokens_per_epoch to end earlier");
  const auto batches = from_text(t.text("trainer.max_eval_batches"), Value(std::int64_t{0}));
  const auto rows = from_text(t.text("dataloader.batch_size"), Value(std::int64_t{0}));
  if (batches && rows && std::get<std::int64_t>(*batches) > 0)
    t.becomes("trainer.max_eval_batches", "data.validation_rows",
              std::to_string(std::get<std::int64_t>(*batches) *
                             std::max<std::int64_t>(1, std::get<std::int64_t>(*rows))));
  t.ignore("trainer.bf16", "the model file's torch_dtype decides");
  t.ignore_below("trainer", "logging, splits and bookkeeping of the other program");
}

}  // namespace

bool is_lolcats_model(const FieldTable& t) { return t.has("attention.attention_type"); }
bool is_lolcats_experiment(const FieldTable& t) {
  return t.has("trainer.name") || t.has("finetune.method");
}
bool is_lolcats_transfer(const FieldTable& t) {
  return t.text("trainer.name").find("distill") != std::string::npos;
}

void read_lolcats_model(FieldTable& t, ForeignModel& model, std::vector<Problem>& problems) {
  model.read = true;
  t.ignore("name", "config.json names the architecture");
  const std::string path = "model.pretrained_model_name_or_path";
  t.chosen(path, "model", t.text(path), std::string(k_hub_name) + "model=FOLDER");
  t.becomes("model.torch_dtype", "dtype");
  for (const char* quantised : {"model.load_in_8bit", "model.load_in_4bit"}) {
    if (t.is_true(quantised))
      t.doubt(quantised, "quantised weights are not offered; they are loaded whole");
    else
      t.means(quantised, "weights are loaded whole");
  }
  t.ignore("model.attn_implementation", "teacher attention has one implementation here");
  t.ignore_below("model.rope_scaling", k_from_config);
  t.ignore("model.rope_theta", k_from_config);
  t.ignore_below("model", "how the other program loads the model");
  read_attention_type(t, model, problems);
  read_feature_map(t, problems);
  read_window(t, model);
  if (t.is_true("attention.train_qk"))
    t.doubt("attention.train_qk", "q and k projections stay frozen in a transfer here");
  else
    t.means("attention.train_qk", "q and k projections stay frozen");
  for (const char* block : {"attention.peft", "attention.peft_config"})
    t.ignore_below(block,
                   "adapters during the transfer are not offered; a fine-tuning stage has them");
  t.ignore("attention.layer_idx", "filled in by its code");
  t.ignore_below("", "not known to this reader");
}

void read_lolcats_experiment(FieldTable& t, const ForeignModel& model, const std::string& stage,
                             std::vector<Problem>&) {
  t.code(stage + "kind", is_lolcats_transfer(t) ? "transfer" : "finetune",
         "from the trainer's name");
  read_dataset(t, model);
  read_training(t, stage);
  read_trainer(t, model, stage);
  if (!is_lolcats_transfer(t))
    read_lora(t, "finetune", stage);
  else
    t.ignore_below("finetune", "a transfer trains feature maps and window factors");
  if (t.is_true("fsdp.gradient_clipping"))
    t.becomes("fsdp.gradient_clipping_threshold", stage + "clip_norm");
  t.ignore_below("fsdp", "how several processes share the work");
  t.ignore_below("", "not known to this reader");
}

}  // namespace engine
