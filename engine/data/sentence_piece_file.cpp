#include "engine/data/sentence_piece_file.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "engine/data/bpe.h"
#include "engine/data/utf8.h"
#include "engine/error.h"

namespace engine {
namespace {

constexpr std::size_t k_max_file_bytes = std::size_t{64} << 20;
constexpr std::size_t k_max_piece_bytes = 1024;  // the library recurses over a piece's characters

/// One field of a protocol buffer message.
struct Field {
  std::uint32_t number = 0;
  std::uint64_t value = 0;   ///< varints and fixed widths
  std::string_view content;  ///< length-delimited
  std::string_view whole;    ///< tag included
  bool delimited = false;
};

class Message {
 public:
  Message(std::string_view bytes, const std::string& source) : bytes_(bytes), source_(source) {}

  bool next(Field& field) {
    if (at_ == bytes_.size()) return false;
    const std::size_t begin = at_;
    const std::uint64_t tag = varint();
    if (tag >> 3 == 0 || tag >> 3 > UINT32_MAX) fail("not a SentencePiece model");
    field = {static_cast<std::uint32_t>(tag >> 3), 0, {}, {}, false};
    switch (tag & 7) {
      case 0:
        field.value = varint();
        break;
      case 1:
        field.value = fixed(8);
        break;
      case 5:
        field.value = fixed(4);
        break;
      case 2: {
        const std::uint64_t size = varint();
        if (size > bytes_.size() - at_) fail("not a SentencePiece model, or cut off");
        field.content = bytes_.substr(at_, static_cast<std::size_t>(size));
        field.delimited = true;
        at_ += static_cast<std::size_t>(size);
        break;
      }
      default:
        fail("not a SentencePiece model");
    }
    field.whole = bytes_.substr(begin, at_ - begin);
    return true;
  }
  [[noreturn]] void fail(const std::string& what) const { throw InputError(source_ + ": " + what); }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) fail("not a SentencePiece model, or cut off");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    fail("not a SentencePiece model");
  }
  std::uint64_t fixed(std::size_t width) {
    if (width > bytes_.size() - at_) fail("not a SentencePiece model, or cut off");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes_[at_++])} << 8 * i;
    return value;
  }

  std::string_view bytes_;
  const std::string& source_;
  std::size_t at_ = 0;
};

void check_piece(std::string_view bytes, std::int64_t index, const std::string& source) {
  Message message(bytes, source);
  const auto fail = [&](const std::string& what) { message.fail("piece " + std::to_string(index) + ": " + what); };
  bool has_text = false;
  for (Field f; message.next(f);) {
    if (f.number == 1) {
      has_text = f.delimited && !f.content.empty();
      if (f.content.size() > k_max_piece_bytes) fail("longer than 1024 bytes");
      if (!is_valid_utf8(f.content)) fail("not valid UTF-8");
      if (f.content.find('\0') != f.content.npos) fail("a NUL character, which its search tree cannot hold");
    } else if (f.number == 2 && !std::isfinite(std::bit_cast<float>(static_cast<std::uint32_t>(f.value)))) {
      fail("expected a finite score");
    } else if (f.number == 3 && (f.value < 1 || f.value > 6)) {
      fail("unknown type " + std::to_string(f.value));
    }
  }
  if (!has_text) fail("expected a text");
}

/// A normalisation table: the size of a Darts double array, the array, and the texts that its values point at. Walks
/// every state that some input could reach and refuses one that leads outside.
void check_charsmap(std::string_view blob, const std::string& source) {
  const auto refuse = [&] { throw InputError(source + ": the normalisation table is damaged"); };
  if (blob.empty()) return;
  if (blob.size() < 4) refuse();
  const auto word = [&](std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, blob.data() + at, 4);
    return value;
  };
  const std::size_t array_bytes = word(0);
  if (array_bytes % 4 != 0 || array_bytes < 1024 || array_bytes >= blob.size() - 4 || blob.back() != '\0') refuse();
  const std::size_t units = array_bytes / 4, text_bytes = blob.size() - 4 - array_bytes;
  const auto unit = [&](std::size_t i) { return word(4 + 4 * i); };
  const auto offset = [](std::uint32_t u) { return static_cast<std::size_t>(u >> 10) << ((u & (1U << 9)) >> 6); };
  std::vector<bool> seen(units);
  std::vector<std::size_t> open{0};
  seen[0] = true;
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    const std::uint32_t u = unit(at);
    const std::size_t base = at ^ offset(u);
    if ((base | 0xFF) >= units) refuse();
    if ((u >> 8 & 1) != 0 && (unit(base) & 0x7FFFFFFF) >= text_bytes) refuse();  // the value of a word that ends here
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::size_t child = base ^ byte;
      if ((unit(child) & 0x800000FF) != byte || seen[child]) continue;
      seen[child] = true;
      open.push_back(child);
    }
  }
}

void check_normaliser(std::string_view bytes, const std::string& source) {
  Message message(bytes, source);
  for (Field f; message.next(f);)
    if (f.number == 2) check_charsmap(f.content, source);
}

bool is_unigram(std::string_view trainer, bool before, const std::string& source) {
  Message message(trainer, source);
  for (Field f; message.next(f);) {
    if (f.number != 3) continue;
    if (f.value != 1 && f.value != 2)
      message.fail("model type " + std::to_string(f.value) + " is not supported; expected unigram (1) or BPE (2)");
    before = f.value == 1;
  }
  return before;
}

}  // namespace

SentencePieceFile check_sentence_piece(std::string_view bytes, const std::string& source) {
  Message message(bytes, source);
  if (bytes.empty()) message.fail("not a SentencePiece model: empty");
  if (bytes.size() > k_max_file_bytes) message.fail("more than 64 MiB, which no SentencePiece model needs");
  SentencePieceFile out;
  out.unigram = true;  // the format's default
  for (Field f; message.next(f);) {
    if (f.number > 3) continue;
    if (!f.delimited) message.fail("not a SentencePiece model");
    if (f.number == 1) check_piece(f.content, out.pieces++, source);
    if (f.number == 2) out.unigram = is_unigram(f.content, out.unigram, source);
    if (f.number == 3) check_normaliser(f.content, source);
    if (out.pieces > k_max_token_id) message.fail("more than " + std::to_string(k_max_token_id) + " pieces");
    out.model += f.whole;
  }
  if (out.pieces == 0) message.fail("not a SentencePiece model: it has no pieces");
  return out;
}

}  // namespace engine
