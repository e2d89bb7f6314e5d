#include "engine/data/tiny_corpus.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "engine/data/tiny_words.h"

namespace engine {
namespace {

using namespace tiny;

constexpr int k_never = std::numeric_limits<int>::max();
constexpr int k_choices = 4;

int id_of(std::string_view word) {
  static const auto ids = [] {
    std::unordered_map<std::string_view, int> map;
    for (const std::string& w : tiny_vocabulary()) map.emplace(w, static_cast<int>(map.size()));
    return map;
  }();
  return ids.at(word);
}

/// splitmix64: the state is a counter, so one multiplication chain gives any draw of any document.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t split, std::uint64_t index)
      : state_(mixed(mixed(mixed(seed) ^ split) ^ index)) {}

  /// Uniform in [0, n).
  int below(int n) {
    assert(n > 0);
    return static_cast<int>(((next() >> 32) * static_cast<std::uint64_t>(n)) >> 32);
  }
  int between(int low, int high) { return low + below(high - low + 1); }
  bool chance(double p) { return static_cast<double>(next() >> 11) * 0x1p-53 < p; }

  /// `count` different numbers below n, in random order.
  std::vector<int> sample(int n, int count) {
    assert(count <= n);
    std::vector<int> pool(static_cast<std::size_t>(n));
    for (int i = 0; i < n; ++i) pool[static_cast<std::size_t>(i)] = i;
    for (int i = 0; i < count; ++i)
      std::swap(pool[static_cast<std::size_t>(i)],
                pool[static_cast<std::size_t>(between(i, n - 1))]);
    pool.resize(static_cast<std::size_t>(count));
    return pool;
  }

 private:
  static constexpr std::uint64_t k_step = 0x9E3779B97F4A7C15ULL;

  static std::uint64_t mixed(std::uint64_t x) {
    x += k_step;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
  }
  std::uint64_t next() { return mixed(state_ += k_step); }

  std::uint64_t state_;
};

enum class Ability { recall, paint, theme };
constexpr std::array<std::string_view, 3> k_ability_names = {"recall", "paint", "theme"};

/// A key word and the word that follows it wherever it is mentioned in this document.
struct Fact {
  Ability ability = Ability::recall;
  int key = 0;
  int value = 0;
  int last = -1;      ///< where the value was last mentioned
  int due = k_never;  ///< from where on it is asked again
};

enum class Style { rich, poor, easy };

/// Writes one document, sentence by sentence.
class Writer {
 public:
  Writer(Random random, Style style, int length)
      : random_(random), style_(style), length_(length) {}

  TinyDocument write() {
    choose_facts();
    word("<s>");
    while (size() < length_) sentence();
    document_.tokens.resize(static_cast<std::size_t>(length_));
    std::erase_if(document_.items,
                  [this](const TinyItem& item) { return item.position >= length_; });
    return std::move(document_);
  }

 private:
  int size() const { return static_cast<int>(document_.tokens.size()); }
  void word(std::string_view w) { document_.tokens.push_back(id_of(w)); }
  std::string_view any(Words words) {
    return words[static_cast<std::size_t>(random_.below(static_cast<int>(words.size())))];
  }

  void choose_facts() {
    if (style_ == Style::easy) {
      add_facts(Ability::recall, k_owners, k_items, random_.between(2, 4));
      add_facts(Ability::paint, k_towns, k_colours, random_.between(2, 4));
    } else if (style_ == Style::rich) {
      add_facts(Ability::recall, k_owners, k_items, random_.between(5, 7));
      add_facts(Ability::paint, k_towns, k_colours, random_.between(5, 7));
    } else {
      add_facts(Ability::recall, k_owners, k_items, random_.between(6, 10));
      add_facts(Ability::paint, k_towns, k_colours, random_.between(6, 10));
    }
    for (int i = static_cast<int>(facts_.size()) - 1; i > 0; --i)
      std::swap(facts_[static_cast<std::size_t>(i)],
                facts_[static_cast<std::size_t>(random_.below(i + 1))]);
    if (style_ == Style::rich || (style_ == Style::poor && random_.chance(0.5))) {
      facts_.push_back({Ability::theme, id_of("about"), id_of(any(k_themes))});
      // The theme opens a far-rich document; elsewhere it may come up anywhere.
      const int place = style_ == Style::rich ? 0 : random_.below(static_cast<int>(facts_.size()));
      std::swap(facts_.back(), facts_[static_cast<std::size_t>(place)]);
    }
  }

  void add_facts(Ability ability, Words keys, Words values, int count) {
    const std::vector<int> key = random_.sample(static_cast<int>(keys.size()), count);
    const std::vector<int> value = random_.sample(static_cast<int>(values.size()), count);
    for (std::size_t i = 0; i < key.size(); ++i)
      facts_.push_back({ability, id_of(keys[static_cast<std::size_t>(key[i])]),
                        id_of(values[static_cast<std::size_t>(value[i])])});
  }

