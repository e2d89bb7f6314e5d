#include "engine/data/bpe.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

constexpr std::size_t k_short_word = 24;  // up to here scanning all pairs beats a heap

}  // namespace

Vocabulary::Vocabulary(const JsonView& vocab) {
  if (!vocab.is_object()) vocab.fail("expected an object of tokens and ids");
  const auto& object = vocab.raw().get_ref<const Json::object_t&>();
  ids_.reserve(object.size());
  for (const auto& [text, value] : object) {
    if (!value.is_number_unsigned() ||
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(k_max_token_id)) {
      vocab.fail("token \"" + text.substr(0, 60) + "\": expected an id from 0 to " +
                 std::to_string(k_max_token_id));
    }
    const auto id = value.get<std::int32_t>();
    const auto& entry = *ids_.emplace(text, id).first;
    if (static_cast<std::size_t>(id) >= texts_.size())
      texts_.resize(static_cast<std::size_t>(id) + 1, nullptr);
    if (texts_[static_cast<std::size_t>(id)] != nullptr) {
      vocab.fail("id " + std::to_string(id) + " belongs to two tokens");
    }
    texts_[static_cast<std::size_t>(id)] = &entry.first;
  }
}

std::optional<std::int32_t> Vocabulary::id(std::string_view text) const {
  const auto it = ids_.find(text);
  return it == ids_.end() ? std::nullopt : std::optional(it->second);
}

const std::string* Vocabulary::text(std::int32_t id) const {
  return id >= 0 && static_cast<std::size_t>(id) < texts_.size()
             ? texts_[static_cast<std::size_t>(id)]
             : nullptr;
}

void MergeTable::build(const std::vector<std::pair<std::uint64_t, Merge>>& merges) {
  const std::size_t size = std::bit_ceil(merges.size() * 2 + 2);
  shift_ = 64 - std::countr_zero(size);
  slots_.assign(size, {});
  for (const auto& [pair_key, merge] : merges) {
    std::size_t at = static_cast<std::size_t>(pair_key * 0x9E3779B97F4A7C15u >> shift_);
    while (slots_[at].key != UINT64_MAX && slots_[at].key != pair_key) at = (at + 1) & (size - 1);
    slots_[at] = {pair_key, merge};
  }
}

const MergeTable::Merge* MergeTable::find(std::int32_t left, std::int32_t right) const {
  if (slots_.empty()) return nullptr;
  const std::uint64_t wanted = key(left, right);
  std::size_t at = static_cast<std::size_t>(wanted * 0x9E3779B97F4A7C15u >> shift_);
  while (slots_[at].key != UINT64_MAX) {
    if (slots_[at].key == wanted) return &slots_[at].merge;
    at = (at + 1) & (slots_.size() - 1);
  }
  return nullptr;
}

TokenModel::TokenModel(const JsonView& model) {
  // Files from before the field existed are BPE when they have merges.
  const std::string type = model.string_or("type", model.has("merges") ? "BPE" : "");
  if (type != "BPE" && type != "WordLevel") {
    model.fail("model \"" + type.substr(0, 60) + "\" is not supported, expected BPE or WordLevel");
  }
  vocabulary_ = Vocabulary(model.at("vocab"));
  if (const auto unk = model.find("unk_token")) {
    unk_ = vocabulary_.id(unk->as_string());
    if (!unk_ && type == "BPE") unk->fail("the token is not in the vocabulary");
  }
  word_level_ = type == "WordLevel";
  if (!word_level_) load_bpe(model);
}

void TokenModel::load_bpe(const JsonView& model) {
  if (const auto dropout = model.find("dropout"); dropout && dropout->as_number() != 0) {
    dropout->fail("random merges are not supported, expected null");
  }
  prefix_ = model.string_or("continuing_subword_prefix", "");
  suffix_ = model.string_or("end_of_word_suffix", "");
  byte_fallback_ = model.bool_or("byte_fallback", false);
  fuse_unk_ = model.bool_or("fuse_unk", false);
  ignore_merges_ = model.bool_or("ignore_merges", false);
  constexpr const char* k_hex = "0123456789ABCDEF";
  for (int b = 0; byte_fallback_ && b < 256; ++b) {
    byte_ids_.push_back(
        vocabulary_.id(std::string("<0x") + k_hex[b >> 4] + k_hex[b & 15] + ">").value_or(-1));
  }
  if (prefix_.empty() && suffix_.empty()) {
    for (char32_t c = 0; c < 2048; ++c) {
      std::string text;
      append_utf8(text, c);
      plain_ids_.push_back(vocabulary_.id(text).value_or(-1));
    }
  }
  load_merges(model);
  find_safe_cut();
}

