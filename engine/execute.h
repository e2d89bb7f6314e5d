#pragma once
/// A recipe carried out: load, convert, train, evaluate, keep. No torch in this header.

#include <stop_token>
#include <string>

#include "engine/session.h"

namespace engine {

/// The engine's Execute (session.h).
std::string execute(const RunRequest& request, const Emit& emit, std::stop_token stop);

}  // namespace engine
