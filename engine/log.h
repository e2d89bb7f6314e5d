#pragma once
/// spdlog set-up: a rotating file (flushed line by line) and a sink that keeps lines for the faces. spdlog itself stays
/// inside log.cpp.

#include <filesystem>
#include <string>
#include <vector>

#include "engine/event.h"

namespace engine {

/// Opens the rotating file (5 MB × 3). Never throws: where the file cannot be opened, warnings and errors go to standard
/// error instead.
void open_log(const std::filesystem::path& file);
void log(LogLine::Level level, const std::string& text);  ///< thread-safe
/// For lines that reach the faces as events of a run: they are written to the file but not given out again.
void log_to_file(LogLine::Level level, const std::string& text);
std::vector<LogLine> take_log_lines();                    ///< lines since the last call (at most 10,000 are kept)

}  // namespace engine
