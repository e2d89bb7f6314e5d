#include <QTemporaryDir>
#include <QtTest>
#include <fstream>

#include "engine/eval/score_journal.h"
#include "engine/eval/token_tree.h"
#include "engine/random.h"

using namespace engine;

namespace {

std::vector<const ScoreRequest*> pointers(const std::vector<ScoreRequest>& requests) {
  std::vector<const ScoreRequest*> out;
  for (const auto& r : requests) out.push_back(&r);
  return out;
}

/// The tokens that token `at` sees, root first.
std::vector<std::int32_t> seen_by(const TokenTree& tree, std::int32_t at) {
  std::vector<std::int32_t> out;
  for (std::int32_t j = 0; j <= at; ++j)
    if (at < tree.end[static_cast<std::size_t>(j)]) out.push_back(tree.tokens[static_cast<std::size_t>(j)]);
  return out;
}

}  // namespace

class TstTokenTree : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void every_request_finds_its_own_tokens();
  void a_shared_context_stands_once();
  void large_trees_are_cut_and_long_chains_are_not();
  void scores_on_disk_are_taken_over_for_the_same_model_only();
};

void TstTokenTree::every_request_finds_its_own_tokens() {
  const CounterRng rng(7, Stream::held_out);
  std::uint64_t n = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<ScoreRequest> requests;
    for (int i = 0; i < 30; ++i) {
      ScoreRequest r;
      const auto length = 2 + rng.below(n++, 12);
      for (std::uint64_t t = 0; t < length; ++t) r.tokens.push_back(static_cast<std::int32_t>(rng.below(n++, 3)));
      r.scored = 1 + static_cast<std::int64_t>(rng.below(n++, length - 1));
      requests.push_back(r);
    }
    std::vector<int> asked(requests.size());
    for (const auto& tree : share_prefixes(pointers(requests), 20)) {
      for (const auto& ask : tree.asks) {
        const auto& r = requests[ask.request];
        ++asked[ask.request];
        QCOMPARE(ask.at.size(), static_cast<std::size_t>(r.scored));
        for (std::size_t i = 0; i < ask.at.size(); ++i) {
          const std::size_t target = r.tokens.size() - ask.at.size() + i;
          QCOMPARE(seen_by(tree, ask.at[i]), std::vector<std::int32_t>(r.tokens.begin(), r.tokens.begin() + static_cast<std::ptrdiff_t>(target)));
          QCOMPARE(tree.position[static_cast<std::size_t>(ask.at[i])], static_cast<std::int32_t>(target) - 1);
        }
      }
    }
    QVERIFY(std::ranges::all_of(asked, [](int k) { return k == 1; }));
  }
}

void TstTokenTree::a_shared_context_stands_once() {
  std::vector<ScoreRequest> requests;
  for (int choice = 0; choice < 4; ++choice) requests.push_back({{1, 2, 3, 4, 10 + choice, 20, 30}, 3});
  const auto trees = share_prefixes(pointers(requests), 100);
  QCOMPARE(trees.size(), std::size_t{1});
  QCOMPARE(trees[0].tokens.size(), std::size_t{4 + 4 * 2});
  QVERIFY(!trees[0].is_chain());
}

void TstTokenTree::large_trees_are_cut_and_long_chains_are_not() {
  std::vector<ScoreRequest> requests;
  for (int i = 0; i < 10; ++i) {  // each the beginning of the next
    ScoreRequest r{{}, 1};
    for (int t = 0; t < 20 * (i + 1); ++t) r.tokens.push_back(t);
    requests.push_back(r);
  }
  const auto chain = share_prefixes(pointers(requests), 50);
  QCOMPARE(chain.size(), std::size_t{1});
  QVERIFY(chain[0].is_chain());
  for (auto& r : requests) r.tokens.back() = -1;  // now each branches off
  for (const auto& tree : share_prefixes(pointers(requests), 50)) QVERIFY(tree.tokens.size() <= 50 || tree.asks.size() == 1 || tree.is_chain());
}

void TstTokenTree::scores_on_disk_are_taken_over_for_the_same_model_only() {
  const QTemporaryDir folder;
  const std::filesystem::path file = folder.filePath("scores").toStdString();
  const ScoreRequest request{{1, 2, 3}, 1};
  const std::string key = ScoreJournal::key("hybrid", request);
  {
    ScoreJournal journal(file, "model a");
    journal.add(key, Scored{-1.25e-7, true});
    journal.add("t", std::string("said"));
    journal.flush();
  }
  {
    std::ofstream torn(file, std::ios::app);
    torn << R"({"key": "half)";
  }
  {
    const ScoreJournal journal(file, "model a");
    QCOMPARE(journal.known(), std::size_t{2});
    QCOMPARE(journal.score(key)->log_likelihood, -1.25e-7);
    QCOMPARE(*journal.text("t"), std::string("said"));
    QVERIFY(journal.score(ScoreJournal::key("swa", request)) == nullptr);
  }
  QCOMPARE(ScoreJournal(file, "model b").known(), std::size_t{0});
}

QTEST_APPLESS_MAIN(TstTokenTree)
#include "tst_token_tree.moc"
