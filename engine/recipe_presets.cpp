#include "engine/recipe.h"
#include "engine/recipe_internal.h"

namespace engine {
namespace {

constexpr double k_transfer_rate = 0.03, k_lora_rate = 2e-3, k_full_rate = 1e-3;

/// What every preset on the embedded default shares; two minutes on two cores.
Recipe embedded(const char* name) {
  Recipe r;
  r.name = name;
  r.data.tokens_per_epoch = 172'032;  // 84 steps of 8 × 256 tokens
  r.data.far_share = 1.0;
  r.attention.window = 32;
  r.attention.feature_map.size = "64";
  r.evaluation.every = 42;
  r.evaluation.limit = 40;
  return r;
}

StageSpec transfer(const char* objective, std::int64_t epochs = 3) {
  StageSpec s = stage_defaults("transfer");
  s.objective = objective;
  s.epochs = epochs;
  s.accumulation = 1;
  s.learning_rate = k_transfer_rate;
  return s;
}

StageSpec finetune(const char* component, const char* trainable = "lora", std::int64_t epochs = 3) {
  StageSpec s = stage_defaults("finetune");
  s.component = component;
  s.trainable = trainable;
  s.epochs = epochs;
  s.accumulation = 1;
  s.learning_rate = std::string(trainable) == "full" ? k_full_rate : k_lora_rate;
  s.train_feature_maps = true;
  s.lr_schedule.kind = "constant";  // a plateau could not act in so few evaluations
  return s;
}

StageSpec frozen_maps(StageSpec s) {
  s.train_feature_maps = false;
  return s;
}

class Presets {
 public:
  Presets() {
    remedies();
    lolcats();
    linear_methods();
    others();
  }
  std::vector<Preset> list;

 private:
  void add(Recipe recipe, const char* title, const char* doc) { list.push_back({recipe.name, title, doc, std::move(recipe)}); }

  void ssd(const char* name, const char* title, const char* doc, ScheduleSpec schedule, std::int64_t epochs = 3) {
    Recipe r = embedded(name);
    r.stages = {transfer("attention-weights"), finetune("hybrid", "lora", epochs)};
    r.stages[1].schedule = std::move(schedule);
    add(std::move(r), title, doc);
  }

  void remedies() {
    ssd("ssd", "SSD: scheduled sliding-window dropout",
        "The window branch is dropped often at first, less later, so linear attention must learn to carry.", {{0.9, 0.75, 0.5}, {}});
    ssd("ssd-narrow", "SSD with a narrow window (paper, Figure 4a and Table 12)",
        "The same dropout with half the evaluation window while training.", {{0.9, 0.75, 0.5}, {16}}, 5);
    ssd("ssd-half", "SSD with constant dropout (paper, Figure 4c and Table 13)",
        "Half of the sequences lose the window, which is a quarter of the evaluation window.", {{0.5}, {8}}, 5);
    ssd("ssd-growing", "SSD with a growing window (paper, Figure 4b and Table 14)",
        "Half of the sequences lose the window, which doubles every epoch.", {{0.5}, {2, 4, 8, 16, 32}}, 5);

    Recipe r = embedded("hedgecats");
    r.stages = {transfer("attention-weights"), finetune("hybrid")};
    r.stages[1].early_stopping = {"accuracy/hybrid + delta_la_na", 3};
    add(r, "HedgeCATs: weights transfer, then short hybrid LoRA",
        "Linear attention learns the teacher's weights first; fine-tuning stops before it is forgotten.");

    r = embedded("inference-hybrid");
    r.stages = {transfer("attention-weights", 6)};
    add(r, "Inference-time hybrid: no hybrid training",
        "Only linear attention is trained; the window is added when the model is used.");
    r.name = "inference-hybrid-outputs";
    r.stages = {transfer("attention-outputs", 6)};
    add(r, "Inference-time hybrid after outputs transfer (paper, Figure 8)", "The same with linear attention trained on outputs.");
    r.name = "inference-hybrid-lora";
    r.stages = {transfer("attention-weights"), finetune("linear")};
    r.evaluation.components = {"teacher", "hybrid", "hybrid-overlap", "swa", "linear", "none"};
    add(r, "Inference-time hybrid after linear LoRA (paper, Table 10)",
        "Adapters are trained with linear attention alone; the window is added when the model is used, with and without overlap.");
  }

