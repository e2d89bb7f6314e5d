#pragma once
/// What a Tokenizer is made of; private to tokenizer*.cpp.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/data/added_tokens.h"
#include "engine/data/bpe.h"
#include "engine/data/json.h"
#include "engine/data/normalizer.h"
#include "engine/data/pretokenizer.h"
#include "engine/data/token_decoder.h"

namespace engine {

/// The special tokens put before and behind a text.
struct Frame {
  std::vector<std::int32_t> before, behind;
};

struct TokenizerParts {
  std::uint64_t instance = 0;  ///< unique in the process; keys the threads' caches
  std::string source;
  std::uint64_t hash = 0;
  TokenModel model;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokens added;
  TokenDecoder decoder;
  Frame frame;
  std::unordered_map<std::int32_t, std::size_t> added_by_id;  ///< index into added.tokens()
  std::optional<std::int32_t> bos, eos;
  std::optional<std::int64_t> model_max_length;
  std::int64_t vocab_size = 0;

  const AddedToken* added_token(std::int32_t id) const {
    const auto it = added_by_id.find(id);
    return it == added_by_id.end() ? nullptr : &added.tokens()[it->second];
  }
  std::optional<std::int32_t> id(std::string_view token) const;
};

}  // namespace engine
