#pragma once
/// Lines of a plain or compressed file, streamed.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace engine {

/// Reads a file line by line; .gz by zlib, .zst by zstd (window of at most 128 MiB), anything else
/// as it is. Memory is one block and one line. Throws InputError with file and line for damaged or
/// truncated compression and lines above `max_line_bytes`. One thread.
class LineReader {
 public:
  explicit LineReader(const std::filesystem::path& path,
                      std::size_t max_line_bytes = std::size_t{64} << 20);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  /// The next line without its end (\n or \r\n); valid until the next call. False at the end of the
  /// file.
  bool next(std::string_view& line);
  std::size_t line_number() const { return line_; }  ///< of the last line given, from 1
  std::string place() const;                         ///< "file:line"

 private:
  struct Stream;
  bool fill();

  std::filesystem::path path_;
  std::size_t max_line_bytes_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
  std::size_t begin_ = 0, searched_ = 0;
  std::size_t line_ = 0;
  bool ended_ = false;
};

}  // namespace engine