void TokenModel::load_merges(const JsonView& model) {
  const JsonView list = model.at("merges");
  if (!list.is_array()) list.fail("expected an array");
  std::vector<std::pair<std::uint64_t, MergeTable::Merge>> merges;
  merges.reserve(list.raw().size());
  std::uint32_t rank = 0;
  for (const Json& item : list.raw()) {
    const auto fail = [&](const std::string& what) {
      list.fail(std::to_string(rank) + ": " + what);
    };
    std::string left, right;
    if (item.is_string()) {
      const auto& text = item.get_ref<const std::string&>();
      const auto space = text.find(' ');
      if (space == text.npos || text.find(' ', space + 1) != text.npos)
        fail("expected two parts and one space");
      left = text.substr(0, space);
      right = text.substr(space + 1);
    } else if (item.is_array() && item.size() == 2 && item[0].is_string() && item[1].is_string()) {
      left = item[0].get<std::string>();
      right = item[1].get<std::string>();
    } else {
      fail("expected \"left right\" or [\"left\", \"right\"]");
    }
    const auto a = vocabulary_.id(left), b = vocabulary_.id(right);
    if (!a || !b) fail("\"" + (a ? right : left).substr(0, 60) + "\" is not in the vocabulary");
    if (right.size() < prefix_.size())
      fail("the right part is shorter than continuing_subword_prefix");
    const std::string joined = left + right.substr(prefix_.size());
    const auto id = vocabulary_.id(joined);
    if (!id) fail("the result \"" + joined.substr(0, 60) + "\" is not in the vocabulary");
    merges.push_back({MergeTable::key(*a, *b), {rank++, *id}});
  }
  merges_.build(merges);
}

void TokenModel::find_safe_cut() {
  const std::string mark = "\xE2\x96\x81";
  // Unknown characters could fuse over a cut; with all byte tokens there are none. ignore_merges
  // looks at whole words.
  const bool all_bytes = byte_fallback_ && std::count(byte_ids_.begin(), byte_ids_.end(), -1) == 0;
  if (!all_bytes || ignore_merges_ || !prefix_.empty() || !suffix_.empty() || !vocabulary_.id(mark))
    return;
  for (std::int32_t id = 0; id < vocabulary_.end_id(); ++id) {
    const std::string* text = vocabulary_.text(id);
    if (text == nullptr) continue;
    bool after_other = false;
    for (std::size_t at = 0; at < text->size();) {
      const bool is_mark = text->compare(at, mark.size(), mark) == 0;
      if (is_mark && after_other) return;
      after_other = !is_mark;
      at += is_mark ? mark.size() : 1;
    }
  }
  safe_cut_ = mark;
}

bool TokenModel::append_bytes(std::string_view text, std::vector<std::int32_t>& out) const {
  const auto id = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)]; };
  if (std::any_of(text.begin(), text.end(), [&](char c) { return id(c) < 0; })) return false;
  for (const char c : text) out.push_back(id(c));
  return true;
}

void TokenModel::split_characters(std::string_view word, std::vector<std::int32_t>& out) const {
  bool unknown = false;  // a pending unk_token: it waits, since neighbours may fuse with it
  const auto flush = [&] {
    if (unknown) out.push_back(*unk_);
    unknown = false;
  };
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(word, at);
    const std::string_view text = word.substr(begin, at - begin);
    std::optional<std::int32_t> id;
    std::string decorated;
    if (c < plain_ids_.size()) {
      if (plain_ids_[c] >= 0) id = plain_ids_[c];
    } else if (prefix_.empty() && suffix_.empty()) {
      id = vocabulary_.id(text);
    } else {
      decorated =
          (begin > 0 ? prefix_ : "") + std::string(text) + (at == word.size() ? suffix_ : "");
      id = vocabulary_.id(decorated);
    }
    if (id) {
      flush();
      out.push_back(*id);
      continue;
    }
    if (byte_fallback_ && append_bytes(decorated.empty() ? text : decorated, out)) continue;
    if (!unk_) continue;
    if (!fuse_unk_) flush();
    unknown = true;
  }
  flush();
}

