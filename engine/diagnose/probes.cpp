#include <algorithm>
#include <set>

#include "engine/data/tokenizer.h"
#include "engine/diagnose/cases.h"
#include "engine/random.h"

namespace engine {
namespace {

using Ids = std::vector<std::int32_t>;
constexpr std::int64_t k_choices = 4, k_asked = 8;

/// Ids that stand for text: neither special nor beyond the model's vocabulary.
Ids plain_ids(const Tokenizer& tokenizer, std::int64_t vocabulary) {
  Ids ids;
  for (std::int32_t id = 0; id < std::min<std::int64_t>(vocabulary, tokenizer.vocab_size()); ++id)
    if (!tokenizer.is_special(id)) ids.push_back(id);
  return ids;
}

/// Draws of one sequence: a counter that never repeats.
class Draws {
 public:
  Draws(std::uint64_t probe, std::int64_t distance, std::int64_t sequence)
      : rng_(probe, Stream::sampling, static_cast<std::uint64_t>(distance) << 32 | static_cast<std::uint64_t>(sequence)) {}
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(rng_.below(next_++, n)); }
  std::int32_t of(const Ids& ids) { return ids[below(ids.size())]; }
  /// `count` different ids.
  Ids some(const Ids& ids, std::size_t count) {
    std::set<std::int32_t> taken;
    Ids out;
    while (out.size() < count)
      if (const auto id = of(ids); taken.insert(id).second) out.push_back(id);
    return out;
  }

 private:
  CounterRng rng_;
  std::uint64_t next_ = 0;
};

/// What comes behind `context`: `right` among other ids, in a place that says nothing.
Case one_token_case(const std::string& probe, const Ids& context, std::int32_t right, Ids others, std::size_t place) {
  Case one;
  one.group = one.profile = probe;
  std::erase(others, right);
  others.resize(std::min<std::size_t>(others.size(), k_choices - 1));
  one.gold = static_cast<std::int64_t>(place % (others.size() + 1));
  others.insert(others.begin() + one.gold, right);
  for (const auto id : others) {
    ScoreRequest r{context, 1};
    r.tokens.push_back(id);
    one.choices.push_back(std::move(r));
  }
  return one;
}

Ids beginning(const Tokenizer& tokenizer) {
  return tokenizer.adds_bos() && tokenizer.bos_id() ? Ids{*tokenizer.bos_id()} : Ids{};
}

/// x₁ … x_m x₁ … x_m, m = distance + 1: what follows a token stands `distance` tokens behind the query.
void add_copying(Probe& probe, const Ids& start, const Ids& words, std::int64_t distance, std::int64_t sequence) {
  Draws draws(11, distance, sequence);
  const auto period = static_cast<std::size_t>(distance) + 1;
  Ids text = start;
  Ids part;
  for (std::size_t i = 0; i < period; ++i) part.push_back(draws.of(words));
  text.insert(text.end(), part.begin(), part.end());
  const std::size_t asked = std::min<std::size_t>(k_asked, period - 1);
  for (std::size_t i = 0; i + 1 < period && i < asked; ++i) {
    text.push_back(part[i]);
    Case one = one_token_case(probe.name, text, part[i + 1], draws.some(words, k_choices), draws.below(k_choices));
    one.distance = distance, one.cluster = one.doc_id = sequence;
    probe.cases.push_back(std::move(one));
  }
}

/// k₁ v₁ k₂ v₂ … k₁ → v₁: the value stands `distance` tokens behind the query; other values are the choices.
void add_recall(Probe& probe, const Ids& start, const Ids& words, std::int64_t distance, std::int64_t sequence) {
  Draws draws(12, distance, sequence);
  const auto pairs = static_cast<std::size_t>(distance + 1) / 2;  // the last ones are distractors
  Ids keys, values, text = start;
  if (2 * pairs + k_choices <= words.size()) {
    const Ids drawn = draws.some(words, 2 * pairs);
    keys.assign(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(pairs));
    values.assign(drawn.begin() + static_cast<std::ptrdiff_t>(pairs), drawn.end());
  } else {  // fewer words than pairs: only the asked key is its own
    keys.push_back(draws.of(words));
    while (keys.size() < pairs)
      if (const auto id = draws.of(words); id != keys.front()) keys.push_back(id);
    while (values.size() < pairs)
      if (const auto id = draws.of(words); id != keys.front()) values.push_back(id);
  }
  for (std::size_t i = 0; i < pairs; ++i) text.insert(text.end(), {keys[i], values[i]});
  while (std::ssize(text) - std::ssize(start) < distance + 1) text.push_back(values.back());  // even distances: one word more
  text.push_back(keys.front());
  Ids others;
  for (std::size_t i = 1; i < pairs; ++i)
    if (std::ranges::count(others, values[i]) == 0) others.push_back(values[i]);
  for (const auto id : draws.some(words, k_choices))
    if (std::ranges::count(others, id) == 0) others.push_back(id);
  Case one = one_token_case(probe.name, text, values.front(), others, draws.below(k_choices));
  one.distance = distance, one.cluster = one.doc_id = sequence;
  probe.cases.push_back(std::move(one));
}

/// "The pass key is N. Remember it. … What is the pass key? The pass key is": filler between, the number among others.
void add_passkey(Probe& probe, const Tokenizer& tokenizer, std::int64_t distance, std::int64_t sequence) {
  Draws draws(13, distance, sequence);
  auto number = [&] { return std::to_string(10000 + draws.below(90000)); };
  const std::string key = number();
  const std::string told = "The pass key is " + key + ". Remember it. " + key + " is the pass key.";
  const std::string asked = " What is the pass key? The pass key is";
  const std::string filler = " The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";
  std::string between;
  const auto fixed = std::ssize(tokenizer.encode(told, true)), tail = std::ssize(tokenizer.encode(asked, false));
  const auto unit = std::max<std::int64_t>(1, std::ssize(tokenizer.encode(filler, false)));
  for (std::int64_t have = tail; have + unit <= distance; have += unit) between += filler;
  const Ids context = tokenizer.encode(told + between + asked, true);
  Case one;
  one.group = one.profile = probe.name;
  std::vector<std::string> numbers{key};
  while (std::ssize(numbers) < k_choices)
    if (const auto n = number(); std::ranges::count(numbers, n) == 0) numbers.push_back(n);
  one.gold = static_cast<std::int64_t>(draws.below(k_choices));
  std::swap(numbers.front(), numbers[static_cast<std::size_t>(one.gold)]);
  for (const auto& n : numbers) {
    const Ids whole = tokenizer.encode(told + between + asked + " " + n, true);
    const auto common = std::ranges::mismatch(context, whole).in2 - whole.begin();
    one.choices.push_back({whole, std::max<std::int64_t>(1, std::ssize(whole) - common)});
  }
  one.distance = std::ssize(context) - fixed;
  one.cluster = one.doc_id = sequence;
  probe.cases.push_back(std::move(one));
}

}  // namespace

