#pragma once
/// Hashes as people and files see them: sixteen hexadecimal digits. No torch.

#include <cstdint>
#include <string>
#include <string_view>

namespace engine {

std::string hex_digits(std::uint64_t value);
std::string short_hash(std::string_view text);  ///< XXH3 of its bytes

}  // namespace engine
