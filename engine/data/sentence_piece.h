#pragma once
/// A SentencePiece model, run by libsentencepiece.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

/// Immutable, thread-safe. A word is a stretch of text between added tokens.
class SentencePiece {
 public:
  enum class Prefix {
    model,  ///< as the model's own settings say, before each stretch (transformers' "legacy" tokenizers)
    first,  ///< a space mark before the first stretch where it does not begin with one
    never
  };
  /// `bytes` of a tokenizer.model. Throws InputError naming `source`.
  SentencePiece(std::string_view bytes, const std::string& source, Prefix prefix);
  ~SentencePiece();
  SentencePiece(SentencePiece&&) noexcept;

  /// Appends the ids of a stretch of valid UTF-8; `at_start`: it begins where the whole text begins.
  void encode(std::string_view text, bool at_start, std::vector<std::int32_t>& ids) const;

  const std::vector<std::string>& pieces() const { return pieces_; }  ///< by id, as written
  std::vector<std::int32_t> control() const;                          ///< ids of control and unknown pieces
  bool unigram() const { return unigram_; }
  bool adds_prefix() const { return adds_prefix_; }  ///< some text gets a space mark that decoding takes away
  std::int32_t bos() const, eos() const;             ///< −1: none

 private:
  struct Library;
  std::unique_ptr<Library> library_;
  std::vector<std::string> pieces_;
  Prefix prefix_;
  bool unigram_ = false, adds_prefix_ = true;
};

}  // namespace engine