std::vector<Probe> make_probes(const Tokenizer& tokenizer, std::int64_t vocabulary, std::int64_t positions, std::int64_t window,
                               std::int64_t max_distance, std::int64_t sequences) {
  std::vector<Probe> probes{{"copying", {}, {}}, {"recall", {}, {}}, {"passkey", {}, {}}};
  const Ids words = plain_ids(tokenizer, vocabulary), start = beginning(tokenizer);
  const std::string sample = "The pass key is 71432. Remember it. What is the grass? The sky is blue. Here we go.";
  const std::string back = tokenizer.decode(tokenizer.encode(sample, false), true);
  const bool writes = std::ranges::search(back, sample).begin() != back.end();
  if (std::ssize(words) < 2 * k_choices) probes[0].problem = probes[1].problem = "the vocabulary has too few words";
  if (!writes) probes[2].problem = "the tokenizer has no tokens for its words";
  for (std::int64_t d = 4; d <= max_distance; d *= 2) {
    for (std::int64_t s = 0; s < sequences; ++s) {
      const bool fits = d + k_asked + 4 + std::ssize(start) <= positions;
      if (probes[0].problem.empty() && fits) add_copying(probes[0], start, words, d, s);
      if (probes[1].problem.empty() && fits) add_recall(probes[1], start, words, d, s);
      if (probes[2].problem.empty() && d >= 32 && 2 * d + 64 <= positions) add_passkey(probes[2], tokenizer, d, s);
    }
  }
  for (auto& probe : probes) {
    if (probe.problem.empty() && probe.cases.empty()) probe.problem = "no distance up to the one asked fits in the model";
    for (auto& one : probe.cases) count_exposure(one, window);
  }
  return probes;
}

}  // namespace engine
