#include "engine/data/task_requests.h"

#include <algorithm>
#include <string>

#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

std::vector<std::int32_t> encode_default(const Tokenizer& tokenizer, std::string_view text) {
  bool add_special = true;
  if (const auto bos = tokenizer.bos_id()) {
    const auto word = tokenizer.token(*bos);
    if (word && !word->empty() && text.starts_with(*word)) add_special = false;
  }
  return tokenizer.encode(text, add_special);
}

std::int32_t prefix_token(const Tokenizer& tokenizer) {
  if (const auto bos = tokenizer.bos_id()) return *bos;
  if (const auto eos = tokenizer.eos_id()) return *eos;
  throw InputError(tokenizer.source() +
                   ": an empty context needs a BOS or EOS token, the tokenizer names neither");
}

TokenRequest joined(std::vector<std::int32_t> context, std::span<const std::int32_t> continuation,
                    std::size_t max_length) {
  TokenRequest out;
  const std::size_t first = context.size();
  out.tokens = std::move(context);
  out.tokens.insert(out.tokens.end(), continuation.begin(), continuation.end());
  const std::size_t cut =
      out.tokens.size() > max_length + 1 ? out.tokens.size() - max_length - 1 : 0;
  out.tokens.erase(out.tokens.begin(), out.tokens.begin() + static_cast<std::ptrdiff_t>(cut));
  out.dropped_context = std::min(cut, first);
  // The first token fed is predicted from nothing, so it cannot be scored.
  out.first_scored = cut < first ? first - cut : 1;
  out.unscored = cut < first ? 0 : std::min(cut - first + 1, continuation.size());
  return out;
}

std::size_t without_trailing_space(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t at = end;
    const char32_t c = previous_code_point(text, at);
    if (!is_unicode_space(c) && !(c >= 0x1C && c <= 0x1F)) break;
    end = at;
  }
  return end;
}

}  // namespace

TokenRequest token_request(const Tokenizer& tokenizer, std::string_view context,
                           std::string_view continuation, std::size_t max_length) {
  if (context.empty()) {
    const std::int32_t prefix = prefix_token(tokenizer);
    auto tokens = tokenizer.encode(continuation, false);
    if (!tokens.empty() && tokens.front() == prefix) tokens.erase(tokens.begin());
    return joined({prefix}, tokens, max_length);
  }
  const std::size_t end = without_trailing_space(context);
  const std::string whole = std::string(context) + std::string(continuation);
  const auto whole_tokens = encode_default(tokenizer, whole);
  auto context_tokens = encode_default(tokenizer, context.substr(0, end));
  const auto skip = std::min(context_tokens.size(), whole_tokens.size());
  const auto tokens = std::span(whole_tokens).subspan(skip);
  // White space alone may leave no context token; then the prefix stands in, as for an empty
  // context.
  if (context_tokens.empty()) context_tokens = {prefix_token(tokenizer)};
  return joined(std::move(context_tokens), tokens, max_length);
}

std::vector<TokenRequest> rolling_requests(const Tokenizer& tokenizer, std::string_view text,
                                           std::size_t max_length) {
  std::vector<TokenRequest> out;
  const auto tokens = encode_default(tokenizer, text);
  if (tokens.empty() || max_length == 0) return out;
  const auto part = [&](std::size_t begin, std::size_t end) {
    return std::vector<std::int32_t>(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                     tokens.begin() + static_cast<std::ptrdiff_t>(end));
  };
  std::size_t done = std::min(max_length, tokens.size());
  out.push_back(joined({prefix_token(tokenizer)}, std::span(tokens).first(done), max_length));
  while (done < tokens.size()) {
    const std::size_t count = std::min(tokens.size() - done, max_length);
    const std::size_t end = done + count;
    TokenRequest request;
    request.tokens = part(end - max_length - 1, end);
    request.first_scored = request.tokens.size() - count;
    out.push_back(std::move(request));
    done = end;
  }
  return out;
}

std::vector<std::int32_t> encode_prompt(const Tokenizer& tokenizer, std::string_view prompt) {
  auto tokens = encode_default(tokenizer, prompt);
  if (tokens.empty()) tokens.push_back(prefix_token(tokenizer));
  return tokens;
}

}  // namespace engine
