#include "engine/hash_text.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdio>

namespace engine {

std::string hex_digits(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

std::string short_hash(std::string_view text) { return hex_digits(XXH3_64bits(text.data(), text.size())); }

}  // namespace engine
