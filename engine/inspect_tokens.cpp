#include "engine/inspect_tokens.h"

#include <algorithm>
#include <string_view>

#include "engine/hash_text.h"
#include "engine/model/builtin_tiny.h"

namespace engine {
namespace {

constexpr std::size_t k_look_ahead = 64;  // bytes within which a piece is looked for behind changed text

/// Says where in `text` each piece stands, as far as its bytes are found there.
void place(std::vector<TokenPiece>& pieces, std::string_view text) {
  std::size_t at = 0;
  for (auto& p : pieces) {
    p.begin = p.end = at;
    if (p.bytes.empty()) continue;
    // A tokenizer may put a space in front that the text does not have.
    const std::string_view whole = p.bytes, without = whole.substr(whole.front() == ' ' ? 1 : 0);
    std::size_t found = text.npos, length = 0;
    for (const auto candidate : {whole, without}) {
      if (candidate.empty() || text.substr(at, candidate.size()) != candidate) continue;
      found = at, length = candidate.size();
      break;
    }
    if (found == text.npos && !p.special && !without.empty()) {
      found = text.substr(0, std::min(text.size(), at + k_look_ahead + without.size())).find(without, at);
      length = without.size();
    }
    if (found == text.npos) continue;
    p.begin = found;
    at = p.end = found + length;
  }
}

}  // namespace

std::filesystem::path inspected_path(const std::string& source) {
  return source == "builtin:tiny" ? builtin_tiny_folder() : std::filesystem::path(source);
}

void report(const Watch& watch, std::int64_t done, const char* unit) {
  if (watch.stop.stop_requested()) throw Cancelled{};
  if (watch.progress) watch.progress(done, unit);
}

TokenPiece token_piece(const Tokenizer& tokenizer, std::int32_t id) {
  return {id, tokenizer.token(id).value_or(""), tokenizer.token_bytes(id), 0, 0, tokenizer.is_special(id)};
}

std::vector<TokenPiece> token_pieces(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  std::vector<TokenPiece> out;
  out.reserve(ids.size());
  for (std::int32_t id : ids) out.push_back(token_piece(tokenizer, id));
  return out;
}

TokenizerHandle open_tokenizer(const std::string& source) {
  return std::make_shared<const Tokenizer>(Tokenizer::load(inspected_path(source)));
}

TokenizerInfo describe(const Tokenizer& tokenizer) {
  TokenizerInfo info;
  info.file = tokenizer.source();
  info.kind = tokenizer.kind();
  info.vocabulary = tokenizer.vocab_size();
  info.bos = tokenizer.bos_id();
  info.eos = tokenizer.eos_id();
  info.policy = tokenizer.policy();
  for (auto& token : tokenizer.special_tokens()) {
    const bool bos = token.id == info.bos, eos = token.id == info.eos;
    info.special.push_back({token.id, std::move(token.text), bos && eos ? "BOS and EOS" : bos ? "BOS" : eos ? "EOS" : ""});
  }
  info.hash = hex_digits(tokenizer.hash());
  return info;
}

std::vector<TokenPiece> tokenize_text(const Tokenizer& tokenizer, const std::string& text, bool add_special) {
  auto pieces = token_pieces(tokenizer, tokenizer.encode(text, add_special));
  place(pieces, text);
  return pieces;
}

}  // namespace engine
