#include "tests/support/copying_model.h"

#include "engine/random.h"
#include "engine/torch_api.h"

namespace support {
namespace {

using namespace engine;

constexpr std::int64_t k_classes = 15, k_payloads = 4, k_queries = k_classes * k_payloads, k_answers = k_queries + k_classes;
constexpr std::int64_t k_width = 80, k_heads = 4, k_dim = 32;

/// Rotary pairs turn slower along the dimensions: the last eight of each half stand still over some hundred tokens.
std::int64_t slow_dimension(std::int64_t c) { return c < 8 ? 8 + c : 24 + (c - 8); }

}  // namespace

Patient copying_patient(double weight, const std::string& context) {
  ModelConfig c;
  c.architecture = "llama";
  c.width = k_width, c.layers = 2, c.heads = k_heads, c.kv_heads = k_heads, c.head_dim = k_dim, c.mlp_width = 8;
  c.vocabulary = k_answers + k_payloads, c.max_positions = 1024;
  c.tied_embeddings = true;
  c.rope.theta = 1e8;
  Model m = make_model(c);
  for (auto& [name, tensor] : m.weights()) {
    const bool norm = name.ends_with("norm.weight");
    if (norm) *tensor = torch::ones({k_width});
    else if (name.find("embed") != std::string::npos) *tensor = torch::eye(k_width).narrow(0, 0, c.vocabulary).clone();
    else if (name.find("gate") != std::string::npos || name.find("up") != std::string::npos) *tensor = torch::zeros({8, k_width});
    else if (name.find("down") != std::string::npos) *tensor = torch::zeros({k_width, 8});
    else if (name.find("o_proj") != std::string::npos) *tensor = torch::zeros({k_width, k_heads * k_dim});
    else *tensor = torch::zeros({k_heads * k_dim, k_width});
  }
  m.head.weight = m.embedding;
  Block& b = m.blocks[k_copy_layer];
  const std::int64_t first = k_copy_head * k_dim;
  for (std::int64_t a = 0; a < k_classes; ++a) {
    for (std::int64_t p = 0; p < k_payloads; ++p) {
      const std::int64_t token = k_payloads * a + p;
      b.q.weight[first + slow_dimension(a)][token] = 1;
      b.k.weight[first + slow_dimension(a)][token] = 1;
      b.v.weight[first + p][token] = 1;
    }
    b.q.weight[first + slow_dimension(a)][k_queries + a] = 1;
  }
  for (std::int64_t p = 0; p < k_payloads; ++p) b.o.weight[k_answers + p][first + p] = 1;
  Subject tiny;  // for a workspace with some tokenizer
  tiny.recipe.model = "builtin:tiny";
  Patient patient = open_patient(tiny, k_copy_window);
  patient.work.model = m;
  AttentionSpec spec;
  spec.window = k_copy_window;
  spec.linear_context = context;
  spec.mixing.weight = weight;
  spec.feature_map.init_noise = 0;
  patient.work.conversion = make_conversion(spec, {c.layers, c.heads, c.kv_heads, c.head_dim}, 0, torch::kCPU);
  patient.start_q.clear(), patient.start_k.clear();
  for (const auto& layer : patient.work.conversion.layers) {
    patient.start_q.push_back(layer.query_map.weight.clone());
    patient.start_k.push_back(layer.key_map.weight.clone());
  }
  return patient;
}

std::vector<Case> copying_cases(const std::vector<std::int64_t>& distances, std::int64_t each) {
  std::vector<Case> cases;
  for (const auto distance : distances)
    for (std::int64_t s = 0; s < each; ++s) {
      const CounterRng rng(static_cast<std::uint64_t>(s), Stream::sampling, static_cast<std::uint64_t>(distance));
      std::uint64_t next = 0;
      auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(rng.below(next++, n)); };
      const std::int64_t asked = below(k_classes), payload = below(k_payloads);
      std::vector<std::int32_t> text{static_cast<std::int32_t>(k_payloads * asked + payload)};
      for (std::int64_t i = 1; i < distance; ++i) {
        const std::int64_t other = (asked + 1 + below(k_classes - 1)) % k_classes;
        // Every payload is told as often by the others, so that only the asked fact decides.
        text.push_back(static_cast<std::int32_t>(k_payloads * other + (i % k_payloads)));
      }
      text.push_back(static_cast<std::int32_t>(k_queries + asked));
      Case one;
      one.group = one.profile = "facts";
      one.distance = distance, one.cluster = one.doc_id = static_cast<std::int64_t>(cases.size()), one.gold = payload;
      for (std::int64_t p = 0; p < k_payloads; ++p) {
        ScoreRequest r{text, 1};
        r.tokens.push_back(static_cast<std::int32_t>(k_answers + p));
        one.choices.push_back(std::move(r));
      }
      count_exposure(one, k_copy_window);
      cases.push_back(std::move(one));
    }
  return cases;
}

std::vector<std::int32_t> periodic_facts(std::int64_t period, std::int64_t tokens) {
  const CounterRng rng(1, Stream::sampling, 99);
  std::vector<std::int32_t> block, text;
  for (std::int64_t i = 0; i < period; ++i) block.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(i), k_queries)));
  for (std::int64_t i = 0; i < tokens; ++i) text.push_back(block[static_cast<std::size_t>(i % period)]);
  return text;
}

}  // namespace support
