#include <QtTest>
#include <algorithm>
#include <map>
#include <set>

#include "engine/data/tiny_corpus.h"

namespace {

using engine::tiny_document;
using engine::tiny_tasks;
using engine::tiny_vocabulary;
using engine::TinyDocument;
using engine::TinyItem;
using engine::TinyMix;
using engine::TinySplit;

constexpr std::uint64_t k_seed = 11;
constexpr std::uint64_t k_documents = 100;

std::vector<TinyDocument> documents(TinySplit split, const TinyMix& mix = {}) {
  std::vector<TinyDocument> result;
  for (std::uint64_t i = 0; i < k_documents; ++i)
    result.push_back(tiny_document(k_seed, split, i, mix));
  return result;
}

/// Every kind of text that the generator writes.
std::vector<TinyDocument> all_kinds() {
  std::vector<TinyDocument> all = documents(TinySplit::validation);
  for (const TinyMix& mix : {TinyMix{}, TinyMix{.length = 64, .easy = true}})
    for (TinyDocument& document : documents(TinySplit::train, mix))
      all.push_back(std::move(document));
  return all;
}

bool looked_up(const TinyItem& item) {
  return item.task == "recall" || item.task == "paint" || item.task == "theme";
}

std::size_t at(int index) { return static_cast<std::size_t>(index); }

}  // namespace

class TestTinyCorpus : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void same_arguments_give_the_same_document();
  void any_argument_changes_the_document();
  void first_document_is_the_same_on_every_machine();
  void documents_have_the_asked_length_and_known_words();
  void vocabulary_has_specials_first_and_no_word_twice();
  void gold_choice_is_the_token_in_the_text();
  void choices_differ_and_are_as_many_as_the_ability_has();
  void looked_up_fact_stands_at_its_distance_and_no_nearer();
  void wrong_choices_of_far_facts_stand_in_the_document();
  void local_answers_need_six_tokens_at_most();
  void far_poor_text_needs_no_memory_beyond_the_near_distance();
  void far_share_is_the_share_of_documents_with_far_items();
  void evaluation_documents_ignore_the_mix();
  void every_task_occurs_and_every_evaluation_item_has_one();
  void right_answers_have_no_favourite_place();
  void loss_weights_follow_the_items();
};

void TestTinyCorpus::same_arguments_give_the_same_document() {
  for (std::uint64_t i = 0; i < 20; ++i) {
    const TinyDocument a = tiny_document(k_seed, TinySplit::train, i);
    const TinyDocument b = tiny_document(k_seed, TinySplit::train, i);
    QVERIFY(a.tokens == b.tokens);
    QCOMPARE(a.items.size(), b.items.size());
    for (std::size_t k = 0; k < a.items.size(); ++k) {
      QVERIFY(a.items[k].choices == b.items[k].choices);
      QCOMPARE(a.items[k].gold, b.items[k].gold);
    }
  }
}

void TestTinyCorpus::any_argument_changes_the_document() {
  const std::vector<int> tokens = tiny_document(1, TinySplit::validation, 1).tokens;
  QVERIFY(tiny_document(2, TinySplit::validation, 1).tokens != tokens);
  QVERIFY(tiny_document(1, TinySplit::test, 1).tokens != tokens);
  QVERIFY(tiny_document(1, TinySplit::validation, 2).tokens != tokens);
}

void TestTinyCorpus::first_document_is_the_same_on_every_machine() {
  const TinyDocument document = tiny_document(1, TinySplit::validation, 0);
  const std::vector<int> start(document.tokens.begin(), document.tokens.begin() + 16);
  QCOMPARE(
      engine::tiny_text(start),
      std::string("<s> today we talk about weather . two plus five makes seven . here was jack's"));
}

void TestTinyCorpus::documents_have_the_asked_length_and_known_words() {
  const int words = static_cast<int>(tiny_vocabulary().size());
  for (const int length : {32, 64, 256}) {
    for (const TinyDocument& document : documents(TinySplit::train, {.length = length})) {
      QCOMPARE(static_cast<int>(document.tokens.size()), length);
      QCOMPARE(document.tokens.front(), 0);
      for (std::size_t i = 1; i < document.tokens.size(); ++i)
        QVERIFY(document.tokens[i] >= 4 && document.tokens[i] < words);
    }
  }
}

void TestTinyCorpus::vocabulary_has_specials_first_and_no_word_twice() {
  const std::vector<std::string>& words = tiny_vocabulary();
  QVERIFY((std::vector<std::string>(words.begin(), words.begin() + 4) ==
           std::vector<std::string>{"<s>", "</s>", "<unk>", "<pad>"}));
  QCOMPARE(std::set<std::string>(words.begin(), words.end()).size(), words.size());
  for (const std::string& word : words)
    QVERIFY(!word.empty() && word.find_first_of(" \t\n") == std::string::npos);
}

void TestTinyCorpus::gold_choice_is_the_token_in_the_text() {
  for (const TinyDocument& document : all_kinds()) {
    int last = 0;
    for (const TinyItem& item : document.items) {
      QVERIFY(item.position > last && at(item.position) < document.tokens.size());
      last = item.position;
      QCOMPARE(item.choices.at(at(item.gold)), document.tokens[at(item.position)]);
    }
  }
}

void TestTinyCorpus::choices_differ_and_are_as_many_as_the_ability_has() {
  for (const TinyDocument& document : all_kinds()) {
    for (const TinyItem& item : document.items) {
      const std::set<int> different(item.choices.begin(), item.choices.end());
      QCOMPARE(different.size(), item.choices.size());
      QVERIFY(*different.begin() >= 4);
      if (item.task == "agreement")
        QCOMPARE(item.choices.size(), 2u);
      else if (looked_up(item))
        QCOMPARE(item.choices.size(), 4u);
      else
        QVERIFY(item.choices.size() == 4u || item.choices.size() == 3u);
    }
  }
}

