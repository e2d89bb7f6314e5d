#include "engine/data/pretokenizer.h"

#include <algorithm>

#include "engine/data/utf8.h"

namespace engine {
namespace {

constexpr const char* k_gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// \w+|[^\w\s]+ as Rust's regex library understands \w, which is narrower than Oniguruma's.
constexpr const char* k_word_pattern =
    R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}\s]+)";

}  // namespace

PreTokenizer::PreTokenizer(const JsonView& view) {
  add(view, 0);
  if (steps_.size() > k_max_steps) view.fail("more than 64 steps");
  if (!steps_.empty() && steps_.back().kind == Kind::byte_letters) {
    steps_.pop_back();
    byte_level_ = true;
  }
}

PreTokenizer::Behavior PreTokenizer::behavior_of(const JsonView& view) {
  const std::string& text = view.as_string();
  if (text == "Removed") return Behavior::removed;
  if (text == "Isolated") return Behavior::isolated;
  if (text == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (text == "MergedWithNext") return Behavior::merged_with_next;
  if (text == "Contiguous") return Behavior::contiguous;
  view.fail("expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

void PreTokenizer::add_byte_level(const JsonView& view) {
  Step step;
  if (view.bool_or("add_prefix_space", true)) {
    step.kind = Kind::prefix_space;
    steps_.push_back(step);
  }
  if (view.bool_or("use_regex", true)) {
    step.kind = Kind::split;
    step.pattern.emplace_back(Regex(k_gpt2_pattern, view.place()));
    steps_.push_back(step);
    step.pattern.clear();
  }
  step.kind = Kind::byte_letters;
  steps_.push_back(step);
}

void PreTokenizer::add_metaspace(const JsonView& view) {
  Step step;
  step.kind = Kind::metaspace;
  step.replacement = view.string_or("replacement", "\xE2\x96\x81");
  if (count_code_points(step.replacement) != 1)
    view.at("replacement").fail("expected one character");
  // Files from before prepend_scheme say add_prefix_space.
  const std::string scheme =
      view.string_or("prepend_scheme", view.bool_or("add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    view.at("prepend_scheme").fail("expected always, first or never");
  }
  step.prepend = scheme == "always"  ? Prepend::always
                 : scheme == "first" ? Prepend::first
                                     : Prepend::never;
  steps_.push_back(step);
  if (view.bool_or("split", true)) {
    Step cut;
    cut.behavior = Behavior::merged_with_next;
    const Json pattern = Json::object({{"String", step.replacement}});
    cut.pattern.emplace_back(JsonView(pattern, view.source()));
    steps_.push_back(std::move(cut));
  }
}

void PreTokenizer::add(const JsonView& view, int depth) {
  const std::string& type = view.at("type").as_string();
  Step step;
  if (type == "Sequence") {
    if (depth > 8) view.fail("sequences nested too deeply");
    for (const auto& item : view.at("pretokenizers").items()) add(item, depth + 1);
    return;
  }
  if (type == "ByteLevel") return add_byte_level(view);
  if (type == "Metaspace") return add_metaspace(view);
  if (type == "Split") {
    step.pattern.emplace_back(view.at("pattern"));
    step.behavior = behavior_of(view.at("behavior"));
    step.invert = view.bool_or("invert", false);
  } else if (type == "Whitespace") {
    step.pattern.emplace_back(Regex(k_word_pattern, view.place()));
    step.behavior = Behavior::removed;
    step.invert = true;
  } else if (type == "WhitespaceSplit") {
    step.kind = Kind::whitespace;
    step.behavior = Behavior::removed;
  } else if (type == "Digits") {
    step.kind = Kind::digits;
    step.behavior =
        view.bool_or("individual_digits", false) ? Behavior::isolated : Behavior::contiguous;
  } else if (type == "Punctuation") {
    step.kind = Kind::punctuation;
    if (const auto behavior = view.find("behavior")) step.behavior = behavior_of(*behavior);
  } else if (type == "CharDelimiterSplit") {
    const Json pattern = Json::object({{"String", view.at("delimiter").as_string()}});
    step.pattern.emplace_back(JsonView(pattern, view.source()));
    step.behavior = Behavior::removed;
  } else if (type == "BertPreTokenizer") {
    step.kind = Kind::whitespace;
    step.behavior = Behavior::removed;
    steps_.push_back(step);
    step.kind = Kind::punctuation;
    step.behavior = Behavior::isolated;
  } else {
    view.fail("pre-tokenizer \"" + type.substr(0, 60) + "\" is not supported");
  }
  steps_.push_back(std::move(step));
}

std::vector<PreTokenizer::Cut> PreTokenizer::find(const Step& step, std::string_view text) {
  std::vector<Cut> cuts;
  std::size_t last = 0;
  const auto match = [&](std::size_t begin, std::size_t end) {
    if (begin > last) cuts.push_back({last, begin, false});
    cuts.push_back({begin, end, true});
    last = end;
  };
  if (step.kind == Kind::split) {
    const auto spans = step.pattern.front().find_all(text);
    cuts.reserve(spans.size() + 1);
    for (const auto& [begin, end] : spans) match(begin, end);
  } else {
    const auto wanted = step.kind == Kind::whitespace ? is_unicode_space
                        : step.kind == Kind::digits   ? is_unicode_numeric
                                                      : is_unicode_punctuation;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      if (wanted(next_code_point(text, at))) match(begin, at);
    }
  }
  if (last < text.size()) cuts.push_back({last, text.size(), false});
  if (step.invert) {
    for (Cut& cut : cuts) cut.match = !cut.match;
  }
  return cuts;
}

void PreTokenizer::split(const Step& step, std::string_view text,
                         std::vector<std::string_view>& out) {
  auto cuts = find(step, text);
  const auto put = [&](std::size_t begin, std::size_t end) {
    if (end > begin) out.push_back(text.substr(begin, end - begin));
  };
  if (step.behavior == Behavior::isolated || step.behavior == Behavior::removed) {
    for (const Cut& cut : cuts) {
      if (step.behavior == Behavior::isolated || !cut.match) put(cut.begin, cut.end);
    }
    return;
  }
  const bool backwards = step.behavior == Behavior::merged_with_next;
  if (backwards) std::reverse(cuts.begin(), cuts.end());
  std::vector<Cut> merged;
  bool previous = false;
  for (const Cut& cut : cuts) {
    const bool joins =
        step.behavior == Behavior::contiguous ? cut.match == previous : cut.match && !previous;
    if (joins && !merged.empty()) {
      merged.back().begin = std::min(merged.back().begin, cut.begin);
      merged.back().end = std::max(merged.back().end, cut.end);
    } else {
      merged.push_back(cut);
    }
    previous = cut.match;
  }
  if (backwards) std::reverse(merged.begin(), merged.end());
  for (const Cut& cut : merged) put(cut.begin, cut.end);
}

void PreTokenizer::apply(const Step& step, bool& at_start, Words& words) {
  const auto keep = [&](std::string text) {
    words.kept.push_back(std::move(text));
    return std::string_view(words.kept.back());
  };
  switch (step.kind) {
    case Kind::prefix_space:
      for (auto& word : words.views) {
        if (!word.starts_with(' ')) word = keep(" " + std::string(word));
      }
      return;
    case Kind::byte_letters:
      for (auto& word : words.views) word = keep(bytes_to_letters(word));
      return;
    case Kind::metaspace:
      for (std::size_t i = 0; i < words.views.size(); ++i) {
        std::string text;
        text.reserve(words.views[i].size() * 2);
        for (const char c : words.views[i]) {
          if (c == ' ') {
            text += step.replacement;
          } else {
            text += c;
          }
        }
        const bool wanted = step.prepend == Prepend::always ||
                            (step.prepend == Prepend::first && at_start && i == 0);
        if (wanted && !text.starts_with(step.replacement)) text.insert(0, step.replacement);
        words.views[i] = keep(std::move(text));
      }
      return;
    default: {
      std::vector<std::string_view> out;
      for (const auto word : words.views) split(step, word, out);
      // What begins the text now does not begin the input any more.
      if (!out.empty() && out.front().data() != words.views.front().data()) at_start = false;
      words.views = std::move(out);
    }
  }
}

void PreTokenizer::cut(std::string_view text, bool at_start, Words& words) const {
  words.views.clear();
  words.kept.clear();
  if (!text.empty()) words.views.push_back(text);
  for (const Step& step : steps_) apply(step, at_start, words);
}

}  // namespace engine
