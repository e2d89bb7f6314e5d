#include <algorithm>
#include <map>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/data/mapped_file.h"
#include "engine/data/tokenizer_parts.h"
#include "engine/error.h"

namespace engine {
namespace {

constexpr std::size_t k_max_added_tokens = 100'000;

/// The files beside a tokenizer.model; null where there is none.
struct Beside {
  JsonDocument config, special_map, added;
  std::optional<JsonView> view(const JsonDocument& document) const {
    return document.root ? std::optional(document.view()) : std::nullopt;
  }
};

void refuse_other_classes(const JsonView& config) {
  const std::string name = config.string_or("tokenizer_class", "LlamaTokenizer");
  for (const char* known :
       {"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"})
    if (name.starts_with(known)) return;
  config.at("tokenizer_class")
      .fail("\"" + name.substr(0, 60) +
            "\" with a tokenizer.model is not supported; expected LlamaTokenizer "
            "or GemmaTokenizer (or a tokenizer.json in the folder)");
}

SentencePiece::Prefix prefix_of(const std::optional<JsonView>& config) {
  if (!config || config->string_or("tokenizer_class", "").starts_with("Gemma")) return SentencePiece::Prefix::model;
  if (!config->bool_or("add_prefix_space", true)) return SentencePiece::Prefix::never;
  return config->bool_or("legacy", true) ? SentencePiece::Prefix::model : SentencePiece::Prefix::first;
}

/// The pieces by name, for the way back from ids to text.
TokenModel names_of(const SentencePiece& sentence_piece, const std::string& source) {
  Json vocab = Json::object();
  const auto& pieces = sentence_piece.pieces();
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    Json& own = vocab[pieces[id]];
    if (!own.is_null())
      throw InputError(source + ": piece " + std::to_string(id) + ": the text of piece " + own.dump() + ", too");
    own = id;
  }
  const Json model{{"type", "WordLevel"}, {"vocab", std::move(vocab)}};
  return TokenModel(JsonView(model, source));
}

Json decoder_of(bool strips_prefix) {
  Json steps = Json::parse(
      R"([{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}])");
  if (strips_prefix) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

/// Added tokens by text, so that each file may say more of one that is known.
class AddedList {
 public:
  explicit AddedList(const TokenizerParts& parts) : parts_(parts) {}

  /// added_tokens_decoder of a tokenizer_config.json: id -> {content, lstrip, ...}.
  void read_decoder(const JsonView& decoder) {
    for (const auto& [text, view] : decoder.fields()) {
      std::int64_t id = 0;
      for (const char c : text.substr(0, 8)) {
        if (c < '0' || c > '9') view.fail("expected a token id as the key");
        id = id * 10 + (c - '0');
      }
      AddedToken& token = put(view.at("content").as_string(), id, view);
      token.single_word = view.bool_or("single_word", false);
      token.lstrip = view.bool_or("lstrip", false);
      token.rstrip = view.bool_or("rstrip", false);
      token.special = view.bool_or("special", false);
    }
  }
  /// added_tokens.json: text -> id.
  void read_plain(const JsonView& added) {
    for (const auto& [text, view] : added.fields()) put(text, token_id(view), view);
  }
  /// Marks a token that is known or in the vocabulary as special.
  void mark_special(const std::string& text) {
    if (const auto found = tokens_.find(text); found != tokens_.end()) {
      found->second.special = true;
    } else if (const auto id = parts_.model.vocabulary().id(text)) {
      tokens_[text] = {.id = *id, .content = text, .special = true};
    }
  }
  void mark_named(const JsonView& config) {
    for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token", "mask_token"})
      if (const auto text = special_text(config, key)) mark_special(*text);
    const auto more = config.find("additional_special_tokens");
    if (!more || !more->is_array()) return;
    for (const auto& item : more->items())
      mark_special(item.is_object() ? item.at("content").as_string() : item.as_string());
  }
  bool empty() const { return tokens_.empty(); }
  std::vector<AddedToken> take() {
    std::vector<AddedToken> out;
    for (auto& [text, token] : tokens_) out.push_back(std::move(token));
    return out;
  }

 private:
  AddedToken& put(const std::string& text, std::int64_t id, const JsonView& view) {
    if (text.empty()) view.fail("expected a text for the token");
    if (id > k_max_token_id) view.fail("expected an id of at most " + std::to_string(k_max_token_id));
    const auto in_model = parts_.model.vocabulary().id(text);
    if (!in_model && parts_.model.vocabulary().text(static_cast<std::int32_t>(id)))
      view.fail("id " + std::to_string(id) + " belongs to the piece \"" +
                parts_.model.vocabulary().text(static_cast<std::int32_t>(id))->substr(0, 60) + "\"");
    if (tokens_.size() >= k_max_added_tokens) view.fail("more than 100000 added tokens");
    AddedToken& token = tokens_[text];
    token.content = text;
    token.id = in_model.value_or(static_cast<std::int32_t>(id));
    return token;
  }

  const TokenizerParts& parts_;
  std::map<std::string, AddedToken> tokens_;
};

void read_specials(const Beside& beside, TokenizerParts& parts) {
  AddedList added(parts);
  const auto config = beside.view(beside.config), map = beside.view(beside.special_map),
             plain = beside.view(beside.added);
  if (plain) added.read_plain(*plain);
  if (config)
    if (const auto decoder = config->find("added_tokens_decoder")) added.read_decoder(*decoder);
  for (const auto& view : {config, map})
    if (view) added.mark_named(*view);
  // Nobody says: the model's own.
  if (added.empty())
    for (const std::int32_t id : parts.sentence_piece->control())
      added.mark_special(*parts.model.vocabulary().text(id));
  std::vector<AddedToken> tokens = added.take();
  for (const auto& token : tokens)
    parts.hash = XXH3_64bits_withSeed(token.content.data(), token.content.size(),
                                      parts.hash + static_cast<std::uint64_t>(token.id));
  const std::vector<std::string> unchanged(tokens.size());
  set_added(parts, std::move(tokens), unchanged);
}

void set_frame(const Beside& beside, TokenizerParts& parts) {
  const auto own = [](std::int32_t id) { return id < 0 ? std::nullopt : std::optional(id); };
  const auto config = beside.view(beside.config), map = beside.view(beside.special_map);
  if (config) apply_config(*config, parts);
  const auto named = [&](const char* key) {
    const auto text = map ? special_text(*map, key) : std::nullopt;
    return text ? parts.id(*text) : std::nullopt;
  };
  if (!parts.bos) parts.bos = named("bos_token");
  if (!parts.eos) parts.eos = named("eos_token");
  if (!parts.bos) parts.bos = own(parts.sentence_piece->bos());
  if (!parts.eos) parts.eos = own(parts.sentence_piece->eos());
  // The Llama class: BOS unless told otherwise.
  parts.frame = {};
  if ((!config || config->bool_or("add_bos_token", true)) && parts.bos) parts.frame.before = {*parts.bos};
  if (config && config->bool_or("add_eos_token", false) && parts.eos) parts.frame.behind = {*parts.eos};
}

std::shared_ptr<TokenizerParts> build(std::string_view model, const Beside& beside, const std::string& source) {
  // Llama 3's own files carry this name and another format: lines of base64 and a rank.
  if (model.starts_with("IQ== "))
    throw InputError(source +
                     ": a tiktoken vocabulary, no SentencePiece model; put the model's tokenizer.json into the folder");
  const auto config = beside.view(beside.config);
  if (config && !config->is_object()) config->fail("expected an object");
  if (config) refuse_other_classes(*config);
  const auto prefix = prefix_of(config);
  auto sentence_piece = std::make_unique<const SentencePiece>(model, source, prefix);
  const std::uint64_t hash = XXH3_64bits_withSeed(model.data(), model.size(), static_cast<std::uint64_t>(prefix));
  auto parts = std::make_shared<TokenizerParts>(names_of(*sentence_piece, source), source, hash);
  parts->decoder = TokenDecoder(JsonView(decoder_of(sentence_piece->adds_prefix()), source));
  parts->sentence_piece = std::move(sentence_piece);
  read_specials(beside, *parts);
  set_frame(beside, *parts);
  seal(*parts);
  return parts;
}

}  // namespace

std::shared_ptr<TokenizerParts> parse_sentence_piece(std::string_view model, std::string_view config,
                                                     std::string_view special_map, std::string_view added_tokens,
                                                     const std::string& source) {
  const auto parsed = [&](std::string_view text, const char* name) {
    return text.empty() ? JsonDocument{} : parse_json_document(text, source + ": " + name, k_config_limits);
  };
  return build(
      model,
      {parsed(config, "configuration"), parsed(special_map, "special tokens"), parsed(added_tokens, "added tokens")},
      source);
}

std::shared_ptr<TokenizerParts> load_sentence_piece(const std::filesystem::path& file) {
  const auto read = [&](const char* name) {
    std::error_code ignored;
    const auto path = file.parent_path() / name;
    return std::filesystem::exists(path, ignored) ? read_json(path, k_config_limits) : JsonDocument{};
  };
  const MappedFile mapped(file);
  return build(mapped.text(),
               {read("tokenizer_config.json"), read("special_tokens_map.json"), read("added_tokens.json")},
               file.string());
}

}  // namespace engine
