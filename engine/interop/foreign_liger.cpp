#include "engine/interop/field_table.h"

namespace engine {
namespace {

void read_conversion(FieldTable& t, std::vector<Problem>& problems) {
  const std::string name = t.text("model.name");
  const std::string a = "attention.";
  if (name.starts_with("liger") && name.ends_with("_gla")) {
    t.becomes("model.name", a + "mixing.kind", "gla", "gated linear attention beside the window");
    t.code(a + "feature_map.preset", "liger",
           "softmax of q and k without a matrix and without rotary position");
    t.code(a + "linear_context", "overlap", "linear attention sees all past keys");
    t.code(a + "linear.normaliser", "none", "its output is not normalised");
    t.code(a + "mixing.weight", "0.5", "both branches count half");
    t.code(a + "linear.empty_rows", "mixing",
           "the window keeps its half where linear attention sees no key");
    t.code(a + "window", "64",
           "the window is in the model's config.json, not in this file; 64 is the published one",
           Reading::ambiguous);
  } else if (name == "lolcats_at" || name == "lolcats_ar") {
    t.becomes("model.name", a + "mixing.kind", "shared-denominator",
              "its own LoLCATs, which differs from the original");
    t.code(a + "feature_map.preset", "lolcats", "softmax of both halves");
    t.code(a + "feature_map.size", "128", "its feature_dim");
    t.code(a + "feature_map.start", "kaiming", "its identity start is switched off");
    t.code(a + "mixing.weight", "0.1", "a fixed buffer");
    t.code(a + "mixing.trainable", "false", "the factor does not train");
    t.code(a + "linear.epsilon", "1e-6", "added to its denominator");
    t.code(a + "window", "64", "its default", Reading::ambiguous);
  } else {
    t.doubt("model.name", "no conversion of this name here");
    problems.push_back(
        {"model.name",
         "\"" + name +
             "\" is not read; known are liger_gla and its variants, lolcats_at and lolcats_ar"});
  }
}

void read_adapters(FieldTable& t, const std::string& stage, std::vector<Problem>& problems) {
  std::string targets;
  for (const auto& [part, names] : {std::pair("qk", "q, k"), {"v", "v"}, {"o", "o"}}) {
    const std::string train = std::string("train.train_") + part, lora = train + "_lora";
    if (!t.is_true(train)) {
      t.means(train, "stays frozen");
      t.ignore(lora, "stays frozen");
      continue;
    }
    targets += (targets.empty() ? "" : ", ") + std::string(names);
    if (t.is_true(lora))
      t.means(lora, "by an adapter");
    else
      t.doubt(lora, "training a few projections whole is not offered; they get an adapter");
  }
  if (targets.empty())
    problems.push_back({"train", "nothing is trained: train_qk, train_v and train_o are off"});
  for (const char* path : {"train.train_qk", "train.train_v", "train.train_o"})
    if (t.is_true(path)) t.becomes(path, stage + "lora.targets", targets);
  t.code(stage + "lora.rank", "8", "fixed in its code");
  t.code(stage + "lora.alpha", "8", "left at PEFT's default");
}

}  // namespace

bool is_liger(const FieldTable& t) {
  return t.has("model.name") && (t.has("train.train_qk") || t.has("train.lr"));
}

void read_liger(FieldTable& t, const std::string& stage, std::vector<Problem>& problems) {
  const bool transfer = t.text("model.name") == "lolcats_at";
  t.code(stage + "kind", transfer ? "transfer" : "finetune",
         transfer ? "attention transfer" : "one stage of next-token training");
  read_conversion(t, problems);
  t.chosen(
      "model.pretrained_model_name_or_path", "model", t.text("model.pretrained_model_name_or_path"),
      "its folder has a changed config.json: give the base model's own, with --set model=FOLDER");
  t.becomes("model.max_length", "data.sequence_length");
  t.ignore("model.add_eos_token", "documents end with the tokenizer's EOS where rows are packed");
  t.ignore_below("model", "how the other program loads the model");

  t.chosen("data.path", "data.path", t.text("data.path"),
           std::string(k_hub_name) + "data.path=FOLDER");
  t.code("data.packing", "packed", "documents are joined and cut");
  t.code(
      "data.tokens_per_epoch", "25M",
      "an epoch there is the whole data set; here it is a number of tokens: set it to the text's",
      Reading::ambiguous);
  const auto batch = from_text(t.text("data.batch_size"), Value(std::int64_t{0}));
  const auto micro = from_text(t.text("data.micro_batch_size"), Value(std::int64_t{0}));
  if (batch && micro && std::get<std::int64_t>(*micro) > 0) {
    t.becomes("data.micro_batch_size", stage + "batch_size");
    t.becomes("data.batch_size", stage + "accumulation",
              std::to_string(std::get<std::int64_t>(*batch) / std::get<std::int64_t>(*micro)),
              "batch_size / micro_batch_size");
  } else {
    problems.push_back(
        {"data.batch_size", "expected whole numbers for batch_size and micro_batch_size"});
  }
  t.becomes("data.val_set_size", "data.validation_rows");
  t.ignore_below("data", "names the other program's loader");

  if (t.text("train.optim").starts_with("adamw"))
    t.means("train.optim", "AdamW here too");
  else
    t.doubt("train.optim", "AdamW is taken: other optimizers are not offered");
  t.becomes("train.lr", stage + "learning_rate");
  t.becomes("train.epochs", stage + "epochs");
  t.ignore("train.max_grad_norm", "handed to an object that its training loop never uses; --set " +
                                      stage + "clip_norm=… would clip");
  if (!transfer)
    read_adapters(t, stage, problems);
  else
    t.ignore_below("train", "a transfer trains feature maps alone");
  t.code(stage + "lr_schedule.kind", "plateau", "its scheduler, once an evaluation, as LoLCATs'");
  t.code("evaluation.every", "200", "optimizer steps, fixed in its code");
  t.ignore("train.output_dir", "checkpoints lie beside the store");
  t.ignore_below("", "not known to this reader");
}

}  // namespace engine
