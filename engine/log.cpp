#include "engine/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <deque>
#include <memory>
#include <mutex>
#include <system_error>

namespace engine {
namespace {

constexpr std::size_t k_file_bytes = 5 << 20;
constexpr std::size_t k_files = 3;
constexpr std::size_t k_kept_lines = 10'000;

/// The program's one log; the lines a face has not taken yet are kept beside the file.
struct Log {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger;
  std::deque<LogLine> lines;
};

Log& the_log() {
  static Log* log = new Log;  // never destroyed: a thread may log while the program ends
  return *log;
}

spdlog::level::level_enum level_of(LogLine::Level level) {
  switch (level) {
    case LogLine::Level::debug:
      return spdlog::level::debug;
    case LogLine::Level::info:
      return spdlog::level::info;
    case LogLine::Level::warning:
      return spdlog::level::warn;
    case LogLine::Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> file_logger(const std::filesystem::path& file) {
  std::error_code ignored;  // the sink says what is wrong
  std::filesystem::create_directories(file.parent_path(), ignored);
  auto sink =
      std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file.string(), k_file_bytes, k_files);
  return std::make_shared<spdlog::logger>("equipoise", std::move(sink));
}

std::shared_ptr<spdlog::logger> error_logger() {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink->set_level(spdlog::level::warn);
  return std::make_shared<spdlog::logger>("equipoise", std::move(sink));
}

void keep(Log& log, LogLine::Level level, const std::string& text) {
  log.lines.push_back({level, text});
  if (log.lines.size() > k_kept_lines) log.lines.pop_front();
}

}  // namespace

void open_log(const std::filesystem::path& file) {
  Log& log = the_log();
  const std::lock_guard lock(log.mutex);
  try {
    try {
      log.logger = file_logger(file);
    } catch (const std::exception& e) {
      log.logger = error_logger();
      keep(log, LogLine::Level::warning, std::string("No log file is written: ") + e.what());
    }
    log.logger->set_level(spdlog::level::debug);
    log.logger->flush_on(spdlog::level::debug);  // a crash loses no line
    log.logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z [%l] %v");
    // A full disk must not end a run, nor be told to standard error line after line.
    log.logger->set_error_handler([](const std::string&) {});
  } catch (const std::exception&) {
    log.logger.reset();
  }
}

void log_to_file(LogLine::Level level, const std::string& text) {
  std::shared_ptr<spdlog::logger> logger;
  {
    const std::lock_guard lock(the_log().mutex);
    logger = the_log().logger;
  }
  if (logger) logger->log(level_of(level), spdlog::string_view_t(text));
}

void log(LogLine::Level level, const std::string& text) {
  {
    const std::lock_guard lock(the_log().mutex);
    keep(the_log(), level, text);
  }
  log_to_file(level, text);
}

std::vector<LogLine> take_log_lines() {
  Log& log = the_log();
  const std::lock_guard lock(log.mutex);
  std::vector<LogLine> lines(std::make_move_iterator(log.lines.begin()),
                             std::make_move_iterator(log.lines.end()));
  log.lines.clear();
  return lines;
}

}  // namespace engine
