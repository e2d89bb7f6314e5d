#include <algorithm>
#include <unordered_set>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/mapped_file.h"
#include "engine/data/tokenizer.h"
#include "engine/data/tokenizer_parts.h"
#include "engine/error.h"

namespace engine {
namespace {

constexpr std::size_t k_max_added_tokens = 100'000;
constexpr std::size_t k_max_frame = 64;

void read_added(const JsonView& root, TokenizerParts& parts) {
  const TokenModel& model = parts.model;
  const Normalizer& normalizer = parts.normalizer;
  std::vector<AddedToken> tokens;
  std::vector<std::string> normalized;
  const auto list = root.find("added_tokens");
  if (!list) return set_added(parts, {}, {});
  if (list->is_array() && list->raw().size() > k_max_added_tokens)
    list->fail("more than 100000 added tokens");
  // The reference looks at the written id only to warn: a token is the vocabulary's, or else gets
  // the next free id.
  std::int64_t next = model.vocabulary().size();
  std::unordered_map<std::string, std::int32_t> known;
  for (const auto& item : list->items()) {
    AddedToken token;
    token.content = item.at("content").as_string();
    token_id(item.at("id"));
    if (token.content.empty()) continue;
    const auto in_model = model.vocabulary().id(token.content);
    const auto [entry, fresh] =
        known.emplace(token.content, in_model.value_or(static_cast<std::int32_t>(next)));
    token.id = entry->second;
    next = std::max(next, std::int64_t{token.id} + 1);
    if (next > k_max_token_id) item.fail("more than " + std::to_string(k_max_token_id) + " tokens");
    token.single_word = item.bool_or("single_word", false);
    token.lstrip = item.bool_or("lstrip", false);
    token.rstrip = item.bool_or("rstrip", false);
    token.special = item.bool_or("special", false);
    token.normalized = item.bool_or("normalized", !token.special);
    normalized.push_back(token.normalized ? normalizer.apply(token.content) : "");
    tokens.push_back(std::move(token));
  }
  set_added(parts, std::move(tokens), normalized);
}

void add_template(const JsonView& view, Frame& frame) {
  Frame own;
  bool passed = false;
  const JsonView specials = view.at("special_tokens");
  for (const auto& piece : view.at("single").items()) {
    if (piece.has("Sequence")) {
      if (passed) piece.fail("the text may stand once in a template");
      passed = true;
      continue;
    }
    const std::string name = piece.at("SpecialToken").at("id").as_string();
    for (const auto& id : specials.at(name).at("ids").items()) {
      (passed ? own.behind : own.before).push_back(token_id(id));
    }
  }
  if (!passed) view.at("single").fail("expected the text (Sequence) in the template");
  frame.before.insert(frame.before.begin(), own.before.begin(), own.before.end());
  frame.behind.insert(frame.behind.end(), own.behind.begin(), own.behind.end());
  if (frame.before.size() + frame.behind.size() > k_max_frame)
    view.fail("more than 64 special tokens around a text");
}

/// ["[CLS]", 101]
std::int32_t pair_id(const JsonView& view) {
  const auto pair = view.items();
  if (pair.size() != 2) view.fail("expected a token and its id");
  return token_id(pair[1]);
}

void add_post_processor(const JsonView& view, Frame& frame, int depth) {
  const std::string& type = view.at("type").as_string();
  if (type == "ByteLevel") return;  // changes offsets only
  if (type == "TemplateProcessing") return add_template(view, frame);
  if (type == "Sequence") {
    if (depth > 8) view.fail("sequences nested too deeply");
    for (const auto& item : view.at("processors").items())
      add_post_processor(item, frame, depth + 1);
  } else if (type == "BertProcessing" || type == "RobertaProcessing") {
    frame.before.insert(frame.before.begin(), pair_id(view.at("cls")));
    frame.behind.push_back(pair_id(view.at("sep")));
  } else {
    view.fail("post-processor \"" + type.substr(0, 60) + "\" is not supported");
  }
}

std::optional<std::int32_t> named_token(const JsonView& config, const char* key, const TokenizerParts& parts) {
  const auto text = special_text(config, key);
  return text ? parts.id(*text) : std::nullopt;
}

/// transformers 5 (unlike 4) leaves these two flags alone where there is a tokenizer.json, whose post-processor decides.
void note_flags(const JsonView& config, TokenizerParts& parts) {
  const auto differs = [&](const char* key, std::optional<std::int32_t> token, const std::vector<std::int32_t>& frame) {
    const bool adds = token && std::count(frame.begin(), frame.end(), *token) > 0;
    return config.bool_or(key, adds) != adds;
  };
  const bool bos = differs("add_bos_token", parts.bos, parts.frame.before);
  const bool eos = differs("add_eos_token", parts.eos, parts.frame.behind);
  if (!bos && !eos) return;
  parts.policy_note = std::string(bos ? "add_bos_token" : "") + (bos && eos ? " and " : "") + (eos ? "add_eos_token" : "") +
                      " of tokenizer_config.json not followed, as in transformers 5: tokenizer.json decides";
}

std::shared_ptr<TokenizerParts> build(std::string_view text, const std::string& source) {
  const JsonDocument document = parse_json_document(text, source);
  const JsonView root = document.view();
  const JsonView model = root.at("model");
  auto parts = std::make_shared<TokenizerParts>(TokenModel(model), source, XXH3_64bits(text.data(), text.size()));
  if (const auto view = root.find("normalizer")) parts->normalizer = Normalizer(*view);
  if (const auto view = root.find("pre_tokenizer")) parts->pre_tokenizer = PreTokenizer(*view);
  if (const auto view = root.find("post_processor")) add_post_processor(*view, parts->frame, 0);
  if (const auto view = root.find("decoder")) parts->decoder = TokenDecoder(*view);
  read_added(root, *parts);
  for (const auto* ids : {&parts->frame.before, &parts->frame.behind}) {
    for (const std::int32_t id : *ids) {
      if (!parts->added_token(id) && !parts->model.vocabulary().text(id))
        root.at("post_processor")
            .fail("the special token " + std::to_string(id) + " is neither in the vocabulary nor among the added tokens");
    }
  }
  return parts;
}

}  // namespace

std::int32_t token_id(const JsonView& view) {
  return static_cast<std::int32_t>(view.as_integer(0, k_max_token_id));
}

std::optional<std::string> special_text(const JsonView& config, const char* key) {
  const auto view = config.find(key);
  if (!view) return std::nullopt;
  return view->is_object() ? view->at("content").as_string() : view->as_string();
}

void apply_config(const JsonView& config, TokenizerParts& parts) {
  if (!config.is_object()) config.fail("expected an object");
  parts.bos = named_token(config, "bos_token", parts);
  parts.eos = named_token(config, "eos_token", parts);
  if (const auto length = config.find("model_max_length")) {
    // Unlimited models say 10^30, which is no integer any more.
    const double tokens = length->as_number();
    if (tokens >= 1 && tokens < 2147483648.0)
      parts.model_max_length = static_cast<std::int64_t>(tokens);
  }
}

void set_added(TokenizerParts& parts, std::vector<AddedToken> added, const std::vector<std::string>& normalized_contents) {
  std::unordered_set<std::string> specials;
  for (const auto& token : added)
    if (token.special) specials.insert(token.content);
  for (std::size_t i = 0; i < added.size(); ++i) {
    added[i].shown = added[i].normalized ? normalized_contents[i] : added[i].content;
    added[i].skipped = specials.count(added[i].shown) > 0;
  }
  parts.added = {std::move(added), normalized_contents};
  parts.vocab_size = parts.model.vocabulary().end_id();
  const auto& tokens = parts.added.tokens();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    parts.added_by_id.emplace(tokens[i].id, i);
    parts.vocab_size = std::max<std::int64_t>(parts.vocab_size, std::int64_t{tokens[i].id} + 1);
  }
}

