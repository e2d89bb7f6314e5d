#include "engine/data/token_decoder.h"

#include <algorithm>

#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

std::string join(const std::vector<std::string>& tokens, const char* separator) {
  std::string out;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out += separator;
    out += tokens[i];
  }
  return out;
}

/// The byte of "<0x41>", or -1. Signs and short forms are no byte.
int byte_of(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (int i = 3; i < 5; ++i) {
    const char c = token[static_cast<std::size_t>(i)];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void join_bytes(std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  std::string bytes;
  const auto flush = [&] {
    if (is_valid_utf8(bytes)) {
      if (!bytes.empty()) out.push_back(bytes);
    } else {
      for (std::size_t i = 0; i < bytes.size(); ++i) out.push_back("\xEF\xBF\xBD");
    }
    bytes.clear();
  };
  for (auto& token : tokens) {
    const int byte = byte_of(token);
    if (byte >= 0) {
      bytes += static_cast<char>(byte);
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(out);
}

std::string letters_to_bytes(const std::string& token) {
  std::string out;
  for (std::size_t at = 0; at < token.size();) {
    const int byte = letter_to_byte(next_code_point(token, at));
    if (byte < 0) return token;  // an added token with other letters stands for itself
    out += static_cast<char>(byte);
  }
  return out;
}

std::string strip(const std::string& token, const std::string& character, std::int64_t start,
                  std::int64_t stop) {
  std::size_t begin = 0, end = token.size();
  for (std::int64_t i = 0; i < start && token.compare(begin, character.size(), character) == 0;
       ++i) {
    begin += character.size();
  }
  for (std::int64_t i = 0; i < stop && end >= begin + character.size() &&
                           token.compare(end - character.size(), character.size(), character) == 0;
       ++i) {
    end -= character.size();
  }
  return token.substr(begin, end - begin);
}

}  // namespace

TokenDecoder::TokenDecoder(const JsonView& view) { add(view, 0); }

void TokenDecoder::add(const JsonView& view, int depth) {
  const std::string& type = view.at("type").as_string();
  Step step;
  const auto one_character = [&](const char* key, const char* fallback) {
    step.content = view.string_or(key, fallback);
    if (count_code_points(step.content) != 1) view.at(key).fail("expected one character");
  };
  if (type == "Sequence") {
    if (depth > 8) view.fail("sequences nested too deeply");
    for (const auto& item : view.at("decoders").items()) add(item, depth + 1);
    return;
  }
  if (type == "ByteLevel") {
    step.kind = Kind::byte_level;
  } else if (type == "Replace") {
    step.kind = Kind::replace;
    step.pattern.emplace_back(view.at("pattern"));
    step.content = view.at("content").as_string();
  } else if (type == "ByteFallback") {
    step.kind = Kind::byte_fallback;
  } else if (type == "Fuse") {
    step.kind = Kind::fuse;
  } else if (type == "Strip") {
    step.kind = Kind::strip;
    one_character("content", " ");
    step.start = view.integer_or("start", 0, 0, 1 << 20);
    step.stop = view.integer_or("stop", 0, 0, 1 << 20);
  } else if (type == "Metaspace") {
    step.kind = Kind::metaspace;
    one_character("replacement", "\xE2\x96\x81");
    step.drop_first =
        view.string_or("prepend_scheme",
                       view.bool_or("add_prefix_space", true) ? "always" : "never") != "never";
  } else {
    view.fail("decoder \"" + type.substr(0, 60) + "\" is not supported");
  }
  if (steps_.size() == k_max_steps) view.fail("more than 64 decoders");
  steps_.push_back(std::move(step));
}

void TokenDecoder::apply(const Step& step, std::vector<std::string>& tokens) {
  switch (step.kind) {
    case Kind::byte_level: {
      std::string bytes;
      for (const auto& token : tokens) bytes += letters_to_bytes(token);
      tokens = {utf8_lossy(bytes)};
      return;
    }
    case Kind::replace:
      for (auto& token : tokens) token = step.pattern.front().replace(token, step.content);
      return;
    case Kind::byte_fallback:
      return join_bytes(tokens);
    case Kind::fuse:
      tokens = {join(tokens, "")};
      return;
    case Kind::strip:
      for (auto& token : tokens) token = strip(token, step.content, step.start, step.stop);
      return;
    case Kind::metaspace: {
      const Json pattern = Json::object({{"String", step.content}});
      const Pattern mark{JsonView(pattern, "")};
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] = mark.replace(tokens[i], i == 0 && step.drop_first ? "" : " ");
      }
      return;
    }
  }
}

std::string TokenDecoder::decode(std::vector<std::string> tokens) const {
  if (steps_.empty()) return join(tokens, " ");
  const auto size = [&] {
    std::size_t sum = 0;
    for (const auto& token : tokens) sum += token.size();
    return sum;
  };
  const std::size_t most = std::max(std::size_t{1} << 20, 100 * size());
  for (const Step& step : steps_) {
    apply(step, tokens);
    if (step.kind == Kind::replace && size() > most)
      throw InputError("the tokenizer's decoders make the text more than a hundred times as long");
  }
  return join(tokens, "");
}

std::string TokenDecoder::bytes_of(const std::string& token) const {
  std::string text = token;
  for (const Step& step : steps_) {
    if (step.kind == Kind::byte_level) {
      text = letters_to_bytes(text);
    } else if (step.kind == Kind::byte_fallback) {
      if (const int byte = byte_of(text); byte >= 0) return std::string(1, static_cast<char>(byte));
    } else if (step.kind == Kind::replace) {
      text = step.pattern.front().replace(text, step.content);
    } else if (step.kind == Kind::metaspace) {
      const Json pattern = Json::object({{"String", step.content}});
      text = Pattern{JsonView(pattern, "")}.replace(text, " ");
    }
  }
  return text;
}

}  // namespace engine
