#include <fstream>
#include <iterator>

#include "engine/data/tokenizer.h"
#include "engine/data/utf8.h"
#include "engine/error.h"
#include "tests/fuzz/target.h"

std::vector<std::string> fuzz::seeds() {
  std::vector<std::string> out;
  for (const char* name : {"sentencepiece_bpe.model", "sentencepiece_unigram.model"}) {
    std::ifstream in(std::string(EQUIPOISE_SOURCE_DIR "/tests/golden/") + name, std::ios::binary);
    FUZZ_CHECK(in.good());
    out.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return out;
}

std::vector<std::string> fuzz::words() {
  using namespace std::string_literals;
  return {"\x0a\x0c"s,
          "\x12\x02\x18\x02"s,
          "\x1a\x02\x18\x00"s,
          "\x1a\x04\x12\x02\xff\xff"s,
          "\x18\x06"s,
          "\x18\x02"s,
          "\xe2\x96\x81"s,
          "<0x41>",
          "<unk>",
          "\x15\x00\x00\xc0\x7f"s,
          "\x15\xff\xff\x7f\xff"s,
          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto tokenizer = engine::Tokenizer::parse_model(fuzz::text_of(data, size), "", "tokenizer.model");
    const auto ids = tokenizer.encode("the  cat\xEF\xAC\x81nd 4 <s>\xF0\x9F\x98\x80 animals<sep>", true);
    for (const auto id : ids) FUZZ_CHECK(id >= 0 && id < tokenizer.vocab_size());
    FUZZ_CHECK(engine::is_valid_utf8(tokenizer.decode(ids, false)));
  } catch (const engine::InputError&) {
  }
  return 0;
}
