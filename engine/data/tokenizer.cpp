#include "engine/data/tokenizer.h"

#include <algorithm>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/tokenizer_parts.h"
#include "engine/data/utf8.h"
#include "engine/error.h"
#include "engine/random.h"

namespace engine {
namespace {

/// Recent words of one tokenizer and their ids; one per thread, so no lock. Direct-mapped: a
/// newcomer evicts.
class WordCache {
 public:
  static constexpr std::size_t k_max_word = 30, k_max_ids = 8;
  struct Entry {
    std::uint8_t size = 0, count = 0;
    char word[k_max_word];
    std::int32_t ids[k_max_ids];
    bool holds(std::string_view text) const {
      return size == text.size() && std::memcmp(word, text.data(), size) == 0;
    }
  };
  void serve(std::uint64_t instance) {
    if (instance_ == instance) return;
    entries_.assign(k_entries, Entry{});
    instance_ = instance;
  }
  Entry& slot(std::string_view word) {
    return entries_[XXH3_64bits(word.data(), word.size()) & (k_entries - 1)];
  }

 private:
  static constexpr std::size_t k_entries = std::size_t{1} << 15;
  std::uint64_t instance_ = 0;
  std::vector<Entry> entries_;
};

class Encoder {
 public:
  Encoder(const TokenizerParts& parts, std::vector<std::int32_t>& ids) : parts_(parts), ids_(ids) {
    cache().serve(parts.instance);
  }

  void piece(std::string_view text, bool at_start) {
    if (parts_.normalizer.empty()) return normalized(text, at_start);
    const std::string changed = parts_.normalizer.apply(std::string(text), &at_start);
    normalized(changed, at_start);
  }

 private:
  static WordCache& cache() {
    thread_local WordCache cache;
    return cache;
  }
  void normalized(std::string_view text, bool at_start) {
    for (const AddedPiece& found : parts_.added.cut(text, true)) {
      if (found.id) {
        ids_.push_back(*found.id);
        continue;
      }
      if (parts_.sentence_piece) {
        parts_.sentence_piece->encode(found.text, at_start && found.text.data() == text.data(), ids_);
        continue;
      }
      Words words;
      parts_.pre_tokenizer.cut(found.text, at_start && found.text.data() == text.data(), words);
      for (const auto word : words.views) cut_word(word);
    }
  }
  void cut_word(std::string_view word) {
    const std::string& mark = parts_.model.safe_cut();
    if (mark.empty()) return encode_word(word);
    std::size_t begin = 0;
    for (std::size_t at = word.find(mark); at != word.npos;
         at = word.find(mark, at + mark.size())) {
      const bool follows_mark =
          at >= mark.size() && word.compare(at - mark.size(), mark.size(), mark) == 0;
      if (at == begin || follows_mark) continue;
      encode_word(word.substr(begin, at - begin));
      begin = at;
    }
    encode_word(word.substr(begin));
  }
  void encode_word(std::string_view word) {
    if (word.empty()) return;
    if (word.size() > WordCache::k_max_word) return miss(word);
    WordCache::Entry& entry = cache().slot(word);
    if (entry.holds(word)) {
      ids_.insert(ids_.end(), entry.ids, entry.ids + entry.count);
      return;
    }
    const std::size_t before = ids_.size();
    miss(word);
    const std::size_t count = ids_.size() - before;
    if (count > WordCache::k_max_ids) return;
    entry.size = static_cast<std::uint8_t>(word.size());
    entry.count = static_cast<std::uint8_t>(count);
    std::memcpy(entry.word, word.data(), word.size());
    std::copy(ids_.begin() + static_cast<std::ptrdiff_t>(before), ids_.end(), entry.ids);
  }
  void miss(std::string_view word) {
    if (parts_.pre_tokenizer.byte_level()) {
      parts_.model.encode(bytes_to_letters(word), ids_);
    } else {
      parts_.model.encode(word, ids_);
    }
  }

  const TokenizerParts& parts_;
  std::vector<std::int32_t>& ids_;
};

}  // namespace

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool add_special) const {
  if (const auto bad = first_invalid_utf8(text)) {
    throw InputError("text is not valid UTF-8 at byte " + std::to_string(*bad));
  }
  const Regex::SharedTime time(text.size());
  std::vector<std::int32_t> ids;
  ids.reserve(text.size() / 3 + 4);
  if (add_special) ids = front();
  Encoder encoder(*parts_, ids);
  for (const AddedPiece& found : parts_->added.cut(text, false)) {
    if (found.id) {
      ids.push_back(*found.id);
    } else {
      encoder.piece(found.text, found.text.data() == text.data());
    }
  }
  if (add_special) ids.insert(ids.end(), parts_->frame.behind.begin(), parts_->frame.behind.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t one : ids) {
    const AddedToken* added = parts_->added_token(one);
    if (skip_special && added != nullptr && added->skipped) continue;
    if (auto text = token(one)) tokens.push_back(std::move(*text));
  }
  return parts_->decoder.decode(std::move(tokens));
}

