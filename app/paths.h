#pragma once
/// Where the program keeps its files (XDG base directories).

#include <filesystem>
#include <optional>

#include "engine/session.h"

namespace app {

/// Default: $XDG_DATA_HOME/equipoise/equipoise.db, its runs beside it in <store>.runs/, the log in
/// $XDG_STATE_HOME/equipoise, the cache in $XDG_CACHE_HOME/equipoise. Makes the folders; throws engine::InputError
/// naming the one that cannot be made.
engine::Paths default_paths(const std::optional<std::filesystem::path>& store);

}  // namespace app
