#pragma once
/// What a fuzz target gives: the entry point that libFuzzer calls, and inputs to start from. A target must end without
/// another exception than InputError, a sanitizer's report or a lasting file.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// Well-formed inputs, small.
std::vector<std::string> seeds();
/// Words of the format, to be put into inputs.
std::vector<std::string> words();

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Ends the process where a target's promise is broken; the fuzzer keeps the input.
#define FUZZ_CHECK(condition) \
  if (!(condition)) __builtin_trap()

}  // namespace fuzz