std::optional<std::int32_t> TokenizerParts::id(std::string_view token) const {
  for (const auto& one : added.tokens()) {
    if (one.content == token) return one.id;
  }
  return model.vocabulary().id(token);
}

std::int64_t Tokenizer::vocab_size() const { return parts_->vocab_size; }

std::optional<std::string> Tokenizer::token(std::int32_t id) const {
  if (const AddedToken* added = parts_->added_token(id)) return added->shown;
  const std::string* text = parts_->model.vocabulary().text(id);
  return text == nullptr ? std::nullopt : std::optional(*text);
}

std::optional<std::int32_t> Tokenizer::id(std::string_view token) const {
  return parts_->id(token);
}

bool Tokenizer::is_special(std::int32_t id) const {
  const AddedToken* added = parts_->added_token(id);
  return added != nullptr && added->special;
}

std::optional<std::int32_t> Tokenizer::bos_id() const { return parts_->bos; }
std::optional<std::int32_t> Tokenizer::eos_id() const { return parts_->eos; }

Tokenizer Tokenizer::with_bos(const std::string& policy) const {
  Tokenizer t = *this;
  t.bos_ = policy == "always" ? Bos::always : policy == "never" ? Bos::never : Bos::own;
  if (t.bos_ == Bos::always && !parts_->bos)
    throw InputError(parts_->source + ": this tokenizer has no BOS; use bos: tokenizer or never");
  return t;
}

std::vector<std::int32_t> Tokenizer::front() const {
  std::vector<std::int32_t> before = parts_->frame.before;
  const bool there = parts_->bos && !before.empty() && before.front() == *parts_->bos;
  if (bos_ == Bos::always && !there) before.insert(before.begin(), *parts_->bos);
  if (bos_ == Bos::never && there) before.erase(before.begin());
  return before;
}

bool Tokenizer::adds_bos() const {
  const auto before = front();
  return parts_->bos && !before.empty() && before.front() == *parts_->bos;
}

bool Tokenizer::adds_eos() const {
  const auto& behind = parts_->frame.behind;
  return parts_->eos && !behind.empty() && behind.back() == *parts_->eos;
}

std::optional<std::int64_t> Tokenizer::model_max_length() const { return parts_->model_max_length; }

std::string Tokenizer::kind() const {
  if (parts_->sentence_piece) return parts_->sentence_piece->unigram() ? "SentencePiece unigram" : "SentencePiece BPE";
  const TokenModel& model = parts_->model;
  if (model.word_level()) return "whole words";
  if (parts_->pre_tokenizer.byte_level()) return "BPE, byte level";
  return model.byte_fallback() ? "BPE with byte fallback" : "BPE";
}

std::string Tokenizer::policy() const {
  const auto named = [&](const std::vector<std::int32_t>& ids) {
    std::string out;
    for (const std::int32_t one : ids) {
      const char* role = parts_->bos == one ? "BOS " : parts_->eos == one ? "EOS " : "";
      out += (out.empty() ? "adds " : ", ") + std::string(role) + token(one).value_or("?") + " (id " + std::to_string(one) + ")";
    }
    return out;
  };
  const auto before = front();
  const auto& behind = parts_->frame.behind;
  return (before.empty() ? "no BOS" : named(before) + " in front") + "; " + (behind.empty() ? "no EOS" : named(behind) + " behind") +
         (parts_->policy_note.empty() ? "" : " (" + parts_->policy_note + ")");
}

std::vector<Tokenizer::SpecialToken> Tokenizer::special_tokens() const {
  std::vector<SpecialToken> out;
  for (const auto& one : parts_->added.tokens())
    if (one.special) out.push_back({one.id, one.content});
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return out;
}

std::string Tokenizer::token_bytes(std::int32_t id) const {
  if (const AddedToken* added = parts_->added_token(id)) return added->content;
  const std::string* text = parts_->model.vocabulary().text(id);
  return text == nullptr ? "" : parts_->decoder.bytes_of(*text);
}

const std::string& Tokenizer::source() const { return parts_->source; }
std::uint64_t Tokenizer::hash() const {
  return bos_ == Bos::own ? parts_->hash : mix64(parts_->hash ^ static_cast<std::uint64_t>(bos_));
}

}  // namespace engine
