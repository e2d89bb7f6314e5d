#pragma once
/// The corpus and the tasks of the embedded default: small documents of English-like sentences,
/// some of which a short window solves and some of which only memory beyond it solves. Integer
/// arithmetic from a counter-based generator, so every machine writes the same documents. Words
/// stand between single spaces (word-level tokenizer). No torch.

#include <cstdint>
#include <string>
#include <vector>

namespace engine {

enum class TinySplit { train, validation, test };

/// One multiple-choice question inside a document: the context is tokens[0 .. position), the answer
/// is one token.
struct TinyItem {
  std::string task;  ///< ability: agreement, arithmetic, idiom, recall, paint, theme
  bool far = false;  ///< the fact stands at least k_tiny_far_distance tokens back
  int distance = 0;  ///< tokens from the query (position − 1) back to the fact's nearest mention
  int position = 0;  ///< index of the answer token
  std::vector<int> choices;  ///< token ids, all different, the right one among them
  int gold = 0;              ///< index into choices
};

struct TinyDocument {
  std::vector<int> tokens;      ///< begins with <s>; exactly TinyMix::length of them
  std::vector<TinyItem> items;  ///< by rising position
};

/// What the training text is made of. Validation and test documents are always far-rich and of full
/// length.
struct TinyMix {
  double far_share =
      0.5;  ///< share of documents in which facts come back from beyond the window; in the others
            ///< they come back within k_tiny_near_distance tokens or never
  int length = 256;   ///< tokens a document
  bool easy = false;  ///< first lessons: few facts, asked again soon and often, no theme
};

/// An ability at a range of distances; what accuracy is counted over.
struct TinyTask {
  std::string name;     ///< "agreement", "recall@32-64"
  std::string ability;  ///< TinyItem::task
  bool far = false;
  int min_distance = 0;
  int max_distance = 0;  ///< exclusive
  std::string description;

  bool contains(const TinyItem& item) const {
    return item.task == ability && item.distance >= min_distance && item.distance < max_distance;
  }
};

inline constexpr int k_tiny_far_distance =
    32;  ///< nearest distance that a window of 32 keys does not see
inline constexpr int k_tiny_near_distance =
    24;  ///< farthest return of a fact in a far-poor document

/// Every word, specials first: <s>, </s>, <unk>, <pad>; the index is the token id.
const std::vector<std::string>& tiny_vocabulary();

/// Document `index` of a split: a function of its arguments alone.
TinyDocument tiny_document(std::uint64_t seed, TinySplit split, std::uint64_t index,
                           const TinyMix& mix = {});

/// The text of some tokens, words joined by single spaces.
std::string tiny_text(const std::vector<int>& tokens);

/// The tasks, local ones first; no item belongs to two of them.
const std::vector<TinyTask>& tiny_tasks();

/// The weight of each token as a target of the base model's loss: facts that must be looked up are
/// rare and slow to be learned, so they weigh more than the rest. One weight a token; the first
/// (never a target) is 0.
std::vector<float> tiny_loss_weights(const TinyDocument& document);

}  // namespace engine
