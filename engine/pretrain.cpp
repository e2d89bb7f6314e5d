#include "engine/pretrain.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <numbers>

#include "engine/data/json.h"
#include "engine/data/rows.h"
#include "engine/data/tiny_corpus.h"
#include "engine/data/tokenizer.h"
#include "engine/error.h"
#include "engine/eval/evaluate.h"
#include "engine/model/load.h"
#include "engine/model/load_report.h"
#include "engine/random.h"
#include "engine/torch_api.h"
#include "engine/train/language_loss.h"
#include "engine/train/optimizer.h"
#include "engine/train/trainer.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t k_width = 128, k_layers = 2, k_heads = 4, k_mlp = 256, k_tokens_per_step = 4096;
constexpr std::int64_t k_easy_steps = 300, k_main_steps = 700, k_warmup = 50, k_easy_length = 64;
constexpr double k_rope_base = 10000, k_rate = 1.5e-3, k_rate_floor = 0.05, k_clip = 1.0, k_beta2 = 0.98;
constexpr double k_embedding_std = 0.08, k_previous_token_gain = 3.0, k_copy_gain = 0.2, k_match_gain = 1.5;
constexpr std::int64_t k_sharp_frequencies = 4, k_turning_frequencies = 6;
constexpr std::uint64_t k_easy_first = 1'000'000;  // easy documents come from elsewhere in the text

ModelConfig tiny_config() {
  ModelConfig c;
  c.architecture = "llama";
  c.width = k_width;
  c.layers = k_layers;
  c.heads = c.kv_heads = k_heads;
  c.head_dim = k_width / k_heads;
  c.mlp_width = k_mlp;
  c.vocabulary = std::ssize(tiny_vocabulary());
  c.max_positions = 4096;
  c.norm_eps = 1e-5;
  c.tied_embeddings = true;
  c.rope.theta = k_rope_base;
  c.teacher_windows.assign(k_layers, 0);
  return c;
}

Tensor normal(const std::vector<std::int64_t>& shape, double deviation, std::int64_t seed, std::uint64_t salt) {
  Tensor t = torch::empty(shape, torch::kFloat32);
  const CounterRng rng(static_cast<std::uint64_t>(seed), Stream::weights, salt);
  float* values = t.data_ptr<float>();
  for (std::int64_t i = 0; i < t.numel(); ++i) values[i] = static_cast<float>(deviation * rng.normal(static_cast<std::uint64_t>(i)));
  return t;
}

/// D×K with orthonormal columns.
Tensor orthonormal(std::int64_t rows, std::int64_t columns, std::int64_t seed, std::uint64_t salt) {
  return std::get<0>(torch::linalg_qr(normal({rows, columns}, 1, seed, salt)));
}

/// Recall ("what came after this word before?") needs two heads that a small model is slow to find, so it begins with
/// their outline: head 0 of layer 0 looks one token back (its key is its query turned one step on, driven by a constant
/// channel of the embedding) and writes what it sees through R into a subspace U; head 0 of layer 1 looks for its own
/// word (R) in that subspace (Uᵀ). Training does the rest.
void seed_recall_heads(Model& m, std::int64_t seed) {
  const std::int64_t d = m.config.head_dim, half = d / 2;
  m.embedding.select(1, 0).fill_(4 * k_embedding_std);
  const Tensor turn = m.inverse_frequencies;
  // The fastest frequencies alone: with all of them the head looks back less sharply (0.6 against 0.98 in a trial).
  Tensor query = torch::zeros({d}), key = torch::zeros({d});
  const std::int64_t n = k_sharp_frequencies;
  query.narrow(0, 0, n).fill_(k_previous_token_gain);
  key.narrow(0, 0, n).copy_(k_previous_token_gain * turn.narrow(0, 0, n).cos());
  key.narrow(0, half, n).copy_(k_previous_token_gain * turn.narrow(0, 0, n).sin());
  Block& first = m.blocks[0];
  Block& second = m.blocks[1];
  first.q.weight.narrow(0, 0, d).mul_(0.1);
  first.k.weight.narrow(0, 0, d).mul_(0.1);
  first.q.weight.narrow(0, 0, d).select(1, 0).copy_(query);
  first.k.weight.narrow(0, 0, d).select(1, 0).copy_(key);
  Tensor read = orthonormal(k_width, d, seed, 900).t().contiguous(), write = orthonormal(k_width, d, seed, 901);
  read.select(1, 0).zero_();
  write.select(0, 0).zero_();
  first.v.weight.narrow(0, 0, d).copy_(read);
  first.o.weight.narrow(1, 0, d).copy_(write * k_copy_gain);
  second.q.weight.narrow(0, 0, d).copy_(read * k_match_gain);
  second.k.weight.narrow(0, 0, d).copy_(write.t() * k_match_gain);
  // What turns fast cannot match over a distance.
  for (std::int64_t row : {std::int64_t{0}, half}) {
    second.q.weight.narrow(0, row, k_turning_frequencies).mul_(0.25);
    second.k.weight.narrow(0, row, k_turning_frequencies).mul_(0.25);
  }
}