void seal(TokenizerParts& parts) {
  std::vector<std::int32_t> frame = parts.frame.before;
  frame.push_back(-1);
  frame.insert(frame.end(), parts.frame.behind.begin(), parts.frame.behind.end());
  parts.hash = XXH3_64bits_withSeed(frame.data(), frame.size() * sizeof frame[0], parts.hash);
}

Tokenizer Tokenizer::parse(std::string_view tokenizer_json, std::string_view config,
                           const std::string& source) {
  auto parts = build(tokenizer_json, source);
  if (!config.empty()) {
    const auto document = parse_json_document(config, source + ": configuration", k_config_limits);
    apply_config(document.view(), *parts);
    note_flags(document.view(), *parts);
  } else if (parts->frame.before.size() == 1) {
    parts->bos = parts->frame.before.front();
  }
  seal(*parts);
  return Tokenizer(std::move(parts));
}

Tokenizer Tokenizer::parse_model(std::string_view tokenizer_model, std::string_view config, const std::string& source) {
  return Tokenizer(parse_sentence_piece(tokenizer_model, config, "", "", source));
}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  const auto folder = is_folder ? path : path.parent_path();
  auto file = is_folder ? path / "tokenizer.json" : path;
  if (is_folder && !std::filesystem::exists(file, ignored)) {
    file = path / "tokenizer.model";
    if (!std::filesystem::exists(file, ignored))
      throw InputError(path.string() + ": expected a tokenizer.json or a tokenizer.model in the folder");
  }
  if (file.extension() == ".model") return Tokenizer(load_sentence_piece(file));
  const MappedFile mapped(file);
  auto parts = build(mapped.text(), file.string());
  const auto beside = [&](const char* name) {
    const auto path_beside = folder / name;
    return std::filesystem::exists(path_beside, ignored) ? read_json(path_beside, k_config_limits) : JsonDocument{};
  };
  const JsonDocument config = beside("tokenizer_config.json"), map = beside("special_tokens_map.json");
  if (config.root) apply_config(config.view(), *parts);
  if (map.root && !parts->bos) parts->bos = named_token(map.view(), "bos_token", *parts);
  if (map.root && !parts->eos) parts->eos = named_token(map.view(), "eos_token", *parts);
  if (!config.root && !map.root && parts->frame.before.size() == 1) parts->bos = parts->frame.before.front();
  if (config.root) note_flags(config.view(), *parts);
  seal(*parts);
  return Tokenizer(std::move(parts));
}

}  // namespace engine