void TestTinyCorpus::looked_up_fact_stands_at_its_distance_and_no_nearer() {
  for (const TinyDocument& document : all_kinds()) {
    for (const TinyItem& item : document.items) {
      if (!looked_up(item)) continue;
      const int query = item.position - 1;
      const int fact = query - item.distance;
      const int key = document.tokens[at(query)];
      const int value = document.tokens[at(item.position)];
      QVERIFY(fact >= 2);
      QCOMPARE(document.tokens[at(fact)], value);
      QCOMPARE(document.tokens[at(fact - 1)], key);
      for (int i = fact + 1; i < query; ++i)
        QVERIFY(document.tokens[at(i)] != value && document.tokens[at(i)] != key);
    }
  }
}

void TestTinyCorpus::wrong_choices_of_far_facts_stand_in_the_document() {
  int in_text = 0;
  int all = 0;
  for (const TinyDocument& document : documents(TinySplit::validation)) {
    for (const TinyItem& item : document.items) {
      if (!item.far || item.task == "theme") continue;
      const auto answer = document.tokens.begin() + item.position;
      for (const int choice : item.choices) {
        in_text += std::find(document.tokens.begin(), answer, choice) != answer ? 1 : 0;
        ++all;
      }
    }
  }
  QVERIFY(in_text > all * 95 / 100);
}

void TestTinyCorpus::local_answers_need_six_tokens_at_most() {
  for (const TinyDocument& document : all_kinds()) {
    for (const TinyItem& item : document.items) {
      if (looked_up(item)) continue;
      QVERIFY(!item.far);
      QVERIFY(item.distance >= 1 && item.distance <= 6);
    }
  }
}

void TestTinyCorpus::far_poor_text_needs_no_memory_beyond_the_near_distance() {
  int returns = 0;
  for (const TinyDocument& document : documents(TinySplit::train, {.far_share = 0.0})) {
    for (const TinyItem& item : document.items) {
      QVERIFY(!item.far);
      QVERIFY(item.distance <= engine::k_tiny_near_distance);
      returns += looked_up(item) ? 1 : 0;
    }
    // No key may come back from afar either, asked or not.
    std::map<int, std::size_t> seen;
    for (std::size_t i = 0; i < document.tokens.size(); ++i) {
      const std::string& word = tiny_vocabulary()[at(document.tokens[i])];
      if (!word.ends_with("'s")) continue;
      if (seen.contains(document.tokens[i])) QVERIFY(i - seen[document.tokens[i]] <= 32);
      seen[document.tokens[i]] = i;
    }
  }
  QVERIFY(returns > 100);
}

void TestTinyCorpus::far_share_is_the_share_of_documents_with_far_items() {
  for (const double share : {0.0, 0.5, 1.0}) {
    int far = 0;
    for (const TinyDocument& document : documents(TinySplit::train, {.far_share = share}))
      far += std::ranges::any_of(document.items, &TinyItem::far) ? 1 : 0;
    QVERIFY(std::abs(far - share * static_cast<double>(k_documents)) <= 15);
  }
}

void TestTinyCorpus::evaluation_documents_ignore_the_mix() {
  const TinyMix poor{.far_share = 0.0, .length = 64, .easy = true};
  for (const TinySplit split : {TinySplit::validation, TinySplit::test})
    QVERIFY(tiny_document(1, split, 3, poor).tokens == tiny_document(1, split, 3).tokens);
}

void TestTinyCorpus::every_task_occurs_and_every_evaluation_item_has_one() {
  for (const TinySplit split : {TinySplit::validation, TinySplit::test}) {
    std::map<std::string, int> count;
    int items = 0;
    for (const TinyDocument& document : documents(split)) {
      for (const TinyItem& item : document.items) {
        ++items;
        int tasks = 0;
        for (const engine::TinyTask& task : tiny_tasks()) {
          if (!task.contains(item)) continue;
          ++tasks;
          ++count[task.name];
          QCOMPARE(task.far, item.far);
        }
        QCOMPARE(tasks, 1);
      }
    }
    for (const engine::TinyTask& task : tiny_tasks()) {
      QVERIFY2(count[task.name] >= 30, task.name.c_str());
      QVERIFY(!task.description.empty());
    }
    QVERIFY(items >= 30 * static_cast<int>(k_documents));
  }
}

void TestTinyCorpus::right_answers_have_no_favourite_place() {
  std::map<int, int> places;
  int all = 0;
  for (const TinyDocument& document : documents(TinySplit::validation)) {
    for (const TinyItem& item : document.items) {
      if (item.choices.size() != 4) continue;
      ++places[item.gold];
      ++all;
    }
  }
  for (int place = 0; place < 4; ++place) QVERIFY(std::abs(places[place] - all / 4) < all / 20);
}

void TestTinyCorpus::loss_weights_follow_the_items() {
  const TinyDocument document = tiny_document(k_seed, TinySplit::validation, 0);
  const std::vector<float> weights = engine::tiny_loss_weights(document);
  QCOMPARE(weights.size(), document.tokens.size());
  QCOMPARE(weights[0], 0.0f);
  for (const TinyItem& item : document.items)
    QCOMPARE(weights[at(item.position)] > 1.0f, looked_up(item));
  QCOMPARE(*std::min_element(weights.begin() + 1, weights.end()), 1.0f);
}

QTEST_APPLESS_MAIN(TestTinyCorpus)
#include "tst_tiny_corpus.moc"
