#include "engine/model/config_rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace engine {
namespace {

constexpr std::int64_t k_max_positions = std::int64_t{1} << 40;

std::string grouped(double number) {
  if (number != std::floor(number) || std::abs(number) >= 1e15) {
    std::string text = std::to_string(number);
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
    return text;
  }
  std::string text = std::to_string(static_cast<std::int64_t>(number));
  for (auto at = static_cast<std::int64_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

/// 0.1·m·ln s + 1, how much YaRN sharpens attention for a stretch of s.
double yarn_mscale(double scale, double m) { return scale <= 1 ? 1 : 0.1 * m * std::log(scale) + 1; }

double positive(const JsonView& r, const char* key, double fallback) {
  const double value = r.number_or(key, fallback);
  if (!(value > 0)) r.at(key).fail("expected a positive number");
  return value;
}

double required_factor(const JsonView& r) {
  if (!r.has("factor")) r.fail("factor: expected a positive number");
  return positive(r, "factor", 1);
}

void read_llama3(const JsonView& r, RopeConfig& rope) {
  rope.factor = required_factor(r);
  rope.low_freq_factor = positive(r, "low_freq_factor", 1);
  rope.high_freq_factor = positive(r, "high_freq_factor", 4);
  if (rope.high_freq_factor <= rope.low_freq_factor) r.fail("high_freq_factor: expected more than low_freq_factor");
}

void read_yarn(const JsonView& r, std::int64_t max_positions, RopeConfig& rope) {
  rope.factor = r.has("factor") ? positive(r, "factor", 1)
                                : static_cast<double>(max_positions) / static_cast<double>(rope.original_positions);
  // 0 stands for the default, too.
  const auto turns = [&](const char* key, double fallback) {
    const double value = r.number_or(key, fallback);
    if (value < 0) r.at(key).fail("expected a positive number");
    return value == 0 ? fallback : value;
  };
  rope.beta_fast = turns("beta_fast", 32);
  rope.beta_slow = turns("beta_slow", 1);
  rope.truncate = r.bool_or("truncate", true);
  if (rope.theta <= 1) r.fail("rope_theta: expected more than 1 with yarn");
  const double mscale = r.number_or("mscale", 0), all = r.number_or("mscale_all_dim", 0);
  const double inferred = mscale != 0 && all != 0 ? yarn_mscale(rope.factor, mscale) / yarn_mscale(rope.factor, all)
                                                  : yarn_mscale(rope.factor, 1);
  rope.attention_factor = r.number_or("attention_factor", inferred);
  if (!(rope.attention_factor > 0) || !std::isfinite(rope.attention_factor))
    r.fail("attention_factor: expected a positive number, found or computed " + std::to_string(rope.attention_factor));
}

void refuse_partial(const JsonView& view) {
  if (view.number_or("partial_rotary_factor", 1.0) != 1.0)
    view.at("partial_rotary_factor").fail("RoPE over a part of the head is not supported; expected 1");
}

/// The block of settings, or nothing. Some files repeat it for each layer type; all must say the same.
std::optional<JsonView> rope_block(const JsonView& c) {
  auto block = c.find("rope_scaling");  // transformers looks here first, too
  if (!block || (block->is_object() && block->raw().empty())) block = c.find("rope_parameters");
  if (!block) return std::nullopt;
  if (!block->is_object()) block->fail("expected an object");
  const auto fields = block->fields();
  const bool nested = !fields.empty() && std::all_of(fields.begin(), fields.end(), [](const auto& f) {
    return f.first.ends_with("_attention") && f.second.is_object();
  });
  if (!nested) return block;
  for (const auto& [type, view] : fields)
    if (view.raw() != fields.front().second.raw())
      view.fail("RoPE settings that differ by layer type are not supported");
  return fields.front().second;
}

std::vector<float> plain_frequencies(double theta, std::int64_t head_dim) {
  std::vector<float> f;
  for (std::int64_t i = 0; i < head_dim; i += 2)
    f.push_back(1.0F / std::pow(static_cast<float>(theta), static_cast<float>(i) / static_cast<float>(head_dim)));
  return f;
}

void scale_llama3(const RopeConfig& rope, std::vector<float>& frequencies) {
  const double original = static_cast<double>(rope.original_positions);
  const double low = original / rope.low_freq_factor, high = original / rope.high_freq_factor;
  for (float& f : frequencies) {
    const double wave = 2 * std::numbers::pi / f;
    if (wave > low) {
      f /= static_cast<float>(rope.factor);
    } else if (wave >= high) {
      const double smooth = (original / wave - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
      f = static_cast<float>((1 - smooth) * f / rope.factor + smooth * f);
    }
  }
}

void scale_yarn(const RopeConfig& rope, std::int64_t head_dim, std::vector<float>& frequencies) {
  const auto d = static_cast<double>(head_dim);
  // The pair that makes `turns` turns over the original positions.
  const auto pair_of = [&](double turns) {
    return d * std::log(static_cast<double>(rope.original_positions) / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(rope.theta));
  };
  double low = pair_of(rope.beta_fast), high = pair_of(rope.beta_slow);
  if (rope.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, d - 1);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const float ramp =
        std::clamp((static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0F, 1.0F);
    const float stretched = frequencies[i] / static_cast<float>(rope.factor);
    frequencies[i] = stretched * ramp + frequencies[i] * (1 - ramp);
  }
}

}  // namespace

RopeConfig read_rope(const JsonView& c, std::int64_t max_positions) {
  RopeConfig rope;
  refuse_partial(c);
  const auto block = rope_block(c);
  const JsonView r = block.value_or(c);
  rope.theta = r.number_or("rope_theta", c.number_or("rope_theta", 10000.0));
  if (!(rope.theta > 0)) r.fail("rope_theta: expected a positive number");
  if (!block) return rope;
  refuse_partial(r);
  rope.scaling = r.string_or("rope_type", r.string_or("type", "default"));
  if (rope.scaling == "default") return rope;
  if (rope.scaling != "linear" && rope.scaling != "llama3" && rope.scaling != "yarn") {
    r.at(r.has("rope_type") ? "rope_type" : "type")
        .fail("RoPE scaling \"" + rope.scaling.substr(0, 60) +
              "\" is not supported; expected default, linear, llama3 or yarn");
  }
  rope.original_positions = c.integer_or(
      "original_max_position_embeddings",
      r.integer_or("original_max_position_embeddings", max_positions, 1, k_max_positions), 1, k_max_positions);
  if (rope.scaling == "linear") rope.factor = required_factor(r);
  if (rope.scaling == "llama3") read_llama3(r, rope);
  if (rope.scaling == "yarn") read_yarn(r, max_positions, rope);
  return rope;
}

std::vector<float> rope_frequencies(const RopeConfig& rope, std::int64_t head_dim) {
  std::vector<float> frequencies = plain_frequencies(rope.theta, head_dim);
  if (rope.scaling == "linear")
    for (float& f : frequencies) f /= static_cast<float>(rope.factor);
  if (rope.scaling == "llama3") scale_llama3(rope, frequencies);
  if (rope.scaling == "yarn") scale_yarn(rope, head_dim, frequencies);
  return frequencies;
}

std::string describe(const RopeConfig& rope) {
  std::string text = "θ " + grouped(rope.theta);
  if (rope.scaling == "default") return text;
  text += "; " + rope.scaling + " scaling × " + grouped(rope.factor);
  if (rope.scaling != "linear") text += " from " + grouped(static_cast<double>(rope.original_positions)) + " positions";
  return text;
}

}  // namespace engine