Model start_model(std::int64_t seed) {
  Model m = make_model(tiny_config());
  std::uint64_t salt = 0;
  for (const auto& [name, shape] : expected_tensors(m.config)) {
    Tensor& t = *m.weights()[name];
    const double deep = 20;  // what blocks write starts small, so that it does not drown the seeded heads
    if (shape.size() == 1) t = torch::ones(shape);
    else if (name == "model.embed_tokens.weight") t = normal(shape, k_embedding_std, seed, salt++);
    else if (name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight"))
      t = normal(shape, 1 / std::sqrt(static_cast<double>(shape[1])) / deep, seed, salt++);
    else t = normal(shape, 1 / std::sqrt(static_cast<double>(shape[1])), seed, salt++);
  }
  seed_recall_heads(m, seed);
  m.head.weight = m.embedding;
  return m;
}

struct TinyBatch {
  MicroBatch batch;
  Tensor weights;  ///< [B·(T−1)]
};

TinyBatch make_batch(std::int64_t seed, std::uint64_t first, std::int64_t rows, const TinyMix& mix) {
  std::vector<std::vector<std::int64_t>> ids;
  std::vector<float> weights;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto d = tiny_document(static_cast<std::uint64_t>(seed), TinySplit::train, first + static_cast<std::uint64_t>(i), mix);
    ids.emplace_back(d.tokens.begin(), d.tokens.end());
    const auto w = tiny_loss_weights(d);
    weights.insert(weights.end(), w.begin() + 1, w.end());
  }
  return {to_device(pack(ids), torch::kCPU), torch::tensor(weights)};
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  if (!out.flush()) throw InputError(path.string() + ": cannot be written");
}