  void sentence() {
    Fact* due = earliest_due();
    if (due != nullptr && random_.chance(style_ == Style::poor ? 0.9 : 0.85)) return ask(*due);
    if (stated_ < facts_.size() && random_.chance(style_ == Style::poor   ? 0.4
                                                  : style_ == Style::easy ? 1.0
                                                                          : 0.6))
      return state(facts_[stated_++]);
    switch (random_.below(3)) {
      case 0:
        return agreement();
      case 1:
        return arithmetic();
      default:
        return idiom();
    }
  }

  Fact* earliest_due() {
    Fact* best = nullptr;
    for (Fact& fact : facts_) {
      if (fact.due > size()) continue;
      // Asking takes up to two words before the key, so this keeps far-poor text within its
      // promise.
      if (style_ == Style::poor && size() + 2 - fact.last > k_tiny_near_distance) {
        fact.due = k_never;
        continue;
      }
      if (best == nullptr || fact.due < best->due) best = &fact;
    }
    return best;
  }

  void state(Fact& fact) {
    switch (fact.ability) {
      case Ability::recall:
        word("here");
        word(any(k_fact_recall));
        break;
      case Ability::paint:
        word(any(k_people));
        word(any(k_fact_paint));
        break;
      case Ability::theme:
        word("today");
        word("we");
        word("talk");
        break;
    }
    mention(fact);
  }

  void ask(Fact& fact) {
    switch (fact.ability) {
      case Ability::recall:
        if (random_.chance(0.3)) word("now");
        word(any(k_ask_recall));
        break;
      case Ability::paint:
        word(any(k_people));
        word(any(k_ask_paint));
        break;
      case Ability::theme:
        word(any(k_ask_theme));
        break;
    }
    const int distance = size() - fact.last;
    add_item(k_ability_names[static_cast<std::size_t>(fact.ability)], size() + 1, distance,
             fact.value, others(fact));
    mention(fact);
  }

  void mention(Fact& fact) {
    const bool first = fact.last < 0;
    document_.tokens.push_back(fact.key);
    document_.tokens.push_back(fact.value);
    fact.last = size() - 1;
    word(".");
    fact.due = due(fact.ability, fact.last, first);
  }

  /// Where a fact mentioned at `last` is asked next; a theme returns from afar only.
  int due(Ability ability, int last, bool first) {
    switch (style_) {
      case Style::easy:
        return last + random_.between(2, 40);
      case Style::poor:
        return first && random_.chance(0.6) ? last + random_.between(4, 18) : k_never;
      case Style::rich:
        break;
    }
    const int draw = random_.below(ability == Ability::theme ? 72 : 100);
    // A long pause fits only after an early mention, so the first one gets most of them.
    if (draw < (first ? 40 : 10)) return last + random_.between(126, 180);
    if (draw < (first ? 60 : 40)) return last + random_.between(62, 118);
    if (draw < 72) return last + random_.between(30, 58);
    if (draw < 86) return last + random_.between(14, 28);
    return last + random_.between(4, 12);
  }

  /// Wrong choices: values of the document's other facts of the same kind, so that only the key
  /// tells; where they are too few, words of the same class.
  std::vector<int> others(const Fact& fact) {
    std::vector<int> result;
    for (const int i :
         random_.sample(static_cast<int>(facts_.size()), static_cast<int>(facts_.size()))) {
      const Fact& other = facts_[static_cast<std::size_t>(i)];
      if (other.ability == fact.ability && other.value != fact.value && other.last >= 0)
        result.push_back(other.value);
    }
    const Words values = fact.ability == Ability::recall  ? Words(k_items)
                         : fact.ability == Ability::paint ? Words(k_colours)
                                                          : Words(k_themes);
    for (const int i : random_.sample(static_cast<int>(values.size()), 2 * k_choices)) {
      const int id = id_of(values[static_cast<std::size_t>(i)]);
      if (id != fact.value && std::ranges::find(result, id) == result.end()) result.push_back(id);
    }
    return result;
  }

  /// `wrong` may hold more words than are used: the first ones count.
  void add_item(std::string_view task, int position, int distance, int right,
                std::vector<int> wrong) {
    TinyItem item;
    item.task = task;
    item.far = distance >= k_tiny_far_distance;
    item.distance = distance;
    item.position = position;
    item.choices = std::move(wrong);
    item.choices.resize(std::min<std::size_t>(item.choices.size(), k_choices - 1));
    item.gold = random_.below(static_cast<int>(item.choices.size()) + 1);
    item.choices.insert(item.choices.begin() + item.gold, right);
    document_.items.push_back(std::move(item));
  }

  /// The verb follows its subject's number, not that of the nearer noun.
  void agreement() {
    const bool plural = random_.chance(0.5);
    const bool attractor_plural = random_.chance(0.75) ? !plural : plural;
    word("the");
    const int subject = size();
    word(any(plural ? Words(k_plural) : Words(k_singular)));
    word(any(k_prepositions));
    word("the");
    if (random_.chance(0.3)) word(any(k_adjectives));
    word(any(attractor_plural ? Words(k_plural) : Words(k_singular)));
    const auto verb =
        static_cast<std::size_t>(random_.below(static_cast<int>(k_verb_singular.size())));
    const int right = id_of(plural ? k_verb_plural[verb] : k_verb_singular[verb]);
    const int wrong = id_of(plural ? k_verb_singular[verb] : k_verb_plural[verb]);
    add_item("agreement", size(), size() - 1 - subject, right, {wrong});
    document_.tokens.push_back(right);
    word(".");
  }