  void lolcats() {
    Recipe r = embedded("lolcats");
    r.attention.feature_map = *feature_map_preset("lolcats");
    r.stages = {transfer("hybrid-outputs"), frozen_maps(finetune("hybrid"))};
    add(r, "LoLCATs: hybrid outputs, then LoRA", "The common recipe, with the paper's fixed mixing: match the hybrid's outputs, then fine-tune the hybrid.");

    Recipe published = r;
    published.name = "lolcats-published";
    published.attention.feature_map.init_noise = 0;
    published.attention.mixing = {"shared-denominator", 0.1};
    published.attention.window_layout = "terraced-as-published";
    add(published, "LoLCATs as published: shared denominator, terraced window",
        "One normaliser for both branches, the window's factor from 0.1, blocks cut from the row's end, as its checkpoints were trained.");
    published.name = "lolcats-sliding";
    published.attention.window_layout = "sliding";
    add(published, "LoLCATs with a shared denominator and a sliding window", "Its other published configuration.");

    Recipe liger = published;
    liger.name = "lolcats-liger";
    liger.attention.feature_map = *feature_map_preset("hedgehog-softmax");
    liger.attention.feature_map.start = "kaiming";
    liger.attention.mixing.trainable = false;
    liger.attention.linear.epsilon = 1e-6;
    add(liger, "LoLCATs as Liger re-implements it", "Square maps from a Kaiming start, the factor fixed at 0.1, 1e-6 in the denominator.");

    Recipe control = embedded("lolcats-matched");
    control.stages = {transfer("hybrid-outputs"), finetune("hybrid")};
    add(control, "LoLCATs with the remedies' feature map (matched control)",
        "LoLCATs' objective with the same map and budget as SSD and HedgeCATs.");
  }

  void linear_methods() {
    Recipe r = embedded("hedgehog");
    r.attention.feature_map = *feature_map_preset("hedgehog");
    r.stages = {transfer("attention-weights"), finetune("linear")};
    r.stages[0].clip_norm = r.stages[1].clip_norm = 1;  // exp's gradients have no bound
    add(r, "HedgeHog: weights transfer with exp, then linear LoRA", "The original map: linear attention imitates softmax, then is fine-tuned alone.");
    r.name = "hedgehog-softmax";
    r.attention.feature_map = *feature_map_preset("hedgehog-softmax");
    r.stages[0].clip_norm = r.stages[1].clip_norm = 0;
    add(r, "HedgeHog with softmax features (paper, Table 4)", "The same with a softmax over the features.");
    r.name = "hedgehog-full";
    r.stages[1] = finetune("linear", "full");
    add(r, "HedgeHog with all weights trained (paper, Table 17)", "Every weight is fine-tuned with linear attention instead of adapters.");

    r = embedded("t2r");
    r.attention.feature_map = *feature_map_preset("t2r");
    r.stages = {finetune("linear", "full", 6)};
    add(r, "T2R: no transfer, all weights trained", "ReLU features with a bias, fine-tuned from the pretrained weights at once.");
    r.name = "supra";
    r.attention.feature_map = *feature_map_preset("supra");
    r.attention.linear.normaliser = "group-norm";
    r.attention.linear.decay = "slopes";
    add(r, "SUPRA: joined map, decay, group-norm", "One ReLU map over all heads, positions turned behind it, a fading state and a norm in place of the normaliser.");
  }

  void others() {
    Recipe r = embedded("liger");
    r.attention.feature_map = *feature_map_preset("liger");
    r.attention.mixing.kind = "gla";
    r.attention.linear.normaliser = "none";
    r.attention.linear_context = "overlap";
    r.stages = {finetune("hybrid", "lora", 6)};
    r.stages[0].lora.targets = {"q", "k", "v"};
    r.stages[0].lora.alpha = 8;
    r.stages[0].train_feature_maps = false;
    add(r, "Liger: gated linear attention and window, half and half", "No map and no transfer; the state fades by the keys themselves; LoRA on q, k and v.");

    r = embedded("hedgecats-gated");
    r.attention.mixing.kind = "gated";
    r.stages = {transfer("attention-weights"), finetune("hybrid")};
    add(r, "HedgeCATs with a data-dependent gate", "The paper's future work: the mixing weight of every token and head comes from the layer's input.");

    r = embedded("sliding-window");
    r.stages.clear();
    r.evaluation.components = {"teacher", "swa", "swa+sinks", "sinks", "none"};
    add(r, "Baseline: the untouched model with a sliding window", "Nothing is trained: the window alone, and with the first positions kept, which a conversion must beat.");
  }
};

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = Presets().list;
  return all;
}

}  // namespace engine
