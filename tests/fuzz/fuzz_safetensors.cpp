#include "engine/error.h"
#include "engine/model/safetensors.h"
#include "tests/fuzz/target.h"

namespace {

std::string image(const std::string& header, std::size_t data_bytes) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<std::uint64_t>(header.size()) >> 8 * i);
  return out + header + std::string(data_bytes, 'x');
}

/// A header alone gets its true length, so that the fuzzer need not guess eight bytes.
void read(std::string_view bytes) {
  const auto span = std::as_bytes(std::span(bytes));
  for (const auto& entry : engine::parse_safetensors(span, "x").tensors) {
    std::uint64_t bits = static_cast<std::uint64_t>(engine::bits_per_element(entry.dtype));
    for (const auto size : entry.shape) bits *= static_cast<std::uint64_t>(size);
    FUZZ_CHECK(bits == entry.bytes.size() * 8);
    FUZZ_CHECK(entry.bytes.empty() || (entry.bytes.data() >= span.data() &&
                                       entry.bytes.data() + entry.bytes.size() <= span.data() + span.size()));
  }
}

}  // namespace

std::vector<std::string> fuzz::seeds() {
  return {image("{}", 0),
          image(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                R"("b":{"dtype":"U8","shape":[3],"data_offsets":[24,27]}})",
                27),
          R"({"a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}})",
          R"({"e":{"dtype":"F4","shape":[4,0],"data_offsets":[0,0]}} )"};
}

std::vector<std::string> fuzz::words() {
  return {"{",
          "}",
          "[",
          "]",
          ",",
          ":",
          "\"",
          "\"dtype\"",
          "\"shape\"",
          "\"data_offsets\"",
          "\"__metadata__\"",
          "\"F32\"",
          "\"BF16\"",
          "\"F4\"",
          "\"BOOL\"",
          "\"F8_E4M3\"",
          "18446744073709551615",
          "9223372036854775807",
          "4294967296",
          "-1",
          "0",
          "1e9",
          "null",
          "\\u0000"};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = fuzz::text_of(data, size);
  for (const std::string& bytes : {std::string(text), image(std::string(text), size % 32)}) {
    try {
      read(bytes);
    } catch (const engine::InputError&) {
    }
  }
  return 0;
}