void write_folder(Model& m, const fs::path& folder) {
  const ModelConfig& c = m.config;
  const Json config = {{"architectures", {"LlamaForCausalLM"}}, {"model_type", "llama"}, {"hidden_size", c.width},
                       {"intermediate_size", c.mlp_width}, {"num_hidden_layers", c.layers}, {"num_attention_heads", c.heads},
                       {"num_key_value_heads", c.kv_heads}, {"head_dim", c.head_dim}, {"vocab_size", c.vocabulary},
                       {"max_position_embeddings", c.max_positions}, {"hidden_act", "silu"}, {"rms_norm_eps", c.norm_eps},
                       {"rope_theta", c.rope.theta}, {"tie_word_embeddings", true}, {"attention_bias", false},
                       {"mlp_bias", false}, {"bos_token_id", 0}, {"eos_token_id", 1}, {"torch_dtype", "float32"}};
  write_text(folder / "config.json", config.dump(1) + "\n");
  Json vocabulary = Json::object(), added = Json::array();
  const auto& words = tiny_vocabulary();
  for (std::size_t i = 0; i < words.size(); ++i) vocabulary[words[i]] = i;
  for (std::size_t i = 0; i < 4; ++i)
    added.push_back({{"id", i}, {"content", words[i]}, {"single_word", false}, {"lstrip", false}, {"rstrip", false},
                     {"normalized", false}, {"special", true}});
  auto piece = [](const char* kind, const char* id) { return Json{{kind, {{"id", id}, {"type_id", 0}}}}; };
  const Json tokenizer = {
      {"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", added}, {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
      {"post_processor", {{"type", "TemplateProcessing"},
                          {"single", {piece("SpecialToken", "<s>"), piece("Sequence", "A")}},
                          {"pair", {piece("SpecialToken", "<s>"), piece("Sequence", "A"), piece("Sequence", "B")}},
                          {"special_tokens", {{"<s>", {{"id", "<s>"}, {"ids", {0}}, {"tokens", {"<s>"}}}}}}}},
      {"decoder", nullptr}, {"model", {{"type", "WordLevel"}, {"vocab", vocabulary}, {"unk_token", "<unk>"}}}};
  write_text(folder / "tokenizer.json", tokenizer.dump(1) + "\n");
  write_text(folder / "tokenizer_config.json",
             Json{{"tokenizer_class", "PreTrainedTokenizerFast"}, {"add_bos_token", true}, {"add_eos_token", false},
                  {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"},
                  {"model_max_length", c.max_positions}}
                     .dump(1) + "\n");
  std::map<std::string, Tensor> named;
  for (auto& [name, t] : m.weights()) named[name] = t->detach();
  write_tensors(folder / "model.safetensors", named, {{"format", "pt"}});
}

std::vector<Score> score(Model& m, const fs::path& folder) {
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const auto tasks = load_eval_tasks({.tasks = {"builtin:all"}, .limit = 100}, tokenizer, 4096, {});
  EvaluationPlan plan;
  plan.components = {"teacher"};
  const auto run = evaluate_components(m, nullptr, tokenizer, tasks, plan, [] { return false; });
  std::vector<Score> scores = summarise(tasks, run->results);
  std::erase_if(scores, [](const Score& s) { return s.outcomes.empty(); });
  return scores;
}

}  // namespace

std::vector<Score> pretrain(const PretrainOptions& options, const std::function<void(const std::string&)>& tell) {
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (error) throw InputError(options.folder.string() + ": cannot be made (" + error.message() + ")");
  at::set_num_threads(1);
  Model m = start_model(options.seed);
  std::map<std::string, Tensor> parameters;
  for (auto& [name, t] : m.weights()) parameters[name] = t->set_requires_grad(true);
  AdamW optimizer(parameters, /*weight_decay=*/0.01, k_beta2);
  const auto easy = static_cast<std::int64_t>(k_easy_steps * options.scale), steps = easy + static_cast<std::int64_t>(k_main_steps * options.scale);
  const auto start = std::chrono::steady_clock::now();
  for (std::int64_t s = 0; s < steps; ++s) {
    const bool is_easy = s < easy;
    const TinyMix mix{.far_share = 1.0, .length = static_cast<int>(is_easy ? k_easy_length : TinyMix{}.length), .easy = is_easy};
    const std::int64_t rows = k_tokens_per_step / mix.length;
    const TinyBatch b = make_batch(options.seed, (is_easy ? k_easy_first : 0) + static_cast<std::uint64_t>((is_easy ? s : s - easy) * rows), rows, mix);
    optimizer.zero_grad();
    ForwardOptions forward;
    const Tensor loss = language_loss_sum(m, nullptr, b.batch.ids, b.batch.predicting, forward, b.weights) / b.weights.sum();
    loss.backward();
    if (!std::isfinite(loss.item<double>())) throw InputError("pretrain: the loss is not finite at step " + std::to_string(s + 1));
    optimizer.grad_norm(k_clip);
    const double part = static_cast<double>(s) / static_cast<double>(steps);
    const double rise = std::min(1.0, static_cast<double>(s + 1) / k_warmup);
    optimizer.step(k_rate * rise * (k_rate_floor + (1 - k_rate_floor) * 0.5 * (1 + std::cos(std::numbers::pi * part))));
    if ((s + 1) % 100 == 0 || s + 1 == steps) {
      char line[120];
      std::snprintf(line, sizeof line, "step %lld/%lld  loss %.3f  %.0f s", static_cast<long long>(s + 1), static_cast<long long>(steps),
                    loss.item<double>(), std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      tell(line);
    }
  }
  for (auto& [name, t] : m.weights()) t->set_requires_grad(false);
  write_folder(m, options.folder);
  const auto scores = score(m, options.folder);
  for (const auto& s : scores) {
    if (s.metric != "acc") continue;
    char line[120];
    std::snprintf(line, sizeof line, "%-20s %.1f %%  (n %lld)", s.task.c_str(), 100 * s.value, static_cast<long long>(s.n));
    tell(line);
  }
  return scores;
}

}  // namespace engine