  void arithmetic() {
    const int a = random_.below(10);
    const int b = random_.below(10);
    std::vector<int> wrong;
    for (const int n : random_.sample(static_cast<int>(k_numbers.size()), k_choices))
      if (n != a + b) wrong.push_back(id_of(k_numbers[static_cast<std::size_t>(n)]));
    const int start = size();
    word(k_numbers[static_cast<std::size_t>(a)]);
    word("plus");
    word(k_numbers[static_cast<std::size_t>(b)]);
    word("makes");
    add_item("arithmetic", size(), size() - 1 - start,
             id_of(k_numbers[static_cast<std::size_t>(a + b)]), wrong);
    word(k_numbers[static_cast<std::size_t>(a + b)]);
    word(".");
  }

  /// A pair of words that belong together, a few words apart.
  void idiom() {
    const auto pair = static_cast<std::size_t>(random_.below(static_cast<int>(k_open.size())));
    std::vector<int> wrong;
    for (const int i : random_.sample(static_cast<int>(k_close.size()), k_choices))
      if (static_cast<std::size_t>(i) != pair)
        wrong.push_back(id_of(k_close[static_cast<std::size_t>(i)]));
    word(any(k_people));
    word(any(k_wants));
    const int start = size();
    word(k_open[pair]);
    for (int i = random_.below(3); i > 0; --i) word(any(k_tastes));
    word(any(k_foods));
    add_item("idiom", size(), size() - 1 - start, id_of(k_close[pair]), wrong);
    word(k_close[pair]);
    word(any(k_foods));
    word(".");
  }

  Random random_;
  Style style_;
  int length_;
  TinyDocument document_;
  std::vector<Fact> facts_;  ///< in the order in which they are stated
  std::size_t stated_ = 0;
};

}  // namespace

const std::vector<std::string>& tiny_vocabulary() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all;
    for (const Words& words_of_class : k_classes)
      all.insert(all.end(), words_of_class.begin(), words_of_class.end());
    return all;
  }();
  return words;
}

TinyDocument tiny_document(std::uint64_t seed, TinySplit split, std::uint64_t index,
                           const TinyMix& mix) {
  Random random(seed, static_cast<std::uint64_t>(split), index);
  if (split != TinySplit::train) return Writer(random, Style::rich, TinyMix{}.length).write();
  const bool rich = random.chance(mix.far_share);
  return Writer(random,
                mix.easy ? Style::easy
                : rich   ? Style::rich
                         : Style::poor,
                mix.length)
      .write();
}

std::string tiny_text(const std::vector<int>& tokens) {
  std::string text;
  for (const int token : tokens) {
    if (!text.empty()) text += ' ';
    text += tiny_vocabulary().at(static_cast<std::size_t>(token));
  }
  return text;
}

const std::vector<TinyTask>& tiny_tasks() {
  static const std::vector<TinyTask> tasks = [] {
    std::vector<TinyTask> all = {
        {"agreement", "agreement", false, 0, 16,
         "verb form after a subject and a noun of another number"},
        {"arithmetic", "arithmetic", false, 0, 16, "sum of two numbers below ten"},
        {"idiom", "idiom", false, 0, 16, "second half of a pair of words such as either … or"}};
    const std::vector<std::pair<std::string, std::string>> lookups = {
        {"recall", "whose thing is which, among things of other owners"},
        {"paint", "which town has which colour, among other towns"},
        {"theme", "what the document is about"}};
    for (const auto& [ability, description] : lookups) {
      for (const auto& [low, high] :
           {std::pair{4, 16}, {16, 32}, {32, 64}, {64, 128}, {128, 256}}) {
        if (ability == "theme" && low < k_tiny_far_distance) continue;
        const std::string name = ability + "@" + std::to_string(low) + "-" + std::to_string(high);
        const std::string distance =
            " (told " + std::to_string(low) + " to " + std::to_string(high - 1) + " words before)";
        all.push_back(
            {name, ability, low >= k_tiny_far_distance, low, high, description + distance});
      }
    }
    return all;
  }();
  return tasks;
}

std::vector<float> tiny_loss_weights(const TinyDocument& document) {
  std::vector<float> weights(document.tokens.size(), 1.0f);
  if (!weights.empty()) weights[0] = 0.0f;
  for (const TinyItem& item : document.items) {
    const bool looked_up = item.task == "recall" || item.task == "paint";
    weights[static_cast<std::size_t>(item.position)] = looked_up              ? 8.0f
                                                       : item.task == "theme" ? 4.0f
                                                                              : 1.0f;
  }
  return weights;
}

}  // namespace engine
