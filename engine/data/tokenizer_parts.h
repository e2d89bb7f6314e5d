#pragma once
/// What a Tokenizer is made of; private to tokenizer*.cpp.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/data/added_tokens.h"
#include "engine/data/bpe.h"
#include "engine/data/json.h"
#include "engine/data/normalizer.h"
#include "engine/data/pretokenizer.h"
#include "engine/data/sentence_piece.h"
#include "engine/data/token_decoder.h"

namespace engine {

/// The special tokens put before and behind a text.
struct Frame {
  std::vector<std::int32_t> before, behind;
};

struct TokenizerParts {
  TokenizerParts(TokenModel token_model, std::string file, std::uint64_t content_hash)
      : instance(next_instance()), source(std::move(file)), hash(content_hash), model(std::move(token_model)) {}

  std::uint64_t instance;  ///< unique in the process; keys the threads' caches
  std::string source;
  std::uint64_t hash;
  TokenModel model;                                     ///< of a SentencePiece model: the names of its pieces alone
  std::unique_ptr<const SentencePiece> sentence_piece;  ///< encodes in place of `model` where not null
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  AddedTokens added;
  TokenDecoder decoder;
  Frame frame;
  std::unordered_map<std::int32_t, std::size_t> added_by_id;  ///< index into added.tokens()
  std::optional<std::int32_t> bos, eos;
  std::optional<std::int64_t> model_max_length;
  std::int64_t vocab_size = 0;
  std::string policy_note;  ///< where a setting is not followed

  const AddedToken* added_token(std::int32_t id) const {
    const auto it = added_by_id.find(id);
    return it == added_by_id.end() ? nullptr : &added.tokens()[it->second];
  }
  std::optional<std::int32_t> id(std::string_view token) const;

 private:
  static std::uint64_t next_instance() {
    static std::atomic<std::uint64_t> counter{0};
    return ++counter;
  }
};

// ---- steps of loading, shared by tokenizer.json and tokenizer.model ----

/// A token id written in a file. Throws InputError.
std::int32_t token_id(const JsonView& view);
/// A special token as the configuration files write it, "<s>" or {"content": "<s>", ...}: its text; nothing where absent.
std::optional<std::string> special_text(const JsonView& config, const char* key);
/// BOS, EOS and longest input from a tokenizer_config.json.
void apply_config(const JsonView& config, TokenizerParts& parts);
/// Sets the added tokens and what follows from them.
void set_added(TokenizerParts& parts, std::vector<AddedToken> tokens, const std::vector<std::string>& normalized_contents);
/// The frame changes ids, so it belongs to the hash. The last step.
void seal(TokenizerParts& parts);
/// A tokenizer.model with the settings of tokenizer_config.json, special_tokens_map.json and added_tokens.json beside it.
std::shared_ptr<TokenizerParts> load_sentence_piece(const std::filesystem::path& file);
/// The same from texts in memory; empty: there is no such file.
std::shared_ptr<TokenizerParts> parse_sentence_piece(std::string_view model, std::string_view config, std::string_view special_map,
                                                     std::string_view added_tokens, const std::string& source);

}  // namespace engine
