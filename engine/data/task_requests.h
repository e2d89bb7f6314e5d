#pragma once
/// From strings to token requests, as the LM Evaluation Harness cuts them.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/data/tokenizer.h"

namespace engine {

/// What a model is to be fed and which tokens are scored. Feed `tokens` without the last one; the
/// prediction for tokens[i] stands at position i-1. Scored: tokens[first_scored ...], first_scored
/// >= 1.
struct TokenRequest {
  std::vector<std::int32_t> tokens;
  std::size_t first_scored = 1;
  std::size_t dropped_context = 0;  ///< tokens cut off on the left
  std::size_t unscored = 0;  ///< continuation tokens that no longer fit (the harness aborts there)
};

/// One context and continuation. White space at the context's end moves to the continuation; both
/// are encoded as one string and the context alone; the continuation is what lies behind the
/// context's length. Special tokens as the tokenizer adds them, unless the string begins with BOS's
/// text. An empty context becomes BOS, else EOS, else the call throws InputError. At most
/// `max_length` (>= 1) tokens are fed; more are cut from the left.
TokenRequest token_request(const Tokenizer& tokenizer, std::string_view context,
                           std::string_view continuation, std::size_t max_length);

/// A whole text in windows of `max_length`, each token scored once: the first window starts from
/// the prefix token (BOS, else EOS), later ones from one token of context, the last is filled up on
/// the left. Empty for a text without tokens.
std::vector<TokenRequest> rolling_requests(const Tokenizer& tokenizer, std::string_view text,
                                           std::size_t max_length);

/// A prompt to be continued, with the tokenizer's own special tokens unless it begins with the BOS text; BOS or EOS for an
/// empty one.
std::vector<std::int32_t> encode_prompt(const Tokenizer& tokenizer, std::string_view prompt);

}  // namespace engine
