#include "engine/event.h"

namespace engine {

const char* to_string(RunState state) {
  switch (state) {
    case RunState::queued:
      return "queued";
    case RunState::running:
      return "running";
    case RunState::done:
      return "done";
    case RunState::failed:
      return "failed";
    case RunState::cancelled:
      return "cancelled";
    case RunState::interrupted:
      return "interrupted";
  }
  return "interrupted";
}

RunState run_state_from(const std::string& text) {
  for (RunState state : {RunState::queued, RunState::running, RunState::done, RunState::failed,
                         RunState::cancelled}) {
    if (text == to_string(state)) return state;
  }
  return RunState::interrupted;
}

const char* to_string(LogLine::Level level) {
  switch (level) {
    case LogLine::Level::debug:
      return "debug";
    case LogLine::Level::info:
      return "info";
    case LogLine::Level::warning:
      return "warning";
    case LogLine::Level::error:
      return "error";
  }
  return "info";
}

LogLine::Level log_level_from(const std::string& text) {
  for (LogLine::Level level :
       {LogLine::Level::debug, LogLine::Level::warning, LogLine::Level::error}) {
    if (text == to_string(level)) return level;
  }
  return LogLine::Level::info;
}

bool is_share(const std::string& metric) { return !metric.ends_with("perplexity") && metric != "bits_per_byte"; }

}  // namespace engine
