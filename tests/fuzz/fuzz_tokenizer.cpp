#include "engine/data/tokenizer.h"
#include "engine/data/utf8.h"
#include "engine/error.h"
#include "tests/fuzz/target.h"

namespace {

// Behind a zero byte comes the text to encode.
std::string with_text(const std::string& json) { return json + '\0' + " Hello, wörld! abc  ab\n12345 <s>"; }

const std::string k_model =
    R"({"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,)"
    R"("vocab":{"<unk>":0,"a":1,"b":2,"c":3,"ab":4,"abc":5,"▁":6,"<0xC3>":7,"Ġ":8,"o":9,"l":10,"ll":11},)"
    R"("merges":["a b","ab c","l l"]})";

}  // namespace

std::vector<std::string> fuzz::seeds() {
  return {
      with_text(R"({"model":)" + k_model +
                R"(,"pre_tokenizer":{"type":"Metaspace","replacement":"▁",)"
                R"("prepend_scheme":"first","split":false},"decoder":{"type":"Sequence","decoders":[{"type":"Replace",)"
                R"("pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip",)"
                R"("content":" ","start":1,"stop":0}]}})"),
      with_text(
          R"({"model":)" + k_model +
          R"(,"normalizer":{"type":"Sequence","normalizers":[)"
          R"({"type":"NFKC"},{"type":"Lowercase"},{"type":"Prepend","prepend":"▁"},{"type":"Replace",)"
          R"("pattern":{"Regex":"\\s+"},"content":"▁"},{"type":"Strip"},{"type":"StripAccents"}]},"added_tokens":[)"
          R"({"id":12,"content":"<s>","special":true,"lstrip":true,"rstrip":true,"single_word":true}],)"
          R"("post_processor":{"type":"TemplateProcessing","single":[)"
          R"({"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}}],"special_tokens":{"<s>":{"ids":[12]}}}})"),
      with_text(
          R"({"model":)" + k_model +
          R"(,"pre_tokenizer":{"type":"Sequence","pretokenizers":[)"
          R"({"type":"Split","pattern":{"Regex":"'s|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)|\\s+"},)"
          R"("behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,)"
          R"("use_regex":false}]},"decoder":{"type":"ByteLevel"}})"),
      with_text(R"({"model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"the":1}},)"
                R"("pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"BertPreTokenizer"},{"type":"Digits",)"
                R"("individual_digits":true},{"type":"Punctuation","behavior":"MergedWithNext"}]}})")};
}

std::vector<std::string> fuzz::words() {
  return {"\"type\"",
          "\"BPE\"",
          "\"vocab\"",
          "\"merges\"",
          "\"Split\"",
          "\"Regex\"",
          "\"String\"",
          "\"behavior\"",
          "\"Isolated\"",
          "\"Removed\"",
          "\"Contiguous\"",
          "\"MergedWithPrevious\"",
          "\"invert\"",
          "\"ByteLevel\"",
          "\"Metaspace\"",
          "\"prepend_scheme\"",
          "\"first\"",
          "\"NFD\"",
          "\"Replace\"",
          "\"Strip\"",
          "\"added_tokens\"",
          "\"content\"",
          "\"normalized\"",
          "\"ignore_merges\"",
          "(?=",
          "(?<!",
          "\\\\p{L}",
          "[^",
          "){2,9}",
          "(a|b|ab)*",
          "\\\\S",
          "\\\\G",
          "(?i:",
          "\xE2\x96\x81",
          "<0x41>",
          "4194303",
          "-1",
          "null",
          "true",
          std::string(1, '\0')};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::text_of(data, size);
  const auto end = input.find('\0');
  const std::string text = end == input.npos ? "abc 1" : engine::utf8_lossy(input.substr(end + 1));
  try {
    const auto tokenizer = engine::Tokenizer::parse(input.substr(0, end), "", "tokenizer.json");
    const auto ids = tokenizer.encode(text, true);
    for (const auto id : ids) FUZZ_CHECK(id >= 0 && id < tokenizer.vocab_size());
    FUZZ_CHECK(engine::is_valid_utf8(tokenizer.decode(ids, false)));
    tokenizer.policy();
    for (const auto id : ids) tokenizer.token_bytes(id);
  } catch (const engine::InputError&) {
  }
  return 0;
}
