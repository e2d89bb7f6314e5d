#pragma once
/// Checks a SentencePiece model (tokenizer.model, a protocol buffer) before libsentencepiece sees it: the library
/// trusts the tables of its file.

#include <cstdint>
#include <string>
#include <string_view>

namespace engine {

struct SentencePieceFile {
  bool unigram = false;  ///< else byte-pair encoding
  std::int64_t pieces = 0;
  /// The parts that are needed to encode (pieces, trainer and normaliser settings), in the file's own bytes.
  std::string model;
};

/// Throws InputError "<source>: <what>" for bytes that are no SentencePiece model, for a kind other than unigram and
/// BPE, and for pieces, scores or normalisation tables that would make the library read outside of them.
SentencePieceFile check_sentence_piece(std::string_view bytes, const std::string& source);

}  // namespace engine