void TokenModel::merge_short(std::vector<std::int32_t>& symbols) const {
  std::uint32_t ranks[k_short_word];
  std::int32_t joined[k_short_word];
  std::size_t count = symbols.size();
  const auto look = [&](std::size_t i) {
    const MergeTable::Merge* merge =
        i + 1 < count ? merges_.find(symbols[i], symbols[i + 1]) : nullptr;
    ranks[i] = merge ? merge->rank : UINT32_MAX;
    joined[i] = merge ? merge->id : -1;
  };
  for (std::size_t i = 0; i < count; ++i) look(i);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == UINT32_MAX) break;
    symbols[best] = joined[best];
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      ranks[i] = ranks[i + 1];
      joined[i] = joined[i + 1];
    }
    --count;
    look(best);
    if (best > 0) look(best - 1);
  }
  symbols.resize(count);
}

void TokenModel::merge_long(std::vector<std::int32_t>& symbols) const {
  struct Link {
    std::int32_t previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t at, left, right, id;
    bool operator<(const Candidate& other) const {  // std::priority_queue puts the greatest on top
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  const auto count = static_cast<std::int32_t>(symbols.size());
  std::vector<Link> links(symbols.size());
  std::vector<Candidate> candidates;
  candidates.reserve(symbols.size());
  const auto symbol = [&](std::int32_t i) -> std::int32_t& {
    return symbols[static_cast<std::size_t>(i)];
  };
  const auto link = [&](std::int32_t i) -> Link& { return links[static_cast<std::size_t>(i)]; };
  const auto candidate = [&](std::int32_t i, std::int32_t j) -> std::optional<Candidate> {
    const MergeTable::Merge* merge = merges_.find(symbol(i), symbol(j));
    if (merge == nullptr) return std::nullopt;
    return Candidate{merge->rank, i, symbol(i), symbol(j), merge->id};
  };
  for (std::int32_t i = 0; i < count; ++i) {
    link(i) = {i - 1, i + 1 < count ? i + 1 : -1};
    if (i + 1 < count) {
      if (const auto found = candidate(i, i + 1)) candidates.push_back(*found);
    }
  }
  std::priority_queue<Candidate> queue(std::less<Candidate>{}, std::move(candidates));
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    const std::int32_t right = link(best.at).next;
    // A pair that has changed since it was queued is stale.
    if (symbol(best.at) != best.left || right < 0 || symbol(right) != best.right) continue;
    symbol(best.at) = best.id;
    symbol(right) = -1;
    const std::int32_t after = link(right).next;
    link(best.at).next = after;
    if (after >= 0) {
      link(after).previous = best.at;
      if (const auto found = candidate(best.at, after)) queue.push(*found);
    }
    if (const std::int32_t before = link(best.at).previous; before >= 0) {
      if (const auto found = candidate(before, best.at)) queue.push(*found);
    }
  }
  std::erase(symbols, -1);
}

void TokenModel::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (word.empty()) return;
  if (word_level_) {
    const auto id = vocabulary_.id(word);
    if (!id && !unk_)
      throw InputError("the word \"" + std::string(word.substr(0, 60)) +
                       "\" is not in the vocabulary, which has no token for unknown words");
    ids.push_back(id ? *id : *unk_);
    return;
  }
  if (ignore_merges_) {
    if (const auto id = vocabulary_.id(word)) {
      ids.push_back(*id);
      return;
    }
  }
  if (word.size() > (std::size_t{1} << 30))
    throw InputError("a word of more than 1 GiB cannot be encoded");
  thread_local std::vector<std::int32_t> symbols;
  symbols.clear();
  split_characters(word, symbols);
  if (symbols.size() <= k_short_word) {
    merge_short(symbols);
  } else {
    merge_long(symbols);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

}  // namespace engine
