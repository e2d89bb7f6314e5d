#pragma once
/// Parts that the looks share; private to inspect_*.cpp. No torch.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "engine/data/tokenizer.h"
#include "engine/inspect.h"

namespace engine {

/// The folder or file behind a source's name.
std::filesystem::path inspected_path(const std::string& source);

/// The piece of one id; begin and end are left 0.
TokenPiece token_piece(const Tokenizer& tokenizer, std::int32_t id);
std::vector<TokenPiece> token_pieces(const Tokenizer& tokenizer, std::span<const std::int32_t> ids);

/// Tells `watch` and throws Cancelled where it asks for a stop.
void report(const Watch& watch, std::int64_t done, const char* unit);

}  // namespace engine
