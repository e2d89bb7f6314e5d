#include "engine/data/sentence_piece.h"

#include <sentencepiece_processor.h>

#include "engine/data/sentence_piece_file.h"
#include "engine/error.h"

namespace engine {
namespace {

constexpr std::string_view k_mark = "\xE2\x96\x81";  // ▁, how a space is written in pieces

// Protocol buffers merge what is appended: normalizer_spec { add_dummy_prefix: false }.
constexpr std::string_view k_no_prefix("\x1A\x02\x18\x00", 4);

}  // namespace

struct SentencePiece::Library {
  sentencepiece::SentencePieceProcessor processor;
};

SentencePiece::SentencePiece(std::string_view bytes, const std::string& source, Prefix prefix)
    : library_(std::make_unique<Library>()), prefix_(prefix) {
  SentencePieceFile file = check_sentence_piece(bytes, source);
  unigram_ = file.unigram;
  if (prefix != Prefix::model) file.model += k_no_prefix;
  auto& processor = library_->processor;
  std::string why;
  try {
    const auto status = processor.LoadFromSerializedProto({file.model.data(), file.model.size()});
    if (!status.ok()) why = status.ToString();
  } catch (const std::exception& error) {  // its search trees throw
    why = error.what();
  }
  if (!why.empty()) throw InputError(source + ": not a usable SentencePiece model: " + why);
  for (int id = 0; id < processor.GetPieceSize(); ++id) pieces_.push_back(processor.IdToPiece(id));
  if (prefix != Prefix::model) {
    adds_prefix_ = prefix == Prefix::first;
  } else {
    // Its settings are not to be had from the library; what it does with a letter tells.
    std::vector<std::string> found;
    adds_prefix_ = processor.Encode("a", &found).ok() && !found.empty() && found.front().starts_with(k_mark);
  }
}

SentencePiece::~SentencePiece() = default;
SentencePiece::SentencePiece(SentencePiece&&) noexcept = default;

void SentencePiece::encode(std::string_view text, bool at_start, std::vector<std::int32_t>& ids) const {
  std::string marked;
  if (prefix_ == Prefix::first && at_start && !text.starts_with(' ') && !text.starts_with(k_mark)) {
    marked = std::string(k_mark) + std::string(text);
    text = marked;
  }
  std::vector<int> found;
  const auto status = library_->processor.Encode({text.data(), text.size()}, &found);
  if (!status.ok()) throw InputError("SentencePiece cannot encode the text: " + status.ToString());
  ids.insert(ids.end(), found.begin(), found.end());
}

std::vector<std::int32_t> SentencePiece::control() const {
  std::vector<std::int32_t> ids;
  for (int id = 0; id < static_cast<int>(pieces_.size()); ++id)
    if (library_->processor.IsControl(id) || library_->processor.IsUnknown(id)) ids.push_back(id);
  return ids;
}

std::int32_t SentencePiece::bos() const { return library_->processor.bos_id(); }
std::int32_t SentencePiece::eos() const { return library_->processor.eos_id(); }

}  // namespace engine
