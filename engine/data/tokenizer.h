#pragma once
/// Text to token ids and back, as Hugging Face's tokenizers library does it for a `tokenizer.json` and libsentencepiece
/// for a `tokenizer.model`.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

struct TokenizerParts;

/// A loaded tokenizer: an immutable value, cheap to copy (copies share their tables). All members
/// are const and thread-safe; each thread keeps its own small cache of words.
///
/// Understood: models BPE (byte level, byte fallback, ignore_merges, fuse_unk) and WordLevel; added
/// tokens; normalizers NFC NFD NFKC NFKD Lowercase Replace Strip StripAccents Prepend ByteLevel
/// Sequence; pre-tokenizers Split ByteLevel Metaspace Whitespace WhitespaceSplit Digits Punctuation
/// CharDelimiterSplit BertPreTokenizer Sequence; post-processors TemplateProcessing ByteLevel
/// BertProcessing RobertaProcessing Sequence; decoders ByteLevel Replace ByteFallback Fuse Strip
/// Metaspace Sequence. SentencePiece models: unigram and BPE. Anything else is refused by name.
class Tokenizer {
 public:
  /// `path` is a tokenizer.json, a tokenizer.model, or a folder that holds one (the first where it holds both).
  /// tokenizer_config.json, special_tokens_map.json and (for tokenizer.model) added_tokens.json beside it name the
  /// special tokens. Throws InputError with file, JSON pointer and what was expected.
  static Tokenizer load(const std::filesystem::path& path);
  /// The same from texts in memory; `config` is the text of a tokenizer_config.json or empty.
  /// `source` goes into messages.
  static Tokenizer parse(std::string_view tokenizer_json, std::string_view config,
                         const std::string& source);
  /// The same for the bytes of a tokenizer.model.
  static Tokenizer parse_model(std::string_view tokenizer_model, std::string_view config, const std::string& source);

  /// The same tokenizer with BOS in front always, never, or as the tokenizer itself has it: "always", "never",
  /// "tokenizer". Throws InputError where there is no BOS to add.
  Tokenizer with_bos(const std::string& policy) const;

  /// `text` must be UTF-8. With `add_special` the post-processor's tokens (BOS, ...) are added;
  /// special tokens written in the text are recognised either way. Throws InputError for invalid
  /// UTF-8 and where a pattern of the tokenizer takes unreasonably long on the text (about 1.5 s of
  /// processor time for up to 1.5 MB).
  std::vector<std::int32_t> encode(std::string_view text, bool add_special) const;

  /// Always valid UTF-8 (undecodable bytes become U+FFFD). Ids outside the vocabulary are skipped.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const;

  std::int64_t vocab_size() const;  ///< highest id + 1, added tokens included
  std::optional<std::string> token(
      std::int32_t id) const;  ///< as written in the vocabulary ("Ġthe", "▁the")
  std::optional<std::int32_t> id(std::string_view token) const;
  bool is_special(std::int32_t id) const;

  std::optional<std::int32_t> bos_id() const;
  std::optional<std::int32_t> eos_id() const;
  bool adds_bos() const;  ///< encode(..., true) begins with bos_id()
  bool adds_eos() const;  ///< encode(..., true) ends with eos_id()
  std::optional<std::int64_t> model_max_length()
      const;  ///< tokens; nothing where unset or beyond 2^31

  std::string kind() const;    ///< "BPE, byte level", "SentencePiece unigram", ...
  std::string policy() const;  ///< what encode(..., true) adds: "adds BOS <s> (id 1) in front; no EOS"
  struct SpecialToken {
    std::int32_t id;
    std::string text;
  };
  std::vector<SpecialToken> special_tokens() const;  ///< by id
  /// The bytes that a token stands for inside a text: "Ġthe" is " the", "<0xE2>" one byte. May end inside a UTF-8
  /// character. Empty outside the vocabulary.
  std::string token_bytes(std::int32_t id) const;

  const std::string& source() const;  ///< path of the tokenizer.json or tokenizer.model
  std::uint64_t hash()
      const;  ///< XXH3 of tokenizer.json and of the flags that change ids; keys caches

 private:
  enum class Bos { own, always, never };
  explicit Tokenizer(std::shared_ptr<const TokenizerParts> parts) : parts_(std::move(parts)) {}
  std::vector<std::int32_t> front() const;  ///< special tokens before a text

  std::shared_ptr<const TokenizerParts> parts_;
  Bos bos_ = Bos::own;
};

}  // namespace engine
